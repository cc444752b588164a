"""The pages of a stack, from an open device into the spool, byte for byte counted.

SANE calls a page that broke off a good one if the backend says so: the count of bytes decides.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

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
from scanners.sane.library import Frame, Handle, SaneFault, Status
from scanners.sane.options import sensed

_FAULTS: Final = {
    Status.UNSUPPORTED: SettingRefused,
    Status.CANCELLED: ScanCancelled,
    Status.BUSY: DeviceBusy,
    Status.INVALID: DeviceGone,
    Status.JAMMED: FeederJam,
    Status.NO_DOCS: FeederEmpty,
    Status.COVER_OPEN: CoverOpen,
    Status.ACCESS_DENIED: AccessDenied,
}
#: What backends with such sensors say of a page.
_SENSORS: Final = ("double-feed", "error-code", "page-loaded", "skew-angle")
_SAYING_SECONDS: Final = 0.2
_RGB: Final = 1


def fault_of(error: SaneFault, pages_done: int) -> ScanFault:
    """Return what a status of SANE means to the person at the scanner."""
    kind = _FAULTS.get(error.status)
    if kind is None:
        text = "Das Gerät meldet einen Fehler. Bitte aus- und einschalten und fortsetzen."
        return DeviceGone(str(error), pages_done=pages_done, operator_text=text)
    return kind(str(error), pages_done=pages_done)


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
            try:
                self.handle.start()
                frame = self.handle.frame()
            except SaneFault as error:
                if error.status is Status.NO_DOCS and number > self.first:
                    return
                raise fault_of(error, number - 1) from error
            yield self._page(number, frame, began_at)
            if self.settings.feed is Feed.FLATBED:
                return
            number += 1

    def _page(self, number: int, frame: Frame, began_at: Any) -> ScannedPage:
        channels = 3 if frame.format == _RGB else 1
        if frame.format > _RGB:
            message = "three-pass scanners are not supported"
            raise SettingRefused(message, pages_done=number - 1)
        whole = frame.lines * frame.bytes_per_line
        chunks: Iterator[bytes] = self._counted(number, whole if frame.lines > 0 else None)
        height = frame.lines
        if frame.lines < 0:  # a hand scanner ends where the hand stops
            read = b"".join(chunks)
            height = len(read) // frame.bytes_per_line
            chunks = iter((read[: height * frame.bytes_per_line],))
        sheet, side = place_of(number, self.settings.feed)
        raw = hashlib.sha256()
        hints: dict[str, Any] = {}
        facts = PageFacts(
            number=number,
            sheet=sheet,
            side=side,
            width=frame.pixels_per_line,
            height=height,
            dpi=self.settings.dpi,
            mode=str(self.settings.mode),
            depth=frame.depth,
            began_at=began_at,
            finished_at=began_at,
            hints=hints,
        )
        shape = header(
            width=frame.pixels_per_line,
            height=height,
            depth=frame.depth,
            channels=channels,
            dpi=self.settings.dpi,
        )
        row = (frame.pixels_per_line * channels * frame.depth + 7) // 8
        samples = _rows(chunks, frame.bytes_per_line, row)

        def written() -> Iterator[bytes]:
            yield shape
            for chunk in samples:
                raw.update(chunk)
                yield chunk

        kept = self.spool.keep(written(), "image/tiff", facts)
        hints |= {"samples_sha256": raw.hexdigest(), **dict(sensed(self.handle, _SENSORS))}
        if hints.get("double-feed") is True:
            kept.path.unlink(missing_ok=True)
            message = f"double feed at page {number}"
            raise DoubleFeed(message, pages_done=number - 1)
        return _finished(kept)

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
                    self.handle.cancel()
                    message = f"cancelled in page {number}"
                    raise ScanCancelled(message, pages_done=number - 1)
                if time.monotonic() - said > _SAYING_SECONDS:
                    said = time.monotonic()
                    self.progress(number, got)
                yield chunk
        except SaneFault as error:
            raise fault_of(error, number - 1) from error
        if (whole is not None and got != whole) or got == 0:
            message = f"page {number}: {got} of {whole} bytes"
            raise PageTruncated(message, pages_done=number - 1)


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


def _finished(page: ScannedPage) -> ScannedPage:
    return replace(page, facts=replace(page.facts, finished_at=clock.now()))
