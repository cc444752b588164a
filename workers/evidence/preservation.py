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
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import structlog

from ingest import clock
from ingest.errors import DigestMismatch, Misconfigured, ScanstrasseError, StoreUnavailable
from ingest.ledger import accepting, evidence, revocations
from ingest.ledger import rehashing as ledger_rehashing
from ingest.ledger.evidence import Due, Group, Stamp, joined
from ingest.ledger.evidenced import kept
from ingest.ledger.revocations import Said
from ingest.sandbox import Child, Limits
from ingest.store import open_store
from workers.evidence import rehashing
from workers.evidence.assembly import chains_of
from workers.evidence.record import token_digests
from workers.evidence.tree import ALGORITHM, BRANCH, SIZES, Tree, algorithm_of, combined

if TYPE_CHECKING:
    from ingest.document import Facts
    from ingest.ledger import Ledger
    from ingest.settings import EvidenceSettings, Settings

log = structlog.get_logger(__name__)

_PERIODS: Final = {"hour": dt.timedelta(hours=1), "day": dt.timedelta(days=1)}
_PAUSE_SECONDS: Final = 300.0
#: An authority that cannot give a longer timestamp is not asked again for so long.
_VAIN: Final = dt.timedelta(days=1)
#: Documents read again for one timestamp: so many lie in vain if another machine was quicker.
_READ_AT_ONCE: Final = 10_000
#: Timestamps that are asked about again in one round.
_ASKED_AT_ONCE: Final = 20
_SERVICES: Final = 8  #: that one certificate and those above it may name
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
        self._in_vain: dict[str, dt.datetime] = {}
        self._unanswered: set[int] = set()
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
        """Work until `stop`: look every few minutes, act when it is due."""
        every = self._settings.evidence.every
        if every == "off" or not self.possible:
            return
        self._stop = stop
        with self:
            while not stop.is_set():
                try:
                    self.once(_PERIODS[every])
                except ScanstrasseError as error:
                    log.warning("evidence_postponed", error=str(error), code=error.code)
                stop.wait(_PAUSE_SECONDS)

    def once(self, period: dt.timedelta = dt.timedelta(0)) -> Done:
        """Renew what is due, digests too, and secure what waits if nothing was for `period`.

        Raises:
            Misconfigured: No authority, or it uses what `evidence.algorithm_ends` leaves out.
            AuthorityUnavailable: No usable answer; what is recorded before stays.
            LedgerUnavailable: As above.
        """
        documents = renewed = rehashed = 0
        for tenant in self._settings.tenants:
            self.complete(tenant)
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
        rows = [row for row in due if row.algorithm == algorithm]
        if not rows or self._tried_in_vain(tenant):
            return 0
        tree = Tree([combined(token_digests(row.tokens, algorithm)) for row in rows])
        stamp = self._stamp(tree)
        if stamp.renew_before <= max(row.renew_before for row in rows):
            self._in_vain[tenant] = clock.now()
            log.error("alarm_renewal_gains_nothing", tenant=tenant, authority=stamp.authority)
            return 0
        before = self._before_renewal(tenant, rows)
        renewed = [(row.number, joined(path)) for row, path in zip(rows, tree.paths(), strict=True)]
        with self._ledger.writing() as connection:
            recorded = evidence.record_renewal(
                connection, tenant, seen=seen, stamp=stamp, renewed=renewed
            )
            for number, said in before.items() if recorded else ():
                revocations.keep(connection, tenant, number, said)
        log.info("evidence_renewed", tenant=tenant, timestamps=len(rows), recorded=recorded)
        return len(rows) if recorded else 0

    def _before_renewal(self, tenant: str, rows: list[Due]) -> dict[int, Said]:
        """Ask a last time about the timestamps that are to be renewed, each once."""
        found: dict[int, Said] = {}
        for number, token in {row.newest: row.tokens[-1] for row in rows}.items():
            try:
                said, _ = self._asked_about(token)
            except Misconfigured as error:  # the more reason to renew it now
                log.error("alarm_timestamp_revoked", tenant=tenant, batch=number, error=str(error))  # noqa: TRY400 - the text says it
                continue
            if said is not None:
                found[number] = said
        return found

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
        token = base64.b64decode(answer["token"])
        stamped_at = dt.datetime.fromisoformat(answer["stamped_at"])
        ends_at = dt.datetime.fromisoformat(answer["ends_at"])
        settings = self._settings.evidence
        last = min(ends_at, algorithms_end(answer, settings))
        return Stamp(
            algorithm=algorithm_of(tree.root),
            root=tree.root,
            leaves=tree.leaves,
            token=token,
            stamped_at=stamped_at,
            authority=str(answer["authority"]),
            certificate_ends_at=ends_at,
            renew_before=renewal(stamped_at, last, settings),
            revocation=self._asked_about(token)[0],
        )

    def complete(self, tenant: str) -> int:
        """Ask again about timestamps whose issuers did not answer; return for how many they did.

        Raises:
            LedgerUnavailable: Nothing was recorded.
        """
        if not self.possible:
            return 0
        with self._ledger.reading() as connection:
            missing = revocations.missing(connection, tenant, _ASKED_AT_ONCE)
        done = 0
        for number, token in missing:
            if number in self._unanswered:
                continue
            try:
                said, final = self._asked_about(token)
            except Misconfigured as error:
                log.error("alarm_timestamp_revoked", tenant=tenant, batch=number, error=str(error))  # noqa: TRY400 - the text says it
                said, final = None, True
            if final:
                self._unanswered.add(number)
            if said is not None:
                with self._ledger.writing() as connection:
                    revocations.keep(connection, tenant, number, said)
                done += 1
        return done

    def _asked_about(self, token: bytes) -> tuple[Said | None, bool]:
        """Return what the issuers say of a token's certificate, and if asking again is in vain.

        Raises:
            Misconfigured: It is revoked.
        """
        seconds = _SERVICES * self._settings.sealing.tsa_timeout_seconds + _MARGIN_SECONDS
        request = {"asked_about": base64.b64encode(token).decode("ascii")}
        answer = self._child.call(request, seconds, lambda: not self._stop.is_set())
        if answer["content"] is None:
            if not answer["final"]:
                log.warning("no_revocation_answer", reason=answer["reason"])
            return None, bool(answer["final"])
        content = base64.b64decode(answer["content"])
        good_until = dt.datetime.fromisoformat(answer["good_until"])
        return Said(content=content, good_until=good_until), False


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
