"""No page with anything on it counts as blank: one page of each kind, at the coarser resolution."""

from __future__ import annotations

import pytest

from bench.blank_pages import BLANK, MODES, WRITTEN, blank, is_on_image, written
from workers.separation.blanks import count_marks

DPI = (200.0, 200.0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", WRITTEN)
def test_little_writing_on_yellowed_paper_is_writing(kind: str, mode: str) -> None:
    if not is_on_image(kind, "yellowed", mode):
        pytest.skip("a bitonal capture does not show it")
    assert count_marks(written(kind, "yellowed", 200, mode, 1), DPI) > 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", [kind for kind in BLANK if kind not in {"bleed 25%", "crease"}])
def test_a_page_with_nothing_on_it_is_blank(kind: str, mode: str) -> None:
    assert count_marks(blank(kind, "white", 200, mode, 1), DPI) == 0
