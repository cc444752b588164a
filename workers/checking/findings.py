"""What a check says: its value beside the threshold, and what a person is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ingest.document import Facts
from ingest.product import PRODUCT

DETECTOR: Final = f"{PRODUCT} checking/2"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing looked at.

    Attributes:
        value: What was found; of several pages the worst.
        threshold: What was expected.
        detector: Name and version of what looked.
        pages: The pages that failed, each with its `page` and `value`.
    """

    name: str
    value: Any
    threshold: Any
    passed: bool
    detector: str = DETECTOR
    pages: tuple[Facts, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """Something for a second look.

    Attributes:
        text: German, for the note and the clerk.
        pages: Arrival page numbers concerned.
    """

    code: str
    text: str
    pages: tuple[int, ...] = ()


def failing(values: Mapping[int, Any]) -> tuple[Facts, ...]:
    """Return the pages of a check that failed, in order, with their values."""
    return tuple({"page": number, "value": values[number]} for number in sorted(values))


def marked(pages: tuple[int, ...], code: str, text: str) -> list[Anomaly]:
    """Return the anomaly of `pages`, nothing where there are none."""
    return [Anomaly(code=code, text=text, pages=pages)] if pages else []
