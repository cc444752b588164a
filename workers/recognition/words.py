"""Recognised words and their places, as kept in a page's `words` rendition.

All boxes are pixels of the upright raster: the file's own orientation tag applied, then the turn
that recognition found. Left, top, right, bottom, counted from the upper left corner.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Box = tuple[int, int, int, int]
MEDIA_TYPE = "application/vnd.scanstrasse.words+json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """One word.

    Attributes:
        confidence: 0 … 100, as the engine gave it.
    """

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """Words on one baseline, in reading order.

    Attributes:
        baseline: Rise per pixel to the right (negative climbs), and height of the baseline over
            the lower left corner of the box, in pixels; None where the engine named none.
    """

    box: Box
    words: tuple[Word, ...]
    baseline: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """Everything recognised on one page.

    Attributes:
        orientation: Clockwise turn in degrees that was applied so that the text is upright.
    """

    width: int
    height: int
    dpi: tuple[float, float]
    orientation: int = 0
    lines: tuple[Line, ...] = ()

    def __iter__(self) -> Iterator[Word]:
        """Yield all words in reading order."""
        for line in self.lines:
            yield from line.words

    def text(self) -> str:
        """Return the plain text, one line a line."""
        return "\n".join(" ".join(word.text for word in line.words) for line in self.lines)

    def confidence(self) -> float | None:
        """Return the mean confidence weighted by the length of the words, None without words."""
        characters = sum(len(word.text) for word in self)
        if not characters:
            return None
        return sum(word.confidence * len(word.text) for word in self) / characters

    def to_json(self) -> bytes:
        """Write the blob of a `words` rendition."""
        lines = [
            {
                "box": line.box,
                "baseline": line.baseline,
                "words": [
                    {"text": word.text, "box": word.box, "confidence": round(word.confidence, 1)}
                    for word in line.words
                ],
            }
            for line in self.lines
        ]
        content = {
            "width": self.width,
            "height": self.height,
            "dpi": self.dpi,
            "orientation": self.orientation,
            "lines": lines,
        }
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def from_json(content: bytes) -> Words:
    """Read the blob of a `words` rendition."""
    kept = json.loads(content)
    return Words(
        width=kept["width"],
        height=kept["height"],
        dpi=(kept["dpi"][0], kept["dpi"][1]),
        orientation=kept["orientation"],
        lines=tuple(_line(line) for line in kept["lines"]),
    )


def _line(kept: dict[str, Any]) -> Line:
    baseline = kept["baseline"]
    return Line(
        box=_box(kept["box"]),
        baseline=None if baseline is None else (baseline[0], baseline[1]),
        words=tuple(
            Word(text=word["text"], box=_box(word["box"]), confidence=word["confidence"])
            for word in kept["words"]
        ),
    )


def _box(kept: list[int]) -> Box:
    left, top, right, bottom = kept
    return left, top, right, bottom
