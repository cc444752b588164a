"""The pages of a TWAIN source, strip by strip into the spool."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
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
    DeviceStalled,
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
    Spool,
    place_of,
)
from scanners.device.port import Progress
from scanners.device.tiff import header
from scanners.twain import abi
from scanners.twain.dsm import TwainFault
from scanners.twain.source import Source
from scanners.twain.windows import pump

_FAULTS: Final[dict[int, type[ScanFault]]] = {
    abi.CC_PAPERJAM: FeederJam,
    abi.CC_PAPERDOUBLEFEED: DoubleFeed,
    abi.CC_INTERLOCK: CoverOpen,
    abi.CC_NOMEDIA: FeederEmpty,
    abi.CC_CHECKDEVICEONLINE: DeviceGone,
    abi.CC_MAXCONNECTIONS: DeviceBusy,
    abi.CC_DENIED: AccessDenied,
}
_SAYING_SECONDS: Final = 0.2
_BYTE: Final = 8
_PIECE_SECONDS: Final = 0.02
_CHANNELS: Final = (1, 3)
_DEPTHS: Final = (1, 8, 16)


def fault_of(error: TwainFault, pages_done: int) -> ScanFault:
    """Return what a condition of TWAIN means to the person at the scanner."""
    if error.code == abi.RC_CANCEL:
        text = (
            "Der Scan wurde am Gerät abgebrochen. Die bis dahin gescannten Blätter sind gesichert."
        )
        return ScanCancelled(str(error), pages_done=pages_done, operator_text=text)
    return _FAULTS.get(error.condition, DeviceGone)(str(error), pages_done=pages_done)


@dataclass
class Stack:
    """A stack being read; see the port for what `pages` promises."""

    source: Source
    settings: ScanSettings
    spool: Spool
    first: int
    cancelled: Callable[[], bool]
    progress: Progress

    def pages(self) -> Iterator[ScannedPage]:
        """Yield each page when it is durable; end at the true end of the stack.

        Raises:
            ScanFault: As the port says.
        """
        number = self.first
        try:
            self._begin()
            more = True
            while more:
                yield self._page(number)
                number += 1  # a jam that the device notices now is of the next sheet
                more = self.source.finish_image()
        except TwainFault as error:
            raise fault_of(error, number - 1) from error
        finally:
            self.source.stop()

    def _begin(self) -> None:
        if self.settings.feed is not Feed.FLATBED and self._is_empty():
            message = "no sheet is loaded"
            raise FeederEmpty(message, pages_done=self.first - 1)
        if not self.source.enable(self._wait):
            message = f"no image within {self.settings.timeout:g} s"
            raise DeviceStalled(message, pages_done=self.first - 1)

    def _wait(self, ready: threading.Event, passed_on: Callable[[int], bool]) -> bool:
        """Wait in small pieces: whoever cancels shall not have to wait too."""
        limit = time.monotonic() + self.settings.timeout
        while not ready.is_set() and time.monotonic() < limit:
            if self.cancelled():
                raise ScanCancelled("cancelled before the first page", pages_done=self.first - 1)
            pump(passed_on)
            ready.wait(_PIECE_SECONDS)
        return ready.is_set()

    def _is_empty(self) -> bool:
        try:
            return self.source.capabilities.get(abi.CAP_FEEDERLOADED) is False
        except TwainFault:
            return False  # a source that does not know is asked for an image

    def _page(self, number: int) -> ScannedPage:
        began_at = clock.now()
        shape = self.source.image()
        samples, depth = self._samples(number, shape)
        row = (int(shape.image_width) * samples * depth + _BYTE - 1) // _BYTE
        height = int(shape.image_length)
        raw = hashlib.sha256()
        # The flavour of TWAIN's bitonal images is "chocolate": 0 is black, as in grey.
        head = header(
            width=int(shape.image_width),
            height=height,
            depth=depth,
            channels=samples,
            dpi=round(abi.number(shape.x_resolution)) or self.settings.dpi,
            black_is_one=False,
        )

        def written() -> Iterator[bytes]:
            yield head
            for chunk in self._rows(number, row, height):
                raw.update(chunk)
                yield chunk

        facts = self._facts(number, shape, began_at)
        kept = self.spool.keep(written(), "image/tiff", facts)
        hints = {"samples_sha256": raw.hexdigest(), **self.source.sensed()}
        return replace(kept, facts=replace(facts, finished_at=clock.now(), hints=hints))

    def _samples(self, number: int, shape: Any) -> tuple[int, int]:
        """Return samples of a pixel and bits of a sample.

        Raises:
            PageTruncated: The image has no such shape as can be kept.
        """
        samples = int(shape.samples_per_pixel) or 1
        depth = int(shape.bits_per_sample[0]) or int(shape.bits_per_pixel) // samples
        fits = samples in _CHANNELS and depth in _DEPTHS and not (shape.planar and samples > 1)
        if not fits or shape.compression or min(shape.image_width, shape.image_length) <= 0:
            message = (
                f"page {number}: {shape.image_width} × {shape.image_length}, {samples} × {depth} "
                f"bits, planar {shape.planar}, compression {shape.compression}"
            )
            raise PageTruncated(message, pages_done=number - 1)
        return samples, depth

    def _facts(self, number: int, shape: Any, began_at: dt.datetime) -> PageFacts:
        sheet, side = place_of(number, self.settings.feed)
        return PageFacts(
            number=number,
            sheet=sheet,
            side=side,
            width=int(shape.image_width),
            height=int(shape.image_length),
            dpi=self.settings.dpi,
            mode=str(self.settings.mode),
            depth=self._samples(number, shape)[1],
            began_at=began_at,
            finished_at=began_at,
        )

    def _rows(self, number: int, row: int, height: int) -> Iterator[bytes]:
        """Yield rows without their padding, and see that they are all.

        Raises:
            PageTruncated: The source says that the image is whole, and it is not.
            ScanCancelled: Somebody stopped the scan.
        """
        got, said = 0, time.monotonic()
        self.progress(number, 0)
        for strip in self.source.strips():
            if self.cancelled():
                message = f"cancelled in page {number}"
                raise ScanCancelled(message, pages_done=number - 1)
            if len(strip.pixels) < strip.rows * strip.stride:
                message = f"page {number}: {len(strip.pixels)} bytes for {strip.rows} rows"
                raise PageTruncated(message, pages_done=number - 1)
            got += strip.rows
            if time.monotonic() - said > _SAYING_SECONDS:
                said = time.monotonic()
                self.progress(number, got * row)
            yield _unpadded(strip.pixels, strip.rows, strip.stride, row)
        if got != height:
            message = f"page {number}: {got} of {height} rows"
            raise PageTruncated(message, pages_done=number - 1)


def _unpadded(pixels: bytes, rows: int, stride: int, row: int) -> bytes:
    if stride == row:
        return pixels[: rows * row]
    return b"".join(pixels[place * stride : place * stride + row] for place in range(rows))
