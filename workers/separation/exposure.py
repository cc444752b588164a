"""How the page was exposed, and whether something was cut off at an edge of the image.

Measured against the paper of the page itself, so that yellowed and coloured paper is not taken
for a dark scan, nor a small letter for a pale one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.content.marks import marks
from ingest.content.raster import Pixels
from ingest.document import Facts
from workers.separation.views import exceeded, peak

_INK: Final = 20
_SHARE: Final = 0.35
_DARK: Final = 128
_MEDIAN: Final = 0.5
#: Of the ink, three quarters are paler: strokes at 100 dpi are mostly edges.
_CORE: Final = 75
_CUT_INK: Final = 40
#: What a letter can be at 100 dpi: longer marks are rules, frames and shadows of the edge.
_LONGEST: Final = 60
#: Deeper than a letter: all that matters lies in it.
_STRIP: Final = 64
_ALONG: Final = 40
_INWARD: Final = 3
_LEAST_AREA: Final = 4


def measure_exposure(look: Pixels, depth: Pixels) -> Facts:
    """Return `brightness` of the paper, `contrast` of what is on it, share of dark `ink`.

    Args:
        look: uint8, (height, width), 100 dpi.
        depth: The same, how much darker than the paper.

    Brightness is 0 … 255; contrast is the distance from the paper, None where nothing stands
    out; ink is the share of the page darker than half, 0 … 1.
    """
    strong = _strong(depth, _INK)
    found = depth[depth > strong]
    return {
        "brightness": int(exceeded(look, _MEDIAN)),
        "contrast": int(np.percentile(found, _CORE)) if found.size else None,
        "ink": round(float(np.count_nonzero(look < _DARK)) / look.size, 3),
    }


def count_touching(depth: Pixels) -> Facts:
    """Return how many marks of a letter's size each edge of the image cuts.

    Args:
        depth: uint8, (height, width), 100 dpi, how much darker than the paper.
    """
    dark = (depth > _strong(depth, _CUT_INK)).astype(np.uint8)
    return {
        "top": _cut(dark[:_STRIP]),
        "right": _cut(dark[:, -_STRIP:].T[::-1]),
        "bottom": _cut(dark[-_STRIP:][::-1]),
        "left": _cut(dark[:, :_STRIP].T),
    }


def _cut(strip: NDArray[np.uint8]) -> int:
    """Count the letters in a strip that its first row cuts; what fills the strip is none."""
    _, top, along, inward, area = marks(np.ascontiguousarray(strip)).T
    sized = (np.maximum(along, inward) <= _LONGEST) & (area >= _LEAST_AREA)
    return int((sized & (inward >= _INWARD) & (along <= _ALONG) & (top <= 1)).sum())


def _strong(depth: Pixels, least: int) -> float:
    return max(float(least), _SHARE * peak(depth))
