"""INSPECTION: what has arrived, told from the bytes and never from the name.

Every source is identified, its pages are counted and given their digests, and whatever an
operator has to know is written down in German. Nothing is decoded beyond headers and structure.
Electronic originals are never stopped for their form: what cannot be shown as pages is
delivered untouched. Held is only what nobody can read, what needs a password and what ends early;
`as_is=yes` then takes the file as it came.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal
from zoneinfo import ZoneInfo

from ingest.content import completeness, kind_of, tiff
from ingest.content.frame import check_size
from ingest.content.pdf import PdfFindings, inspect_pdf
from ingest.content.pdf_pages import PdfPage
from ingest.content.raster import measure
from ingest.context import StepContext
from ingest.document import Assignment, Facts, FoundPage, Outcome, Source, SourceKind
from ingest.errors import (
    Dangerous,
    Incomplete,
    PasswordNeeded,
    ReceivedDateMissing,
    Unclear,
    Unreadable,
)
from ingest.product import PRODUCT
from profiles import Profile

DETECTOR: Final = f"{PRODUCT} inspection/1"
_AS_IS: Final = "Mit 'as_is=yes' freigeben, um die Datei unverändert weiterzugeben."
_RESCAN: Final = "Bitte erneut scannen oder den Absender unterrichten und zurückweisen."
_SUBFILE_TYPE: Final = 254
_REDUCED: Final = 1
_X_RESOLUTION, _Y_RESOLUTION, _UNIT = 282, 283, 296
_CENTIMETRE: Final = 3
_RATIONAL_BYTES: Final = 8
_MEDIA_TYPES: Final = MappingProxyType(
    {
        SourceKind.TIFF: "image/tiff",
        SourceKind.JPEG: "image/jpeg",
        SourceKind.PNG: "image/png",
        SourceKind.GIF: "image/gif",
        SourceKind.WEBP: "image/webp",
        SourceKind.BMP: "image/bmp",
        SourceKind.HEIC: "image/heic",
        SourceKind.PDF: "application/pdf",
    }
)
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
class _Inspected:
    source: Source
    pages: tuple[FoundPage, ...] = ()


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Inspect every source of the batch.

    Raises:
        ReceivedDateMissing: The document class needs the date of receipt.
        PasswordNeeded: A file opens only with a password.
        Unreadable: A file has no known type, no structure or no pages.
        Incomplete: A file is empty or ends early.
        DecompressionBomb: A file claims more pixels than any page has.
    """
    facts = _receipt(assignment, ZoneInfo(context.settings.house.zone))
    as_is = assignment.released.get("as_is") == "yes"
    limit = context.settings.workers.max_pixels
    sources: list[Source] = []
    pages: list[FoundPage] = []
    for source in assignment.batch.sources:
        found = _source(source, context.path(source.sha256), limit, as_is=as_is)
        sources.append(found.source)
        pages += found.pages
    return Outcome(
        sources=tuple(sources),
        pages=tuple(pages),
        facts={**facts, "pages": len(pages), "detector": DETECTOR},
    )


def _receipt(assignment: Assignment, zone: ZoneInfo) -> Facts:
    """Return the date of receipt where a person has supplied it: that day's midnight at home."""
    given = assignment.released.get("received_at")
    if given is not None:
        try:
            day = dt.date.fromisoformat(given)
        except ValueError as error:
            text = f"received_at: '{given}' ist kein Datum. Erwartet wird JJJJ-MM-TT."
            raise ReceivedDateMissing(f"no date: {given!r}", operator_text=text) from error
        received_at = dt.datetime.combine(day, dt.time.min, zone).isoformat()
        return {"received_at": received_at, "received_at_source": "operator"}
    rule = Profile.model_validate(assignment.profile).intake.received_at
    if rule == "required" and assignment.batch.envelope.received_at is None:
        raise ReceivedDateMissing(
            "date of receipt required",
            operator_text=(
                "Das Eingangsdatum fehlt, das Profil verlangt es. Bitte vom Eingangsstempel ablesen"
                " und mit 'received_at=JJJJ-MM-TT' freigeben."
            ),
        )
    return {}


def _source(source: Source, path: Path, limit: int, *, as_is: bool) -> _Inspected:
    kind = kind_of(path)
    source = replace(source, kind=kind)
    try:
        return _LOOK.get(kind, _opaque)(source, path, limit)
    except (Unclear, Dangerous) as error:
        if as_is:
            return _taken_as_is(source, error)
        raise _addressed(error, source) from error


def _addressed(error: Unclear | Dangerous, source: Source) -> Unclear | Dangerous:
    """Say which file it is and what can be done."""
    remedy = _RESCAN
    if isinstance(error, PasswordNeeded):
        remedy = (
            "Bitte den Absender um eine Fassung ohne Kennwort bitten (Aufgabe: Absender"
            " unterrichten) und diese Sendung mit Grund zurückweisen."
        )
    text = f"Datei „{source.name}“: {error.operator_text} {remedy} {_AS_IS}"
    return type(error)(f"{source.name!a}: {error}", operator_text=text, code=error.code)


def _taken_as_is(source: Source, error: Unclear | Dangerous) -> _Inspected:
    text = f"Auf Anweisung unverändert zugestellt, obwohl: {error.operator_text}"
    facts = _opaque_facts([_finding(error.code, text)])
    return _Inspected(replace(source, pages=None, facts={**facts, "as_is": True}))


def _opaque(source: Source, path: Path, limit: int) -> _Inspected:
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
    return _Inspected(replace(source, pages=None, facts=_opaque_facts([_finding("opaque", text)])))


