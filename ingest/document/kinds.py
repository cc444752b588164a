"""What things are: how urgent, what kind of rendition, page or source."""

from __future__ import annotations

import enum
from typing import Final


class Priority(enum.IntEnum):
    """Smaller is sooner."""

    DEADLINE = 0
    TODAY = 10
    ON_DEMAND = 20
    ARCHIVE = 30


class RenditionKind(enum.StrEnum):
    """What a blob is to its document, page or batch."""

    MANIFEST = "manifest"  #: batch: what the station said of it, as it came, even if faulty
    OPENED = "opened"  #: batch: a source without its password, made when a person released it
    WORDS = "words"  #: page: recognised words with boxes (JSON), see `workers.recognition`
    TEXT = "text"  #: document: plain text, UTF-8
    COMPOSED = "composed"  #: document: PDF before its note
    NOTE = "note"  #: document: Scanvermerk, XML
    NOTED = "noted"  #: document: PDF/A-3b with its note, before the seal
    PDF = "pdf"  #: document: the final, sealed PDF
    SEAL_REPORT = "seal_report"
    VALIDATION_REPORT = "validation_report"  #: batch: of a source's signatures, see its parent
    SIDECAR = "sidecar"  #: document: what was delivered beside the PDF, JSON
    SUPPLEMENT = "supplement"  #: document: Ergänzungsvermerk after a clerk's result, XML
    SUPPLEMENT_SEAL = "supplement_seal"  #: document: its detached seal, CMS


class PageRole(enum.StrEnum):
    """What a page is in its stack."""

    CONTENT = "content"
    ENVELOPE = "envelope"
    SEPARATOR = "separator"
    NOTE = "note"
    BLANK_SUSPECT = "blank_suspect"


class Sides(enum.StrEnum):
    """How the sides of the sheets lie in a scanned stack, one behind the other."""

    SIMPLEX = "simplex"  #: one page a sheet
    DUPLEX = "duplex"  #: front, back, front, back
    FRONTS_THEN_BACKS = "fronts_then_backs"  #: two passes: fronts 1..n, then backs n..1


class SourceKind(enum.StrEnum):
    """What a source turned out to be; decided by its bytes, never by its name."""

    TIFF = "tiff"
    JPEG = "jpeg"
    PNG = "png"
    GIF = "gif"
    WEBP = "webp"
    BMP = "bmp"
    HEIC = "heic"
    PDF = "pdf"
    MAIL = "mail"  #: RFC 5322 message
    OUTLOOK = "outlook"  #: .msg and other OLE compound files
    CMS = "cms"  #: PKCS#7/CMS, DER or PEM: .p7m .p7s
    ASIC = "asic"  #: ASiC-S/E container
    ZIP = "zip"  #: any other ZIP, office files too
    XML = "xml"
    HTML = "html"
    TEXT = "text"
    UNKNOWN = "unknown"

    @property
    def is_image(self) -> bool:
        """Whether the source is a raster image with one or more frames."""
        return self in _IMAGES

    @property
    def media_type(self) -> str:
        """The name of this kind in HTTP and mail (IANA)."""
        return _MEDIA_TYPES.get(self, "application/octet-stream")


_MEDIA_TYPES: Final = {
    SourceKind.TIFF: "image/tiff",
    SourceKind.JPEG: "image/jpeg",
    SourceKind.PNG: "image/png",
    SourceKind.GIF: "image/gif",
    SourceKind.WEBP: "image/webp",
    SourceKind.BMP: "image/bmp",
    SourceKind.HEIC: "image/heic",
    SourceKind.PDF: "application/pdf",
    SourceKind.MAIL: "message/rfc822",
    SourceKind.OUTLOOK: "application/vnd.ms-outlook",
    SourceKind.CMS: "application/pkcs7-mime",
    SourceKind.ASIC: "application/vnd.etsi.asic-e+zip",
    SourceKind.ZIP: "application/zip",
    SourceKind.XML: "application/xml",
    SourceKind.HTML: "text/html",
    SourceKind.TEXT: "text/plain",
}
_IMAGES: Final = frozenset(
    {
        SourceKind.TIFF,
        SourceKind.JPEG,
        SourceKind.PNG,
        SourceKind.GIF,
        SourceKind.WEBP,
        SourceKind.BMP,
        SourceKind.HEIC,
    }
)
