"""What durable acceptance costs beside the bare system calls, in one run on one disk.

    python bench/acceptance.py [--files 1000] [--size 100000] [--folder DIR] [--rounds 3]

Bare: write, fsync, rename, fsync of the folder, for the same files. Each round measures all
ways in turn, because a shared disk changes its mind from minute to minute; the median of
the rounds' ratios is what counts. Target for the whole intake: at most 3.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ingest.store import FolderStore


class Cost(NamedTuple):
    """Seconds, on the clock and of this process's CPU."""

    wall: float
    cpu: float


def bare(folder: Path, contents: Sequence[bytes]) -> None:
    """Write each file durably with nothing but system calls."""
    for number, content in enumerate(contents):
        temporary = folder / f".{number}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, content)
        os.fsync(descriptor)
        os.close(descriptor)
        temporary.rename(folder / str(number))
        above = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(above)
        os.close(above)


def stored(folder: Path, contents: Sequence[bytes]) -> None:
    """Put each file into a folder store, new at the start."""
    store = FolderStore(folder / "store")
    for content in contents:
        store.put("default", io.BytesIO(content))


WAYS: dict[str, Callable[[Path, Sequence[bytes]], None]] = {"bare": bare, "store": stored}


def measure(
    way: Callable[[Path, Sequence[bytes]], None], above: Path, contents: Sequence[bytes]
) -> Cost:
    """Return what `way` costs in a folder of its own."""
    folder = Path(tempfile.mkdtemp(dir=above))
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        way(folder, contents)
        return Cost(time.perf_counter() - wall, time.process_time() - cpu)
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    contents = [os.urandom(asked.size) for _ in range(asked.files)]
    ratios: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(asked.rounds):
        costs = {name: measure(way, asked.folder, contents) for name, way in WAYS.items()}
        for name, cost in costs.items():
            ratios[name].append(cost.wall / costs["bare"].wall)
            print(
                f"round {number + 1}  {name:8} wall {cost.wall:7.3f} s  cpu {cost.cpu:7.3f} s  "
                f"ratio {ratios[name][-1]:5.2f}"
            )
    for name, found in ratios.items():
        print(f"median of {asked.rounds} rounds  {name:8} ratio {statistics.median(found):5.2f}")


if __name__ == "__main__":
    main()
