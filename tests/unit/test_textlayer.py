"""The invisible text: every word comes out of the PDF as it went in."""

from __future__ import annotations

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


def _marked(path: Path, page: Words) -> list[str]:
    """Return what selecting the place of each word gives."""
    across, down = 595.2 / page.width, 841.9 / page.height
    with pdfium.PdfDocument(path) as document:
        chosen = document[0].get_textpage()
        boxes = [word.box for line in page.lines for word in line.words]
        return [
            chosen.get_text_bounded(
                left * across - 0.3, 841.9 - bottom * down, right * across + 0.3, 841.9 - top * down
            ).strip()
            for left, top, right, bottom in boxes
        ]


def _line(*placed: tuple[str, int, int], top: int = 200, slope: float = 0.0) -> Line:
    found = tuple(
        Word(text=text, box=(left, top, right, top + 40), confidence=90.0)
        for text, left, right in placed
    )
    return Line(
        box=(placed[0][1], top, placed[-1][2], top + 40), words=found, baseline=(slope, 8.0)
    )


@pytest.mark.parametrize(
    "line",
    [
        _line(("Aktenzeichen", 50, 310), ("17", 330, 372), ("vom", 392, 450), ("Mai", 470, 525)),
        _line(("Summe", 50, 160), ("1.234,56", 900, 1050), ("Euro", 1062, 1130)),
        _line(("—", 50, 400), ("Datum", 420, 530), ("—", 560, 900), ("Ort", 920, 980)),
        _line(("Donaudampfschifffahrtsgesellschaftskapitän", 50, 460), ("Ende", 470, 560)),
        _line(("i", 50, 56), ("Wwwww", 70, 330), ("l", 345, 350), ("(Mm)", 365, 470)),
        _line(("eins", 50, 120), ("zwei", 140, 210), ("drei", 230, 300), slope=0.03),
    ],
)
def test_selecting_the_place_of_a_word_gives_that_word(tmp_path: Path, line: Line) -> None:
    page = Words(width=1240, height=1754, dpi=(150, 150), lines=(line,))
    path = _pdf(tmp_path / "a.pdf", page)
    wanted = [word.text for word in line.words]
    assert _marked(path, page) == wanted
    assert poppler_text(path)[0].split() == wanted
    assert pdfa.validate_written(path, "3b").passed


@pytest.mark.parametrize("rises", [True, False])
def test_a_line_that_runs_along_the_margin_is_marked_there(tmp_path: Path, *, rises: bool) -> None:
    places = [(400, 560), (580, 760), (780, 960)]
    texts = ["Dokument", "erstellt", "amtlich"]
    found = tuple(
        Word(text=text, box=(20, top, 50, bottom), confidence=80.0)
        for text, (top, bottom) in zip(texts, places[:: -1 if rises else 1], strict=True)
    )
    margin = Line(box=(20, 400, 50, 960), words=found, baseline=None)
    body = _line(("Sehr", 150, 240), ("geehrte", 260, 420))
    page = Words(width=1240, height=1754, dpi=(150, 150), lines=(margin, body))
    path = _pdf(tmp_path / "a.pdf", page)
    assert _marked(path, page) == [*texts, "Sehr", "geehrte"]
    assert sorted(poppler_text(path)[0].split()) == sorted([*texts, "Sehr", "geehrte"])


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
    with pikepdf.new() as pdf:
        operations = pikepdf.parse_content_stream(pdf.make_stream(content))
    names = [str(operation.operator) for operation in operations]
    assert names.count("BT") == names.count("ET") == (1 if content else 0)
    shown = [bytes(each.operands[0]) for each in operations if str(each.operator) == "Tj"]
    assert sum(map(len, shown)) == (2 * len(plain(text) + " ") if plain(text) else 0)


def _interrupted(path: Path) -> None:
    with PageFile(path) as pages:
        pages.add(_image(), width=100, height=100, turn=0, text=b"")
        raise ZeroDivisionError


def test_a_file_interrupted_by_an_error_is_not_completed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        _interrupted(tmp_path / "a.pdf")
    assert b"%%EOF" not in (tmp_path / "a.pdf").read_bytes()
