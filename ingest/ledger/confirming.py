"""The supplementary note that confirms the match of a document delivered before (F 5.1)."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa

from ingest.ledger import chains

Row = sa.Row[Any]

#: The event of a document whose match a clerk confirmed and whose supplementary note is owed.
OWED: Final = "confirmation_owed"


def begin(connection: sa.Connection, document: Row, moment: dt.datetime) -> None:
    """Say in the chain of a delivered document that its supplementary note is owed."""
    chains.append(connection, document.id, moment, chains.Entry(OWED, {}))
