"""Fonts that a PDF only names: replaced where the measures are equal, and only there."""

from __future__ import annotations

import io
from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, pdfa

from tests.plugins.scanning import Bench, Result, pdfium_text
from workers.recognition import likeness, typefaces
from workers.recognition.substitution import embed, replacements
from workers.recognition.typefaces import FOLDER, typeface_for

STANDARD = (
    *("Helvetica", "Helvetica-Bold", "Helvetica-Oblique", "Helvetica-BoldOblique"),
    *("Times-Roman", "Times-Bold", "Times-Italic", "Times-BoldItalic"),
    *("Courier", "Courier-Bold", "Courier-Oblique", "Courier-BoldOblique"),
    *("Symbol", "ZapfDingbats"),
)
OFFICE = (
    *("ArialMT", "Arial-BoldMT", "Arial,Italic", "Arial-BoldItalicMT"),
    *("TimesNewRomanPSMT", "TimesNewRoman,Bold", "Times New Roman,BoldItalic"),
    *("CourierNewPSMT", "CourierNew,Bold", "ABCDEF+ArialMT"),
)
UNKNOWN = ("Garamond", "ArialNarrow", "Arial-Black", "Calibri", "HelveticaNeue-Light", "Times10")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def written(
    font: dict[str, object], text: bytes = b"Stra\xdfe und \x80 \xe4\xf6\xfc, Nr. 8"
) -> pikepdf.Pdf:
    """Return a page with a line in a font that is only named."""
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(595, 842))
    given = Dictionary(Type=Name.Font, Subtype=Name.Type1, Encoding=Name.WinAnsiEncoding)
    for key, value in font.items():
        given[f"/{key}"] = value
    page.obj.Resources = Dictionary(Font=Dictionary(F1=pdf.make_indirect(given)))
    content = b"BT /F1 18 Tf 60 700 Td <" + text.hex().encode() + b"> Tj ET"
    page.obj.Contents = pdf.make_stream(content)
    return pdf


def taken(bench: Bench, pdf: pikepdf.Pdf) -> Result:
    target = io.BytesIO()
    pdf.save(target)
    return bench.run(bench.source(target.getvalue()), read=False)


def test_the_typefaces_are_installed() -> None:
    assert FOLDER.is_dir(), "Debian package fonts-urw-base35 is missing"


@pytest.mark.parametrize("name", [*STANDARD, *OFFICE])
def test_every_standard_font_has_a_typeface_of_its_style(name: str) -> None:
    face = typeface_for(name)
    assert face is not None
    assert bool(face.flags & typefaces.ITALIC) == ("Italic" in name or "Oblique" in name)
    assert ("Bold" in face.name) == ("Bold" in name)
    assert bool(face.flags & typefaces.FIXED) == name.startswith("Courier")


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_font_of_other_measures_has_none(name: str) -> None:
    assert typeface_for(name) is None


@pytest.mark.parametrize("name", [*STANDARD[:12], *OFFICE])
def test_text_stays_text_and_the_copy_is_valid(bench: Bench, name: str) -> None:
    result = taken(bench, written({"BaseFont": Name(f"/{name}")}))
    assert result.composition["rung"] == "repaired"
    assert "fonts_replaced" in result.codes()
    assert result.pdf is not None
    assert pdfa.validate_written(result.pdf, "3b").passed
    assert pdfium_text(result.pdf)[0].strip() == "Straße und € äöü, Nr. 8"


@pytest.mark.parametrize(("name", "text"), [("Symbol", b"abc"), ("ZapfDingbats", b"\x21\x33\x34")])
def test_signs_keep_their_own_order(bench: Bench, name: str, text: bytes) -> None:
    pdf = written({"BaseFont": Name(f"/{name}")}, text)
    del pdf.pages[0].obj.Resources.Font.F1.Encoding
    result = taken(bench, pdf)
    assert result.composition["rung"] == "repaired"
    assert result.pdf is not None
    assert pdfa.validate_written(result.pdf, "3b").passed


def test_differences_of_an_encoding_count(bench: Bench) -> None:
    encoding = Dictionary(
        Type=Name.Encoding, Differences=Array([1, Name("/adieresis"), Name("/Euro")])
    )
    font: dict[str, object] = {"BaseFont": Name.Helvetica, "Encoding": encoding}
    result = taken(bench, written(font, b"\x01A\x02"))
    assert result.composition["rung"] == "repaired"
    assert result.pdf is not None
    assert pdfium_text(result.pdf)[0].strip() == "äA€"


def test_widths_that_are_others_are_not_overruled(bench: Bench) -> None:
    wide = Array([900] * 224)
    font = {"BaseFont": Name.Helvetica, "FirstChar": 32, "LastChar": 255, "Widths": wide}
    result = taken(bench, written(font))
    assert result.composition["rung"] == "rendered"
    assert "fonts_replaced" not in result.codes()


def test_what_is_inside_already_or_composite_is_left_alone() -> None:
    pdf = written({"BaseFont": Name.Helvetica})
    font = pdf.pages[0].obj.Resources.Font.F1
    font.FontDescriptor = Dictionary(FontFile=pdf.make_stream(b"x"))
    assert replacements(pdf) == []
    del font.FontDescriptor
    font.Subtype = Name.Type0
    assert replacements(pdf) == []


def test_a_font_nothing_draws_with_is_not_named() -> None:
    pdf = written({"BaseFont": Name.Helvetica})
    font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Courier)
    pdf.Root.Unused = pdf.make_indirect(font)
    found = embed(pdf, replacements(pdf))
    assert "Helvetica" in found["text"]
    assert "Courier" not in found["text"]


def test_a_font_in_a_form_is_found() -> None:
    pdf = written({"BaseFont": Name.Helvetica})
    page = pdf.pages[0].obj
    form = pdf.make_stream(b"", Subtype=Name.Form, Resources=page.Resources)
    page.Resources = Dictionary(XObject=Dictionary(Fm=form))
    assert [str(one.font.BaseFont) for one in replacements(pdf)] == ["/Helvetica"]


def test_without_the_typefaces_the_page_is_rendered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(typefaces, "FOLDER", tmp_path)
    typefaces._loaded.cache_clear()
    try:
        result = taken(bench, written({"BaseFont": Name.Helvetica}))
    finally:
        typefaces._loaded.cache_clear()
    assert result.composition["rung"] == "rendered"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (b"BT /F1 18 Tf 60 700 Td (Nummer 8) Tj ET", None),
        (b"BT /F1 18 Tf 60 700 Td (Nummer 9) Tj ET", "other text"),
        (b"BT /F1 18 Tf 62 700 Td (Nummer 8) Tj ET", "other places"),
        (b"BT /F1 18 Tf 60 700 Td (Nummer 88) Tj ET", "more or fewer letters"),
        (b"BT /F1 18 Tf 60 700 Td (Nummer 8) Tj ET 60 600 90 90 re f", "of the ink"),
    ],
)
def test_a_page_that_looks_different_is_noticed(
    tmp_path: Path, changed: bytes, reason: str | None
) -> None:
    before, after = tmp_path / "before.pdf", tmp_path / "after.pdf"
    for path, content in ((before, b"BT /F1 18 Tf 60 700 Td (Nummer 8) Tj ET"), (after, changed)):
        pdf = written({"BaseFont": Name.Helvetica})
        pdf.pages[0].obj.Contents = pdf.make_stream(content)
        pdf.save(path)
    found = likeness.difference(before, after)
    assert (found is None) if reason is None else (found is not None and reason in found)
