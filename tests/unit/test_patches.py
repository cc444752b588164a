from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from workers.separation.patches import find_patch

DPI = 150
SIZE = (1240, 1754)
NARROW, WIDE = 0.08, 0.20
PATTERNS = {"1": "1100", "2": "1001", "3": "1010", "4": "0110", "6": "0011", "T": "0101"}
#: What each is read as: mirror images are one class.
CLASSES = {"1": "1", "6": "1", "2": "2", "4": "4", "3": "T", "T": "T"}


def sheet(name: str, *, scale: float = 1.0, length: float = 4.0, text: bool = False) -> Image.Image:
    page = Image.new("L", SIZE, 250)
    pen = ImageDraw.Draw(page)
    top, left = 160.0, 200
    for bar in PATTERNS[name]:
        width = (WIDE if bar == "1" else NARROW) * DPI * scale
        pen.rectangle((left, top, left + length * DPI, top + width), fill=20)
        top += width + NARROW * DPI * scale
    if text:
        for line in range(30):
            pen.text((150, 500 + line * 35), "Sehr geehrte Damen und Herren, " * 3, fill=0)
    return page


def found(page: Image.Image) -> tuple[str | None, bool]:
    finding = find_patch(np.asarray(page), (DPI, DPI))
    return finding.patch, finding.suspect


@pytest.mark.parametrize("name", PATTERNS)
def test_every_code_is_read_as_its_class(name: str) -> None:
    assert found(sheet(name, text=True)) == (CLASSES[name], False)


@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.parametrize("name", ["T", "3", "2"])
def test_the_direction_of_the_feed_does_not_matter(name: str, turn: int) -> None:
    assert found(sheet(name).rotate(turn, expand=True))[0] == CLASSES[name]


@pytest.mark.parametrize("skew", [-10, -5, -2, 2, 5, 10])
def test_a_skewed_sheet_is_read(skew: float) -> None:
    turned = sheet("T").rotate(skew, fillcolor=250, resample=Image.Resampling.BICUBIC)
    assert found(turned)[0] == "T"


@pytest.mark.parametrize("scale", [0.75, 0.9, 1.1, 1.25])
def test_a_print_that_is_not_at_100_percent_is_read(scale: float) -> None:
    assert found(sheet("T", scale=scale))[0] == "T"


def test_noise_blur_and_one_bit_do_not_hide_it() -> None:
    noise = np.random.default_rng(7).normal(0, 25, (SIZE[1], SIZE[0]))
    pixels = np.asarray(sheet("T").filter(ImageFilter.GaussianBlur(2)), dtype=float) + noise
    noisy = np.clip(pixels, 0, 255).astype(np.uint8)
    assert find_patch(noisy, (DPI, DPI)).patch == "T"
    bitonal = np.where(noisy > 128, 255, 0).astype(np.uint8)
    assert find_patch(bitonal, (DPI, DPI)).patch == "T"


def test_a_faint_photocopy_is_read() -> None:
    pale = np.asarray(sheet("T").point([200 + value // 6 for value in range(256)]))
    assert find_patch(pale, (DPI, DPI)).patch in {"T", None}
    grey = np.asarray(sheet("T").point([120 + value // 2 for value in range(256)]))
    assert find_patch(grey, (DPI, DPI)).patch == "T"


def test_bars_whose_widths_do_not_decide_are_suspect() -> None:
    page = Image.new("L", SIZE, 250)
    pen = ImageDraw.Draw(page)
    top = 160.0
    for width in (0.14, 0.14, 0.14, 0.14):
        pen.rectangle((200, top, 900, top + width * DPI), fill=20)
        top += (width + NARROW) * DPI
    assert found(page) == (None, True)


def test_a_short_group_of_bars_is_nothing() -> None:
    assert found(sheet("T", length=1.0)) == (None, False)


def test_text_tables_and_forms_are_nothing() -> None:
    rng = random.Random(3)
    page = Image.new("L", SIZE, 245)
    pen = ImageDraw.Draw(page)
    for line in range(60):
        words = " ".join("x" * rng.randint(2, 12) for _ in range(14))
        pen.text((120, 100 + line * 25), words, fill=10)
    assert found(page) == (None, False)
    for pitch in (12, 18, 24, 36):
        table = Image.new("L", SIZE, 245)
        pen = ImageDraw.Draw(table)
        for at in range(100, 1100, pitch):
            pen.line((at, 100, at, 1600), fill=0, width=2)
            pen.line((100, at, 1100, at), fill=0, width=4)
        assert found(table) == (None, False)


def test_a_blank_page_and_a_tiny_picture_are_nothing() -> None:
    assert found(Image.new("L", SIZE, 255)) == (None, False)
    assert find_patch(np.zeros((1, 1), np.uint8), (DPI, DPI)).patch is None
