"""What must hold before paper may be destroyed: one list of named conditions.

RS numbers of the research are: release only when quality assurance is closed, the note is
complete, the seal was verified again, the target's receipt and a backup are there, the waiting
time is over, nothing is owed to the sender and a named person releases (TR-03138 V1.5 A.O.1i,
A.SC.8, A 1.4.7; § 298a ZPO for the waiting time). The archive's decision, the legal hold, the
evidence record and what holds for erased documents are our own choice, each said at its
condition. Each is a pure question about `Circumstances`, asked at release and once more at
destruction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from ingest.document import PAPER_NAMES, Facts, PaperStage, Standing
from ingest.ledger.replacement import counts_as_replacing, note_complete

#: The decisions of the archive after which paper may go.
_MAY_GO: Final = frozenset({"disposable", "general_rule"})
#: Needs for the protection of integrity from which an evidence record has to exist: our choice.
_EVIDENCED: Final = frozenset({"high", "very_high"})
#: A transaction may have taken its time: what was delivered so long before a copy is in it.
BACKUP_MARGIN: Final = dt.timedelta(minutes=10)
_OPEN: Final = MappingProxyType(
    {
        "pending": "Die Übereinstimmung ist nicht bestätigt: Das Ergebnis der Prüfung steht aus.",
        "refused": "Die Übereinstimmung ist nicht bestätigt: Die Prüfung ergab einen Mangel.",
    }
)
#: States of quality assurance in which nothing is owed and nothing was refused.
_CLOSED: Final = frozenset({"passed", "confirmed"})
_OPENED_BY_MISTAKE: Final = "opened_by_mistake"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What came of verifying a sealed PDF just now.

    Attributes:
        sha256: Of the file that was verified.
        fault: What is wrong, in German; None where the organisation's seal holds.
    """

    sha256: str
    fault: str | None


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """All that the conditions ask about, of one moment.

    Attributes:
        wanted: The stage in which the unit has to be: stored for release, released afterwards.
        document: Newest revision; None for sheets that belong to no document.
        rules: Content of the profile under which the document was captured.
        present_rules: Content of that profile as the house has it now; None where it is gone.
        under_way: Ids of revisions that are being worked on.
        backed_up_at: Moment of the newest complete backup.
        free_since_at: When the last legal hold was lifted.
        restored_at: When an older copy was put back, and nobody confirmed the paper since.
        shares_sheets_with: Other documents on the same sheets.
        quality: As `Assignment.quality` is now; empty where the class asks for no check.
        scanned_by: Codes of those who scanned, None in it where nobody was recorded.
        unknown_scanners: Those of them that stand for no person.
        replaced: Of an erased document: its scan had validly replaced the paper.
        erased_by: Codes of those who erased the document.
        unknown_erasers: Those of them that stand for no person.
        now: Database time.
        zone: Of the house, in which days are counted.
    """

    stage: PaperStage
    wanted: PaperStage
    place: str | None
    document: str | None
    facts: Facts
    rules: Facts
    present_rules: Facts | None
    standing: str
    delivered: bool
    superseded: bool
    review_open: bool
    erased_at: dt.datetime | None
    opened: str | None
    pdf_sha256: str | None
    proof: Proof | None
    delivered_at: dt.datetime | None
    backed_up_at: dt.datetime | None
    holds: tuple[int, ...]
    free_since_at: dt.datetime | None
    under_way: tuple[str, ...]
    has_evidence: bool
    shares_sheets_with: tuple[str, ...]
    scanned_by: tuple[str | None, ...]
    unknown_scanners: tuple[str, ...]
    now: dt.datetime
    zone: dt.tzinfo
    quality: Facts = field(default_factory=dict)
    restored_at: dt.datetime | None = None
    replaced: bool = False
    erased_by: tuple[str, ...] = ()
    unknown_erasers: tuple[str, ...] = ()

    @property
    def paper_rules(self) -> tuple[Facts, ...]:
        """The rules for paper then and now, the present ones last."""
        known = [self.rules, *([self.present_rules] if self.present_rules else [])]
        return tuple(rules.get("paper", {}) for rules in known)

    @property
    def receipt(self) -> Facts:
        """What the target acknowledged: digests by name of file."""
        files: Facts = self.facts.get("delivery", {}).get("files", {})
        return files


