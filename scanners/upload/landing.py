"""Where a page lies between the network and the store.

The file has a name of ours on the disk of the data folder and is locked while its request lives.
So nothing that a station says names a file here, and what a crash left is told from what another
process is receiving. It is not synced: until the house took the page, the station has it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ingest.store.disk import Disk
from scanners.stack import HouseFull, Unavailable

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
#: Smaller pages fail at the write just as early.
_RESERVE_FROM: Final = 8 * 1024**2


class Landed:
    """A page being received; who began it discards it.

    Attributes:
        path: Of the file.
        size: Bytes so far.
    """

    def __init__(self, descriptor: int, path: Path, disk: Disk) -> None:
        """Take the open file."""
        self.path, self.size = path, 0
        self._descriptor, self._disk = descriptor, disk
        self._digest = hashlib.sha256()

    def reserve(self, size: int) -> None:
        """Claim the room for `size` bytes, where the disk can do that.

        Raises:
            HouseFull: There is none.
            Unavailable: The disk fails otherwise.
        """
        with outage():
            self._disk.reserve(self._descriptor, size)

    def take(self, piece: bytes) -> None:
        """Write more of it.

        Raises:
            HouseFull: There is no room.
            Unavailable: The disk fails otherwise.
        """
        with outage():
            self._disk.write(self._descriptor, piece)
        self._digest.update(piece)
        self.size += len(piece)

    @property
    def sha256(self) -> str:
        """Of what came so far."""
        return self._digest.hexdigest()

    def discard(self) -> None:
        """Remove the file; what cannot be removed now goes at the next start."""
        with contextlib.suppress(OSError):
            self._disk.remove(self.path)
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


class Landing:
    """The folder with pages that are being received."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        """Use `folder`, which lies on the disk of the data; `disk` is for faulty ones."""
        self._folder = folder.absolute()
        self._disk = disk or Disk()

    def prepare(self) -> None:
        """Make the folder and remove what a crash left in it.

        Raises:
            Unavailable: The disk does not let us.
        """
        with outage():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            left = sorted(self._folder.iterdir())
        for path in left:
            with outage(), contextlib.suppress(FileNotFoundError):
                self._disk.remove_abandoned(path)

    def begin(self, announced: int) -> Landed:
        """Return a new file for `announced` bytes.

        Raises:
            HouseFull: There is no room for so many; nothing is left.
            Unavailable: The disk fails otherwise; nothing is left.
        """
        with outage():
            landed = Landed(*self._disk.create(self._folder), self._disk)
        try:
            if announced >= _RESERVE_FROM:
                landed.reserve(announced)
        except BaseException:
            landed.discard()
            raise
        return landed


@contextmanager
def outage() -> Iterator[None]:
    """Turn a failure of our disk into what a station is told of it.

    Raises:
        HouseFull: There is no room.
        Unavailable: It fails otherwise.
    """
    try:
        yield
    except OSError as error:
        raise _outage(error) from error


def is_full(error: OSError) -> bool:
    """Tell whether there was no room."""
    return error.errno in _FULL


def house_full(message: str) -> HouseFull:
    """Return what a station is told where there is no room."""
    text = (
        "Auf dem Server ist kein Speicherplatz mehr. Die Seiten bleiben auf diesem Rechner "
        "gesichert und gehen von selbst weiter; bitte die Betreuung des Servers verständigen."
    )
    return HouseFull(message, operator_text=text)


def _outage(error: OSError) -> Unavailable:
    if is_full(error):
        return house_full(f"no room for an upload: {error}")
    text = (
        "Der Datenträger des Servers meldet einen Fehler. Die Seiten bleiben auf diesem Rechner "
        "gesichert und gehen von selbst weiter; bitte die Betreuung des Servers verständigen."
    )
    return Unavailable(f"the disk fails an upload: {error}", operator_text=text)
