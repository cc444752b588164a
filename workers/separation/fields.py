"""Does a page show the field of a two-dimensional code, whether or not it can be read?

A code that is torn, inked over or covered does not decode, and a reader that finds none of its
corners says nothing of it. But its field still alternates between black and white in both
directions and is half ink, which text (little ink), bars and rules (one direction) never are.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from ingest.content.raster import Pixels

#: Inches of the square that has to look like a code; the sheets' own codes measure 2.4.
_SIDE: Final = 1.6
_DPI: Final = 100
_INK: Final = (0.34, 0.66)
#: Changes between black and white, per pixel at 100 dpi, along each direction.
_CHANGES: Final = 0.055
_STEP: Final = 4


def shows_code_field(look: Pixels) -> bool:
    """Tell whether a field like that of a separator sheet's code is on the page.

    Args:
        look: uint8, (height, width), at 100 dpi.
    """
    side = round(_SIDE * _DPI)
    if min(look.shape) <= side:
        return False
    _, ink = cv2.threshold(look, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    black = np.asarray(ink, np.float32)
    across = np.abs(np.diff(black, axis=1, prepend=black[:, :1]))
    down = np.abs(np.diff(black, axis=0, prepend=black[:1]))
    half = side // 2
    places = (slice(half, -half, _STEP), slice(half, -half, _STEP))
    shares = [cv2.boxFilter(each, -1, (side, side))[places] for each in (black, across, down)]
    fits = (shares[0] >= _INK[0]) & (shares[0] <= _INK[1])
    return bool((fits & (shares[1] >= _CHANGES) & (shares[2] >= _CHANGES)).any())
