"""A stack on an eSCL device: the job, its pages, and how it can end.

An image is taken as the device sends it, byte for byte. The device tells the end of the stack,
a jam and "not yet" all by refusing the next page; its status says which of them it is.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from ingest import clock
from ingest.sandbox import Lent
from scanners.device import (
    CoverOpen,
    Device,
    DeviceBusy,
    DeviceGone,
    DeviceStalled,
    DoubleFeed,
    Effective,
    Feed,
    FeederEmpty,
    FeederJam,
    Mode,
    PageFacts,
    PageTruncated,
    ScanCancelled,
    ScanFault,
    ScannedPage,
    ScanSettings,
    SettingRefused,
    Spool,
    place_of,
)
from scanners.device.port import Progress
from scanners.escl.capabilities import State, path_of, state
from scanners.escl.connection import Answer, Connection
from scanners.escl.wholeness import MEDIA_TYPES

#: An empty feeder is none: it is empty while the last sheet is still on its way.
_FEEDER_FAULTS: Final[Mapping[str, type[ScanFault]]] = {
    "ScannerAdfJam": FeederJam,
    "ScannerAdfMispick": FeederJam,
    "ScannerAdfInputTrayFailed": FeederJam,
    "ScannerAdfInputTrayOverloaded": FeederJam,
    "ScannerAdfHatchOpen": CoverOpen,
    "ScannerAdfMultipickDetected": DoubleFeed,
}
_EMPTY: Final = "ScannerAdfEmpty"
#: How a job ended that is not whole.
_GIVEN_UP: Final[Mapping[str, type[ScanFault]]] = {
    "Canceled": ScanCancelled,
    "Aborted": DeviceGone,
}
_LONGEST_WAIT: Final = 30.0
_SHORTEST_WAIT: Final = 0.2
_SAYING_SECONDS: Final = 0.2
_FAREWELL_SECONDS: Final = 5.0
#: No compression makes a page larger than this times its samples, and there are headers.
_ROOM: Final = 1.5
_HEAD_BYTES: Final = 1 << 20
_MM: Final = 25.4
_SAMPLES: Final = {Mode.BITONAL: 1, Mode.GREY: 1, Mode.COLOUR: 3}
_CREATED, _OK, _GONE, _MISSING, _CONFLICT, _BUSY = 201, 200, 410, 404, 409, 503
_NOT_SO: Final = frozenset({400, 409})


class Look(Protocol):
    """Looks whether a page is whole."""

    def size_of(self, path: Path, media_type: str) -> tuple[int, int]:
        """Return width and height.

        Raises:
            ValueError: The page is not whole.
        """
        ...

    def close(self) -> None:
        """End what was begun for it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What is asked of a device.

    Attributes:
        request: The document that begins the job.
        effective: The same by our names.
        media_type: Of the pages, where the device does not say it.
    """

    device: Device
    settings: ScanSettings
    request: bytes
    effective: Mapping[str, Effective]
    media_type: str


class EsclSession(Lent):
    """A device with a request that it will accept; no sheet has moved yet."""

    def __init__(
        self,
        connection: Connection,
        prepared: Prepared,
        spool: Spool,
        looking: Look,
        *,
        first: int = 1,
    ) -> None:
        """Take what `EsclDriver.open` has found out, and who looks whether pages are whole."""
        self._connection = connection
        self._device, self._settings = prepared.device, prepared.settings
        self._spool, self._first, self._done = spool, first, first - 1
        self._request, self._effective = prepared.request, prepared.effective
        self._media_type = prepared.media_type
        self._looking = looking
        self._job: str | None = None
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self.progress: Progress = lambda _page, _bytes: None

    @property
    def device(self) -> Device:
        """The device."""
        return self._device

    @property
    def effective(self) -> Mapping[str, Effective]:
        """What is asked of the device, by our name of the setting; eSCL does not answer it."""
        return self._effective

    def pages(self) -> Iterator[ScannedPage]:
        """Yield each page when it is durable; end at the true end of the stack.

        Raises:
            ScanFault: As the port says.
        """
        try:
            self._begin()
            number = self._first
            while (page := self._page(number)) is not None:
                self._done = number
                yield page
                number += 1
                if self._settings.feed is Feed.FLATBED:  # the glass has one side
                    return
            self._require_all()
        except ScanFault as error:
            raise self._or_cancelled(error) from error
        finally:
            self._end()

    def cancel(self) -> None:
        """Break off the page and delete the job; from any thread, as often as one likes."""
        self._cancelled.set()
        self._connection.abort()
        self._end()

    def close(self) -> None:
        """Give the device back."""
        self._end()
        self._looking.close()

    def _begin(self) -> None:
        limit = time.monotonic() + self._settings.timeout
        while True:
            self._require_wanted()
            answer = self._connection.ask("POST", self._connection.path("ScanJobs"), self._request)
            if answer.status == _CREATED and (job := path_of(answer.headers.get("location", ""))):
                self._job = job
                return
            if (
                answer.status != _BUSY
                or self._feeder_fault() is not None
                or time.monotonic() > limit
            ):
                raise self._refusal_at_start(answer)
            self._pause(answer)

    def _page(self, number: int) -> ScannedPage | None:
        """Return the next page; None at the end of the stack."""
        limit = time.monotonic() + self._settings.timeout
        began_at = clock.now()
        while True:
            self._require_wanted()
            with self._connection.page(f"{self._job}/NextDocument") as (answer, chunks):
                if answer.status == _OK:
                    return self._kept(number, answer, chunks, began_at)
            if answer.status in (_MISSING, _GONE):
                self._require_end(number, answer)
                return None
            if answer.status != _BUSY or self._feeder_fault() is not None:
                raise self._refusal(answer)
            if time.monotonic() > limit:
                message = f"no page within {self._settings.timeout:g} s"
                raise DeviceStalled(message, pages_done=self._done)
            self._pause(answer)

    def _require_end(self, number: int, answer: Answer) -> None:
        """See that "no further page" is the end of the stack.

        Raises:
            ScanFault: It is a jam or the like, or there was no sheet at all.
        """
        if self._feeder_fault() is not None:
            raise self._refusal(answer)
        if number == self._first:
            message = "the job has no page"
            raise FeederEmpty(message, pages_done=self._done)

    def _kept(
        self, number: int, answer: Answer, chunks: Iterator[bytes], began_at: dt.datetime
    ) -> ScannedPage:
        said = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        media_type = said if said in MEDIA_TYPES else self._media_type
        announced = answer.headers.get("content-length")
        sheet, side = place_of(number, self._settings.feed)
        facts = PageFacts(
            number=number,
            sheet=sheet,
            side=side,
            width=None,
            height=None,
            dpi=self._settings.dpi,
            mode=str(self._settings.mode),
            depth=self._settings.depth,
            began_at=began_at,
            finished_at=began_at,
        )

        def whole(path: Path) -> tuple[int, int] | None:
            got = path.stat().st_size
            if announced is not None and announced != str(got):
                message = f"{got} of {announced} bytes"
                raise ValueError(message)
            return self._looking.size_of(path, media_type)

        try:
            page = self._spool.keep(self._counted(number, chunks), media_type, facts, whole)
        except ValueError as error:
            message = f"page {number}: {error}"
            raise PageTruncated(message, pages_done=self._done) from error
        return replace(page, facts=replace(page.facts, finished_at=clock.now()))

    def _counted(self, number: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
        got, said, most = 0, time.monotonic(), self._most_bytes()
        self.progress(number, 0)
        for chunk in chunks:
            self._require_wanted()
            got += len(chunk)
            if got > most:
                text = (
                    "Das Gerät sendet eine Seite ohne Ende; sie wurde verworfen. Bitte das Gerät "
                    "aus- und einschalten, das letzte Blatt wieder einlegen und fortsetzen."
                )
                message = f"page {number} has more than {most} bytes"
                raise ScanFault(message, pages_done=self._done, operator_text=text)
            if time.monotonic() - said > _SAYING_SECONDS:
                said = time.monotonic()
                self.progress(number, got)
            yield chunk

    def _most_bytes(self) -> int:
        """Return how large a page can be at most, whatever the device packs it in."""
        across, down = (side / _MM * self._settings.dpi for side in self._settings.size_mm)
        samples = across * down * _SAMPLES[self._settings.mode]
        return int(samples * self._settings.depth / 8 * _ROOM) + _HEAD_BYTES

    def _require_all(self) -> None:
        """Compare with what the device counted, where it counts.

        Raises:
            PageTruncated: It made more images than it handed over.
            ScanCancelled: Somebody stopped the job at the device.
            DeviceGone: The device gave the job up.
        """
        known = self._state().jobs.get(self._job or "")
        if known is None:
            return
        got = self._done - self._first + 1
        made = known.made
        if made is not None and made > got:
            text = (
                f"Das Gerät hat {made} Seiten gezählt, angekommen sind {got}. Bitte die letzten "
                "Blätter mit dem Stapel vergleichen und die fehlenden nachscannen."
            )
            message = f"{made} images made, {got} handed over"
            raise PageTruncated(message, pages_done=self._done, operator_text=text)
        if kind := _GIVEN_UP.get(known.state):
            text = (
                f"Der Scan wurde am Gerät abgebrochen. Angekommen sind {got} Seiten. Bitte den "
                "Rest des Stapels einlegen und fortsetzen."
            )
            message = f"the device says its job is {known.state}"
            raise kind(message, pages_done=self._done, operator_text=text)

    def _feeder_fault(self) -> type[ScanFault] | None:
        """Return what is wrong with the feeder, if it is used."""
        if self._settings.feed is Feed.FLATBED:
            return None
        return _FEEDER_FAULTS.get(self._state().feeder or "")

    def _refusal(self, answer: Answer) -> ScanFault:
        found = self._state()
        kind = self._feeder_fault() or DeviceGone
        message = f"HTTP {answer.status}, device {found.device}, feeder {found.feeder}"
        return kind(message, pages_done=self._done)

    def _refusal_at_start(self, answer: Answer) -> ScanFault:
        found, kind = self._state(), self._feeder_fault()
        feeds = self._settings.feed is not Feed.FLATBED
        text = ""
        if kind is None and answer.status in (_BUSY, _CONFLICT):
            if found.device in ("Processing", "Testing"):
                kind = DeviceBusy
            elif feeds and found.feeder in (None, _EMPTY):
                kind = FeederEmpty
            elif answer.status == _BUSY:
                kind = DeviceBusy
        if kind is None and answer.status in _NOT_SO:
            kind, text = (
                SettingRefused,
                (
                    "Das Gerät lehnt den Auftrag ab, obwohl es die Einstellungen anbietet. Es "
                    "wurde kein Blatt eingezogen. Bitte ein anderes Profil oder Gerät wählen."
                ),
            )
        message = f"HTTP {answer.status}, device {found.device}, feeder {found.feeder}"
        return (kind or DeviceGone)(message, pages_done=self._done, operator_text=text)

    def _state(self) -> State:
        answer = self._connection.ask("GET", self._connection.path("ScannerStatus"))
        if answer.status != _OK:
            message = f"ScannerStatus: HTTP {answer.status}"
            raise DeviceGone(message, pages_done=self._done)
        return state(answer.body)

    def _pause(self, answer: Answer) -> None:
        asked = answer.headers.get("retry-after", "")
        seconds = float(asked) if asked.isdecimal() else 1.0
        self._cancelled.wait(min(max(seconds, _SHORTEST_WAIT), _LONGEST_WAIT))

    def _require_wanted(self) -> None:
        if self._cancelled.is_set():
            message = "cancelled by the operator"
            raise ScanCancelled(message, pages_done=self._done)

    def _or_cancelled(self, error: ScanFault) -> ScanFault:
        if self._cancelled.is_set():
            return ScanCancelled("cancelled by the operator", pages_done=self._done)
        error.pages_done = max(error.pages_done, self._done)
        return error

    def _end(self) -> None:
        with self._lock:
            job, self._job = self._job, None
        if job is not None:
            with contextlib.suppress(ScanFault):
                self._connection.ask("DELETE", job, seconds=_FAREWELL_SECONDS)
