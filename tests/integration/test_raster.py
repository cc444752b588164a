from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pytest
from PIL import Image, TiffImagePlugin

from ingest.content import kind_of
from ingest.content.complaints import overheard
from ingest.content.raster import Frame, open_frame
from ingest.document import SourceKind
from ingest.errors import DecompressionBomb, Incomplete, ScanstrasseError, Unreadable
from tests.plugins import papers
from tests.plugins.stacks import CORPUS, needs_corpus
from workers.separation import sheets

LIMIT = 150_000_000


def opened(folder: Path, content: bytes, kind: SourceKind, index: int = 0, **options: Any) -> Frame:
    path = folder / "bild"
    path.write_bytes(content)
    return open_frame(path, kind, index, **{"max_pixels": LIMIT, **options})


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def test_orientation_turns_pixels_and_resolution(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    fax = Image.new("L", (1728, 1080), 255)
    fax.paste(0, (0, 0, 40, 40))
    frame = opened(tmp_path, saved(fax, "JPEG", dpi=(204, 98), exif=exif), SourceKind.JPEG)
    assert (frame.width, frame.height, frame.dpi) == (1080, 1728, (98.0, 204.0))
    assert frame.pixels[10, -10] < 60
    turned = saved(fax.convert("1"), "TIFF", dpi=(204, 98), tiffinfo={274: 6})
    frame = opened(tmp_path, turned, SourceKind.TIFF)
    assert (frame.width, frame.height, frame.dpi, frame.mode) == (1080, 1728, (98.0, 204.0), "1")
    assert frame.pixels[10, -10] == 0


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_transparency_becomes_white_paper(tmp_path: Path, mode: str) -> None:
    glass = Image.new("RGBA", (300, 200), (0, 0, 0, 0)).convert(mode)
    frame = opened(tmp_path, saved(glass, "PNG" if mode != "PA" else "TIFF"), _kind(mode))
    assert frame.pixels.min() == 255


def _kind(mode: str) -> SourceKind:
    return SourceKind.TIFF if mode == "PA" else SourceKind.PNG


def test_a_palette_with_a_transparent_entry_becomes_white(tmp_path: Path) -> None:
    image = Image.new("P", (50, 50), 0)
    image.putpalette([10, 10, 10, 200, 0, 0])
    frame = opened(tmp_path, saved(image, "PNG", transparency=0), SourceKind.PNG)
    assert frame.pixels.min() == 255


def test_sixteen_bits_and_cmyk_become_eight_bits(tmp_path: Path) -> None:
    ramp = Image.fromarray(np.linspace(0, 65535, 256 * 100).astype(np.uint16).reshape(100, 256))
    for form, kind in (("PNG", SourceKind.PNG), ("TIFF", SourceKind.TIFF)):
        frame = opened(tmp_path, saved(ramp, form), kind)
        assert (frame.mode, frame.pixels.dtype.name) == ("L", "uint8")
        assert (int(frame.pixels[0, 0]), int(frame.pixels[-1, -1])) == (0, 255)
    cyan = Image.new("CMYK", (64, 64), (255, 0, 0, 0))
    frame = opened(tmp_path, saved(cyan, "JPEG"), SourceKind.JPEG)
    assert frame.mode == "RGB"
    assert frame.pixels[32, 32, 0] < 60 < frame.pixels[32, 32, 2]


def test_colours_may_be_left_out_and_nothing_else_changes(tmp_path: Path) -> None:
    image = Image.linear_gradient("L").convert("RGB").resize((900, 700))
    image.paste((200, 40, 30), (100, 100, 400, 300))
    content = saved(image, "JPEG", dpi=(300, 300), quality=95)
    full = opened(tmp_path, content, SourceKind.JPEG)
    grey = opened(tmp_path, content, SourceKind.JPEG, grey=True)
    assert (full.mode, grey.mode) == ("RGB", "L")
    assert (grey.width, grey.height, grey.dpi) == (full.width, full.height, full.dpi)
    assert np.abs(grey.pixels.astype(int) - full.grey()).max() <= 3


@pytest.mark.parametrize(
    ("size", "given", "dpi", "source"),
    [
        ((2480, 3508), (300, 300), 300.0, "file"),
        ((2480, 3508), (72, 72), 300.0, "default"),
        ((1654, 2339), None, 200.0, "default"),
        ((2480, 3508), (1, 1), 300.0, "default"),
        ((2480, 3508), (300, 72), 300.0, "default"),
        ((2480, 3508), (72, 300), 300.0, "default"),
        ((595, 842), (72, 72), 72.0, "file"),
        ((40, 60), None, 70.0, "default"),
        ((3000, 9000), (9000, 9000), 600.0, "default"),
    ],
)
def test_only_a_believable_resolution_is_believed(
    tmp_path: Path, size: tuple[int, int], given: tuple[int, int] | None, dpi: float, source: str
) -> None:
    options = {} if given is None else {"dpi": given}
    frame = opened(tmp_path, saved(Image.new("1", size, 1), "PNG", **options), SourceKind.PNG)
    assert frame.dpi == pytest.approx((dpi, dpi), abs=0.1)
    assert frame.dpi_source == source


def test_the_size_is_checked_before_anything_is_decoded(tmp_path: Path) -> None:
    content = saved(Image.new("L", (400, 300), 255), "PNG")
    with pytest.raises(DecompressionBomb):
        opened(tmp_path, content, SourceKind.PNG, max_pixels=100_000)
    with pytest.raises(DecompressionBomb):
        opened(tmp_path, papers.bomb(), SourceKind.PNG)


def test_the_limit_of_the_house_counts_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DecompressionBomb) as caught:
        opened(tmp_path, papers.bomb(), SourceKind.PNG)
    assert "20000 x 20000 Bildpunkten" in caught.value.operator_text
    assert "erlaubt sind 150.000.000 Bildpunkte" in caught.value.operator_text
    assert Image.MAX_IMAGE_PIXELS is None
    wide = saved(Image.new("1", (20_000, 10_000), 1), "TIFF", compression="group4")
    frame = opened(tmp_path, wide, SourceKind.TIFF, max_pixels=200_000_000)
    assert (frame.width, frame.height) == (20_000, 10_000)


