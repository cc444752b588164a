"""A page as the detectors look at it: reduced once, shared by all of them.

Codes are read at 150 dpi, everything else is seen at 100. The reduction is the dearest part of
most detectors, so the full page is reduced one time and the smaller views are made from the
larger one.
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
_FLAT: Final = 2


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
        return _luminance(self._half)

    @cached_property
    def look(self) -> Pixels:
        """The luminance at 100 dpi, enlarged where the page has less."""
        return _luminance(self.small)

    @cached_property
    def _half(self) -> Pixels:
        frame = self._frame
        target = min(CODES_DPI, *(round(value) for value in frame.dpi))
        size = (
            round(frame.width * target / frame.dpi[0]),
            round(frame.height * target / frame.dpi[1]),
        )
        if min(size) < 1 or size == (frame.width, frame.height):
            return np.ascontiguousarray(frame.pixels)
        return np.asarray(cv2.resize(frame.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)

    @cached_property
    def small(self) -> Pixels:
        """The page at 100 dpi as it came, grey or coloured; enlarged where it has less."""
        frame, half = self._frame, self._half
        size = (
            max(_LEAST, round(frame.width * LOOK_DPI / frame.dpi[0])),
            max(_LEAST, round(frame.height * LOOK_DPI / frame.dpi[1])),
        )
        if size == (half.shape[1], half.shape[0]):
            return half
        shrinks = size[0] <= half.shape[1] and size[1] <= half.shape[0]
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(half, size, interpolation=way), np.uint8)


def _luminance(pixels: Pixels) -> Pixels:
    if pixels.ndim == _FLAT:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
