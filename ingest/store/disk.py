"""The system calls of the folder store, one method each.

They stand in a class of their own so that a test can hand in a disk that is full or broken
at exactly one of them; `FolderStore` knows no other way to the file system.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final

_FOLDER_MODE: Final = 0o750
_FILE_MODE: Final = 0o440
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF})
#: No upload is silent for so long; its writer is dead.
_DEAD_SECONDS: Final = 24 * 3600.0
_NO_RESERVATION: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENODEV})


class Disk:
    """A POSIX file system. Every method may raise OSError."""

    def make_folder(self, path: Path) -> None:
        """Make a folder unless it exists."""
        path.mkdir(mode=_FOLDER_MODE, exist_ok=True)

    def create(self, folder: Path) -> tuple[int, Path]:
        """Create a new file and return its descriptor and path.

        The file is locked for as long as the descriptor is open, so `remove_abandoned` leaves
        it alone as long as its writer lives.
        """
        while True:
            path = folder / uuid.uuid4().hex
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)  # taken for abandoned before it could be locked
            except OSError as error:
                if error.errno in _NO_LOCKS:
                    return descriptor, path
                os.close(descriptor)
                path.unlink()
                raise
            else:
                if os.fstat(descriptor).st_nlink:
                    return descriptor, path
                os.close(descriptor)

    def remove_abandoned(self, path: Path) -> None:
        """Remove a file that `create` made, if its writer is dead.

        Where files cannot be locked, only age tells.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            if time.time() - os.fstat(descriptor).st_mtime > _DEAD_SECONDS:
                path.unlink()
        finally:
            os.close(descriptor)

    def reserve(self, descriptor: int, size: int) -> None:
        """Claim the space for `size` bytes, where the file system can do that."""
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno not in _NO_RESERVATION:
                raise

    def write(self, descriptor: int, block: bytes) -> None:
        """Write all of `block`."""
        view = memoryview(block)
        while view:
            view = view[os.write(descriptor, view) :]

    def seal(self, descriptor: int, size: int) -> None:
        """Cut the file to the `size` written and make it read-only.

        Raises:
            OSError: The file is shorter than what was written.
        """
        found = os.fstat(descriptor).st_size
        if found < size:
            raise OSError(errno.EIO, f"{size} bytes written, {found} in the file")
        if found > size:
            os.ftruncate(descriptor, size)
        os.fchmod(descriptor, _FILE_MODE)

    def sync(self, descriptor: int) -> None:
        """Return when content and attributes are on stable storage."""
        os.fsync(descriptor)

    def sync_folder(self, path: Path) -> None:
        """Return when the names in a folder are on stable storage."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def link(self, existing: Path, name: Path) -> None:
        """Give a file a second name; never replaces anything.

        Raises:
            FileExistsError: The name is taken.
        """
        os.link(existing, name, follow_symlinks=False)

    def refresh(self, descriptor: int) -> None:
        """Set the times of a file to now, which keeps the sweep away from it."""
        os.utime(descriptor)

    def remove(self, path: Path) -> None:
        """Remove a name."""
        path.unlink()

    def lock(self, path: Path) -> AbstractContextManager[None]:
        """Hold the lock named by a file, across processes and machines of one file system."""
        return _locked(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        # Closing releases the lock; an error on closing an empty file loses nothing.
        with suppress(OSError):
            os.close(descriptor)
