from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pikepdf
import pytest
import zxingcpp
from PIL import Image

from ingest.content import tiff
from ingest.document import PageRole
from ingest.errors import (
    CountMismatch,
    DecompressionBomb,
    SeparatorUnreadable,
    Unclear,
    Unreadable,
)
from tests.plugins import papers
from tests.plugins.stacks import Stacked, documents, omitted
from workers.separation import sheets

BLANK = Image.new("L", papers.SIZE, 250)


def test_a_stack_is_cut_at_its_sheets(stacked: Stacked) -> None:
    sheet = papers.separator({"DEP": "bauamt", "CASE": "BA-2026-000123"})
    outcome = stacked(papers.tiff("eins", sheet, "zwei", "drei", sheet, "vier")).cut()
    assert documents(outcome) == [[1], [3, 4], [6]]
    assert omitted(outcome, "separator") == [2, 5]
    assert outcome.parts[0].hints == {}
    assert outcome.parts[1].hints["department"] == "bauamt"
    assert outcome.parts[2].hints["case_reference"] == "BA-2026-000123"
    assert outcome.roles == {2: PageRole.SEPARATOR, 5: PageRole.SEPARATOR}


def test_a_name_on_a_sheet_is_not_taken_and_the_rest_of_the_sheet_is(stacked: Stacked) -> None:
    named = papers.separator({"DEP": "bauamt", "OP": "Erika Muster"})
    coded = papers.separator({"OP": "op17"})
    outcome = stacked(papers.tiff(named, "zwei", coded, "vier")).cut()
    [first, second] = [part.hints for part in outcome.parts]
    assert first["department"] == "bauamt"
    assert "operator" not in first
    assert "Muster" not in json.dumps(first)
    assert [(told["code"], told["page"]) for told in first["anomalies"]] == [
        ("operator_refused", 1)
    ]
    assert second["operator"] == "op17"
    assert "anomalies" not in second


def test_sheets_at_the_ends_and_side_by_side_make_no_empty_document(stacked: Stacked) -> None:
    sheet = papers.separator()
    outcome = stacked(papers.tiff(sheet, "eins", sheet, sheet, "zwei", sheet)).cut()
    assert documents(outcome) == [[2], [5]]


def test_the_back_of_a_sheet_goes_with_it_and_other_blanks_stay(stacked: Stacked) -> None:
    stack = papers.tiff("eins", BLANK, papers.separator(), BLANK, "zwei", BLANK)
    outcome = stacked(stack).cut()
    assert documents(outcome) == [[1, 2], [5, 6]]
    assert omitted(outcome, "blank") == [4]
    assert outcome.roles[6] is PageRole.BLANK_SUSPECT


def test_blank_pages_are_left_out_where_the_profile_says_so(stacked: Stacked) -> None:
    stack = papers.tiff("eins", BLANK, papers.separator(), BLANK, "zwei", BLANK)
    outcome = stacked(stack, profile="stapel-duplex").cut()
    assert documents(outcome) == [[1], [5]]
    assert omitted(outcome, "blank") == [2, 4, 6]


def test_several_scanned_files_of_one_batch_are_one_stack(stacked: Stacked) -> None:
    sheet = papers.separator()
    outcome = stacked(papers.tiff("1", sheet), papers.png("3"), papers.tiff("4", sheet, "6")).cut()
    assert documents(outcome) == [[1], [3, 4], [6]]
    assert [part.source for part in outcome.parts] == [1, 2, 3]


def test_an_electronic_original_stands_alone_between_scans(stacked: Stacked) -> None:
    mail = b"From: a@b.de\r\nTo: c@d.de\r\nDate: x\r\nSubject: Antrag\r\n\r\nText"
    letter = sheets.render_pdf({})
    outcome = stacked(papers.png("1"), mail, papers.png("2"), papers.png("3"), letter).cut()
    assert [(part.source, part.pages) for part in outcome.parts] == [
        (1, (1,)),
        (2, ()),
        (3, (2, 3)),
    ]
    assert omitted(outcome, "separator") == [4]


