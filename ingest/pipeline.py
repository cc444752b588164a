"""Claim, step, record: how a unit goes on.

The ledger is the queue. `advance` claims one unit, lets its step be performed in a child
process while a heartbeat keeps the lease, and records the outcome in one transaction,
only if the claim is still its own. The world outside the claim is never touched here, so
a process killed at any line of this module costs one attempt and no letter.
"""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import structlog

from ingest.document import PLAN, Assignment, Outcome, Queue, Standing, Step, UnitKind
from ingest.errors import (
    Dangerous,
    Deferrable,
    LedgerUnavailable,
    Misconfigured,
    Outage,
    ScanstrasseError,
    ToolFailed,
    Unclear,
)
from ingest.ledger import Claim, ClaimLost, Ledger, Present
from ingest.settings import Settings

log = structlog.get_logger(__name__)

#: Performs an assignment within some seconds; the callable is asked about once a second
#: whether the work is still wanted.
Performer = Callable[[Assignment, float, Callable[[], bool]], Outcome]
#: Makes an outcome for a unit whose attempts are used up, or None to hold it.
Exhausted = Callable[[Assignment, str], Outcome | None]

_LONGEST_PAUSE = dt.timedelta(minutes=15)
_OUTAGE_PAUSE = dt.timedelta(seconds=5)
_PAGE_ATTEMPTS = 2  #: a page that crashes the engine twice goes on without text
_RECORDING_TRIES = 5


