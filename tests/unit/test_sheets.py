from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from ingest.content.raster import Frame, Pixels
from workers.separation import sheets
from workers.separation.codes import read_codes
from workers.separation.examination import examine
from workers.separation.patches import find_patch

DPI = (150.0, 150.0)
KEYS = st.from_regex(r"[A-Z]{2,12}", fullmatch=True).filter(lambda key: key != "SEP")


@given(st.dictionaries(KEYS, st.text(max_size=40), max_size=5))
def test_what_is_built_is_what_is_parsed(fields: dict[str, str]) -> None:
    assert sheets.parse(sheets.build(fields)) == {"SEP": "DOC", **fields}


@given(st.data())
def test_one_wrong_character_never_passes(data: st.DataObject) -> None:
    payload = sheets.build({"DEP": "bauamt", "REC": "2026-11-20"})
    at = data.draw(st.integers(0, len(payload) - 1))
    wrong = data.draw(st.characters(codec="ascii").filter(lambda char: char != payload[at]))
    changed = payload[:at] + wrong + payload[at + 1 :]
    try:
        assert sheets.parse(changed) is None
    except sheets.SheetDamaged:
        assert changed.startswith(sheets.PREFIX)


@pytest.mark.parametrize(
    "text", ["", "BCD\n002\n1\nSCT", "SCAN12;SEP=DOC", "TAG:invoice", "https://example.org"]
)
def test_foreign_codes_are_not_ours(text: str) -> None:
    assert sheets.parse(text) is None


def test_a_key_that_cannot_be_told_from_the_check_is_refused() -> None:
    with pytest.raises(ValueError, match="C"):
        sheets.build({"C": "1"})


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_printed_sheet_is_found_whichever_way_it_lies(turn: int) -> None:
    fields = {"DEP": "bauamt", "CASE": "BA-2026-000123 Grünfläche"}
    page = sheets.render_sheet(fields, dpi=150).rotate(turn, expand=True)
    pixels = np.asarray(page)
    found = read_codes(pixels, DPI)
    assert found.separator is not None
    assert found.separator["payload"] == {"SEP": "DOC", **fields}
    assert find_patch(pixels, DPI).patch == "T"


SAID = {
    "CLASS": "archiv",
    "DEP": "bauamt",
    "REC": "2026-11-20",
    "CASE": "BA-2026-000123",
    "SHEETS": "12",
    "NO": "7",
}
SHORT = {"CLASS": "archiv"}


def worn(page: Image.Image, turn: float, noise: float, *, bitonal: bool) -> Pixels:
    """Return the page as a scanner may give it: turned, blurred, noisy, perhaps of one bit."""
    turned = page.rotate(turn, fillcolor=250, resample=Image.Resampling.BICUBIC)
    pixels = np.asarray(turned.filter(ImageFilter.GaussianBlur(1.2)), dtype=float)
    pixels += np.random.default_rng(5).normal(0, noise, pixels.shape)
    if bitonal:
        pixels = np.where(pixels > 128, 255.0, 0.0)
    return np.asarray(np.clip(pixels, 0, 255), dtype=np.uint8)


@pytest.mark.parametrize(("title", "bitonal"), [("TRENNBLATT", False), ("DECKBLATT", True)])
@pytest.mark.parametrize("turn", [-2.0, 182.0])
@pytest.mark.parametrize("symbology", sheets.SYMBOLOGIES)
def test_a_worn_sheet_says_what_was_printed(
    symbology: str, turn: float, title: str, bitonal: bool
) -> None:
    fields = SHORT if symbology == "code128" else SAID
    page = sheets.render_sheet(fields, 300, symbology, title)
    pixels = worn(page, turn, 20, bitonal=bitonal)
    found = examine(Frame(pixels=pixels, dpi=(300.0, 300.0), dpi_source="file", mode="L"))
    assert found["separator"]["payload"] == {"SEP": "DOC", **fields}
    assert found["patch"] == "T"
    assert not found["separator_suspect"]


def test_what_does_not_fit_into_a_code_is_not_printed_too_fine_to_read() -> None:
    with pytest.raises(sheets.SheetTooLong):
        sheets.render_pdf(SAID, symbology="code128")
    for symbology in sheets.SYMBOLOGIES:
        with pytest.raises(sheets.SheetTooLong):
            sheets.render_pdf({"CASE": "x" * 5000}, symbology=symbology)


def test_a_sheet_smeared_over_its_code_still_separates_by_its_bars() -> None:
    page = sheets.render_sheet({"NO": "7"}, dpi=150)
    page.paste(Image.new("L", (300, 300), 0), (480, 420))
    pixels = np.asarray(page)
    assert read_codes(pixels, DPI).separator is None
    assert find_patch(pixels, DPI).patch == "T"


def test_a_sheet_whose_check_fails_is_damaged_not_foreign() -> None:
    import zxingcpp

    payload = sheets.build({"NO": "7"})[:-1] + "!"
    code = zxingcpp.create_barcode(payload, zxingcpp.BarcodeFormat.QRCode)
    page = Image.new("L", (1240, 1754), 255)
    page.paste(Image.fromarray(np.array(code.to_image(scale=6))), (400, 400))
    found = read_codes(np.asarray(page), DPI)
    assert found.separator is None
    assert found.damaged_sheet


def test_an_archive_number_out_of_range_is_refused_and_named() -> None:
    import zxingcpp

    page = Image.new("L", (1240, 1754), 255)
    for text, top in (("ASN4294967296", 200), ("ASN00042", 600)):
        code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.Code128)
        page.paste(Image.fromarray(np.array(code.to_image(scale=3))), (200, top))
    found = read_codes(np.asarray(page), DPI)
    assert (found.asn, found.asn_refused) == (42, "ASN4294967296")
