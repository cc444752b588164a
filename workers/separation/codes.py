"""Bar codes on a page, and which of them mean something here.

Letters carry codes of others: franking, payment, tickets. Only three mean a cut: the payload of
our own sheets, the text PATCHT of the widespread separator sheet, and, where the profile asks
for it, archive numbers (ASN). All decoded codes are kept, because routing may ask for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import zxingcpp

from ingest.content.raster import Pixels
from ingest.document import Facts
from workers.separation import sheets

_FORMATS: Final = zxingcpp.barcode_formats_from_str("QRCode,DataMatrix,Code128,Code39")
_BARS: Final = zxingcpp.barcode_formats_from_str("Code128,Code39")
_DPI: Final = 150
_FINE_DPI: Final = 300
_MOST_CODES: Final = 64
_MOST_TEXT: Final = 2000
_ASN: Final = re.compile(r"ASN\s*(\d{1,20})")
_ASN_LARGEST: Final = 0xFFFF_FFFF
#: An unreadable QR code of this size, in inches, is a separator sheet's and not a letter's. Of a
#: DataMatrix nothing can be said: forms and tables look like one that does not decode.
_SHEET_CODE: Final = 1.9
_PATCH_TEXT: Final = "PATCHT"


@dataclass(frozen=True, kw_only=True)
class Code:
    """One decoded code."""

    format: str
    text: str

    def facts(self) -> Facts:
        """Return it as a JSON object."""
        return {"format": self.format, "text": self.text}


@dataclass(frozen=True, kw_only=True)
class CodesFinding:
    """The codes of a page.

    Attributes:
        separator: Kind, text and payload of what makes this page a separator sheet.
        damaged_sheet: A code that begins like our sheet's or has its size, but cannot be trusted;
            or two that say different things.
        asn: The archive number on the page.
        asn_refused: Text of an archive number out of range.
    """

    codes: tuple[Code, ...]
    separator: Facts | None
    damaged_sheet: bool
    asn: int | None
    asn_refused: str | None


def read_codes(
    grey: Pixels,
    dpi: tuple[float, float],
    *,
    asn: bool = False,
    reduced: Pixels | None = None,
) -> CodesFinding:
    """Read all codes at 150 dpi; bars once more at 300 where the profile cuts at archive numbers.

    Args:
        grey: uint8, (height, width).
        dpi: dots per inch, both axes.
        asn: The profile cuts at archive numbers, so a label missed costs a whole document.
        reduced: The same at 150 dpi, where the caller has it.
    """
    read = _read(_at(grey, dpi, _DPI) if reduced is None else reduced, _FORMATS)
    codes = _decoded(read)
    if asn and not any(_ASN.fullmatch(code.text) for code in codes) and min(dpi) > _DPI:
        again = _decoded(_read(_at(grey, dpi, _FINE_DPI), _BARS))
        codes = tuple(dict.fromkeys((*codes, *again)))
    separator, damaged = _sheet(codes)
    damaged = damaged or any(map(_begins_like_ours, read))
    number, refused = _number(codes)
    return CodesFinding(
        codes=codes,
        separator=separator,
        damaged_sheet=separator is None and (damaged or _has_large_error(read, dpi)),
        asn=number,
        asn_refused=refused,
    )


def _at(grey: Pixels, dpi: tuple[float, float], wanted: int) -> Pixels:
    """Reduce to `wanted` dpi; what has less stays, except that both axes become alike."""
    target = min(wanted, *(round(value) for value in dpi))
    size = round(grey.shape[1] * target / dpi[0]), round(grey.shape[0] * target / dpi[1])
    if size == (grey.shape[1], grey.shape[0]) or min(size) < 1:
        return np.ascontiguousarray(grey)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _read(grey: Pixels, formats: zxingcpp.BarcodeFormats) -> list[zxingcpp.Barcode]:
    # Nobody prints sheets or labels in white on black.
    return zxingcpp.read_barcodes(grey, formats=formats, try_invert=False, return_errors=True)


def _decoded(read: list[zxingcpp.Barcode]) -> tuple[Code, ...]:
    codes = (
        Code(format=barcode.format.name, text=barcode.text.strip()[:_MOST_TEXT])
        for barcode in read
        if barcode.valid and barcode.text.strip()
    )
    return tuple(dict.fromkeys(codes))[:_MOST_CODES]


def _sheet(codes: tuple[Code, ...]) -> tuple[Facts | None, bool]:
    """Return what makes the page a separator sheet, and whether something of it is damaged."""
    damaged = False
    ours: dict[str, Facts] = {}
    plain: Facts | None = None
    for code in codes:
        try:
            fields = sheets.parse(code.text)
        except sheets.SheetDamaged:
            damaged = True
            continue
        if fields is not None:
            ours[code.text] = {"kind": "sheet", "text": code.text, "payload": fields}
        elif code.text.upper() == _PATCH_TEXT:
            plain = {"kind": "code39", "text": code.text, "payload": {}}
    if len(ours) > 1:  # two sheets on one page: which of them speaks is a person's decision
        return None, True
    return next(iter(ours.values()), plain), damaged


def _number(codes: tuple[Code, ...]) -> tuple[int | None, str | None]:
    refused = None
    for code in codes:
        match = _ASN.fullmatch(code.text)
        if match is None:
            continue
        if int(match[1]) <= _ASN_LARGEST:
            return int(match[1]), refused
        refused = code.text
    return None, refused


def _begins_like_ours(barcode: zxingcpp.Barcode) -> bool:
    return not barcode.valid and barcode.text.startswith(f"{sheets.PREFIX};")


def _has_large_error(read: list[zxingcpp.Barcode], dpi: tuple[float, float]) -> bool:
    least = _SHEET_CODE * min(_DPI, *dpi)
    for barcode in read:
        if barcode.valid or barcode.format != zxingcpp.BarcodeFormat.QRCode:
            continue
        place = barcode.position
        corners = [place.top_left, place.top_right, place.bottom_right, place.bottom_left]
        across = max(p.x for p in corners) - min(p.x for p in corners)
        down = max(p.y for p in corners) - min(p.y for p in corners)
        if min(across, down) >= least:
            return True
    return False
