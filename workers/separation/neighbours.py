"""What only shows beside the other pages of a stack: the same sheet twice, two sheets as one.

Hints for a person, never decisions: a page is never left out for looking like another.
Electronic originals are not looked at; nobody fed them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from ingest.content.raster import open_frame
from ingest.context import StepContext
from ingest.document import Batch, Facts, Page
from ingest.errors import DecompressionBomb, Unclear
from workers.separation.likeness import bits, difference, ink
from workers.separation.views import CODES_DPI, Views

#: Share of differing bits up to which two pages are laid over one another.
ALIKE: Final = 0.25
#: Share of ink without counterpart up to which they are the same sheet.
SAME: Final = 0.008
#: Pages looked back; a sheet that was fed twice comes soon after.
_BACK: Final = 2000
#: Comparisons of pixels in one stack: some 0.2 s each, within the time of the step.
_MOST: Final = 100
#: Another page of the stack has the same width, in mm.
_WIDTH: Final = 4.0
_LEAST_OTHERS: Final = 2
#: Pages before and behind that are asked for their length.
_BESIDE: Final = 25
_LONGER: Final = 1.15


def duplicates(batch: Batch, pages: Sequence[Page], context: StepContext) -> list[Facts]:
    """Return pages that show the same sheet as an earlier one: `page`, `of`, `difference`.

    Raises:
        StoreUnavailable: The bytes of a page to be looked at again are out of reach.
    """
    known = [page for page in pages if _fed(batch, page) and _examined(page).get("fingerprint")]
    found = []
    for page, earlier in _candidates(known):
        value = _compared(batch, page, earlier, context)
        if value is not None and value <= SAME:
            found.append({"page": page.number, "of": earlier.number, "difference": round(value, 4)})
    return sorted(found, key=lambda entry: entry["page"])


def _candidates(known: list[Page]) -> list[tuple[Page, Page]]:
    """Return each page's most similar earlier one, the most similar pairs first."""
    if not known:
        return []
    prints = np.stack([bits(_examined(page)["fingerprint"]) for page in known])
    pairs: list[tuple[float, Page, Page]] = []
    for at in range(1, len(known)):
        first = max(0, at - _BACK)
        differing = (1 - prints[first:at] @ prints[at] / prints.shape[1]) / 2
        nearest = int(np.argmin(differing))
        if differing[nearest] <= ALIKE:
            pairs.append((float(differing[nearest]), known[at], known[first + nearest]))
    pairs.sort(key=lambda pair: pair[0])
    return [(page, earlier) for _, page, earlier in pairs[:_MOST]]


def _compared(batch: Batch, page: Page, earlier: Page, context: StepContext) -> float | None:
    try:
        return difference(*(_ink(batch, each, context) for each in (page, earlier)))
    except (
        DecompressionBomb,
        Unclear,
    ):  # it did decode before, so this is no statement about the page
        return None


def _ink(batch: Batch, page: Page, context: StepContext) -> np.ndarray:
    source = batch.source(page.source)
    frame = open_frame(
        context.path(source.content_sha256),
        source.kind,
        page.index,
        max_pixels=context.settings.workers.max_pixels,
        dpi=CODES_DPI,
    )
    return ink(Views(frame).depth, _examined(page).get("skew"))


def overlong(batch: Batch, pages: Sequence[Page]) -> list[Facts]:
    """Return pages longer than others of their width: `page`, `length` and `usual` in mm."""
    sizes = [(page.number, size) for page in pages if (size := _size(batch, page)) is not None]
    return list(_longer(sizes))


def _longer(sizes: list[tuple[int, tuple[float, float]]]) -> Iterator[Facts]:
    for at, (number, (width, length)) in enumerate(sizes):
        beside = sizes[max(0, at - _BESIDE) : at] + sizes[at + 1 : at + 1 + _BESIDE]
        others = [other[1] for _, other in beside if abs(other[0] - width) <= _WIDTH]
        if len(others) < _LEAST_OTHERS:
            continue
        usual = float(np.median(others))
        if length >= usual * _LONGER:
            yield {"page": number, "length": round(length), "usual": round(usual)}


def _size(batch: Batch, page: Page) -> tuple[float, float] | None:
    """Return width and length in mm of a page that was fed and knows its resolution."""
    facts = _examined(page)
    if not _fed(batch, page) or facts.get("dpi_source") != "file" or not facts.get("dpi"):
        return None
    across, down = facts["dpi"]
    return facts["width"] / across * 25.4, facts["height"] / down * 25.4


def _fed(batch: Batch, page: Page) -> bool:
    facts = _examined(page)
    electronic = batch.source(page.source).facts.get("electronic", False)
    return not (electronic or facts.get("undecodable") or facts.get("separator"))


def _examined(page: Page) -> Facts:
    facts: Facts = page.facts.get("examination", {})
    return facts
