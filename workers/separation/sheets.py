"""The house's own separator sheet (Trennblatt) and cover sheet (Deckblatt): payload and print.

The payload is `SCAN1;SEP=DOC;…;C=<check>`: letters carry codes of their own (invoices,
franking), so a code without the prefix is foreign and one whose check fails is a damaged
sheet, never a guess. Values are percent-encoded. The sheet shows the payload as QR code (or
DataMatrix, or Code 128 where a short payload fits) and patch code T along two edges, so that a
scanner's own detection and ours find it whichever way it lies. A cover sheet is the same sheet
for one document: it says class, department, case, date of receipt and how many sheets follow.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import zxingcpp
from numpy.typing import NDArray
from PIL import Image

PREFIX: Final = "SCAN1"
#: Meaning of the payload's keys, for forms and documentation.
KEYS: Final = {
    "SEP": "Art des Trennblatts, immer DOC",
    "CLASS": "Dokumentklasse (Profil)",
    "DEP": "zuständige Stelle",
    "REC": "Eingangsdatum JJJJ-MM-TT",
    "CASE": "Aktenzeichen",
    "SHEETS": "Blattzahl des Dokuments",
    "OP": "Kürzel der scannenden Person",
    "DEV": "Scanner",
    "LOC": "Aufbewahrungsort",
    "NO": "Nummer des Trennblatts",
}
#: What the payload may be printed as.
SYMBOLOGIES: Final = MappingProxyType(
    {
        "qr": zxingcpp.BarcodeFormat.QRCode,
        "datamatrix": zxingcpp.BarcodeFormat.DataMatrix,
        "code128": zxingcpp.BarcodeFormat.Code128,
    }
)
_KEY: Final = re.compile(r"[A-Z]{1,12}")
_MM: Final = 72 / 25.4
_A4: Final = (210.0, 297.0)
_INCH: Final = 25.4
_NARROW, _WIDE, _SPACE = 0.08 * _INCH, 0.20 * _INCH, 0.08 * _INCH
_PATCH_T: Final = (_NARROW, _WIDE, _NARROW, _WIDE)
_BAR_LENGTH: Final = 120.0
_EDGE: Final = 15.0
_CODE_SIZE: Final = 62.0
_CODE_TOP: Final = 60.0
#: A linear code: millimetres; its bars are no finer than a fax at 150 dpi can tell apart.
_LINEAR: Final = (176.0, 30.0)
_FINEST_BAR: Final = 0.38


class SheetTooLong(ValueError):
    """What the sheet has to say does not fit into the code wanted."""


class SheetDamaged(ValueError):
    """The code begins like one of ours but its check fails or it makes no sense."""


def build(fields: Mapping[str, str]) -> str:
    """Return the payload text for `fields`; `SEP=DOC` is added.

    Raises:
        ValueError: A key is not one to twelve capital letters.
    """
    wanted = {"SEP": "DOC", **fields}
    wrong = [key for key in wanted if not _KEY.fullmatch(key) or key == "C"]
    if wrong:
        message = f"not a key of a separator sheet: {', '.join(wrong)}"
        raise ValueError(message)
    body = ";".join(
        [PREFIX, *(f"{key}={quote(text, safe=' /:-.,')}" for key, text in wanted.items())]
    )
    return f"{body};C={_check(body)}"


def parse(text: str) -> dict[str, str] | None:
    """Return the fields of a sheet's payload, None for a code that is not one of ours.

    Raises:
        SheetDamaged: It begins like one of ours, but cannot be trusted.
    """
    if not text.startswith(f"{PREFIX};"):
        return None
    body, separator, check = text.rpartition(";C=")
    if not separator or check != _check(body):
        message = "the check of the separator sheet fails"
        raise SheetDamaged(message)
    pairs = [part.partition("=") for part in body.split(";")[1:]]
    fields = {key: unquote(value) for key, _, value in pairs}
    if fields.get("SEP") != "DOC":
        message = f"unknown kind of separator sheet: {fields.get('SEP')!r}"
        raise SheetDamaged(message)
    return fields


def _check(body: str) -> str:
    return f"{zlib.crc32(body.encode('utf-8')):08X}"


def render_pdf(
    *sheets: Mapping[str, str], symbology: str = "qr", title: str = "TRENNBLATT"
) -> bytes:
    """Return a vector PDF, A4, one page a sheet, to be printed at 100 %.

    Args:
        sheets: The fields of each.
        symbology: One of `SYMBOLOGIES`.
        title: What the sheet is called for people.

    Raises:
        SheetTooLong: The payload does not fit into that code.
    """
    with pikepdf.new() as document:
        font = pikepdf.Dictionary(
            Type=pikepdf.Name.Font,
            Subtype=pikepdf.Name.Type1,
            BaseFont=pikepdf.Name.Helvetica,
            Encoding=pikepdf.Name.WinAnsiEncoding,
        )
        for fields in sheets:
            content = "\n".join(
                [*_patches(), *_code(build(fields), symbology), *_text(fields, title)]
            )
            page = document.add_blank_page(page_size=(_A4[0] * _MM, _A4[1] * _MM))
            page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
            page.Contents = document.make_stream(content.encode("cp1252", "replace"))
        target = io.BytesIO()
        document.save(target, deterministic_id=True)
    return target.getvalue()


def render_sheet(
    fields: Mapping[str, str], dpi: int = 300, symbology: str = "qr", title: str = "TRENNBLATT"
) -> Image.Image:
    """Return the sheet as grey image, A4 at `dpi`; for the rest see `render_pdf`."""
    document = pdfium.PdfDocument(render_pdf(fields, symbology=symbology, title=title))
    try:
        bitmap = document[0].render(scale=dpi / 72, grayscale=True)
        return Image.fromarray(np.array(bitmap.to_numpy()).squeeze()).convert("L")
    finally:
        document.close()


def _rectangle(left: float, top: float, width: float, height: float) -> str:
    """Return a filled rectangle; millimetres from the top left corner."""
    bottom = _A4[1] - top - height
    return f"{left * _MM:.3f} {bottom * _MM:.3f} {width * _MM:.3f} {height * _MM:.3f} re f"


def _patches() -> list[str]:
    left = (_A4[0] - _BAR_LENGTH) / 2
    drawn = []
    for top in (_EDGE, _A4[1] - _EDGE - sum(_PATCH_T) - 3 * _SPACE):
        at = top
        for width in _PATCH_T:
            drawn.append(_rectangle(left, at, _BAR_LENGTH, width))
            at += width + _SPACE
    return drawn


def _code(payload: str, symbology: str) -> list[str]:
    """Draw the code as rectangles, one for each run of dark modules."""
    dark = _modules(payload, symbology)
    if symbology == "code128":
        width, height = _LINEAR
        if width / dark.shape[1] < _FINEST_BAR:
            message = f"{len(payload)} characters do not fit into a Code 128 of {width:g} mm"
            raise SheetTooLong(message)
        dark = dark[:1]
    else:
        width = height = _CODE_SIZE
    across, down = width / dark.shape[1], height / dark.shape[0]
    left = (_A4[0] - width) / 2
    drawn = []
    for row, modules in enumerate(dark):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], modules, [False])).astype(np.int8)))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            place = left + begin * across, _CODE_TOP + row * down
            drawn.append(_rectangle(*place, (end - begin) * across, down))
    return drawn


def _modules(payload: str, symbology: str) -> NDArray[np.bool_]:
    """Return the code's modules, dark ones True, (rows, columns)."""
    options = {"ec_level": "H"} if symbology == "qr" else {}
    try:
        code = zxingcpp.create_barcode(payload, SYMBOLOGIES[symbology], **options)
    except ValueError as error:
        message = f"{len(payload)} characters do not fit into the code {symbology}"
        raise SheetTooLong(message) from error
    pixels = np.asarray(code.to_image(scale=1, add_quiet_zones=False))
    return np.asarray(pixels == 0, dtype=bool)


def _text(fields: Mapping[str, str], title: str) -> list[str]:
    lines = [
        (22, 142.0, title),
        (11, 152.0, "Hier beginnt ein neues Dokument. Dieses Blatt wird nicht übernommen."),
        (
            11,
            158.0,
            "Mit 100 % drucken, nicht verkleinern. Vor das erste Blatt des Dokuments legen.",
        ),
    ]
    top = 172.0
    for key, value in fields.items():
        lines.append((13, top, f"{KEYS.get(key, key)}: {value}"))
        top += 8.0
    return [_line(size, top, text) for size, top, text in lines]


def _line(size: int, top: float, text: str) -> str:
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /F1 {size} Tf {30 * _MM:.2f} {(_A4[1] - top) * _MM:.2f} Td ({escaped}) Tj ET"
