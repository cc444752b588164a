"""Connected marks of a page in black and white: letters, specks, bars.

Finding them is the dearest look that detectors take, and most of its cost is the memory of the
labels. Short labels cost a third, but there are only 65,535 of them, and OpenCV does not say when
they run out. So what could become a label of its own is counted first.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

#: Left, top, width, height and area of each mark, in pixels: (count, 5); or one of these columns.
Boxes = NDArray[np.int32]
_MOST_SHORT: Final = 65_000


def marks(dark: NDArray[np.uint8]) -> Boxes:
    """Return the box of each connected mark, diagonals included.

    Args:
        dark: (height, width), 0 = paper.
    """
    short = _count_starts(dark) < _MOST_SHORT
    _, _, boxes, _ = cv2.connectedComponentsWithStats(
        dark, connectivity=8, ltype=cv2.CV_16U if short else cv2.CV_32S
    )
    return np.asarray(boxes[1:], np.int32)


def _count_starts(dark: NDArray[np.uint8]) -> int:
    """Count the pixels with no dark one before them, left or above: each label begins at one."""
    framed = np.pad(dark, ((1, 0), (1, 1)))
    before = framed[:-1, :-2] | framed[:-1, 1:-1] | framed[:-1, 2:] | framed[1:, :-2]
    return int(np.count_nonzero((before == 0) & (dark != 0)))
