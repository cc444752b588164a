"""Signs join the words they stand behind, and nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.recognition.mending import mended
from workers.recognition.words import Line, Word


def line(*texts: str, gap: int = 8, top: int = 0) -> Line:
    """Words of 10 pixels a character, 40 high, with `gap` pixels between."""
    words, at = [], 0
    for text in texts:
        box = (at, top, at + 10 * len(text), top + 40)
        words.append(Word(text=text, box=box, confidence=90.0))
        at = box[2] + gap
    return Line(box=(0, top, at - gap, top + 40), words=tuple(words))


def texts(found: tuple[Line, ...]) -> list[list[str]]:
    return [[word.text for word in one.words] for one in found]


def test_a_sign_close_behind_a_word_is_part_of_it() -> None:
    (found,) = mended([line("macht", ";", "wenn")], ("frk",))
    assert [word.text for word in found.words] == ["macht;", "wenn"]
    assert found.words[0].box == (0, 0, 68, 40)


@pytest.mark.parametrize("apart", [("macht", "-", "wenn"), ("12", "€"), (";", ";"), ("§", "5")])
def test_what_is_no_sign_behind_a_word_stays_apart(apart: tuple[str, ...]) -> None:
    assert texts(mended([line(*apart)], ("frk",))) == [list(apart)]


def test_a_sign_far_behind_stays_apart() -> None:
    assert texts(mended([line("Betrag", ".", gap=30)], ("frk",))) == [["Betrag", "."]]


def test_antiqua_stays_as_it_was_read() -> None:
    assert texts(mended([line("macht", ";", "wenn")], ("deu", "eng"))) == [["macht", ";", "wenn"]]


def test_only_fraktur_parts_words_by_a_double_stroke() -> None:
    parted = [line("men»"), line("schen", top=50), line("sagt»"), line("Er", top=100)]
    assert texts(mended(parted, ("frk",))) == [["men-"], ["schen"], ["sagt»"], ["Er"]]
    assert texts(mended(parted, ("deu", "eng"))) == [["men»"], ["schen"], ["sagt»"], ["Er"]]


@given(st.lists(st.text("abZ,.;:-»= 1", min_size=1, max_size=4), max_size=8))
def test_no_character_is_lost_and_none_is_added(parts: list[str]) -> None:
    given_line = line(*parts)
    (found,) = mended([given_line], ("frk",))
    assert "".join(word.text for word in found.words) == "".join(parts)
    assert found.box == given_line.box
