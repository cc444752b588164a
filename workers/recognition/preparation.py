"""The raster that the engine reads: grey, flat, no larger than its letters need.

The engine brings every line of text to a height of 36 pixels, so small print whose letters stand
16 pixels high loses nothing, and everything above that costs time in layout analysis for no
letter more. Paper that is yellow, shaded or shows the other side through is divided by its own
brightness first. The original and its image in the PDF stay as they are: this raster is for
reading alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.content.marks import marks
from ingest.content.raster import Pixels

#: Version of what is decided here; a result read otherwise is another result.
VERSION: Final = 2
#: Height of small letters below which reading gets worse, in pixels.
_LETTER: Final = 16.0
_SMALL_PRINT: Final = 15
_LARGEST_FACTOR: Final = 4.0
_WORTHWHILE: Final = 1.1
#: Axes that differ by less are alike.
_UNEQUAL: Final = 1.05
#: What is only looked at is reduced by a whole number, which is fast, to no less than this.
_LOOK_DPI: Final = 150
#: More than this helps no letter.
_MOST_DPI: Final = 300
#: A plan is looked at more coarsely, so that looking needs no more memory than a page.
_LOOK_PIXELS: Final = 16_000_000
#: Where the darker of its two tones covers more than this share of a page, it is the ground.
_MOSTLY: Final = 0.5
#: A resolution by itself, without letters that bear it out, halves a page at most.
_UNPROVED: Final = 2.0
_PAPER_DPI: Final = 25
_PAPER_KERNEL: Final = 15
#: A field darker than this share of the paper is printed dark; it is no shadow to be taken away.
_DARK_FIELD: Final = 0.5
#: Letters in inches, and their share of ink in their box.
_LOWEST, _HIGHEST, _WIDEST, _NARROWEST = 0.03, 0.35, 0.5, 0.015
_INK: Final = 0.12
_FEW: Final = 50
#: A field of this side, in inches, more than half ink, may carry light letters on dark ground.
_FIELD: Final = 0.125
_FIELD_INK: Final = 0.55
_FIELD_SHARE: Final = 0.0005
#: A sample is this share of the page, at least so many inches, and ends between lines if there is
#: such a place within so many inches.
_BAND: Final = 0.05
_BAND_INCHES: Final = 0.4
_GAP_INCHES: Final = 0.12
_HALVED: Final = 2
#: A smaller image is brought to size exactly; there the rest of a division would count.
_STEPPED: Final = 1000
_QUARTER: Final = 90
_HALF: Final = 180
_PLANE: Final = 2
_WHITE: Final = 255


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A page ready for reading, lying as its file says.

    Attributes:
        pixels: uint8, (height, width), paper white.
        dpi: Of these pixels, both axes alike.
        across: Pixels of the full page for one of these, along its width.
        down: The same along its height.
        dark_fields: Whether there may be light letters on dark ground.
        rows: Where text is densest, from and to, in pixels down.
        columns: The same in pixels across, for a page that lies on its side.
    """

    pixels: Pixels
    dpi: int
    across: float
    down: float
    dark_fields: bool
    rows: tuple[int, int]
    columns: tuple[int, int]

    def sample(self, turn: int) -> Pixels:
        """Return a few lines of text as they stand when the page is turned by `turn` degrees."""
        if turn % _HALF == _QUARTER:
            return turned(self.pixels[:, slice(*self.columns)], turn)
        return turned(self.pixels[slice(*self.rows)], turn)


