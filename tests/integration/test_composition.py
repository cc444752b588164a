"""One searchable PDF/A-3b out of scanned pages."""

from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pytest
from pikepdf import pdfa
from PIL import Image

from ingest.document import RenditionKind
from ingest.errors import CheckFailed
from tests.plugins.scanning import (
    LINES,
    Bench,
    corpus,
    letter,
    pdfium_text,
    poppler_text,
    program,
    saved,
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    program("tesseract")
    return Bench(tmp_path)


def _stream(path: Path) -> tuple[str, bytes]:
    with pikepdf.open(path) as pdf:
        image = pdf.pages[0].Resources.XObject.Im
        return str(image.Filter), image.read_raw_bytes()


def test_a_letter_becomes_a_searchable_pdfa_that_both_readers_understand(bench: Bench) -> None:
    result = bench.run(bench.source(saved(letter(), "JPEG")))
    assert result.pdf is not None
    assert pdfa.validate_written(result.pdf, "3b").passed
    assert result.composition["rung"] == "image"
    assert result.composition["pdfa"] == "3b"
    wanted = " ".join(LINES).split()
    assert poppler_text(result.pdf)[0].split() == wanted
    assert pdfium_text(result.pdf)[0].split() == wanted
    assert result.text.split() == wanted
    with pikepdf.open(result.pdf) as pdf:
        assert str(pdf.Root.Lang) == "de-DE"
        assert pdf.Root.ViewerPreferences.DisplayDocTitle
        assert str(pdf.docinfo.Title).startswith("Dokument 1 aus Stapel")
        assert "/Author" not in pdf.docinfo


def test_scanned_jpeg_png_and_fax_go_into_the_pdf_as_the_scanner_wrote_them(
    bench: Bench, tmp_path: Path
) -> None:
    jpeg = saved(letter(), "JPEG")
    result = bench.run(bench.source(jpeg), read=False)
    assert result.pdf is not None
    assert _stream(result.pdf) == ("/DCTDecode", jpeg)
    fax = saved(letter().convert("1"), "TIFF", compression="group4", tiffinfo={278: 900})
    result = bench.run(bench.source(fax), read=False)
    assert result.pdf is not None
    name, strip = _stream(result.pdf)
    assert name == "/CCITTFaxDecode"
    assert strip in fax
    png = saved(letter(), "PNG")
    result = bench.run(bench.source(png), read=False)
    assert result.pdf is not None
    name, data = _stream(result.pdf)
    assert name == "/FlateDecode"
    assert data[:100] in png


FORMS = [
    ("TIFF", {"compression": "group4"}, "1"),
    ("TIFF", {"compression": "group4", "tiffinfo": {262: 1}}, "1"),
    ("TIFF", {"compression": "tiff_lzw"}, "RGB"),
    ("TIFF", {"compression": "jpeg"}, "RGB"),
    ("TIFF", {"compression": "jpeg"}, "L"),
    ("TIFF", {}, "LA"),
    ("PNG", {}, "P"),
    ("PNG", {}, "RGBA"),
    ("PNG", {}, "1"),
    ("PNG", {}, "I;16"),
    ("JPEG", {}, "CMYK"),
    ("JPEG", {"progressive": True}, "RGB"),
    ("GIF", {}, "P"),
    ("BMP", {}, "RGB"),
    ("WEBP", {"lossless": True}, "RGB"),
]


@pytest.mark.parametrize(("form", "options", "mode"), FORMS)
def test_any_image_form_shows_the_same_page(
    bench: Bench, form: str, options: dict[str, object], mode: str
) -> None:
    page = letter(size=(620, 450))
    page.paste(0, (500, 400, 600, 440))
    image = page.convert("L").convert("I;16") if mode == "I;16" else page.convert(mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(page).astype(np.uint16) * 257)
    target = io.BytesIO()
    image.save(target, form, **options)
    result = bench.run(bench.source(target.getvalue()), read=False)
    assert result.pdf is not None
    with pdfium.PdfDocument(result.pdf) as document:
        shown = document[0].render(scale=620 / document[0].get_width(), grayscale=True).to_numpy()
    seen = np.asarray(
        Image.fromarray(shown[:, :, 0] if shown.ndim == 3 else shown).resize((62, 45))
    )
    given = np.asarray(page.resize((62, 45)))
    assert np.abs(seen.astype(int) - given.astype(int)).mean() < 6


@pytest.mark.parametrize("tag", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_the_files_own_orientation_is_honoured(bench: Bench, form: str, tag: int) -> None:
    page = Image.new("L", (300, 200), 255)
    page.paste(0, (0, 0, 120, 60))
    exif = Image.Exif()
    exif[274] = tag
    if form == "JPEG":
        content = saved(page, "JPEG", exif=exif)
    else:
        content = saved(page.convert("1"), "TIFF", compression="group4", tiffinfo={274: tag})
    result = bench.run(bench.source(content), read=False)
    assert result.pdf is not None
    with pdfium.PdfDocument(result.pdf) as document:
        shown = document[0].render(scale=1, grayscale=True).to_pil()
    dark = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}
    right, low = dark[tag]
    spot = (shown.width - 8 if right else 8, shown.height - 8 if low else 8)
    assert (shown.width > shown.height) == (tag < 5)
    assert shown.getpixel(spot) < 60
    assert shown.getpixel((shown.width - 1 - spot[0], shown.height - 1 - spot[1])) > 200


def test_a_turned_page_is_shown_upright_with_its_text_in_place(bench: Bench) -> None:
    result = bench.run(bench.source(saved(letter().rotate(180), "JPEG")))
    assert result.pages[0].facts["recognition"]["orientation"] == 180
    assert result.pdf is not None
    assert pdfium_text(result.pdf)[0].split() == " ".join(LINES).split()
    with pdfium.PdfDocument(result.pdf) as document:
        shown = document[0].render(scale=0.5, grayscale=True).to_numpy()
    half = shown.shape[0] // 2
    assert shown[:half].mean() < shown[half:].mean()


def test_pages_keep_their_order_and_size_and_text_is_divided_by_form_feeds(bench: Bench) -> None:
    pages = [letter((f"Blatt Nummer {number}",), (1240, 300 + 100 * number)) for number in range(4)]
    target = io.BytesIO()
    pages[0].save(
        target, "TIFF", save_all=True, append_images=pages[1:], compression="jpeg", dpi=(150, 150)
    )
    result = bench.run(bench.source(target.getvalue()), keep=slice(1, None))
    assert result.pdf is not None
    texts = [f"Blatt Nummer {number}" for number in (1, 2, 3)]
    assert [text.strip() for text in result.text.split("\f")] == texts
    assert [text.strip() for text in poppler_text(result.pdf)] == texts
    with pdfium.PdfDocument(result.pdf) as document:
        heights = [page.get_height() for page in document]
    assert heights == pytest.approx([192, 240, 288])
    assert result.check("page_count")["passed"]


def test_a_page_that_does_not_decode_holds_ones_own_scan_and_names_the_page(bench: Bench) -> None:
    good, bad = (
        bench.source(saved(letter(), "JPEG")),
        bench.source(saved(letter(), "JPEG")[:5000], 2),
    )
    with pytest.raises(CheckFailed) as caught:
        bench.run(good, bad, read=False)
    assert "Abbild 2" in caught.value.operator_text


def test_the_same_pages_give_the_same_text_layer_twice(bench: Bench) -> None:
    source = bench.source(saved(letter(), "JPEG"))
    batch = bench.batch(source)
    pages = tuple(bench.recognised(batch, page) for page in bench.pages(source))
    contents = []
    for _ in range(2):
        outcome = bench.compose(batch, pages)
        composed = next(r for r in outcome.renditions if r.kind is RenditionKind.COMPOSED)
        with pikepdf.open(io.BytesIO(bench.context().read(composed.sha256))) as pdf:
            contents.append(pdf.pages[0].Contents.read_bytes())
    assert contents[0] == contents[1]
    assert re.search(rb"3 Tr", contents[0])


def test_a_document_without_pages_goes_on_as_its_original(bench: Bench) -> None:
    source = dataclasses.replace(bench.source(b"<html></html>"), pages=None)
    outcome = bench.compose(bench.batch(source), ())
    assert outcome.facts["rung"] == "original"
    assert outcome.facts["pdfa"] is None
    assert not outcome.renditions


TRICKY = [
    "docspell__jfif.jpg",
    "exif-orientation-examples__Portrait_6.jpg",
    "paperless-ngx__multi-page-images-alpha.tiff",
    "paperless-ngx__simple.heic",
    "pillow__g4_orientation_6.tif",
    "pillow__pil_sample_cmyk.jpg",
    "pillow__total-pages-zero.tif",
    "twelvemonkeys__BigTIFF.tif",
    "twelvemonkeys__CCITT-G4-300dpi-StripByteCounts0.tif",
    "twelvemonkeys__fivepages-scan-causingerrors.tif",
    "twelvemonkeys__old-style-jpeg-multiple-strips.tif",
    "twelvemonkeys__scan-mono-iccgray.tif",
    "twelvemonkeys__twain-rgb-jpeg-with-bogus-ycbcr-subsampling.tif",
]


@pytest.mark.parametrize("name", TRICKY)
def test_real_tricky_images_become_valid_pdfa(bench: Bench, name: str) -> None:
    result = bench.run(bench.source(corpus(f"image_tricky/{name}")), read=False)
    assert result.pdf is not None
    assert pdfa.validate_written(result.pdf, "3b").passed
    assert result.check("page_count")["passed"]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_profile_says_how_uncompressed_pages_are_packed(bench: Bench, mode: str) -> None:
    plain = saved(letter().convert(mode), "TIFF")
    exact = bench.run(bench.source(plain), read=False)
    assert exact.pdf is not None
    assert _stream(exact.pdf)[0] == "/FlateDecode"
    assert exact.composition["repacked"] == []
    bench.profile = bench.profile | {"image": {"repacked": "jpeg", "quality": 80}}
    small = bench.run(bench.source(plain), read=False)
    assert small.pdf is not None
    assert _stream(small.pdf)[0] == "/DCTDecode"
    assert small.composition["repacked"] == [{"page": 1, "with": "JPEG, quality 80"}]
    assert pdfa.validate_written(small.pdf, "3b").passed
    bitonal = bench.run(bench.source(saved(letter().convert("1"), "TIFF")), read=False)
    assert bitonal.pdf is not None
    assert _stream(bitonal.pdf)[0] == "/CCITTFaxDecode"
    assert bitonal.composition["repacked"] == []
