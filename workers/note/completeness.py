"""Is everything known that a transfer note has to say? What is missing is said, all at once.

The fields are numbered as in docs/transfer-note.md. A field that TR-03138 V1.5 demands is never
written "nicht erfasst" in the note of a replacing scan: the document is held instead, nothing
is sealed, and a person supplies what is missing or keeps the paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ingest import clock
from ingest.document import (
    NOT_RECORDED,
    RESCANNED,
    SCANNED,
    Assignment,
    Document,
    RenditionKind,
    Sides,
)
from ingest.errors import CountMismatch, NoteIncomplete
from ingest.settings import HouseSettings
from profiles.protection import MEASURES
from workers.note.scanvermerk import omitted
from workers.note.supplied import Known

_BATCH_JSON = "in batch.json angeben: dieses Dokument zurückweisen und den Stapel neu einliefern"
_ANEW = (
    "auf dem Trennblatt oder zur Einlieferung berichtigen: dieses Dokument zurückweisen und den "
    "Stapel neu einliefern"
)
_SUPPLY = "mit „release --set {}=…“ angeben oder neu einliefern"
_PERSON = "das Kürzel für eine Person eintragen"
_PROFILE = "im Profil eintragen und das Profil neu freigeben lassen"


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A field that the note must have and nobody gave.

    Attributes:
        field: Number in docs/transfer-note.md.
        remedy: Where it is supplied; German.
    """

    field: int
    name: str
    remedy: str


def require_complete(
    assignment: Assignment, document: Document, house: HouseSettings, known: Known
) -> None:
    """Refuse a transfer note that would lack something.

    Raises:
        NoteIncomplete: The text lists every missing field and how to supply it.
        CountMismatch: Sheets, images or pages do not agree and nobody accepted that.
    """
    missing = sorted(_gaps(assignment, document, house, known), key=lambda gap: gap.field)
    if missing:
        listed = "; ".join(f"{gap.name} ({gap.remedy})" for gap in missing)
        raise NoteIncomplete(
            f"document {document.id} lacks fields {[gap.field for gap in missing]}",
            operator_text=(
                f"Dokument {document.id}: Für den Transfervermerk fehlt: {listed}. Bis dahin wird "
                "nichts gesichert, und das Papier bleibt aufbewahrt. Danach mit „release“ "
                "weitergeben."
            ),
        )
    _require_counts(assignment, document, known)


def _gaps(
    assignment: Assignment, document: Document, house: HouseSettings, known: Known
) -> Iterator[Gap]:
    yield from _creator(assignment, house)
    yield from _house(house)
    yield from _procedure(assignment)
    yield from _capture(assignment, document, known)
    yield from _times(assignment, house, known)
    yield from _check(assignment)
    profile = assignment.profile
    for field, present, name in (
        (21, profile["protection"], "Schutzbedarf der Klasse"),
        (21, profile["legal_basis"], "Rechtsgrundlage"),
        (23, profile["sealing"]["means"], "Mittel der Integritätssicherung"),
    ):
        if not present:
            yield Gap(field=field, name=name, remedy=_PROFILE)
    if RenditionKind.COMPOSED not in document.renditions:
        name = "PDF/A des Scanprodukts"
        yield Gap(field=22, name=name, remedy="das Papier neu scannen")


def _creator(assignment: Assignment, house: HouseSettings) -> Iterator[Gap]:
    """A natural person, resolvable at once; an organisation alone must not stand (A.NB.4a)."""
    operator = assignment.envelope.operator
    if operator is None:
        yield Gap(field=4, name="Ersteller (Kürzel der scannenden Person)", remedy=_BATCH_JSON)
    elif _plain(operator) in {_plain(house.organisation), _plain(house.unit)}:
        name = f"natürliche Person als Ersteller („{operator}“ ist die Organisation)"
        yield Gap(field=4, name=name, remedy=_BATCH_JSON)
    elif operator not in assignment.registered:
        name = f"auflösbarer Ersteller (Kürzel „{operator}“ steht für keine bekannte Person)"
        yield Gap(field=4, name=name, remedy=_PERSON)
    others = assignment.batch.facts.get(SCANNED, {}).get("operators", ())
    again = [str(one.get("by")) for one in assignment.quality.get(RESCANNED) or ()]
    for other in dict.fromkeys((*others, *again)):
        if other != operator and other not in assignment.registered:
            name = f"auflösbare scannende Person (Kürzel „{other}“ steht für keine bekannte Person)"
            yield Gap(field=4, name=name, remedy=_PERSON)


def _house(house: HouseSettings) -> Iterator[Gap]:
    for key, name in (("organisation", "Name"), ("place", "Ort"), ("unit", "Einheit")):
        if getattr(house, key) == NOT_RECORDED:
            remedy = f"[house] {key} in der Konfiguration setzen"
            yield Gap(field=5, name=f"Auftragnehmer: {name}", remedy=remedy)


def _procedure(assignment: Assignment) -> Iterator[Gap]:
    if not assignment.profile["procedure"]:
        yield Gap(field=7, name="Verfahrensdokumentation", remedy=_PROFILE)
    if not assignment.procedure.get("released_by"):
        name = "freigegebene technische Anlage der Verfahrensdokumentation"
        yield Gap(field=7, name=name, remedy="durch eine benannte Person freigeben lassen")


