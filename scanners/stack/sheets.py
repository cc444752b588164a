"""Sheets of a stack: which are whole, where a page belongs, what is to be fed next."""

from __future__ import annotations

import re

from scanners.device import Feed
from scanners.stack.journal import Journal


def counted(journal: Journal) -> int:
    """Return how many sheets have at least one page."""
    return len({page.page.facts.sheet for page in journal.pages.values()})


def whole_sheets(journal: Journal) -> int:
    """Return after how many sheets, from the first on, all sides are there."""
    pages, sheet = journal.pages, 0
    while all(number in pages for number in places(sheet + 1, journal)):
        sheet += 1
    return sheet


def mixed_sheets(journal: Journal) -> list[int]:
    """Return the sheets whose sides came in different runs of the device.

    An interruption in the middle of a sheet that was to be replaced leaves one side of before.
    """
    runs: dict[int, set[str]] = {}
    for page in journal.pages.values():
        runs.setdefault(page.page.facts.sheet, set()).add(page.page.path.parent.name)
    return sorted(sheet for sheet, found in runs.items() if len(found) > 1)


def places(sheet: int, journal: Journal) -> range:
    """Return the numbers of a sheet's pages, both from 1."""
    sides = _sides(journal)
    return range((sheet - 1) * sides + 1, sheet * sides + 1)


def place_of(number: int, journal: Journal) -> tuple[int, str]:
    """Return sheet and side of a page, both as in `PageFacts`."""
    if _sides(journal) == 1:
        return number, "front"
    return (number + 1) // 2, "front" if number % 2 else "back"


def sheets_named(text: str) -> list[int]:
    """Return the sheets that `3,5-7` names.

    Raises:
        ValueError: It names none.
    """
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?\s*", part)
        if match is None:
            message = f"{text!r} names no sheets"
            raise ValueError(message)
        found.extend(range(int(match[1]), int(match[2] or match[1]) + 1))
    return found


def _sides(journal: Journal) -> int:
    return 2 if journal.opening.settings.feed is Feed.DUPLEX else 1
