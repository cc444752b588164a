"""Pages with very little on them, and pages with nothing: what a scanner makes of both.

Every page is A4, made at the resolution wanted, and comes with its true kind. Writing is drawn
as a coverage of small strokes with the grain of pencil or pad, laid onto paper (white, yellowed,
noisy, with the other side showing through), and then captured as grey, colour or bitonal
image, compressed as scanners do. Nothing is read from the disk; a seed makes the same page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Pixels = NDArray[np.uint8]
Layer = NDArray[np.float32]
Random = np.random.Generator

A4: Final = (210.0, 297.0)
_MM: Final = 25.4
_OVER: Final = 4  #: drawn this much larger, then reduced: strokes have soft edges
_TILE: Final = 1024
#: A bitonal scanner calls dark what is this much darker than the paper around it.
BITONAL_CONTRAST: Final = 60
MODES: Final = ("grey", "colour", "bitonal")
RESOLUTIONS: Final = (200, 300)
BLEEDS: Final = (0.08, 0.16, 0.25)


@dataclass(frozen=True, kw_only=True)
class Ink:
    """What wrote: its colour, and how evenly it covers the paper (1 = without a gap)."""

    colour: tuple[int, int, int]
    evenness: float = 1.0

    @property
    def grey(self) -> float:
        """Its brightness."""
        red, green, blue = self.colour
        return 0.299 * red + 0.587 * green + 0.114 * blue


def pencil(grey: int) -> Ink:
    """Return a pencil of that brightness, grainy."""
    return Ink(colour=(grey, grey, grey), evenness=0.7)


@dataclass(frozen=True, kw_only=True)
class Writing:
    """A mark on the page: `draw` fills a canvas of `size` millimetres."""

    size: tuple[float, float]
    ink: Ink
    draw: Callable[[ImageDraw.ImageDraw, float, Random], None]
    #: Range of the left edge and of the top edge, millimetres.
    across: tuple[float, float] = (20.0, 150.0)
    down: tuple[float, float] = (25.0, 255.0)
    soft: float = 0.0  #: how far its edges are out of focus, millimetres


@cache
def _font(pixels: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.truetype("DejaVuSans.ttf", pixels)
    except OSError:
        return ImageFont.load_default(pixels)


def _scribble(
    count: int, height: float, width: float
) -> Callable[[ImageDraw.ImageDraw, float, Random], None]:
    """Return what draws `count` letters of handwriting; millimetres."""

    def draw(pen: ImageDraw.ImageDraw, mm: float, random: Random) -> None:
        at = 2.0
        for _ in range(count):
            steps = random.uniform(-0.5, 0.5, (6, 2)) * height
            points = [
                (at + x + i * height / 6, 1 + height / 2 + y) for i, (x, y) in enumerate(steps)
            ]
            pen.line([(x * mm, y * mm) for x, y in points], fill=255, width=round(width * mm))
            at += height * 0.9

    return draw


def _tick(pen: ImageDraw.ImageDraw, mm: float, random: Random) -> None:
    del random
    points = [(1.0, 3.0), (2.5, 5.0), (6.0, 1.0)]
    pen.line([(x * mm, y * mm) for x, y in points], fill=255, width=round(0.45 * mm))


def _number(points: float) -> Callable[[ImageDraw.ImageDraw, float, Random], None]:
    def draw(pen: ImageDraw.ImageDraw, mm: float, random: Random) -> None:
        font = _font(round(points / 72 * _MM * mm))
        pen.text((mm, mm), str(random.integers(1, 99)), fill=255, font=font)

    return draw


def _stamp(pen: ImageDraw.ImageDraw, mm: float, random: Random) -> None:
    del random
    pen.rectangle((mm, mm, 27 * mm, 11 * mm), outline=255, width=round(0.4 * mm))
    pen.text((3 * mm, 3 * mm), "Eingegangen", fill=255, font=_font(round(3.2 * mm)))


def _seal(pen: ImageDraw.ImageDraw, mm: float, random: Random) -> None:
    del random
    pen.ellipse((mm, mm, 17 * mm, 17 * mm), outline=255, width=round(0.4 * mm))
    pen.text((6 * mm, 6 * mm), "LK", fill=255, font=_font(round(4 * mm)))


def _pale(pen: ImageDraw.ImageDraw, mm: float, random: Random) -> None:
    """Draw lines of text for the other side's softness: only strength tells them apart."""
    del random
    for line in range(9):
        text = "Sehr geehrte Damen und Herren, hiermit widerspreche ich dem Bescheid"
        pen.text((mm, (1 + 6 * line) * mm), text, fill=255, font=_font(round(3.9 * mm)))


