"""Small parts of the listing, for whoever waits for one arrival or watches the newest."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from ingest.document import Facts, Standing
from ingest.ledger import schema
from ingest.ledger.inboxes import not_accepted
from ingest.ledger.reading import describe

_batch, _claim = schema.batch, schema.claim
#: A waiting unit waits for its pages, which are in these standings, or for a person.
_MOVING = (Standing.READY, Standing.CLAIMED, Standing.DEFERRED)


def rows_of(connection: sa.Connection, batch_id: str) -> Iterator[Facts]:
    """Yield the records of one batch and its documents, as `reading.rows` shapes them."""
    yield from describe(
        connection, connection.execute(sa.select(_batch).where(_batch.c.id == batch_id)).all()
    )


def is_moving(connection: sa.Connection) -> bool:
    """Tell whether the machine has anything left to do, now or by itself later."""
    open_work = sa.select(_claim.c.id).where(_claim.c.standing.in_(_MOVING)).limit(1)
    return connection.execute(open_work).first() is not None


def newest_rows(connection: sa.Connection, batches: int) -> Iterator[Facts]:
    """Yield the newest `batches` arrivals, oldest first, and what was not accepted.

    What it costs does not depend on how many documents there are.
    """
    newest = connection.execute(sa.select(_batch).order_by(_batch.c.id.desc()).limit(batches))
    yield from describe(connection, list(reversed(newest.all())))
    yield from not_accepted(connection, None)
