"""Just enough DER (ITU-T X.690) to write and read an evidence record.

Written by hand because a general ASN.1 library takes twelve times as long, and an archive
exports millions. The reader takes definite lengths only; whoever wants to know that bytes
are canonical writes what was read and compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

SEQUENCE: Final = 0x30
INTEGER: Final = 0x02
OCTETS: Final = 0x04
_LONG: Final = 0x80
_HIGH_TAG: Final = 0x1F


class NotDer(ValueError):
    """The bytes are no DER of the kind wanted."""


def element(tag: int, *contents: bytes) -> bytes:
    """Return one element with the contents one after the other."""
    size = sum(map(len, contents))
    if size < _LONG:
        return b"".join((bytes((tag, size)), *contents))
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return b"".join((bytes((tag, _LONG | len(length))), length, *contents))


def elements(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield tag, content and whole encoding of the elements that `content` is made of.

    Raises:
        NotDer: It ends within an element, or an element has no definite length.
    """
    at = 0
    while at < len(content):
        begin = at
        if len(content) < at + 2 or content[at] & _HIGH_TAG == _HIGH_TAG:
            message = "no element of a known form"
            raise NotDer(message)
        tag, size, at = content[at], content[at + 1], at + 2
        if size & _LONG:
            count = size & ~_LONG
            size = int.from_bytes(content[at : at + count], "big")
            at += count
            if not count:
                message = "an element of indefinite length"
                raise NotDer(message)
        if len(content) < at + size:
            message = "the bytes end within an element"
            raise NotDer(message)
        yield tag, content[at : at + size], content[begin : at + size]
        at += size


def inside(tag: int, encoded: bytes) -> bytes:
    """Return the content of the only element of `encoded`.

    Raises:
        NotDer: It is not one element with this tag.
    """
    found = list(elements(encoded))
    if len(found) != 1 or found[0][0] != tag:
        message = f"not one element with tag {tag:#04x}"
        raise NotDer(message)
    return found[0][1]


def nested(encoded: bytes) -> list[list[bytes]]:
    """Return the elements of each of the sequences that a sequence is made of.

    Raises:
        NotDer: It is no sequence of sequences.
    """
    return [
        [one for _, _, one in elements(inside(SEQUENCE, whole))]
        for _, _, whole in elements(inside(SEQUENCE, encoded))
    ]
