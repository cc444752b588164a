"""The ledger: what exists, where it stands, what comes next, and the history of both.

It is the queue and the truth. A broker message is only a hint that a queue has work; the
ledger chooses. Every method is one transaction: it returned, so it is durable; it raised,
so nothing of it happened. Reading for people goes through `Ledger.reading`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

import sqlalchemy as sa

from ingest.document import NOT_RECORDED, Assignment, Outcome, Queue, Standing
from ingest.errors import LedgerUnavailable, ScanstrasseError
from ingest.ledger import (
    accepting,
    admitting,
    assigning,
    claiming,
    clerk_results,
    clerks,
    inboxes,
    outgoing,
    recording,
    rescanning,
    reviewing,
    revising,
    setbacks,
    verdicts,
)
from ingest.ledger import engine as engines
from ingest.ledger.clerks import Decision
from ingest.ledger.judgement import Judged, Look
from ingest.ledger.migrating import KeepName, migrate
from ingest.ledger.moves import IllegalMove
from ingest.ledger.rescanning import Rescan, Rescanned
from ingest.ledger.revising import Revised
from ingest.ledger.terms import (
    Arrival,
    Claim,
    ClaimLost,
    Opened,
    Present,
    Receipt,
    Shift,
    Swept,
    Unaccepted,
)

__all__ = [
    "Arrival",
    "Claim",
    "ClaimLost",
    "Decision",
    "IllegalMove",
    "Judged",
    "Ledger",
    "Look",
    "Opened",
    "Present",
    "Receipt",
    "Rescan",
    "Rescanned",
    "Revised",
    "Shift",
    "Swept",
    "Unaccepted",
    "open_ledger",
]


class Ledger:
    """The ledger of an installation; one object serves all threads of a process.

    Every method may raise `LedgerUnavailable`: the database does not answer, is locked or
    has no space, and nothing was committed.
    """

    def __init__(self, engine: sa.Engine) -> None:
        """Take an engine whose schema is current; use `open_ledger`."""
        self._engine = engine
        self._profiles = assigning.Profiles()
        self._introduced: set[tuple[str, str]] = set()

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """Yield a connection that sees one snapshot, writes nothing and may take its time."""
        return engines.reading(self._engine)

    def _looking(self) -> AbstractContextManager[sa.Connection]:
        return engines.reading(self._engine, patient=False)

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """Yield a connection in one transaction, committed at the end or not at all."""
        return engines.writing(self._engine)

    def forget_log(self) -> bool:
        """Empty the database's log after an erasure; see `ingest.ledger.engine.forget_log`."""
        return engines.forget_log(self._engine)

    def close(self) -> None:
        """Close all connections; the object may be used again."""
        self._engine.dispose()

    def accept(self, arrival: Arrival) -> Receipt:
        """Take an arrival whose bytes are stored; after this its source may go.

        The same receipt key gives the same receipt, however often it is handed over.

        Raises:
            ProfileInvalid: The version of the profile may not be worked with; nothing changed.
        """
        version = (arrival.tenant, arrival.profile_sha256)
        with self.writing() as connection:
            if arrival.ordered is not None:
                outgoing.require_releaser(connection, arrival)
            given = accepting.accept(connection, arrival, known=version in self._introduced)
        self._introduced.add(version)
        return given

    def require_admitted(self, tenant: str, name: str, sha256: str, treatment: str) -> None:
        """Refuse a version of a profile early that `accept` would refuse.

        Raises:
            ProfileInvalid: As `accept`.
        """
        with self._looking() as connection:
            admitting.require_admitted(connection, tenant, name, sha256, treatment)

    def receipt(self, receipt_key: str) -> Receipt | None:
        """Return what was accepted under a key, None if nothing was."""
        with self._looking() as connection:
            return accepting.receipt(connection, receipt_key)

    def claim(self, queues: Collection[Queue], worker: str, lease: dt.timedelta) -> Claim | None:
        """Take the next work of `queues` until the lease ends, or None if there is none.

        Attempt, token and idempotency key are committed on return.
        """
        try:
            with self.writing() as connection:
                return claiming.claim(connection, queues, worker, lease)
        except LedgerUnavailable as error:
            if not engines.is_held_up(error):
                raise
        with self.writing() as connection:
            return claiming.claim_past(connection, queues, worker, lease)

    def extend(self, claim: Claim, lease: dt.timedelta) -> bool:
        """Let the lease end `lease` from now; False if the claim was lost."""
        with self.writing() as connection:
            return claiming.extend(connection, claim, lease)

    def assignment(self, claim: Claim) -> Assignment:
        """Return everything the step may know.

        Raises:
            ClaimLost: The claim is no longer the caller's.
        """
        with self._looking() as connection:
            return assigning.assignment(connection, claim, self._profiles)

    def record(self, claim: Claim, outcome: Outcome, present: Present | None = None) -> bool:
        """Record what a step found and what follows; False if the claim was lost.

        Args:
            claim: Of the caller.
            outcome: What the step found.
            present: Asks the store for each rendition; None to trust the caller.

        Raises:
            ToolFailed: The store does not hold a rendition; nothing was recorded.
        """
        with self.writing() as connection:
            return recording.record(connection, claim, outcome, present)

    def defer(
        self,
        claim: Claim,
        *,
        code: str,
        operator_text: str,
        message: str,
        pause: dt.timedelta,
        consumes_try: bool,
    ) -> bool:
        """Let the machine try again after `pause`; False if the claim was lost."""
        with self.writing() as connection:
            return setbacks.defer(
                connection,
                claim,
                code=code,
                operator_text=operator_text,
                message=message,
                pause=pause,
                consumes_try=consumes_try,
            )

    def set_aside(
        self, claim: Claim, standing: Standing, *, code: str, operator_text: str, message: str
    ) -> bool:
        """Ask the clerk (`held`) or the security officer (`quarantined`); False if lost."""
        with self.writing() as connection:
            return setbacks.set_aside(
                connection,
                claim,
                standing,
                code=code,
                operator_text=operator_text,
                message=message,
            )

    def sweep(self) -> Swept:
        """Make ready what nobody keeps any more and what has become due."""
        with self._looking() as connection:
            if not claiming.anything_to_sweep(connection):
                return Swept(expired=0, promoted=0)
        with self.writing() as connection:
            return claiming.sweep(connection, accepting.now(connection))

    def backlog(self) -> dict[Queue, int]:
        """Count the ready work of every queue."""
        with self._looking() as connection:
            return claiming.backlog(connection)

    def due(self, queue: Queue) -> bool:
        """Tell whether a queue has ready work."""
        with self._looking() as connection:
            return claiming.due(connection, queue)

    def release(
        self, unit_id: str, by: str, reason: str, settings: Mapping[str, str] | None = None
    ) -> None:
        """Let held work go on, quarantined work become held.

        Raises:
            UsageError: Unknown, or neither held nor quarantined; nothing changed.
        """
        self.decide(unit_id, Decision(by=by, reason=reason, settings=settings or {}))

    def decide(self, unit_id: str, decision: Decision) -> None:
        """Release like `release`, with everything else that goes into the decision.

        Raises:
            UsageError: As `release`, or nothing is to be opened there; nothing changed.
            ToolFailed: The store does not hold an opened copy; nothing changed.
        """
        with self.writing() as connection:
            clerks.release(connection, unit_id, decision)

    def reject(self, unit_id: str, by: str, reason: str) -> None:
        """End a held batch or document.

        Raises:
            UsageError: Unknown, a page, or not held; nothing changed.
        """
        with self.writing() as connection:
            clerks.reject(connection, unit_id, by, reason)

    def retry(self, unit_id: str, by: str = NOT_RECORDED) -> None:
        """Let deferred, waiting or held work run now.

        Raises:
            UsageError: Unknown, or in none of these standings; nothing changed.
        """
        with self.writing() as connection:
            clerks.retry(connection, unit_id, by)

    def put_back(
        self,
        unit_id: str,
        page: int,
        *,
        by: str,
        reason: str,
        document: str | None = None,
    ) -> Revised:
        """Put a page that separation left out back into a document, as a new revision of it.

        Raises:
            UsageError: The page was not left out, or no document or several could take it;
                nothing changed.
        """
        with self.writing() as connection:
            return revising.put_back(
                connection, unit_id, page, by=by, reason=reason, document=document
            )

    def rescan(self, wishes: Mapping[str, Rescan]) -> list[Rescanned]:
        """Replace pages of documents, by id, by what was scanned again; all or nothing.

        Raises:
            UsageError: One of them cannot be replaced so; nothing changed.
            ToolFailed: The store does not hold a file; nothing changed.
        """
        with self.writing() as connection:
            return [rescanning.rescan(connection, id_, new) for id_, new in wishes.items()]

    def reviewed(self, document_id: str, by: str, reason: str) -> None:
        """Note that a person looked at a document that checking wanted to be looked at.

        Raises:
            UsageError: No document, or it waits for no look; nothing changed.
        """
        with self.writing() as connection:
            reviewing.reviewed(connection, document_id, by, reason)

    def verdict(self, document_id: str, look: Look) -> Judged:
        """Judge a document that waits for quality assurance; see `verdicts.verdict`.

        Raises:
            UsageError: This person may not judge it, or not so, or not now; nothing changed.
        """
        with self.writing() as connection:
            return verdicts.verdict(connection, document_id, look)

    def view(self, document_id: str, pages: Iterable[int], by: str) -> int:
        """Note which pages somebody looked at; return how many were not noted before.

        Raises:
            UsageError: See `verdicts.view`; nothing changed.
        """
        with self.writing() as connection:
            return verdicts.view(connection, document_id, pages, by)

    def resume_quality(self, batch_id: str, by: str, reason: str, *, full: bool = True) -> str:
        """Let a batch go on whose quality assurance found a fault; return the state.

        Raises:
            UsageError: See `verdicts.resume`; nothing changed.
        """
        with self.writing() as connection:
            return verdicts.resume(connection, batch_id, by, reason, full=full)

    def clerk_result(self, document_id: str, look: Look) -> Judged:
        """Record whether a delivered document matches its paper, as its clerk says.

        Raises:
            UsageError: See `clerk_results.clerk_result`; nothing changed.
        """
        with self.writing() as connection:
            return clerk_results.clerk_result(connection, document_id, look)

    def replace_unaccepted(self, tenant: str, root: str, entries: Sequence[Unaccepted]) -> None:
        """Let the listing of what an inbox does not take be exactly `entries`."""
        with self.writing() as connection:
            inboxes.replace_unaccepted(connection, tenant, root, entries)

    def unaccepted(self, tenant: str, root: str) -> list[Unaccepted]:
        """Return what an inbox does not take, by name."""
        with self._looking() as connection:
            return inboxes.unaccepted(connection, tenant, root)

    def begin_shift(
        self, tenant: str, inbox: str, operator: str, device: str | None = None
    ) -> Shift:
        """Note who stands at an inbox from now on.

        Raises:
            UsageError: No operator code; nothing changed.
        """
        with self.writing() as connection:
            return inboxes.begin_shift(connection, tenant, inbox, operator, device)

    def end_shift(self, tenant: str, inbox: str) -> bool:
        """Note that nobody stands at the inbox any more; False if nobody did."""
        with self.writing() as connection:
            return inboxes.end_shift(connection, tenant, inbox)

    def current_shift(self, tenant: str, inbox: str) -> Shift | None:
        """Return who stands at an inbox, None if nobody has signed on."""
        with self._looking() as connection:
            return inboxes.current_shift(connection, tenant, inbox)


def open_ledger(url: str, keep_name: KeepName | None = None) -> Ledger:
    """Open the ledger at a SQLAlchemy URL, creating or upgrading its schema.

    Args:
        url: Of the database.
        keep_name: Takes names of persons that an old ledger held; see `migrate`.

    Raises:
        LedgerUnavailable: The database does not answer.
        Misconfigured: The database belongs to a newer version; nothing was changed.
    """
    engine = engines.open_engine(url)
    try:
        migrate(engine, keep_name)
    except ScanstrasseError:
        engine.dispose()
        raise
    return Ledger(engine)
