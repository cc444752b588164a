"""CPU of a one-page letter's whole way, step by step, and everything but recognition.

The steps run in this process through the same functions that the child processes call, so
that `time.process_time` sees all of it; what the pipe between processes costs is measured
beside it. Target: accept to delivered, seal included, without recognition, at most 0.6 s.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import profiles
from console.samples import letter_pages
from console.samples.files import write_jpeg
from ingest.document import Assignment, Outcome, Queue, RenditionKind, Step
from ingest.ledger import Ledger, open_ledger
from ingest.pipeline import Pipeline
from ingest.settings import FolderSettings, Settings
from ingest.store import open_store
from scanners.folder import FolderChannel
from workers.execution import ASSIGNMENT, OUTCOME, prepare
from workers.exhaustion import EXHAUSTED
from workers.sealing import ensure_installation_key

_RECOGNITION = Step.RECOGNITION


class Meter:
    """Performs assignments in this process and notes the CPU seconds by step."""

    def __init__(self, settings: Settings) -> None:
        """Load the steps once, as a warm child has them."""
        self._serve = prepare({"settings": settings.for_children(sealing=True)})
        self._spool = settings.data / "spool"
        self.seconds: dict[Step, list[float]] = defaultdict(list)
        #: Bytes of each composed PDF, and of the source it was made from.
        self.sizes: list[tuple[int, int]] = []

    def __call__(self, assignment: Assignment, seconds: float, tick: Callable[[], bool]) -> Outcome:
        """Run one step and count it."""
        del seconds, tick
        self._spool.mkdir(parents=True, exist_ok=True)
        begun = time.process_time()
        with tempfile.TemporaryDirectory(dir=self._spool) as workspace:
            request = json.loads(
                json.dumps(
                    {
                        "assignment": ASSIGNMENT.dump_python(assignment, mode="json"),
                        "workspace": workspace,
                    }
                )
            )
            outcome = OUTCOME.validate_python(self._serve(request))
        self.seconds[assignment.step].append(time.process_time() - begun)
        for made in outcome.renditions:
            if made.kind is RenditionKind.COMPOSED:
                source = next(s for s in assignment.batch.sources if s.sha256 == made.parent_sha256)
                self.sizes.append((made.size, source.size))
        return outcome


def main() -> None:
    """Take letters through the whole way and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=20)
    parser.add_argument("--warm-up", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), folder=FolderSettings(settle_seconds=0.0))
        settings.inbox("default").mkdir(parents=True)
        ensure_installation_key(settings.keys)
        ledger = open_ledger(settings.ledger_address())
        try:
            _measure(settings, ledger, arguments.warm_up, "warm-up", report=False)
            _measure(settings, ledger, arguments.letters, "letter", report=True)
        finally:
            ledger.close()


def _measure(settings: Settings, ledger: Ledger, count: int, name: str, *, report: bool) -> None:
    inbox = settings.inbox("default")
    for number in range(count):
        (page,) = letter_pages(number + 1000 * report, skew=0.4, noise=3.0)
        write_jpeg(inbox / f"{name}-{number}.jpg", page)
    store = open_store(settings)
    channel = FolderChannel(settings, "default", ledger, store, profiles, lambda _queue: None)
    meter = Meter(settings)
    pipeline = Pipeline(
        ledger=ledger, perform=meter, settings=settings, worker="bench", exhausted=EXHAUSTED
    )
    wall, begun = time.perf_counter(), time.process_time()
    deadline = time.monotonic() + 60
    accepted = 0
    while accepted < count and time.monotonic() < deadline:
        accepted += channel.pass_once().accepted
    intake = time.process_time() - begun
    while pipeline.advance(tuple(Queue)):
        pass
    total = time.process_time() - begun
    if report:
        _print(count, intake, total, time.perf_counter() - wall, meter)


def _print(count: int, intake: float, total: float, wall: float, meter: Meter) -> None:
    recognition = sum(meter.seconds[_RECOGNITION])
    print(
        f"letters {count}, threads {threading.active_count()}, wall {wall / count:.3f} s a letter"
    )
    print(f"{'intake':<14}{intake / count:8.4f} s CPU a letter")
    for step in Step:
        taken = meter.seconds.get(step)
        if taken:
            print(f"{step:<14}{sum(taken) / count:8.4f} s   median {statistics.median(taken):.4f}")
    ledger = total - intake - sum(sum(taken) for taken in meter.seconds.values())
    print(f"{'ledger, rest':<14}{ledger / count:8.4f} s")
    rest = (total - recognition) / count
    print(f"everything but recognition: {rest:.3f} s CPU a letter (target 0.6)")


if __name__ == "__main__":
    main()