def _capture(assignment: Assignment, document: Document, known: Known) -> Iterator[Gap]:
    if known.envelope.device is None:
        yield Gap(field=8, name="Gerät", remedy=_SUPPLY.format("device"))
    if not assignment.pages:
        yield Gap(field=11, name="Abbilder", remedy="das Papier neu scannen")
    if _is_counted(assignment) and known.sheets is None:
        yield Gap(field=18, name="erwartete Blattzahl", remedy=_BATCH_JSON)
    if "checking" not in document.facts:
        yield Gap(field=15, name="automatische Prüfung", remedy="wiederholen")


def _times(assignment: Assignment, house: HouseSettings, known: Known) -> Iterator[Gap]:
    """Nothing is scanned before it came: compared by days, as stamps usually name no more."""
    scanned_at, received = known.envelope.scanned_at, known.receipt
    needed = assignment.profile["intake"]["received_at"] != "not_applicable"
    if needed and received is None:
        yield Gap(field=12, name="Eingangsdatum", remedy=_SUPPLY.format("received_at"))
    if scanned_at is None:
        yield Gap(field=13, name="Zeitpunkt des Scans", remedy=_SUPPLY.format("scanned_at"))
        return
    if clock.lies_ahead(scanned_at):
        name = "Zeitpunkt des Scans (der angegebene liegt in der Zukunft)"
        yield Gap(field=13, name=name, remedy=_BATCH_JSON)
    zone = ZoneInfo(house.zone)
    if received and received.at.astimezone(zone).date() > scanned_at.astimezone(zone).date():
        name = "Eingangsdatum (das angegebene liegt nach dem Tag des Scans)"
        supplied = "Eingangsdatum" in known.supplied
        remedy = _SUPPLY.format("received_at") if supplied else _ANEW
        yield Gap(field=12, name=name, remedy=remedy)


def _check(assignment: Assignment) -> Iterator[Gap]:
    quality = assignment.quality
    if not quality:
        yield Gap(field=19, name="Ergebnis der Qualitätssicherung", remedy="Prüfung abschließen")
        return
    judged_by = (quality.get("verdict") or {}).get("by")
    for code in dict.fromkeys((judged_by, *quality.get("checked_by", ()))):
        if code is not None and code not in assignment.registered:
            name = f"auflösbare prüfende Person (Kürzel „{code}“ steht für keine bekannte Person)"
            yield Gap(field=19, name=name, remedy=_PERSON)
    passed = quality["state"] == "passed"
    alone = not quality.get("selected") and quality.get("verdict") is None
    complete = quality["mode"] == "complete" or quality["need"] == "very_high"
    if passed and (alone if complete else quality.get("selected") and not quality.get("verdict")):
        name = "Prüfung dieses Dokuments durch eine Person"
        yield Gap(field=19, name=name, remedy="Dokument prüfen lassen")
    if passed and not complete and not quality.get("sample"):
        yield Gap(field=19, name="Umfang der Stichprobe", remedy="Stichprobe ziehen lassen")


def _is_counted(assignment: Assignment) -> bool:
    protection = assignment.profile["protection"]
    return protection is not None and MEASURES[protection["integrity"]].counted


def _require_counts(assignment: Assignment, document: Document, known: Known) -> None:
    """Compare sheets with images, and images with pages of the PDF (A.DV.2, A.NB.3)."""
    pages = len(assignment.pages)
    composed = document.facts.get("composition", {}).get("pages", pages)
    if composed != pages:
        raise _mismatch(document, f"{pages} Abbilder, aber {composed} Seiten der PDF")
    total, separating = _counted(assignment, known)
    sides = assignment.batch.envelope.sides or assignment.profile["separation"]["sides"]
    if known.sheets is None or is_accepted(assignment):
        return
    if known.sheets not in _possible(total, separating, sides):
        how = f"angekündigt sind {known.sheets} Blatt, gescannt {total} Abbilder"
        raise _mismatch(document, how)


def scanned(assignment: Assignment) -> int:
    """Return how many images there are of the batch's paper: of two scans of a page the later."""
    again = assignment.batch.facts.get("rescanned", {}).get("replaced", ())
    return sum(source.pages or 0 for source in assignment.batch.sources) - len(again)


def is_accepted(assignment: Assignment) -> bool:
    """Tell whether a person accepted that the counts differ."""
    return assignment.released.get("count") == "accepted"


def _counted(assignment: Assignment, known: Known) -> tuple[int, int]:
    """Return how many images the count is about, and how many of them are separator sheets."""
    if known.of_document:
        behind = [kind for _, kind in omitted(assignment) if kind != "separator"]
        return len(assignment.pages) + len(behind), 0
    return scanned(assignment), sum(
        1 for entry in assignment.batch.omitted if entry["kind"] == "separator"
    )


def _possible(total: int, separating: int, sides: str | None) -> set[float]:
    """Return every count of sheets that fits so many images."""
    once, twice = {total, total - separating}, {total / 2, (total - separating) / 2}
    twice |= {total / 2 - separating}
    if sides is None:
        return {*once, *twice}
    return {*once} if sides == Sides.SIMPLEX else twice


def _mismatch(document: Document, how: str) -> CountMismatch:
    return CountMismatch(
        f"document {document.id}: counts differ",
        operator_text=(
            f"Dokument {document.id}: {how}. Es wird nichts gesichert. Bitte das Papier nachzählen "
            "und neu scannen oder mit „release --set count=accepted“ freigeben."
        ),
    )


def _plain(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
