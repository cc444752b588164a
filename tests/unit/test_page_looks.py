"""Exposure, marks cut by an edge, and whether two pages are one sheet."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest.content.raster import Frame, Pixels
from workers.separation.examination import examine
from workers.separation.exposure import count_touching, measure_exposure
from workers.separation.likeness import bits, difference, fingerprint, ink
from workers.separation.neighbours import ALIKE, SAME
from workers.separation.skew import measure_skew
from workers.separation.views import depth

SMALL, LARGE = ImageFont.load_default(15), ImageFont.load_default(26)
WORDS = ["Bescheid", "über", "die", "Festsetzung", "der", "Gebühren", "Antrag", "vom", "hiermit"]


def letter(seed: int, lines: int = 12) -> Pixels:
    """Return a letter on the letterhead that all of them share; 100 dpi."""
    chance = np.random.default_rng(seed)
    page = Image.new("L", (827, 1169), 245)
    pen = ImageDraw.Draw(page)
    pen.rectangle((90, 60, 170, 140), fill=60)
    pen.text((190, 70), "Stadt Musterhausen", fill=30, font=LARGE)
    for row in range(4):
        pen.text((540, 170 + 20 * row), f"Sprechzeiten Zimmer 21{row}", fill=40, font=SMALL)
    for row in range(3):
        pen.text((90, 1080 + 18 * row), "Rathausplatz 1, Musterhausen " * 2, fill=60, font=SMALL)
    pen.text((90, 340), "Sehr geehrte Damen und Herren,", fill=30, font=SMALL)
    for row in range(lines):
        text = " ".join(chance.choice(WORDS, chance.integers(4, 9)))
        pen.text((90, 380 + 22 * row), text, fill=30, font=SMALL)
    return np.asarray(page)


def rescanned(page: Pixels, seed: int) -> Pixels:
    chance = np.random.default_rng(seed)
    height, width = page.shape
    way = cv2.getRotationMatrix2D((width / 2, height / 2), chance.uniform(-1.2, 1.2), 1.002)
    way[:, 2] += np.array(chance.uniform(-12, 12, 2))
    moved = cv2.warpAffine(page, way, (width, height), borderValue=245)
    return np.clip(moved * 0.93 + chance.normal(0, 5, page.shape), 0, 255).astype(np.uint8)


def ink_of(page: Pixels) -> np.ndarray:
    deep = depth(page)
    return ink(deep, measure_skew(deep))


def apart(one: np.ndarray, other: np.ndarray) -> float:
    prints = fingerprint(one), fingerprint(other)
    assert prints[0] is not None
    assert prints[1] is not None
    return float((1 - bits(prints[0]) @ bits(prints[1]) / 1152) / 2)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lines", [2, 12, 28])
def test_a_sheet_scanned_again_is_known_even_upside_down(seed: int, lines: int) -> None:
    page = letter(seed, lines)
    again = rescanned(page, seed + 50)
    for other in (again, np.ascontiguousarray(again[::-1, ::-1])):
        assert apart(ink_of(page), ink_of(other)) <= ALIKE
        assert difference(ink_of(page), ink_of(other)) <= SAME


@pytest.mark.parametrize("lines", [2, 5, 12, 28])
def test_two_letters_on_one_letterhead_are_never_one_sheet(lines: int) -> None:
    pages = [ink_of(rescanned(letter(seed, lines), seed)) for seed in range(4)]
    for at, one in enumerate(pages):
        for other in pages[:at]:
            assert difference(one, other) > SAME


def test_a_page_with_next_to_nothing_on_it_has_no_fingerprint() -> None:
    assert fingerprint(ink_of(np.full((1169, 827), 250, np.uint8))) is None


def looked(page: Pixels) -> dict[str, float]:
    return measure_exposure(page, depth(page))


def test_brightness_is_that_of_the_paper_and_contrast_that_of_the_ink() -> None:
    page = letter(1)
    assert looked(page)["brightness"] == 245
    dark = looked((page * 0.4).astype(np.uint8))
    assert dark["brightness"] == pytest.approx(98, abs=1)
    pale = looked((255 - (255 - page) * 0.2).astype(np.uint8))
    assert pale["contrast"] < 60 < looked(page)["contrast"]
    assert looked(np.full((400, 300), 250, np.uint8))["contrast"] is None


def test_a_black_half_is_ink() -> None:
    page = letter(1).copy()
    page[:600] = 0
    assert looked(page)["ink"] > 0.5 > looked(letter(1))["ink"]


@pytest.mark.parametrize("quarters", range(4))
def test_text_cut_by_an_edge_is_counted_at_that_edge(quarters: int) -> None:
    edge = ("left", "bottom", "right", "top")[quarters]
    cut = np.ascontiguousarray(np.rot90(letter(1, lines=28)[:, 110:], quarters))
    counts = count_touching(depth(cut))
    assert counts[edge] > 4
    assert sum(counts.values()) == counts[edge]


def test_a_whole_page_with_the_shadow_of_an_edge_touches_nothing() -> None:
    page = letter(1).copy()
    page[:, -6:] = 30
    page[:8] = 40
    assert max(count_touching(depth(page)).values()) == 0


def test_the_examination_says_all_of_it_and_nothing_about_a_blank_page() -> None:
    frame = Frame(pixels=letter(1), mode="L", dpi=(100.0, 100.0), dpi_source="file")
    facts = examine(frame)
    assert facts["skew"] == pytest.approx(0, abs=0.1)
    assert len(facts["fingerprint"]) == 192
    blank = Frame(
        pixels=np.full((1169, 827), 250, np.uint8), mode="L", dpi=(100.0, 100.0), dpi_source="file"
    )
    told = examine(blank)
    assert (told["skew"], told["fingerprint"], told["exposure"]["contrast"]) == (None, None, None)
