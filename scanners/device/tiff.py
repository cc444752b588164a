"""Raw samples of a driver in the plainest TIFF around them (TIFF 6.0).

The samples stay as the device gave them, one strip, no compression; what is written around them
is size, depth and resolution, so that the file says by itself what it is.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

_SHORT, _LONG, _RATIONAL = 3, 4, 5
_HEADER: Final = 8
_ENTRY: Final = 12
_BLACK_IS_ONE, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_PAIR: Final = 2


def header(
    *, width: int, height: int, depth: int, channels: int, dpi: int, black_is_one: bool = True
) -> bytes:
    """Return all of a TIFF but its samples, which follow at once.

    Args:
        width: pixels.
        height: pixels.
        depth: Bits a sample: 1, 8 or 16, these in the byte order of this machine.
        channels: 1 or 3.
        dpi: Both axes.
        black_is_one: Of bitonal samples; grey ones always grow lighter.
    """
    row = (width * depth * channels + 7) // 8
    inverted = depth == 1 and black_is_one
    photometric = _RGB if channels > 1 else (_BLACK_IS_ONE if inverted else _BLACK_IS_ZERO)
    tags = [256, 257, 258, 259, 262, 273, 277, 278, 279, 282, 283, 284, 296]
    directory_end = _HEADER + 2 + _ENTRY * len(tags) + 4
    bits_at, dpi_at = directory_end, directory_end + 8
    samples_at = dpi_at + 8
    bits = (depth, 1) if channels == 1 else (bits_at, channels)
    values = {
        256: (_LONG, 1, width),
        257: (_LONG, 1, height),
        258: (_SHORT, bits[1], bits[0]),
        259: (_SHORT, 1, 1),
        262: (_SHORT, 1, photometric),
        273: (_LONG, 1, samples_at),
        277: (_SHORT, 1, channels),
        278: (_LONG, 1, height),
        279: (_LONG, 1, row * height),
        282: (_RATIONAL, 1, dpi_at),
        283: (_RATIONAL, 1, dpi_at),
        284: (_SHORT, 1, 1),
        296: (_SHORT, 1, _PAIR),
    }
    order, mark = ("<", b"II") if sys.byteorder == "little" else (">", b"MM")
    written = struct.pack(f"{order}2sHIH", mark, 42, _HEADER, len(tags))
    for tag in tags:
        kind, count, value = values[tag]
        if kind == _SHORT and count == 1:
            written += struct.pack(f"{order}HHIHH", tag, kind, count, value, 0)
        else:
            written += struct.pack(f"{order}HHII", tag, kind, count, value)
    written += struct.pack(f"{order}I", 0)
    written += struct.pack(f"{order}4H", *(depth,) * 3, 0)
    written += struct.pack(f"{order}II", dpi, 1)
    return written


class Shape(NamedTuple):
    """What a TIFF of one uncompressed strip says of itself, and how much of it there is.

    Attributes:
        samples: bytes that size and depth need.
        there: bytes from the strip's begin to the end of the file.
    """

    width: int
    height: int
    depth: int
    channels: int
    samples: int
    there: int

    @property
    def is_whole(self) -> bool:
        """Whether it has samples, and all of them."""
        return 0 < self.samples <= self.there


def shape_of(path: Path) -> Shape:
    """Read the directory of a TIFF of one uncompressed strip.

    Raises:
        ValueError: It is none, or cut off within the directory.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_HEADER)
        order = {b"II": "<", b"MM": ">"}.get(start[:2])
        if order is None or len(start) < _HEADER:
            message = "no TIFF"
            raise ValueError(message)
        try:
            values = _directory(file, order, *struct.unpack(f"{order}I", start[4:]))
            if values[259] != 1:
                message = "compressed"
                raise ValueError(message)
            depth, channels = values[258], values.get(277, 1)
            row = (values[256] * depth * channels + 7) // 8
            width, height, begin = values[256], values[257], values[273]
        except (KeyError, struct.error) as error:
            message = f"directory cut off: {error}"
            raise ValueError(message) from error
        there = file.seek(0, 2) - begin
    return Shape(width, height, depth, channels, row * height, there)


def _directory(file: BinaryIO, order: str, begin: int) -> dict[int, int]:
    """Return the first value of each tag that is a whole number."""
    file.seek(begin)
    (count,) = struct.unpack(f"{order}H", file.read(2))
    entries = [struct.unpack(f"{order}HHI4s", file.read(_ENTRY)) for _ in range(count)]
    values = {}
    for tag, kind, many, raw in entries:
        form = {_SHORT: "H", _LONG: "I"}.get(kind)
        if form is None:
            continue
        size = struct.calcsize(form)
        value = raw[:size]
        if size * many > len(raw):
            file.seek(struct.unpack(f"{order}I", raw)[0])
            value = file.read(size)
        values[tag] = struct.unpack(f"{order}{form}", value)[0]
    return values