@dataclass
class Breaker:
    """Stops claiming for a while after outages, so that what is dead is not hammered.

    One outage is one unit's affair and costs that unit a pause; several in a row, with no
    success between them, are everybody's.

    Attributes:
        tolerated: Outages in a row that do not open the breaker yet.
        longest: Seconds of the longest pause.
    """

    tolerated: int = 2
    longest: float = 5.0
    in_a_row: int = 0
    until: float = 0.0

    def trip(self) -> None:
        """Count an outage."""
        self.in_a_row += 1
        excess = self.in_a_row - self.tolerated
        if excess > 0:
            self.until = time.monotonic() + min(2.0 ** (excess - 1), self.longest)

    def reset(self) -> None:
        """Count a success."""
        self.in_a_row = 0
        self.until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether claiming has to wait."""
        return time.monotonic() < self.until


class Outages:
    """How often each unit met an outage, so that its pauses grow; shared by all threads.

    An outage consumes no try, therefore the ledger does not count it. Forgetting the
    counts with the process is harmless.
    """

    def __init__(self, most: int = 10_000) -> None:
        """Remember at most `most` units, the newest."""
        self._most = most
        self._counts: OrderedDict[tuple[str, Step], int] = OrderedDict()
        self._guard = threading.Lock()

    def count(self, claim: Claim) -> int:
        """Count one more for the unit of `claim` and return how many that makes."""
        key = (claim.unit_id, claim.step)
        with self._guard:
            self._counts[key] = self._counts.pop(key, 0) + 1
            if len(self._counts) > self._most:
                self._counts.popitem(last=False)
            return self._counts[key]

    def forget(self, claim: Claim) -> None:
        """The unit went on."""
        with self._guard:
            self._counts.pop((claim.unit_id, claim.step), None)


@dataclass
class Pipeline:
    """Moves units. One instance serves one thread.

    Attributes:
        worker: Name of this worker in the ledger: host, process and thread.
        perform: Runs the step; raises the errors of `ingest.errors`.
        exhausted: By step, what to record when a unit has used up its attempts.
        hint: Told which queue may have new work after each record; losing it costs time only.
        present: Asks the store whether it holds what a step claims to have made. It is asked
            within the recording, when nobody can erase the bytes any more.
        wanted: Asked during work; False ends the work at once and gives the claim back.
    """

    ledger: Ledger
    perform: Performer
    settings: Settings
    worker: str
    exhausted: Mapping[Step, Exhausted] = field(default_factory=dict)
    hint: Callable[[Queue], None] = lambda _queue: None
    wanted: Callable[[], bool] = lambda: True
    present: Present = lambda _tenant, _sha256: True
    outages: Outages = field(default_factory=Outages)
    ledger_breaker: Breaker = field(default_factory=lambda: Breaker(tolerated=0, longest=60.0))
    breakers: Mapping[Queue, Breaker] = field(
        default_factory=lambda: {queue: Breaker() for queue in Queue}
    )

    @property
    def lease(self) -> dt.timedelta:
        """How long a claim lasts without a heartbeat."""
        return dt.timedelta(seconds=self.settings.workers.lease_seconds)

    def advance(self, queues: Collection[Queue]) -> bool:
        """Claim one unit of `queues` and take it one step further.

        Returns:
            Whether there was a unit. False also while the ledger is out of reach or an
            outage makes it sensible to wait.
        """
        open_for = [queue for queue in queues if not self.breakers[queue].is_open]
        if self.ledger_breaker.is_open or not open_for:
            return False
        try:
            claim = self.ledger.claim(open_for, self.worker, self.lease)
        except LedgerUnavailable as error:
            self.ledger_breaker.trip()
            log.warning("ledger_unavailable", error=str(error))
            return False
        self.ledger_breaker.reset()
        if claim is None:
            return False
        try:
            self._take(claim)
        except LedgerUnavailable as error:
            # The claim's lease ends by itself; whoever sweeps next gives the unit back.
            self.ledger_breaker.trip()
            log.warning("ledger_lost", unit=claim.unit_id, error=str(error))
        return True

    def _take(self, claim: Claim) -> None:
        try:
            assignment = self.ledger.assignment(claim)
        except ClaimLost:
            return
        try:
            self._require_worker(claim)
            outcome = self.perform(assignment, self._budget(assignment), self._heartbeat(claim))
            self._breaker(claim).reset()
            self.outages.forget(claim)
            self._record(claim, outcome)
        except LedgerUnavailable:
            raise
        except ScanstrasseError as error:
            self._fail(claim, assignment, error)
        except Exception as error:  # noqa: BLE001 - the one place where a bug becomes an event
            self._fail(claim, assignment, _bug(error))

    def _require_worker(self, claim: Claim) -> None:
        """Refuse a unit that took its whole worker along again and again.

        Twice the tries, and counted apart from them: foreign bytes are read in a child, so the
        end of the worker itself, a reboot or an update, is hardly ever the unit's doing.
        """
        if self._takes_workers_along(claim):
            message = f"{claim.lost} claims ended without a word from their worker"
            text = "Die Verarbeitung wurde mehrmals ohne Ergebnis abgebrochen."
            raise ToolFailed(message, operator_text=text, code="worker_lost")

    def _breaker(self, claim: Claim) -> Breaker:
        return self.breakers[PLAN[claim.unit_kind, claim.step].queue]

    def _takes_workers_along(self, claim: Claim) -> bool:
        return claim.lost >= 2 * self.settings.workers.attempts

    def _attempts(self, claim: Claim) -> int:
        limit = self.settings.workers.attempts
        return min(limit, _PAGE_ATTEMPTS) if claim.unit_kind is UnitKind.PAGE else limit

    def _budget(self, assignment: Assignment) -> float:
        plan = PLAN[assignment.unit_kind, assignment.step]
        if assignment.step is Step.RECOGNITION:
            return min(float(plan.seconds), self.settings.workers.page_seconds)
        return float(plan.seconds)

    def _heartbeat(self, claim: Claim) -> Callable[[], bool]:
        """Return the tick that keeps the lease; it ends with the unit's time budget."""
        pause = self.lease.total_seconds() / 3
        last = time.monotonic()

        def tick() -> bool:
            nonlocal last
            if not self.wanted():
                return False
            if time.monotonic() - last < pause:
                return True
            last = time.monotonic()
            try:
                return self.ledger.extend(claim, self.lease)
            except LedgerUnavailable:
                return True  # the ledger may be back before the lease ends

        return tick

    def _record(self, claim: Claim, outcome: Outcome) -> None:
        """Record, trying again while the ledger is briefly away: the work is already done."""
        for remaining in reversed(range(_RECORDING_TRIES)):
            try:
                recorded = self.ledger.record(claim, outcome, self.present)
            except LedgerUnavailable:
                if remaining == 0 or not self.wanted():
                    raise
                time.sleep(1.0)
                continue
            if recorded:
                self._hint_after(claim, outcome)
            else:
                log.info("fenced_out", unit=claim.unit_id, step=claim.step)
            return

    def _hint_after(self, claim: Claim, outcome: Outcome) -> None:
        plan = PLAN[claim.unit_kind, claim.step]
        if plan.following is not None:
            self.hint(PLAN[claim.unit_kind, plan.following].queue)
        if outcome.pages or claim.unit_kind is UnitKind.PAGE:
            self.hint(plan.queue)
        if outcome.parts:
            self.hint(Queue.RECOGNITION)

    def _fail(self, claim: Claim, assignment: Assignment, error: ScanstrasseError) -> None:
        # What a person has to decide stands in the ledger with names; logs have none.
        about = None if isinstance(error, (Unclear, Dangerous)) else str(error)
        log.warning(
            "step_failed",
            unit=claim.unit_id,
            step=claim.step,
            attempt=claim.attempt,
            code=error.code,
            error=about,
        )
        if isinstance(error, (Unclear, Dangerous)):
            self._set_aside(claim, error.standing, error)
        elif not self.wanted():
            self._defer(claim, error, dt.timedelta(0), consumes_try=False)
        elif isinstance(error, Outage):
            self._breaker(claim).trip()
            pause = self._pause(self.outages.count(claim), _OUTAGE_PAUSE)
            self._defer(claim, error, pause, consumes_try=False)
        elif isinstance(error, Misconfigured):
            log.error("alarm_misconfigured", unit=claim.unit_id, error=str(error))
            self._defer(claim, error, _LONGEST_PAUSE, consumes_try=False)
        else:
            self._retry_or_end(claim, assignment, error)

    def _retry_or_end(self, claim: Claim, assignment: Assignment, error: ScanstrasseError) -> None:
        if claim.attempt < self._attempts(claim) and not self._takes_workers_along(claim):
            base = dt.timedelta(seconds=self.settings.workers.backoff_seconds)
            consumes = not isinstance(error, Deferrable) or error.consumes_try
            self._defer(claim, error, self._pause(claim.attempt, base), consumes_try=consumes)
            return
        ending = self.exhausted.get(assignment.step)
        outcome = ending(assignment, error.code) if ending is not None else None
        if outcome is not None:
            self._record(claim, outcome)
            return
        self._set_aside(claim, Standing.HELD, error)

    def _pause(self, attempt: int, base: dt.timedelta) -> dt.timedelta:
        """Return an exponential pause with jitter, so that a herd does not come back at once."""
        longest: dt.timedelta = min(base * 2 ** min(attempt - 1, 10), _LONGEST_PAUSE)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret

    def _defer(
        self, claim: Claim, error: ScanstrasseError, pause: dt.timedelta, *, consumes_try: bool
    ) -> None:
        self.ledger.defer(
            claim,
            code=error.code,
            operator_text=error.operator_text,
            message=str(error),
            pause=pause,
            consumes_try=consumes_try,
        )

    def _set_aside(self, claim: Claim, standing: Standing, error: ScanstrasseError) -> None:
        self.ledger.set_aside(
            claim,
            standing,
            code=error.code,
            operator_text=error.operator_text,
            message=str(error),
        )
        self.hint(PLAN[claim.unit_kind, claim.step].queue)


def _bug(error: Exception) -> ScanstrasseError:
    """Turn an unplanned exception into an error that carries its traceback into the event."""
    text = "".join(traceback.format_exception(error))
    return ScanstrasseError(
        text,
        operator_text=f"Unerwarteter Programmfehler ({type(error).__name__}); bitte melden.",
        code="bug",
    )
