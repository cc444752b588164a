"""Evidence as it was recorded, for whoever makes records of it or computes it again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts
from ingest.ledger import schema
from ingest.ledger.columns import Moment
from ingest.ledger.evidence import (
    RENEWED,
    ROOTS,
    STAMPED,
    WITNESSED,
    newest_stamps,
    parted,
    pieces,
    secured_at,
    timestamps,
    waiting_ids,
)
from ingest.ledger.installation import chain_of
from ingest.ledger.integrity import told
from ingest.ledger.rehashing import REHASHED

Row = sa.Row[Any]
_batch, _branch, _leaf = schema.evidence_batch, schema.evidence_branch, schema.evidence_leaf
_earlier = schema.evidence_earlier
_FETCH: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Kept:
    """All that a document's record is made of.

    Attributes:
        leaves: Of the branch in which the document is leaf number `place`.
        path: From the branch to the root.
        stamps: Tokens, oldest first, each with the path to its root from all those before it;
            the first one's path is empty, `path` stands for it.
        algorithm: Of the tree and the timestamps.
        earlier: The same in older algorithms, oldest first.
    """

    document: str
    members: tuple[bytes, ...]
    branch: tuple[int, int]
    place: int
    leaves: tuple[bytes, ...]
    path: tuple[bytes, ...]
    stamps: tuple[tuple[bytes, tuple[bytes, ...]], ...]
    algorithm: str
    earlier: tuple[Kept, ...] = ()


_Stamps = dict[int, tuple[tuple[bytes, tuple[bytes, ...]], ...]]


def kept(connection: sa.Connection, documents: Sequence[str]) -> Iterator[Kept]:
    """Yield what the records of some documents are made of; none for those without evidence."""
    stamps: _Stamps = {}
    for piece in pieces(documents):
        before: dict[str, list[Kept]] = {}
        for one in _of_table(connection, _earlier, piece, stamps):
            before.setdefault(one.document, []).append(one)
        for one in _of_table(connection, _leaf, piece, stamps):
            earlier = before.get(one.document)
            yield one if earlier is None else replace(one, earlier=tuple(earlier))


def _of_table(
    connection: sa.Connection, table: sa.Table, piece: list[str], stamps: _Stamps
) -> Iterator[Kept]:
    algorithm = _batch.c.algorithm
    query = sa.select(table, algorithm).join(_batch, _batch.c.id == table.c.batch_id)
    query = query.where(table.c.document_id.in_(piece))
    found = list(connection.execute(query.order_by(table.c.batch_id, table.c.branch)))
    trees = _branches(connection, {(row.batch_id, row.branch): row.algorithm for row in found})
    for row in found:
        if row.batch_id not in stamps:
            stamps[row.batch_id] = tuple(timestamps(connection, row.batch_id))
        leaves, path = trees[row.batch_id, row.branch]
        yield Kept(
            document=row.document_id,
            members=parted(row.members, row.algorithm),
            branch=(row.batch_id, row.branch),
            place=row.place,
            leaves=leaves,
            path=path,
            stamps=stamps[row.batch_id],
            algorithm=row.algorithm,
        )


_Trees = dict[tuple[int, int], tuple[tuple[bytes, ...], tuple[bytes, ...]]]


def _branches(connection: sa.Connection, wanted: dict[tuple[int, int], str]) -> _Trees:
    found: _Trees = {}
    for batch_id in {batch for batch, _ in wanted}:
        numbers = [number for batch, number in wanted if batch == batch_id]
        query = sa.select(_branch).where(
            _branch.c.batch_id == batch_id, _branch.c.number.in_(numbers)
        )
        for row in connection.execute(query):
            name = wanted[row.batch_id, row.number]
            found[row.batch_id, row.number] = (parted(row.leaves, name), parted(row.path, name))
    return found


def batches(connection: sa.Connection, tenant: str) -> list[Row]:
    """Return all timestamps of a tenant, oldest first."""
    query = sa.select(_batch).where(_batch.c.tenant == tenant)
    return list(connection.execute(query.order_by(_batch.c.id)))


def signed(connection: sa.Connection, tenant: str, most: int | None) -> Iterator[Row]:
    """Yield timestamps of a tenant, newest first, each with when the next one confirmed it.

    Args:
        connection: In a reading transaction.
        tenant: Whose.
        most: Only so many of the newest; None for all.
    """
    later = _batch.alias()
    columns: list[Any] = [_batch.c.id, _batch.c.root, _batch.c.token]
    columns.append(later.c.stamped_at.label("confirmed_at"))
    confirms = sa.and_(later.c.id == _batch.c.renewed_by, later.c.tenant == tenant)
    query = sa.select(*columns).select_from(_batch).outerjoin(later, confirms)
    query = query.where(_batch.c.tenant == tenant).order_by(_batch.c.id.desc()).limit(most)
    yield from connection.execute(query, execution_options={"yield_per": _FETCH})


def counted(connection: sa.Connection, tenant: str) -> int:
    """Return how many timestamps a tenant has."""
    query = sa.select(sa.func.count()).select_from(_batch).where(_batch.c.tenant == tenant)
    return int(connection.execute(query).scalar_one())


def branches(connection: sa.Connection, number: int) -> Iterator[Row]:
    """Yield the branches of a batch in order."""
    query = sa.select(_branch).where(_branch.c.batch_id == number).order_by(_branch.c.number)
    yield from connection.execute(query, execution_options={"yield_per": _FETCH})


def renewals(connection: sa.Connection, tenant: str) -> list[Row]:
    """Return which timestamps are over which batches of documents, oldest first."""
    renewal = schema.evidence_renewal
    query = sa.select(renewal).where(renewal.c.tenant == tenant)
    return list(connection.execute(query.order_by(renewal.c.renewed_by, renewal.c.batch_id)))


def leaves(connection: sa.Connection, tenant: str) -> Iterator[Row]:
    """Yield which leaf each document is and was before, in order of the documents' ids."""
    own = sa.select(_batch.c.id).where(_batch.c.tenant == tenant)
    for table in (_leaf, _earlier):
        query = sa.select(table).where(table.c.batch_id.in_(own)).order_by(table.c.document_id)
        yield from connection.execute(query, execution_options={"yield_per": _FETCH})


