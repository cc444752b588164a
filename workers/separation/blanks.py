"""Is a page blank? Only what stands out from its own paper counts.

A share of dark pixels cannot tell: a blank page with the shadow of the scan edge is darker
than a page with a pencil note. So the paper's own brightness is taken away locally, and what
remains is counted as connected marks. Shadows and show-through are smooth or faint and leave
nothing, holes are round and lie near the edge, dust is too small. Faint marks count where
their edges are sharp: pencil lies on the paper, print of the other side is softened by it, and
so are creases. Single marks within 9 mm of the edge and the faintest pencil may be missed, so
a blank page is only ever marked, never destroyed.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.content.marks import Boxes, marks
from ingest.content.raster import Pixels

_DPI: Final = 100
_FLAT: Final = 2
#: Every so many pixels, down and across, are enough for a median.
_COARSE: Final = 4
_BORDER: Final = 0.015
#: Within this share of the sides lie torn edges, staples and shadows; single marks there do not
#: count, but a line of text does.
_BAND: Final = 0.015
_LINE_OF_TEXT: Final = 15
_CONTRAST: Final = 34
_LEAST_AREA: Final = 6
_LEAST_LENGTH: Final = 5
#: Fainter than `_CONTRAST`, but perhaps writing: what stands out this much and has sharp edges.
_FAINT: Final = 22
_FAINT_AREA: Final = 8
_FAINT_MOST: Final = 300
#: The sensor draws faint lines of this width along the feed; nobody writes only those.
_STREAK: Final = 3
#: Steepest fall of brightness over 1/200 inch, as share of the mark's whole contrast. Where much
#: is faint, it is the print of the other side, and a single mark has to stand out from that.
_SHARP: Final = 0.34
_SHARP_AMONG_MANY: Final = 0.52
_MANY: Final = 40
_SHARPNESS_DPI: Final = 200
_LEAST_DPI: Final = 180  #: below this there are no edges to measure
_DARK_PAGE: Final = 100
_FIELD_CONTRAST: Final = 80
_FIELD_AREA: Final = 500
#: Median of the darkest channel below which paper is coloured or grey on purpose.
_LIGHT_GROUND: Final = 225
_DIM: Final = 200
_WHITE: Final = 250
#: A punch hole: 5 to 9 mm across, filled, within 20 mm of the edge. Pixels at 100 dpi.
_HOLE: Final = (17, 38)
_HOLE_EDGE: Final = 80
_HOLE_FILL: Final = (0.62, 0.92)
_HOLE_ROUND: Final = 0.75


def count_marks(pixels: Pixels, dpi: tuple[float, float], *, small: Pixels | None = None) -> int:
    """Return the number of marks on the page; a page without any is blank.

    Args:
        pixels: uint8, (height, width) or (height, width, 3); in colour the darkest channel counts,
            or a yellow marker would pass for paper.
        dpi: dots per inch, both axes.
        small: The same pixels at 100 dpi, where the caller has them.
    """
    levelled = _Levelled(pixels, dpi, small)
    small = levelled.at(_DPI)
    height, width = small.shape
    top, left = int(height * _BORDER), int(width * _BORDER)
    cropped = np.ascontiguousarray(small[top : height - top, left : width - left])
    inner = np.asarray(cv2.medianBlur(cropped, 3), dtype=np.uint8)
    paper = _paper(inner)
    darker = np.asarray(cv2.subtract(paper, inner), dtype=np.uint8)
    dim = _dimness(inner)
    written = _marks(_components(darker, _CONTRAST * dim), inner.shape)
    band = round(small.shape[0] * _BAND), round(small.shape[1] * _BAND)
    outer = int(_reaches_band(written, inner.shape, band).sum())
    dropped = outer if outer < _LINE_OF_TEXT else 0
    found = _count_fields(paper) + len(written) - dropped
    found += _count_light(levelled.darkest(_DPI)[top : height - top, left : width - left])
    if found or min(dpi) < _LEAST_DPI:
        return found
    boxes = _components(darker, _FAINT * dim)
    streaks = (boxes[:, 2] <= _STREAK) & (2 * boxes[:, 3] >= 3 * boxes[:, 2])
    faint = _marks(boxes[(boxes[:, 4] >= _FAINT_AREA) & ~streaks], inner.shape)
    faint = faint[~_reaches_band(faint, inner.shape, band)]
    return _count_sharp(levelled, faint, (top, left))


class _Levelled:
    """A page in grey at any resolution, its paper alike in all channels.

    On yellowed paper the blue channel is dark everywhere, and grey pencil would hide in it.
    """

    def __init__(self, pixels: Pixels, dpi: tuple[float, float], small: Pixels | None) -> None:
        self._pixels = pixels
        self._dpi = dpi
        self._small = small

    def at(self, wanted: int) -> Pixels:
        """Return the page at `wanted` dpi; in colour the darkest channel counts."""
        return self._even(self._reduced(wanted))

    def darkest(self, wanted: int) -> Pixels:
        """Return the darkest channel as it is, at `wanted` dpi."""
        small = self._reduced(wanted)
        return small if small.ndim == _FLAT else _darkest(small)

    def _reduced(self, wanted: int) -> Pixels:
        if wanted == _DPI and self._small is not None:
            return self._small
        height, width = self._pixels.shape[:2]
        across, down = (wanted / value for value in self._dpi)
        size = max(24, round(width * across)), max(24, round(height * down))
        shrinks = size[0] <= width and size[1] <= height
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(self._pixels, size, interpolation=way), np.uint8)

    @staticmethod
    def _even(small: Pixels) -> Pixels:
        if small.ndim == _FLAT:
            return small
        tints = np.median(small[::_COARSE, ::_COARSE], axis=(0, 1))
        lift = np.append(np.round(tints.max() - tints), 0.0)  # OpenCV takes four for a colour
        return _darkest(np.asarray(cv2.add(small, lift), np.uint8))


def _dimness(inner: Pixels) -> float:
    """Return by how much less ink stands out from this paper than from white, 1 where it is light.

    Ink takes away a share of the light, so on a dark ground the same ink makes less difference.
    """
    brightness = float(np.median(inner[::_COARSE, ::_COARSE]))
    return brightness / _WHITE if brightness < _DIM else 1.0


def _darkest(colours: Pixels) -> Pixels:
    first, *others = cv2.split(colours)
    for other in others:
        first = cv2.min(first, other)
    return np.asarray(first, np.uint8)


def _components(darker: Pixels, contrast: float) -> Boxes:
    """Return left, top, width, height and area of what is darker than its paper by more."""
    dark = (darker > contrast).astype(np.uint8)
    return marks(dark)


def _count_sharp(levelled: _Levelled, faint: Boxes, crop: tuple[int, int]) -> int:
    """Count the faint marks whose edges are as sharp as writing's.

    Args:
        levelled: The page.
        faint: Boxes of the marks, at 100 dpi within the crop.
        crop: Rows and columns cut off before, at 100 dpi.
    """
    if not len(faint):
        return 0
    page = levelled.at(_SHARPNESS_DPI)
    wanted = _SHARP if len(faint) < _MANY else _SHARP_AMONG_MANY
    largest = faint[np.argsort(-faint[:, 4], kind="stable")][:_FAINT_MOST]
    return sum(1 for box in largest if _sharpness(page, box, crop) >= wanted)


def _sharpness(page: Pixels, box: NDArray[np.int32], crop: tuple[int, int]) -> float:
    """Return the steepest fall beside a mark, per 1/200 inch, as share of its contrast."""
    scale, edge = _SHARPNESS_DPI // _DPI, 4
    left, top = int(box[0]) + crop[1], int(box[1]) + crop[0]
    rows = slice(max(0, top * scale - edge), (top + int(box[3])) * scale + edge)
    columns = slice(max(0, left * scale - edge), (left + int(box[2])) * scale + edge)
    part = cv2.GaussianBlur(page[rows, columns].astype(np.float32), (0, 0), 0.6)
    contrast = float(np.percentile(part, 90) - np.percentile(part, 3))
    down = np.abs(np.diff(part, axis=0))[:, :-1]
    across = np.abs(np.diff(part, axis=1))[:-1]
    falls = np.sort(np.maximum(down, across), axis=None)
    steepest = falls[-max(4, int(box[4] * 0.6)) :]
    return float(steepest.mean()) / contrast if contrast > 0 and steepest.size else 0.0


def _count_fields(paper: Pixels) -> int:
    """Count what is too large to stand out locally: dark fields, or a page dark as a whole."""
    brightness = int(np.median(paper[::_COARSE, ::_COARSE]))
    if brightness < _DARK_PAGE:
        return 1
    dark = (paper < brightness - _FIELD_CONTRAST).astype(np.uint8)
    if not dark.any():
        return 0
    fields = marks(dark)
    inside = _margins(fields, paper.shape) > 0
    return int((inside & (fields[:, 4] >= _FIELD_AREA)).sum())


def _count_light(inner: Pixels) -> int:
    """Count what is printed lighter than its ground, on pages whose ground is far from white."""
    if int(np.median(inner[::_COARSE, ::_COARSE])) >= _LIGHT_GROUND:
        return 0
    inner = np.asarray(cv2.medianBlur(np.ascontiguousarray(inner), 3), np.uint8)
    lighter = np.asarray(cv2.subtract(inner, _paper(inner)), dtype=np.uint8)
    return len(_marks(_components(lighter, _CONTRAST), inner.shape))


def _reaches_band(boxes: Boxes, shape: tuple[int, ...], band: tuple[int, int]) -> NDArray[np.bool_]:
    left, top, width, height, _ = boxes.T
    down, across = band
    beside = (left < across) | (left + width > shape[1] - across)
    return np.asarray(beside | (top < down) | (top + height > shape[0] - down), np.bool_)


def _margins(boxes: NDArray[Any], shape: tuple[int, ...]) -> Boxes:
    """Return the distance of each component's box from the nearest edge."""
    left, top, width, height, _ = boxes.T
    sides = (left, top, shape[1] - left - width, shape[0] - top - height)
    return np.asarray(np.minimum.reduce(sides), np.int32)


