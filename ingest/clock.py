"""Where times come from.

Every time in the product is aware and in UTC; people see it in the zone of their house.
Leases do not use this clock but the database's (`ingest.ledger`), because two machines
never agree to the second.
"""

from __future__ import annotations

import datetime as dt

UTC = dt.UTC


def now() -> dt.datetime:
    """Return the present moment, aware, in UTC."""
    return dt.datetime.now(UTC)


def require_aware(moment: dt.datetime, name: str) -> dt.datetime:
    """Return `moment` in UTC.

    Raises:
        ValueError: `moment` has no zone; `name` says which field that was.
    """
    if moment.tzinfo is None:
        message = f"{name} needs a time zone"
        raise ValueError(message)
    return moment.astimezone(UTC)
