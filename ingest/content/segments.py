"""Structural completeness of raster files: do their segments reach to the end mark?

Each check raises `CutShort` where the file ends inside its structure and returns where it
is whole. None decodes pixels, and each visits every byte at most once.
"""

# ruff: noqa: PLR2004 - offsets and marks are those of the file formats
from __future__ import annotations

import re
from typing import Final

from ingest.content import tiff
from ingest.content.reading import CutShort, Reader

#: A marker inside entropy-coded data: not stuffing, not a restart, not fill.
_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.DOTALL)
_CHUNK_LIMIT: Final = 200_000
_SOS, _EOI = 0xDA, 0xD9
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})


def check_jpeg(reader: Reader) -> None:
    """Walk the segments to the end-of-image mark; what follows it does not matter."""
    offset = 2
    for _ in range(_CHUNK_LIMIT):
        prefix, marker = reader.at(offset, 2)
        if prefix != 0xFF:  # stray bytes between segments: go on at the next mark
            offset = _next_marker(reader, offset)
            continue
        if marker == _EOI:
            return
        if marker == 0xFF:
            offset += 1
        elif marker in _STANDALONE:
            offset += 2
        else:
            length = int.from_bytes(reader.at(offset + 2, 2), "big")
            if offset + 2 + length > reader.size and _ends_with_eoi(reader):
                return  # a wrong length in a file that did end
            offset += 2 + length
            if marker == _SOS:
                offset = _next_marker(reader, offset)
    raise CutShort(reader.size + 1, reader.size)


def _next_marker(reader: Reader, offset: int) -> int:
    found = reader.find(_MARKER, offset)
    if found is None:
        raise CutShort(reader.size + 2, reader.size)
    return found


def _ends_with_eoi(reader: Reader) -> bool:
    return reader.tail(2, reader.content_end()) == b"\xff\xd9"


def check_png(reader: Reader) -> None:
    """Walk the chunks to IEND."""
    offset = 8
    for _ in range(_CHUNK_LIMIT):
        head = reader.at(offset, 8)
        offset += 12 + int.from_bytes(head[:4], "big")
        if offset > reader.size:
            raise CutShort(offset, reader.size)
        if head[4:] == b"IEND":
            return
        if not head[4:].isalpha():
            raise CutShort(reader.size + 12, reader.size)
    raise CutShort(reader.size + 12, reader.size)


def check_gif(reader: Reader) -> None:
    """Walk blocks and sub-blocks to the trailer."""
    flags = reader.at(10, 1)[0]
    offset = 13 + _colours(flags)
    for _ in range(_CHUNK_LIMIT):
        introducer = reader.at(offset, 1)[0]
        if introducer == 0x3B:
            return
        if introducer == 0x21:
            offset = _past_sub_blocks(reader, offset + 2)
        elif introducer == 0x2C:
            flags = reader.at(offset + 9, 1)[0]
            offset = _past_sub_blocks(reader, offset + 11 + _colours(flags))
        else:
            offset += 1  # padding between blocks
    raise CutShort(reader.size + 1, reader.size)


def _colours(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _past_sub_blocks(reader: Reader, offset: int) -> int:
    while length := reader.at(offset, 1)[0]:
        offset += 1 + length
    return offset + 1


def check_webp(reader: Reader) -> None:
    """Compare the size of the RIFF container with the file."""
    needed = 8 + int.from_bytes(reader.at(4, 4), "little")
    if needed > reader.size:
        raise CutShort(needed, reader.size)


def check_bmp(reader: Reader) -> None:
    """Compare the size of the pixel array, or the size in the header, with the file."""
    head = reader.at(0, 26)
    needed = int.from_bytes(head[2:6], "little")
    begin, header = int.from_bytes(head[10:14], "little"), int.from_bytes(head[14:18], "little")
    if header >= 40:
        head = reader.at(0, 54)
        width = abs(int.from_bytes(head[18:22], "little", signed=True))
        height = abs(int.from_bytes(head[22:26], "little", signed=True))
        bits, compression = int.from_bytes(head[28:30], "little"), head[30]
        if compression in {0, 3, 6}:  # uncompressed: the header's sum is often wrong
            needed = begin + (width * bits + 31) // 32 * 4 * height
    if max(needed, begin) > reader.size:
        raise CutShort(max(needed, begin), reader.size)


def check_heif(reader: Reader) -> None:
    """Walk the top-level boxes to the end; the index and the coded data must be there."""
    offset, seen = 0, set[bytes]()
    for _ in range(_CHUNK_LIMIT):
        if reader.size - offset < 8:
            break
        size, name = int.from_bytes(reader.at(offset, 4), "big"), reader.at(offset + 4, 4)
        if size == 1:
            size = int.from_bytes(reader.at(offset + 8, 8), "big")
        if name == bytes(4):
            break
        seen.add(name)
        if size == 0:  # to the end of the file
            break
        if size < 8 or offset + size > reader.size:
            raise CutShort(offset + max(size, 8), reader.size)
        offset += size
    if b"meta" not in seen or seen.isdisjoint({b"mdat", b"idat"}):
        raise CutShort(reader.size + 8, reader.size)


def check_tiff(reader: Reader) -> None:
    """Follow the chain of frames; every strip must lie inside the file.

    A chain that loops or asks for too much belongs to a file that has ended: whether it is
    good for anything is not decided here.
    """
    try:
        for frame in tiff.walk(reader):
            if not frame.offsets:
                raise CutShort(reader.size + 1, reader.size)
            needed = max(offset + length for offset, length in frame.extents())
            if needed > reader.size:
                raise CutShort(needed, reader.size)
    except (tiff.Looped, tiff.Excessive):
        return