Question = Callable[[Circumstances], str | None]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition.

    Attributes:
        name: Stable, for programs.
        title: German, what has to hold.
        missing: Returns in German what is missing, None where it holds.
    """

    name: str
    title: str
    missing: Question


def first_free_day(case: Circumstances) -> dt.date | None:
    """Return the first day on which the waiting time is over, None while it has not begun.

    Days are those of the house's zone; the day of delivery does not count (§ 187 (1) BGB), so
    the time ends with the last of the days and the paper may go on the next. The longer of
    the times counts, that of the class at capture and that of today: never less than a minimum
    of the class. A legal hold lets it begin anew when it is lifted: of two readings of "stops
    the clock" the cautious one. For an erased document it runs from the erasure.
    """
    begin = case.erased_at or case.delivered_at
    if begin is None:
        return None
    begin = max(begin, case.free_since_at or begin)
    days = [rules["waiting_days"] for rules in case.paper_rules if "waiting_days" in rules]
    if not days:
        return None
    return begin.astimezone(case.zone).date() + dt.timedelta(days=max(days) + 1)


def _stored(case: Circumstances) -> str | None:
    if case.stage is case.wanted and case.place:
        return None
    wish = PAPER_NAMES[case.wanted]
    return f"Das Papier ist nicht {wish}, sondern {PAPER_NAMES[case.stage]}."


def _replacing(case: Circumstances) -> str | None:
    if case.rules.get("treatment") == "replacing":
        return None
    return "Es wurde nicht ersetzend gescannt: Das Papier ist das Original."


def _confirmed(case: Circumstances) -> str | None:
    state = case.quality.get("state", "passed")
    if state not in _CLOSED:  # a batch may be stopped anew after the delivery
        return _OPEN.get(state, "Die Qualitätssicherung des Stapels ist offen oder angehalten.")
    if counts_as_replacing(case.facts):
        return None
    return "Die Übereinstimmung ist nicht bestätigt (Qualitätssicherung offen oder Befund fehlt)."


def _noted(case: Circumstances) -> str | None:
    return None if note_complete(case.facts) else "Der Transfervermerk ist nicht vollständig."


def _sealed(case: Circumstances) -> str | None:
    if case.pdf_sha256 is None:
        return "Es gibt keine gesicherte PDF."
    if case.proof is None or case.proof.sha256 != case.pdf_sha256:
        return "Das Siegel wurde jetzt nicht geprüft."
    return None if case.proof.fault is None else f"Das Siegel gilt nicht: {case.proof.fault}"


def _delivered(case: Circumstances) -> str | None:
    if not case.delivered or case.delivered_at is None:
        return "Das Dokument ist nicht zugestellt."
    if case.pdf_sha256 is None or case.pdf_sha256 not in case.receipt.values():
        return "Die Quittung des Ziels nennt die gesicherte PDF nicht mit ihrer Prüfsumme."
    return None


def _backed_up(case: Circumstances) -> str | None:
    begun = case.delivered_at
    is_later = begun and case.backed_up_at and case.backed_up_at >= begun + BACKUP_MARGIN
    if is_later:
        return None
    return "Seit der Zustellung lief keine vollständige Sicherung (backup)."


def _waited(case: Circumstances) -> str | None:
    day = first_free_day(case)
    if day is None:
        return "Die Wartefrist hat nicht begonnen."
    if case.now.astimezone(case.zone).date() >= day:
        return None
    return f"Die Wartefrist läuft; frühestens am {day:%d.%m.%Y}."


def _unheld(case: Circumstances) -> str | None:
    if not case.holds:
        return None
    return f"Das Papier ist gesperrt (Sperre {', '.join(map(str, case.holds))})."


def _confirmed_since(case: Circumstances) -> str | None:
    if case.restored_at is None:
        return None
    day = case.restored_at.astimezone(case.zone)
    return (
        f"Am {day:%d.%m.%Y} wurde eine Sicherung zurückgespielt: Eine Sperre, Rückgabe oder "
        "Löschung von vorher kann fehlen. Die Leitung der Scanstelle bestätigt nach Durchsicht mit "
        "»paper confirm«."
    )


def _not_owed(case: Circumstances) -> str | None:
    if case.opened == _OPENED_BY_MISTAKE:
        return "Die Sendung wurde irrtümlich geöffnet: Sie ist zurückzugeben."
    if any(rules.get("after") != "destroy" for rules in case.paper_rules):
        return "Die Klasse verlangt Rückgabe an den Absender, oder nennt keine Vernichtung."
    return None


def _archived(case: Circumstances) -> str | None:
    decisions = [rules.get("archive") for rules in case.paper_rules]
    if "paper" in decisions:
        return "Das Archiv hat das Papier als archivwürdig bewertet."
    present = decisions[-1] if decisions else None
    return None if present in _MAY_GO else "Das Archiv hat noch nicht entschieden."


def _final(case: Circumstances) -> str | None:
    if case.erased_at is not None:
        return "Das Dokument ist gelöscht."
    if case.superseded or case.standing != Standing.DONE:
        return f"Das Dokument ist nicht abgeschlossen (Stand {case.standing})."
    return "Die Durchsicht durch eine Person steht aus." if case.review_open else None


def _no_rescan(case: Circumstances) -> str | None:
    if not case.under_way:
        return None
    return f"Eine Fassung ist noch in Arbeit: {', '.join(case.under_way)}."


def _evidenced(case: Circumstances) -> str | None:
    needs = {
        rules.get("protection", {}).get("integrity")
        for rules in (case.rules, case.present_rules or {})
        if rules.get("protection")
    }
    if case.has_evidence or not needs & _EVIDENCED:
        return None
    return "Der Schutzbedarf verlangt einen Beweisnachweis (preserve), und es gibt keinen."


def _own_sheets(case: Circumstances) -> str | None:
    if not case.shares_sheets_with:
        return None
    others = ", ".join(case.shares_sheets_with)
    return f"Auf denselben Blättern steht auch Dokument {others}."


def _scanned_by(case: Circumstances) -> str | None:
    if None in case.scanned_by or not case.scanned_by:
        return "Wer gescannt hat, ist nicht erfasst; vier Augen lassen sich nicht zeigen."
    if case.unknown_scanners:
        codes = ", ".join(case.unknown_scanners)
        return f"Hinter dem Kürzel {codes} (Scannen) steht keine gemeldete Person."
    return None


def _erased(case: Circumstances) -> str | None:
    return None if case.erased_at is not None else "Das Dokument ist nicht gelöscht."


def _had_replaced(case: Circumstances) -> str | None:
    if case.replaced:
        return None
    return (
        "Das Papier war bei der Löschung nicht gültig ersetzt: Es ist das Original und kann nur "
        "zurückgegeben werden (paper return)."
    )


def _erased_by(case: Circumstances) -> str | None:
    if not case.erased_by:
        return "Wer gelöscht hat, ist nicht erfasst; vier Augen lassen sich nicht zeigen."
    if case.unknown_erasers:
        codes = ", ".join(case.unknown_erasers)
        return f"Hinter dem Kürzel {codes} (Löschen) steht keine gemeldete Person."
    return None


_STORED: Final = Condition(name="stored", title="Papier abgelegt, Platz bekannt", missing=_stored)
_WAITED: Final = Condition(name="waited", title="Wartefrist der Klasse abgelaufen", missing=_waited)
_UNHELD: Final = Condition(name="unheld", title="keine Sperre", missing=_unheld)
_CONFIRMED: Final = Condition(
    name="confirmed_since", title="nach Wiederherstellung bestätigt", missing=_confirmed_since
)
_NOT_OWED: Final = Condition(name="not_owed", title="nicht zurückzugeben", missing=_not_owed)
_ARCHIVED: Final = Condition(name="archived", title="Archiv hat verzichtet", missing=_archived)
_OWN_SHEETS: Final = Condition(
    name="own_sheets", title="Blätter gehören nur diesem Dokument", missing=_own_sheets
)
_SCANNED_BY: Final = Condition(
    name="scanned_by", title="scannende Person bekannt", missing=_scanned_by
)

#: All of them have to hold before the paper of a document may go.
CONDITIONS: Final = (
    _STORED,
    Condition(name="replacing", title="ersetzend gescannt", missing=_replacing),
    Condition(name="confirmed", title="Übereinstimmung bestätigt", missing=_confirmed),
    Condition(name="noted", title="Transfervermerk vollständig", missing=_noted),
    Condition(name="sealed", title="Siegel jetzt geprüft und gültig", missing=_sealed),
    Condition(name="delivered", title="zugestellt und mit Prüfsumme quittiert", missing=_delivered),
    Condition(name="backed_up", title="danach vollständig gesichert", missing=_backed_up),
    _WAITED,
    _UNHELD,
    _CONFIRMED,
    _NOT_OWED,
    _ARCHIVED,
    Condition(name="final", title="abgeschlossen, kein Klärfall", missing=_final),
    Condition(name="no_rescan", title="kein Nachscan, keine Fassung offen", missing=_no_rescan),
    Condition(name="evidenced", title="Beweisnachweis, wo verlangt", missing=_evidenced),
    _OWN_SHEETS,
    _SCANNED_BY,
)
#: What of it had to hold when a document was erased, or erasing were a way round the conditions.
#: The seal was proven when it was made; whether the paper may go is asked of what is left.
AT_ERASURE: Final = tuple(
    condition
    for condition in CONDITIONS
    if condition.name
    in {
        *("replacing", "confirmed", "noted", "delivered", "backed_up", "final", "no_rescan"),
        *("evidenced", "scanned_by"),
    }
)
#: Of an erased document there is no scan that could replace the paper. Its paper usually goes
#: back to the sender; where it has to be destroyed as well (Art. 17 GDPR), these hold: time to
#: notice a mistake, nobody's right to the paper, and two persons, neither of whom erased it, the
#: first of whom did not scan it. What
#: no scan ever replaced goes back and is never destroyed: erasing is no way round the conditions.
CONDITIONS_ERASED: Final = (
    _STORED,
    Condition(name="erased", title="Dokument gelöscht", missing=_erased),
    Condition(name="had_replaced", title="vor der Löschung gültig ersetzt", missing=_had_replaced),
    Condition(name="erased_by", title="löschende Person bekannt", missing=_erased_by),
    _SCANNED_BY,
    _WAITED,
    _UNHELD,
    _CONFIRMED,
    _NOT_OWED,
    _ARCHIVED,
    _OWN_SHEETS,
)


def conditions_of(case: Circumstances) -> tuple[Condition, ...]:
    """Return the conditions that the paper of a document is under."""
    return CONDITIONS if case.erased_at is None else CONDITIONS_ERASED


def missing(case: Circumstances) -> Iterator[tuple[Condition, str]]:
    """Yield each condition that does not hold, with what is missing."""
    for condition in conditions_of(case):
        text = condition.missing(case)
        if text is not None:
            yield condition, text
