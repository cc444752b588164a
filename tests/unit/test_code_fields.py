"""A separator sheet whose code was spoilt is never taken for one that said nothing."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ingest.content.raster import Frame
from workers.separation import sheets
from workers.separation.examination import examine

SAID = {"DEP": "bauamt", "CASE": "BA-2026-000123", "SHEETS": "5"}


def frame(image: Image.Image) -> Frame:
    return Frame(pixels=np.asarray(image), mode="L", dpi=(300.0, 300.0), dpi_source="file")


def inked_corner(image: Image.Image) -> None:
    ImageDraw.Draw(image).rectangle((860, 690, 1150, 1000), fill=0)


def pen_strokes(image: Image.Image) -> None:
    for down in (800, 1000, 1200):
        ImageDraw.Draw(image).line((850, down, 1650, down + 120), fill=0, width=36)


def label(image: Image.Image) -> None:
    ImageDraw.Draw(image).rectangle((840, 680, 1180, 1020), fill=255)


@pytest.mark.parametrize("spoil", [inked_corner, pen_strokes, label])
def test_a_spoilt_code_beside_the_bars_is_noticed(spoil: object) -> None:
    sheet = sheets.render_sheet(SAID)
    assert callable(spoil)
    spoil(sheet)
    found = examine(frame(sheet))
    assert found["patch"] == "T"
    assert found["sheet_damaged"] is True


def test_a_sound_sheet_and_bare_bars_are_not_damaged() -> None:
    sound = examine(frame(sheets.render_sheet(SAID)))
    assert (sound["sheet_damaged"], sound["separator"]["kind"]) == (False, "sheet")
    bare = sheets.render_sheet(SAID)
    ImageDraw.Draw(bare).rectangle((0, 600, 2480, 2900), fill=255)
    found = examine(frame(bare))
    assert (found["patch"], found["sheet_damaged"]) == ("T", False)
