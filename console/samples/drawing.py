"""Letters on paper: DIN 5008 form B, A4 at 300 dpi, as a scanner would see them.

Pages are drawn as 8-bit grey rasters, (height, width) = (3508, 2480), 0 = black. Layout
measures are millimetres from the upper left corner, as the standard gives them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from console.samples.letters import Letter
from ingest.errors import ToolMissing

DPI: Final = 300
A4: Final = (2480, 3508)

_WHITE: Final = 255
_INK: Final = 25
_LEFT, _RIGHT, _BOTTOM = 25.0, 190.0, 262.0
_BODY_POINTS: Final = 11.0
_LINE: Final = _BODY_POINTS * 1.38 * 25.4 / 72  # mm
_CLOSING: Final = 62.0  # mm for table, signature and name
_FACES: Final = {
    "regular": ("DejaVuSans.ttf", "LiberationSans-Regular.ttf"),
    "bold": ("DejaVuSans-Bold.ttf", "LiberationSans-Bold.ttf"),
    "head": ("DejaVuSerif-Bold.ttf", "LiberationSerif-Bold.ttf"),
}


@dataclass(frozen=True)
class Sheet:
    """One side of a letter.

    Attributes:
        image: Mode "L".
        lines: What is written on it, in reading order; the ground truth.
    """

    image: Image.Image
    lines: tuple[str, ...]


def millimetres(value: float) -> int:
    """Return `value` in pixels."""
    return round(value / 25.4 * DPI)


@lru_cache(maxsize=32)
def typeface(face: str, points: float) -> ImageFont.FreeTypeFont:
    """Return a face of `_FACES` in the given size.

    Raises:
        ToolMissing: Neither DejaVu nor Liberation is installed.
    """
    for name in _FACES[face]:
        try:
            return ImageFont.truetype(name, round(points / 72 * DPI))
        except OSError:
            continue
    text = "Für Musterbriefe fehlt eine Schrift: bitte das Paket fonts-dejavu-core installieren."
    message = f"no font of {_FACES[face]} is installed"
    raise ToolMissing(message, operator_text=text)


@dataclass
class _Pen:
    """Writes on one page and remembers what it wrote; `at` is the next baseline's top in mm."""

    page: Image.Image = field(default_factory=lambda: Image.new("L", A4, _WHITE))
    lines: list[str] = field(default_factory=list)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.draw = ImageDraw.Draw(self.page)

    def write(
        self, left: float, top: float, text: str, face: str = "regular", size: float = 11
    ) -> None:
        """Put `text` at a place given in mm."""
        self.draw.text(
            (millimetres(left), millimetres(top)), text, fill=_INK, font=typeface(face, size)
        )
        self.lines.append(text)

    def flow(self, text: str, face: str = "regular") -> None:
        """Put `text` on the next line of the body."""
        self.write(_LEFT, self.at, text, face, _BODY_POINTS)
        self.advance()

    def advance(self, lines: float = 1.0) -> None:
        """Move down by lines of the body."""
        self.at += lines * _LINE

    def room(self, reserved: float = 0.0) -> float:
        """Return how many lines of the body still fit above the lowest `reserved` mm."""
        return (_BOTTOM - reserved - self.at) / _LINE


def draw(content: Letter, pages: int) -> list[Sheet]:
    """Lay out the letter on exactly `pages` sides.

    Paragraphs that do not fit are left out; the closing is always there.
    """
    pens = [_first_page(content)]
    for paragraph in map(_wrap, content.paragraphs):
        last = len(pens) == pages
        if last and pens[-1].room(reserved=_CLOSING) < len(paragraph) + 1:
            break
        for line in paragraph:
            if pens[-1].room() < 1 and len(pens) < pages:
                pens.append(_next_page(content, len(pens) + 1))
            pens[-1].flow(line)
        pens[-1].advance()
    while len(pens) < pages:
        pens.append(_next_page(content, len(pens) + 1))
    _closing(pens[-1], content)
    for number, pen in enumerate(pens, start=1):
        pen.write(95, 285, f"Seite {number} von {pages}", size=8)
    return [Sheet(pen.page, tuple(pen.lines)) for pen in pens]


def blank_side(seed: int) -> Image.Image:
    """Return the back of a sheet: nothing but a few specks of dust."""
    chance = random.Random(seed)  # noqa: S311 - dust, nothing secret
    page = Image.new("L", A4, _WHITE)
    pencil = ImageDraw.Draw(page)
    for _ in range(12):
        x, y = chance.randrange(A4[0]), chance.randrange(A4[1])
        pencil.rectangle((x, y, x + 1, y + 1), fill=140)
    return page


def _first_page(content: Letter) -> _Pen:
    pen = _Pen()
    pen.write(_LEFT, 15, content.sender[0], "head", 15)
    for offset, line in enumerate(content.sender[1:]):
        pen.write(_LEFT, 24 + offset * 4.5, line, size=9)
    pen.write(_LEFT, 46, " · ".join(content.sender), size=6.5)
    for offset, line in enumerate(content.recipient):
        pen.write(_LEFT, 52 + offset * 5.2, line)
    label, value = content.reference
    pen.write(125, 52, f"{label}: {value}", size=9)
    pen.write(125, 58, f"Datum: {content.dated:%d.%m.%Y}", size=9)
    _marks(pen)
    pen.at = 98.5
    for line in _wrap(content.subject, "bold"):
        pen.flow(line, "bold")
    pen.advance()
    pen.flow(content.salutation)
    pen.advance()
    return pen


def _next_page(content: Letter, number: int) -> _Pen:
    pen = _Pen()
    label, value = content.reference
    pen.write(_LEFT, 15, f"{label}: {value}, Blatt {number}", size=9)
    pen.at = 30.0
    return pen


def _marks(pen: _Pen) -> None:
    for height, length in ((105.0, 5), (148.5, 8), (210.0, 5)):
        y = millimetres(height)
        pen.draw.line((millimetres(3), y, millimetres(3 + length), y), fill=90, width=2)


def _closing(pen: _Pen, content: Letter) -> None:
    if content.table:
        _table(pen, content.table)
        pen.advance()
    pen.flow("Mit freundlichen Grüßen")
    _scribble(pen, content.signed)
    pen.advance(3)
    pen.flow(content.signed)


def _table(pen: _Pen, rows: tuple[tuple[str, ...], ...]) -> None:
    columns = (_LEFT, _LEFT + 32, _LEFT + 118)
    for position, row in enumerate(rows):
        for left, cell in zip(columns, row, strict=True):
            pen.write(left + 1, pen.at, cell, "bold" if position == 0 else "regular", 9.5)
        pen.advance()
        y = millimetres(pen.at - 0.8)
        pen.draw.line((millimetres(_LEFT), y, millimetres(_RIGHT - 15), y), fill=_INK, width=2)


def _scribble(pen: _Pen, name: str) -> None:
    chance = random.Random(name)  # noqa: S311 - a drawn signature of nobody
    x, y = millimetres(_LEFT + 2), millimetres(pen.at + 6)
    points = [(x, y)]
    for _ in range(26):
        x += chance.randrange(8, 30)
        points.append((x, y + chance.randrange(-70, 45)))
    pen.draw.line(points, fill=60, width=5, joint="curve")


def _wrap(text: str, face: str = "regular") -> list[str]:
    font = typeface(face, _BODY_POINTS)
    limit = millimetres(_RIGHT - _LEFT)
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= limit:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
