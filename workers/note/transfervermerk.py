"""The Transfervermerk: everything TR-03138 V1.5 (A.NB.4) has a replacing scan say of itself.

One note for each scan product, in a stack too. It is written only when every field that must
be known is known (`completeness`), and states of the match only what happened (`statement`).
Its form is `transfervermerk-1.xsd`; where each field comes from stands in docs/transfer-note.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from ingest.clock import ClockState
from ingest.document import (
    NOT_APPLICABLE,
    NOT_RECORDED,
    PUT_BACK,
    SCANNED,
    Assignment,
    Document,
    Facts,
    Page,
    RenditionKind,
)
from ingest.settings import HouseSettings
from workers.note.checked import quality
from workers.note.completeness import scanned
from workers.note.elements import bare, child, clean, day_or_moment, moment, written
from workers.note.integrity import Planned
from workers.note.scanvermerk import OMITTED, NoteContent, image, omitted
from workers.note.scanvermerk import TITLE as SCANVERMERK
from workers.note.statement import Statement
from workers.note.supplied import Known
from workers.noteproof import NAMESPACE, TR_VERSION

_SIDES: Final = {
    "simplex": "einseitig",
    "duplex": "zweiseitig",
    "fronts_then_backs": "zweiseitig in zwei Durchläufen",
}
_FEEDS: Final = {
    "flatbed": "Vorlagenglas",
    "feeder": "Einzug, einseitig",
    "duplex": "Einzug, beidseitig",
}
_BY_FEED: Final = {"flatbed": "simplex", "feeder": "simplex", "duplex": "duplex"}
_NEEDS: Final = {"normal": "normal", "high": "hoch", "very_high": "sehr hoch"}
_TITLE: Final = "Transfervermerk"
_MM: Final = 25.4


@dataclass(frozen=True, kw_only=True)
class Given:
    """All that goes into one note.

    Attributes:
        known: Receipt and capture.
        counts_accepted: A person accepted that sheets and images differ.
        clock: Of this machine, now.
    """

    assignment: Assignment
    document: Document
    content: NoteContent
    house: HouseSettings
    known: Known
    statement: Statement
    planned: Planned
    clock: ClockState
    counts_accepted: bool

    def moment(self, at: str | dt.datetime | None) -> str:
        """Return a time as it is written, `nicht erfasst` where there is none."""
        aware = dt.datetime.fromisoformat(at) if isinstance(at, str) else at
        return moment(aware, self.content.zone)


def transfervermerk(given: Given) -> bytes:
    """Return the note as UTF-8 XML, valid against `transfervermerk-1.xsd`."""
    root = ET.Element("Transfervermerk", {"xmlns": NAMESPACE, "version": "1.0"})
    for write in (
        _heading,
        _persons,
        _procedure,
        _system,
        _settings,
        _batch,
        _receipt,
        _times,
        _steps,
        _anomalies,
        _original,
        _counts,
        _quality,
        _protection,
        _digests,
        _integrity,
    ):
        write(root, given)
    return written(root)


def _heading(root: ET.Element, given: Given) -> None:
    note = ET.SubElement(root, "Vermerk")
    child(note, "Kennung", given.content.note_id)
    child(note, "ErstelltAm", given.moment(given.content.created_at))
    child(note, "Titel", _title(given.assignment))
    child(note, "Behandlung", given.statement.treatment)
    child(note, "Richtlinie", TR_VERSION)
    product = ET.SubElement(root, "Scanprodukt")
    child(product, "Kennung", given.document.id)
    child(product, "Fassung", str(given.document.revision))
    if given.document.supersedes:
        child(product, "Ersetzt", given.document.supersedes[0].id)
    child(product, "Herkunft", "Papier")


def _title(assignment: Assignment) -> str:
    """Return the heading; versions of profiles from before may have the other note's."""
    title: str | None = assignment.profile["note"]["title"]
    return _TITLE if title in (None, SCANVERMERK) else title


