"""Setting a crooked page level for reading, and bringing what was read back to where it stands.

The engine reads level lines best, but the PDF shows the page as it was scanned. So only the raster
that is read is turned; boxes and baselines go back by the same turn.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.content.raster import Pixels
from workers.recognition.words import Box, Line, Word

#: Degrees. The engine follows lines that run flatter than this by itself.
_LEVEL: Final = 0.4
#: What a measured angle beyond this means is not known.
_STEEPEST: Final = 20.0
_WHITE: Final = 255

Matrix = NDArray[np.float64]


class Levelled:
    """A raster set level, and the way back."""

    def __init__(self, pixels: Pixels, skew: float | None) -> None:
        """Turn `pixels` so that content turned clockwise by `skew` degrees runs level."""
        self.pixels = pixels
        self.degrees = 0.0 if skew is None or not _LEVEL <= abs(skew) <= _STEEPEST else skew
        self._back: Matrix | None = None
        if self.degrees:
            self._turn()

    def _turn(self) -> None:
        height, width = self.pixels.shape
        sine, cosine = (abs(value) for value in _direction(self.degrees))
        size = (
            math.ceil(width * cosine + height * sine),
            math.ceil(width * sine + height * cosine),
        )
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), self.degrees, 1.0)
        matrix[:, 2] += ((size[0] - width) / 2, (size[1] - height) / 2)
        self.pixels = np.asarray(
            cv2.warpAffine(
                self.pixels, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(_WHITE,)
            ),
            np.uint8,
        )
        self._back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)

    def restored(self, line: Line) -> Line:
        """Return the line as it stands on the crooked page."""
        if self._back is None:
            return line
        left, top, right, bottom = line.box
        corners = [self._at(x, y) for x in (left, right) for y in (top, bottom)]
        across, down = zip(*corners, strict=True)
        box = _rounded(min(across), min(down), max(across), max(down))
        return Line(
            box=box,
            baseline=None if line.baseline is None else self._baseline(line, line.baseline, box),
            words=tuple(self._word(word) for word in line.words),
        )

    def _baseline(self, line: Line, baseline: tuple[float, float], box: Box) -> tuple[float, float]:
        slope, lift = baseline
        left, _, right, bottom = line.box
        start = self._at(left, bottom - lift)
        end = self._at(max(right, left + 1), bottom - lift + slope * max(right - left, 1))
        slope = (end[1] - start[1]) / (end[0] - start[0])
        return round(slope, 5), round(box[3] - (start[1] + slope * (box[0] - start[0])), 2)

    def _word(self, word: Word) -> Word:
        left, top, right, bottom = word.box
        x, y = self._at((left + right) / 2, (top + bottom) / 2)
        half = (right - left) / 2, (bottom - top) / 2
        return replace(word, box=_rounded(x - half[0], y - half[1], x + half[0], y + half[1]))

    def _at(self, x: float, y: float) -> tuple[float, float]:
        back: Any = self._back
        return (
            float(back[0, 0] * x + back[0, 1] * y + back[0, 2]),
            float(back[1, 0] * x + back[1, 1] * y + back[1, 2]),
        )


def _direction(degrees: float) -> tuple[float, float]:
    return math.sin(math.radians(degrees)), math.cos(math.radians(degrees))


def _rounded(left: float, top: float, right: float, bottom: float) -> Box:
    return max(0, round(left)), max(0, round(top)), round(right), round(bottom)