def in_use(connection: sa.Connection, tenant: str) -> set[int]:
    """Return the batches that are the newest for some document."""
    query = sa.select(_leaf.c.batch_id).where(_leaf.c.tenant == tenant)
    return set(connection.execute(query.distinct()).scalars())


def said(connection: sa.Connection, tenant: str) -> dict[int, Facts]:
    """Return what the events of the installation's chain say of each batch, by its number."""
    event = schema.event
    kinds = (STAMPED, RENEWED, REHASHED, WITNESSED)
    chosen = (event.c.chain == chain_of(tenant), event.c.kind.in_(kinds))
    return {row.payload["batch"]: row.payload for row in told(connection, *chosen)}


def account(
    connection: sa.Connection, tenant: str, ends: Mapping[str, dt.datetime] | None = None
) -> Facts:
    """Count what waits and what is secured, and say what has to be renewed when.

    Args:
        connection: In a reading transaction.
        tenant: Whose evidence.
        ends: When digests end that are ending. Timestamps over roots in such a digest, whose
            certificate lasts to that end, are left out: renewing them gains nothing.
    """
    pending = waiting_ids(tenant).order_by(None).subquery()
    waits = connection.execute(sa.select(sa.func.count()).select_from(pending)).scalar_one()
    owned = _leaf.c.tenant == tenant
    secured = connection.execute(sa.select(sa.func.count()).select_from(_leaf).where(owned))
    found = newest_stamps(tenant)[0].subquery().c
    last = [
        sa.and_(found.over == ROOTS, found.algorithm == name, found.certificate_ends_at >= end)
        for name, end in (ends or {}).items()
    ]
    terms = sa.select(
        sa.type_coerce(sa.func.min(found.renew_before), Moment),
        sa.type_coerce(sa.func.min(found.certificate_ends_at), Moment),
    )
    renew_before, ends_at = connection.execute(
        terms.where(sa.not_(sa.or_(sa.false(), *last)))
    ).one()
    return {
        "waiting": waits,
        "secured": secured.scalar_one(),
        "secured_at": _text(secured_at(connection, tenant)),
        "renew_before": _text(renew_before),
        "certificate_ends_at": _text(ends_at),
    }


def _text(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
