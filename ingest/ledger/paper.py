"""Where the paper of each document is: moves by persons, each an event of the paper's own chain.

The paper of a document is one unit, whatever revisions the document has and even when it was
erased: whoever needs the sheets has to find them. A batch stands for all its documents and for
what belongs to none of them (separator sheets, left-out blanks). A batch may be put into a box
before it was separated; its documents take over where it lies and what holds it.

How paper comes to an end by destruction stands in `ingest.ledger.destruction`.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ingest.document import ENDS, PAPER_ENDS, Facts, PaperStage, Role
from ingest.errors import UsageError
from ingest.ledger import accepting, people, schema
from ingest.ledger.columns import to_microseconds
from ingest.ledger.paperunits import (
    HOLD_LIFTED,
    HOLD_PLACED,
    RESTORE_CONFIRMED,
    immovable,
    locked,
    movable,
    move,
    named,
    newest,
    open_holds,
    tell,
)
from ingest.ledger.persons import require_code

Row = sa.Row[Any]
_unit, _hold = schema.paper_unit, schema.paper_hold


def store(
    connection: sa.Connection, id_: str, *, by: str, place: str | None = None
) -> list[PaperStage]:
    """Note in which box or on which shelf paper was put; a release for destruction ends.

    Args:
        connection: In a writing transaction.
        id_: Of a document or batch, see `ingest.ledger.showing.find`.
        by: Operator code.
        place: None for where the batch said at its arrival that it would lie.

    Returns:
        The stage each unit had before.

    Raises:
        UsageError: No operator code or place, unknown id, or nothing of it is here any more;
            nothing changed.
    """
    require_code(by, "Ablage")
    papers = locked(connection, id_)
    said = (place or papers.batch.storage_place or "").strip()
    if not said:
        text = "Ablage: Es fehlt die Angabe --place (Karton, Regal)."
        raise UsageError("no place", operator_text=text)
    rows = movable(papers, PaperStage.STORED)
    for row in rows:
        move(connection, row, PaperStage.STORED, by, {"place": said}, place=said)
    return [PaperStage(row.stage) for row in rows]


def request(
    connection: sa.Connection, id_: str, *, by: str, reason: str
) -> list[tuple[str, str | None]]:
    """Note that paper is taken out of its box; a release for destruction ends.

    Returns:
        Document (or batch) and place of each unit.

    Raises:
        UsageError: As `store`, or no reason given, or it is in no box; nothing changed.
    """
    _require(by, reason, "Anforderung")
    papers = locked(connection, id_)
    rows = movable(papers, PaperStage.REQUESTED)
    for row in rows:
        move(connection, row, PaperStage.REQUESTED, by, {"reason": reason})
    return [(named(connection, row), row.place) for row in rows]


def give_back(connection: sa.Connection, id_: str, *, by: str, reason: str) -> int:
    """Note that paper went back to its sender, which ends its way here.

    Returns:
        How many units.

    Raises:
        UsageError: As `request`; or it is under a legal hold, or the document is still being
            worked on, so that its sheets may be needed once more. Nothing changed.
    """
    _require(by, reason, "Rückgabe")
    papers = locked(connection, id_)
    rows = movable(papers, PaperStage.RETURNED)
    for row in rows:
        if holds := open_holds(connection, row.id):
            text = f"{named(connection, row)}: Das Papier ist gesperrt ({len(holds)} Sperren)."
            raise UsageError(f"{row.id} is under legal hold", operator_text=text)
        document = newest(connection, row.batch_id, row.ordinal)
        if document is not None and document.erased_at is None and document.standing not in ENDS:
            text = (
                f"Dokument {document.id} ist noch in Arbeit ({document.stage}/{document.standing})"
                "; seine Blätter können noch gebraucht werden. Bitte zuerst abschließen."
            )
            raise UsageError(f"{document.id} is under way", operator_text=text)
    for row in rows:
        move(connection, row, PaperStage.RETURNED, by, {"reason": reason})
    return len(rows)


def hold(connection: sa.Connection, id_: str, *, by: str, reason: str) -> list[int]:
    """Place a legal hold: paper stays, whatever was released, until the hold is lifted.

    A release for destruction ends; it has to be given anew.

    Returns:
        The number of the hold for each unit; a unit may have several.

    Raises:
        UsageError: As `request`, or nothing of it is here any more; nothing changed.
    """
    _require(by, reason, "Sperre")
    numbers = []
    papers = locked(connection, id_)
    here = [row for row in papers.rows if row.stage not in PAPER_ENDS]
    if not here:
        raise immovable(papers, "gesperrt")
    for row in here:
        count = sa.select(sa.func.count()).select_from(_hold).where(_hold.c.unit_id == row.id)
        number = connection.execute(count).scalar_one() + 1
        moment = accepting.now(connection)
        values: Facts = {"unit_id": row.id, "number": number, "tenant": row.tenant}
        values |= {"placed_at": moment, "placed_by": by}
        connection.execute(sa.insert(_hold), values)
        said = {"number": number, "reason": reason, "placed_at": to_microseconds(moment)}
        tell(connection, row, HOLD_PLACED, said, by, moment)
        if row.stage == PaperStage.RELEASED:
            move(connection, row, PaperStage.STORED, by, {"place": row.place, "hold": number})
        numbers.append(number)
    return numbers


def unhold(
    connection: sa.Connection, id_: str, *, by: str, reason: str, number: int | None = None
) -> int:
    """Lift legal holds; the waiting time begins anew, because nobody could act before.

    Args:
        connection: In a writing transaction.
        id_: See `store`.
        by: Who may release paper for destruction.
        reason: Why it may go now.
        number: Which hold; None where there is only one.

    Returns:
        How many holds were lifted.

    Raises:
        UsageError: As `request`; or there is no such hold, or several and none was named, or
            `by` does not release paper. Nothing changed.
    """
    _require(by, reason, "Aufhebung der Sperre")
    papers = locked(connection, id_)
    people.require_role(connection, papers.batch.tenant, by, Role.RELEASER)
    lifted = 0
    for row in papers.rows:
        found = open_holds(connection, row.id)
        if number is None and len(found) > 1:
            numbers = ", ".join(map(str, found))
            text = f"{named(connection, row)} hat die Sperren {numbers}: bitte --number angeben."
            raise UsageError(f"{row.id} has several holds", operator_text=text)
        for one in found if number is None else [number] if number in found else []:
            _lift(connection, row, one, by, reason)
            lifted += 1
    if not lifted:
        text = f"{id_} ist nicht gesperrt, oder nicht unter dieser Nummer."
        raise UsageError(f"{id_} is not under that hold", operator_text=text)
    return lifted


def confirm(connection: sa.Connection, id_: str, *, by: str, reason: str) -> int:
    """Note that somebody made sure nothing is missing of what was said of paper before a restore.

    A copy from before may lack holds, returns and erasures (`anchors` tells of days only), so
    no paper that was there before goes until then.

    Args:
        connection: In a writing transaction.
        id_: See `store`.
        by: The head of the scanning office.
        reason: What was looked through.

    Returns:
        How many units.

    Raises:
        UsageError: As `request`, or `by` is not entrusted with it; nothing changed.
    """
    _require(by, reason, "Bestätigung")
    papers = locked(connection, id_)
    people.require_role(connection, papers.batch.tenant, by, Role.SUPERVISOR)
    here = [row for row in papers.rows if row.stage not in PAPER_ENDS]
    if not here:
        raise immovable(papers, "bestätigt")
    for row in here:
        tell(connection, row, RESTORE_CONFIRMED, {"reason": reason}, by)
    return len(here)


def _lift(connection: sa.Connection, row: Row, number: int, by: str, reason: str) -> None:
    moment = accepting.now(connection)
    chosen = sa.and_(_hold.c.unit_id == row.id, _hold.c.number == number)
    ended = {"lifted_at": moment, "lifted_by": by}
    connection.execute(sa.update(_hold).where(chosen).values(ended))
    free = {"free_since_at": moment, "changed_at": moment, "changed_by": by}
    connection.execute(sa.update(_unit).where(_unit.c.id == row.id).values(free))
    tell(connection, row, HOLD_LIFTED, {"number": number, "reason": reason}, by, moment)


def _require(by: str, reason: str, what: str) -> None:
    require_code(by, what)
    if not reason.strip():
        text = f"{what}: Es fehlt die Angabe --reason (Grund)."
        raise UsageError(f"{what} needs a reason", operator_text=text)
