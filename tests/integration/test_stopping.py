"""A long-running command ends on a signal, and visibly when one of its threads dies."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from ingest.cli.stopping import EXIT_BUG, stopping


def test_a_signal_ends_it_without_failure() -> None:
    with stopping() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
        assert stop.exit_code == 0


def test_a_thread_that_dies_ends_it_as_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        message = "nobody planned this"
        raise LookupError(message)

    with stopping() as stop:
        threading.Thread(target=work, name="sweep").start()
        assert stop.wait(5)
        assert stop.exit_code == EXIT_BUG
    said = "".join(capsys.readouterr())
    assert "thread_died" in said
    assert "sweep" in said


def test_afterwards_signals_and_threads_are_as_before() -> None:
    before = (signal.getsignal(signal.SIGTERM), threading.excepthook)
    with stopping():
        pass
    assert (signal.getsignal(signal.SIGTERM), threading.excepthook) == before
