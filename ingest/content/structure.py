"""Is a file whole? Its structure is followed to the end, nothing is decoded.

A copy that stopped half-way looks finished to everybody who only watches its size; this
check sees the missing end. It cannot see holes inside uncompressed data, so a quiet time
goes with it, and decoding is left to the inspection step.
"""

# ruff: noqa: PLR2004 - offsets and marks are those of the file formats
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ingest.content import segments
from ingest.content.reading import CutShort, Reader, opened
from ingest.document import SourceKind

#: Reason codes of an incomplete file.
EMPTY: Final = "empty"
TRUNCATED: Final = "truncated"

_PDF_TAIL: Final = 1024
_START: Final = re.compile(rb"startxref\s+(\d+)")
_TABLE: Final = re.compile(rb"\s{0,8}(?:xref|\d+\s+\d+\s+obj)")
_LINEARISED: Final = re.compile(rb"/Linearized\b.{0,256}?/L\s+(\d+)", re.DOTALL)
_ZIP_END: Final = b"PK\x05\x06"


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """What the structure says.

    Attributes:
        reason_code: `empty` or `truncated`, None when complete.
        operator_text: German, without the file's name: what is missing. Empty when complete.
    """

    complete: bool
    reason_code: str | None = None
    operator_text: str = ""


_COMPLETE: Final = Completeness(complete=True)


def completeness(path: Path, kind: SourceKind) -> Completeness:
    """Follow the structure of `path`, taken as `kind`, to its end.

    Kinds without an end mark are complete when they are not empty.

    Raises:
        OSError: The file is gone, out of reach, or no regular file.
    """
    with opened(path) as reader:
        if reader.size == 0:
            text = "die Datei ist leer (0 Byte)"
            return Completeness(complete=False, reason_code=EMPTY, operator_text=text)
        check = _CHECKS.get(kind)
        if check is None:
            return _COMPLETE
        try:
            check(reader)
        except CutShort:
            text = (
                f"die {_NAMES.get(kind, kind.value.upper())}-Datei bricht nach "
                f"{reader.size} Byte ab, ihr Ende fehlt"
            )
            return Completeness(complete=False, reason_code=TRUNCATED, operator_text=text)
    return _COMPLETE


def _missing_end(reader: Reader) -> CutShort:
    return CutShort(reader.size + 1, reader.size)


def _check_pdf(reader: Reader) -> None:
    """Find the end mark near the end, or a last cross reference that leads somewhere.

    The first part of a linearised file carries an end mark of its own, with a `startxref`
    of 0; that one counts only when the length announced at its beginning is there.
    """
    end = reader.content_end()
    tail = reader.tail(_PDF_TAIL + 64, end)
    starts = list(_START.finditer(tail))
    if b"%%EOF" in tail:
        head = _LINEARISED.search(reader.head(_PDF_TAIL))
        if starts and int(starts[-1][1]) == 0 and head and int(head[1]) > reader.size:
            raise CutShort(int(head[1]), reader.size)
        return
    if not starts:
        raise _missing_end(reader)
    place = int(starts[-1][1][:18])
    if not 0 < place < reader.size or not _TABLE.match(reader.tail(64, place + 64)[-64:]):
        raise _missing_end(reader)


def _check_zip(reader: Reader) -> None:
    """Find the end record whose directory lies directly before it."""
    tail = reader.tail(22 + 0xFFFF)
    begin = reader.size - len(tail)
    at = tail.rfind(_ZIP_END)
    while at >= 0:
        record = tail[at : at + 22]
        if len(record) == 22:
            size, offset = (int.from_bytes(record[n : n + 4], "little") for n in (12, 16))
            if offset + size == begin + at or 0xFFFF_FFFF in {size, offset}:
                return
        at = tail.rfind(_ZIP_END, 0, at)
    raise _missing_end(reader)


def _check_compound(reader: Reader) -> None:
    """Sectors that the header of an OLE compound file names must lie inside the file."""
    head = reader.at(0, 512)
    sector = 1 << min(int.from_bytes(head[30:32], "little"), 20)
    named = [head[48:52], *(head[at : at + 4] for at in range(76, 512, 4))]
    numbers = [int.from_bytes(entry, "little") for entry in named]
    needed = max((number + 1 for number in numbers if number < 0xFFFF_FFFA), default=0)
    if (needed + 1) * sector > reader.size + sector - 1:  # the last sector may be cut by writers
        raise CutShort((needed + 1) * sector, reader.size)


def _check_cms(reader: Reader) -> None:
    """Compare the outer DER length with the file, or find the end line of PEM."""
    head = reader.head(16)
    if head[:1] != b"\x30":
        if b"-----END " not in reader.tail(256, reader.content_end()):
            raise _missing_end(reader)
        return
    first = reader.at(1, 1)[0]
    if first == 0x80:  # indefinite: closed by two zero bytes
        if reader.tail(2) != b"\x00\x00":
            raise _missing_end(reader)
        return
    width = first & 0x7F if first & 0x80 else 0
    length = int.from_bytes(reader.at(2, width), "big") if width else first
    if 2 + width + length > reader.size:
        raise CutShort(2 + width + length, reader.size)


def _check_xml(reader: Reader) -> None:
    end = reader.content_end()
    if reader.tail(1, end) != b">":
        raise _missing_end(reader)


_CHECKS: Final[Mapping[SourceKind, Callable[[Reader], None]]] = MappingProxyType(
    {
        SourceKind.TIFF: segments.check_tiff,
        SourceKind.JPEG: segments.check_jpeg,
        SourceKind.PNG: segments.check_png,
        SourceKind.GIF: segments.check_gif,
        SourceKind.WEBP: segments.check_webp,
        SourceKind.BMP: segments.check_bmp,
        SourceKind.HEIC: segments.check_heif,
        SourceKind.PDF: _check_pdf,
        SourceKind.OUTLOOK: _check_compound,
        SourceKind.CMS: _check_cms,
        SourceKind.ASIC: _check_zip,
        SourceKind.ZIP: _check_zip,
        SourceKind.XML: _check_xml,
    }
)
_NAMES: Final = MappingProxyType(
    {SourceKind.HEIC: "HEIC", SourceKind.OUTLOOK: "Outlook", SourceKind.ASIC: "ASiC"}
)
