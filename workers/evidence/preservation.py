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
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import structlog

from ingest import clock
from ingest.errors import (
    DigestMismatch,
    LedgerUnavailable,
    Misconfigured,
    ScanstrasseError,
    StoreUnavailable,
)
from ingest.ledger import accepting, anchors, evidence, revocations, witnessed
from ingest.ledger import rehashing as ledger_rehashing
from ingest.ledger.evidence import Due, Group, Stamp, joined
from ingest.ledger.evidenced import kept
from ingest.sandbox import Child, Limits
from ingest.store import open_store
from workers.evidence import rehashing
from workers.evidence.assembly import chains_of, proving
from workers.evidence.deadlines import algorithms_end, overdue, renewal
from workers.evidence.issuers import Issuers
from workers.evidence.record import token_digests
from workers.evidence.tree import ALGORITHM, BRANCH, SIZES, Tree, algorithm_of, combined

if TYPE_CHECKING:
    from ingest.ledger import Ledger
    from ingest.settings import Settings

log = structlog.get_logger(__name__)

_PERIODS: Final = {"hour": dt.timedelta(hours=1), "day": dt.timedelta(days=1)}
_PAUSE_SECONDS: Final = 60.0
#: An authority that cannot give a longer timestamp is not asked again for so long.
_VAIN: Final = dt.timedelta(days=1)
#: Documents read again for one timestamp: so many lie in vain if another machine was quicker.
_READ_AT_ONCE: Final = 10_000
_MARGIN_SECONDS: Final = 60.0  #: for a child to start and to give up by itself


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a round led to: documents secured, timestamps renewed, documents with newer digests."""

    documents: int = 0
    renewed: int = 0
    rehashed: int = 0


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
        self._in_vain: dict[tuple[str, str], dt.datetime] = {}  #: by tenant and what of its
        self.issuers = Issuers(settings, ledger, self._child, lambda: not self._stop.is_set())
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
        if not roots or not self._may_witness(tenant):
            return 0
        tree = Tree([one.root for one in roots])
        stamp = self._stamp(tree, of_roots=tenant)
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

    def _may_witness(self, tenant: str) -> bool:
        """Tell whether the house trusts the digest of roots; where not, say so once a day."""
        if not rehashing.ended(self._settings.evidence, ALGORITHM, clock.now().date()):
            return True
        if not self._tried_in_vain(tenant, evidence.ROOTS):
            self._in_vain[tenant, evidence.ROOTS] = clock.now()
            log.error("alarm_roots_not_witnessed", tenant=tenant, algorithm=ALGORITHM)
        return False

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
        """Renew what is due, digests too, and secure what waits if nothing was for `period`.

        Raises:
            Misconfigured: No authority, or it uses what `evidence.algorithm_ends` leaves out.
            AuthorityUnavailable: No usable answer; what is recorded before stays.
            LedgerUnavailable: As above.
        """
        documents = renewed = rehashed = 0
        for tenant in self._settings.tenants:
            self.issuers.complete(tenant)
            renewed += self.renew(tenant)
            rehashed += self.rehash(tenant)
            documents += self.secure(tenant, period)
        return Done(documents=documents, renewed=renewed, rehashed=rehashed)

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
        algorithm = rehashing.suitable(self._settings.evidence, clock.now().date())
        if algorithm != ALGORITHM:
            groups = list(self._read_again(tenant, [one.document for one in groups], algorithm))
        secured = self._record(tenant, seen, groups, evidence.record)
        log.info("evidence_secured", tenant=tenant, documents=secured)
        return secured or 0

    def _record(
        self, tenant: str, seen: int, groups: list[Group], record: Callable[..., int | None]
    ) -> int | None:
        """Have a tree over `groups` timestamped and record it."""
        if not groups:
            return 0
        tree = Tree([combined(group.members) for group in groups])
        stamp = self._stamp(tree)
        with self._ledger.writing() as connection:
            return record(
                connection,
                tenant,
                seen=seen,
                stamp=stamp,
                leaves=[(group, at // BRANCH, at % BRANCH) for at, group in enumerate(groups)],
                branches=((joined(one.leaves), joined(one.path)) for one in tree.branches()),
            )

    def rehash(self, tenant: str) -> int:
        """Give documents whose digest ends soon a newer one beside it; return how many.

        All their files are read again. What cannot be read, or is not what it was, keeps its
        evidence as it is: that is an alarm in the log.

        Raises:
            Misconfigured: As `secure`.
            AuthorityUnavailable: As `secure`.
            LedgerUnavailable: As `secure`.
        """
        settings, today = self._settings.evidence, clock.now().date()
        names = rehashing.outdated(settings, today)
        total, most = 0, min(settings.most_documents, _READ_AT_ONCE)
        while names and not self._stop.is_set():
            with self._ledger.reading() as connection:
                seen = evidence.newest(connection, tenant)
                ids = ledger_rehashing.outdated(connection, tenant, names, most)
            algorithm = rehashing.suitable(settings, today)
            groups = list(self._read_again(tenant, ids, algorithm))
            moved = self._record(tenant, seen, groups, ledger_rehashing.record)
            total += moved or 0
            if not moved or len(ids) < most:
                break
        if total:
            log.info("evidence_rehashed", tenant=tenant, documents=total)
        return total

    def _read_again(self, tenant: str, ids: list[str], algorithm: str) -> Iterator[Group]:
        """Yield the groups of some documents in another algorithm, over their chains so far."""
        store = open_store(self._settings)
        for piece in evidence.pieces(ids):
            with self._ledger.reading() as connection:
                consisting = evidence.consisting(connection, piece)
                chains = {one.document: chains_of(one) for one in kept(connection, piece)}
            for document in piece:
                try:
                    own = rehashing.digests(store, tenant, consisting[document], algorithm)
                except (StoreUnavailable, DigestMismatch) as error:
                    log.error("alarm_not_rehashed", document=document, error=str(error))  # noqa: TRY400 - the text says it
                    continue
                yield rehashing.group(document, own, chains.get(document, ()))

    def renew(self, tenant: str) -> int:
        """Put all timestamps of a tenant that are due under one new one; return how many.

        A new one that would last no longer is not recorded: the alarm is in the log.

        Raises:
            Misconfigured: As `secure`.
            AuthorityUnavailable: As `secure`.
            LedgerUnavailable: As `secure`.
        """
        today = clock.now().date()
        trusted = [n for n in SIZES if not rehashing.ended(self._settings.evidence, n, today)]
        return sum(self._renew(tenant, algorithm) for algorithm in trusted)

    def _renew(self, tenant: str, algorithm: str) -> int:
        with self._ledger.reading() as connection:
            seen = evidence.newest(connection, tenant)
            due = evidence.due(connection, tenant, accepting.now(connection))
        rows = [row for row in due if row.algorithm == algorithm and not self._is_last(row)]
        if not rows or self._tried_in_vain(tenant, algorithm):
            return 0
        tree = Tree([combined(token_digests(row.tokens, algorithm)) for row in rows])
        stamp = self._stamp(tree)
        if stamp.renew_before <= max(row.renew_before for row in rows):
            self._in_vain[tenant, algorithm] = clock.now()
            log.error("alarm_renewal_gains_nothing", tenant=tenant, authority=stamp.authority)
            return 0
        before = self.issuers.before_renewal(tenant, rows)
        renewed = [(row.number, joined(path)) for row, path in zip(rows, tree.paths(), strict=True)]
        with self._ledger.writing() as connection:
            recorded = evidence.record_renewal(
                connection, tenant, seen=seen, stamp=stamp, renewed=renewed
            )
            for number, said in before.items() if recorded else ():
                revocations.keep(connection, tenant, number, said)
        log.info("evidence_renewed", tenant=tenant, timestamps=len(rows), recorded=recorded)
        return len(rows) if recorded else 0

    def _is_last(self, row: Due) -> bool:
        """Tell whether the digest, not the certificate, ends a timestamp: no other lasts longer."""
        ends = rehashing.ending(self._settings.evidence, clock.now().date())
        return row.algorithm in ends and row.certificate_ends_at >= ends[row.algorithm]

    def _tried_in_vain(self, tenant: str, what: str) -> bool:
        last = self._in_vain.get((tenant, what))
        return last is not None and clock.now() - last < _VAIN

    def _stamp(self, tree: Tree, *, of_roots: str | None = None) -> Stamp:
        """Return a timestamp over a tree's root, for which the authority is asked.

        Of roots, of the tenant named, there are so many that issuers are asked once a day.
        """
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
        token = base64.b64decode(answer["token"])
        stamped_at = dt.datetime.fromisoformat(answer["stamped_at"])
        ends_at = dt.datetime.fromisoformat(answer["ends_at"])
        settings = self._settings.evidence
        last = min(ends_at, algorithms_end(answer, settings))
        authority = str(answer["authority"])
        if of_roots is None:
            said, _ = self.issuers.about(token)
        else:
            said = self.issuers.daily(of_roots, token, authority, ends_at)
        return Stamp(
            algorithm=algorithm_of(tree.root),
            root=tree.root,
            leaves=tree.leaves,
            token=token,
            stamped_at=stamped_at,
            authority=authority,
            certificate_ends_at=ends_at,
            renew_before=renewal(stamped_at, last, settings),
            revocation=said,
        )