_BLUE, _BLACK = (50, 70, 160), (30, 30, 30)
_NOTE: Final = (38.0, 8.0)
#: Kinds of pages that are not blank, by name.
WRITTEN: Final = {
    **{
        f"pencil note, grey {grey}": Writing(
            size=_NOTE, ink=pencil(grey), draw=_scribble(9, 3.5, 0.5)
        )
        for grey in (120, 150, 170, 190)
    },
    "small pencil note, grey 170": Writing(
        size=(22, 5), ink=pencil(170), draw=_scribble(6, 2.5, 0.4)
    ),
    "page number, 9 pt": Writing(
        size=(9, 7), ink=Ink(colour=_BLACK), draw=_number(9), across=(95, 110), down=(280, 284)
    ),
    "page number, 8 pt, faint": Writing(
        size=(9, 7),
        ink=Ink(colour=(110, 110, 110)),
        draw=_number(8),
        across=(185, 192),
        down=(10, 14),
    ),
    "small stamp, blue": Writing(size=(29, 13), ink=Ink(colour=_BLUE, evenness=0.8), draw=_stamp),
    "small stamp, faded red": Writing(
        size=(19, 19), ink=Ink(colour=(226, 140, 140), evenness=0.7), draw=_seal
    ),
    "single initial, pen": Writing(size=(9, 9), ink=Ink(colour=_BLUE), draw=_scribble(1, 6, 0.5)),
    "single initial, pencil 150": Writing(
        size=(9, 9), ink=pencil(150), draw=_scribble(1, 6, 0.5)
    ),
    "marginal note, pencil 150": Writing(
        size=(16, 6), ink=pencil(150), draw=_scribble(4, 3, 0.45), across=(6, 8)
    ),
    "pale letter, out of focus": Writing(
        size=(160, 60),
        ink=Ink(colour=(165, 165, 165)),
        draw=_pale,
        across=(20, 25),
        down=(40, 120),
        soft=0.16,
    ),
    "tick mark, pen": Writing(size=(8, 7), ink=Ink(colour=_BLUE), draw=_tick),
    "tick mark, pencil 150": Writing(size=(8, 7), ink=pencil(150), draw=_tick),
    "note in white": Writing(
        size=_NOTE, ink=Ink(colour=(246, 246, 246), evenness=0.8), draw=_scribble(9, 3.5, 0.6)
    ),
}  # fmt: skip
BLANK: Final = ("plain", "dust", "holes", "shadow", "crease", *(f"bleed {b:.0%}" for b in BLEEDS))
#: Paper that pages with nothing on them are made of; show-through is a kind of its own there.
BARE: Final = ("white", "yellowed", "noisy", "red", "blue")
PAPERS: Final = (*BARE, "bleed 16%")


def written(kind: str, paper: str, dpi: int, mode: str, seed: int) -> Pixels:
    """Return a page with writing of `kind` on it."""
    random = np.random.default_rng(seed)
    sheet = _paper(paper, dpi, random)
    writing = WRITTEN[kind]
    cover = _coverage(writing, dpi, random)
    left = round(random.uniform(*writing.across) / _MM * dpi)
    top = round(random.uniform(*writing.down) / _MM * dpi)
    height, width = cover.shape
    place = sheet[top : top + height, left : left + width]
    cover = cover[: place.shape[0], : place.shape[1], None]
    place += cover * (np.array(writing.ink.colour, np.float32) - place)
    return captured(sheet, mode)


