"""Walking TIFF and BigTIFF: the chain of frames, their tags and raw strips.

No pixel is decoded. Every loop is bounded: a chain that returns to itself is refused, and
a budget over the whole file keeps a small hostile file from asking for much work.
"""

from __future__ import annotations

import hashlib
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ingest.content.reading import CutShort, Reader, opened
from ingest.errors import Unreadable

#: More frames than any stack of paper has in one file.
FRAME_LIMIT: Final = 20_000
_ENTRY_LIMIT: Final = 4_096
_VALUE_LIMIT: Final = 1 << 20
_STRIP_LIMIT: Final = 262_144  # of one frame
_WORK_FLOOR: Final = 1_000_000  # strips and tags that any file may have; larger files, larger work

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8} | {
    13: 4,
    16: 8,
    17: 8,
    18: 8,  # those above 13 in BigTIFF only
}
_NUMBERS: Final = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

WIDTH, HEIGHT = 256, 257
_STRIPS, _TILES, _OLD_JPEG = (273, 279), (324, 325), (513, 514)
#: What decides how the strips look as an image; names, dates and software are left out.
IMAGE_TAGS: Final = frozenset(
    {254, 256, 257, 258, 259, 262, 266, 274, 277, 278, 282, 283, 284, 292, 293, 296, 317, 320}
    | {322, 323, 330, 338, 339, 347, 512, 515, 519, 520, 521, 529, 530, 531, 532, 34675}
)


