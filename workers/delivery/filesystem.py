"""The system calls of the folder target, one method each.

They stand in a class of their own so that a test can stop the world before any one of them,
or hand in a disk that is full; `publication` knows no other way to the file system.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class FileSystem:
    """A POSIX file system. Every method may raise OSError."""

    def make_folder(self, path: Path) -> None:
        """Make a folder and its parents unless they exist."""
        path.mkdir(parents=True, exist_ok=True)

    def exists(self, path: Path) -> bool:
        """Tell whether a name exists, links included."""
        return os.path.lexists(path)

    def is_real_folder(self, path: Path) -> bool:
        """Tell whether `path` is a folder and no link to one."""
        return path.is_dir() and not path.is_symlink()

    def names(self, path: Path) -> list[str]:
        """Return the names in a folder."""
        return [entry.name for entry in path.iterdir()]

    def create(self, path: Path) -> int:
        """Create or empty a file, never following a link, and return its descriptor."""
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(path, flags, 0o666)

    def write(self, descriptor: int, block: bytes) -> None:
        """Write all of `block`."""
        view = memoryview(block)
        while view:
            view = view[os.write(descriptor, view) :]

    def sync(self, descriptor: int) -> None:
        """Return when the content is on stable storage."""
        os.fsync(descriptor)

    def read(self, descriptor: int, offset: int, size: int) -> bytes:
        """Read back what was written."""
        return os.pread(descriptor, size, offset)

    def read_whole(self, path: Path) -> bytes:
        """Return a small file."""
        return path.read_bytes()

    def close(self, descriptor: int) -> None:
        """Let go of a descriptor; a lock on it ends."""
        os.close(descriptor)

    def rename(self, existing: Path, name: Path) -> None:
        """Give a file another name at once, replacing what had it."""
        os.rename(existing, name)  # noqa: PTH104 - one system call, as the class promises

    def sync_folder(self, path: Path) -> None:
        """Return when the names in a folder are on stable storage."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove a name if it exists."""
        path.unlink(missing_ok=True)

    def remove_folder(self, path: Path) -> None:
        """Remove an empty folder."""
        path.rmdir()

    def try_lock(self, path: Path) -> int | None:
        """Return a descriptor that holds the lock of a file, None if somebody else has it."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor
