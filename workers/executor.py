"""The local executor: threads that claim, children that work, a sweep that forgets nothing.

Each slot is a thread with one warm child process. Slots that read foreign bytes and slots
that hold the key are different processes. Hints wake the slots early; without any hint
they look into the ledger by themselves, so that a lost hint costs seconds and no letter.
"""

from __future__ import annotations

import os
import queue
import shutil
import socket
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from ingest.document import Assignment, Outcome, Queue
from ingest.errors import (
    Dangerous,
    LedgerUnavailable,
    ScanstrasseError,
    StoreUnavailable,
    Unclear,
)
from ingest.ledger import Ledger
from ingest.pipeline import Outages, Pipeline
from ingest.sandbox import Child, Limits
from ingest.settings import Settings
from ingest.store import open_store
from workers.exhaustion import EXHAUSTED
from workers.scratch import Scratch

log = structlog.get_logger(__name__)

#: Queues whose children read what strangers wrote.
READING_QUEUES = (Queue.RECOGNITION, Queue.INSPECTION)
#: Queues whose children hold the key or write to the outside.
WRITING_QUEUES = (Queue.DELIVERY, Queue.SEALING)


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A number of slots that serve the same queues."""

    name: str
    queues: tuple[Queue, ...]
    slots: int


def standard_lanes(settings: Settings, queues: Collection[Queue] = tuple(Queue)) -> list[Lane]:
    """Return one slot per core for reading work and one slot for sealing and delivery."""
    cores = settings.workers.processes or len(os.sched_getaffinity(0))
    lanes = [
        Lane(name="read", queues=_among(READING_QUEUES, queues), slots=cores),
        Lane(name="write", queues=_among(WRITING_QUEUES, queues), slots=1),
    ]
    return [lane for lane in lanes if lane.queues]


def _among(wanted: tuple[Queue, ...], allowed: Collection[Queue]) -> tuple[Queue, ...]:
    return tuple(queue for queue in wanted if queue in allowed)


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all slots of an executor have in common."""

    settings: Settings
    ledger: Ledger
    scratch: Scratch
    hint: Callable[[Queue], None]
    wanted: Callable[[], bool]
    present: Callable[[str, str], bool]
    outages: Outages


class Slot:
    """One child process and the pipeline that feeds it. Used by one thread at a time."""

    def __init__(self, shared: Shared, name: str, queues: Collection[Queue]) -> None:
        """Prepare the slot for units of `queues`; its child starts with the first one."""
        settings = shared.settings
        self._scratch = shared.scratch
        self._child = Child(
            "workers.execution:prepare",
            {"settings": settings.for_children(sealing=Queue.SEALING in queues)},
            Limits(memory_bytes=settings.workers.memory_bytes),
        )
        self.pipeline = Pipeline(
            ledger=shared.ledger,
            perform=self.perform,
            settings=settings,
            worker=f"{socket.gethostname()}:{os.getpid()}:{name}",
            exhausted=EXHAUSTED,
            hint=shared.hint,
            wanted=shared.wanted,
            present=shared.present,
            outages=shared.outages,
        )

    def perform(self, assignment: Assignment, seconds: float, tick: Callable[[], bool]) -> Outcome:
        """Run the step in the child, in a scratch folder that is gone afterwards.

        Raises:
            StoreUnavailable: No space in the scratch folder; the attempt says nothing about
                the unit.
        """
        from workers.execution import ASSIGNMENT, OUTCOME

        workspace = self._workspace()
        try:
            request = {
                "assignment": ASSIGNMENT.dump_python(assignment, mode="json"),
                "workspace": str(workspace),
            }
            answer = self._child.call(request, seconds, tick)
        except (Unclear, Dangerous):
            raise
        except ScanstrasseError as error:
            shutil.rmtree(workspace, ignore_errors=True)
            if self._scratch.has_room():
                raise  # it fits when nothing of this attempt lies there: the unit's own doing
            raise _no_room(error) from error
        finally:
            shutil.rmtree(workspace, ignore_errors=True)
        return OUTCOME.validate_python(answer)

    def _workspace(self) -> Path:
        try:
            return self._scratch.folder()
        except OSError as error:
            raise _no_room(error) from error

    def close(self) -> None:
        """Kill the child."""
        self._child.close()


