"""Recognition of one page, with the real engine."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.plugins.scanning import LINES, Bench, corpus, letter, program, saved
from workers.recognition import words as kept
from workers.recognition.engine import (
    ProgramEngine,
    model_digest,
    open_engine,
    open_engines,
    tessdata,
)
from workers.recognition.reading import recognise

LANGUAGES = ("deu", "eng")
PLENTY = 40_000_000


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    program("tesseract")
    return Bench(tmp_path)


def test_a_letter_is_read_with_its_umlauts_and_places(bench: Bench) -> None:
    source = bench.source(saved(letter(), "PNG"))
    batch = bench.batch(source)
    page = bench.recognised(batch, bench.pages(source)[0])
    assert page.words_sha256 is not None
    found = kept.from_json(bench.context().read(page.words_sha256))
    assert found.text().split("\n") == list(LINES)
    facts = page.facts["recognition"]
    assert facts["words"] == sum(len(line.split()) for line in LINES)
    assert facts["confidence"] > 85
    assert facts["orientation"] == 0
    first = found.lines[0].words[0]
    assert first.text == "Sehr"
    assert 80 <= first.box[0] <= 100
    assert 85 <= first.box[1] <= 115


@pytest.mark.parametrize("lies", [90, 180, 270])
def test_a_turned_page_comes_out_upright(bench: Bench, lies: int) -> None:
    turned = letter().rotate(-lies, expand=True)
    source = bench.source(saved(turned, "PNG"))
    batch = bench.batch(source)
    page = bench.recognised(batch, bench.pages(source)[0])
    assert page.facts["recognition"]["orientation"] == (360 - lies) % 360
    assert page.words_sha256 is not None
    found = kept.from_json(bench.context().read(page.words_sha256))
    assert (found.width, found.height) == (1240, 900)
    assert found.text().split("\n")[0] == LINES[0]


def test_a_page_stays_as_it_lies_where_the_profile_says_so(bench: Bench) -> None:
    pixels = np.asarray(letter().rotate(180))
    found = recognise(
        pixels, (150, 150), open_engines(LANGUAGES), orientation=False, most_pixels=PLENTY
    ).words
    assert found.orientation == 0


def test_a_large_page_is_reduced_and_its_boxes_are_those_of_the_full_one(bench: Bench) -> None:
    large = letter().resize((3720, 2700))
    found = recognise(
        np.asarray(large), (450, 450), open_engines(LANGUAGES), most_pixels=1_200_000
    ).words
    assert (found.width, found.height) == (3720, 2700)
    assert found.text().split("\n")[0] == LINES[0]
    assert 240 <= found.lines[0].words[0].box[0] <= 300


def test_text_on_a_small_grey_sheet_within_white_is_found(bench: Bench) -> None:
    """One threshold for the whole page takes the grey sheet for ink."""
    page = Image.new("L", (1654, 2339), 255)
    sheet = letter(size=(1240, 700)).point(lambda value: 150 if value > 128 else 60)
    page.paste(sheet, (200, 800))
    engines = open_engines(LANGUAGES)
    found = recognise(np.asarray(page), (200, 200), engines, most_pixels=PLENTY).words
    assert "Grundstücks" in found.text()


def test_a_blank_page_and_a_page_with_its_own_text_are_not_recognised(bench: Bench) -> None:
    source = bench.source(saved(letter(), "PNG"))
    batch = bench.batch(source)
    page = bench.pages(source)[0]
    examined = page.facts["examination"] | {"blank": True}
    blank = dataclasses.replace(page, facts=page.facts | {"examination": examined})
    own = dataclasses.replace(page, facts=page.facts | {"inspection": {"text": True}})
    for given, native in ((blank, False), (own, True)):
        read = bench.recognised(batch, given)
        assert read.words_sha256 is None
        assert read.facts["recognition"]["words"] == 0
        assert read.facts["recognition"]["native_text"] is native
        assert read.facts["recognition"]["anomaly"] is None


def test_a_page_that_does_not_decode_is_named_and_does_not_stop_the_others(bench: Bench) -> None:
    source = bench.source(saved(letter(), "JPEG")[:4000])
    batch = bench.batch(source)
    page = bench.recognised(batch, bench.pages(source)[0])
    assert page.facts["recognition"]["anomaly"] == "undecodable"


def test_the_program_gives_the_same_words_as_the_library(bench: Bench) -> None:
    pixels = np.asarray(letter())
    inside = open_engine(LANGUAGES).read(pixels, 150)
    beside = ProgramEngine(tessdata(), LANGUAGES).read(pixels, 150)
    words = [[word.text for word in line.words] for line in inside.lines]
    assert [[word.text for word in line.words] for line in beside.lines] == words


def test_the_model_digest_tells_models_apart(bench: Bench) -> None:
    assert model_digest(("deu",)) != model_digest(("deu", "eng"))
    assert len(model_digest(("deu",))) == 64


def test_pages_of_a_real_stack_in_all_directions_come_out_upright(bench: Bench) -> None:
    source = bench.source(corpus("stacks/D_orientation_jpeg.tif"))
    batch = bench.batch(source)
    expected = {7: 0, 8: 180, 10: 270, 12: 90}
    pages = bench.pages(source)
    read = {index: bench.recognised(batch, pages[index]) for index in expected}
    turns = {index: page.facts["recognition"]["orientation"] for index, page in read.items()}
    assert turns == expected


@pytest.mark.corpus
def test_every_page_of_the_orientation_stack_reads_well_after_turning(bench: Bench) -> None:
    source = bench.source(corpus("stacks/D_orientation_jpeg.tif"))
    batch = bench.batch(source)
    read = [bench.recognised(batch, page) for page in bench.pages(source)]
    assert all(page.facts["recognition"]["confidence"] > 60 for page in read)
