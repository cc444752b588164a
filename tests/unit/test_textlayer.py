"""The invisible text: every word comes out of the PDF as it went in."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pikepdf
import pypdfium2 as pdfium
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pikepdf import pdfa

from tests.plugins.scanning import pdfium_text, poppler_text
from workers.recognition import archive, words
from workers.recognition.pagefile import ORIENTATIONS, PageFile, PageImage
from workers.recognition.scans import finish_text
from workers.recognition.textlayer import TextLayer, font_program, plain
from workers.recognition.words import Line, Word, Words


def _image(width: int = 40, height: int = 60) -> PageImage:
    return PageImage(
        width=width,
        height=height,
        bits=8,
        colour="/DeviceGray",
        filter="/FlateDecode",
        parameters="",
        data=zlib.compress(b"\xff" * (width * height)),
        components=1,
    )


def _words(*lines: str, slope: float = 0.0) -> Words:
    made = []
    for row, text in enumerate(lines):
        top, left = 100 + 60 * row, 50
        found = []
        for token in text.split():
            right = left + 22 * len(token)
            found.append(Word(text=token, box=(left, top, right, top + 40), confidence=90.0))
            left = right + 18
        box = (50, top, left, top + 40)
        made.append(Line(box=box, words=tuple(found), baseline=(slope, 8.0)))
    return Words(width=1240, height=1754, dpi=(150, 150), lines=tuple(made))


def _pdf(path: Path, *pages: Words) -> Path:
    layer = TextLayer()
    draft = path.with_name("draft.pdf")
    with PageFile(draft) as made:
        for page in pages:
            text = layer.content(page, 595.2, 841.9)
            made.add(_image(), width=595.2, height=841.9, turn=0, text=text)
    with pikepdf.open(draft) as pdf:
        finish_text(pdf, layer)
        archive.declare(pdf, "Probe")
        archive.save(pdf, path)
    return path


@pytest.mark.parametrize("read", [poppler_text, pdfium_text])
def test_umlauts_euro_single_letters_and_rare_characters_come_out_of_any_reader(
    tmp_path: Path, read: object
) -> None:
    line = "Größe ÄÖÜ äöü ß € § a 8 „Maßnahme“ \U0001d504\U0001d505 naïve Łódź"
    path = _pdf(tmp_path / "a.pdf", _words(line, "I a b c"))
    (text,) = read(path)  # type: ignore[operator]  # one of the two readers
    assert text.split() == [*line.split(), "I", "a", "b", "c"]


def test_a_slanted_line_keeps_its_words_whole_and_in_order(tmp_path: Path) -> None:
    path = _pdf(
        tmp_path / "a.pdf", _words("Gerichtsverfahrens innerhalb eines Zeitraums", slope=0.02)
    )
    assert poppler_text(path)[0].split() == pdfium_text(path)[0].split()
    assert poppler_text(path)[0].split()[3] == "Zeitraums"


def test_a_word_is_marked_where_it_stands(tmp_path: Path) -> None:
    page = _words("Aktenzeichen 17")
    path = _pdf(tmp_path / "a.pdf", page)
    with pdfium.PdfDocument(path) as document:
        textpage = document[0].get_textpage()
        left, _, right, _ = textpage.get_rect(0) if textpage.count_rects() else (0, 0, 0, 0)
    box = page.lines[0].words[0].box
    assert left == pytest.approx(box[0] * 0.48, abs=2)
    assert right >= box[2] * 0.48 - 2


def test_ligatures_are_written_as_letters_and_controls_not_at_all() -> None:
    assert plain("P\ufb02icht\u00ad \ufb01nden\x07") == "Pflicht finden"


def test_the_layer_is_invisible_and_its_file_valid(tmp_path: Path) -> None:
    path = _pdf(tmp_path / "a.pdf", _words("schwarz auf weiß"))
    assert pdfa.validate_written(path, "3b").passed
    with pdfium.PdfDocument(path) as document:
        assert document[0].render().to_numpy().min() > 250


def test_a_page_without_words_has_no_text(tmp_path: Path) -> None:
    empty = Words(width=100, height=100, dpi=(150, 150))
    path = _pdf(tmp_path / "a.pdf", _words("eins"), empty, _words("drei"))
    assert [text.split() for text in pdfium_text(path)] == [["eins"], [], ["drei"]]


def test_the_font_is_the_same_bytes_every_time() -> None:
    first = font_program()
    font_program.cache_clear()
    assert font_program() == first


@pytest.mark.parametrize("tag", sorted(ORIENTATIONS))
def test_every_orientation_maps_the_page_onto_itself(tag: int) -> None:
    a, b, c, d, e, f = ORIENTATIONS[tag]
    corners = {(a * u + c * v + e, b * u + d * v + f) for u in (0, 1) for v in (0, 1)}
    assert corners == {(0, 0), (0, 1), (1, 0), (1, 1)}


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zs")), min_size=1),
        max_size=5,
    )
)
def test_words_survive_being_kept(texts: list[str]) -> None:
    found = tuple(Word(text=text, box=(1, 2, 3, 4), confidence=12.5) for text in texts)
    page = Words(
        width=9,
        height=8,
        dpi=(300, 200),
        orientation=90,
        lines=(Line(box=(1, 2, 3, 4), words=found),),
    )
    assert words.from_json(page.to_json()) == page


@given(st.text(max_size=30))
def test_any_text_gives_content_that_a_parser_accepts(text: str) -> None:
    word = Word(text=text, box=(10, 10, 10, 10), confidence=1.0)
    page = Words(
        width=100, height=100, dpi=(72, 72), lines=(Line(box=(10, 10, 10, 10), words=(word,)),)
    )
    content = TextLayer().content(page, 100, 100)
    shown = re.findall(rb"<([0-9A-F]*)> Tj", content)
    assert all(len(codes) % 4 == 0 for codes in shown)
    assert content.count(b"BT") == content.count(b"ET") == 1


def _interrupted(path: Path) -> None:
    with PageFile(path) as pages:
        pages.add(_image(), width=100, height=100, turn=0, text=b"")
        raise ZeroDivisionError


def test_a_file_interrupted_by_an_error_is_not_completed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        _interrupted(tmp_path / "a.pdf")
    assert b"%%EOF" not in (tmp_path / "a.pdf").read_bytes()
