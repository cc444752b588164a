"""Renewing digests (RFC 4998, 5.3): documents get a leaf in a tree of a newer algorithm.

The leaf so far is kept as an earlier one, because the record needs both. Which documents are
still to do is derived, as with those that wait: their leaf is in a tree of an outdated digest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts
from ingest.ledger import chains, installation, schema
from ingest.ledger.evidence import (
    DOCUMENTS,
    Group,
    Stamp,
    alone,
    insert,
    joined,
    keep_branches,
    newest,
    pieces,
    stamped,
)

Row = sa.Row[Any]
_batch, _leaf, _earlier = schema.evidence_batch, schema.evidence_leaf, schema.evidence_earlier
_COLUMNS: Final = ("document_id", "batch_id", "tenant", "branch", "place", "members")

REHASHED: Final = "evidence_rehashed"


def outdated(
    connection: sa.Connection, tenant: str, algorithms: Collection[str], most: int
) -> list[str]:
    """Return the documents whose newest leaf is in a tree of one of some algorithms, oldest first.

    Args:
        connection: In a reading transaction.
        tenant: Whose documents.
        algorithms: Those that end soon.
        most: How many at most.
    """
    trees = sa.select(_batch.c.id).where(
        _batch.c.tenant == tenant,
        _batch.c.over == DOCUMENTS,
        _batch.c.algorithm.in_(sorted(algorithms)),
        _batch.c.rehashed_by.is_(None),
    )
    numbers = list(connection.execute(trees).scalars())
    if not numbers:
        return []
    query = sa.select(_leaf.c.document_id).where(
        _leaf.c.tenant == tenant, _leaf.c.batch_id.in_(numbers)
    )
    return list(connection.execute(query.order_by(_leaf.c.document_id).limit(most)).scalars())


def record(
    connection: sa.Connection,
    tenant: str,
    *,
    seen: int,
    stamp: Stamp,
    leaves: Sequence[tuple[Group, int, int]],
    branches: Iterable[tuple[bytes, bytes]],
) -> int | None:
    """Record a timestamp over documents that had evidence, as `evidence.record` does.

    Returns:
        How many documents have the newer digest now; None if another batch was recorded
        meanwhile, and then nothing was.
    """
    alone(connection, tenant)
    if newest(connection, tenant) != seen:
        return None
    said = stamped(connection, tenant, DOCUMENTS, stamp)
    number: int = said["batch"]
    keep_branches(connection, tenant, number, branches)
    moved, old = 0, set()
    by_document = {group.document: (group, branch, place) for group, branch, place in leaves}
    for piece in pieces(sorted(by_document)):
        # whoever was erased meanwhile has no leaf any more and gets none
        found = connection.execute(sa.select(_leaf).where(_leaf.c.document_id.in_(piece))).all()
        before = [{name: getattr(row, name) for name in _COLUMNS} for row in found]
        insert(connection, _earlier, iter(before))
        old |= {row.batch_id for row in found}
        connection.execute(sa.delete(_leaf).where(_leaf.c.document_id.in_(piece)))
        fresh = (_row(tenant, number, *by_document[row.document_id]) for row in found)
        insert(connection, _leaf, fresh)
        moved += len(found)
    _close(connection, old, number)
    entry = chains.Entry(REHASHED, {**said, "documents": moved})
    installation.note(connection, tenant, entry)
    return moved


def _row(tenant: str, number: int, group: Group, branch: int, place: int) -> Facts:
    return {
        "document_id": group.document,
        "tenant": tenant,
        "batch_id": number,
        "branch": branch,
        "place": place,
        "members": joined(group.members),
    }


def _close(connection: sa.Connection, old: set[int], number: int) -> None:
    """Let timestamps rest that no document depends on any more."""
    for batch_id in sorted(old):
        rest = sa.select(_leaf.c.document_id).where(_leaf.c.batch_id == batch_id).limit(1)
        if connection.execute(rest).first() is None:
            change = sa.update(_batch).where(_batch.c.id == batch_id)
            connection.execute(change.values(rehashed_by=number))