def stands_out(kind: str, paper: str) -> bool:
    """Tell whether anybody could see the writing: nobody writes tone in tone."""
    ink, name = WRITTEN[kind].ink, paper.split(maxsplit=1)[0]
    if ink.grey > _BRIGHTNESS[name]:
        return ink.grey - _BRIGHTNESS[name] > _SEEN
    if name in _COVERS:
        return (_BRIGHTNESS[name] - ink.grey) * (1 + ink.evenness) / 2 > _SEEN
    tint = _TINTS.get(name, (_BRIGHTNESS[name],) * 3)
    far = max(abs(one - other) for one, other in zip(ink.colour, tint, strict=True))
    return far * (1 + ink.evenness) / 2 > _SEEN


def is_on_image(kind: str, paper: str, mode: str) -> bool:
    """Tell whether the capture can show the writing at all: bitonal drops what is faint."""
    if mode != "bitonal":
        return True
    ink = WRITTEN[kind].ink
    if WRITTEN[kind].soft:
        return False
    covered = (1 + ink.evenness) / 2
    return (_BRIGHTNESS[paper.split(maxsplit=1)[0]] - ink.grey) * covered > BITONAL_CONTRAST * 1.5


def blank(kind: str, paper: str, dpi: int, mode: str, seed: int) -> Pixels:
    """Return a page with nothing on it but what scanning adds."""
    random = np.random.default_rng(seed)
    sheet = _paper(paper if not kind.startswith("bleed") else kind, dpi, random)
    _ADDED.get(kind, _nothing)(sheet, dpi, random)
    return captured(sheet, mode)


def captured(sheet: Layer, mode: str) -> Pixels:
    """Return what the scanner delivers: JPEG in grey and colour, one bit otherwise."""
    whole = np.clip(sheet, 0, 255).astype(np.uint8)
    if mode == "colour":
        return _compressed(whole, 70)
    grey = np.asarray(cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    if mode == "grey":
        return _compressed(grey, 70)
    small = cv2.resize(grey, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    around = cv2.resize(cv2.medianBlur(small, 21), (grey.shape[1], grey.shape[0]))
    lit = around.astype(np.int16) - cv2.GaussianBlur(grey, (3, 3), 0) < BITONAL_CONTRAST
    return np.where(lit, np.uint8(255), np.uint8(0))


def _compressed(pixels: Pixels, quality: int) -> Pixels:
    _, packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_UNCHANGED), dtype=np.uint8)


#: Levels between the ink's colour and the paper's below which nobody sees it.
_SEEN: Final = 40.0
_BRIGHTNESS: Final = {
    "white": 249.0, "yellowed": 224.0, "noisy": 243.0, "bleed": 246.0, "red": 166.0, "blue": 164.0,
}  # fmt: skip
_COVERS: Final = ("red", "blue")
#: The coloured ones are the covers of files and carbon sets.
_TINTS: Final = {
    "yellowed": (238.0, 226.0, 192.0),
    "red": (222.0, 146.0, 128.0),
    "blue": (128.0, 172.0, 210.0),
}
_NOISE: Final = {
    "white": 2.0,
    "yellowed": 4.0,
    "noisy": 10.0,
    "bleed": 3.0,
    "red": 4.0,
    "blue": 4.0,
}


def _paper(kind: str, dpi: int, random: Random) -> Layer:
    """Return bare paper, float, (height, width, 3)."""
    height, width = (round(side / _MM * dpi) for side in reversed(A4))
    name = kind.split(maxsplit=1)[0]
    tint = _TINTS.get(name, (_BRIGHTNESS[name],) * 3)
    clouds = cv2.resize(random.normal(0, 2.5, (9, 7)).astype(np.float32), (width, height))
    light = clouds + _noise(height, width, random) * _NOISE[name]
    sheet: Layer = np.array(tint, np.float32) + light[:, :, None]
    if name == "bleed":
        strength = float(kind.split()[1].rstrip("%")) / 100
        sheet -= (_other_side(dpi) * np.float32(255 * strength))[:, :, None]
    return sheet


