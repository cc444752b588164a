"""A bounded folder of downloaded blobs, for stores that have no files of their own.

Child processes need paths. Several processes of one machine share the folder. Whoever uses
a blob holds a shared lock on it, which the kernel drops when the process dies; eviction
takes only what nobody has locked.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from ingest.errors import DigestMismatch
from ingest.store.address import verify_file

_TEMPORARY: Final = ".tmp"
#: Bytes of letters do not lie about on a worker for longer than this after their last use.
_KEPT: Final = dt.timedelta(days=1)
#: Marking every use would change the file's times and make every use hash it again.
_MARKED_EVERY: Final = dt.timedelta(hours=1)


class BlobCache:
    """Holds at most `limit` bytes besides what is being read this moment."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Keep downloads in `folder`, which is made at the first use."""
        self._folder = folder.absolute()
        self._limit = limit

    @contextmanager
    def use(self, tenant: str, sha256: str, fetch: Callable[[BinaryIO], None]) -> Iterator[Path]:
        """Yield a read-only file with the bytes, digest checked; `fetch` writes them if absent.

        Raises:
            OSError: No space for the download; nothing of it is left.
            DigestMismatch: What was downloaded is not what the digest says; it is not kept.
        """
        entry = self._folder / tenant / sha256
        descriptor = self._lock(entry)
        if descriptor is not None and not _intact(entry, tenant, sha256):
            # A power failure can leave a damaged copy here; the store has the good one.
            entry.unlink(missing_ok=True)
            os.close(descriptor)
            descriptor = None
        while descriptor is None:
            self._download(entry, fetch)
            descriptor = self._lock(entry)
        try:
            verify_file(entry, tenant, sha256)
            yield entry
        except DigestMismatch:
            entry.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    def forget(self, tenant: str, sha256: str) -> None:
        """Remove a blob from this machine, in use or not."""
        (self._folder / tenant / sha256).unlink(missing_ok=True)

    def _lock(self, entry: Path) -> int | None:
        """Return a descriptor that keeps `entry` from eviction, None if there is no entry."""
        try:
            descriptor = os.open(entry, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        status = os.fstat(descriptor)
        if status.st_nlink == 0:  # evicted between opening and locking
            os.close(descriptor)
            return None
        if time.time() - status.st_mtime > _MARKED_EVERY.total_seconds():
            os.utime(descriptor)
        return descriptor

    def _download(self, entry: Path, fetch: Callable[[BinaryIO], None]) -> None:
        temporary = self._folder / _TEMPORARY / uuid.uuid4().hex
        for folder in (entry.parent, temporary.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._trim()
        try:
            with temporary.open("xb") as target:
                fetch(target)
                os.fchmod(target.fileno(), 0o440)
            temporary.replace(entry)
        finally:
            temporary.unlink(missing_ok=True)

    def _trim(self) -> None:
        """Evict what was not used for long, then the oldest until the rest fits."""
        found = [(path, path.stat()) for path in self._folder.glob("*/*") if path.is_file()]
        found.sort(key=lambda item: item[1].st_mtime)
        total = sum(status.st_size for _, status in found)
        old = time.time() - _KEPT.total_seconds()
        for path, status in found:
            if (total > self._limit or status.st_mtime < old) and _evict(path):
                total -= status.st_size


def _intact(entry: Path, tenant: str, sha256: str) -> bool:
    try:
        verify_file(entry, tenant, sha256)
    except DigestMismatch:
        return False
    return True


def _evict(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
