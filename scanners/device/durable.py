"""Bytes that are on disk for good: synced, under their name, and the name synced too."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scanners.device.faults import SpoolFull

#: A disk without room says one of these.
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_UNFINISHED: Final = ".part"
#: Windows replaces no file that somebody has open, be it one who reads or a virus scanner.
_TRIES_IN_USE: Final = 50 if os.name == "nt" else 0
_SECONDS_IN_USE: Final = 0.1


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; Windows syncs them with the files."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def room_wanted(what: str) -> Iterator[None]:
    """Tell a full disk from one that fails, in a block that writes.

    Raises:
        SpoolFull: There is no room for `what`, which is said to the log.
        OSError: The disk failed otherwise.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            message = f"no room for {what}: {error}"
            raise SpoolFull(message) from error
        raise


def put(unfinished: Path, path: Path) -> None:
    """Give a written file its name, waiting some seconds for whoever has that file open.

    Raises:
        OSError: It stays unfinished; what was there before is still there.
    """
    for _ in range(_TRIES_IN_USE):
        with contextlib.suppress(PermissionError):
            unfinished.replace(path)
            return
        time.sleep(_SECONDS_IN_USE)
    unfinished.replace(path)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there wholly or not at all, for its owner only.

    Raises:
        SpoolFull: There is no room; what was there before is still there, and nothing else.
        OSError: The disk failed otherwise; what was there before is still there.
    """
    writer = f".{os.getpid()}-{threading.get_ident()}"
    unfinished = path.with_name(path.name + writer + _UNFINISHED)
    with room_wanted(path.name):
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as target:
                target.write(content)
                target.flush()
                os.fsync(target.fileno())
            put(unfinished, path)
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
