"""Words as ALTO: every word once, in order, where it stands, with its confidence."""

from __future__ import annotations

from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st

from workers.recognition.alto import LaidPage, alto
from workers.recognition.words import Line, Word, Words

_ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"
_texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1)


def words_of(texts: list[list[str]]) -> Words:
    lines = [
        Line(
            box=(10, 100 * number, 900, 100 * number + 40),
            baseline=(0.01, 8.0),
            words=tuple(
                Word(
                    text=text,
                    box=(10 + 50 * place, 100 * number, 50 + 50 * place, 100 * number + 40),
                    confidence=87.5,
                )
                for place, text in enumerate(line)
            ),
        )
        for number, line in enumerate(texts, 1)
    ]
    return Words(width=2480, height=3508, dpi=(300, 300), lines=tuple(lines))


@given(st.lists(st.lists(_texts, min_size=1, max_size=4), max_size=4))
def test_every_word_stands_once_in_reading_order_with_place_and_confidence(
    texts: list[list[str]],
) -> None:
    page = LaidPage(number=1, image="ab" * 32, words=words_of(texts), engine="tesseract 5.5.4")
    root = ElementTree.fromstring(alto([page]))
    strings = root.findall(f".//{_ALTO}String")
    assert [string.get("CONTENT") for string in strings] == [t for line in texts for t in line]
    assert all(string.get("WC") == "0.875" for string in strings)
    assert all(string.get("WIDTH") == "40" for string in strings)
    assert len(root.findall(f".//{_ALTO}TextLine")) == len(texts)
    identifiers = [element.get("ID") for element in root.iter() if element.get("ID")]
    assert len(identifiers) == len(set(identifiers))


def test_a_page_without_words_keeps_its_place_and_software_is_named_once() -> None:
    read = LaidPage(number=1, image="ab", words=words_of([["Eins"]]), engine="tesseract 5.5.4")
    blank = LaidPage(number=2, image="cd", words=None)
    again = LaidPage(number=3, image="ef", words=words_of([["Drei"]]), engine="tesseract 5.5.4")
    root = ElementTree.fromstring(alto([read, blank, again]))
    pages = root.findall(f".//{_ALTO}Page")
    assert [page.get("PHYSICAL_IMG_NR") for page in pages] == ["1", "2", "3"]
    assert pages[1].find(f".//{_ALTO}String") is None
    software = root.findall(f".//{_ALTO}softwareName")
    assert [name.text for name in software] == ["tesseract 5.5.4"]


def test_the_baseline_follows_a_crooked_line() -> None:
    page = LaidPage(number=1, image="ab", words=words_of([["schief"]]))
    (line,) = ElementTree.fromstring(alto([page])).findall(f".//{_ALTO}TextLine")
    assert line.get("BASELINE") == "10,132 900,141"


def test_controls_that_xml_cannot_write_are_left_out() -> None:
    page = LaidPage(number=1, image="ab", words=words_of([["Ak\x0cte\x00"]]))
    (string,) = ElementTree.fromstring(alto([page])).findall(f".//{_ALTO}String")
    assert string.get("CONTENT") == "Akte"