def test_a_stack_of_sheets_only_needs_a_person(stacked: Stacked) -> None:
    stack = stacked(papers.tiff(papers.separator(), BLANK))
    with pytest.raises(Unclear) as raised:
        stack.cut()
    assert raised.value.code == "nothing_to_deliver"


def test_a_stack_of_blanks_only_is_kept_on_request(stacked: Stacked) -> None:
    options = {"profile": "stapel-duplex"}
    with pytest.raises(Unclear):
        stacked(papers.tiff(BLANK, BLANK), **options).cut()
    released = stacked(papers.tiff(BLANK, BLANK), released={"blank": "keep"}, **options)
    assert documents(released.cut()) == [[1, 2]]


@pytest.mark.parametrize(("sheet_count", "fits"), [(4, True), (3, True), (2, True), (5, False)])
def test_the_operators_count_is_compared(stacked: Stacked, sheet_count: int, fits: bool) -> None:
    stack = stacked(papers.tiff("1", papers.separator(), "3", "4"), expected_sheets=sheet_count)
    if fits:
        assert len(stack.cut().parts) == 2
        return
    with pytest.raises(CountMismatch) as raised:
        stack.cut()
    assert "5 Blatt" in raised.value.operator_text
    stack.released = {"count": "accepted"}
    assert len(stack.separate().parts) == 2


@pytest.mark.parametrize(("sheet_count", "fits"), [(2, True), (1, True), (3, False)])
def test_the_count_of_an_electronic_stack_is_compared_as_well(
    stacked: Stacked, sheet_count: int, fits: bool
) -> None:
    letter = _electronic(2)
    stack = stacked(letter, expected_sheets=sheet_count)
    if fits:
        assert documents(stack.cut()) == [[1, 2]]
        return
    with pytest.raises(CountMismatch) as raised:
        stack.cut()
    assert "3 Blatt" in raised.value.operator_text
    assert "count=accepted" in raised.value.operator_text
    stack.released = {"count": "accepted"}
    assert documents(stack.separate()) == [[1, 2]]


@pytest.mark.parametrize("sheet_count", [1, 3])
def test_beside_scans_electronic_pages_may_be_counted_or_not(
    stacked: Stacked, sheet_count: int
) -> None:
    outcome = stacked(papers.png("1"), _electronic(2), expected_sheets=sheet_count).cut()
    assert documents(outcome) == [[1], [2, 3]]


def test_a_count_that_nothing_can_be_compared_with_is_said_to_be_unchecked(
    stacked: Stacked,
) -> None:
    mail = b"From: a@b.de\r\nTo: c@d.de\r\nDate: x\r\nSubject: Antrag\r\n\r\nText"
    outcome = stacked(mail, expected_sheets=2).cut()
    [finding] = outcome.facts["findings"]
    assert finding["code"] == "count_not_checked"
    assert "2 Blatt" in finding["text"]


def _electronic(pages: int) -> bytes:
    """Return a PDF that was never paper."""
    stream = io.BytesIO()
    with pikepdf.new() as document:
        for _ in range(pages):
            page = document.add_blank_page()
            font = pikepdf.Dictionary(
                Type=pikepdf.Name.Font,
                Subtype=pikepdf.Name.Type1,
                BaseFont=pikepdf.Name.Helvetica,
            )
            page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
            page.Contents = document.make_stream(b"BT /F1 24 Tf 72 600 Td (Antrag) Tj ET")
        document.save(stream)
    return stream.getvalue()


def test_a_damaged_sheet_is_asked_about_and_never_guessed(stacked: Stacked) -> None:
    stack = stacked(papers.tiff("1", _damaged_sheet(), "3"))
    with pytest.raises(SeparatorUnreadable, match="2") as raised:
        stack.cut()
    assert "Seite 2" in raised.value.operator_text
    stack.released = {"not_a_separator": "yes"}
    assert documents(stack.separate()) == [[1, 2, 3]]


