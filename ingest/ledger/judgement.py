"""A person's look at a document: who may judge it, what it says, and how it is written down.

Shared by verdicts before delivery and by the results of clerks afterwards.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import NOT_RECORDED, Facts, RenditionKind, UnitKind
from ingest.errors import UsageError
from ingest.ledger import chains, people, schema
from ingest.ledger.columns import clean_text
from ingest.ledger.makers import scanned_by
from ingest.ledger.showing import Unit, find
from profiles.protection import MEASURES, highest

Row = sa.Row[Any]
_member, _view = schema.quality_document, schema.quality_view

#: The event of a document that was judged.
JUDGED: Final = "quality_judged"

_BATCH = sa.select(schema.batch).where(schema.batch.c.id == sa.bindparam("of_batch"))
COMPOSED: Final = (
    sa.select(schema.rendition.c.sha256)
    .where(
        schema.rendition.c.unit_id == sa.bindparam("unit"),
        schema.rendition.c.kind == RenditionKind.COMPOSED,
    )
    .order_by(schema.rendition.c.id.desc())
)
SEEN: Final = sa.select(_view.c.page).where(
    _view.c.document_id == sa.bindparam("unit"), _view.c.code == sa.bindparam("of_code")
)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a person found.

    Attributes:
        by: Operator code.
        visual: The scan looks like the paper (bildliche Übereinstimmung).
        content: It says what the paper says (inhaltliche Übereinstimmung).
        pages: Flagged pages that were judged to be good, by arrival page number.
        reason: Needed where something does not match.
        seen_sha256: Of the PDF that was looked at; None where nobody says which it was.
    """

    by: str
    visual: bool
    content: bool
    pages: Collection[int] = ()
    reason: str = ""
    seen_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What came of a verdict.

    Attributes:
        state: Of the batch's quality assurance; of a clerk's result `confirmed` or `refused`.
        warning: German; four eyes were not shown where they should be. None otherwise.
    """

    document: str
    good: bool
    state: str
    warning: str | None


def document_of(connection: sa.Connection, document_id: str) -> Unit:
    """Return the document with an id.

    Raises:
        UsageError: There is none, or it is a batch.
    """
    unit = find(connection, document_id)
    if unit.kind is not UnitKind.DOCUMENT:
        text = f"{unit.id} ist eine Einlieferung. Beurteilt wird das einzelne Dokument."
        raise UsageError(f"{unit.id} is no document", operator_text=text)
    return unit


def apart_of(connection: sa.Connection, row: Row, by: str, need: str) -> bool | None:
    """Tell whether somebody else scanned, None where that is not known.

    Whoever scanned may have left since: a code stands for the same person years later.

    Raises:
        UsageError: The need demands that it is known, and so.
    """
    batch = connection.execute(_BATCH, {"of_batch": row.batch_id}).one()
    codes = [code or NOT_RECORDED for code in scanned_by(batch.operator, row.facts, batch.facts)]
    persons = {code: people.person_behind(connection, row.tenant, code) for code in codes}
    if MEASURES[highest(iter([need]))].apart:
        _require_known(row.id, persons, need)
        for code in sorted(codes):
            done = {"Scannen": code}
            people.require_apart(connection, row.tenant, {"Prüfung": by}, done=done)
        return True
    if people.person_of(connection, row.tenant, by) in persons.values():
        return False
    return None if None in persons.values() else True


def _require_known(document_id: str, persons: Mapping[str, str | None], need: str) -> None:
    unknown = sorted(code for code, person in persons.items() if person is None)
    if NOT_RECORDED in unknown:
        text = (
            f"Dokument {document_id}: Wer gescannt hat, ist nicht erfasst; Schutzbedarf {need} "
            "verlangt aber, dass eine andere Person prüft. Bitte neu einliefern, mit Kürzel."
        )
        raise UsageError(f"scanner of {document_id} is not known", operator_text=text)
    if unknown:
        names = ", ".join(unknown)
        text = (
            f"Dokument {document_id}: Gescannt hat {names}; {names} ist nicht gemeldet. "
            f"Schutzbedarf {need} verlangt, dass eine andere Person prüft: bitte das Kürzel mit "
            "»people add« melden lassen."
        )
        raise UsageError(f"scanner {names} is not registered", operator_text=text)


def warning(need: str, *, apart: bool | None) -> str | None:
    """Return the German warning that a need "high" deserves where four eyes are not shown."""
    if need != "high" or apart:
        return None
    what = "hat auch gescannt" if apart is False else "kann auch gescannt haben (nicht bestimmbar)"
    return f"Wer prüft, {what}. Bei Schutzbedarf high soll eine andere Person prüfen."


def is_good(look: Look, match: str) -> bool:
    """Tell whether a look found the match that the class asks for."""
    return look.content and (look.visual or match == "content")


def require_reason(unit_id: str, reason: str) -> None:
    """Refuse what nobody gives a reason for."""
    if not reason.strip():
        text = f"{unit_id}: Es fehlt die Angabe --reason (Grund)."
        raise UsageError(f"no reason for {unit_id}", operator_text=text)


def require_pages(document_id: str, wanted: Collection[int], pages: Collection[int]) -> None:
    """Refuse page numbers that a document does not have."""
    if unknown := sorted(set(wanted) - set(pages)):
        names = ", ".join(map(str, unknown))
        text = f"Dokument {document_id} hat keine Seite {names}; es hat {sorted(pages)}."
        raise UsageError(f"{document_id} has no page {names}", operator_text=text)


def require_flagged(document_id: str, flagged: Collection[int], judged: Collection[int]) -> None:
    """Refuse a good verdict that leaves out a page that checking flagged (A.SC.8)."""
    if missing := sorted(set(flagged) - set(judged)):
        names = ", ".join(map(str, missing))
        text = (
            f"Dokument {document_id}: Die Prüfung hat Seiten gekennzeichnet, jede braucht ein "
            f"Urteil. Es fehlt (--pages): {names}."
        )
        raise UsageError(f"flagged pages of {document_id}: {names}", operator_text=text)


def account_of(
    connection: sa.Connection, row: Row, look: Look, good: bool, apart: bool | None
) -> Facts:
    """Return what the event of a verdict says."""
    viewed = connection.execute(SEEN, {"unit": row.id, "of_code": look.by}).scalars()
    return {
        "visual": look.visual,
        "content": look.content,
        "good": good,
        "pages": sorted(set(look.pages)),
        "reason": clean_text(look.reason) or None,
        "seen_sha256": look.seen_sha256,
        "apart": apart,
        "viewed": sorted(viewed),
    }


def write(
    connection: sa.Connection, row: Row, look: Look, said: Facts, moment: dt.datetime
) -> None:
    """Write a verdict into its row and into the document's chain."""
    fields = {key: value for key, value in said.items() if key != "viewed"}
    for name in ("visual", "content", "good", "apart"):
        fields[name] = None if fields[name] is None else int(fields[name])
    fields |= {"judged_at": moment, "judged_by": look.by}
    mine = _member.c.document_id == row.id
    connection.execute(sa.update(_member).where(mine).values(fields))
    chains.append(connection, row.id, moment, chains.Entry(JUDGED, said, look.by))