def _paper(inner: Pixels) -> Pixels:
    """Return the brightness of the paper behind each pixel: a wide median, at a quarter."""
    height, width = inner.shape
    quarter = cv2.resize(
        inner, (max(8, width // 4), max(8, height // 4)), interpolation=cv2.INTER_AREA
    )
    wide = cv2.medianBlur(quarter, 21)
    return np.asarray(cv2.resize(wide, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _marks(boxes: Boxes, shape: tuple[int, ...]) -> Boxes:
    """Return those that are neither specks nor cut off nor punch holes."""
    _, _, width, height, area = boxes.T
    margins = _margins(boxes, shape)
    holes = (margins <= _HOLE_EDGE) & _holes(width, height, area)
    large = (area >= _LEAST_AREA) & (np.maximum(width, height) >= _LEAST_LENGTH)
    return np.asarray(boxes[large & (margins > 0) & ~holes], np.int32)


def _holes(width: Boxes, height: Boxes, area: Boxes) -> NDArray[np.bool_]:
    smaller, larger = np.minimum(width, height), np.maximum(width, height)
    sized = (smaller >= _HOLE[0]) & (larger <= _HOLE[1]) & (smaller >= _HOLE_ROUND * larger)
    fill = area / np.maximum(width * height, 1)
    return np.asarray(sized & (fill >= _HOLE_FILL[0]) & (fill <= _HOLE_FILL[1]), np.bool_)