@dataclass(frozen=True, kw_only=True)
class Tag:
    """One directory entry with its value as bytes, in the file's byte order."""

    number: int
    kind: int
    count: int
    value: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One image of a TIFF.

    Attributes:
        offset: Where its directory begins; bytes from the start of the file.
        width: pixels, as stored.
        height: pixels, as stored.
        order: `<` little endian, `>` big endian.
        tags: The image-relevant tags, by number.
        offsets: Where each strip or tile begins.
        lengths: bytes of each; zero where the device left them out.
    """

    offset: int
    width: int
    height: int
    order: str
    tags: dict[int, Tag] = field(repr=False)
    offsets: array[int] = field(repr=False)
    lengths: array[int] = field(repr=False)

    def extents(self) -> Iterator[tuple[int, int]]:
        """Offset and length of each strip or tile, in order."""
        return zip(self.offsets, self.lengths, strict=True)


class Looped(Exception):
    """The chain of frames comes back to a frame it has already passed."""


class Excessive(Exception):
    """The file asks for more frames, tags or strips than any scan has."""


def frames(path: Path, limit: int = FRAME_LIMIT) -> list[Frame]:
    """Return the frames in the order of the chain.

    Raises:
        Unreadable: The chain loops, is cut short, has more than `limit` frames or none.
        OSError: The file is gone or out of reach.
    """
    with opened(path) as reader:
        try:
            found = list(walk(reader, limit))
        except (CutShort, Looped, Excessive) as error:
            raise _unreadable(path, error) from error
    if not found:
        raise _unreadable(path, "no frame")
    return found


def frame_digest(path: Path, frame: Frame) -> str:
    """Return the SHA-256 over the image-relevant tags and raw strips of `frame`.

    It is equal for the same image in another file, whatever stands around it, and is the
    digest of the page (Abbild) as the device gave it.

    Raises:
        Unreadable: A strip reaches beyond the file, or strips overlap beyond all reason.
        OSError: The file is gone or out of reach.
    """
    digest = hashlib.sha256(b"tiff-frame/1" + frame.order.encode())
    for number in sorted(frame.tags):
        tag = frame.tags[number]
        digest.update(struct.pack("<HHQQ", tag.number, tag.kind, tag.count, len(tag.value)))
        digest.update(tag.value)
    with opened(path) as reader:
        if sum(frame.lengths) > 4 * reader.size:
            raise _unreadable(path, "strips overlap")
        try:
            for offset, length in frame.extents():
                digest.update(struct.pack("<Q", length))
                for piece in reader.chunks(offset, length):
                    digest.update(piece)
        except CutShort as error:
            raise _unreadable(path, error) from error
    return digest.hexdigest()


def walk(reader: Reader, limit: int = FRAME_LIMIT) -> Iterator[Frame]:
    """Yield the frames of the chain as they are met.

    Raises:
        CutShort: The chain or a directory reaches beyond the end, or has not been written yet.
        Looped: The chain comes back.
        Excessive: A limit was passed.
    """
    directory = _Directories(reader)
    seen: set[int] = set()
    offset = directory.first
    if offset == 0:  # writers put this in last
        raise CutShort(reader.size + 1, reader.size)
    while offset:
        if offset in seen:
            raise Looped
        if len(seen) >= limit:
            raise Excessive
        seen.add(offset)
        frame, offset = directory.frame(offset)
        yield frame


class _Directories:
    """Reads image file directories of one file, classic or big."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        head = reader.at(0, 8)
        self._order = "<" if head[:2] == b"II" else ">"
        self._big = head[2:4] in {b"+\x00", b"\x00+"}
        self._budget = max(_WORK_FLOOR, reader.size)
        self.first = self._number(reader.at(8, 8) if self._big else head[4:8])

    def _number(self, content: bytes) -> int:
        return int.from_bytes(content, "little" if self._order == "<" else "big")

    def _spend(self, amount: int) -> None:
        self._budget -= amount
        if self._budget < 0:
            raise Excessive

    def frame(self, offset: int) -> tuple[Frame, int]:
        """Return the frame whose directory is at `offset`, and the offset of the next."""
        width = 8 if self._big else 2
        count = self._number(self._reader.at(offset, width))
        if count > _ENTRY_LIMIT:
            raise Excessive
        if count == 0:  # space that was reserved but is not written
            raise CutShort(self._reader.size + 1, self._reader.size)
        self._spend(count)
        step = 20 if self._big else 12
        begin = offset + width
        table = self._reader.at(begin, count * step)
        end = begin + count * step
        following = self._number(self._reader.at(end, 8 if self._big else 4))
        entries = {
            self._number(table[at : at + 2]): table[at : at + step]
            for at in range(0, len(table), step)
        }
        return self._described(offset, entries), following

    def _described(self, offset: int, entries: dict[int, bytes]) -> Frame:
        offsets, lengths = array("Q"), array("Q")
        for places, sizes in (_STRIPS, _TILES, _OLD_JPEG):
            if places in entries:
                begins = self._numbers(entries[places])
                # Some devices leave the lengths out, or write zero.
                ends = self._numbers(entries[sizes]) if sizes in entries else array("Q")
                offsets.extend(begins)
                lengths.extend([*ends[: len(begins)], *[0] * (len(begins) - len(ends))])
        tags = {
            number: self._tag(entry) for number, entry in entries.items() if number in IMAGE_TAGS
        }
        return Frame(
            offset=offset,
            width=self._first_number(tags.get(WIDTH)),
            height=self._first_number(tags.get(HEIGHT)),
            order=self._order,
            tags=tags,
            offsets=offsets,
            lengths=lengths,
        )

    def _numbers(self, entry: bytes) -> array[int]:
        """Return the value of a tag that counts bytes, empty if it is no number."""
        if self._number(entry[4 : 12 if self._big else 8]) > _STRIP_LIMIT:
            raise Excessive
        tag = self._tag(entry, limit=8 * _STRIP_LIMIT)
        letter = _NUMBERS.get(tag.kind)
        if letter is None:
            return array("Q")
        self._spend(tag.count)
        return array("Q", struct.unpack(f"{self._order}{tag.count}{letter}", tag.value))

    def _tag(self, entry: bytes, limit: int = _VALUE_LIMIT) -> Tag:
        number, kind = self._number(entry[:2]), self._number(entry[2:4])
        inline = 8 if self._big else 4
        count = self._number(entry[4 : 4 + inline])
        size = count * _SIZES.get(kind, 1)
        if size <= inline:
            return Tag(number=number, kind=kind, count=count, value=entry[-inline:][:size])
        place = self._number(entry[-inline:])
        if place + size > self._reader.size:
            raise CutShort(place + size, self._reader.size)
        if size > limit:
            raise Excessive
        self._spend(size // 64)
        return Tag(number=number, kind=kind, count=count, value=self._reader.at(place, size))

    def _first_number(self, tag: Tag | None) -> int:
        if tag is None or tag.kind not in _NUMBERS or not tag.count:
            return 0
        return self._number(tag.value[: _SIZES[tag.kind]])


def _unreadable(path: Path, cause: object) -> Unreadable:
    reason = {
        Looped: "die Kette ihrer Seiten läuft im Kreis",
        Excessive: "sie verlangt mehr Seiten oder Abschnitte, als ein Scan haben kann",
        CutShort: "sie endet, bevor alle ihre Seiten da sind",
    }.get(type(cause), "sie enthält keine lesbare Seite")
    return Unreadable(
        f"TIFF {path.name!a}: {cause!r}",
        operator_text=f"Die TIFF-Datei ist nicht lesbar: {reason}. Bitte neu scannen.",
    )
