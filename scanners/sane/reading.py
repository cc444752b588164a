"""The pages of a stack, from an open device into the spool, byte for byte counted.

SANE calls a page that broke off a good one if the backend says so: the count of bytes decides.
"""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from ingest import clock
from scanners.device import (
    AccessDenied,
    CoverOpen,
    DeviceBusy,
    DeviceGone,
    DoubleFeed,
    Feed,
    FeederEmpty,
    FeederJam,
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
from scanners.device.tiff import header
from scanners.sane.abi import RGB, Frame, SaneFault, Status
from scanners.sane.library import Handle
from scanners.sane.options import sensed, unlike

_FAULTS: Final = {
    Status.CANCELLED: ScanCancelled,
    Status.BUSY: DeviceBusy,
    Status.JAMMED: FeederJam,
    Status.NO_DOCS: FeederEmpty,
    Status.COVER_OPEN: CoverOpen,
    Status.ACCESS_DENIED: AccessDenied,
}
#: At the start of a page: not with these options (4.3.9).
_NOT_WITH_THESE: Final = (Status.INVALID, Status.UNSUPPORTED)
#: What backends with such sensors say of a page.
_SENSORS: Final = ("double-feed", "error-code", "page-loaded", "skew-angle")
_SAYING_SECONDS: Final = 0.2
_PIECE: Final = 1 << 20


def fault_of(error: SaneFault, pages_done: int) -> ScanFault:
    """Return what a status of SANE means to the person at the scanner."""
    kind = _FAULTS.get(error.status)
    if kind is None:
        text = "Das Gerät meldet einen Fehler. Bitte aus- und einschalten und fortsetzen."
        return DeviceGone(str(error), pages_done=pages_done, operator_text=text)
    return kind(str(error), pages_done=pages_done)


def not_there(error: SaneFault, device: str) -> DeviceGone:
    """Return that nobody here knows such a device."""
    text = (
        f"Das Gerät „{device}“ ist nicht angeschlossen oder hier nicht bekannt. Bitte Strom und "
        "Kabel oder Netzwerk prüfen und die Bezeichnung mit »list-devices« (am Scanplatz "
        "»devices«) vergleichen."
    )
    return DeviceGone(str(error), operator_text=text)


@dataclass
class Stack:
    """A stack being read.

    Attributes:
        first: Number of its first page: an interrupted stack goes on.
        cancelled: Asked between two pieces of a page.
    """

    handle: Handle
    settings: ScanSettings
    spool: Spool
    first: int
    cancelled: Callable[[], bool]
    progress: Progress

    def pages(self) -> Iterator[ScannedPage]:
        """Yield each page when it is durable; end at the true end of the stack.

        Raises:
            ScanFault: As the driver's port says.
        """
        number = self.first
        while True:
            began_at = clock.now()
            if self.cancelled():
                message = f"cancelled before page {number}"
                raise ScanCancelled(message, pages_done=number - 1)
            try:
                self.handle.start()
                frame = self.handle.frame()
            except SaneFault as error:
                if error.status is Status.NO_DOCS and number > self.first:
                    return
                if error.status in _NOT_WITH_THESE:
                    raise SettingRefused(str(error), pages_done=number - 1) from error
                raise self._fault(error, number) from error
            yield self._page(number, frame, began_at)
            if self.settings.feed is Feed.FLATBED:
                return
            number += 1

    def _page(self, number: int, frame: Frame, began_at: dt.datetime) -> ScannedPage:
        wrong = unlike(frame, self.settings)
        if wrong is not None:
            message = f"page {number} came as {frame}"
            text = (
                f"Das Gerät hat eine Seite anders geliefert als verlangt ({wrong}). Sie wurde "
                "verworfen; bitte das Blatt wieder einlegen und ein anderes Profil wählen."
            )
            raise ScanFault(message, pages_done=number - 1, operator_text=text)
        sheet, side = place_of(number, self.settings.feed)
        facts = PageFacts(
            number=number,
            sheet=sheet,
            side=side,
            width=frame.pixels_per_line,
            height=frame.lines,
            dpi=self.settings.dpi,
            mode=str(self.settings.mode),
            depth=frame.depth,
            began_at=began_at,
            finished_at=began_at,
        )
        arriving = _Arriving(frame, self.settings.dpi)
        whole = frame.lines * frame.bytes_per_line if frame.lines >= 0 else None
        file = arriving.file(self._counted(number, whole), self.spool)
        kept = self.spool.keep(file, "image/tiff", facts)
        hints = dict(sensed(self.handle, _SENSORS))
        if hints.get("double-feed") is True:
            kept.path.unlink(missing_ok=True)
            message = f"double feed at page {number}"
            raise DoubleFeed(message, pages_done=number - 1)
        facts = replace(facts, height=arriving.height, finished_at=clock.now(), hints=hints)
        return replace(kept, facts=facts)

    def _fault(self, error: SaneFault, number: int) -> ScanFault:
        """Return what the status means; two sheets at once are a jam to SANE."""
        if error.status is Status.JAMMED:
            told = dict(sensed(self.handle, ("double-feed",)))
            if told.get("double-feed") is True:
                return DoubleFeed(str(error), pages_done=number - 1)
        return fault_of(error, number - 1)

    def _counted(self, number: int, whole: int | None) -> Iterator[bytes]:
        """Yield the bytes of a page and see that they are all.

        Raises:
            PageTruncated: The page ended early, or gave more than it announced.
            ScanCancelled: Somebody stopped the scan.
            ScanFault: The device broke off.
        """
        got, said = 0, time.monotonic()
        self.progress(number, 0)
        try:
            for chunk in self.handle.chunks():
                got += len(chunk)
                if self.cancelled():
                    message = f"cancelled in page {number}"
                    raise ScanCancelled(message, pages_done=number - 1)
                if time.monotonic() - said > _SAYING_SECONDS:
                    said = time.monotonic()
                    self.progress(number, got)
                yield chunk
        except SaneFault as error:
            raise self._fault(error, number) from error
        if (whole is not None and got != whole) or got == 0:
            message = f"page {number}: {got} of {whole} bytes"
            raise PageTruncated(message, pages_done=number - 1)


class _Arriving:
    """A page between the device and the spool.

    The samples are not digested by themselves: they are the end of the file, whose digest is
    kept, and a second digest would cost as much as all else together.

    Attributes:
        height: pixels; known at the end at the latest.
    """

    def __init__(self, frame: Frame, dpi: int) -> None:
        """Take what the device announced."""
        self.height = frame.lines
        self._frame = frame
        self._dpi = dpi
        self._channels = 3 if frame.format == RGB else 1
        self._row = (frame.pixels_per_line * self._channels * frame.depth + 7) // 8

    def file(self, chunks: Iterator[bytes], spool: Spool) -> Iterator[bytes]:
        """Yield the TIFF with the samples; the memory it takes does not grow with the page."""
        rows = _rows(chunks, self._frame.bytes_per_line, self._row)
        if self.height >= 0:
            yield self._header()
            yield from rows
            return
        # how high it is stands in front, and a hand scanner knows it last
        with tempfile.TemporaryFile(dir=spool.folder) as waiting:
            for chunk in rows:
                waiting.write(chunk)
            self.height = waiting.tell() // self._row
            waiting.truncate(self.height * self._row)
            waiting.seek(0)
            yield self._header()
            yield from iter(lambda: waiting.read(_PIECE), b"")

    def _header(self) -> bytes:
        return header(
            width=self._frame.pixels_per_line,
            height=self.height,
            depth=self._frame.depth,
            channels=self._channels,
            dpi=self._dpi,
        )


def _rows(chunks: Iterator[bytes], stride: int, row: int) -> Iterator[bytes]:
    """Yield rows without what a backend pads them with; the common case costs nothing."""
    if stride == row:
        yield from chunks
        return
    rest = b""
    for chunk in chunks:
        rest += chunk
        whole = len(rest) // stride
        yield b"".join(rest[place * stride : place * stride + row] for place in range(whole))
        rest = rest[whole * stride :]
