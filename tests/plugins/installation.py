"""A whole installation in a folder: started, dropped into, killed, and asked what it knows.

Everything that works runs as real processes through the command line. Commands that ask or
decide are given in the test's own process unless a test is about the process; the polling while
a test waits looks into the ledger directly, so that it does not starve what is being tested.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.errors import LedgerUnavailable
from ingest.ledger import Ledger, open_ledger
from ingest.ledger.reading import rows
from tests.plugins.commanding import clean_environment, commanded

ROOT = Path(__file__).parents[2]
#: Seconds after which what is waited for hangs; no test is about how fast the machine is.
PATIENCE = 240.0
SETTLED = frozenset({"done", "rejected", "superseded", "held", "quarantined"})
#: Short times, so that a test sees every kind of waiting.
QUICK: Mapping[str, Mapping[str, object]] = {
    "folder": {
        "settle_seconds": 0.3,
        "rescan_seconds": 0.5,
        "give_up_seconds": 3.0,
        "abandoned_seconds": 2.0,
    },
    "workers": {
        "processes": 2,
        "lease_seconds": 3.0,
        "backoff_seconds": 0.2,
        "sweep_seconds": 0.3,
    },
}


@dataclass(frozen=True)
class Dropped:
    """A file as it was put into an inbox; `path` is relative to the inbox."""

    path: Path
    sha256: str


class Running:
    """A started process and everything it starts."""

    def __init__(self, process: subprocess.Popen[bytes], errors: Path) -> None:
        """Take a process that leads its own session; `errors` is its standard error."""
        self.process = process
        self.errors = errors

    @property
    def is_alive(self) -> bool:
        """Whether the main process runs."""
        return self.process.poll() is None

    def descendants(self) -> list[int]:
        """Return the process ids of all children, their children and so on."""
        return list(_descendants(self.process.pid))

    def kill9(self) -> None:
        """Kill the main process only, as the kernel would; what it started must die with it."""
        started = self.descendants()
        self.process.kill()
        self.process.wait(PATIENCE)
        wait_until(lambda: not any(map(lives, started)), "orphans of a killed process")

    def stop(self) -> int:
        """Ask the process to end and return its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def pause(self) -> None:
        """Stop the main process and its children in the middle of whatever they do."""
        for pid in (self.process.pid, *self.descendants()):
            _signal(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let everything go on as if no time had passed."""
        for pid in (*self.descendants(), self.process.pid):
            _signal(pid, signal.SIGCONT)

    def end(self) -> None:
        """Make sure nothing of it is left."""
        started = self.descendants()
        if self.is_alive:
            self.process.kill()
            self.process.wait(PATIENCE)
        for pid in started:
            _signal(pid, signal.SIGKILL)


class Installation:
    """A data folder with its configuration, and the processes a test starts on it."""

    def __init__(
        self,
        folder: Path,
        *,
        ledger_url: str | None = None,
        redis_url: str | None = None,
        sections: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        """Write the configuration; nothing is started."""
        self.folder = folder
        self.data = folder / "data"
        self.inbox = self.data / "inbox"
        self.outbox = self.data / "outbox"
        self.config = folder / "config.toml"
        self.machines = [self.data]
        self.dropped: list[Dropped] = []
        self.running: list[Running] = []
        self._ledger_url = ledger_url
        self._ledger: Ledger | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.inbox.mkdir(parents=True, mode=0o770)
        addresses = {"ledger_url": ledger_url, "redis_url": redis_url}
        write_config(self.config, QUICK, sections or {}, addresses)

    # --- processes ---------------------------------------------------------------------

    def start(
        self,
        *arguments: str,
        machine: str = "data",
        doomed: Sequence[str] = (),
    ) -> Running:
        """Start `scanstrasse ARGUMENTS` (by default `run --json`) in its own session.

        Args:
            arguments: The command.
            machine: Name of its data folder; another one than `data` is another machine.
            doomed: Run it under `tests.plugins.crashing`, which takes these words.
        """
        module = "tests.plugins.crashing" if doomed else "ingest"
        data = self.folder / machine
        if data not in self.machines:
            self.machines.append(data)
        command = self._command(data, *(arguments or ("run", "--json")))
        number = len(self.running)
        errors = self.folder / f"{number}.err"
        with (self.folder / f"{number}.out").open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *doomed, *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=clean_environment(),
                cwd=ROOT,
                start_new_session=True,
            )
        self.running.append(Running(process, errors))
        return self.running[-1]

    def call(self, *arguments: str, entered: str = "") -> subprocess.CompletedProcess[str]:
        """Give a command in the test's own process; its exit code is the caller's to judge."""
        return commanded(self._command(self.data, *arguments), entered=entered)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "ingest", *self._command(self.data, *arguments)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=clean_environment(),
            cwd=ROOT,
            check=False,
        )

    def json_lines(self, *arguments: str) -> list[dict[str, Any]]:
        """Run a command with `--json` and return its objects; any output besides is an error."""
        finished = self.call(*arguments, "--json")
        return [json.loads(line) for line in finished.stdout.splitlines()]

    def list_json(self) -> list[dict[str, Any]]:
        """Return what `list --json` says."""
        return self.json_lines("list")

    def end(self) -> None:
        """Kill whatever still runs and close the ledger."""
        for running in self.running:
            running.end()
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def _command(self, data: Path, *arguments: str) -> list[str]:
        return ["--data", str(data), "--config", str(self.config), *arguments]

    # --- the inbox ---------------------------------------------------------------------

    def drop(self, name: str, content: bytes) -> Dropped:
        """Put a file into the inbox as a careful scanner does: written aside, then renamed."""
        target = self.inbox / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o770)
        aside = self.inbox.with_name("being-written.tmp")
        aside.write_bytes(content)
        aside.rename(target)
        return self._note(name, content)

    def link(self, name: str, target: Path) -> Dropped:
        """Put a symbolic link into the inbox; its bytes are nobody's."""
        (self.inbox / name).symlink_to(target)
        return Dropped(Path(name), "")

    def drop_control(self, name: str, values: Mapping[str, object]) -> None:
        """Put a manifest into the inbox; it says something and is no letter."""
        target = self.inbox / name
        aside = self.inbox.with_name("being-written.tmp")
        aside.write_text(json.dumps(values), "utf-8")
        aside.rename(target)

    def drop_slowly(self, name: str, content: bytes, pieces: int, pause: float) -> Dropped:
        """Put a file into the inbox as a careless scanner does: piece by piece, in place."""
        step = -(-len(content) // pieces)
        with (self.inbox / name).open("wb", buffering=0) as target:
            for start in range(0, len(content), step):
                target.write(content[start : start + step])
                time.sleep(pause)
        return self._note(name, content)

    def _note(self, name: str, content: bytes) -> Dropped:
        self.dropped.append(Dropped(Path(name), hashlib.sha256(content).hexdigest()))
        return self.dropped[-1]

    def inbox_files(self) -> list[Path]:
        """Return everything in the inbox that is not a folder, claimed files included."""
        # unlike `rglob`, `walk` does not mind folders that vanish meanwhile
        return [Path(folder, name) for folder, _, names in os.walk(self.inbox) for name in names]

    # --- waiting -----------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """Return the ledger's rows as they are now, without starting a process.

        Raises:
            LedgerUnavailable: The database does not answer.
        """
        if self._ledger is None:
            url = self._ledger_url or f"sqlite:///{self.data / 'ledger.sqlite'}"
            self._ledger = open_ledger(url)
        with self._ledger.reading() as connection:
            return list(rows(connection))

    def wait_for(
        self,
        what: Callable[[list[dict[str, Any]]], bool],
        name: str,
        seconds: float = PATIENCE,
    ) -> list[dict[str, Any]]:
        """Wait until `what` holds for the rows and return them."""
        seen: list[dict[str, Any]] = []

        def holds() -> bool:
            nonlocal seen
            with contextlib.suppress(LedgerUnavailable):
                seen = self.rows()
                return what(seen)
            return False

        try:
            wait_until(holds, name, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.picture(seen)}") from None
        return seen

    def wait_settled(
        self, seconds: float = PATIENCE, *, remaining: Sequence[Dropped] = ()
    ) -> list[dict[str, Any]]:
        """Wait until every dropped file has come to an end or to a person.

        Args:
            seconds: Patience.
            remaining: What is rightly left in the inbox; nothing else may be.
        """
        left = {self.inbox / file.path for file in remaining}
        # A link lies there as well and was never dropped: it must not stand for a file to come.
        taken = sum(self.inbox / file.path not in left for file in self.dropped)

        def is_settled(rows: list[dict[str, Any]]) -> bool:
            moving = [row for row in rows if row["message_type"] != "unaccepted"]
            received = sum(len(r["sources"]) for r in moving if r["message_type"] == "batch")
            return (
                all(row["standing"] in SETTLED for row in moving)
                and set(self.inbox_files()) == left
                and received >= taken
            )

        return self.wait_for(is_settled, "everything settled", seconds)

    def picture(self, rows: Sequence[Mapping[str, Any]]) -> str:
        """Describe the state for a failed assertion: rows, inbox and the last log lines."""
        lines = [
            f"{row['message_type']:10} {row.get('source_name')} {row.get('stage')}/"
            f"{row.get('standing')} {row.get('reason') or ''}"
            for row in rows
        ]
        lines += [f"inbox: {path.relative_to(self.inbox)}" for path in self.inbox_files()]
        for running in self.running:
            tail = running.errors.read_text("utf-8", "replace").splitlines()[-8:]
            lines += [f"{running.errors.name} ({running.process.poll()}): {line}" for line in tail]
        return "\n".join(lines)

    def log_lines(self) -> list[dict[str, Any]]:
        """Return the log lines of all processes so far."""
        return [
            json.loads(line)
            for running in self.running
            for line in running.errors.read_text("utf-8", "replace").splitlines()
            if line.startswith("{") and line.endswith("}")
        ]


def crash_at(installation: Installation, point: str, number: int = 1) -> None:
    """Run until `point`, where the process dies."""
    doomed = installation.start("run", "--json", doomed=("kill", point, str(number)))
    try:
        wait_until(lambda: not doomed.is_alive, f"the crash at {point}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{installation.picture(installation.rows())}") from None
    assert doomed.process.returncode == -signal.SIGKILL, installation.picture([])


def write_config(
    path: Path,
    *layers: Mapping[str, Mapping[str, object]] | Mapping[str, str | None],
) -> None:
    """Write a TOML file of plain values and one level of sections; later layers win."""
    plain: dict[str, object] = {}
    sections: dict[str, dict[str, object]] = {}
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, Mapping):
                sections.setdefault(key, {}).update(value)
            elif value is not None:
                plain[key] = value
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for name, values in sections.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def wait_until(holds: Callable[[], bool], name: str, seconds: float = PATIENCE) -> None:
    """Poll until `holds`; a missed deadline fails the test, it is no measurement."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {name}")
        time.sleep(0.1)


def lives(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def _descendants(pid: int) -> Iterator[int]:
    children: list[str] = []
    with contextlib.suppress(OSError):  # whoever is looked at may end meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += (task / "children").read_text("ascii").split()
    for child in map(int, children):
        yield child
        yield from _descendants(child)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def copy_of(path: Path, target: Path) -> Path:
    """Copy a file into a test's folder and return the copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    return target
