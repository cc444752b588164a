"""Crooked, turned, faint and shaded pages: read as if level and white, shown as they are."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.plugins.scanning import LINES, Bench, Result, corpus, letter, program, saved
from workers.recognition import words as kept
from workers.recognition.engine import open_engines
from workers.recognition.preparation import prepare
from workers.recognition.reading import recognise

WANTED = " ".join(LINES * 3).split()
PLENTY = 40_000_000


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    program("tesseract")
    return Bench(tmp_path)


def crooked(degrees: float, turn: int = 0) -> Image.Image:
    """The letter on a larger sheet, turned clockwise by `degrees` and then by quarter turns."""
    sheet = Image.new("L", (1654, 2339), 255)
    for top in (150, 800, 1450):
        sheet.paste(letter(size=(1240, 640)), (200, top))
    level = sheet.resize((3308, 4678), Image.Resampling.BICUBIC)
    skewed = level.rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=255)
    return skewed.resize(sheet.size, Image.Resampling.BOX).rotate(-turn, expand=True)


def selected(result: Result, page_words: kept.Words) -> list[tuple[str, str]]:
    """Return each recognised word with what pdfium finds when its place is marked."""
    assert result.pdf is not None
    document = pdfium.PdfDocument(result.pdf)
    page = document[0]
    textpage = page.get_textpage()
    width, height = page.get_size()
    across, down = width / page_words.width, height / page_words.height
    found = []
    for word in page_words:
        left, top, right, bottom = word.box
        box = left * across, height - bottom * down - 3, right * across, height - top * down + 3
        text = textpage.get_text_bounded(*box)
        found.append((word.text, text.strip()))
    textpage.close()
    page.close()
    document.close()
    return found


@pytest.mark.parametrize(("degrees", "turn"), [(0.0, 0), (5.0, 0), (3.0, 90), (-4.0, 180)])
def test_a_crooked_page_is_read_and_each_word_is_marked_where_it_stands(
    bench: Bench, degrees: float, turn: int
) -> None:
    source = bench.source(saved(crooked(degrees, turn), "PNG", dpi=(200, 200)))
    batch = bench.batch(source)
    page = bench.recognised(batch, bench.pages(source)[0])
    assert page.facts["recognition"]["orientation"] == -turn % 360
    result = bench.run(source)
    assert result.text.split() == WANTED
    assert page.words_sha256 is not None
    found = kept.from_json(bench.context().read(page.words_sha256))
    marked = selected(result, found)
    assert [text for text, _ in marked] == WANTED
    assert [text for _, text in marked] == WANTED


def test_the_image_of_a_crooked_page_stays_as_it_was_scanned(bench: Bench) -> None:
    content = saved(crooked(4.0), "JPEG", dpi=(200, 200), quality=80)
    result = bench.run(bench.source(content))
    assert result.pdf is not None
    assert content in result.pdf.read_bytes()
    assert result.text.split() == WANTED


def test_text_on_shaded_yellow_paper_with_show_through_is_read(bench: Bench) -> None:
    plain = np.asarray(crooked(0.0), np.float32)
    shade = np.linspace(110, 235, plain.shape[1], dtype=np.float32)[None, :]
    behind = np.asarray(crooked(0.0).transpose(Image.Transpose.FLIP_LEFT_RIGHT), np.float32)
    shaded = plain / 255 * shade * (0.88 + 0.12 * behind / 255)
    pixels = np.stack([shaded, shaded * 0.93, shaded * 0.75], axis=2).astype(np.uint8)
    found = recognise(pixels, (200, 200), open_engines(("deu",)), most_pixels=PLENTY)
    assert found.words.text().split() == WANTED


def test_light_letters_on_a_dark_field_are_read_beside_dark_ones(bench: Bench) -> None:
    page = crooked(0.0)
    draw = ImageDraw.Draw(page)
    draw.rectangle((150, 150, 1500, 300), fill=25)
    draw.text((200, 190), "ORDNUNGSAMT BESCHEID", fill=245, font=ImageFont.load_default(60))
    prepared = prepare(np.asarray(page), (200, 200), PLENTY)
    assert prepared.dark_fields
    assert not prepare(np.asarray(crooked(0.0)), (200, 200), PLENTY).dark_fields
    found = recognise(np.asarray(page), (200, 200), open_engines(("deu",)), most_pixels=PLENTY)
    assert "ORDNUNGSAMT" in found.words.text()
    assert WANTED[-1] in found.words.text()


def test_a_negative_is_read_like_the_page_itself(bench: Bench) -> None:
    negative = 255 - np.asarray(crooked(0.0))
    found = recognise(negative, (200, 200), open_engines(("deu",)), most_pixels=PLENTY)
    assert found.words.text().split() == WANTED


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (60, 20), (500, 3)])
def test_scraps_of_any_shape_are_read_without_complaint(
    bench: Bench, size: tuple[int, int]
) -> None:
    for value in (0, 128, 255):
        scrap = np.full(size, value, np.uint8)
        found = recognise(scrap, (300, 300), open_engines(("deu",)), most_pixels=PLENTY)
        assert (found.words.height, found.words.width) == size
        assert found.words.text() == ""


def test_a_fax_with_unequal_axes_is_read_in_its_true_shape(bench: Bench) -> None:
    tall = crooked(0.0).resize((1687, 1146), Image.Resampling.BICUBIC)
    found = recognise(np.asarray(tall), (204, 98), open_engines(("deu",)), most_pixels=PLENTY)
    assert (found.words.width, found.words.height) == (1687, 1146)
    places = [word.box for word in found.words]
    assert max(box[3] for box in places) < 1146
    wanted = set(WANTED)
    assert len(wanted & set(found.words.text().split())) > len(wanted) * 0.6


def test_a_sharper_scan_is_reduced_and_small_print_is_not(bench: Bench) -> None:
    fine = corpus("pages/dta_antiqua1879/dta_bebel_frau_1879_0146.tif")
    small = corpus("pages/modern_printscan_sim/beratungshilfe_p01.tif")
    dpi = {}
    for path, given in ((fine, 600), (small, 300)):
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
        dpi[path] = prepare(pixels, (given, given), PLENTY).dpi
    assert 250 <= dpi[fine] <= 300
    assert dpi[small] == 300


def test_a_sample_of_the_page_chooses_the_models(bench: Bench) -> None:
    program("tesseract")
    engines = open_engines(("frk",), (("deu",), ("no_such_model",)))
    assert list(engines.by_models) == [("frk",), ("deu",)]
    antiqua = np.asarray(crooked(0.0))
    read = recognise(antiqua, (200, 200), engines, most_pixels=PLENTY)
    assert read.models == ("deu",)
    with Image.open(corpus("pages/fraktur_goethe1809/fraktur_goethe1809_0034.tif")) as image:
        fraktur = np.asarray(image.convert("L"))
    read = recognise(fraktur, (300, 300), engines, most_pixels=PLENTY)
    assert read.models == ("frk",)


def test_facts_say_which_models_were_used_and_how_the_page_was_levelled(bench: Bench) -> None:
    source = bench.source(saved(crooked(3.0), "PNG", dpi=(200, 200)))
    batch = bench.batch(source)
    page = bench.recognised(batch, bench.pages(source)[0])
    facts = page.facts["recognition"]
    assert facts["languages"] == ["deu", "eng"]
    assert facts["levelled"] == pytest.approx(3.0, abs=0.3)
    assert facts["read_dpi"] <= 200
    blank = dataclasses.replace(page, facts=page.facts | {"examination": {"blank": True}})
    assert bench.recognised(batch, blank).facts["recognition"]["words"] == 0
