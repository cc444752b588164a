"""Looking at one file: what kind it is, its pages, and what an operator has to know of it.

Nothing is decoded beyond headers and structure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from ingest.content import completeness, tiff
from ingest.content.frame import check_size
from ingest.content.raster import measure
from ingest.document import Facts, FoundPage, Source, SourceKind
from ingest.errors import Incomplete, Unreadable

_SUBFILE_TYPE: Final = 254
_REDUCED: Final = 1
_X_RESOLUTION, _Y_RESOLUTION, _UNIT = 282, 283, 296
_CENTIMETRE: Final = 3
_COMPRESSION: Final = 259
#: JBIG2 in TIFF (TIFF-FX); no decoder here tells whether letters share symbols.
_TIFF_JBIG2: Final = 34715
#: How an image is packed, by its TIFF tag (TIFF 6.0 and its supplements) or its kind of file.
_PACKED: Final = MappingProxyType(
    {
        1: "keine",
        2: "Fax G3",
        3: "Fax G3",
        4: "Fax G4",
        5: "LZW",
        6: "JPEG",
        7: "JPEG",
        8: "Deflate",
        32773: "PackBits",
        32946: "Deflate",
        _TIFF_JBIG2: "JBIG2",
        SourceKind.JPEG: "JPEG",
        SourceKind.PNG: "Deflate",
        SourceKind.GIF: "LZW",
    }
)
_RATIONAL_BYTES: Final = 8
_CALLED: Final = MappingProxyType(
    {
        SourceKind.MAIL: "eine E-Mail",
        SourceKind.OUTLOOK: "eine Outlook- oder Office-Datei",
        SourceKind.CMS: "eine CMS-Signaturdatei",
        SourceKind.ASIC: "ein Signaturcontainer (ASiC)",
        SourceKind.ZIP: "ein ZIP-Archiv oder Office-Dokument",
        SourceKind.XML: "eine XML-Datei",
        SourceKind.HTML: "eine HTML-Datei",
        SourceKind.TEXT: "eine Textdatei",
    }
)


@dataclass(frozen=True)
class Inspected:
    """A source with what was found of it, and its pages."""

    source: Source
    pages: tuple[FoundPage, ...] = ()


def opaque(source: Source, path: Path, limit: int) -> Inspected:
    """Take a file that has no pages."""
    del limit
    if path.stat().st_size == 0:
        raise Incomplete("no bytes", operator_text="Die Datei ist leer (0 Byte).")
    if source.kind not in _CALLED:
        text = "Der Dateityp ist nicht bekannt, der Inhalt lässt sich nicht lesen."
        raise Unreadable("unknown type", operator_text=text)
    text = (
        f"„{source.name}“ ist {_CALLED[source.kind]}: nicht als Bild darstellbar, Original"
        " unverändert zugestellt."
    )
    return Inspected(replace(source, pages=None, facts=opaque_facts([finding("opaque", text)])))


def opaque_facts(findings: list[Facts]) -> Facts:
    """Return the facts of a file without pages."""
    return {
        "electronic": True,
        "class": "opaque",
        "signed": False,
        "signatures": 0,
        "encrypted": False,
        "attachments": [],
        "as_is": False,
        "findings": findings,
    }


def finding(code: str, text: str) -> Facts:
    """Return a finding; `text` is a German sentence for whoever receives the document."""
    return {"code": code, "text": text}


def check_whole(path: Path, kind: SourceKind) -> None:
    """Require that the structure reaches its end.

    Raises:
        Incomplete: It does not.
    """
    found = completeness(path, kind)
    if not found.complete:
        text = f"Die Datei ist unvollständig: {found.operator_text}."
        raise Incomplete(f"{found.reason_code}", operator_text=text)


def image(source: Source, path: Path, limit: int) -> Inspected:
    """Take a single picture; of an animation the first one counts."""
    check_whole(path, source.kind)
    width, height, dpi, several = measure(path, source.kind)
    check_size(width, height, 0, limit)
    findings = []
    if several:
        text = "Die Datei enthält mehrere Bilder; nur das erste wird als Seite übernommen."
        findings.append(finding("first_picture_only", text))
    page = FoundPage(
        source=source.ordinal,
        index=0,
        sha256=source.sha256,
        facts={
            **_raster_facts(width, height, dpi, source.kind),
            "compression": _PACKED.get(source.kind),
        },
    )
    return Inspected(_scanned(source, 1, findings), (page,))


def tiff_pages(source: Source, path: Path, limit: int) -> Inspected:
    """Take every frame that is a page; smaller copies of pages are not."""
    check_whole(path, source.kind)
    frames = [frame for frame in tiff.frames(path) if not _is_reduced(frame)]
    if not frames:
        text = "Die TIFF-Datei enthält keine Seite in voller Auflösung."
        raise Unreadable("only reduced frames", operator_text=text)
    pages = []
    for index, frame in enumerate(frames):
        check_size(frame.width, frame.height, index, limit)
        digest = source.sha256 if len(frames) == 1 else tiff.frame_digest(path, frame)
        facts = _raster_facts(frame.width, frame.height, _tiff_dpi(frame), source.kind)
        facts["compression"] = _PACKED.get(_whole_number(frame, _COMPRESSION) or 1)
        pages.append(FoundPage(source=source.ordinal, index=index, sha256=digest, facts=facts))
    coded = any(_whole_number(frame, _COMPRESSION) == _TIFF_JBIG2 for frame in frames)
    taken = _scanned(source, len(pages), [])
    taken = replace(taken, facts={**taken.facts, "jbig2": coded, "jbig2_symbol": coded})
    return Inspected(taken, tuple(pages))


def _scanned(source: Source, pages: int, findings: list[Facts]) -> Source:
    facts: Facts = {
        "electronic": False,
        "class": "scan",
        "signed": False,
        "signatures": 0,
        "encrypted": False,
        "attachments": [],
        "as_is": False,
        "findings": findings,
    }
    return replace(source, pages=pages, facts=facts)


def _raster_facts(
    width: int, height: int, dpi: tuple[float, float] | None, kind: SourceKind
) -> Facts:
    return {
        "width": width,
        "height": height,
        "text": False,
        "dpi": None if dpi is None else [round(value, 2) for value in dpi],
        "media_type": kind.media_type,
    }


def _is_reduced(frame: tiff.Frame) -> bool:
    return bool(_whole_number(frame, _SUBFILE_TYPE) & _REDUCED)


def _whole_number(frame: tiff.Frame, number: int) -> int:
    tag = frame.tags.get(number)
    return int.from_bytes(tag.value, _byte_order(frame)) if tag is not None else 0


def _byte_order(frame: tiff.Frame) -> Literal["little", "big"]:
    return "little" if frame.order == "<" else "big"


def _tiff_dpi(frame: tiff.Frame) -> tuple[float, float] | None:
    across, down = _ratio(frame, _X_RESOLUTION), _ratio(frame, _Y_RESOLUTION)
    if not across or not down:
        return None
    inches = 2.54 if _whole_number(frame, _UNIT) == _CENTIMETRE else 1.0
    return across * inches, down * inches


def _ratio(frame: tiff.Frame, number: int) -> float:
    tag = frame.tags.get(number)
    if tag is None or len(tag.value) != _RATIONAL_BYTES:
        return 0.0
    over = int.from_bytes(tag.value[:4], _byte_order(frame))
    under = int.from_bytes(tag.value[4:], _byte_order(frame))
    return over / under if under else 0.0