def _noise(height: int, width: int, random: Random) -> Layer:
    tile = random.standard_normal((_TILE, _TILE), np.float32)
    rows, columns = -(-height // _TILE), -(-width // _TILE)
    return np.tile(tile, (rows, columns))[:height, :width]


@cache
def _other_side(dpi: int) -> Layer:
    """Return a printed page as it shows through: mirrored, softened by the paper."""
    height, width = (round(side / _MM * dpi) for side in reversed(A4))
    page = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(page)
    font = _font(round(11 / 72 * dpi))
    for line in range(44):
        text = "Bescheid über die Festsetzung der Gebühren für das Kalenderjahr 2026, Seite 1"
        pen.text(
            (round(25 / _MM * dpi), round((25 + 5.5 * line) / _MM * dpi)), text, fill=255, font=font
        )
    soft = page.transpose(Image.Transpose.FLIP_LEFT_RIGHT).filter(
        ImageFilter.GaussianBlur(0.16 / _MM * dpi)
    )
    return np.asarray(np.asarray(soft, np.float32) / 255, dtype=np.float32)


def _coverage(writing: Writing, dpi: int, random: Random) -> Layer:
    """Return how much of each pixel the ink covers."""
    mm = dpi / _MM
    width, height = (max(1, round(side * mm)) for side in writing.size)
    canvas = Image.new("L", (width * _OVER, height * _OVER), 0)
    writing.draw(ImageDraw.Draw(canvas), mm * _OVER, random)
    turned = canvas.rotate(float(random.uniform(-3, 3)), resample=Image.Resampling.BILINEAR)
    if writing.soft:
        turned = turned.filter(ImageFilter.GaussianBlur(writing.soft * mm * _OVER))
    cover = np.asarray(turned.resize((width, height), Image.Resampling.BOX), np.float32) / 255
    grain = random.uniform(2 * writing.ink.evenness - 1, 1, cover.shape).astype(np.float32)
    return np.asarray(cover * cv2.GaussianBlur(grain, (3, 3), 0), dtype=np.float32)


def _nothing(sheet: Layer, dpi: int, random: Random) -> None:
    """Add nothing."""


def _dust(sheet: Layer, dpi: int, random: Random) -> None:
    for _ in range(120):
        row, column = random.integers(0, sheet.shape[0] - 9), random.integers(0, sheet.shape[1] - 9)
        size = max(1, round(random.uniform(0.08, 0.28) / _MM * dpi))
        sheet[row : row + size, column : column + size] = random.uniform(50, 170)


def _holes(sheet: Layer, dpi: int, random: Random) -> None:
    mm = dpi / _MM
    whole = np.ascontiguousarray(sheet)
    for height in (108.5, 188.5):
        middle = (
            round((12 + random.uniform(-2, 2)) * mm),
            round((height + random.uniform(-4, 4)) * mm),
        )
        cv2.circle(whole, middle, round(2.75 * mm), (40, 40, 40), -1, cv2.LINE_AA)
    sheet[:] = whole


def _shadow(sheet: Layer, dpi: int, random: Random) -> None:
    mm = dpi / _MM
    fall = np.linspace(random.uniform(60, 170), 0, round(12 * mm), dtype=np.float32)
    sheet[:, : len(fall)] -= fall[None, :, None]
    sheet[-round(2 * mm) :] = 35
    sheet[: round(0.8 * mm), :] -= 120


def _crease(sheet: Layer, dpi: int, random: Random) -> None:
    rows = np.arange(sheet.shape[0], dtype=np.float32)
    for third in (99.0, 198.0):
        middle = (third + random.uniform(-2, 2)) / _MM * dpi
        deep = random.uniform(12, 28) * np.exp(-(((rows - middle) / (1.2 / _MM * dpi)) ** 2))
        sheet -= deep.astype(np.float32)[:, None, None]


_ADDED: Final = {"dust": _dust, "holes": _holes, "shadow": _shadow, "crease": _crease}
