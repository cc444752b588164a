"""Which bytes nobody refers to any more, decided so that nobody can begin to meanwhile."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import sqlalchemy as sa

from ingest.ledger import schema

_blob, _source, _rendition = schema.blob, schema.batch_source, schema.rendition
_PIECE: Final = 500
_NAMING: Final = (
    (_source, _source.c.sha256),
    (_source, _source.c.opened_sha256),
    (_rendition, _rendition.c.sha256),
    (schema.stack_page, schema.stack_page.c.sha256),
    (schema.procedure_text, schema.procedure_text.c.sha256),
)


def forget(connection: sa.Connection, tenant: str, digests: Collection[str]) -> list[str]:
    """Forget those of some blobs that no row of the tenant names, and return them.

    Whoever removes the bytes does so before the transaction commits: then nobody can accept the
    same bytes anew in between, and if the commit fails, doing it again ends it.

    Args:
        connection: In a writing transaction, after the rows that named them are gone.
        tenant: Whose blobs.
        digests: Of what may be free now; empty ones count for nothing.
    """
    wanted = sorted(set(digests) - {""})
    free: list[str] = []
    for begin in range(0, len(wanted), _PIECE):
        free += _forget(connection, tenant, wanted[begin : begin + _PIECE])
    return free


def _forget(connection: sa.Connection, tenant: str, some: list[str]) -> list[str]:
    """Forget blobs that nobody refers to.

    Their rows are locked first. Whoever keeps the same bytes anew locks the row as well
    (`accepting.keep_blobs`): either they are through and the statement after the lock sees
    them, or they wait until the bytes are gone and find that out.
    """
    chosen = sa.and_(_blob.c.tenant == tenant, _blob.c.sha256.in_(some))
    lock = sa.select(_blob.c.sha256).where(chosen).order_by(_blob.c.sha256)
    known = list(connection.execute(lock.with_for_update()).scalars())
    used: set[str] = set()
    for table, column in _NAMING:
        query = sa.select(column).where(table.c.tenant == tenant, column.in_(known))
        used.update(connection.execute(query.distinct()).scalars())
    free = [sha256 for sha256 in known if sha256 not in used]
    gone = sa.and_(_blob.c.tenant == tenant, _blob.c.sha256.in_(free))
    connection.execute(sa.delete(_blob).where(gone))
    return free