class Executor:
    """Slots by lane, the sweep, and two ways to be driven.

    `start` drives the slots with threads of its own (one machine); with `start(own=False)`
    somebody else calls `drain` (`workers.actors`), and only the sweep runs here.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        lanes: Collection[Lane],
        hint: Callable[[Queue], None] | None = None,
    ) -> None:
        """Describe the executor. `hint` tells other machines; own slots are woken anyway."""
        self._settings = settings
        self._ledger = ledger
        self._lanes = lanes
        self._outward = hint
        self._scratch = Scratch(settings.data / "spool")
        self._stop = threading.Event()
        self._bells: list[threading.Event] = []
        self._idle: dict[str, queue.SimpleQueue[Slot]] = {}
        self._threads: list[threading.Thread] = []
        shared = Shared(
            settings=settings,
            ledger=ledger,
            scratch=self._scratch,
            hint=self._hint,
            wanted=self.is_wanted,
            present=open_store(settings).holds,
            outages=Outages(),
        )
        for lane in lanes:
            self._idle[lane.name] = queue.SimpleQueue()
            for number in range(lane.slots):
                slot = Slot(shared, f"{lane.name}-{number}", lane.queues)
                self._idle[lane.name].put(slot)

    def is_wanted(self) -> bool:
        """Whether work should go on; False once `stop` was called."""
        return not self._stop.is_set()

    def start(self, *, own: bool = True) -> None:
        """Start the sweep and, with `own`, a thread for each slot."""
        self._scratch.clear_abandoned()
        if own:
            for lane in self._lanes:
                for _ in range(lane.slots):
                    self._spawn(lane.name, self._serve, lane)
        self._spawn("sweep", self._sweep)

    def wake(self) -> None:
        """Tell the own slots that there may be work."""
        for bell in self._bells:
            bell.set()

    def drain(self, wanted: Queue) -> int:
        """Advance units of the lane of `wanted` until there are none; return how many.

        All queues of the lane, because the ledger chooses by priority: a letter with a
        deadline does not wait for the archive's pages. Blocks until a slot is free.
        """
        lane = next(lane for lane in self._lanes if wanted in lane.queues)
        slot = self._idle[lane.name].get()
        count = 0
        try:
            while self.is_wanted() and slot.pipeline.advance(lane.queues):
                count += 1
        finally:
            self._idle[lane.name].put(slot)
        return count

    def stop(self, seconds: float = 10.0) -> None:
        """End work at once: units in progress are given back without losing a try."""
        self._stop.set()
        self.wake()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        for lane in self._lanes:
            self._close_idle(lane, deadline)
        self._scratch.close()

    def _close_idle(self, lane: Lane, deadline: float) -> None:
        """Close the children of slots that nobody uses any more, whoever drove them.

        A child must not be closed under a thread that still reads from it; what does not end
        in time dies with this process.
        """
        closed = []
        with suppress(queue.Empty):
            for _ in range(lane.slots):
                left = max(0.0, deadline - time.monotonic())
                slot = self._idle[lane.name].get(timeout=left)
                slot.close()
                closed.append(slot)
        for slot in closed:  # whoever waits for a slot finds that no work is wanted
            self._idle[lane.name].put(slot)

    def _hint(self, wanted: Queue) -> None:
        self.wake()
        if self._outward is not None:
            self._outward(wanted)

    def _spawn(self, name: str, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _serve(self, lane: Lane) -> None:
        bell = threading.Event()
        self._bells.append(bell)
        slot = self._idle[lane.name].get()
        try:
            while self.is_wanted():
                bell.clear()
                if not slot.pipeline.advance(lane.queues):
                    bell.wait(timeout=self._settings.workers.sweep_seconds)
        finally:
            self._idle[lane.name].put(slot)

    def _sweep(self) -> None:
        while self.is_wanted():
            try:
                swept = self._ledger.sweep()
                if swept.expired:
                    log.warning("claims_expired", count=swept.expired)
                if swept.expired or swept.promoted:
                    self.wake()
                self._repeat_hints()
                self._scratch.clear_abandoned()
            except (LedgerUnavailable, OSError) as error:
                log.warning("sweep_failed", error=str(error))
            self._stop.wait(self._settings.workers.sweep_seconds)

    def _repeat_hints(self) -> None:
        if self._outward is None:
            return
        for lane in self._lanes:
            for wanted in lane.queues:
                if self._ledger.due(wanted):
                    self._outward(wanted)


def _no_room(error: Exception) -> StoreUnavailable:
    text = (
        "Kein Platz im Arbeitsordner (spool) des Datenordners. Bitte Platz schaffen; die Arbeit "
        "geht danach von selbst weiter."
    )
    return StoreUnavailable(f"no room for scratch: {error}", operator_text=text)
