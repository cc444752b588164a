"""Whoever only looks whether a lock is held keeps nobody from it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from scanners.stack.locking import Held, held, is_held


def test_a_lock_is_held_while_somebody_has_it_and_not_by_a_file_that_is_left(
    tmp_path: Path,
) -> None:
    lock = tmp_path / "lock"
    assert not is_held(lock)
    with held(lock):
        assert is_held(lock)
        with pytest.raises(Held), held(lock):
            pass
    lock.touch()  # its holder was killed
    assert not is_held(lock)
    assert lock.exists()


def test_whoever_takes_a_lock_while_somebody_looks_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, flock, refused = tmp_path / "lock", fcntl.flock, []
    lock.touch()
    looking = os.open(lock, os.O_RDONLY)
    flock(looking, fcntl.LOCK_SH)

    def until_it_is_refused(descriptor: int, wanted: int) -> None:
        try:
            flock(descriptor, wanted)
        except BlockingIOError:
            refused.append(wanted)
            flock(looking, fcntl.LOCK_UN)
            raise

    monkeypatch.setattr(fcntl, "flock", until_it_is_refused)
    with held(lock):
        assert is_held(lock)
    assert refused[0] == fcntl.LOCK_EX | fcntl.LOCK_NB
    os.close(looking)
