"""The Ergänzungsvermerk: what a clerk found about a document that was delivered before.

Its transfer note said "Übereinstimmung noch nicht bestätigt" and stays as it is, sealed. This
note names that one and the sealed PDF by digest, who judged and when, and what that changes: a
confirmed match makes the document a replacing one (F 5.1), a refused one leaves it a copy.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Final
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from ingest import clock
from ingest.context import StepContext
from ingest.document import (
    Assignment,
    Document,
    Facts,
    Outcome,
    Rendition,
    RenditionKind,
    new_id,
)
from ingest.errors import NoteIncomplete
from workers.note.checked import role_name
from workers.note.elements import child, moment, written
from workers.note.transfervermerk import clock_of
from workers.note.way import TOOL
from workers.noteproof import NAMESPACE, TR_VERSION, Note, NoteBroken

TITLE: Final = "Ergänzungsvermerk"
_CONFIRMED: Final = (
    "Die Sachbearbeitung ({by}) hat das Scanprodukt am {at} mit dem Papier verglichen und die "
    "Übereinstimmung bestätigt: {how}. Das Scanprodukt gilt von da an als ersetzend. Über die "
    "Vernichtung des Papiers entscheidet eine eigene Freigabe."
)
_REFUSED: Final = (
    "Die Sachbearbeitung ({by}) hat das Scanprodukt am {at} mit dem Papier verglichen. Die "
    "Übereinstimmung wurde nicht bestätigt. Das Scanprodukt bleibt eine Kopie; das Papier bleibt "
    "maßgeblich und darf nicht vernichtet werden."
)


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Write the supplementary note of a delivered document.

    Raises:
        NoteIncomplete: The result, the sealed PDF or its transfer note is missing.
    """
    document = assignment.document
    if document is None:
        message = f"step {assignment.step} needs a document"
        raise ValueError(message)
    verdict = _verdict(assignment, document)
    note = _original(document, context)
    confirmed = assignment.quality["state"] == "confirmed"
    note_id, zone = new_id(), ZoneInfo(context.settings.house.zone)
    content = _written(assignment, context, (note_id, zone), note)
    made = context.rendition(
        RenditionKind.SUPPLEMENT,
        content,
        media_type="text/xml",
        parent=document.renditions[RenditionKind.PDF].sha256,
        tool=TOOL,
    )
    facts: Facts = {
        "note_id": note_id,
        "treatment": "ersetzend" if confirmed else "kopierend",
        "statement": {
            "visual": confirmed and bool(verdict["visual"]),
            "content": confirmed,
            "by": verdict["by"],
            "at": verdict["at"],
        },
    }
    return Outcome(renditions=(made,), facts=facts)


def _verdict(assignment: Assignment, document: Document) -> Facts:
    """Return the clerk's result; it has to be there, and to be what its state says."""
    quality = assignment.quality
    verdict: Facts | None = quality.get("verdict")
    state = quality.get("state")
    if verdict is None or state not in ("confirmed", "refused"):
        raise _incomplete(document, "das Ergebnis der Sachbearbeitung")
    if verdict["by"] not in assignment.registered:
        raise _incomplete(document, f"eine bekannte Person zum Kürzel „{verdict['by']}“")
    by_content_only = assignment.profile["quality"]["match"] == "content"
    good = bool(verdict["content"]) and (bool(verdict["visual"]) or by_content_only)
    if good != (state == "confirmed"):
        raise _incomplete(document, "ein Ergebnis, das zu seinem Befund passt")
    return verdict


def _original(document: Document, context: StepContext) -> Note:
    for kind, what in ((RenditionKind.PDF, "die gesicherte PDF"), (RenditionKind.NOTE, "ihr")):
        if kind not in document.renditions:
            raise _incomplete(document, f"{what} Transfervermerk" if what == "ihr" else what)
    try:
        note = Note(context.read(document.renditions[RenditionKind.NOTE].sha256))
    except NoteBroken as error:
        raise _incomplete(document, f"ein lesbarer Transfervermerk ({error})") from error
    if not note.is_transfer or note.text("Scanprodukt/Kennung") != document.id:
        raise _incomplete(document, "ihr Transfervermerk")
    return note


def _incomplete(document: Document, what: str) -> NoteIncomplete:
    text = f"Dokument {document.id}: Für den Ergänzungsvermerk fehlt {what}."
    return NoteIncomplete(f"supplement of {document.id} lacks {what}", operator_text=text)


def _written(
    assignment: Assignment, context: StepContext, made: tuple[str, dt.tzinfo], original: Note
) -> bytes:
    (note_id, zone), house = made, context.settings.house
    quality, verdict = assignment.quality, assignment.quality["verdict"]
    confirmed = quality["state"] == "confirmed"
    root = ET.Element("Ergaenzungsvermerk", {"xmlns": NAMESPACE, "version": "1.0"})
    note = ET.SubElement(root, "Vermerk")
    child(note, "Kennung", note_id)
    child(note, "ErstelltAm", moment(clock.now(), zone))
    child(note, "Titel", TITLE)
    child(note, "Behandlung", "ersetzend" if confirmed else "kopierend")
    child(note, "Richtlinie", TR_VERSION)
    _reference(root, assignment, original)
    creator = ET.SubElement(root, "Ersteller")
    child(creator, "Kuerzel", verdict["by"])
    child(creator, "Rolle", role_name(verdict.get("role")))
    contractor = ET.SubElement(root, "Auftragnehmer")
    for tag, text in (("Name", house.organisation), ("Ort", house.place), ("Einheit", house.unit)):
        child(contractor, tag, text)
    check = ET.SubElement(root, "Pruefung")
    at = moment(dt.datetime.fromisoformat(verdict["at"]), zone)
    child(check, "Zeitpunkt", at)
    child(check, "Ergebnis", "bestätigt" if confirmed else "nicht bestätigt")
    child(check, "Bildlich", str(bool(verdict["visual"])).lower())
    child(check, "Inhaltlich", str(bool(verdict["content"])).lower())
    for number in verdict.get("pages") or ():
        ET.SubElement(check, "BeurteiltesAbbild", {"nummer": str(number)})
    clock_of(check, clock.state())
    _statement(root, verdict, zone, confirmed=confirmed)
    return written(root)


def _reference(root: ET.Element, assignment: Assignment, original: Note) -> None:
    document: Document = assignment.document  # type: ignore[assignment]  # `perform` has looked
    sealed: Rendition = document.renditions[RenditionKind.PDF]
    reference = ET.SubElement(root, "Bezug")
    child(reference, "Scanprodukt", document.id)
    child(reference, "Fassung", str(document.revision))
    child(reference, "Stapel", assignment.batch.id)
    child(reference, "PdfSha256", sealed.sha256)
    child(reference, "Vermerk", original.text("Vermerk/Kennung"))
    child(reference, "VermerkSha256", hashlib.sha256(original.content).hexdigest())


def _statement(root: ET.Element, verdict: Facts, zone: dt.tzinfo, *, confirmed: bool) -> None:
    at = f"{dt.datetime.fromisoformat(verdict['at']).astimezone(zone):%d.%m.%Y um %H:%M Uhr}"
    visual = confirmed and bool(verdict["visual"])
    how = "bildlich und inhaltlich" if visual else "inhaltlich"
    text = (_CONFIRMED if confirmed else _REFUSED).format(by=verdict["by"], at=at, how=how)
    match = ET.SubElement(root, "Uebereinstimmung")
    child(match, "Bildlich", str(visual).lower())
    child(match, "Inhaltlich", str(confirmed).lower())
    child(match, "Erklaerung", text)
