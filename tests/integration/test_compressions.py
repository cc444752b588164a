"""TIFFs as scanners and offices write them: every packing, strip, tile, depth and colour."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pytest
from pikepdf import pdfa
from PIL import Image, TiffImagePlugin, features

from ingest.content.raster import open_frame
from ingest.document import SourceKind
from tests.plugins.scanning import LINES, Bench, Result, corpus, letter
from tests.plugins.stacks import Stack

LIBTIFF = "4.5" if features.version("libtiff") is None else str(features.version("libtiff"))
#: Compression by mode; libtiff of the Pillow wheels has all of these.
PACKED = [
    *(("1", name) for name in (None, "packbits", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate")),
    *(("1", name) for name in ("group3", "group4", "tiff_ccitt", "zstd", "lzma")),
    *(("L", name) for name in (None, "packbits", "tiff_lzw", "tiff_deflate", "jpeg", "zstd")),
    *(("RGB", name) for name in (None, "packbits", "tiff_lzw", "tiff_deflate", "jpeg", "zstd")),
    ("RGB", "lzma"),
    *(("P", name) for name in (None, "packbits", "tiff_lzw", "tiff_deflate")),
    *(("LA", name) for name in (None, "tiff_lzw", "tiff_deflate")),
    *(("RGBA", name) for name in (None, "tiff_lzw", "tiff_deflate")),
    *(("I;16", name) for name in (None, "tiff_lzw", "tiff_deflate")),
    *(("CMYK", name) for name in (None, "tiff_lzw", "jpeg")),
]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def side(mode: str, size: tuple[int, int] = (620, 450)) -> Image.Image:
    grey = letter(LINES[:2], size)
    if mode == "1":
        return grey.convert("1", dither=Image.Dither.NONE)
    if mode == "I;16":
        return Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    if mode == "P":
        return grey.convert("RGB").quantize(16)
    return grey.convert(mode)


def tiff(mode: str, compression: str | None, *, pages: int = 2, **tags: object) -> bytes:
    """Return a TIFF of several pages; skip where this libtiff cannot write the packing."""
    first, *others = [side(mode) for _ in range(pages)]
    target = io.BytesIO()
    options: dict[str, object] = {"compression": compression} if compression else {}
    try:
        first.save(
            target, "TIFF", dpi=(150, 150), save_all=True, append_images=others, **options, **tags
        )
    except (OSError, KeyError, ValueError) as error:
        pytest.skip(f"libtiff {LIBTIFF} does not write {compression}: {error}")
    return target.getvalue()


def taken(bench: Bench, content: bytes | Path) -> Result:
    result = bench.run(bench.source(content), read=False)
    assert result.composition["rung"] == "image"
    assert result.pdf is not None
    assert pdfa.validate_written(result.pdf, "3b").passed
    return result


def shown(path: Path) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    with pdfium.PdfDocument(path) as document:
        for page in document:
            bitmap = page.render(scale=150 / 72, grayscale=True)
            yield np.array(bitmap.to_numpy(), dtype=np.float32).reshape(bitmap.height, -1)
            bitmap.close()
            page.close()


def assert_alike(path: Path, mode: str, pages: int = 2) -> None:
    """What the copy shows is what was scanned, whatever it was packed with."""
    wanted = np.asarray(letter(LINES[:2], (620, 450)), dtype=np.float32)
    found = list(shown(path))
    assert len(found) == pages
    for page in found:
        rows, columns = min(450, page.shape[0]), min(620, page.shape[1])
        assert abs(page.shape[0] - 450) <= 1
        assert abs(page.shape[1] - 620) <= 1
        apart = np.abs(page[:rows, :columns] - wanted[:rows, :columns]).mean()
        assert apart < (12 if mode == "CMYK" else 6), apart


@pytest.mark.parametrize(("mode", "compression"), PACKED)
def test_every_compression_keeps_every_page(
    bench: Bench, tmp_path: Path, mode: str, compression: str | None
) -> None:
    content = tiff(mode, compression)
    path = tmp_path / "scan.tif"
    path.write_bytes(content)
    inspected = Stack(folder=tmp_path / "stack", paths=[path]).inspect()
    assert inspected.sources[0].pages == 2
    result = taken(bench, content)
    assert result.pdf is not None
    assert_alike(result.pdf, mode)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "group4", "jpeg"])
def test_several_strips_are_one_page(bench: Bench, compression: str | None) -> None:
    mode = "L" if compression == "jpeg" else "1"
    content = tiff(mode, compression, tiffinfo={TiffImagePlugin.ROWSPERSTRIP: 64})
    with Image.open(io.BytesIO(content)) as image:
        tags: TiffImagePlugin.ImageFileDirectory_v2 = image.tag_v2  # type: ignore[attr-defined] # a TIFF has them
        assert len(tags[TiffImagePlugin.STRIPOFFSETS]) > 1
    result = taken(bench, content)
    assert result.pdf is not None
    assert_alike(result.pdf, mode)


WIDTH, HEIGHT = 640, 448
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_SIZES = {_SHORT: "H", _LONG: "I", _RATIONAL: "I"}


def plain_tiff(*, planes: bool, tile: int | None, bits: int = 8) -> bytes:
    """Write a colour TIFF by hand: channels apart (planar configuration 2) or in tiles."""
    pieces = list(_pieces(planes=planes, tile=tile, bits=bits))
    offsets = [8 + sum(len(piece) for piece in pieces[:n]) for n in range(len(pieces))]
    counts = [len(piece) for piece in pieces]
    entries: list[tuple[int, int, list[int]]] = [
        *((256, _SHORT, [WIDTH]), (257, _SHORT, [HEIGHT]), (258, _SHORT, [bits] * 3)),
        *((259, _SHORT, [1]), (262, _SHORT, [2]), (277, _SHORT, [3])),
        *((282, _RATIONAL, [150, 1]), (283, _RATIONAL, [150, 1])),
        *((284, _SHORT, [2 if planes else 1]), (296, _SHORT, [2])),
    ]
    if tile is None:
        entries += [(273, _LONG, offsets), (278, _SHORT, [HEIGHT]), (279, _LONG, counts)]
    else:
        entries += [(322, _SHORT, [tile]), (323, _SHORT, [tile])]
        entries += [(324, _LONG, offsets), (325, _LONG, counts)]
    body = b"".join(pieces)
    body += b"\0" * (len(body) % 2)
    head = struct.pack("<2sHI", b"II", 42, 8 + len(body))
    return head + body + _directory(sorted(entries), 8 + len(body))


def _pieces(*, planes: bool, tile: int | None, bits: int) -> Iterator[bytes]:
    grey = np.asarray(letter(LINES[:2], (WIDTH, HEIGHT)))
    values = np.repeat(grey[:, :, None], 3, axis=2)
    if bits == 16:
        values = values.astype("<u2") * 257
    step = tile or max(WIDTH, HEIGHT)
    for channel in [values[:, :, c : c + 1] for c in range(3)] if planes else [values]:
        for top in range(0, HEIGHT, step):
            for left in range(0, WIDTH, step):
                part = channel[top : top + step, left : left + step]
                yield np.ascontiguousarray(part).tobytes()


def _directory(entries: list[tuple[int, int, list[int]]], at: int) -> bytes:
    after = at + 2 + 12 * len(entries) + 4
    table, extra = struct.pack("<H", len(entries)), b""
    for tag, kind, numbers in entries:
        value = struct.pack(f"<{len(numbers)}{_SIZES[kind]}", *numbers)
        count = len(numbers) // 2 if kind == _RATIONAL else len(numbers)
        if len(value) > 4:
            value, extra = struct.pack("<I", after + len(extra)), extra + value
        table += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    return table + bytes(4) + extra


@pytest.mark.parametrize(
    ("planes", "tile", "bits"),
    [(False, None, 8), (True, None, 8), (False, 64, 8), (True, 64, 8), (False, None, 16)],
)
def test_planes_tiles_and_deep_colour_are_read(
    bench: Bench, planes: bool, tile: int | None, bits: int
) -> None:
    content = plain_tiff(planes=planes, tile=tile, bits=bits)
    source = bench.source(content)
    frame = open_frame(bench.folder / "arrival1", SourceKind.TIFF, 0, max_pixels=10**7)
    wanted = np.asarray(letter(LINES[:2], (640, 448)), dtype=np.float32)
    assert np.abs(frame.pixels.reshape(448, 640, -1)[:, :, 0] - wanted).mean() < 2
    result = bench.run(source, read=False)
    assert result.pdf is not None
    assert pdfa.validate_written(result.pdf, "3b").passed


def test_alpha_is_white_paper(bench: Bench) -> None:
    clear = Image.new("RGBA", (300, 200), (0, 0, 0, 0))
    target = io.BytesIO()
    clear.save(target, "TIFF", dpi=(150, 150), compression="tiff_lzw")
    result = taken(bench, target.getvalue())
    assert result.pdf is not None
    assert next(shown(result.pdf)).min() == 255


@pytest.mark.parametrize(
    ("name", "pages"),
    [
        ("twelvemonkeys__51-tiff-24-bit-color-jpeg.tif", 1),
        ("twelvemonkeys__old-style-jpeg-multiple-strips.tif", 1),
        ("twelvemonkeys__58-plexustiff-binary-ccitt-group4.tif", 1),
        ("twelvemonkeys__BigTIFF.tif", 1),
        ("twelvemonkeys__scan-mono-iccgray.tif", 1),
        ("twelvemonkeys__fivepages-scan-causingerrors.tif", 5),
        ("pillow__g4-multi.tiff", 3),
        ("pillow__g4_orientation_6.tif", 1),
        ("paperless-ngx__multi-page-images-alpha.tiff", 3),
    ],
)
def test_real_tiffs_come_out_with_all_their_pages(bench: Bench, name: str, pages: int) -> None:
    result = taken(bench, corpus(f"image_tricky/{name}"))
    assert result.pdf is not None
    with pikepdf.open(result.pdf) as made:
        assert len(made.pages) == pages