def _persons(root: ET.Element, given: Given) -> None:
    creator = ET.SubElement(root, "Ersteller")
    child(creator, "Kuerzel", given.known.envelope.operator)
    child(creator, "Rolle", "scannende Person")  # what was done; roles may be given or not
    contractor = ET.SubElement(root, "Auftragnehmer")
    child(contractor, "Name", given.house.organisation)
    child(contractor, "Ort", given.house.place)
    child(contractor, "Einheit", given.house.unit)
    child(ET.SubElement(root, "Auftraggeber"), "Name", given.house.client)


def _procedure(root: ET.Element, given: Given) -> None:
    written_down: Facts = given.assignment.profile["procedure"]
    released = given.assignment.procedure
    procedure = ET.SubElement(root, "Verfahren")
    child(procedure, "Bezeichnung", written_down["name"])
    child(procedure, "Auspraegung", written_down["edition"])
    child(procedure, "Version", written_down["version"])
    child(procedure, "Stand", written_down["as_of"])
    child(procedure, "Pfleger", written_down["maintainer"])
    child(procedure, "Sha256", written_down["sha256"])
    child(procedure, "AnlageSha256", released.get("annex_sha256"))
    child(procedure, "FreigegebenDurch", released["released_by"])
    child(procedure, "FreigegebenAm", given.moment(released.get("released_at")))


def _system(root: ET.Element, given: Given) -> None:
    system = ET.SubElement(root, "Erfassungssystem")
    child(system, "Geraet", given.known.envelope.device)
    scanned: Facts = given.assignment.batch.facts.get(SCANNED, {})
    device: Facts = scanned.get("device", {})
    child(system, "Arbeitsplatz", scanned.get("station"))
    child(system, "Firmware", device.get("firmware"))
    child(system, "Treiber", device.get("driver"))


def _sides(assignment: Assignment) -> str | None:
    """Return how sheets were used: as the batch, the class or the scanner says; None unknown."""
    said = assignment.batch.envelope.sides or assignment.profile["separation"]["sides"]
    settings: Facts = assignment.batch.facts.get(SCANNED, {}).get("settings", {})
    fed = _BY_FEED.get(str(settings.get("feed")))
    return None if said is None and fed is None else str(said or fed)


def _settings(root: ET.Element, given: Given) -> None:
    assignment = given.assignment
    settings = ET.SubElement(root, "Einstellungen")
    child(settings, "Seitennutzung", _SIDES.get(str(_sides(assignment))))
    asked: Facts = assignment.batch.facts.get(SCANNED, {}).get("settings", {})
    child(settings, "Einzug", _FEEDS.get(asked.get("feed", "")))
    profile = ET.SubElement(settings, "Profil")
    child(profile, "Name", assignment.profile["name"])
    child(profile, "Version", assignment.profile["version"])
    child(profile, "Sha256", assignment.profile_sha256)
    for page in assignment.pages:
        packing = page.facts.get("inspection", {}).get("compression")
        kind = str(assignment.batch.source(page.source).kind)
        described = {**image(page), "dateiart": kind, "kompression": clean(packing or "")}
        ET.SubElement(settings, "Abbild", described)


def _batch(root: ET.Element, given: Given) -> None:
    assignment = given.assignment
    numbers = [page.number for page in assignment.pages]
    batch = ET.SubElement(root, "Stapel")
    child(batch, "Kennung", assignment.batch.id)
    child(batch, "ErstelltAm", given.moment(assignment.batch.registered_at))
    child(batch, "Dokument", str(given.document.ordinal))
    child(batch, "AbbildVon", str(min(numbers)))
    child(batch, "AbbildBis", str(max(numbers)))
    child(batch, "AbbilderGesamt", str(_images(assignment)))


def _images(assignment: Assignment) -> int:
    return sum(source.pages or 0 for source in assignment.batch.sources)


def _receipt(root: ET.Element, given: Given) -> None:
    received = given.known.receipt
    element = ET.SubElement(root, "Eingang")
    zone = given.content.zone
    at = NOT_APPLICABLE if received is None else day_or_moment(received.at, zone)
    child(element, "Eingangsdatum", at)
    child(element, "EingangsdatumQuelle", NOT_APPLICABLE if received is None else received.source)
    child(element, "RegistriertAm", given.moment(given.assignment.batch.registered_at))
    child(element, "Kanal", given.assignment.batch.envelope.channel)


