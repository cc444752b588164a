"""No page with anything on it counts as blank: one page of each kind, at the coarser resolution."""

from __future__ import annotations

import pytest

from bench.blank_pages import BLANK, MODES, WRITTEN, blank, is_on_image, stands_out, written
from workers.separation.blanks import count_marks

DPI = (200.0, 200.0)


SHOWN = [
    (kind, mode) for kind in WRITTEN for mode in MODES
    if stands_out(kind, "yellowed") and is_on_image(kind, "yellowed", mode)
]  # fmt: skip


@pytest.mark.parametrize(("kind", "mode"), SHOWN)
def test_little_writing_on_yellowed_paper_is_writing(kind: str, mode: str) -> None:
    assert count_marks(written(kind, "yellowed", 200, mode, 1), DPI) > 0


@pytest.mark.parametrize("mode", ["grey", "colour"])
@pytest.mark.parametrize("kind", ["note in white", "pencil note, grey 120", "tick mark, pen"])
def test_writing_on_coloured_paper_is_writing_though_it_be_lighter(kind: str, mode: str) -> None:
    assert count_marks(written(kind, "blue", 200, mode, 1), DPI) > 0


def test_coloured_paper_with_nothing_on_it_is_blank() -> None:
    assert count_marks(blank("plain", "red", 200, "colour", 1), DPI) == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", [kind for kind in BLANK if kind not in {"bleed 25%", "crease"}])
def test_a_page_with_nothing_on_it_is_blank(kind: str, mode: str) -> None:
    assert count_marks(blank(kind, "white", 200, mode, 1), DPI) == 0
