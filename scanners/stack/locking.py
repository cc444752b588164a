"""Locks between the processes of one computer, which end with their holder, even by kill -9."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Held(Exception):
    """Somebody else has the lock; nothing changed."""


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Have the lock of the name `path` for the block; its file is removed at the end.

    Raises:
        Held: Another process, or another thread of this one, has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _acquired(path)
    try:
        yield
    finally:
        # While we hold it, nobody can begin to hold a file of this name; on Windows an open file
        # cannot be removed, and one that somebody opened meanwhile stays.
        if os.name != "nt":
            path.unlink(missing_ok=True)
        os.close(descriptor)
        if os.name == "nt":
            with contextlib.suppress(OSError):
                path.unlink()


def is_held(path: Path) -> bool:
    """Tell whether somebody has the lock of the name `path` now; nobody is kept from taking it.

    Where the system has no shared locks (Windows), a file that a killed holder left counts too.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except PermissionError:  # Windows, of a file that its holder is just removing
        return True
    try:
        return not _is_shared(descriptor)
    finally:
        os.close(descriptor)


def _acquired(path: Path) -> int:
    """Return a descriptor that holds the lock of the file that has this name now."""
    while True:
        descriptor: int | None = None
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            _lock(descriptor)
            if _still(descriptor, path):
                return descriptor
            os.close(descriptor)
        except BaseException as error:
            if descriptor is not None:
                os.close(descriptor)
            # Windows says so too of a file that its holder is just removing.
            if isinstance(error, BlockingIOError | PermissionError):
                message = f"{path.name} is held"
                raise Held(message) from error
            raise


def _still(descriptor: int, path: Path) -> bool:
    """Tell whether the file has its name: whoever held it before may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _lock(descriptor: int) -> None:
    """Lock at once or raise `OSError`; the operating system ends it with the process."""
    try:
        windows: Any = importlib.import_module("msvcrt")
    except ImportError:
        posix: Any = importlib.import_module("fcntl")
        while not _is_exclusive(posix, descriptor):
            # Somebody only looks, see `is_held`; whoever holds it refuses this too.
            posix.flock(descriptor, posix.LOCK_SH | posix.LOCK_NB)
    else:
        try:
            windows.locking(descriptor, windows.LK_NBLCK, 1)
        except OSError as error:  # the reason is not told everywhere, and there is no other one
            raise BlockingIOError(str(error)) from error


def _is_exclusive(posix: Any, descriptor: int) -> bool:
    try:
        posix.flock(descriptor, posix.LOCK_EX | posix.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_shared(descriptor: int) -> bool:
    try:
        posix: Any = importlib.import_module("fcntl")
        posix.flock(descriptor, posix.LOCK_SH | posix.LOCK_NB)
    except (ImportError, BlockingIOError):
        return False
    return True
