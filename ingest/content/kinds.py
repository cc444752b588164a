"""What a file is, decided by its bytes and never by its name.

Only the first pages of the file are read, and for ZIP its directory. A kind is a claim
about the beginning: whether the file is whole says `ingest.content.structure`, whether it
decodes is found by the inspection step.
"""

# ruff: noqa: PLR2004 - offsets and marks are those of the file formats
from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from ingest.content.reading import CutShort, Reader, opened
from ingest.document import SourceKind

_HEAD: Final = 8192
_PDF_WINDOW: Final = 1024  # readers accept the header anywhere in here
_DIRECTORY_LIMIT: Final = 1 << 20

_MAGIC: Final = (
    (b"II*\x00", SourceKind.TIFF),
    (b"MM\x00*", SourceKind.TIFF),
    (b"II+\x00", SourceKind.TIFF),
    (b"MM\x00+", SourceKind.TIFF),
    (b"\xff\xd8\xff", SourceKind.JPEG),
    (b"\x89PNG\r\n\x1a\n", SourceKind.PNG),
    (b"GIF87a", SourceKind.GIF),
    (b"GIF89a", SourceKind.GIF),
    (b"%PDF-", SourceKind.PDF),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", SourceKind.OUTLOOK),
)
_HEIF_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"}
)
_BMP_HEADERS: Final = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
#: 1.2.840.113549.1.7: the arc of all PKCS#7/CMS content types.
_CMS_ARC: Final = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"
_CMS_PEM: Final = re.compile(rb"-----BEGIN (?:PKCS ?#?7(?: SIGNED DATA)?|CMS)-----")
_ASIC_TYPES: Final = (b"application/vnd.etsi.asic-s+zip", b"application/vnd.etsi.asic-e+zip")
_ASIC_ENTRY: Final = re.compile(
    rb"META-INF/(?:[^/]*signatures?[^/]*\.(?:xml|p7s)|timestamp\.tst|ASiC[^/]*\.xml)", re.IGNORECASE
)
_HEADER_LINE: Final = re.compile(rb"([!-9;-~]{1,76})[ \t]*:")
_MAIL_FIELDS: Final = frozenset(
    b"from to cc date subject received message-id return-path mime-version delivered-to sender "
    b"reply-to in-reply-to references dkim-signature x-mailer envelope-to content-type".split()
)
_MAIL_PROOF: Final = frozenset(
    b"from to date subject received message-id return-path mime-version delivered-to".split()
)
_HTML: Final = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL
)
_XML: Final = re.compile(rb"\s*<(?:\?xml\s|!DOCTYPE\s|!--|[A-Za-z_][\w.:-]*[\s/>])", re.IGNORECASE)
_PROLOG: Final = re.compile(rb"\s*<\?xml[^>]*\?>\s*", re.IGNORECASE)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_UTF16: Final = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def kind_of(path: Path) -> SourceKind:
    """Tell what `path` is by its bytes; `UNKNOWN` for everything not accepted as post.

    Raises:
        OSError: The file is gone, out of reach, or no regular file.
    """
    with opened(path) as reader:
        try:
            return _kind(reader)
        except CutShort:  # it shrank while being read
            return SourceKind.UNKNOWN


def _kind(reader: Reader) -> SourceKind:
    head = reader.head(_HEAD)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return SourceKind.ASIC if _is_asic(reader, head) else SourceKind.ZIP
    return _image_container(head) or _cms(head) or _written(head)


def _image_container(head: bytes) -> SourceKind | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return SourceKind.WEBP
    if head[4:8] == b"ftyp" and _is_heif(head):
        return SourceKind.HEIC
    if head[:2] == b"BM" and len(head) >= 18:
        reserved, header = head[6:10], int.from_bytes(head[14:18], "little")
        if reserved == bytes(4) and header in _BMP_HEADERS:
            return SourceKind.BMP
    return None


def _is_heif(head: bytes) -> bool:
    end = min(int.from_bytes(head[:4], "big"), 256, len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end, 4))}
    return not brands.isdisjoint(_HEIF_BRANDS)


def _cms(head: bytes) -> SourceKind | None:
    if head[:1] == b"\x30" and _CMS_ARC in head[:20]:
        return SourceKind.CMS
    return SourceKind.CMS if _CMS_PEM.match(head.lstrip()) else None


def _written(head: bytes) -> SourceKind:
    """Tell the kinds that are text apart; a PDF with bytes before its header counts here too."""
    text = _as_bytes_of_text(head)
    if text is not None and _is_mail(text):
        return SourceKind.MAIL
    if text is not None and (kind := _markup(text)) is not None:
        return kind
    if b"%PDF-" in head[:_PDF_WINDOW]:
        return SourceKind.PDF
    return SourceKind.UNKNOWN if not text else SourceKind.TEXT


def _markup(text: bytes) -> SourceKind | None:
    prolog = _PROLOG.match(text)
    if _HTML.match(text, prolog.end() if prolog else 0):
        return SourceKind.HTML
    return SourceKind.XML if _XML.match(text) else None


def _as_bytes_of_text(head: bytes) -> bytes | None:
    """Return `head` in an ASCII-compatible form, None if it is not text."""
    for mark, encoding in _UTF16:
        if head.startswith(mark):
            decoded = head[2 : len(head) // 2 * 2].decode(encoding, "replace")
            head = decoded.encode()
            break
    text = head.removeprefix(b"\xef\xbb\xbf")
    return None if _CONTROL.search(text) else text


def _is_mail(text: bytes) -> bool:
    """Tell whether `text` begins with a header block of RFC 5322."""
    lines = text.splitlines()
    if lines and lines[0].startswith((b"From ", b">From ")):  # as kept in a mailbox file
        del lines[0]
    fields: set[bytes] = set()
    for line in lines[:-1] if len(text) == _HEAD else lines:
        if not line:
            break
        if line[:1] in b" \t":
            continue
        match = _HEADER_LINE.match(line)
        if match is None:
            break
        fields.add(match[1].lower())
    return len(fields & _MAIL_FIELDS) >= 2 and bool(fields & _MAIL_PROOF)


def _is_asic(reader: Reader, head: bytes) -> bool:
    name_length = int.from_bytes(head[26:28], "little")
    if head[30 : 30 + name_length] == b"mimetype":
        begin = 30 + name_length + int.from_bytes(head[28:30], "little")
        return head[begin : begin + 64].startswith(_ASIC_TYPES)
    tail = reader.tail(22 + 0xFFFF)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < 22:
        return False
    size = int.from_bytes(tail[end + 12 : end + 16], "little")
    position = reader.size - len(tail) + end
    directory = reader.tail(min(size, _DIRECTORY_LIMIT), position)
    return _ASIC_ENTRY.search(directory) is not None
