"""The row of open work of a unit: fenced, changed, finished.

Rows are locked in one order everywhere: children before the row that waits for them,
work before batch or document, and the event chain last; so nobody waits crosswise.

Whoever changes a standing does it here, so that every move is checked, and batch and
document show the same standing as their open work.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Standing, UnitKind
from ingest.ledger import schema
from ingest.ledger.columns import database_now, from_microseconds
from ingest.ledger.moves import move
from ingest.ledger.terms import Claim

Row = sa.Row[Any]
_claim = schema.claim
_PERSONS: Final = frozenset({Standing.HELD, Standing.QUARANTINED})

_HELD_BY_TOKEN = (
    sa.select(_claim, database_now().label("moment"))
    .where(
        _claim.c.id == sa.bindparam("claim_id"),
        _claim.c.token == sa.bindparam("held_token"),
        _claim.c.standing == Standing.CLAIMED,
    )
    .with_for_update()
)
_BY_ID = sa.select(_claim).where(_claim.c.id == sa.bindparam("claim_id")).with_for_update()
_BY_UNIT = sa.select(_claim).where(_claim.c.unit_id == sa.bindparam("unit"))
_CHILDREN = (
    sa.select(_claim).where(_claim.c.parent_id == sa.bindparam("parent")).order_by(_claim.c.id)
)
_LOCKED_BY_UNIT = _BY_UNIT.with_for_update()
_LOCKED_CHILDREN = _CHILDREN.with_for_update()
_CHANGE = sa.update(_claim).where(_claim.c.id == sa.bindparam("claim_id"))
_FINISH = sa.delete(_claim).where(_claim.c.id == sa.bindparam("claim_id"))
_FINISH_CHILDREN = sa.delete(_claim).where(_claim.c.parent_id == sa.bindparam("parent"))
_CHILD_DONE = (
    sa.update(_claim)
    .where(_claim.c.id == sa.bindparam("claim_id"))
    .values(children_open=_claim.c.children_open - 1)
    .returning(*_claim.c)
)
_MIRROR: Final = {
    UnitKind.BATCH: sa.update(schema.batch).where(schema.batch.c.id == sa.bindparam("unit")),
    UnitKind.DOCUMENT: sa.update(schema.document).where(
        schema.document.c.id == sa.bindparam("unit")
    ),
}


def fence(connection: sa.Connection, claim: Claim) -> tuple[Row, dt.datetime] | None:
    """Lock and return the work of `claim` and the database's time; None if it was lost."""
    values = {"claim_id": claim.id, "held_token": claim.token}
    row = connection.execute(_HELD_BY_TOKEN, values).first()
    return None if row is None else (row, from_microseconds(row.moment))


def family(connection: sa.Connection, unit_id: str) -> tuple[Row | None, list[Row]]:
    """Lock and return the open work of a unit, None if nothing is open, and its children."""
    seen = connection.execute(_BY_UNIT, {"unit": unit_id}).first()
    if seen is None:
        return None, []
    children = list(connection.execute(_LOCKED_CHILDREN, {"parent": seen.id}))
    return connection.execute(_LOCKED_BY_UNIT, {"unit": unit_id}).first(), children


def change(connection: sa.Connection, row: Row, standing: Standing, **fields: object) -> None:
    """Move work to `standing` and set `fields`; whoever held it holds it no longer.

    Raises:
        IllegalMove: `standing` may not follow; nothing was written.
    """
    values = {"standing": move(row.standing, standing), "token": None, "lease_until": None}
    connection.execute(_CHANGE, {"claim_id": row.id, **values, "due_at": None, **fields})


def finish(connection: sa.Connection, row: Row) -> None:
    """Remove work that is done; its last child makes the parent ready."""
    move(row.standing, Standing.DONE)
    connection.execute(_FINISH, {"claim_id": row.id})


def child_done(connection: sa.Connection, row: Row, moment: dt.datetime) -> None:
    """Count the parent's open children down; the last one makes it ready."""
    parent = connection.execute(_CHILD_DONE, {"claim_id": row.parent_id}).one()
    if parent.children_open == 0 and parent.standing == Standing.WAITING:
        change(connection, parent, Standing.READY)
        mirror(connection, parent, Standing.READY, moment)


def end(connection: sa.Connection, row: Row) -> None:
    """Remove work and its children whose unit was ended by a person."""
    connection.execute(_FINISH_CHILDREN, {"parent": row.id})
    connection.execute(_FINISH, {"claim_id": row.id})


def owner(row: Row) -> tuple[UnitKind, str]:
    """Return kind and id of the batch or document that work belongs to: its event chain."""
    if row.document_id is not None:
        return UnitKind.DOCUMENT, row.document_id
    return UnitKind.BATCH, row.batch_id


def mirror(
    connection: sa.Connection,
    row: Row,
    standing: Standing,
    moment: dt.datetime,
    reason: tuple[str | None, str | None] = (None, None),
) -> None:
    """Show on batch or document how its work stands.

    A page has no standing of its own to show: where a person has to act on it, that is
    what its batch or document shows; a page that is tried again changes nothing.
    """
    if row.unit_kind == UnitKind.PAGE:
        if standing not in _PERSONS:
            return
        # nobody may release a sibling meanwhile and show that all is well
        connection.execute(_BY_ID, {"claim_id": row.parent_id})
    kind, unit = owner(row)
    show(connection, kind, unit, moment, standing=standing, reason_code=reason[0], reason=reason[1])


def show(
    connection: sa.Connection, kind: UnitKind, unit: str, moment: dt.datetime, **fields: object
) -> None:
    """Set fields of a batch or document."""
    if kind is UnitKind.DOCUMENT:
        fields["changed_at"] = moment
    connection.execute(_MIRROR[kind], {"unit": unit, **fields})


def mirror_parent(connection: sa.Connection, page_row: Row, moment: dt.datetime) -> None:
    """Show again how a batch or document stands after a person acted on one of its pages."""
    mirror_work(connection, page_row.parent_id, moment)


def mirror_work(connection: sa.Connection, claim_id: int, moment: dt.datetime) -> None:
    """Show on a batch or document how its work stands, or what stuck among its pages."""
    parent = connection.execute(_BY_ID, {"claim_id": claim_id}).one()
    children = connection.execute(_CHILDREN, {"parent": parent.id})
    stuck = [child for child in children if child.standing in _PERSONS]
    worst = min(stuck, key=lambda child: child.standing != Standing.QUARANTINED, default=parent)
    reason = (worst.reason_code, worst.reason)
    kind, unit = owner(parent)
    show(
        connection,
        kind,
        unit,
        moment,
        standing=worst.standing,
        reason_code=reason[0],
        reason=reason[1],
    )
