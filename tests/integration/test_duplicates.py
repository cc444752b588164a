"""A sheet scanned twice is told among the pages that are read, never among sheets that separate."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pikepdf
from PIL import Image, ImageDraw

from tests.plugins import papers
from tests.plugins.stacks import Stack, documents

_ROWS = ["Bescheid 17 über Gebühren", "Antrag vom Mai", "Rechnung 4711", "Zahlbar bis Juni"]


def _letter() -> Image.Image:
    letter = Image.new("L", (papers.SIZE[0], 1200), 255)
    for row, text in enumerate(_ROWS):
        letter.paste(papers.page(text).crop((0, 150, 900, 250)), (20, 200 + 180 * row))
    return letter


def _patch_2() -> Image.Image:
    """Return a sheet with patch code 2 and a line of text, as printed sheets have."""
    sheet = _letter()
    pen = ImageDraw.Draw(sheet)
    top = 700.0
    pen.rectangle((0, 660, 900, 1200), fill=255)
    for width in (0.20, 0.08, 0.08, 0.20):
        pen.rectangle((60, top, 840, top + width * 300), fill=20)
        top += (width + 0.08) * 300
    return sheet


def _stack(folder: Path, name: str, content: bytes) -> Stack:
    path = folder / name
    path.write_bytes(content)
    return Stack(folder=folder, paths=[path])


def test_sheets_that_separate_are_alike_and_no_sheet_scanned_twice(tmp_path: Path) -> None:
    content = papers.tiff("eins", _patch_2(), "drei", _patch_2(), "fünf")
    outcome = _stack(tmp_path, "stapel.tif", content).cut()
    assert documents(outcome) == [[1], [3], [5]]
    assert outcome.facts["duplicates"] == []


def test_a_scan_that_was_opened_with_a_password_is_compared_like_any_other(tmp_path: Path) -> None:
    scanned = io.BytesIO()
    letter = _letter()
    letter.save(scanned, "PDF", save_all=True, append_images=[letter], resolution=300)
    stack = _stack(tmp_path, "stapel.pdf", scanned.getvalue())
    stack.inspect()
    assert not stack.sources[0].facts["electronic"]
    locked = tmp_path / "locked.pdf"
    with pikepdf.open(io.BytesIO(scanned.getvalue())) as pdf:
        pdf.save(locked, encryption=pikepdf.Encryption(user="geheim", owner="geheim"))
    context = stack.context
    kept = context.keep(locked)
    context.close()
    (source,) = stack.sources
    opened = dataclasses.replace(source, sha256=kept.sha256, opened_sha256=source.sha256)
    stack.sources = (opened,)
    stack.examine()
    found = stack.separate().facts["duplicates"]
    assert [(entry["page"], entry["of"]) for entry in found] == [(2, 1)]