def test_a_page_that_does_not_decode_holds_a_scan_and_names_itself(stacked: Stacked) -> None:
    stack = stacked(_one_strip_destroyed())
    with pytest.raises(Unreadable, match=r"\[2\]") as raised:
        stack.cut()
    assert "Seite 2" in raised.value.operator_text
    stack.released = {"skip_unreadable": "yes"}
    outcome = stack.separate()
    assert documents(outcome) == [[1, 3]]
    assert omitted(outcome, "unreadable") == [2]
    assert outcome.parts[0].hints["anomalies"][0]["page"] == 2
    stack.released = {"as_is": "yes"}
    outcome = stack.separate()
    assert documents(outcome) == [[]]
    assert omitted(outcome, "unreadable") == [1, 2, 3]


def test_a_damaged_fax_is_a_page_with_the_complaint_of_its_decoder(stacked: Stacked) -> None:
    stack = stacked(papers.damaged_fax("Ein Brief"))
    assert documents(stack.cut()) == [[1]]
    examined = stack.pages[0].facts["examination"]
    assert "Fax4Decode" in examined["damaged"]
    assert examined["undecodable"] is None


def test_a_pdf_page_made_of_one_huge_picture_is_a_bomb(stacked: Stacked) -> None:
    with pikepdf.open(io.BytesIO(papers.pdf("x"))) as document:
        for item in document.objects:
            if isinstance(item, pikepdf.Stream) and item.get("/Subtype") == "/Image":
                item.Width, item.Height = 60_000, 60_000
        target = io.BytesIO()
        document.save(target)
    with pytest.raises(DecompressionBomb):
        stacked(target.getvalue()).inspect()


def _damaged_sheet() -> Image.Image:
    """Return a page whose code begins like that of our sheet, with a check that fails."""
    payload = sheets.build({"NO": "1"})[:-1] + "!"
    code = zxingcpp.create_barcode(payload, zxingcpp.BarcodeFormat.QRCode)
    page = Image.new("L", papers.SIZE, 255)
    page.paste(Image.fromarray(np.array(code.to_image(scale=8))), (300, 60))
    return page


def _one_strip_destroyed() -> bytes:
    """Return a TIFF of three pages, the second of which is whole by its structure only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stapel.tif"
        pages = [papers.page(text).convert("L") for text in ("eins", "zwei", "drei")]
        pages[0].save(
            path, format="TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw"
        )
        content = bytearray(path.read_bytes())
        offset, length = next(tiff.frames(path)[1].extents())
    content[offset : offset + length] = b"\xff" * length
    return bytes(content)


def test_a_sheet_scanned_twice_and_an_overlong_page_are_told_and_nothing_is_left_out(
    stacked: Stacked,
) -> None:
    lines = [f"Bescheid {row} über Gebühren {row * 7919 % 1000}" for row in range(4)]
    first, other = (_written(texts) for texts in (lines, lines[2:] + ["Antrag vom Mai"] * 2))
    again = Image.new("L", first.size, 255)
    again.paste(first, (14, -9))
    long = Image.new("L", (first.width, first.height * 2), 255)
    long.paste(_written(lines[::-1]))
    stack = stacked(papers.tiff(first, other, again, long))
    outcome = stack.cut()
    found = outcome.facts["duplicates"]
    assert [(entry["page"], entry["of"]) for entry in found] == [(3, 1)]
    assert [entry["page"] for entry in outcome.facts["overlong"]] == [4]
    assert documents(outcome) == [[1, 2, 3, 4]]


def _written(lines: list[str]) -> Image.Image:
    page = Image.new("L", (papers.SIZE[0], 1200), 255)
    for row, line in enumerate(lines):
        page.paste(papers.page(line).crop((0, 150, 900, 250)), (20, 200 + 180 * row))
    return page