def _opaque_facts(findings: list[Facts]) -> Facts:
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


def _finding(code: str, text: str) -> Facts:
    return {"code": code, "text": text}


def _check_whole(path: Path, kind: SourceKind) -> None:
    found = completeness(path, kind)
    if not found.complete:
        text = f"Die Datei ist unvollständig: {found.operator_text}."
        raise Incomplete(f"{found.reason_code}", operator_text=text)


def _image(source: Source, path: Path, limit: int) -> _Inspected:
    """Take a single picture; of an animation the first one counts."""
    _check_whole(path, source.kind)
    width, height, dpi, several = measure(path, source.kind)
    check_size(width, height, 0, limit)
    findings = []
    if several:
        text = "Die Datei enthält mehrere Bilder; nur das erste wird als Seite übernommen."
        findings.append(_finding("first_picture_only", text))
    page = FoundPage(
        source=source.ordinal,
        index=0,
        sha256=source.sha256,
        facts=_raster_facts(width, height, dpi, source.kind),
    )
    return _Inspected(_scanned(source, 1, findings), (page,))


def _tiff(source: Source, path: Path, limit: int) -> _Inspected:
    """Take every frame that is a page; smaller copies of pages are not."""
    _check_whole(path, source.kind)
    frames = [frame for frame in tiff.frames(path) if not _is_reduced(frame)]
    if not frames:
        text = "Die TIFF-Datei enthält keine Seite in voller Auflösung."
        raise Unreadable("only reduced frames", operator_text=text)
    pages = []
    for index, frame in enumerate(frames):
        check_size(frame.width, frame.height, index, limit)
        digest = source.sha256 if len(frames) == 1 else tiff.frame_digest(path, frame)
        facts = _raster_facts(frame.width, frame.height, _tiff_dpi(frame), source.kind)
        pages.append(FoundPage(source=source.ordinal, index=index, sha256=digest, facts=facts))
    return _Inspected(_scanned(source, len(pages), []), tuple(pages))


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
        "media_type": _MEDIA_TYPES[kind],
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


def _pdf(source: Source, path: Path, limit: int) -> _Inspected:
    """Take the pages of a PDF and note everything that makes it more than pictures."""
    if path.stat().st_size == 0:
        raise Incomplete("no bytes", operator_text="Die Datei ist leer (0 Byte).")
    try:
        findings = inspect_pdf(path)
    except Unreadable:
        _check_whole(path, source.kind)  # a cut file reads as broken; say what it is
        raise
    pages = []
    for index, page in enumerate(findings.pages):
        if page is not None:
            check_size(page.pixels, 1, index, limit)
        digest = hashlib.sha256(f"pdf-page/1 {source.sha256} {index}".encode()).hexdigest()
        pages.append(
            FoundPage(
                source=source.ordinal, index=index, sha256=digest, facts=_pdf_page_facts(page)
            )
        )
    facts = {**findings.facts(), "as_is": False, "findings": list(_pdf_findings(findings))}
    return _Inspected(replace(source, pages=len(pages), facts=facts), tuple(pages))


def _pdf_page_facts(page: PdfPage | None) -> Facts:
    if page is None:
        return {"text": False, "dpi": None, "media_type": _MEDIA_TYPES[SourceKind.PDF]}
    return {
        "width": page.width,
        "height": page.height,
        "text": page.text,
        "dpi": None if page.dpi is None else list(page.dpi),
        "media_type": _MEDIA_TYPES[SourceKind.PDF],
        "class": page.kind,
        "coverage": page.coverage,
    }


def _pdf_findings(found: PdfFindings) -> Iterable[Facts]:
    names = ", ".join(f"„{name}“" for name in found.attachments[:20])
    said = {
        "signed": found.signatures
        and f"Elektronisch signiert ({found.signatures}); die Datei bleibt unverändert, die"
        " Gültigkeit ist hier nicht geprüft.",
        "encrypted": found.encrypted
        and "Verschlüsselt, öffnet ohne Kennwort; die Nutzung ist vom Absender eingeschränkt.",
        "attachments": names and f"Enthält eingebettete Dateien: {names}.",
        "portfolio": found.portfolio
        and "PDF-Portfolio: die eigentlichen Schriftstücke sind die eingebetteten Dateien.",
        "javascript": found.javascript and "Enthält JavaScript; es wird nicht ausgeführt.",
        "xfa": found.xfa
        and "XFA-Formular: der Inhalt ist nur in dafür gemachten Programmen vollständig zu sehen."
        " Bitte das Original ansehen.",
        "acroform": found.acroform and "Enthält ausfüllbare Formularfelder.",
        "jbig2": found.jbig2
        and not found.jbig2_symbol
        and "Bilder sind mit JBIG2 gepackt (ohne gemeinsame Zeichenmuster).",
        "jbig2_symbol": found.jbig2_symbol
        and "JBIG2 mit gemeinsamen Zeichenmustern: das Gerät kann Zeichen vertauscht haben.",
        "repaired": found.repaired and "Beschädigt; beim Lesen waren Reparaturen nötig.",
        "unreadable_pages": None in found.pages
        and "Nicht jede Seite lässt sich öffnen, siehe Original.",
    }
    return (_finding(code, text) for code, text in said.items() if text)


_LOOK: Final[MappingProxyType[SourceKind, Callable[[Source, Path, int], _Inspected]]] = (
    MappingProxyType(
        {
            **{kind: _image for kind in SourceKind if kind.is_image},
            SourceKind.TIFF: _tiff,
            SourceKind.PDF: _pdf,
        }
    )
)
