"""The Scanvermerk: what is known about a scan, and nothing that is not.

The fields follow BSI TR-03138 V1.5, A.NB.4, as far as this system knows them. It is the note
of a *copying* scan: it states no match and releases no paper. What nobody recorded is
written "nicht erfasst". People appear as operator codes only; no name, login, host or
folder of the machine is in it, because the note travels with the file to citizens and courts.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from ingest.document import (
    NOT_APPLICABLE,
    NOT_RECORDED,
    PUT_BACK,
    Assignment,
    Document,
    Page,
    RenditionKind,
)
from workers.note.elements import bare, child, clean, day_or_moment, moment, written
from workers.noteproof import SCANVERMERK_NAMESPACE

TITLE: Final = "Scanvermerk"
_PAPER: Final = (
    "Kopierendes Scannen: Diese Datei ist eine elektronische Kopie. Eine bildliche und "
    "inhaltliche Übereinstimmung mit dem Papier wird nicht bestätigt. Das Papieroriginal bleibt "
    "maßgeblich; es darf nicht auf Grund dieses Vermerks vernichtet werden."
)
_ELECTRONIC: Final = (
    "Diese Datei ist eine durchsuchbare Kopie eines elektronisch eingegangenen Originals. "
    "Maßgeblich bleibt das unverändert aufbewahrte Original; Signaturen und Siegel des Originals "
    "gelten nur dort. Eine bildliche und inhaltliche Übereinstimmung wird nicht bestätigt."
)
OMITTED: Final = {"separator": "Trennblatt", "blank": "leere Seite", "unreadable": "nicht lesbar"}
_MODES: Final = {"1": "bitonal", "L": "Graustufen", "RGB": "Farbe"}
_RESOLUTION: Final = {"file": "Datei", "default": "angenommen"}


@dataclass(frozen=True, kw_only=True)
class ProcessStep:
    """One step of the way and the tool that did it; `at` is None where no time was recorded."""

    name: str
    at: dt.datetime | None
    tool: str


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The authority's first stamp, and whether batch, separator sheet or system said so."""

    at: dt.datetime
    source: str


@dataclass(frozen=True, kw_only=True)
class NoteContent:
    """What the note says beyond the assignment itself.

    Attributes:
        zone: Times are written with the offset of the house, so that a date of receipt shows
            the day that was stamped.
        organisation: Who runs the installation.
        steps: In the order they were done.
        anomalies: German sentences; empty writes "Keine" explicitly.
        receipt: Date of receipt and where it came from, None where not recorded.
        pdf_sha256: Of the PDF that goes into the seal, where the note lies beside it; None where
            the note is inside, since no file can hold its own digest.
    """

    note_id: str
    created_at: dt.datetime
    zone: dt.tzinfo
    organisation: str
    steps: tuple[ProcessStep, ...]
    anomalies: tuple[str, ...]
    receipt: Receipt | None
    pdf_sha256: str | None = None


def scanvermerk(assignment: Assignment, document: Document, content: NoteContent) -> bytes:
    """Return the note as UTF-8 XML, valid against `scanvermerk-1.xsd`."""
    root = ET.Element("Scanvermerk", {"xmlns": SCANVERMERK_NAMESPACE, "version": "1.0"})
    _heading(root, assignment, document, content)
    _capture(root, assignment, document, content)
    _receipt(root, assignment, content)
    _position(root, assignment, document)
    _counts(root, assignment, document, content)
    _images(root, assignment)
    steps = ET.SubElement(root, "Prozessschritte")
    for step in content.steps:
        at = moment(step.at, content.zone)
        attributes = {"name": step.name, "zeitpunkt": at, "werkzeug": clean(step.tool)}
        ET.SubElement(steps, "Schritt", attributes)
    anomalies = ET.SubElement(root, "Auffaelligkeiten")
    for anomaly in content.anomalies:
        child(anomalies, "Auffaelligkeit", anomaly)
    if not content.anomalies:
        ET.SubElement(anomalies, "Keine")
    _digests(root, assignment, document, content.pdf_sha256)
    return written(root)


