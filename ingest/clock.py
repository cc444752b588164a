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


def lies_ahead(moment: dt.datetime) -> bool:
    """Tell whether `moment` is more than a day from now.

    Nothing was received then. The day allows for clocks, and for midnights of other zones.
    """
    return moment - now() > dt.timedelta(days=1)


def require_aware(moment: dt.datetime, name: str) -> dt.datetime:
    """Return `moment` in UTC.

    Raises:
        ValueError: `moment` has no zone; `name` says which field that was.
    """
    if moment.tzinfo is None:
        message = f"{name} needs a time zone"
        raise ValueError(message)
    return moment.astimezone(UTC)
