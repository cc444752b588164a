"""Waiting for arrivals to reach their end, and working oneself while nobody else does."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from ingest.cli.app import App
from ingest.document import ENDS, Standing

#: What a person has to decide: nothing moves it but that person.
_PERSON: Final = frozenset({Standing.HELD, Standing.QUARANTINED})
_LOCK: Final = ".workers.lock"
_LOOK_SECONDS: Final = 0.2
_ASK_SECONDS: Final = 1.0


def rows_of_batch(app: App, batch: str) -> list[dict[str, Any]]:
    """Return the records of a batch and its documents."""
    from ingest.ledger.extracts import rows_of

    with app.ledger.reading() as connection:
        return list(rows_of(connection, batch))


def needs_person(row: Mapping[str, Any]) -> bool:
    """Tell whether nothing but a person moves what a record is of: a decision, or a verdict."""
    from ingest.ledger.quality import WAITS

    awaits_verdict = row["standing"] == Standing.WAITING and row["reason_code"] == WAITS
    return row["standing"] in _PERSON or awaits_verdict


def _is_settled(row: Mapping[str, Any]) -> bool:
    return row["standing"] in ENDS or needs_person(row)


def await_end(app: App, batches: list[str], *, patience: float | None = None) -> None:
    """Return when every batch and document is at its end or waits for a person.

    With `patience`, in seconds, it is not waited longer for what is away, such as a token.

    Whenever no worker of this installation lives, this process works itself: also when the
    one that was there at first dies meanwhile.
    """
    waiting, asked = set(batches), 0.0
    away: dict[str, float] = {}
    with ExitStack() as stack:
        works = False
        while waiting:
            if not works and time.monotonic() - asked >= _ASK_SECONDS:
                asked = time.monotonic()
                works = _work_if_alone(app, stack)
            for batch in list(waiting):
                rows = rows_of_batch(app, batch)
                standings = {row["standing"] for row in rows}
                if all(map(_is_settled, rows)) or (
                    patience is not None and _is_away(batch, standings, away) > patience
                ):
                    waiting.discard(batch)
            if waiting:
                time.sleep(_LOOK_SECONDS)


def _is_away(batch: str, standings: set[str], since: dict[str, float]) -> float:
    """Return for how many seconds a batch has been deferred, tries in between included."""
    if Standing.DEFERRED in standings:
        since.setdefault(batch, time.monotonic())
    return time.monotonic() - since[batch] if batch in since else 0.0


def _work_if_alone(app: App, stack: ExitStack) -> bool:
    from workers.executor import Executor, standard_lanes
    from workers.sealing import ensure_installation_key

    lock = _open(app.settings.data)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return False
    fcntl.flock(lock, fcntl.LOCK_SH)  # others may come and work as well
    stack.callback(lock.close)
    ensure_installation_key(app.settings.keys)
    executor = Executor(app.settings, app.ledger, standard_lanes(app.settings))
    executor.start()
    stack.callback(executor.stop)
    return True


@contextmanager
def living_workers(folder: Path, stop: threading.Event) -> Iterator[None]:
    """Show, as long as the block lasts, that workers live on this data folder."""
    with _open(folder) as lock:
        while not stop.is_set():
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                break
            stop.wait(_LOOK_SECONDS)
        yield


def _open(folder: Path) -> IO[bytes]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    return (folder / _LOCK).open("ab")