def test_a_fax_with_wrong_codes_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    frame = opened(tmp_path, papers.damaged_fax("Ein Brief"), SourceKind.TIFF)
    assert frame.damage is not None
    assert "Fax4Decode" in frame.damage
    assert "Fax4Decode" in capfd.readouterr().err
    assert opened(tmp_path, papers.tiff("Ein Brief"), SourceKind.TIFF).damage is None


def test_a_fax_of_which_nothing_is_legible_is_unreadable(tmp_path: Path) -> None:
    content = bytearray(papers.tiff(Image.new("L", (400, 300), 255)))
    with TiffImagePlugin.TiffImageFile(io.BytesIO(content)) as image:
        start, length = image.tag_v2[273][0], image.tag_v2[279][0]
    content[start : start + length] = b"\2" * length
    with pytest.raises(Unreadable, match="Fax4Decode"):
        opened(tmp_path, bytes(content), SourceKind.TIFF)


def test_thousands_of_complaints_neither_block_nor_grow(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with overheard() as complaints:
        for number in range(20_000):
            with contextlib.suppress(BlockingIOError):
                os.write(2, b"Fax4Decode: Bad code word at line %d of strip 0 (x 0).\n" % number)
    assert 100 < len(complaints) < 2000
    assert len(capfd.readouterr().err) <= 65536


def test_cut_pictures_are_incomplete_and_missing_pages_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Incomplete):
        opened(tmp_path, papers.jpeg("x")[:-2000], SourceKind.JPEG)
    with pytest.raises(Unreadable, match="chain ends after 2"):
        opened(tmp_path, papers.tiff("a", "b"), SourceKind.TIFF, 2)
    with pytest.raises(Unreadable):
        opened(tmp_path, papers.pdf("a"), SourceKind.PDF, 1)
    with pytest.raises(Unreadable):
        opened(tmp_path, b"text", SourceKind.TEXT)


