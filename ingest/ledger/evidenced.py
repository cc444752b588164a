"""Evidence as it was recorded, for whoever makes records of it or computes it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts
from ingest.ledger import schema
from ingest.ledger.evidence import RENEWED, STAMPED, WITNESSED, parted, pieces, timestamps
from ingest.ledger.installation import chain_of
from ingest.ledger.integrity import told

Row = sa.Row[Any]
_batch, _branch, _leaf = schema.evidence_batch, schema.evidence_branch, schema.evidence_leaf
_FETCH: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Kept:
    """All that a document's record is made of.

    Attributes:
        leaves: Of the branch in which the document is leaf number `place`.
        path: From the branch to the root.
        stamps: Tokens, oldest first, each with the path to its root from all those before it;
            the first one's path is empty, `path` stands for it.
    """

    document: str
    members: tuple[bytes, ...]
    branch: tuple[int, int]
    place: int
    leaves: tuple[bytes, ...]
    path: tuple[bytes, ...]
    stamps: tuple[tuple[bytes, tuple[bytes, ...]], ...]


def kept(connection: sa.Connection, documents: Sequence[str]) -> Iterator[Kept]:
    """Yield what the records of some documents are made of; none for those without evidence."""
    stamps: dict[int, tuple[tuple[bytes, tuple[bytes, ...]], ...]] = {}
    for piece in pieces(documents):
        query = sa.select(_leaf).where(_leaf.c.document_id.in_(piece))
        found = list(connection.execute(query.order_by(_leaf.c.batch_id, _leaf.c.branch)))
        trees = _branches(connection, {(row.batch_id, row.branch) for row in found})
        for row in found:
            if row.batch_id not in stamps:
                stamps[row.batch_id] = tuple(timestamps(connection, row.batch_id))
            leaves, path = trees[row.batch_id, row.branch]
            yield Kept(
                document=row.document_id,
                members=parted(row.members),
                branch=(row.batch_id, row.branch),
                place=row.place,
                leaves=leaves,
                path=path,
                stamps=stamps[row.batch_id],
            )


_Trees = dict[tuple[int, int], tuple[tuple[bytes, ...], tuple[bytes, ...]]]


def _branches(connection: sa.Connection, wanted: set[tuple[int, int]]) -> _Trees:
    found: _Trees = {}
    for batch_id in {batch for batch, _ in wanted}:
        numbers = [number for batch, number in wanted if batch == batch_id]
        query = sa.select(_branch).where(
            _branch.c.batch_id == batch_id, _branch.c.number.in_(numbers)
        )
        for row in connection.execute(query):
            found[row.batch_id, row.number] = (parted(row.leaves), parted(row.path))
    return found


def batches(connection: sa.Connection, tenant: str) -> list[Row]:
    """Return all timestamps of a tenant, oldest first."""
    query = sa.select(_batch).where(_batch.c.tenant == tenant)
    return list(connection.execute(query.order_by(_batch.c.id)))


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
    """Yield which leaf each document is, in order of the documents' ids."""
    own = sa.select(_batch.c.id).where(_batch.c.tenant == tenant)
    query = sa.select(_leaf).where(_leaf.c.batch_id.in_(own)).order_by(_leaf.c.document_id)
    yield from connection.execute(query, execution_options={"yield_per": _FETCH})


def said(connection: sa.Connection, tenant: str) -> dict[int, Facts]:
    """Return what the events of the installation's chain say of each batch, by its number."""
    event = schema.event
    chosen = (event.c.chain == chain_of(tenant), event.c.kind.in_((STAMPED, RENEWED, WITNESSED)))
    return {row.payload["batch"]: row.payload for row in told(connection, *chosen)}
