from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from ingest.content.raster import Pixels
from workers.separation.blanks import count_marks

DPI = (150.0, 150.0)
SIZE = (1240, 1754)
FONT = ImageFont.load_default(22)


def paper(brightness: int = 245, seed: int = 1) -> Image.Image:
    noise = np.random.default_rng(seed).normal(brightness, 4, (SIZE[1], SIZE[0]))
    return Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))


def marks(page: Image.Image) -> int:
    return count_marks(np.asarray(page), DPI)


def plain(page: Image.Image) -> Image.Image:
    return page


def dusty(page: Image.Image) -> Image.Image:
    pen = ImageDraw.Draw(page)
    for at in np.random.default_rng(2).integers(0, 1200, (150, 2)):
        pen.rectangle((int(at[0]), int(at[1]), int(at[0]) + 1, int(at[1]) + 1), fill=60)
    return page


def shadowed(page: Image.Image) -> Image.Image:
    pixels = np.asarray(page, dtype=float)
    fall = np.linspace(150, 0, 120)
    pixels[:, :120] -= fall
    pixels[-60:, :] = 30
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def punched(page: Image.Image) -> Image.Image:
    pen = ImageDraw.Draw(page)
    for middle in (640, 1112):
        pen.ellipse((70 - 18, middle - 18, 70 + 18, middle + 18), fill=25)
    return page


def showing_through(page: Image.Image) -> Image.Image:
    back = Image.new("L", SIZE, 255)
    pen = ImageDraw.Draw(back)
    for line in range(50):
        pen.text((120, 100 + 30 * line), "Bescheid über die Festsetzung " * 3, fill=0, font=FONT)
    mirrored = back.transpose(Image.Transpose.FLIP_LEFT_RIGHT).filter(ImageFilter.GaussianBlur(2))
    ink = (255.0 - np.asarray(mirrored, dtype=float)) * 0.2
    return Image.fromarray(np.clip(np.asarray(page) - ink, 0, 255).astype(np.uint8))


def creased(page: Image.Image) -> Image.Image:
    return page.point([max(0, value - 15) for value in range(256)])


@pytest.mark.parametrize("make", [plain, dusty, shadowed, punched, showing_through, creased])
@pytest.mark.parametrize("brightness", [250, 220, 190])
def test_a_blank_page_stays_blank(
    make: Callable[[Image.Image], Image.Image], brightness: int
) -> None:
    assert marks(make(paper(brightness))) == 0


def numbered(pen: ImageDraw.ImageDraw) -> None:
    pen.text((610, 1640), "12", fill=30, font=FONT)


def noted(pen: ImageDraw.ImageDraw) -> None:
    pen.line([(300, 400), (360, 430), (340, 470), (420, 440), (500, 480)], fill=175, width=3)
    pen.line([(320, 520), (420, 540), (520, 500)], fill=175, width=3)


def stamped(pen: ImageDraw.ImageDraw) -> None:
    pen.rectangle((800, 300, 1000, 380), outline=120, width=4)
    pen.text((820, 330), "EINGEGANGEN", fill=120, font=FONT)


def headed(pen: ImageDraw.ImageDraw) -> None:
    pen.text((60, 34), "Landratsamt Musterkreis, Seite 3 von 3, Az. 12-345", fill=20, font=FONT)


def photographed(pen: ImageDraw.ImageDraw) -> None:
    pen.rectangle((200, 300, 1000, 1200), fill=60)


@pytest.mark.parametrize("draw", [numbered, noted, stamped, headed, photographed])
def test_a_page_with_little_on_it_is_not_blank(
    draw: Callable[[ImageDraw.ImageDraw], None],
) -> None:
    page = paper()
    draw(ImageDraw.Draw(page))
    assert marks(page) > 0


def test_yellow_marker_is_seen_in_colour() -> None:
    page = Image.merge("RGB", (paper(),) * 3)
    ImageDraw.Draw(page).rectangle((300, 300, 700, 318), fill=(250, 240, 90))
    assert marks(page) > 0


@pytest.mark.parametrize("shape", [(1, 1), (30, 2000), (1754, 1240)])
def test_a_dark_page_is_not_blank(shape: tuple[int, int]) -> None:
    dark: Pixels = np.full(shape, 20, np.uint8)
    assert count_marks(dark, DPI) > 0


def test_the_resolution_does_not_matter() -> None:
    page = paper()
    numbered(ImageDraw.Draw(page))
    twice = np.asarray(page.resize((SIZE[0] * 2, SIZE[1] * 2)))
    assert count_marks(twice, (300.0, 300.0)) > 0
    blank = np.asarray(paper().resize((SIZE[0] // 2, SIZE[1])))
    assert count_marks(blank, (75.0, 150.0)) == 0
