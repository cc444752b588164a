"""Bytes that are on disk for good: synced, under their name, and the name synced too."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Final

#: A disk without room says one of these.
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_UNFINISHED: Final = ".part"


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; Windows syncs them with the files."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there wholly or not at all, for its owner only.

    Raises:
        OSError: It could not be written; what was there before is still there.
    """
    writer = f".{os.getpid()}-{threading.get_ident()}"
    unfinished = path.with_name(path.name + writer + _UNFINISHED)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())
    unfinished.replace(path)
    sync_folder(path.parent)
