"""What durable acceptance costs beside the bare system calls, in one run on one disk.

    python bench/acceptance.py [--files 1000] [--size 100000] [--folder DIR]

bare    write, fsync, rename, fsync of the folder
commit  one bare SQLite commit with synchronous=FULL
store   a put into the blob store
intake  the whole of `receive`: bytes durable and receipt committed, SQLite ledger

Every file goes all ways in turn before the next file does, because a shared disk changes its
mind from second to second; so each way meets the same weather. Target for `intake`: at most 3
times `bare`.
"""

from __future__ import annotations

import argparse
import io
import os
import sqlite3
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import profiles
from ingest.document import Envelope
from ingest.intake import receive_files
from ingest.ledger import open_ledger
from ingest.store import FolderStore

#: Takes one file: where it lies, and its content.
Accept = Callable[[Path, bytes], None]


@contextmanager
def bare(folder: Path) -> Iterator[Accept]:
    """Write each file durably with nothing but system calls."""

    def accept(path: Path, content: bytes) -> None:
        temporary = folder / f".{path.name}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, content)
        os.fsync(descriptor)
        os.close(descriptor)
        temporary.rename(folder / path.name)
        above = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(above)
        os.close(above)

    yield accept


@contextmanager
def commit(folder: Path) -> Iterator[Accept]:
    """Commit one row: what a ledger in SQLite cannot do without."""
    with closing(sqlite3.connect(folder / "bare.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE arrival (name TEXT PRIMARY KEY)")

        def accept(path: Path, content: bytes) -> None:
            del content
            connection.execute("INSERT INTO arrival VALUES (?)", (path.name,))

        yield accept


@contextmanager
def store(folder: Path) -> Iterator[Accept]:
    """Put each file into a folder store, new at the start."""
    opened = FolderStore(folder / "store")

    def accept(path: Path, content: bytes) -> None:
        del path
        opened.put("default", io.BytesIO(content))

    yield accept


@contextmanager
def intake(folder: Path) -> Iterator[Accept]:
    """Take each file in as an arrival of its own."""
    opened = FolderStore(folder / "store")
    profile = profiles.load("posteingang")
    with closing(open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")) as ledger:

        def accept(path: Path, content: bytes) -> None:
            del content
            receive_files(
                ledger,
                opened,
                tenant="default",
                receipt_key=str(uuid.uuid4()),
                envelope=Envelope(profile="posteingang"),
                loaded=profile,
                paths=[path],
            )

        yield accept


WAYS = {"bare": bare, "commit": commit, "store": store, "intake": intake}


def measure(above: Path, files: int, size: int) -> dict[str, list[tuple[float, float]]]:
    """Return seconds, on the clock and of CPU, of each file each way."""
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=above)))
        ways: dict[str, Accept] = {}
        for name, way in WAYS.items():
            (folder / name).mkdir()
            ways[name] = stack.enter_context(way(folder / name))
        (folder / "inbox").mkdir()
        for number in range(files):
            content = os.urandom(size)
            path = folder / "inbox" / f"{number:06}.pdf"
            path.write_bytes(content)
            for name, accept in ways.items():
                wall, cpu = time.perf_counter(), time.process_time()
                accept(path, content)
                costs[name].append((time.perf_counter() - wall, time.process_time() - cpu))
            path.unlink()
    return costs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    asked = parser.parse_args()
    costs = measure(asked.folder, asked.files, asked.size)
    bare_total = sum(wall for wall, _ in costs["bare"])
    bare_median = statistics.median(wall for wall, _ in costs["bare"])
    print(f"{asked.files} files of {asked.size} bytes in {asked.folder}")
    for name, found in costs.items():
        total = sum(wall for wall, _ in found)
        median = statistics.median(wall for wall, _ in found)
        print(
            f"{name:7} wall {total:7.3f} s  cpu {sum(cpu for _, cpu in found):6.3f} s  "
            f"median {median * 1000:6.2f} ms  ratio of totals {total / bare_total:5.2f}  "
            f"of medians {median / bare_median:5.2f}"
        )


if __name__ == "__main__":
    main()
