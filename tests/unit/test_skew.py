from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from ingest.content.raster import Frame, Pixels
from workers.separation.examination import examine
from workers.separation.skew import measure_skew
from workers.separation.views import depth

FONT = ImageFont.load_default(16)
SIZE = (827, 1169)
WORDS = [
    "Bescheid",
    "über",
    "die",
    "Festsetzung",
    "der",
    "Gebühren",
    "für",
    "das",
    "laufende",
    "Jahr",
    "gemäß",
    "Satzung",
]


def letter(lines: int = 30, seed: int = 5) -> Pixels:
    page = Image.new("L", SIZE, 245)
    pen = ImageDraw.Draw(page)
    chance = np.random.default_rng(seed)
    for line in range(lines):
        text = " ".join(chance.choice(WORDS, chance.integers(4, 9)))
        pen.text((90, 150 + 27 * line), text, fill=40, font=FONT)
    return np.asarray(page)


def form() -> Pixels:
    page = Image.new("L", SIZE, 250)
    pen = ImageDraw.Draw(page)
    for row in range(12):
        pen.rectangle((80, 150 + 70 * row, 740, 220 + 70 * row), outline=60)
        pen.text((88, 156 + 70 * row), f"{row} {WORDS[row % 10]}", fill=50, font=FONT)
    return np.asarray(page)


def turned(page: Pixels, degrees: float) -> Pixels:
    """Turn clockwise as seen on the screen."""
    height, width = page.shape
    way = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    return np.asarray(cv2.warpAffine(page, way, (width, height), borderValue=245), np.uint8)


def test_a_line_that_runs_down_to_the_right_is_positive() -> None:
    page = np.full((1169, 827), 250, np.uint8)
    for top in range(200, 900, 60):
        cv2.line(page, (100, top), (700, top + round(600 * np.tan(np.radians(3)))), (30,), 2)
    assert measure_skew(depth(page)) == pytest.approx(3, abs=0.15)


@given(st.floats(-14, 14), st.integers(0, 3), st.sampled_from([letter(), form()]), st.booleans())
@example(0.0, 1, letter(), False)
@example(0.6, 2, form(), True)
@settings(max_examples=25, deadline=None)
def test_the_angle_is_found_whichever_way_the_page_lies(
    degrees: float, quarters: int, page: Pixels, bitonal: bool
) -> None:
    askew = np.ascontiguousarray(np.rot90(turned(page, degrees), quarters))
    if bitonal:
        askew = np.where(askew > 150, 255, 0).astype(np.uint8)
    assert measure_skew(depth(askew)) == pytest.approx(degrees, abs=0.15)


@pytest.mark.parametrize("degrees", [0, -2, 5])
def test_three_lines_are_enough(degrees: float) -> None:
    assert measure_skew(depth(turned(letter(lines=3), degrees))) == pytest.approx(degrees, abs=0.3)


def cloud() -> Pixels:
    noise = np.random.default_rng(3).normal(0, 1, (1169, 827)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.asarray((smooth - smooth.min()) / np.ptp(smooth) * 255, np.uint8)


def rings() -> Pixels:
    page = np.full((1169, 827), 250, np.uint8)
    chance = np.random.default_rng(1)
    for x, y, radius in chance.integers((50, 50, 10), (780, 1100, 70), (12, 3)):
        cv2.circle(page, (int(x), int(y)), int(radius), (30,), 2)
    return page


@pytest.mark.parametrize(
    "page",
    [
        np.full((1169, 827), 255, np.uint8),
        np.zeros((24, 24), np.uint8),
        np.random.default_rng(1).integers(0, 255, (1169, 827), np.uint8),
        cloud(),
        rings(),
        turned(letter(), 25),
    ],
    ids=["blank", "tiny", "noise", "photograph", "round", "beyond the range"],
)
def test_nothing_is_said_where_nothing_tells(page: Pixels) -> None:
    assert measure_skew(depth(page)) is None


def test_the_examination_measures_on_the_true_proportions_of_a_fax() -> None:
    # 204 x 98 dpi: in pixels a slope of 3 degrees is only half as steep.
    page = cv2.resize(turned(letter(), 3), (1687, 1146), interpolation=cv2.INTER_AREA)
    frame = Frame(pixels=np.asarray(page, np.uint8), mode="L", dpi=(204.0, 98.0), dpi_source="file")
    assert examine(frame)["skew"] == pytest.approx(3, abs=0.15)
