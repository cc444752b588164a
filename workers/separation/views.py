"""A page as the detectors look at it: reduced once, shared by all of them.

Codes are read at 150 dpi, everything else is seen at 100. The reduction is the dearest part of
most detectors, so nothing is reduced twice.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

import cv2
import numpy as np

from ingest.content.raster import Frame, Pixels

CODES_DPI: Final = 150
LOOK_DPI: Final = 100
_LEAST: Final = 24
#: A smaller image is brought to size exactly; there the rest of a division would count.
_STEPPED: Final = 1000
_FLAT: Final = 2
_HALVED: Final = 2
_QUARTER: Final = 4
_WIDE: Final = 21
_PEAK: Final = 0.995


class Views:
    """The reduced images of one page; uint8, both axes alike, each made when first asked for."""

    def __init__(self, frame: Frame) -> None:
        """Look at `frame`; nothing is computed yet."""
        self._frame = frame

    @cached_property
    def full(self) -> Pixels:
        """The luminance as decoded, (height, width)."""
        return self._frame.grey()

    @cached_property
    def codes(self) -> Pixels:
        """The luminance at 150 dpi; a page with less stays, except that both axes become alike."""
        wanted = min(CODES_DPI, *(round(each) for each in self._frame.dpi))
        return self._at(self.full, wanted)

    @cached_property
    def look(self) -> Pixels:
        """The luminance at 100 dpi, enlarged where the page has less."""
        return _luminance(self.small)

    @cached_property
    def depth(self) -> Pixels:
        """By how much each pixel of `look` is darker than the paper around it."""
        return depth(self.look)

    @cached_property
    def small(self) -> Pixels:
        """All channels at 100 dpi."""
        return self._at(self._frame.pixels, LOOK_DPI)

    def _at(self, pixels: Pixels, dpi: int) -> Pixels:
        """Reduce in whole steps where the resolution has them, which is quick."""
        frame = self._frame
        across, down = (each / dpi for each in frame.dpi)
        if across.is_integer() and down.is_integer() and min(frame.width, frame.height) > _STEPPED:
            width, height = frame.width // int(across), frame.height // int(down)
            whole = pixels[: height * int(down), : width * int(across)]
            return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA))
        return self._reduced(pixels, dpi)

    def _reduced(self, pixels: Pixels, dpi: int) -> Pixels:
        frame = self._frame
        across, down = (each / dpi for each in frame.dpi)
        size = max(_LEAST, round(frame.width / across)), max(_LEAST, round(frame.height / down))
        if size == (frame.width, frame.height):
            return np.ascontiguousarray(pixels)
        # Below two to one, no pixel is passed over between its neighbours.
        way = cv2.INTER_AREA if max(across, down) >= _HALVED else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)


def depth(grey: Pixels) -> Pixels:
    """Return by how much each pixel is darker than its paper: a wide median, at a quarter."""
    height, width = grey.shape
    size = max(8, width // _QUARTER), max(8, height // _QUARTER)
    wide = cv2.medianBlur(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), _WIDE)
    paper = cv2.resize(wide, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.subtract(paper, grey), np.uint8)


def peak(depth: Pixels) -> float:
    """Return the depth that one pixel in two hundred exceeds: that of well inked strokes."""
    return exceeded(depth, _PEAK)


def exceeded(pixels: Pixels, share: float) -> float:
    """Return the value that all but `share` of the pixels exceed."""
    counts = cv2.calcHist([pixels], [0], None, [256], [0, 256]).ravel()
    return float(np.searchsorted(np.cumsum(counts), share * pixels.size))


def _luminance(pixels: Pixels) -> Pixels:
    if pixels.ndim == _FLAT:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
