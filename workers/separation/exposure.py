"""How the page was exposed, and whether something was cut off at an edge of the image.

Measured against the paper of the page itself, so that yellowed and coloured paper is not taken
for a dark scan, nor a small letter for a pale one.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from ingest.content.raster import Pixels
from ingest.document import Facts
from workers.separation.views import peak

_INK: Final = 20
_SHARE: Final = 0.35
_DARK: Final = 128
#: Of the ink, three quarters are paler: strokes at 100 dpi are mostly edges.
_CORE: Final = 75
_CUT_INK: Final = 40
#: What a letter can be at 100 dpi: longer marks are rules, frames and shadows of the edge.
_LONGEST: Final = 60
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
        "brightness": int(np.median(look)),
        "contrast": int(np.percentile(found, _CORE)) if found.size else None,
        "ink": round(float(np.count_nonzero(look < _DARK)) / look.size, 3),
    }


def count_touching(depth: Pixels) -> Facts:
    """Return how many marks of a letter's size each edge of the image cuts.

    Args:
        depth: uint8, (height, width), 100 dpi, how much darker than the paper.
    """
    height, width = depth.shape
    dark = (depth > _strong(depth, _CUT_INK)).astype(np.uint8)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    left, top, across, down, area = (boxes[1:, column] for column in range(5))
    sized = (np.maximum(across, down) <= _LONGEST) & (area >= _LEAST_AREA)
    beside = sized & (across >= _INWARD) & (down <= _ALONG)
    above = sized & (down >= _INWARD) & (across <= _ALONG)
    return {
        "top": int(np.count_nonzero(above & (top <= 1))),
        "right": int(np.count_nonzero(beside & (left + across >= width - 1))),
        "bottom": int(np.count_nonzero(above & (top + down >= height - 1))),
        "left": int(np.count_nonzero(beside & (left <= 1))),
    }


def _strong(depth: Pixels, least: int) -> float:
    return max(float(least), _SHARE * peak(depth))
