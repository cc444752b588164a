"""A command of the station, run in a process that kills itself at a moment that is named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.plugins.station_desk import StationDesk

ROOT = Path(__file__).parents[2]
#: Runs a command and kills itself at a moment that the arguments name: at the n-th synced line
#: of a journal (before it, in its midst, after it), page file, or folder synced.
KILLED = """
import os, signal, sys
from scanners.device import Spool, durable, spool
from scanners.stack import journal, lines
from scanners.station.commands import main

what, number, moment, *arguments = sys.argv[1:]
left = int(number)


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def counted(true):
    def called(self, *given, **named):
        global left
        left -= 1
        if left == 0 and moment == "before":
            die()
        if left == 0 and moment == "midst":
            write = os.write
            os.write = lambda descriptor, line: (write(descriptor, line[:40]), die())
        found = true(self, *given, **named)
        if left == 0:
            die()
        return found

    return called


if what == "line":
    lines.Lines.append = counted(lines.Lines.append)
elif what == "page":
    Spool.keep = counted(Spool.keep)
elif what == "begin":
    journal.write_whole = counted(journal.write_whole)
elif what == "remove":
    journal.clear = counted(journal.clear)
sys.exit(main(arguments))
"""


def killed(desk: StationDesk, what: str, number: int, moment: str, *arguments: str) -> None:
    """Run a command; the process dies by SIGKILL at the n-th time that `what` is done."""
    command = [sys.executable, "-c", KILLED, what, str(number), moment]
    done = subprocess.run(
        [*command, "--home", str(desk.home), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
