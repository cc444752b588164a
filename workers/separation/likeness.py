"""Is this the same sheet, scanned twice?

Two questions, the cheap one first. A fingerprint of 1152 bits tells which large frequencies of
the page's ink are strong: where the sheet lay does not change them, nor does a half turn, and
two different pages share only chance. Pages whose fingerprints are near are laid over one
another and compared: what stands on one and nowhere near on the other is counted. So letters on
one letterhead and forms filled in differently stay apart.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.content.raster import Pixels
from workers.separation.views import peak

_Ink = NDArray[np.floating[Any]]

#: Frequencies up to this many waves over the canvas, on each axis.
_WAVES: Final = 24
_NEAR: Final = 7
#: The canvas at 25 dpi: 260 x 390 mm. What is larger wraps around it.
_CANVAS: Final = (384, 256)
_REDUCED: Final = 4
_BORDER: Final = 0.015
_LEAST_INK: Final = 200.0
_FULL: Final = 0.5
_PALE: Final = 0.3
_LEAST_DEPTH: Final = 30.0
_STRONG: Final = 0.75
_WEAK: Final = 0.12
#: 2 mm at 100 dpi: what a rescan may be out of place after alignment.
_PLAY: Final = 9
_MARGIN: Final = 16
_HALF: Final = 2
_BLUR: Final = 1.5


def ink(depth: Pixels, skew: float | None) -> _Ink:
    """Return the strength of ink, 0 … 1, on the page set straight.

    Args:
        depth: uint8, (height, width), 100 dpi, how much darker than the paper.
        skew: Degrees clockwise.
    """
    full = max(_LEAST_DEPTH, _FULL * peak(depth))
    depths = np.arange(256, dtype=np.float32)
    strengths = np.clip((depths - _PALE * full) / ((1 - _PALE) * full), 0, 1)
    strength = np.asarray(cv2.LUT(depth, strengths), np.float32)
    height, width = depth.shape
    edge = int(_BORDER * min(height, width))
    strength[:edge], strength[height - edge :] = 0, 0
    strength[:, :edge], strength[:, width - edge :] = 0, 0
    if skew:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), skew, 1)
        strength = np.asarray(cv2.warpAffine(strength, turn, (width, height)))
    return strength


def fingerprint(strength: _Ink) -> str | None:
    """Return 1152 bits as base64; None where there is too little on the page to know it by."""
    if float(strength.sum()) < _LEAST_INK:
        return None
    height, width = strength.shape
    size = max(1, width // _REDUCED), max(1, height // _REDUCED)
    small = cv2.resize(strength, size, interpolation=cv2.INTER_AREA)
    canvas = np.zeros(_CANVAS, np.float32)
    for top in range(0, size[1], _CANVAS[0]):
        for left in range(0, size[0], _CANVAS[1]):
            piece = small[top : top + _CANVAS[0], left : left + _CANVAS[1]]
            canvas[: piece.shape[0], : piece.shape[1]] += piece
    waves = np.fft.fftshift(np.abs(np.fft.fft2(canvas)))
    middle, centre = _CANVAS[0] // 2, _CANVAS[1] // 2
    near = np.log(
        waves[
            middle - _NEAR : middle + _WAVES + _NEAR + 1,
            centre - _WAVES - _NEAR : centre + _WAVES + _NEAR + 1,
        ]
        + 1e-3
    ).astype(np.float32)
    above = near - cv2.blur(near, (_NEAR, _NEAR)) > 0
    chosen = above[_NEAR + 1 : _NEAR + 1 + _WAVES, _NEAR : _NEAR + 2 * _WAVES]
    return base64.b64encode(np.packbits(chosen).tobytes()).decode("ascii")


def bits(text: str) -> NDArray[np.float32]:
    """Return a fingerprint as -1 and +1; a product of two tells their share of equal bits."""
    packed = np.frombuffer(base64.b64decode(text), np.uint8)
    return np.unpackbits(packed).astype(np.float32) * 2 - 1


def difference(one: _Ink, other: _Ink) -> float:
    """Return which share of the ink of two pages has no counterpart, upright or turned by 180."""
    return min(_difference(one, other), _difference(one, np.ascontiguousarray(other[::-1, ::-1])))


def _difference(one: _Ink, other: _Ink) -> float:
    shape = max(one.shape[0], other.shape[0]), max(one.shape[1], other.shape[1])
    first, second = _padded(one, shape), _padded(other, shape)
    (across, down), _ = cv2.phaseCorrelate(_blurred(first), _blurred(second))
    move = np.array([[1, 0, -_HALF * across], [0, 1, -_HALF * down]], np.float32)
    second = np.asarray(cv2.warpAffine(second, move, (shape[1], shape[0])))
    alone = _without(first, second) + _without(second, first)
    total = int(np.count_nonzero(first > _STRONG) + np.count_nonzero(second > _STRONG))
    return alone / max(1, total)


def _without(one: _Ink, other: _Ink) -> int:
    """Count strong ink of `one` with nothing of `other` near it; the margin may be cut off."""
    play = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_PLAY, _PLAY))
    alone = (one > _STRONG) & (cv2.dilate(other, play) < _WEAK)
    return int(np.count_nonzero(alone[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]))


def _padded(strength: _Ink, shape: tuple[int, int]) -> _Ink:
    canvas = np.zeros(shape, np.float32)
    canvas[: strength.shape[0], : strength.shape[1]] = strength
    return canvas


def _blurred(strength: _Ink) -> NDArray[np.float64]:
    size = max(8, strength.shape[1] // _HALF), max(8, strength.shape[0] // _HALF)
    small = cv2.resize(strength, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), _BLUR), np.float64)
