"""Patch codes: four bars along an edge, two of them wide, which tell a scanner where to cut.

Geometry (bars read across): narrow bar and space 0.08", wide bar 0.20", together 0.80", at least
2" long; which two are wide tells the code. Codes 1/6 and 3/T are mirror images and swap when
the sheet is fed upside down, so each pair is one class here: T stands for "3 or T", the
document separator. Prints at 70 to 130 % and up to 10° askew are read, along both axes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.content.raster import Pixels

DPI: Final = 100
_STEP: Final = 5
_SLOPE: Final = math.tan(math.radians(10.5))
_LENGTH: Final = int(1.5 * DPI)
_BARS: Final = 4
_UNITS: Final = 10.0  # two narrow, two wide, three spaces, in narrow widths
_UNIT: Final = (5.4, 10.6)
_THRESHOLD: Final = 1.75
_UNDECIDED: Final = 0.15
#: What ink and scanning may make of the widths, in units of the narrow one.
_SPACE: Final = (0.45, 1.6)
_BAR: Final = (0.45, 3.4)
_UNEVEN: Final = 1.8
_QUIET: Final = 0.9
_CLASSES: Final = {
    "1100": "1",
    "0011": "1",
    "1001": "2",
    "1010": "T",
    "0101": "T",
    "0110": "4",
}
#: A damaged patch: nearly the geometry, but the widths do not decide.
_DOUBTFUL: Final = "?"
_DOUBTFUL_LENGTH: Final = 2 * DPI


@dataclass(frozen=True)
class _Match:
    """One line across four bars. Places in pixels at 100 dpi."""

    line: int
    centre: float
    name: str


@dataclass(frozen=True, kw_only=True)
class PatchFinding:
    """What was found.

    Attributes:
        patch: `T` (also 3), `1` (also 6), `2`, `4`, or None.
        suspect: Four long bars that are a patch code by their size, but which cannot be read;
            beside a code that is read it counts only where that code is to be ignored.
    """

    patch: str | None
    suspect: bool


def find_patch(
    grey: Pixels, dpi: tuple[float, float], *, reduced: Pixels | None = None
) -> PatchFinding:
    """Look for a patch code along both axes; the document separator wins over others.

    Args:
        grey: uint8, (height, width).
        dpi: dots per inch, both axes.
        reduced: The same at 100 dpi, where the caller has it.
    """
    dark = _binary(_reduced(grey, dpi) if reduced is None else reduced)
    found: set[str] = set()
    for lines in (dark, dark.T):
        found |= _long_enough(_across(lines))
    named = sorted(found - {_DOUBTFUL}, key=lambda name: (name != "T", name))
    patch = named[0] if named else None
    return PatchFinding(patch=patch, suspect=_DOUBTFUL in found)


def _reduced(grey: Pixels, dpi: tuple[float, float]) -> Pixels:
    height, width = grey.shape
    size = max(8, round(width * DPI / dpi[0])), max(8, round(height * DPI / dpi[1]))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _binary(small: Pixels) -> NDArray[np.bool_]:
    # The neighbourhood has to be wider than the widest bar, or bars become outlines.
    wide = cv2.adaptiveThreshold(
        small, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 101, 25
    )
    return np.asarray(wide, dtype=bool)


def _across(lines: NDArray[np.bool_]) -> list[_Match]:
    """Return the groups of four bars on every fifth line."""
    looked = lines[::_STEP]
    length = looked.shape[1]
    rows, begins, ends = _runs(looked)
    if len(rows) < _BARS:
        return []
    bars = np.lib.stride_tricks.sliding_window_view(ends - begins, _BARS)
    gaps = begins[1:] - ends[:-1]
    spaces = np.lib.stride_tricks.sliding_window_view(gaps, _BARS - 1)
    last = slice(_BARS - 1, None)
    unit = (ends[last] - begins[: len(bars)]) / _UNITS
    # Where a line begins or ends, the space beside its bars reaches to the edge of the page.
    new_row = rows[1:] != rows[:-1]
    before = np.concatenate(([begins[0]], np.where(new_row, begins[1:], gaps)))[: len(bars)]
    after = np.concatenate((np.where(new_row, length - ends[:-1], gaps), [length - ends[-1]]))[last]
    sized = (unit >= _UNIT[0]) & (unit <= _UNIT[1]) & (rows[last] == rows[: len(bars)])
    sized &= np.minimum(before, after) >= _QUIET * unit
    matches = []
    for first in np.flatnonzero(sized):
        name = _named(bars[first] / unit[first], spaces[first] / unit[first])
        if name is not None:
            centre = (begins[first] + ends[first + _BARS - 1]) / 2
            matches.append(_Match(int(rows[first]) * _STEP, float(centre), name))
    return matches


def _runs(
    lines: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return row, begin and end of each dark run, without dust on bars and between them."""
    length = lines.shape[1] + 1  # a white column parts each line from the next
    flat = np.zeros(lines.shape[0] * length + 1, np.int8)
    flat[1:].reshape(-1, length)[:, :-1] = lines
    edges = np.flatnonzero(np.diff(flat))
    begins, ends = edges[::2], edges[1::2]
    if len(begins) > 1:  # a gap of a single pixel is dust, unless the line ends there
        parted = (begins[1:] - ends[:-1] > 1) | (begins[1:] // length != begins[:-1] // length)
        begins = begins[np.concatenate(([True], parted))]
        ends = ends[np.concatenate((parted, [True]))]
    solid = ends - begins > 1
    begins, ends = begins[solid], ends[solid]
    rows = begins // length
    return rows, begins - rows * length, ends - rows * length


def _named(bars: NDArray[np.float64], spaces: NDArray[np.float64]) -> str | None:
    """Name the code of four bars, in units of the narrow width."""
    if spaces.min() < _SPACE[0] or spaces.max() > min(_SPACE[1], _UNEVEN * spaces.min()):
        return None
    if bars.min() < _BAR[0] or bars.max() > _BAR[1]:
        return None
    wide = "".join("1" if width > _THRESHOLD else "0" for width in bars)
    clear = (np.abs(bars - _THRESHOLD) > _UNDECIDED).all()
    return _CLASSES.get(wide, _DOUBTFUL) if clear else _DOUBTFUL


def _long_enough(matches: list[_Match]) -> set[str]:
    """Return the names whose lines follow one another over the length of a bar."""
    found = set()
    for name in {match.name for match in matches}:
        wanted = _DOUBTFUL_LENGTH if name == _DOUBTFUL else _LENGTH
        if _longest([match for match in matches if match.name == name]) >= wanted:
            found.add(name)
    return found


def _longest(matches: list[_Match]) -> int:
    """Return the longest chain of lines, in pixels, that drifts no more than a skewed bar."""
    chains: list[list[_Match]] = []
    best = 0
    for match in matches:
        for chain in chains:
            last = chain[-1]
            passed = match.line - last.line
            drift = abs(match.centre - last.centre)
            if 0 < passed <= 3 * _STEP and drift <= passed * _SLOPE + 3:
                chain.append(match)
                length = match.line - chain[0].line
                # Three of four lines have to agree: text and tables do so by chance only.
                if len(chain) * _STEP >= 0.75 * length:
                    best = max(best, length)
                break
        else:
            chains.append([match])
        chains = [chain for chain in chains if match.line - chain[-1].line <= 3 * _STEP]
    return best
