"""What each page of a stack is: separator sheet, the blank back of one, a blank that cuts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ingest.document import Sides
from workers.separation.evidence import Separator, is_blank, separator_on
from workers.separation.laying import Run


@dataclass(frozen=True, kw_only=True)
class Sorted:
    """The pages of a run that go into no document, by page number.

    Attributes:
        backs: Blank pages that are the back of a separator sheet.
        blanks: Blank pages that cut the stack themselves.
        sheets: How many sheets of paper separate; pages, where nobody knows how they lie.
    """

    separators: dict[int, Separator]
    backs: frozenset[int]
    blanks: frozenset[int]
    sheets: int


def sort(run: Run) -> Sorted:
    """Sort the pages of `run` by its rules."""
    separators = {
        page.number: found
        for page in run.pages
        if (found := separator_on(page, run.rules)) is not None
    }
    backs = frozenset(_backs(run, separators))
    blanks = frozenset(_blank_sheets(run, backs | separators.keys()))
    cutting = [
        index // run.per_sheet
        for index, page in enumerate(run.pages)
        if page.number in separators or page.number in blanks
    ]
    return Sorted(separators=separators, backs=backs, blanks=blanks, sheets=len(set(cutting)))


def _backs(run: Run, separators: dict[int, Separator]) -> Iterator[int]:
    """Yield the blank page behind each sheet, or before it where it lay face down.

    A stack scanned on one side has no backs: a blank page there is a sheet of its own.
    """
    if run.sides is Sides.SIMPLEX:
        return
    for index, page in enumerate(run.pages):
        if page.number not in separators:
            continue
        sibling = run.sibling(index)
        following = run.pages[index + 1] if index + 1 < len(run.pages) else None
        for other in (sibling, following):
            if other is not None and is_blank(other) and other.number not in separators:
                yield other.number
                break


def _blank_sheets(run: Run, taken: frozenset[int]) -> Iterator[int]:
    """Yield the pages of blank sheets, where those separate: in duplex, blank on both sides."""
    if "blank" not in run.rules.by:
        return
    for index, page in enumerate(run.pages):
        if page.number in taken or not is_blank(page):
            continue
        sibling = run.sibling(index)
        if sibling is None or is_blank(sibling):
            yield page.number
