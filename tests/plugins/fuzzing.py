"""The two doors for foreign bytes as fuzz targets, their seeds, and who throws bytes at them.

A target takes any bytes, does with them what the steps do, and lets out nothing but what is not
an error of `ingest.errors`: that is a finding. Crashes of native code end the process here; in
the product the sandbox catches them, and here the driver notes them and starts anew.
"""

from __future__ import annotations

import io
import random
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Final

import pikepdf
from PIL import Image

from ingest.content import tiff
from ingest.content.kinds import kind_of
from ingest.content.pdf import inspect_pdf
from ingest.content.raster import measure, open_frame
from ingest.content.structure import completeness
from ingest.document import SourceKind
from ingest.errors import ScanstrasseError
from tests.plugins import papers
from workers.recognition.repair import Finding, neutralise
from workers.separation.examination import examine

Target = Callable[[bytes], None]

CORPUS: Final = Path(__file__).resolve().parents[3] / "shared" / "corpus"
#: Larger files teach the fuzzer nothing that smaller ones do not.
LARGEST: Final = 64 * 1024
_MOST_PIXELS: Final = 2_000_000
_PAGES: Final = 2


def image_door(data: bytes) -> None:
    """Do with `data` what inspection and examination do with an image."""
    path = _written(data)
    kind = kind_of(path)
    completeness(path, kind)
    if not kind.is_image:
        return
    if kind is SourceKind.TIFF:
        _quietly(lambda: [tiff.frame_digest(path, frame) for frame in tiff.frames(path)])
    _quietly(lambda: measure(path, kind))
    for index in range(_PAGES):
        _quietly(partial(_examined, path, kind, index))


def _examined(path: Path, kind: SourceKind, index: int) -> object:
    return examine(open_frame(path, kind, index, max_pixels=_MOST_PIXELS, dpi=72))


def pdf_door(data: bytes) -> None:
    """Do with `data` what inspection, examination and the repair of a PDF do."""
    path = _written(data)
    completeness(path, kind_of(path))
    _quietly(lambda: inspect_pdf(path).facts())
    for index in range(_PAGES):
        _quietly(partial(_examined, path, SourceKind.PDF, index))
    _repair(path)


def _repair(path: Path) -> None:
    findings: list[Finding] = []
    try:
        with pikepdf.open(path, suppress_warnings=True) as pdf:
            neutralise(pdf, findings)
            pdf.save(io.BytesIO())
    except Exception:  # noqa: BLE001 - the ladder takes anything for "next rung"; crash and hang count
        return


def _quietly(look: Callable[[], object]) -> None:
    try:
        look()
    except ScanstrasseError as error:
        # What a clerk is told has to exist, whatever the bytes were.
        assert error.operator_text  # noqa: PT017 - the run goes on after an error of the project


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)


def _written(data: bytes) -> Path:
    path = Path(_folder().name) / "door"
    path.write_bytes(data)
    return path


def image_seeds() -> Iterator[bytes]:
    """Yield small images of every accepted kind, and those of the corpus that are small."""
    small = papers.page("Bescheid").resize((96, 64))
    colour = small.convert("RGB")
    for name in ("PNG", "JPEG", "GIF", "WEBP", "BMP"):
        yield _encoded(colour, name)
        yield _encoded(small, name)
    yield _encoded(small.convert("P"), "PNG")
    yield _encoded(small.convert("LA"), "PNG")
    yield _encoded(small.convert("I;16"), "PNG")
    yield _encoded(colour.convert("CMYK"), "JPEG")
    for packing in ("group3", "group4", "packbits", "raw"):
        yield _encoded(small.convert("1"), "TIFF", compression=packing)
    for packing in ("tiff_lzw", "tiff_adobe_deflate", "jpeg"):
        yield _encoded(colour, "TIFF", compression=packing, dpi=(300, 300))
    pages = [small.convert("1"), small.convert("1")]
    yield _encoded(pages[0], "TIFF", compression="group4", save_all=True, append_images=pages)
    yield papers.damaged_fax("Bescheid")
    yield papers.looped_tiff("Bescheid")
    yield from _of_corpus("image_tricky", "scan_other")


def pdf_seeds() -> Iterator[bytes]:
    """Yield small PDFs of several makes, and those of the corpus that are small."""
    yield papers.pdf("Bescheid")
    yield papers.locked_pdf("Bescheid", "geheim")
    yield papers.restricted_pdf("Bescheid")
    yield _written_pdf()
    yield from _of_corpus("pdf_structure", "pdf_broken", "pdf_encrypted", "pdf_german", "barcode")


def _written_pdf() -> bytes:
    """Return a page with text, a form field, a script, an attachment and an outline."""
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(200, 100))
    font = pikepdf.Dictionary(
        Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
    )
    page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
    page.Contents = pdf.make_stream(b"BT /F1 12 Tf 20 50 Td (Bescheid) Tj ET 10 10 50 20 re S")
    field = pikepdf.Dictionary(
        FT=pikepdf.Name.Tx, T=pikepdf.String("Name"), V=pikepdf.String("x"), Rect=[10, 10, 60, 30]
    )
    field.Type, field.Subtype = pikepdf.Name.Annot, pikepdf.Name.Widget
    page.Annots = pikepdf.Array([pdf.make_indirect(field)])
    pdf.Root.AcroForm = pikepdf.Dictionary(Fields=page.Annots)
    pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String("x()"))
    pdf.attachments["a.txt"] = pikepdf.AttachedFileSpec(
        pdf,
        b"x",
        description="",
        filename="a.txt",
        mime_type="text/plain",
        creation_date="",
        mod_date="",
    )
    with pdf.open_outline() as outline:
        outline.root.append(pikepdf.OutlineItem("Seite", 0))
    target = io.BytesIO()
    pdf.save(target, compress_streams=False)
    return target.getvalue()


def _encoded(image: Image.Image, name: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, name, **options)
    return target.getvalue()


def _of_corpus(*folders: str) -> Iterator[bytes]:
    for folder in folders:
        for path in sorted((CORPUS / folder).glob("*")):
            if path.is_file() and path.stat().st_size <= LARGEST:
                yield path.read_bytes()


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """Return `seed` with a few places changed, cut out, doubled, or the end cut off."""
    data = bytearray(seed)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if not data:
            break
        at = chance.randrange(len(data))
        end = at + chance.randrange(1, 65)
        chance.choice(_WAYS)(data, at, end, chance)
    return bytes(data)


def _flip(data: bytearray, at: int, end: int, chance: random.Random) -> None:
    data[at] ^= 1 << chance.randrange(8)


def _number(data: bytearray, at: int, end: int, chance: random.Random) -> None:
    data[at : at + 4] = chance.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"))


def _noise(data: bytearray, at: int, end: int, chance: random.Random) -> None:
    data[at:end] = chance.randbytes(end - at)


def _cut(data: bytearray, at: int, end: int, chance: random.Random) -> None:
    del data[at:end]


def _double(data: bytearray, at: int, end: int, chance: random.Random) -> None:
    data[at:at] = data[at:end]


def _shorten(data: bytearray, at: int, end: int, chance: random.Random) -> None:
    if chance.random() < 0.3:
        del data[at:]


_WAYS: Final = (_flip, _number, _noise, _cut, _double, _shorten)
