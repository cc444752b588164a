"""Starting the product as its users do, and looking at its processes from outside."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sqlite3
import subprocess  # noqa: TID251 - a bench starts the product from outside
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def descendants(pid: int) -> list[int]:
    """Return `pid` and all processes below it, whatever session they are in."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            fields = (entry / "stat").read_text("ascii", "replace").rsplit(")", 1)[1].split()
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        todo.extend(parents.get(current, []))
    return found


def resident(pid: int) -> int:
    """Return resident bytes of a process, 0 when it is gone."""
    try:
        pages = (Path("/proc") / str(pid) / "statm").read_text("ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()


@dataclass
class Run:
    """One `scanstrasse run` in a data folder.

    Attributes:
        peak: Largest resident size seen of any one process, in bytes.
    """

    data: Path
    settings: dict[str, str] = field(default_factory=dict)
    peak: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns at once."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ingest", "--data", str(self.data), "run", "--json"],
            stdout=subprocess.DEVNULL,
            env=os.environ | self.settings,
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return `list --json`."""
        answer = subprocess.run(
            [sys.executable, "-m", "ingest", "--data", str(self.data), "list", "--json"],
            check=True,
            capture_output=True,
            env=os.environ | self.settings,
        )
        return [json.loads(line) for line in answer.stdout.splitlines()]

    def watch_memory(self) -> None:
        """Take one look at the resident size of every process."""
        if self._process is not None:
            sizes = (resident(pid) for pid in descendants(self._process.pid))
            self.peak = max(self.peak, *sizes)

    def kill(self) -> None:
        """Kill -9 of the main process; its children die with it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> float:
        """Stop politely; return the CPU seconds of it and all its descendants."""
        if self._process is None:
            return 0.0
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def until(condition: Any, seconds: float, pause: float = 0.5) -> bool:
    """Wait until `condition()` holds; False when `seconds` went by before."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(pause)
    return False


def count(data: Path, query: str) -> int:
    """Answer a counting query on the ledger's SQLite file, 0 while there is none."""
    try:
        with sqlite3.connect(f"file:{data / 'ledger.sqlite'}?mode=ro", uri=True) as ledger:
            (number,) = ledger.execute(query).fetchone()
    except sqlite3.OperationalError:
        return 0
    return int(number)
