"""Evidence for many documents under one timestamp: time, bytes, and records a second.

A ledger gets delivered documents of an original, a note and a PDF each; only the rows that
evidence asks for are made. Measured are reading them, the tree, recording all rows, and
writing every record as `export` does. The timestamp is made in this process by a test
authority, so its time says nothing about a real one. Targets for 100,000 documents: one
token, tree and rows at most 10 s, at least 3,000 records a second, at most 650 bytes a
document in the ledger (all tables and indexes of evidence). Every hundredth record is
verified afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from bench.databases import Database, open_database
from bench.ledger import take
from bench.letter import letter
from ingest.ledger import Ledger, evidence, open_ledger, schema
from ingest.ledger.evidence import Stamp, joined
from tests.plugins.authority import Authority
from tests.plugins.evidence import token
from workers.evidence import tokens
from workers.evidence.assembly import records
from workers.evidence.tree import ALGORITHM, BRANCH, Tree, combined
from workers.evidence.verification import prove

_TENANT = "default"
_PIECE = 10_000
_INDEX = "ix_document_finished"


@contextlib.contextmanager
def timed(what: str, times: dict[str, tuple[float, float]]) -> Iterator[None]:
    """Note how long the block took and what it cost this process, both in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    times[what] = (time.perf_counter() - wall, time.process_time() - cpu)


def populate(ledger: Ledger, documents: int) -> None:
    """Take one letter its way and repeat what evidence needs to know of it."""
    take(ledger, letter("first"))
    with ledger.reading() as connection:
        first = dict(connection.execute(sa.select(schema.document)).mappings().one())
        source = dict(connection.execute(sa.select(schema.batch_source)).mappings().one())
        made = [
            dict(row)
            for row in connection.execute(
                sa.select(schema.rendition).where(schema.rendition.c.kind.in_(("note", "pdf")))
            ).mappings()
        ]
    first["facts"] = {}
    for begin in range(2, documents + 1, _PIECE):
        numbers = range(begin, min(begin + _PIECE, documents + 1))
        sources = [source | {"ordinal": n, "sha256": _digest(n, "original")} for n in numbers]
        copies = [first | {"id": _id(n), "ordinal": n, "source": n} for n in numbers]
        renditions = [
            {key: value for key, value in one.items() if key != "id"}
            | {"unit_id": _id(n), "sha256": _digest(n, one["kind"])}
            for n in numbers
            for one in made
        ]
        with ledger.writing() as connection:
            connection.execute(sa.insert(schema.batch_source), sources)
            connection.execute(sa.insert(schema.document), copies)
            connection.execute(sa.insert(schema.rendition), renditions)


def _digest(number: int, what: str) -> str:
    return hashlib.sha256(f"{number}/{what}".encode()).hexdigest()


def _id(number: int) -> str:
    return f"ffffffff-ffff-7fff-8fff-{number:012x}"


def secure(ledger: Ledger, authority: Authority, documents: int) -> dict[str, tuple[float, float]]:
    """Give all documents evidence under one timestamp."""
    times: dict[str, tuple[float, float]] = {}
    with timed("reading what waits", times), ledger.reading() as connection:
        groups = evidence.waiting(connection, _TENANT, documents)
    assert len(groups) == documents
    with timed("tree", times):
        tree = Tree([combined(group.members) for group in groups])
    with timed("timestamp", times):
        encoded = token(authority, tree.root)
    said = tokens.read(encoded)
    stamp = Stamp(
        algorithm=ALGORITHM,
        root=tree.root,
        leaves=tree.leaves,
        token=encoded,
        stamped_at=said.stamped_at,
        authority=said.authority,
        certificate_ends_at=said.ends_at,
        renew_before=said.ends_at,
    )
    with timed("rows", times), ledger.writing() as connection:
        recorded = evidence.record(
            connection,
            _TENANT,
            seen=0,
            stamp=stamp,
            leaves=[(group, at // BRANCH, at % BRANCH) for at, group in enumerate(groups)],
            branches=((joined(one.leaves), joined(one.path)) for one in tree.branches()),
        )
    assert recorded == documents
    return times


def export(ledger: Ledger, times: dict[str, tuple[float, float]]) -> tuple[int, int]:
    """Write the record of every document; return how many, and their bytes."""
    count = size = 0
    kept: list[tuple[tuple[bytes, ...], bytes]] = []
    with timed("records", times), ledger.reading() as connection:
        ids = connection.execute(sa.select(schema.evidence_leaf.c.document_id)).scalars().all()
        for _, members, encoded in records(connection, ids):
            count, size = count + 1, size + len(encoded)
            if count % 100 == 0:
                kept.append((members, encoded))
    for members, encoded in kept:
        prove(encoded, members)
    return count, size


def _bytes(database: Database, ledger: Ledger) -> int:
    """Return what the database takes on disk, its log written out."""
    ledger.close()
    return database.size("evidence")


def compare(name: str, folder: Path, documents: int) -> None:
    """Measure on one kind of database and print."""
    database = open_database(name, folder)
    with contextlib.ExitStack() as ending:
        ending.callback(database.stop)
        database.serve()
        ledger = open_ledger(database.url("evidence"))
        ending.callback(ledger.close)
        with ledger.writing() as connection:
            connection.execute(sa.text(f"DROP INDEX {_INDEX}"))
        populate(ledger, documents)
        bare = _bytes(database, ledger)
        with ledger.writing() as connection:
            (index,) = [one for one in schema.document.indexes if one.name == _INDEX]
            index.create(connection)
        times = secure(ledger, Authority(), documents)
        each = (_bytes(database, ledger) - bare) / documents
        count, size = export(ledger, times)
    for what, (wall, cpu) in times.items():
        print(f"{name}: {what} {wall:.2f} s, CPU {cpu:.2f} s")
    total = times["tree"][0] + times["rows"][0]
    print(f"{name}: {documents:,} documents, one token, tree and rows {total:.1f} s (target 10)")
    print(f"{name}: {each:.0f} bytes a document in the ledger (target 650)")
    wall, cpu = times["records"]
    print(
        f"{name}: {count / wall:,.0f} records a second, {count / cpu:,.0f} a second of CPU "
        f"(target 3,000), {size / count:.0f} bytes each"
    )


def main() -> None:
    """Measure one or both kinds of database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--folder", type=Path, help="where the databases are made")
    arguments = parser.parse_args()
    for name in arguments.database or ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            compare(name, Path(folder), arguments.documents)


if __name__ == "__main__":
    main()
