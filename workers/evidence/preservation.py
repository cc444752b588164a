"""Securing evidence and keeping it: batches of documents, renewal of timestamps.

Both may run on several machines at once and at any time: what is recorded meanwhile by
another machine is found out, and what was fetched in vain is thrown away. The ledger is not
locked while the authority is asked. Without an authority nothing is done and nothing is
claimed.
"""

from __future__ import annotations

import base64
import datetime as dt
import threading
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import structlog

from ingest import clock
from ingest.errors import LedgerUnavailable, Misconfigured, ScanstrasseError
from ingest.ledger import accepting, anchors, evidence, witnessed
from ingest.ledger.evidence import Stamp, joined
from ingest.sandbox import Child, Limits
from workers.evidence.assembly import proving
from workers.evidence.record import token_digests
from workers.evidence.tree import ALGORITHM, BRANCH, Tree, combined

if TYPE_CHECKING:
    from ingest.document import Facts
    from ingest.ledger import Ledger
    from ingest.sealing_settings import EvidenceSettings
    from ingest.settings import Settings

log = structlog.get_logger(__name__)

_PERIODS: Final = {"hour": dt.timedelta(hours=1), "day": dt.timedelta(days=1)}
_PAUSE_SECONDS: Final = 60.0
#: An authority that cannot give a longer timestamp is not asked again for so long.
_VAIN: Final = dt.timedelta(days=1)
_MARGIN_SECONDS: Final = 60.0  #: for a child to start and to give up by itself


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a round led to: documents secured, timestamps renewed."""

    documents: int = 0
    renewed: int = 0


class Preservation:
    """Secures and renews the evidence of all tenants; `run` loops, `once` is one round."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        """Take the settings and the ledger; the child that asks starts when it is needed."""
        self._settings = settings
        self._ledger = ledger
        self._child = Child(
            "workers.evidence.stamping:prepare",
            {"settings": settings.for_children(sealing=True)},
            Limits(memory_bytes=settings.workers.memory_bytes),
        )
        self._in_vain: dict[str, dt.datetime] = {}
        self._caught_up: set[str] = set()
        self._stop = threading.Event()

    @property
    def possible(self) -> bool:
        """Whether an authority is configured."""
        return bool(self._settings.sealing.authorities)

    def __enter__(self) -> Self:
        """Return the object."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the child."""
        self._child.close()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`: look every minute, act when it is due."""
        every, prompt = self._settings.evidence.every, self._settings.evidence.capture_minutes
        if not self.possible or (every == "off" and not prompt):
            return
        self._stop = stop
        with self:
            while not stop.is_set():
                try:
                    if prompt:
                        self.attest_all(dt.timedelta(minutes=prompt))
                    if every != "off":
                        self.once(_PERIODS[every])
                except ScanstrasseError as error:
                    log.warning("evidence_postponed", error=str(error), code=error.code)
                    self._alarm()
                stop.wait(_PAUSE_SECONDS)

    def _alarm(self) -> None:
        """Say which tenants have waited too long for a timestamp."""
        with suppress(LedgerUnavailable), self._ledger.reading() as connection:
            for tenant in self._settings.tenants:
                found = witnessed.account(connection, tenant)
                if overdue(found, self._settings.evidence):
                    log.error("alarm_timestamps_overdue", tenant=tenant, **found)

    def attest_all(self, period: dt.timedelta = dt.timedelta(0)) -> int:
        """Have what arrived, was captured and was anchored timestamped; return how many roots.

        Raises:
            Misconfigured: As `once`.
            AuthorityUnavailable: As `once`.
            LedgerUnavailable: As `once`.
        """
        return sum(self.attest(tenant, period) for tenant in self._settings.tenants)

    def attest(self, tenant: str, period: dt.timedelta = dt.timedelta(0)) -> int:
        """Put all waiting roots of a tenant under one timestamp, unless one came in `period`.

        Raises:
            Misconfigured: As `once`.
            AuthorityUnavailable: As `once`.
            LedgerUnavailable: As `once`.
        """
        if tenant not in self._caught_up:
            self._catch_up(tenant)
        with self._ledger.reading() as connection:
            last = witnessed.stamped_at(connection, tenant)
            if last is not None and accepting.now(connection) - last < period:
                return 0
            seen = evidence.newest(connection, tenant)
            roots = witnessed.waiting(connection, tenant, self._settings.evidence.most_documents)
        if not roots:
            return 0
        tree = Tree([one.root for one in roots])
        stamp = self._stamp(tree)
        with self._ledger.writing() as connection:
            recorded = witnessed.record(
                connection,
                tenant,
                seen=seen,
                stamp=stamp,
                roots=[(one, at // BRANCH, at % BRANCH) for at, one in enumerate(roots)],
                branches=((joined(one.leaves), joined(one.path)) for one in tree.branches()),
            )
        log.info("roots_stamped", tenant=tenant, roots=len(roots), recorded=recorded)
        self._prove_days(tenant)
        return len(roots) if recorded else 0

    def _prove_days(self, tenant: str) -> None:
        """Lay beside the anchor of each day the record that proves it."""
        try:
            with self._ledger.reading() as connection:
                for path, proof in anchors.unproven(connection, self._settings.anchors, tenant):
                    anchors.write(path, proving(proof))
        except OSError as error:
            log.warning("anchors_not_written", tenant=tenant, error=str(error))

    def _catch_up(self, tenant: str) -> None:
        """Let what arrived under an earlier version take part; once is enough."""
        while not self._stop.is_set():
            with self._ledger.writing() as connection:
                if not witnessed.catch_up(connection, tenant):
                    break
        self._caught_up.add(tenant)

    def once(self, period: dt.timedelta = dt.timedelta(0)) -> Done:
        """Renew what is due, and secure what waits if nothing was secured for `period`.

        Raises:
            Misconfigured: No authority, or it uses what `evidence.algorithm_ends` leaves out.
            AuthorityUnavailable: No usable answer; what is recorded before stays.
            LedgerUnavailable: As above.
        """
        documents = renewed = 0
        for tenant in self._settings.tenants:
            renewed += self.renew(tenant)
            documents += self.secure(tenant, period)
        return Done(documents=documents, renewed=renewed)

    def secure(self, tenant: str, period: dt.timedelta = dt.timedelta(0)) -> int:
        """Give all waiting documents of a tenant evidence; return how many.

        One timestamp is for all of them, or for `evidence.most_documents` at a time.

        Raises:
            Misconfigured: As `once`; the documents go on waiting, as with the others.
            AuthorityUnavailable: As `once`.
            LedgerUnavailable: Nothing was recorded.
        """
        with self._ledger.reading() as connection:
            last = evidence.secured_at(connection, tenant)
            if last is not None and accepting.now(connection) - last < period:
                return 0
        total, most = 0, self._settings.evidence.most_documents
        while (secured := self._secure(tenant, most)) == most and not self._stop.is_set():
            total += secured
        return total + secured

    def _secure(self, tenant: str, most: int) -> int:
        """Give so many documents evidence under one timestamp; return how many have it now."""
        with self._ledger.reading() as connection:
            seen = evidence.newest(connection, tenant)
            groups = evidence.waiting(connection, tenant, most)
        if not groups:
            return 0
        tree = Tree([combined(group.members) for group in groups])
        stamp = self._stamp(tree)
        with self._ledger.writing() as connection:
            secured = evidence.record(
                connection,
                tenant,
                seen=seen,
                stamp=stamp,
                leaves=[(group, at // BRANCH, at % BRANCH) for at, group in enumerate(groups)],
                branches=((joined(one.leaves), joined(one.path)) for one in tree.branches()),
            )
        log.info("evidence_secured", tenant=tenant, documents=secured, leaves=tree.leaves)
        return secured or 0

    def renew(self, tenant: str) -> int:
        """Put all timestamps of a tenant that are due under one new one; return how many.

        A new one that would last no longer is not recorded: the alarm is in the log.

        Raises:
            Misconfigured: As `secure`.
            AuthorityUnavailable: As `secure`.
            LedgerUnavailable: As `secure`.
        """
        with self._ledger.reading() as connection:
            seen = evidence.newest(connection, tenant)
            rows = evidence.due(connection, tenant, accepting.now(connection))
        if not rows or self._tried_in_vain(tenant):
            return 0
        tree = Tree([combined(token_digests(row.tokens)) for row in rows])
        stamp = self._stamp(tree)
        if stamp.renew_before <= max(row.renew_before for row in rows):
            self._in_vain[tenant] = clock.now()
            log.error("alarm_renewal_gains_nothing", tenant=tenant, authority=stamp.authority)
            return 0
        renewed = [(row.number, joined(path)) for row, path in zip(rows, tree.paths(), strict=True)]
        with self._ledger.writing() as connection:
            recorded = evidence.record_renewal(
                connection, tenant, seen=seen, stamp=stamp, renewed=renewed
            )
        log.info("evidence_renewed", tenant=tenant, timestamps=len(rows), recorded=recorded)
        return len(rows) if recorded else 0

    def _tried_in_vain(self, tenant: str) -> bool:
        last = self._in_vain.get(tenant)
        return last is not None and clock.now() - last < _VAIN

    def _stamp(self, tree: Tree) -> Stamp:
        """Return a timestamp over a tree's root, for which the authority is asked."""
        if not self.possible:
            text = (
                "Ohne sealing.tsa_urls gibt es keine Beweissicherung. Bitte den Dienst eintragen."
            )
            raise Misconfigured("no tsa_urls", operator_text=text)
        sealing = self._settings.sealing
        seconds = sealing.tsa_timeout_seconds * len(sealing.authorities) + _MARGIN_SECONDS
        answer = self._child.call(
            {"root": tree.root.hex()}, seconds, lambda: not self._stop.is_set()
        )
        stamped_at = dt.datetime.fromisoformat(answer["stamped_at"])
        ends_at = dt.datetime.fromisoformat(answer["ends_at"])
        settings = self._settings.evidence
        last = min(ends_at, algorithms_end(answer, settings))
        return Stamp(
            algorithm=ALGORITHM,
            root=tree.root,
            leaves=tree.leaves,
            token=base64.b64decode(answer["token"]),
            stamped_at=stamped_at,
            authority=str(answer["authority"]),
            certificate_ends_at=ends_at,
            renew_before=renewal(stamped_at, last, settings),
        )


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
