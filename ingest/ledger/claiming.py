"""Choosing the next work, keeping it, and giving back what nobody keeps.

The choice: most urgent first; among equally urgent the tenant that was served longest
ago; of that tenant the oldest arrival. One look into an index for each tenant answers it,
however much work is open. A claim is committed, attempt counted, before anybody works.
"""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from collections.abc import Collection
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Queue, Standing, Step, UnitKind
from ingest.ledger import chains, openwork, schema
from ingest.ledger.columns import database_now
from ingest.ledger.moves import move
from ingest.ledger.terms import Claim, Swept

_claim = schema.claim
_turn = schema.turn
_SWEEP_LIMIT: Final = 500
#: A claim takes milliseconds; who holds the lock of a queue for longer is frozen.
_HELD_UP_AFTER: Final = "2s"
_LOCKS: Final = {queue: 7226_2800 + place for place, queue in enumerate(Queue)}
#: Literals, not parameters: only they let the planner use a partial index.
READY: Final[sa.ColumnElement[str]] = sa.literal_column("'ready'")
CLAIMED: Final[sa.ColumnElement[str]] = sa.literal_column("'claimed'")


@functools.cache
def _locks(queues: tuple[Queue, ...]) -> sa.Select[Any]:
    """Return the statement that locks some queues, from left to right, or fails in time."""
    return sa.select(
        sa.func.set_config("lock_timeout", _HELD_UP_AFTER, sa.true()),
        *(sa.func.pg_advisory_xact_lock(sa.literal_column(str(_LOCKS[queue]))) for queue in queues),
    )


def _choice() -> sa.ScalarSelect[int]:
    candidate, other = _claim.alias("candidate"), _turn.alias("other")
    oldest = _claim.alias("oldest")
    queues: sa.BindParameter[list[str]] = sa.bindparam("queues", expanding=True)
    first = (
        sa.select(oldest.c.id)
        .where(
            oldest.c.queue == _turn.c.queue,
            oldest.c.tenant == _turn.c.tenant,
            oldest.c.standing == READY,
        )
        .order_by(oldest.c.priority, oldest.c.batch_id, oldest.c.id)
        .limit(1)
        .correlate(_turn)
        .scalar_subquery()
    )
    served = (
        sa.select(sa.func.max(other.c.served_at))
        .where(other.c.tenant == _turn.c.tenant, other.c.queue.in_(queues))
        .correlate(_turn)
        .scalar_subquery()
    )
    return (
        sa.select(candidate.c.id)
        .select_from(_turn.join(candidate, candidate.c.id == first))
        .where(_turn.c.queue.in_(queues))
        .order_by(candidate.c.priority, served, candidate.c.batch_id, candidate.c.id)
        .limit(1)
        .scalar_subquery()
    )


