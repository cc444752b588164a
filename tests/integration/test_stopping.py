"""A long-running command ends on a signal, and visibly when one of its threads dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

from structlog.testing import capture_logs

from ingest.cli.stopping import EXIT_BUG, stopping
from tests.plugins.installation import PATIENCE

#: The kernel gives the signal to the only thread that takes it, which is not the main thread.
_TOLD_ELSEWHERE = """
import os, signal, threading
from ingest.cli.stopping import stopping

def receive():
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.kill(os.getpid(), signal.SIGTERM)

with stopping() as stop:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Timer(0.3, receive).start()
    stop.wait()
print("ended")
"""


def test_a_signal_that_another_thread_receives_ends_the_wait() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _TOLD_ELSEWHERE],
        stdout=subprocess.PIPE,
        timeout=PATIENCE,
        check=True,
    )
    assert told.stdout == b"ended\n"


def test_a_signal_ends_it_without_failure() -> None:
    with stopping() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(PATIENCE)
        assert stop.exit_code == 0


def test_a_thread_that_dies_ends_it_as_a_bug() -> None:
    def work() -> None:
        message = "nobody planned this"
        raise LookupError(message)

    with capture_logs() as said, stopping() as stop:
        thread = threading.Thread(target=work, name="sweep")
        thread.start()
        assert stop.wait(PATIENCE)
        assert stop.exit_code == EXIT_BUG
        thread.join()
    assert [(entry["event"], entry["thread"]) for entry in said] == [("thread_died", "sweep")]


def test_afterwards_signals_and_threads_are_as_before() -> None:
    before = (signal.getsignal(signal.SIGTERM), threading.excepthook)
    with stopping():
        pass
    assert (signal.getsignal(signal.SIGTERM), threading.excepthook) == before
