"""A stack on an eSCL device: the job, its pages, and how it can end.

An image is taken as the device sends it, byte for byte. The device tells the end of the stack,
a jam and "not yet" all by refusing the next page; its status says which of them it is.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from ingest import clock
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
    PageFacts,
    PageTruncated,
    ScanCancelled,
    ScanFault,
    ScannedPage,
    ScanSettings,
    Spool,
    place_of,
)
from scanners.device.port import Progress
from scanners.escl.capabilities import State, state
from scanners.escl.connection import Answer, Connection
from scanners.escl.wholeness import size_of

_FEEDER_FAULTS: Final[Mapping[str, type[ScanFault]]] = {
    "ScannerAdfJam": FeederJam,
    "ScannerAdfMispick": FeederJam,
    "ScannerAdfInputTrayFailed": FeederJam,
    "ScannerAdfInputTrayOverloaded": FeederJam,
    "ScannerAdfHatchOpen": CoverOpen,
    "ScannerAdfMultipickDetected": DoubleFeed,
    "ScannerAdfEmpty": FeederEmpty,
}
_LONGEST_WAIT: Final = 30.0
_SHORTEST_WAIT: Final = 0.2
_SAYING_SECONDS: Final = 0.2
_CREATED, _OK, _GONE, _MISSING, _CONFLICT, _BUSY = 201, 200, 410, 404, 409, 503


class EsclSession:
    """A device with a request that it will accept; no sheet has moved yet."""

    def __init__(
        self,
        connection: Connection,
        device: Device,
        settings: ScanSettings,
        spool: Spool,
        asked: tuple[bytes, Mapping[str, Effective], str],
        *,
        first: int = 1,
    ) -> None:
        """Take what `EsclDriver.open` has found out."""
        self._connection, self._device, self._settings = connection, device, settings
        self._spool, self._first, self._done = spool, first, first - 1
        self._request, self._effective, self._media_type = asked
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
            self._require_all()
        except ScanFault as error:
            raise self._or_cancelled(error) from error
        finally:
            self._end()

    def cancel(self) -> None:
        """Delete the job; from any thread, as often as one likes."""
        self._cancelled.set()
        self._end()

    def close(self) -> None:
        """Give the device back."""
        self._end()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def _begin(self) -> None:
        limit = time.monotonic() + self._settings.timeout
        while True:
            self._require_wanted()
            answer = self._connection.ask("POST", self._connection.path("ScanJobs"), self._request)
            if answer.status == _CREATED and answer.headers.get("location"):
                self._job = urlsplit(answer.headers["location"]).path.rstrip("/")
                return
            if answer.status == _BUSY and time.monotonic() < limit:
                self._pause(answer)
                continue
            raise self._refusal(answer, at_start=True)

    def _page(self, number: int) -> ScannedPage | None:
        """Return the next page; None at the end of the stack."""
        limit = time.monotonic() + self._settings.timeout
        began_at = clock.now()
        while True:
            self._require_wanted()
            answer, chunks = self._connection.fetch(f"{self._job}/NextDocument")
            if answer.status == _OK:
                return self._kept(number, answer, chunks, began_at)
            for _ in chunks:  # read to the end, so that the connection closes in order
                pass
            if answer.status in (_MISSING, _GONE):
                self._require_end(number, answer)
                return None
            if answer.status != _BUSY or self._state().feeder in _FEEDER_FAULTS:
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
        known = self._state().feeder
        if known in _FEEDER_FAULTS and known != "ScannerAdfEmpty":
            raise self._refusal(answer)
        if number == self._first:
            message = "the job has no page"
            raise FeederEmpty(message, pages_done=self._done)

    def _kept(
        self, number: int, answer: Answer, chunks: Iterator[bytes], began_at: object
    ) -> ScannedPage:
        media_type = answer.headers.get("content-type", self._media_type).partition(";")[0].strip()
        announced = answer.headers.get("content-length")
        sheet, side = place_of(number, self._settings.feed)
        now = clock.now()
        facts = PageFacts(
            number=number,
            sheet=sheet,
            side=side,
            width=None,
            height=None,
            dpi=self._settings.dpi,
            mode=str(self._settings.mode),
            depth=self._settings.depth,
            began_at=began_at,  # type: ignore[arg-type]  # a moment, as `clock` gives it
            finished_at=now,
        )

        def whole(path: Path) -> tuple[int, int] | None:
            if announced is not None and announced.isdecimal():
                got = path.stat().st_size
                if got != int(announced):
                    message = f"{got} of {announced} bytes"
                    raise ValueError(message)
            return size_of(path, media_type)

        try:
            return self._spool.keep(self._counted(number, chunks), media_type, facts, whole)
        except ValueError as error:
            message = f"page {number}: {error}"
            raise PageTruncated(message, pages_done=self._done) from error

    def _counted(self, number: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
        got, said = 0, time.monotonic()
        self.progress(number, 0)
        for chunk in chunks:
            self._require_wanted()
            got += len(chunk)
            if time.monotonic() - said > _SAYING_SECONDS:
                said = time.monotonic()
                self.progress(number, got)
            yield chunk

    def _require_all(self) -> None:
        """Compare with what the device counted, where it counts.

        Raises:
            PageTruncated: It made more images than it handed over.
        """
        made = self._state().completed.get(self._job or "")
        got = self._done - self._first + 1
        if made is not None and made > got and self._settings.feed is not Feed.FLATBED:
            text = (
                f"Das Gerät hat {made} Seiten gezählt, angekommen sind {got}. Bitte die letzten "
                "Blätter mit dem Stapel vergleichen und die fehlenden nachscannen."
            )
            message = f"{made} images made, {got} handed over"
            raise PageTruncated(message, pages_done=self._done, operator_text=text)

    def _refusal(self, answer: Answer, *, at_start: bool = False) -> ScanFault:
        found = self._state()
        kind = _FEEDER_FAULTS.get(found.feeder or "")
        message = f"HTTP {answer.status}, device {found.device}, feeder {found.feeder}"
        if kind is None and at_start and answer.status in (_BUSY, _CONFLICT):
            kind = DeviceBusy if found.device in ("Processing", "Testing") else FeederEmpty
        if kind is FeederEmpty and not at_start:
            kind = DeviceGone
        return (kind or DeviceGone)(message, pages_done=self._done)

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
                self._connection.ask("DELETE", job)
