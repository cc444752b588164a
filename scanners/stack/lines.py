"""A file of JSON objects, one a line, that only grows and survives any crash.

Each line is one write at the end of the file, synced. A crash may cut the last line; what has no
end was never acknowledged to anybody, so it does not count, and the next line takes its place.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from scanners.device import SpoolFull
from scanners.device.durable import FULL

_BINARY: Final[int] = getattr(os, "O_BINARY", 0)


class LinesDamaged(Exception):
    """A line that was whole cannot be read: the disk or somebody changed it."""


class Lines:
    """One such file. It has to exist; one process at a time appends, any number read."""

    def __init__(self, path: Path) -> None:
        """Read `path` from its beginning at the first `news`."""
        self.path = path
        self._end = 0

    def news(self) -> list[dict[str, Any]]:
        """Return the lines that came since the last call.

        Raises:
            LinesDamaged: A line is none of ours although others follow it.
            FileNotFoundError: The file is gone.
        """
        with self.path.open("rb") as file:
            if os.fstat(file.fileno()).st_size <= self._end:
                return []
            file.seek(self._end)
            whole = file.read().split(b"\n")[:-1]
        found = []
        for place, line in enumerate(whole):
            said = _read(line)
            if said is None:
                if place == len(whole) - 1:
                    break  # of a write that did not reach the disk as a whole
                message = f"{self.path.name}: line at byte {self._end} cannot be read"
                raise LinesDamaged(message)
            found.append(said)
            self._end += len(line) + 1
        return found

    def append(self, said: dict[str, Any], *, synced: bool = True) -> None:
        """Add a line, in place of one that a crash cut off; `news` must have been read to its end.

        Args:
            said: What the line says.
            synced: False for what may be lost with the machine's power.

        Raises:
            SpoolFull: There is no room; the file is as before.
            OSError: The disk failed otherwise; the file is as before, or ends in a cut line.
        """
        line = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | _BINARY)
        try:
            if os.fstat(descriptor).st_size > self._end:
                os.ftruncate(descriptor, self._end)
            if os.write(descriptor, line) < len(line):
                os.ftruncate(descriptor, self._end)
                message = f"no room for a line in {self.path.name}"
                raise SpoolFull(message)
            if synced:
                os.fsync(descriptor)
        except OSError as error:
            if error.errno in FULL:
                message = f"no room for a line in {self.path.name}: {error}"
                raise SpoolFull(message) from error
            raise
        finally:
            os.close(descriptor)


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
