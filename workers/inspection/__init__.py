"""INSPECTION: what has arrived, told from the bytes and never from the name.

Every source is identified, its pages are counted and given their digests, and whatever an
operator has to know is written down in German. Nothing is decoded beyond headers and structure.
Files inside a PDF become sources of their own behind those that arrived (`enclosures`).
Signatures are validated (`signatures`), and the report is kept beside the untouched bytes.
Electronic originals are never stopped for their form: what cannot be shown as pages is
delivered untouched. Held is only what nobody can read, what needs a password, what ends early,
and one's own scan in which letters may have been swapped; `as_is=yes` then takes the file as
it came.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from ingest.content import kind_of
from ingest.content.pdf import ENCRYPTION_UNKNOWN
from ingest.context import StepContext
from ingest.document import OUTGOING, Assignment, Facts, Outcome, Source
from ingest.errors import Dangerous, PasswordNeeded, ReceivedDateMissing, Unclear
from ingest.product import PRODUCT
from profiles import Profile
from workers.inspection import outgoing
from workers.inspection.enclosures import Enclosures
from workers.inspection.files import Inspected, finding, opaque_facts
from workers.inspection.looking import look
from workers.inspection.signatures import Signatures

DETECTOR: Final = f"{PRODUCT} inspection/3"
_AS_IS: Final = "Mit 'as_is=yes' freigeben, um die Datei unverändert weiterzugeben."
_RESCAN: Final = "Bitte erneut scannen oder den Absender unterrichten und zurückweisen."
_LOCKED: Final = (
    "Bitte mit dem Kennwort freigeben ('password=-' fragt verdeckt danach, es wird nicht"
    " gespeichert), oder den Absender um eine Fassung ohne Kennwort bitten (Aufgabe: Absender"
    " unterrichten) und diese Sendung mit Grund zurückweisen."
)
_OTHER_LOCK: Final = (
    "Bitte den Absender um eine andere Fassung bitten (Aufgabe: Absender unterrichten) und diese"
    " Sendung mit Grund zurückweisen."
)
#: Channels that hand over what a scanner of the house made, unless the profile says otherwise.
_SCANNING_CHANNELS: Final = frozenset({"folder", "command", "scan", "sane", "escl", "twain"})
SYMBOL_CODING: Final = "symbol_coding"
_SWAPPED: Final = (
    "Das Gerät hat die Seiten mit JBIG2 und gemeinsamen Zeichenmustern gepackt; dabei kann es"
    " Zeichen vertauschen, ohne dass man es dem Bild ansieht. BSI TR-03138 (A.SC.12) schließt das"
    " für eigene Scans aus. Bitte dieses Verfahren am Gerät abschalten (JBIG2 oder „kompaktes“"
    " bzw. „hochkomprimiertes“ PDF), das Papier erneut scannen und diesen Stapel zurückweisen,"
    " oder mit 'symbol_coding=accepted' freigeben: dann wird mit diesem Befund zugestellt."
)


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Inspect every source of the batch, and what lies inside them.

    Raises:
        ReceivedDateMissing: The document class needs the date of receipt.
        PasswordNeeded: Files open only with a password; all of them are named.
        Unreadable: A file has no known type, no structure or no pages.
        Incomplete: A file is empty or ends early.
        Unclear: One's own scan is packed so that letters may have been swapped.
        DecompressionBomb: A file claims more pixels than any page has.
        Misconfigured: Whom the house trusts cannot be read, and something is signed.
    """
    if assignment.batch.envelope.channel == OUTGOING:
        (only,) = assignment.batch.sources
        return outgoing.inspect(assignment, context.path(only.sha256))
    facts = _receipt(assignment, ZoneInfo(context.settings.house.zone))
    found: list[Inspected] = []
    locked: list[PasswordNeeded] = []
    for source in assignment.batch.sources:
        try:
            found.append(_source(source, assignment, context))
        except PasswordNeeded as error:
            locked.append(error)
    if locked:
        raise _all_locked(locked)
    found += Enclosures(assignment, context, found).taken_out()
    signatures = Signatures(assignment, context, found)
    found = signatures.validated()
    pages = [page for inspected in found for page in inspected.pages]
    return Outcome(
        sources=tuple(inspected.source for inspected in found),
        pages=tuple(pages),
        renditions=tuple(signatures.reports),
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


def _source(source: Source, assignment: Assignment, context: StepContext) -> Inspected:
    released = assignment.released
    path = context.path(source.content_sha256)
    try:
        found = look(source, path, context.settings.workers.max_pixels)
        if source.opened_sha256 is not None:
            found = _opened(found)
        if released.get(SYMBOL_CODING) != "accepted":
            _check_coding(found, assignment)
    except (Unclear, Dangerous) as error:
        if released.get("as_is") == "yes":
            return _taken_as_is(source, path, error)
        raise _addressed(error, source) from error
    return found


def _check_coding(found: Inspected, assignment: Assignment) -> None:
    """Refuse one's own scan with shared symbols (TR-03138, A.SC.12); post is never refused.

    A device may sign what it scans, attach its settings or add a page of its own: where the house
    scans, one page that is a picture of paper makes the file a scan.
    """
    facts = found.source.facts
    paper = facts["class"] == "scan" or any(
        page.facts.get("class") == "scan" for page in found.pages
    )
    if not facts.get("jbig2_symbol") or not paper or found.source.opened_sha256 is not None:
        return
    profile = Profile.model_validate(assignment.profile)
    if profile.intake.is_electronic:
        return
    if assignment.batch.envelope.channel in _SCANNING_CHANNELS:
        raise Unclear("JBIG2 symbols", code=SYMBOL_CODING, operator_text=_SWAPPED)


def _opened(found: Inspected) -> Inspected:
    """Say that a person opened the file: what was read is not what arrived.

    It is electronic whatever is on its pages: no device of the house locks what it scans.
    """
    facts = found.source.facts
    text = (
        "Mit Kennwort verschlossen eingegangen und zur Bearbeitung geöffnet; das Original liegt"
        " unverändert, also verschlossen, bei."
    )
    told = [finding("opened", text), *facts["findings"]]
    opened = {**facts, "encrypted": True, "electronic": True, "findings": told}
    return replace(found, source=replace(found.source, facts=opened))


def _all_locked(errors: list[PasswordNeeded]) -> PasswordNeeded:
    texts = " ".join(error.operator_text for error in errors)
    messages = "; ".join(str(error) for error in errors)
    return PasswordNeeded(messages, operator_text=texts, code=errors[0].code)


def _addressed(error: Unclear | Dangerous, source: Source) -> Unclear | Dangerous:
    """Say which file it is and what can be done."""
    remedy = "" if error.code == SYMBOL_CODING else f" {_RESCAN}"
    if isinstance(error, PasswordNeeded):
        remedy = f" {_OTHER_LOCK if error.code == ENCRYPTION_UNKNOWN else _LOCKED}"
    text = f"Datei „{source.name}“: {error.operator_text}{remedy} {_AS_IS}"
    return type(error)(f"{source.name!a}: {error}", operator_text=text, code=error.code)


def _taken_as_is(source: Source, path: Path, error: Unclear | Dangerous) -> Inspected:
    text = f"Auf Anweisung unverändert zugestellt, obwohl: {error.operator_text}"
    facts = opaque_facts([finding(error.code, text)])
    return Inspected(
        replace(source, kind=kind_of(path), pages=None, facts={**facts, "as_is": True})
    )