def _times(root: ET.Element, given: Given) -> None:
    """Write the times apart, as they differ, with the state of the clock (A.NB.4d, fn 33)."""
    assignment = given.assignment
    verdict = assignment.quality.get("verdict") or {}
    sample = assignment.quality.get("sample") or {}
    times = ET.SubElement(root, "Zeiten")
    child(times, "Scan", given.moment(given.known.envelope.scanned_at))
    indexed = assignment.batch.facts.get("separation", {}).get("recorded_at")
    child(times, "Metadaten", given.moment(indexed))
    checked = verdict.get("at") or sample.get("closed_at")
    child(times, "Qualitaetssicherung", given.moment(checked))
    child(times, "Integritaet", given.moment(assignment.capture.get("stamped_at")))
    clock_of(times, given.clock)


def clock_of(parent: ET.Element, state: ClockState) -> None:
    """Write whether the clock was synchronised, and by how much it may be wrong."""
    held = {None: NOT_RECORDED, True: "ja", False: "nein"}[state.synchronised]
    error = NOT_RECORDED if state.error_seconds is None else f"{state.error_seconds:.6f}"
    ET.SubElement(parent, "Uhr", {"synchron": held, "abweichungSekunden": error})


def _steps(root: ET.Element, given: Given) -> None:
    steps = ET.SubElement(root, "Prozessschritte")
    for step in given.content.steps:
        attributes = {"name": step.name, "zeitpunkt": given.moment(step.at)}
        ET.SubElement(steps, "Schritt", {**attributes, "werkzeug": clean(step.tool)})
    changed = ET.SubElement(root, "Nachbearbeitung")
    for number, what in _changes(given):
        ET.SubElement(changed, "Massnahme", {"abbild": str(number), "art": what})
    if len(changed) == 0:
        ET.SubElement(changed, "Keine")


def _changes(given: Given) -> Iterator[tuple[int, str]]:
    """Yield what was done to images after the scan (A.NB.1); nothing else is ever done."""
    for page in given.assignment.pages:
        if turn := page.facts.get("recognition", {}).get("orientation"):
            yield page.number, f"Anzeige um {turn} Grad im Uhrzeigersinn gedreht, Bild unverändert"
    for entry in given.document.facts.get("composition", {}).get("repacked", []):
        yield int(entry["page"]), f"neu gepackt: {entry['with']}"


def _anomalies(root: ET.Element, given: Given) -> None:
    anomalies = ET.SubElement(root, "Auffaelligkeiten")
    for anomaly in given.content.anomalies:
        child(anomalies, "Auffaelligkeit", anomaly)
    if not given.content.anomalies:
        ET.SubElement(anomalies, "Keine")


def _original(root: ET.Element, given: Given) -> None:
    original = ET.SubElement(root, "Original")
    child(original, "Blattformat", ", ".join(_sizes(given.assignment.pages)))
    child(original, "Merkmale", None)
    child(original, "Aufbewahrungsort", given.known.envelope.storage_place)


def _sizes(pages: Iterable[Page]) -> list[str]:
    """Return the sizes of the sheets as measured, in whole millimetres, each once."""
    sizes = []
    for page in pages:
        found = page.facts.get("examination", {})
        across, down = found.get("dpi") or (None, None)
        if found.get("dpi_source") == "file" and across and down and found.get("width"):
            width, height = found["width"] / across * _MM, found["height"] / down * _MM
            sizes.append(f"{width:.0f} × {height:.0f} mm")
    return list(dict.fromkeys(sizes))


