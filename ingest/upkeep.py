"""What has to be done once a day: anchor the chains, remove intermediate results, sweep blobs.

Both may run on several machines at once and twice a day: the first root of a day stays,
and a blob that is gone is gone. Failing costs nothing but the next try.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType

import structlog
from typing_extensions import override

from ingest import clock
from ingest.document import Family
from ingest.errors import DigestMismatch, LedgerUnavailable, StoreUnavailable
from ingest.ledger import Ledger, intermediates
from ingest.ledger.anchors import publish
from ingest.ledger.engine import be_patient, hold
from ingest.ledger.integrity import anchor, to_anchor
from ingest.ledger.logbook import expire
from ingest.ledger.reading import has_batches, unknown
from ingest.store.port import Store

log = structlog.get_logger(__name__)

#: An arrival is stored before it is recorded; this is how long recording may take at worst.
UNREFERENCED_AGE = dt.timedelta(days=7)
#: What is older was committed: longer than any transaction, and than a clock is set back.
SETTLED = dt.timedelta(minutes=10)
_PAUSE_SECONDS = 3600.0
_FIRST_SWEEP_SECONDS = 3600.0
#: A sweep that would remove more than so many blobs, and more than one in so many, is refused.
_STRAYS_ALWAYS = 100
_STRAYS_OF = 100
_PIECE = 500


class _AllBut(Collection[str]):
    """Every digest except some: what a sweep that removes these has to keep."""

    def __init__(self, strays: Collection[str]) -> None:
        self._strays = frozenset(strays)

    @override
    def __contains__(self, sha256: object) -> bool:
        return sha256 not in self._strays

    @override
    def __iter__(self) -> Iterator[str]:
        raise TypeError

    @override
    def __len__(self) -> int:
        raise TypeError


class Upkeep:
    """Does the daily work of some tenants; `run` loops, `once` is one round."""

    def __init__(
        self,
        ledger: Ledger,
        store: Store,
        tenants: Collection[str],
        anchors: Path | None = None,
        kept: Mapping[Family, dt.timedelta] = MappingProxyType({}),
        *,
        every_class: bool = False,
    ) -> None:
        """Name what is kept up.

        Args:
            ledger: Of all tenants.
            store: Of all tenants.
            tenants: Whose.
            anchors: Folder for anchors; None writes none.
            kept: How long the log is kept, by family; without any nothing expires.
            every_class: Intermediate results go of all classes, not only of confidential ones.
        """
        self._anchors = anchors
        self._kept = kept
        self._every_class = every_class
        self._ledger = ledger
        self._store = store
        self._tenants = tenants
        self._swept_on: dt.date | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`: look every hour, act once a day, and never sweep at once.

        Whoever started with the wrong ledger or the wrong store has an hour to see it.
        """
        allowed_at = time.monotonic() + _FIRST_SWEEP_SECONDS
        while not stop.is_set():
            today = clock.now().date()
            try:
                self.anchor(today)
                self.expire()
                self.tidy()
                if time.monotonic() >= allowed_at:
                    self.sweep(today)
            except (LedgerUnavailable, StoreUnavailable, DigestMismatch) as error:
                log.warning("upkeep_postponed", error=str(error))
            stop.wait(_PAUSE_SECONDS)

    def once(self, today: dt.date) -> int:
        """Anchor yesterday and sweep if this was not done today; return the blobs removed.

        Raises:
            LedgerUnavailable: Nothing was anchored; sweeping may have begun.
            StoreUnavailable: As above.
        """
        self.anchor(today)
        self.tidy()
        return self.sweep(today)

    def tidy(self) -> int:
        """Remove intermediate results that are not needed any more; return of how many documents.

        Raises:
            LedgerUnavailable: Some may be gone; doing it again ends it.
            StoreUnavailable: As above.
        """
        done = 0
        for tenant in self._tenants:
            while ids := self._due(tenant):
                for id_ in ids:
                    with self._ledger.writing() as connection:
                        for sha256 in intermediates.remove(connection, id_):
                            self._store.erase(tenant, sha256)
                done += len(ids)
        if done:
            log.info("intermediates_removed", documents=done)
        return done

    def _due(self, tenant: str) -> list[str]:
        with self._ledger.reading() as connection:
            return intermediates.due(connection, tenant, every_class=self._every_class, most=_PIECE)

    def anchor(self, today: dt.date) -> None:
        """Anchor the days up to yesterday that nobody anchored, one a transaction.

        Raises:
            LedgerUnavailable: Days after those that are anchored now were not.
            StoreUnavailable: The folder for anchors cannot be written.
        """
        for tenant in self._tenants:
            with self._ledger.reading() as connection:
                days = to_anchor(connection, tenant, today - dt.timedelta(days=1))
            for day in days:
                with self._ledger.writing() as connection:
                    be_patient(connection)
                    hold(connection, f"anchor {tenant}")  # another machine may be at it
                    anchor(connection, tenant, day, SETTLED)
            if self._anchors is not None:
                with self._ledger.reading() as connection:
                    publish(connection, self._anchors, tenant)

    def expire(self) -> None:
        """Take away what of the log is older than it is kept.

        Raises:
            LedgerUnavailable: Of some tenants nothing was taken away.
        """
        for tenant in self._tenants:
            with self._ledger.writing() as connection:
                gone = expire(connection, tenant, self._kept)
            if gone:
                log.info("log_expired", tenant=tenant, **{str(key): n for key, n in gone.items()})

    def sweep(self, today: dt.date) -> int:
        """Remove old blobs that the ledger does not name, once a day; return how many.

        Raises:
            LedgerUnavailable: Sweeping may have begun.
            StoreUnavailable: As above.
        """
        if self._swept_on == today:
            return 0
        removed = sum(self._sweep(tenant) for tenant in self._tenants)
        self._swept_on = today
        if removed:
            log.info("blobs_swept", count=removed)
        return removed

    def _sweep(self, tenant: str) -> int:
        total = sum(1 for _ in self._store.digests(tenant))
        if not total:
            return 0
        most = max(_STRAYS_ALWAYS, total // _STRAYS_OF)
        with self._ledger.reading() as connection:
            is_known = has_batches(connection, tenant)
            ask = partial(unknown, connection, tenant)
            strays = list(islice(self._strays(tenant, ask), most + 1)) if is_known else []
        if not is_known or len(strays) > most:
            # no crash leaves so much: this is the wrong ledger, or one that lost its rows
            found = len(strays) if is_known else total
            log.error("alarm_sweep_refused", tenant=tenant, blobs=total, unknown_at_least=found)
            return 0
        return len(self._store.sweep(tenant, _AllBut(strays), UNREFERENCED_AGE))

    def _strays(self, tenant: str, unknown_of: Callable[[list[str]], list[str]]) -> Iterator[str]:
        """Yield old digests that the ledger does not know, holding few of them at a time."""
        limit = clock.now() - UNREFERENCED_AGE
        digests = self._store.digests(tenant)
        while piece := list(islice(digests, _PIECE)):
            for sha256 in unknown_of(piece):
                stored_at = self._store.stored_at(tenant, sha256)
                if stored_at is not None and stored_at <= limit:
                    yield sha256