def receipt(assignment: Assignment, document: Document, zone: dt.tzinfo) -> Receipt | None:
    """Return when the document was received: its separator sheet counts before its batch."""
    hints = document.facts.get("separation", {})
    if hints.get("received_at"):
        said = dt.datetime.fromisoformat(hints["received_at"])
        aware = said if said.tzinfo else said.replace(tzinfo=zone)
        return Receipt(at=aware, source=hints.get("received_at_source", "separator"))
    envelope = assignment.batch.envelope
    if envelope.received_at is None:
        return None
    return Receipt(at=envelope.received_at, source=envelope.received_at_source or NOT_RECORDED)


def is_electronic(assignment: Assignment, document: Document) -> bool:
    """Tell whether the document was never paper, as inspection found."""
    return bool(assignment.batch.source(document.source).facts.get("electronic"))


def omitted(assignment: Assignment) -> list[tuple[int, str]]:
    """Return number and kind of the batch's left-out pages that lie in or beside this document.

    Separation says which document a page was left out beside. Where it did not yet, left-out
    pages after its last page belong to it up to the next separator; before its first page only
    its own separator and what followed that sheet, or the batch's beginning.
    """
    entries = assignment.batch.omitted
    document = assignment.document
    if document is not None and any("document" in entry for entry in entries):
        own = [entry for entry in entries if entry["document"] == document.ordinal]
        return sorted((int(entry["page"]), str(entry["kind"])) for entry in own)
    kinds = {int(entry["page"]): str(entry["kind"]) for entry in entries}
    numbers = [page.number for page in assignment.pages]
    if not numbers:
        return []
    mine = [n for n in kinds if min(numbers) < n < max(numbers) and n not in numbers]
    after = max(numbers) + 1
    while kinds.get(after) in ("blank", "unreadable"):
        mine.append(after)
        after += 1
    leading: list[int] = []
    before = min(numbers) - 1
    while before in kinds:
        leading.append(before)
        before = 0 if kinds[before] == "separator" else before - 1
    if before == 0:
        mine += leading
    return [(number, kinds[number]) for number in sorted(mine)]


def _heading(
    root: ET.Element, assignment: Assignment, document: Document, content: NoteContent
) -> None:
    electronic = is_electronic(assignment, document)
    note = ET.SubElement(root, "Vermerk")
    child(note, "Kennung", content.note_id)
    child(note, "ErstelltAm", moment(content.created_at, content.zone))
    child(note, "Titel", _title(assignment))
    child(note, "Behandlung", "kopierend")
    child(note, "Erklaerung", _ELECTRONIC if electronic else _PAPER)
    product = ET.SubElement(root, "Scanprodukt")
    child(product, "Kennung", document.id)
    child(product, "Fassung", str(document.revision))
    if document.supersedes:
        child(product, "Ersetzt", document.supersedes[0].id)
    child(product, "Herkunft", "elektronisch" if electronic else "Papier")


def _title(assignment: Assignment) -> str:
    """Return the heading; what a replacing class calls its notes would promise too much here."""
    if assignment.profile["treatment"] == "replacing":
        return TITLE
    return str(assignment.profile["note"]["title"] or TITLE)


def _capture(
    root: ET.Element, assignment: Assignment, document: Document, content: NoteContent
) -> None:
    envelope = assignment.envelope
    never_paper = is_electronic(assignment, document)
    capture = ET.SubElement(root, "Erfassung")
    child(capture, "Organisation", content.organisation)
    child(capture, "Bearbeiterkuerzel", envelope.operator)
    child(capture, "Geraet", envelope.device)
    unknown = NOT_APPLICABLE if never_paper else NOT_RECORDED
    child(capture, "GescanntAm", moment(envelope.scanned_at, content.zone, unknown))
    child(capture, "Aufbewahrungsort", envelope.storage_place)


def _receipt(root: ET.Element, assignment: Assignment, content: NoteContent) -> None:
    existing = assignment.profile["intake"]["received_at"] == "not_applicable"
    unknown = NOT_APPLICABLE if existing else NOT_RECORDED
    known = content.receipt
    element = ET.SubElement(root, "Eingang")
    at = day_or_moment(known.at if known else None, content.zone, unknown)
    child(element, "Eingangsdatum", at)
    child(element, "EingangsdatumQuelle", known.source if known else unknown)
    child(element, "RegistriertAm", moment(assignment.batch.registered_at, content.zone))
    child(element, "Kanal", assignment.batch.envelope.channel)


