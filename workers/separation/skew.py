"""How far is what is on the page turned against the edges of the image?

Ink is projected along lines of every direction between ±18 degrees, once across and once down
the page, because a page may lie on its side. Where lines of text or rules run along the
projection, its profile is a comb; elsewhere it is flat. The height of the comb over the median
direction is the confidence: text on real pages reaches 4.5 and more, photographs, noise, dust
and round marks stay below 1.2. In between nothing is said: no angle is better than a wrong one.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.content.raster import Pixels
from workers.separation.views import peak

_Numbers = NDArray[np.floating[Any]]

#: Degrees. The ends of the range are never the answer: beyond them it may go on rising.
_COARSE: Final = np.arange(-18.5, 18.51, 0.5)
_FINE: Final = np.arange(-0.8, 0.801, 0.1)
_FINE_STEP: Final = 0.1
#: The parabola through this many values on each side of the best gives the last digit.
_WING: Final = 4
_COARSE_POINTS: Final = 12_000
_FINE_POINTS: Final = 40_000
#: Pixels of ink, at 100 dpi, of two or three words.
_LEAST_POINTS: Final = 400
_CONFIDENT: Final = 2.8
_BORDER: Final = 0.03
_INK: Final = 30
_INK_SHARE: Final = 0.35
#: Larger pages are reduced to this many pixels; what is written on plans is large as well.
_MOST_PIXELS: Final = 4_000_000
_SEED: Final = 0


def measure_skew(depth: Pixels) -> float | None:
    """Return by how many degrees the content is turned clockwise, None where nothing tells.

    Args:
        depth: uint8, (height, width), how much darker than the paper; about 100 dpi, both axes
            alike, see `views.depth`.

    Positive: content turned clockwise as seen on the screen, so that a line of text that ran
    level runs down to the right (y grows with x by the tangent). Turning the image
    counter-clockwise by the value sets it straight. It is what remains after quarter turns,
    so an upright page and one lying on its side or head give the same.
    """
    across, down = _ink_places(_limited(depth))
    if len(across) < _LEAST_POINTS:
        return None
    # A page on its side: its lines run down, and a clockwise turn makes them run to the left.
    ways = ((across, down, 1.0), (down, across, -1.0))
    coarse = [_heights(along, over, sign * _COARSE, 2.0) for along, over, sign in ways]
    confidence = [float(scores.max() / np.median(scores)) - 1 for scores in coarse]
    way = int(np.argmax(confidence))
    best = int(np.argmax(coarse[way]))
    if confidence[way] < _CONFIDENT or best in {0, len(_COARSE) - 1}:
        return None
    along, over, sign = ways[way]
    return round(_refined(along, over, sign, float(_COARSE[best])), 2)


def _limited(depth: Pixels) -> Pixels:
    if depth.size <= _MOST_PIXELS:
        return depth
    factor = (_MOST_PIXELS / depth.size) ** 0.5
    size = max(1, round(depth.shape[1] * factor)), max(1, round(depth.shape[0] * factor))
    return np.asarray(cv2.resize(depth, size, interpolation=cv2.INTER_AREA), np.uint8)


def _ink_places(depth: Pixels) -> tuple[_Numbers, _Numbers]:
    """Return the places of ink in random order, x and y, measured from the middle of the page."""
    height, width = depth.shape
    edge = int(_BORDER * min(height, width))
    depth = depth[edge : height - edge, edge : width - edge]
    least = max(_INK, _INK_SHARE * peak(depth))
    rows, columns = np.nonzero(depth > least)
    chance = np.random.default_rng(_SEED)
    chosen = chance.permutation(len(rows))[:_FINE_POINTS]
    # Whole pixels would favour directions in which they fall together: each is moved within itself.
    moved = chance.random((2, len(chosen)), dtype=np.float32) - np.float32(0.5)
    across = columns[chosen].astype(np.float32) - np.float32(depth.shape[1] / 2) + moved[0]
    down = rows[chosen].astype(np.float32) - np.float32(depth.shape[0] / 2) + moved[1]
    return across, down


def _heights(along: _Numbers, over: _Numbers, degrees: _Numbers, width: float) -> _Numbers:
    """Return for each direction how steep the profile is: the squares of its differences.

    Args:
        along: Places in the direction of the lines.
        over: Places across them.
        degrees: Directions.
        width: Of one bin of the profile, pixels.
    """
    if width > 1:
        along, over = along[:_COARSE_POINTS], over[:_COARSE_POINTS]
    slopes = np.tan(np.radians(degrees)).astype(np.float32)
    reach = float(np.abs(over).max()) + float(np.abs(along).max()) * float(np.abs(slopes).max()) + 1
    scores = np.empty(len(slopes), np.float32)
    for at, slope in enumerate(slopes):
        places = ((over - along * slope + np.float32(reach)) / np.float32(width)).astype(np.int32)
        steps = np.diff(np.bincount(places).astype(np.float32))
        scores[at] = steps @ steps
    return scores


def _refined(along: _Numbers, over: _Numbers, sign: float, coarse: float) -> float:
    fine = coarse + _FINE
    scores = _heights(along, over, (sign * fine).astype(np.float32), 1.0)
    smooth = np.convolve(np.pad(scores, 1, mode="edge"), (0.25, 0.5, 0.25), "valid")
    best = min(max(int(np.argmax(smooth)), _WING), len(smooth) - 1 - _WING)
    near = smooth[best - _WING : best + _WING + 1] / smooth.max()
    steps = np.arange(-_WING, _WING + 1) * _FINE_STEP
    curve, slope, _ = np.polyfit(steps, near, 2)
    beside = float(np.clip(-slope / (2 * curve), steps[2], -steps[2])) if curve < 0 else 0.0
    return float(fine[best]) + beside