def _choice_past() -> sa.ScalarSelect[int]:
    """Return the choice of whoever holds no lock: it passes over what others have locked."""
    oldest = _claim.alias("oldest")
    first = (
        sa.select(oldest.c.id, oldest.c.priority, oldest.c.batch_id)
        .where(
            oldest.c.queue == _turn.c.queue,
            oldest.c.tenant == _turn.c.tenant,
            oldest.c.standing == READY,
        )
        .order_by(oldest.c.priority, oldest.c.batch_id, oldest.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .correlate(_turn)
        .lateral("first")
    )
    return (
        sa.select(first.c.id)
        .select_from(_turn.join(first, sa.true()))
        .where(_turn.c.queue.in_(sa.bindparam("queues", expanding=True)))
        .order_by(first.c.priority, _turn.c.served_at, first.c.batch_id, first.c.id)
        .limit(1)
        .scalar_subquery()
    )


_lease_end = database_now() + sa.bindparam("lease", type_=sa.BigInteger)
_TAKE: Final = (
    sa.update(_claim)
    .where(_claim.c.standing == READY)
    .values(
        standing=move(Standing.READY, Standing.CLAIMED),
        token=sa.bindparam("new_token"),
        worker=sa.bindparam("new_worker"),
        lease_until=sa.type_coerce(_lease_end, sa.BigInteger),
        attempts=_claim.c.attempts + 1,
    )
    .returning(
        _claim.c.id,
        _claim.c.token,
        _claim.c.tenant,
        _claim.c.unit_kind,
        _claim.c.unit_id,
        _claim.c.step,
        _claim.c.attempts,
        _claim.c.lost,
        _claim.c.idempotency_key,
        _claim.c.batch_id,
        _claim.c.document_id,
        _claim.c.lease_until,
        _claim.c.queue,
    )
)


def _later_than_all() -> sa.ColumnElement[int]:
    """Return now, or just after whoever was served last: SQLite's clock counts milliseconds."""
    other = _turn.alias("other")
    last = sa.select(sa.func.max(other.c.served_at, type_=sa.BigInteger))
    newest = last.where(other.c.queue.in_(list(Queue))).scalar_subquery()
    return sa.case((database_now() > newest, database_now()), else_=newest + 1)


CLAIM_NEXT: Final = _TAKE.where(_claim.c.id == _choice())
_CLAIM_PAST: Final = _TAKE.where(_claim.c.id == _choice_past())
_SERVED = (
    sa.update(_turn)
    .where(
        _turn.c.queue == sa.bindparam("of_queue"),
        _turn.c.tenant == sa.bindparam("of_tenant"),
    )
    .values(served_at=sa.type_coerce(_later_than_all(), sa.BigInteger))
)
_EXTEND = (
    sa.update(_claim)
    .where(
        _claim.c.id == sa.bindparam("claim_id"),
        _claim.c.token == sa.bindparam("held_token"),
        _claim.c.standing == CLAIMED,
    )
    .values(lease_until=sa.type_coerce(_lease_end, sa.BigInteger))
)


def claim(
    connection: sa.Connection, queues: Collection[Queue], worker: str, lease: dt.timedelta
) -> Claim | None:
    """Take the next work of `queues`, or None; the caller's commit makes it theirs."""
    if connection.dialect.name == "postgresql":
        # one order for everybody, so nobody waits crosswise
        connection.execute(_locks(tuple(sorted(queues))))
    values = {"queues": list(queues), "new_token": uuid.uuid4().hex, "new_worker": worker}
    row = connection.execute(CLAIM_NEXT, {**values, "lease": _microseconds(lease)}).first()
    if row is None:
        return None
    connection.execute(_SERVED, {"of_queue": row.queue, "of_tenant": row.tenant})
    return _taken(row)


def claim_past(
    connection: sa.Connection, queues: Collection[Queue], worker: str, lease: dt.timedelta
) -> Claim | None:
    """Take work although somebody else holds the lock of a queue; only PostgreSQL needs it.

    Whose turn it is was locked by the same somebody, so this claim does not count there.
    """
    values = {"queues": list(queues), "new_token": uuid.uuid4().hex, "new_worker": worker}
    row = connection.execute(_CLAIM_PAST, {**values, "lease": _microseconds(lease)}).first()
    return None if row is None else _taken(row)


def _taken(row: sa.Row[Any]) -> Claim:
    return Claim(
        id=row.id,
        token=row.token,
        tenant=row.tenant,
        unit_kind=UnitKind(row.unit_kind),
        unit_id=row.unit_id,
        step=Step(row.step),
        attempt=row.attempts,
        lost=row.lost,
        idempotency_key=row.idempotency_key,
        batch_id=row.batch_id,
        document_id=row.document_id,
        lease_until=row.lease_until,
    )


def _microseconds(span: dt.timedelta) -> int:
    return span // dt.timedelta(microseconds=1)


def extend(connection: sa.Connection, held: Claim, lease: dt.timedelta) -> bool:
    """Let the lease end `lease` from now; False if the claim is no longer the caller's."""
    values = {"claim_id": held.id, "held_token": held.token, "lease": _microseconds(lease)}
    return connection.execute(_EXTEND, values).rowcount == 1


#: As a subquery it is asked once a statement, and an index can be searched for it.
_present = sa.select(database_now()).scalar_subquery()
_expired = sa.and_(_claim.c.standing == CLAIMED, _claim.c.lease_until < _present)
_due = sa.and_(
    _claim.c.due_at.is_not(None),
    _claim.c.due_at <= _present,
    _claim.c.standing.in_((Standing.DEFERRED, Standing.WAITING)),
)
ANY_EXPIRED: Final = sa.select(_claim.c.id).where(_expired).limit(1)
ANY_DUE: Final = sa.select(_claim.c.id).where(_due).limit(1)
_swept = (
    _claim.c.unit_kind,
    _claim.c.unit_id,
    _claim.c.batch_id,
    _claim.c.document_id,
    _claim.c.step,
    _claim.c.attempts,
    _claim.c.lost,
)


def _some(condition: sa.ColumnElement[bool]) -> sa.Select[tuple[int]]:
    found = sa.select(_claim.c.id).where(condition).limit(_SWEEP_LIMIT)
    return found.with_for_update(skip_locked=True)  # two sweeps share the work


_EXPIRE = (
    sa.update(_claim)
    .where(_claim.c.id.in_(_some(_expired)))
    .values(
        standing=move(Standing.CLAIMED, Standing.READY),
        token=None,
        lease_until=None,
        attempts=_claim.c.attempts - 1,
        lost=_claim.c.lost + 1,
    )
    .returning(*_swept)
)
_PROMOTE = (
    sa.update(_claim)
    .where(_claim.c.id.in_(_some(_due)))
    .values(standing=move(Standing.DEFERRED, Standing.READY), due_at=None)
    .returning(*_swept)
)
assert move(Standing.WAITING, Standing.READY)  # noqa: S101 - `_PROMOTE` moves these as well


def anything_to_sweep(connection: sa.Connection) -> bool:
    """Tell, without a lock, whether a sweep would find something."""
    return any(connection.execute(query).first() is not None for query in (ANY_EXPIRED, ANY_DUE))


def sweep(connection: sa.Connection, moment: dt.datetime) -> Swept:
    """Make ready what nobody keeps and what has become due.

    A lease that ended tells of a dead machine, hardly ever of the unit: it is no attempt. It is
    counted apart, so that a unit which takes its worker along each time comes to an end.
    """
    expired = connection.execute(_EXPIRE).all()
    promoted = connection.execute(_PROMOTE).all()
    for row in promoted:
        openwork.mirror(connection, row, Standing.READY, moment)
    # in one order, so that two sweeps do not wait for each other's chains
    for row in sorted(expired, key=lambda row: row.document_id or row.batch_id):
        said = {"step": row.step, "unit": row.unit_id, "lost": row.lost}
        entry = chains.Entry("lease_expired", said)
        chains.append(connection, row.document_id or row.batch_id, moment, entry)
    return Swept(expired=len(expired), promoted=len(promoted))


_BACKLOG = (
    sa.select(_claim.c.queue, sa.func.count())
    .where(_claim.c.standing == READY)
    .group_by(_claim.c.queue)
)
_READY_IN = (
    sa.select(sa.literal(1))
    .where(_claim.c.queue == sa.bindparam("of_queue"), _claim.c.standing == READY)
    .limit(1)
)


def backlog(connection: sa.Connection) -> dict[Queue, int]:
    """Count the ready work of every queue."""
    counted = {Queue(queue): count for queue, count in connection.execute(_BACKLOG)}
    return {queue: counted.get(queue, 0) for queue in Queue}


def due(connection: sa.Connection, queue: Queue) -> bool:
    """Tell whether a queue has ready work."""
    return connection.execute(_READY_IN, {"of_queue": queue}).first() is not None
