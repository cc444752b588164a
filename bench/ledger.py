"""Ledger CPU of a one-page letter: accept and all transitions, few documents beside many.

A ledger with 1,000 and one with 1,000,000 documents, real rows in every table and a share
of open work in each, take new letters in turns. A letter costs one `accept` and ten times
`claim`, `assignment`, `record`; what the steps hand back is made beforehand. Counted is the
CPU of this process, for PostgreSQL that of all processes of its server too. Target: the
median with many documents is at most 1.2 times the median with few.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.databases import Database, open_database, require_space
from bench.letter import Letter, letter
from bench.multiplied import multiply
from ingest.document import Priority, Queue
from ingest.ledger import Ledger, open_ledger

_LEASE = dt.timedelta(seconds=30)
_ALL = tuple(Queue)
_STEPS = 10
_BYTES_A_DOCUMENT = {"sqlite": 25_000, "postgresql": 40_000}
_HELD = ("incomplete", "Die Datei ist unvollständig. Bitte erneut scannen.")


@dataclass
class Side:
    """One of the two ledgers and what its letters took, in seconds."""

    documents: int
    ledger: Ledger
    client: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    @property
    def cpu(self) -> list[float]:
        """CPU of each letter, on both sides of the connection."""
        return [sum(pair) for pair in zip(self.client, self.server, strict=True)]


def take(ledger: Ledger, sent: Letter) -> None:
    """Take a letter its whole way through the ledger."""
    receipt = ledger.accept(sent.arrival)
    for _ in range(_STEPS):
        claim = ledger.claim(_ALL, "bench", _LEASE)
        if claim is None or claim.batch_id != receipt.batch_id:
            raise RuntimeError(f"claimed {claim} instead of the new letter")
        assignment = ledger.assignment(claim)
        if not ledger.record(claim, sent.outcomes[assignment.step]):
            raise RuntimeError(f"{claim} was lost")


def measure(database: Database, side: Side, letters: Sequence[Letter]) -> None:
    """Take letters and note what each took."""
    for sent in letters:
        server, wall, client = database.cpu(), time.perf_counter(), time.process_time()
        take(side.ledger, sent)
        side.client.append(time.process_time() - client)
        side.wall.append(time.perf_counter() - wall)
        side.server.append(database.cpu() - server)


def populate(database: Database, name: str, documents: int) -> None:
    """Fill a database with delivered documents and, beside them, open work."""
    ready, held = max(1, documents // 100), max(1, documents // 1000)
    url = database.url(name)
    ledger = open_ledger(url)
    sent = letter(f"first-{name}")
    take(ledger, sent)
    delivered = ledger.receipt(sent.arrival.receipt_key)
    waiting = ledger.accept(letter(f"waiting-{name}", Priority.ARCHIVE).arrival)
    unclear = letter(f"held-{name}", Priority.ARCHIVE).arrival
    kept = ledger.accept(replace(unclear, held=_HELD))
    ledger.close()
    if delivered is None:
        raise RuntimeError("the letter has no receipt")
    with database.loading(name) as connection:
        multiply(database, connection, delivered.batch_id, range(1, documents))
        later = range(documents, documents + ready)
        multiply(database, connection, waiting.batch_id, later, past=False)
        later = range(documents + ready, documents + ready + held)
        multiply(database, connection, kept.batch_id, later, past=False)


def compare(name: str, folder: Path, arguments: argparse.Namespace) -> None:
    """Populate two ledgers of one kind, measure in turns and print."""
    sizes = {"few": 1_000, "many": arguments.documents}
    require_space(folder, _BYTES_A_DOCUMENT[name] * arguments.documents)
    database = open_database(name, folder)
    with contextlib.ExitStack() as ending:
        ending.callback(database.stop)
        database.load()
        for label, documents in sizes.items():
            begun = time.monotonic()
            populate(database, label, documents)
            size, taken = database.size(label) / 1e9, time.monotonic() - begun
            print(f"{name}: {documents:,} documents, {size:.2f} GB, made in {taken:.0f} s")
        database.serve()
        sides = [
            Side(documents, open_ledger(database.url(label))) for label, documents in sizes.items()
        ]
        for side in sides:
            ending.callback(side.ledger.close)
        alternate(database, sides, arguments)
    show(name, sides)


def alternate(database: Database, sides: Sequence[Side], arguments: argparse.Namespace) -> None:
    """Take letters in blocks, the order of the sides changing from block to block."""
    for side in sides:
        for number in range(arguments.block):
            take(side.ledger, letter(f"warm-up-{number}"))
    for block in range(arguments.blocks):
        for side in sides if block % 2 else reversed(sides):
            names = [f"new-{block}-{number}" for number in range(arguments.block)]
            measure(database, side, [letter(name) for name in names])


def show(name: str, sides: Sequence[Side]) -> None:
    """Print medians, means and the ratio of the medians."""
    for side in sides:
        median = statistics.median
        print(
            f"{name:<11}{side.documents:>9,} documents: CPU {1000 * median(side.cpu):6.2f} ms "
            f"(client {1000 * median(side.client):.2f}, server {1000 * median(side.server):.2f}; "
            f"mean {1000 * statistics.fmean(side.cpu):.2f}), "
            f"wall {1000 * median(side.wall):.1f} ms, letters {len(side.cpu)}"
        )
    few, many = sides
    ratio = statistics.median(many.cpu) / statistics.median(few.cpu)
    mean = statistics.fmean(many.cpu) / statistics.fmean(few.cpu)
    wall = statistics.median(many.wall) / statistics.median(few.wall)
    print(
        f"{name}: ratio of medians {ratio:.2f} (target 1.2), of means {mean:.2f}, wall {wall:.2f}"
    )


def main() -> None:
    """Measure one or both kinds of database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="with 50,000 documents")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--block", type=int, default=10, help="letters in a block")
    parser.add_argument("--folder", type=Path, help="where the databases are made")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.documents = 50_000
    for name in arguments.database or ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            compare(name, Path(folder), arguments)


if __name__ == "__main__":
    main()