def turned(pixels: Pixels, degrees: int) -> Pixels:
    """Turn clockwise by a multiple of 90 degrees."""
    if degrees == 0:
        return pixels
    return np.ascontiguousarray(np.rot90(pixels, k=-(degrees // _QUARTER)))


def prepare(pixels: Pixels, dpi: tuple[float, float], most_pixels: int) -> Prepared:
    """Make the raster that is read.

    Args:
        pixels: uint8, (height, width) or (height, width, 3); 0 = black.
        dpi: Dots per inch, both axes; where they differ (fax) the page is brought to its shape.
        most_pixels: A larger page is reduced to this, whatever its letters need.
    """
    grey = pixels if pixels.ndim == _PLANE else _grey(pixels)
    grey = _square(grey, dpi)
    full_dpi = min(dpi)
    whole = max(1, int(full_dpi / _LOOK_DPI), math.ceil((grey.size / _LOOK_PIXELS) ** 0.5))
    look, look_dpi = _reduced(grey, float(whole)), full_dpi / whole
    if _inked(look).mean() > _MOSTLY:  # light on dark: the engine expects dark letters
        grey, look = (np.asarray(cv2.bitwise_not(each), np.uint8) for each in (grey, look))
    paper = _paper(look, look_dpi)
    look = _flat(look, paper)
    ink = _inked(look)
    letters = _letters(ink, look_dpi)
    least = full_dpi / _MOST_DPI
    if len(letters) < _FEW:
        least = min(least, _UNPROVED)
    factor = max(_factor(letters, look_dpi, full_dpi), least)
    factor *= max(1.0, (grey.size / factor**2 / most_pixels) ** 0.5)
    if factor > whole > 1:
        small = _reduced(look, factor / whole)
    else:
        small = look if factor == whole else _flat(_reduced(grey, factor), paper)
    height, width = small.shape
    resolution = max(70, round(full_dpi / factor))
    return Prepared(
        pixels=small,
        dpi=resolution,
        across=pixels.shape[1] / width,
        down=pixels.shape[0] / height,
        dark_fields=_has_dark_fields(ink, look_dpi),
        rows=_densest(letters[:, 2:4], look.shape[0], height, look_dpi),
        columns=_densest(letters[:, 0:2], look.shape[1], width, look_dpi),
    )


def _grey(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def _square(grey: Pixels, dpi: tuple[float, float]) -> Pixels:
    """Bring a page whose axes differ (fax) to its true shape, by the coarser of the two."""
    across, down = (value / min(dpi) for value in dpi)
    return _scaled(grey, across, down) if max(across, down) > _UNEQUAL else grey


def _reduced(grey: Pixels, factor: float) -> Pixels:
    return _scaled(grey, factor, factor) if factor > 1.0 else grey


def _scaled(grey: Pixels, across: float, down: float) -> Pixels:
    size = max(1, round(grey.shape[1] / across)), max(1, round(grey.shape[0] / down))
    if across == down and across.is_integer() and min(grey.shape) > _STEPPED:
        step = int(across)  # whole pixels into one are quick; the rest of the division is margin
        size = grey.shape[1] // step, grey.shape[0] // step
        grey = grey[: size[1] * step, : size[0] * step]
    # Below two to one, no pixel is passed over between its neighbours.
    way = cv2.INTER_AREA if max(across, down) >= _HALVED else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, size, interpolation=way), np.uint8)


def _paper(look: Pixels, dpi: float) -> Pixels | None:
    """Return the brightness of the paper, coarsely; None where it is white everywhere."""
    coarse = _reduced(look, float(max(1, round(dpi / _PAPER_DPI))))
    if min(coarse.shape) < _PAPER_KERNEL:
        return None
    paper = np.asarray(cv2.medianBlur(coarse, _PAPER_KERNEL), np.uint8)
    floor = int(np.percentile(paper, 90) * _DARK_FIELD)
    if paper.min() == _WHITE or floor == 0:
        return None
    return np.maximum(paper, floor).astype(np.uint8)


def _flat(grey: Pixels, paper: Pixels | None) -> Pixels:
    if paper is None:
        return grey
    behind = cv2.resize(paper, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.divide(grey, behind, scale=_WHITE), np.uint8)


def _inked(look: Pixels) -> Pixels:
    _, ink = cv2.threshold(look, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    return np.asarray(ink, np.uint8)


def _letters(ink: Pixels, dpi: float) -> NDArray[np.float64]:
    """Return left, right, top and bottom of what may be letters, in pixels."""
    left, top, width, height, area = marks(ink).T
    fits = (height >= dpi * _LOWEST) & (height <= dpi * _HIGHEST)
    fits &= (width >= dpi * _NARROWEST) & (width <= dpi * _WIDEST)
    fits &= area > _INK * width * height
    places = np.stack([left, left + width, top, top + height], axis=1)
    return np.asarray(places[fits], np.float64)


def _factor(letters: NDArray[np.float64], dpi: float, full_dpi: float) -> float:
    """Return by how much the page can be reduced before its small print suffers."""
    if len(letters) < _FEW:
        return 1.0
    heights = letters[:, 3] - letters[:, 2]
    small_print = float(np.percentile(heights, _SMALL_PRINT)) * full_dpi / dpi
    factor = min(small_print / _LETTER, _LARGEST_FACTOR)
    return factor if factor >= _WORTHWHILE else 1.0


def _has_dark_fields(ink: Pixels, dpi: float) -> bool:
    side = max(3, round(_FIELD * dpi))
    share = cv2.boxFilter(ink * np.uint8(200), -1, (side, side))
    return bool(np.count_nonzero(share > _FIELD_INK * 200) > _FIELD_SHARE * ink.size)


def _densest(spans: NDArray[np.float64], seen: int, length: int, dpi: float) -> tuple[int, int]:
    """Return the stretch of a page that has most letters, with whole lines where they part.

    Args:
        spans: Begin and end of each letter, in pixels of what was looked at.
        seen: Length of what was looked at, in pixels.
        length: Of the page, in its pixels; the result is in these.
        dpi: Of what was looked at.
    """
    wanted = min(seen, max(round(seen * _BAND), round(_BAND_INCHES * dpi)))
    steps = np.bincount(spans[:, 0].astype(np.intp), minlength=seen + 1)
    steps = steps - np.bincount(spans[:, 1].astype(np.intp), minlength=seen + 1)
    covered = np.cumsum(steps)[:seen]
    sums = np.concatenate(([0], np.cumsum(covered)))
    begin = int(np.argmax(sums[wanted:] - sums[:-wanted]))
    reach = round(_GAP_INCHES * dpi)
    first, last = (_gap(covered, at, reach) for at in (begin, begin + wanted))
    if last - first < wanted // 2:
        first, last = begin, begin + wanted
    return round(first / seen * length), max(1, round(last / seen * length))


def _gap(covered: NDArray[np.intp], at: int, reach: int) -> int:
    """Return the emptiest place near `at`."""
    begin = max(0, at - reach)
    return begin + int(np.argmin(covered[begin : at + reach + 1]))
