"""What has to be done once a day: anchor the event chains, sweep unreferenced blobs.

Both may run on several machines at once and twice a day: the first root of a day stays,
and a blob that is gone is gone. Failing costs nothing but the next try.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Collection

import structlog

from ingest import clock
from ingest.errors import DigestMismatch, LedgerUnavailable, StoreUnavailable
from ingest.ledger import Ledger
from ingest.ledger.integrity import anchor
from ingest.ledger.reading import referenced
from ingest.store.port import Store

log = structlog.get_logger(__name__)

#: An arrival is stored before it is recorded; this is how long recording may take at worst.
UNREFERENCED_AGE = dt.timedelta(days=7)
#: What is older was committed: longer than any transaction, and than a clock is set back.
SETTLED = dt.timedelta(minutes=10)
_PAUSE_SECONDS = 3600.0


class Upkeep:
    """Does the daily work of some tenants; `run` loops, `once` is one round."""

    def __init__(self, ledger: Ledger, store: Store, tenants: Collection[str]) -> None:
        """Name what is kept up."""
        self._ledger = ledger
        self._store = store
        self._tenants = tenants
        self._swept_on: dt.date | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`: look every hour, act once a day."""
        while not stop.is_set():
            try:
                self.once(clock.now().date())
            except (LedgerUnavailable, StoreUnavailable, DigestMismatch) as error:
                log.warning("upkeep_postponed", error=str(error))
            stop.wait(_PAUSE_SECONDS)

    def once(self, today: dt.date) -> int:
        """Anchor yesterday and sweep if this was not done today; return the blobs removed.

        Raises:
            LedgerUnavailable: Nothing was anchored; sweeping may have begun.
            StoreUnavailable: As above.
        """
        if self._swept_on == today:
            return 0
        removed = 0
        for tenant in self._tenants:
            with self._ledger.writing() as connection:
                anchor(connection, tenant, today - dt.timedelta(days=1), SETTLED)
            with self._ledger.reading() as connection:
                known = set(referenced(connection, tenant))
            removed += len(self._store.sweep(tenant, known, UNREFERENCED_AGE))
        self._swept_on = today
        if removed:
            log.info("blobs_swept", count=removed)
        return removed
