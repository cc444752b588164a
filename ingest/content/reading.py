"""Reading a foreign file piece by piece: bounded memory, never past its end, never a device.

Files are read, not mapped: a writer that truncates a mapped file kills the reader.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

_CHUNK: Final = 256 * 1024
#: What devices and file systems fill the rest of a block with.
PADDING: Final = b"\x00\t\n\x0c\r \x1a\xff"


class CutShort(Exception):
    """The structure needs bytes that the file does not have (yet)."""

    def __init__(self, needed: int, size: int) -> None:
        """Say where the structure wanted to read to, and where the file ends."""
        super().__init__(f"needs {needed} bytes, file has {size}")
        self.needed = needed
        self.size = size


class Reader:
    """Random access to a file whose size is taken once, at opening.

    Attributes:
        size: bytes.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        """Read from `stream`, believing that it has `size` bytes."""
        self._stream = stream
        self.size = size

    def at(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`.

        Raises:
            CutShort: They reach beyond the end.
        """
        if offset < 0 or length < 0 or offset + length > self.size:
            raise CutShort(offset + length, self.size)
        self._stream.seek(offset)
        content = self._stream.read(length)
        if len(content) != length:
            raise CutShort(offset + length, offset + len(content))
        return content

    def head(self, length: int) -> bytes:
        """Return the first `length` bytes, fewer if the file is shorter."""
        return self.at(0, min(length, self.size))

    def tail(self, length: int, end: int | None = None) -> bytes:
        """Return the last `length` bytes before `end`, fewer if there are fewer."""
        stop = self.size if end is None else min(end, self.size)
        start = max(0, stop - length)
        return self.at(start, stop - start)

    def chunks(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield `length` bytes from `offset` in pieces of bounded size.

        Raises:
            CutShort: They reach beyond the end.
        """
        while length > 0:
            piece = self.at(offset, min(length, _CHUNK))
            yield piece
            offset += len(piece)
            length -= len(piece)

    def find(self, pattern: re.Pattern[bytes], offset: int, overlap: int = 1) -> int | None:
        """Return where `pattern` first matches at or after `offset`, None if nowhere.

        Args:
            pattern: What to look for; it must not match more than `overlap` + 1 bytes.
            offset: Where to begin.
            overlap: Bytes read again at each piece's border.
        """
        while offset < self.size:
            piece = self.at(offset, min(_CHUNK, self.size - offset))
            if (match := pattern.search(piece)) is not None:
                return offset + match.start()
            if offset + len(piece) >= self.size:
                return None
            offset += len(piece) - overlap
        return None

    def content_end(self, limit: int = 1 << 20) -> int:
        """Return the offset after the last byte that is not padding, looking back `limit`."""
        end = self.size
        while end > 0 and self.size - end < limit:
            piece = self.tail(4096, end)
            kept = len(piece.rstrip(PADDING))
            if kept:
                return end - len(piece) + kept
            end -= len(piece)
        return end


@contextmanager
def opened(path: Path) -> Iterator[Reader]:
    """Open a regular file for piecewise reading.

    Raises:
        OSError: It is gone, out of reach, or no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb", buffering=64 * 1024) as stream:  # noqa: PTH123 - a descriptor
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            message = f"{path} is not a regular file"
            raise OSError(message)
        yield Reader(stream, status.st_size)
