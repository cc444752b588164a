"""Run the command line until a chosen moment, then die as in a power cut, or freeze.

    python -m tests.plugins.crashing kill|stop POINT COUNT [--data … --config …] COMMAND …

POINT is `ACT:before`, `ACT:after` or `ACT:during`; at the COUNT-th such moment the process
sends itself SIGKILL or SIGSTOP. Acts are calls of the production objects in the parent process:
`claimed` (a file moves out of the inbox's sight), `put` (the store), `accept`, `claim`,
`record:STEP` (the ledger), `perform:STEP` (a child at work), `removal` (a source is deleted),
`landing` (a piece of a page from a station is written), `append` (the house takes such a page),
and `publish:CALL` (a system call of the folder target, inside the child that delivers; it takes
its parent with it).
"""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

_SOON = 0.15  #: seconds into a step that count as "during"


#: Acts that are every call of one method.
_CALLS = {
    "claimed": ("scanners.folder.claiming", "Claims", "claim"),
    "put": ("ingest.store", "FolderStore", "put"),
    "landing": ("scanners.upload.landing", "Landed", "take"),
    "append": ("scanners.direct", "DirectHouse", "append"),
}

_ENDINGS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class Moment:
    """The chosen moment and what happens at it."""

    def __init__(self, ending: str, when: str, wanted: int, *, with_parent: bool = False) -> None:
        """Take `kill` or `stop`; `before`, `after` or `during`; and the number of the call."""
        self._ending = _ENDINGS[ending]
        self._victims = [os.getppid()] if with_parent else []
        self.when = when
        self._wanted = wanted
        self._calls = count(1)
        self._lock = threading.Lock()

    def wrap(
        self, owner: Any, name: str, chosen: Callable[..., bool], *, only_results: bool = False
    ) -> None:
        """Replace `owner.name` by a function that meets its end at the moment, if `chosen` says so.

        With `only_results` a call that returns None does not count.
        """
        original = getattr(owner, name)

        @functools.wraps(original)
        def wrapped(*arguments: Any, **named: Any) -> Any:
            if not chosen(*arguments, **named):
                return original(*arguments, **named)
            if not only_results and not self._is_it():
                return original(*arguments, **named)
            if self.when == "before":
                self.happen()
            if self.when == "during":
                threading.Timer(_SOON, self.happen).start()
            result = original(*arguments, **named)
            if self.when == "after" and (
                not only_results or (result is not None and self._is_it())
            ):
                self.happen()
            return result

        setattr(owner, name, wrapped)

    def happen(self) -> None:
        """Leave no time for anything: no `finally`, no flush, no farewell."""
        if self._ending == signal.SIGSTOP:
            _freeze()
            return
        for pid in (*self._victims, os.getpid()):
            os.kill(pid, self._ending)

    def _is_it(self) -> bool:
        with self._lock:
            return next(self._calls) == self._wanted


#: Holds the ledger's write lock itself while it stops the process it is told.
_FREEZING = """
import os, signal, sqlite3, sys
ledger, pid = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None), int(sys.argv[2])
ledger.execute("BEGIN IMMEDIATE")
os.kill(pid, signal.SIGSTOP)
while open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "T":
    os.sched_yield()
ledger.execute("ROLLBACK")
"""


def _freeze() -> None:
    """Stop this process while none of its threads writes into its SQLite ledger.

    A process stopped in the middle of a transaction keeps the file locked for everybody, which
    no lease can heal; what is tried here is a worker whose lease runs out.
    """
    ledger = Path(sys.argv[sys.argv.index("--data") + 1]) / "ledger.sqlite"
    subprocess.run([sys.executable, "-c", _FREEZING, ledger, str(os.getpid())], check=True)


def arm(ending: str, point: str, wanted: int) -> None:
    """Prepare the process to meet its end at `point`.

    Raises:
        SystemExit: There is no such point.
    """
    act, _, when = point.rpartition(":")
    act, _, step = act.partition(":")
    moment = Moment(ending, when, wanted)
    if act in {"accept", "claim", "record"}:
        _arm_ledger(moment, act, step)
    elif act in _CALLS:
        module, owner, name = _CALLS[act]
        moment.wrap(getattr(import_module(module), owner), name, _always)
    elif act == "perform":
        from workers.executor import Slot

        moment.wrap(Slot, "perform", lambda _slot, assignment, *_: assignment.step == step)
    elif act == "removal":
        _arm_removal(moment)
    elif act == "publish":
        _arm_children(ending, point, wanted)
    else:
        sys.exit(f"no such point: {point}")


def _arm_ledger(moment: Moment, act: str, step: str) -> None:
    from ingest.ledger import Ledger

    if act == "record":
        moment.wrap(Ledger, "record", lambda _ledger, claim, *_: claim.step == step)
    else:
        moment.wrap(Ledger, act, _always, only_results=act == "claim")


def _arm_removal(moment: Moment) -> None:
    def is_claimed(path: Any, *_: Any, **named: Any) -> bool:
        folder = named.get("dir_fd")
        place = "" if folder is None else Path(f"/proc/self/fd/{folder}").readlink()
        whole = f"{place}/{os.fsdecode(path)}"
        return ".claimed/" in whole and "/.owner" not in whole

    for name in ("unlink", "remove"):
        moment.wrap(os, name, is_claimed)


def _arm_children(ending: str, point: str, wanted: int) -> None:
    """Let every child be started through this module, armed for `point`."""
    import ingest.sandbox.child

    class Spawning:
        def __getattr__(self, name: str) -> Any:
            return getattr(subprocess, name)

        def Popen(self, command: list[str], **named: Any) -> Any:  # noqa: N802 - as it is called
            words = [__spec__.name, "inside", ending, point, str(wanted)]
            return subprocess.Popen([*command[:2], *words], **named)

    setattr(ingest.sandbox.child, "subprocess", Spawning())  # noqa: B010 - no such attribute for mypy


def _inside(ending: str, point: str, wanted: int) -> None:
    """Be a child that meets its end, with its parent, at a system call of the folder target."""
    from ingest.sandbox.inside import main as serve
    from workers.delivery.filesystem import FileSystem

    call, when = point.split(":")[1:]
    Moment(ending, when, wanted, with_parent=True).wrap(FileSystem, call, _always)
    serve()


def _always(*_: Any, **__: Any) -> bool:
    return True


def main() -> None:
    """Arm, then behave as the command line or a child does."""
    if sys.argv[1] == "inside":
        _inside(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        return
    ending, point, number, *rest = sys.argv[1:]
    arm(ending, point, int(number))
    sys.argv = ["scanstrasse", *rest]
    from ingest.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