def _position(root: ET.Element, assignment: Assignment, document: Document) -> None:
    numbers = [page.number for page in assignment.pages]
    total = sum(source.pages or 0 for source in assignment.batch.sources)
    batch = ET.SubElement(root, "Stapel")
    child(batch, "Kennung", assignment.batch.id)
    child(batch, "Dokument", str(document.ordinal))
    child(batch, "AbbildVon", str(min(numbers)) if numbers else NOT_APPLICABLE)
    child(batch, "AbbildBis", str(max(numbers)) if numbers else NOT_APPLICABLE)
    child(batch, "AbbilderGesamt", str(total) if total else NOT_RECORDED)
    procedure = ET.SubElement(root, "Verfahren")
    child(procedure, "Profil", assignment.profile["name"])
    child(procedure, "Version", assignment.profile["version"])
    child(procedure, "Sha256", assignment.profile_sha256)


def _counts(
    root: ET.Element, assignment: Assignment, document: Document, content: NoteContent
) -> None:
    expected = assignment.batch.envelope.expected_sheets
    counts = ET.SubElement(root, "Zaehlung")
    child(counts, "ErwarteteBlaetter", None if expected is None else str(expected))
    child(counts, "Seiten", str(len(assignment.pages)))
    for number, kind in omitted(assignment):
        attributes = {"abbild": str(number), "grund": OMITTED.get(kind, kind)}
        ET.SubElement(counts, "Weggelassen", attributes)
    for entry in document.facts.get("separation", {}).get(PUT_BACK, []):
        attributes = {
            "abbild": str(entry["page"]),
            "art": OMITTED.get(entry["kind"], str(entry["kind"])),
            "kuerzel": clean(entry["by"]),
            "zeitpunkt": moment(dt.datetime.fromisoformat(entry["at"]), content.zone),
            "grund": clean(entry["reason"]),
        }
        ET.SubElement(counts, "Wiederaufgenommen", attributes)


def _images(root: ET.Element, assignment: Assignment) -> None:
    """Say how each image was captured; a page that was never pixels has no resolution."""
    images = ET.SubElement(root, "Abbilder")
    for page in assignment.pages:
        ET.SubElement(images, "Abbild", image(page))


def image(page: Page) -> dict[str, str]:
    """Return the attributes that describe one image as it was captured."""
    found = page.facts.get("examination", {})
    inspected = page.facts.get("inspection", {})
    drawn = inspected.get("media_type") == "application/pdf" and not inspected.get("dpi")
    unknown = NOT_APPLICABLE if drawn else NOT_RECORDED
    known = {} if drawn else found
    across, down = known.get("dpi") or (None, None)
    return {
        "nummer": str(page.number),
        "breite": str(known.get("width") or unknown),
        "hoehe": str(known.get("height") or unknown),
        "aufloesung": f"{across:g}x{down:g}" if across and down else unknown,
        "aufloesungQuelle": _RESOLUTION.get(str(known.get("dpi_source")), unknown),
        "farbmodus": _MODES.get(str(known.get("mode")), unknown),
    }


def _digests(
    root: ET.Element, assignment: Assignment, document: Document, pdf_sha256: str | None
) -> None:
    ordinals = {page.source for page in assignment.pages} | {document.source}
    digests = ET.SubElement(root, "Pruefsummen", {"verfahren": "SHA-256"})
    for source in assignment.batch.sources:
        if source.ordinal in ordinals:
            element = child(digests, "Quelle", source.sha256)
            element.set("name", clean(bare(source.name)))
    for page in assignment.pages:
        child(digests, "Abbild", page.sha256).set("nummer", str(page.number))
    for name, kind in (("PdfVorVermerk", RenditionKind.COMPOSED), ("Text", RenditionKind.TEXT)):
        rendition = document.renditions.get(kind)
        if rendition is not None:
            child(digests, name, rendition.sha256)
    if pdf_sha256 is not None:
        child(digests, "PdfVorSiegel", pdf_sha256)
