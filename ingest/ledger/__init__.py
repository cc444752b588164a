"""The ledger: what exists, where it stands, what comes next, and the history of both.

It is the queue and the truth. A broker message is only a hint that a queue has work.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

import sqlalchemy as sa

from ingest.ledger import engine as engines
from ingest.ledger.migrating import migrate

__all__ = ["Ledger", "open_ledger"]


class Ledger:
    """The ledger of one installation; usable from many threads, one a process."""

    def __init__(self, engine: sa.Engine) -> None:
        """Take an engine whose schema is current; use `open_ledger`."""
        self._engine = engine

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """Yield a connection that sees one snapshot and writes nothing."""
        return engines.reading(self._engine)

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """Yield a connection in one transaction, committed at the end or not at all."""
        return engines.writing(self._engine)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def open_ledger(url: str) -> Ledger:
    """Open the ledger at a SQLAlchemy URL, creating or upgrading its schema.

    Raises:
        LedgerUnavailable: The database does not answer.
        Misconfigured: The database belongs to a newer version.
    """
    engine = engines.open_engine(url)
    migrate(engine)
    return Ledger(engine)
