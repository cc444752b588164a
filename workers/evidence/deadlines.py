"""Until when timestamps may be relied on, and how long what waits for one may wait."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from ingest import clock
from ingest.errors import Misconfigured

if TYPE_CHECKING:
    from ingest.document import Facts
    from ingest.sealing_settings import EvidenceSettings


def overdue(found: Facts, settings: EvidenceSettings) -> bool:
    """Tell whether what waits for a timestamp (`witnessed.account`) has waited too long."""
    since = found["waiting_since"]
    late = dt.timedelta(hours=settings.overdue_hours)
    return since is not None and clock.now() - dt.datetime.fromisoformat(since) > late


def algorithms_end(said: Facts, settings: EvidenceSettings) -> dt.datetime:
    """Return when the first of a token's algorithms ends, by the house's own table.

    Raises:
        Misconfigured: One is not in the table, or has ended: it is not used any more.
    """
    stamped_on = dt.datetime.fromisoformat(said["stamped_at"]).date()
    ends = settings.algorithm_ends
    names = {str(name) for name in said["algorithms"]}
    for name in sorted(names):
        if name not in ends or ends[name] <= stamped_on:
            text = (
                f"Der Zeitstempeldienst verwendet {name}; evidence.algorithm_ends nennt dafür kein "
                "Ende oder eines, das schon vorbei ist. Es wird nichts damit gesichert: bitte "
                "einen anderen Dienst eintragen oder, wenn das Haus es so entscheidet, das Ende."
            )
            raise Misconfigured(f"algorithm {name} is not allowed", operator_text=text)
    day = min(ends[name] for name in names)
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def renewal(
    stamped_at: dt.datetime, ends_at: dt.datetime, settings: EvidenceSettings
) -> dt.datetime:
    """Return when to renew: so many days before the end, of a short life in its middle."""
    ahead = min(dt.timedelta(days=settings.renew_days), (ends_at - stamped_at) / 2)
    return ends_at - ahead