def _counts(root: ET.Element, given: Given) -> None:
    assignment, document = given.assignment, given.document
    expected = given.known.sheets
    left_out = omitted(assignment)
    rescanned = assignment.quality.get("rescanned") or []
    counts = ET.SubElement(root, "Zaehlung")
    sheets = child(counts, "ErwarteteBlaetter", None if expected is None else str(expected))
    sheets.set("bezug", "Dokument" if given.known.of_document else "Stapel")
    child(counts, "GescannteAbbilder", str(scanned(assignment)))
    child(counts, "Abgleich", _comparison(given))
    child(counts, "Seiten", str(len(assignment.pages)))
    blanks = sum(1 for _, kind in left_out if kind == "blank")
    child(counts, "LeereSeitenEntfernt", str(blanks))
    child(counts, "Nachgescannt", str(len(rescanned)))
    for number, kind in left_out:
        attributes = {"abbild": str(number), "grund": OMITTED.get(kind, kind)}
        ET.SubElement(counts, "Weggelassen", attributes)
    for entry in document.facts.get("separation", {}).get(PUT_BACK, []):
        kind = OMITTED.get(entry["kind"], str(entry["kind"]))
        ET.SubElement(counts, "Wiederaufgenommen", {"art": kind, **_done(given, entry)})
    for entry in rescanned:
        attributes = _done(given, entry)
        attributes["ersetztSha256"] = entry["replaced_sha256"] or NOT_APPLICABLE
        ET.SubElement(counts, "Nachscan", attributes)


def _comparison(given: Given) -> str:
    if given.known.sheets is None:
        return "nicht gezählt"
    return "Abweichung hingenommen" if given.counts_accepted else "stimmt"


def _done(given: Given, entry: Facts) -> dict[str, str]:
    return {
        "abbild": NOT_APPLICABLE if entry["page"] is None else str(entry["page"]),
        "kuerzel": clean(entry["by"]),
        "zeitpunkt": given.moment(entry["at"]),
        "grund": clean(entry["reason"]),
    }


def _quality(root: ET.Element, given: Given) -> None:
    quality(root, given.assignment.quality, given.moment)
    said = given.statement
    match = ET.SubElement(root, "Uebereinstimmung")
    child(match, "Bildlich", str(said.visual).lower())
    child(match, "Inhaltlich", str(said.content).lower())
    child(match, "Grundlage", said.ground)
    child(match, "Erklaerung", said.text)


def _protection(root: ET.Element, given: Given) -> None:
    profile = given.assignment.profile
    protection = ET.SubElement(root, "Schutzbedarf")
    needs: Facts = profile["protection"]
    child(protection, "Integritaet", _NEEDS[needs["integrity"]])
    child(protection, "Vertraulichkeit", _NEEDS[needs["confidentiality"]])
    child(protection, "Verfuegbarkeit", _NEEDS[needs["availability"]])
    child(protection, "Begruendung", needs["reason"])
    kind = ET.SubElement(protection, "Klasse")
    child(kind, "Name", profile["name"])
    child(kind, "Version", profile["version"])
    child(kind, "Sha256", given.assignment.profile_sha256)
    child(protection, "Rechtsgrundlage", profile["legal_basis"])


def _digests(root: ET.Element, given: Given) -> None:
    assignment, renditions = given.assignment, given.document.renditions
    ordinals = {page.source for page in assignment.pages} | {given.document.source}
    digests = ET.SubElement(root, "Pruefsummen", {"verfahren": "SHA-256"})
    for source in assignment.batch.sources:
        if source.ordinal in ordinals:
            child(digests, "Quelle", source.sha256).set("name", clean(bare(source.name)))
    for page in assignment.pages:
        child(digests, "Abbild", page.sha256).set("nummer", str(page.number))
    child(digests, "PdfVorVermerk", renditions[RenditionKind.COMPOSED].sha256)
    if given.content.pdf_sha256 is not None:
        child(digests, "PdfVorSiegel", given.content.pdf_sha256)
    text = renditions.get(RenditionKind.TEXT)
    if text is not None:
        child(digests, "Text", text.sha256)
    child(digests, "Erfassungswurzel", assignment.capture.get("root"))


def _integrity(root: ET.Element, given: Given) -> None:
    integrity = ET.SubElement(root, "Integritaetssicherung")
    child(integrity, "Mittel", given.planned.means)
    child(integrity, "Stufe", f"PAdES {given.planned.level}")
    child(integrity, "Zertifikat", given.planned.certificate)
    child(integrity, "Zeitstempel", given.planned.stamp)
    child(integrity, "Nachweis", given.planned.evidence)
