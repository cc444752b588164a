"""A long-running command ends on a signal, and visibly when one of its threads dies."""

from __future__ import annotations

import os
import signal
import threading

from structlog.testing import capture_logs

from ingest.cli.stopping import EXIT_BUG, stopping


def test_a_signal_ends_it_without_failure() -> None:
    with stopping() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
        assert stop.exit_code == 0


def test_a_thread_that_dies_ends_it_as_a_bug() -> None:
    def work() -> None:
        message = "nobody planned this"
        raise LookupError(message)

    with capture_logs() as said, stopping() as stop:
        thread = threading.Thread(target=work, name="sweep")
        thread.start()
        assert stop.wait(5)
        assert stop.exit_code == EXIT_BUG
        thread.join()
    assert [(entry["event"], entry["thread"]) for entry in said] == [("thread_died", "sweep")]


def test_afterwards_signals_and_threads_are_as_before() -> None:
    before = (signal.getsignal(signal.SIGTERM), threading.excepthook)
    with stopping():
        pass
    assert (signal.getsignal(signal.SIGTERM), threading.excepthook) == before
