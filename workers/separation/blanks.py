"""Is a page blank? Only what stands out from its own paper counts.

A share of dark pixels cannot tell: a blank page with the shadow of the scan edge is darker
than a page with a pencil note. So the paper's own brightness is taken away locally, and what
remains is counted as connected marks. Shadows and show-through are smooth or faint and leave
nothing, holes are round and lie near the edge, dust is too small. Single marks within 9 mm of
the edge and very faint pencil may be missed, so a blank page is only ever marked, never
destroyed.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.content.raster import Pixels

_DPI: Final = 100
_FLAT: Final = 2
_BORDER: Final = 0.015
#: Within this share of the sides lie torn edges, staples and shadows; single marks there do not
#: count, but a line of text does.
_BAND: Final = 0.015
_LINE_OF_TEXT: Final = 15
_CONTRAST: Final = 34
_LEAST_AREA: Final = 6
_LEAST_LENGTH: Final = 5
_DARK_PAGE: Final = 100
_FIELD_CONTRAST: Final = 80
_FIELD_AREA: Final = 500
#: A punch hole: 5 to 9 mm across, filled, within 20 mm of the edge. Pixels at 100 dpi.
_HOLE: Final = (17, 38)
_HOLE_EDGE: Final = 80
_HOLE_FILL: Final = (0.62, 0.92)
_HOLE_ROUND: Final = 0.75


def count_marks(pixels: Pixels, dpi: tuple[float, float], *, darkest: Pixels | None = None) -> int:
    """Return the number of marks on the page; a page without any is blank.

    Args:
        pixels: uint8, (height, width) or (height, width, 3); in colour the darkest channel counts,
            or a yellow marker would pass for paper.
        dpi: dots per inch, both axes.
        darkest: The darkest channel at 100 dpi, where the caller has it.
    """
    small = _reduced(pixels, dpi) if darkest is None else darkest
    height, width = small.shape
    top, left = int(height * _BORDER), int(width * _BORDER)
    cropped = np.ascontiguousarray(small[top : height - top, left : width - left])
    inner = np.asarray(cv2.medianBlur(cropped, 3), dtype=np.uint8)
    paper = _paper(inner)
    dark = (cv2.subtract(paper, inner) > _CONTRAST).astype(np.uint8)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    marks = [box for box in boxes[1:] if _is_mark(box, inner.shape)]
    band = round(small.shape[0] * _BAND), round(small.shape[1] * _BAND)
    outer = sum(1 for box in marks if _reaches_band(box, inner.shape, band))
    written = outer if outer >= _LINE_OF_TEXT else 0
    return _count_fields(paper) + len(marks) - outer + written


def _count_fields(paper: Pixels) -> int:
    """Count what is too large to stand out locally: dark fields, or a page dark as a whole."""
    brightness = int(np.median(paper))
    if brightness < _DARK_PAGE:
        return 1
    dark = (paper < brightness - _FIELD_CONTRAST).astype(np.uint8)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    return sum(1 for box in boxes[1:] if box[4] >= _FIELD_AREA and _margin(box, paper.shape) > 0)


def _reaches_band(box: NDArray[np.int32], shape: tuple[int, ...], band: tuple[int, int]) -> bool:
    left, top, width, height, _ = (int(value) for value in box)
    down, across = band
    beside = left < across or left + width > shape[1] - across
    return beside or top < down or top + height > shape[0] - down


def _margin(box: NDArray[np.int32], shape: tuple[int, ...]) -> int:
    """Return the distance of a component's box from the nearest edge."""
    left, top, width, height, _ = (int(value) for value in box)
    return min(left, top, shape[1] - left - width, shape[0] - top - height)


def _reduced(pixels: Pixels, dpi: tuple[float, float]) -> Pixels:
    height, width = pixels.shape[:2]
    size = max(24, round(width * _DPI / dpi[0])), max(24, round(height * _DPI / dpi[1]))
    shrinks = size[0] <= width and size[1] <= height
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(pixels, size, interpolation=way), dtype=np.uint8)
    return small if pixels.ndim == _FLAT else small.min(axis=2)


def _paper(inner: Pixels) -> Pixels:
    """Return the brightness of the paper behind each pixel: a wide median, at a quarter."""
    height, width = inner.shape
    quarter = cv2.resize(
        inner, (max(8, width // 4), max(8, height // 4)), interpolation=cv2.INTER_AREA
    )
    wide = cv2.medianBlur(quarter, 21)
    return np.asarray(cv2.resize(wide, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _is_mark(box: NDArray[np.int32], shape: tuple[int, ...]) -> bool:
    _, _, width, height, area = (int(value) for value in box)
    if area < _LEAST_AREA or max(width, height) < _LEAST_LENGTH:
        return False
    margin = _margin(box, shape)
    return margin > 0 and not (margin <= _HOLE_EDGE and _is_hole(width, height, area))


def _is_hole(width: int, height: int, area: int) -> bool:
    if not all(_HOLE[0] <= side <= _HOLE[1] for side in (width, height)):
        return False
    is_round = min(width, height) / max(width, height) >= _HOLE_ROUND
    return is_round and _HOLE_FILL[0] <= area / (width * height) <= _HOLE_FILL[1]
