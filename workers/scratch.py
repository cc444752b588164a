"""Scratch folders for attempts: gone with the attempt, and with a killed process soon after.

What lies there are pieces of letters. Each executor has one folder below the spool and
holds a lock on it for life; a folder whose lock is free belongs to nobody any more, and
whoever sweeps next removes it. A lock, unlike a process number, means the same in every
container that shares the spool.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final

_LOCK: Final = ".lock"
#: With less room than this no attempt begins, and one that failed was not at fault itself:
#: libraries report a full disk as anything, some only write a poorer result.
ROOM_BYTES: Final = 64 * 1024**2


class Scratch:
    """The scratch folders of one executor; safe to use from several threads."""

    def __init__(self, spool: Path) -> None:
        """Use `spool`; nothing is made before the first folder is asked for."""
        self._spool = spool
        self._guard = threading.Lock()
        self._own: tuple[Path, int] | None = None

    def folder(self) -> Path:
        """Return a new empty folder.

        Raises:
            OSError: There is no space, or the spool is out of reach; nothing is left behind.
        """
        with self._guard:
            if self._own is None:
                self._own = self._occupy()
            own, _ = self._own
        if not self.has_room():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._spool))
        own.mkdir(mode=0o700, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=own))

    def has_room(self) -> bool:
        """Tell whether an attempt has the room it needs at least."""
        try:
            return shutil.disk_usage(self._spool).free >= ROOM_BYTES
        except FileNotFoundError:
            return True

    def clear_abandoned(self) -> int:
        """Remove what executors left that are gone; return how many."""
        if not self._spool.is_dir():
            return 0
        names = {path.name.removesuffix(_LOCK) for path in self._spool.iterdir()}
        if self._own is not None:
            names.discard(self._own[0].name)
        return sum(map(self._clear, sorted(names)))

    def close(self) -> None:
        """Remove the own folder and let go of it."""
        with self._guard:
            own, self._own = self._own, None
        if own is not None:
            folder, descriptor = own
            self._remove(folder)
            os.close(descriptor)

    def _occupy(self) -> tuple[Path, int]:
        """Lock a new name, before there is a folder that a sweep could take for abandoned."""
        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            folder = self._spool / uuid.uuid4().hex
            lock = _lock_of(folder)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_same(lock, descriptor):
                return folder, descriptor
            os.close(descriptor)  # a sweep was quicker between the two calls

    def _clear(self, name: str) -> bool:
        folder = self._spool / name
        try:
            descriptor = os.open(_lock_of(folder), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return self._remove(folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return self._remove(folder)
        finally:
            os.close(descriptor)

    def _remove(self, folder: Path) -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            _lock_of(folder).unlink()
        return True


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + _LOCK)


def _is_same(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