def test_a_scanned_pdf_page_comes_as_sharp_as_its_picture_and_no_sharper(tmp_path: Path) -> None:
    scan = saved(Image.new("L", (1654, 2339), 255), "PDF", resolution=200)
    frame = opened(tmp_path, scan, SourceKind.PDF, dpi=300)
    assert frame.dpi[0] == pytest.approx(200, abs=0.5)
    frame = opened(tmp_path, scan, SourceKind.PDF, dpi=100)
    assert frame.dpi[0] == pytest.approx(100, abs=0.5)


def test_a_drawn_pdf_page_comes_as_asked_within_the_limit(tmp_path: Path) -> None:
    letter = sheets.render_pdf({})
    assert opened(tmp_path, letter, SourceKind.PDF, dpi=150).dpi[0] == pytest.approx(150, abs=0.5)
    small = opened(tmp_path, letter, SourceKind.PDF, dpi=300, max_pixels=1_000_000)
    assert small.width * small.height <= 1_000_000
    assert small.mode == "L"


def test_a_rotated_pdf_page_is_upright(tmp_path: Path) -> None:
    with pikepdf.open(io.BytesIO(sheets.render_pdf({}))) as document:
        document.pages[0].Rotate = 90
        target = io.BytesIO()
        document.save(target)
    frame = opened(tmp_path, target.getvalue(), SourceKind.PDF, dpi=72)
    assert frame.width > frame.height


@needs_corpus
@pytest.mark.parametrize(
    ("name", "kind", "pages"),
    [
        ("paperless-ngx__multi-page-images-alpha.tiff", SourceKind.TIFF, 3),
        ("pillow__g4-multi.tiff", SourceKind.TIFF, 3),
        ("pillow__total-pages-zero.tif", SourceKind.TIFF, 3),
        ("twelvemonkeys__CCITT-G4-300dpi-StripByteCounts0.tif", SourceKind.TIFF, 1),
        ("twelvemonkeys__fivepages-scan-causingerrors.tif", SourceKind.TIFF, 5),
        ("twelvemonkeys__old-style-jpeg-multiple-strips.tif", SourceKind.TIFF, 1),
        ("twelvemonkeys__twain-rgb-jpeg-with-bogus-ycbcr-subsampling.tif", SourceKind.TIFF, 2),
        ("twelvemonkeys__scan-mono-iccgray.tif", SourceKind.TIFF, 1),
        ("paperless-ngx__simple.heic", SourceKind.HEIC, 1),
        ("paperless-ngx__simple.gif", SourceKind.GIF, 1),
        ("exif-orientation-examples__Portrait_6.jpg", SourceKind.JPEG, 1),
        ("pillow__pil_sample_cmyk.jpg", SourceKind.JPEG, 1),
    ],
)
def test_odd_pictures_of_real_devices_are_read_to_the_last_page(
    name: str, kind: SourceKind, pages: int
) -> None:
    path = CORPUS / "image_tricky" / name
    for index in range(pages):
        assert open_frame(path, kind, index, max_pixels=LIMIT).width > 0
    with pytest.raises(Unreadable):
        open_frame(path, kind, pages, max_pixels=LIMIT)


@needs_corpus
@pytest.mark.corpus
def test_no_picture_of_the_corpus_raises_anything_else() -> None:
    reasons: list[str] = []

    for path in sorted((CORPUS / "image_tricky").iterdir()):
        kind = kind_of(path)
        if not kind.is_image:
            continue
        try:
            open_frame(path, kind, 0, max_pixels=LIMIT)
        except ScanstrasseError as error:
            reasons.append(error.operator_text)
    assert all(reasons)
