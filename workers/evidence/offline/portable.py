"""A sealed PDF: which bytes each signature speaks about, and the files attached to it."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from workers.evidence.offline.containers import (
    OID_TOKEN,
    Container,
    StampedBy,
    Unreadable,
    read_container,
    read_stamp,
)

_RANGE = re.compile(rb"/ByteRange\s*\[\s*(\d{1,12})\s+(\d{1,12})\s+(\d{1,12})\s+(\d{1,12})\s*\]")
_GAP = re.compile(rb"<[0-9A-Fa-f]+>")
_LENGTH = re.compile(rb"/Length\s+(\d+)(?!\s+\d+\s+R)")
_VALUE = re.compile(rb"/V\s+(\d{1,10})\s+(\d{1,5})\s+R")
_END = re.compile(rb"%%EOF(?:\r\n|\r|\n)?")
_NEAR = 4096
_ATTACHED = re.compile(rb"/Type\s*/EmbeddedFile\b")
_PIECE = 1 << 20
_LARGEST = 64 << 20  #: no note is longer


class Readable(Protocol):
    """Bytes of a file, perhaps mapped into memory."""

    def __len__(self) -> int:
        """Return how many."""

    def __getitem__(self, at: slice) -> bytes:
        """Return some."""

    def find(self, wanted: bytes, start: int, end: int) -> int:
        """Return where something begins, -1 where it is not."""

    def rfind(self, wanted: bytes, start: int, end: int) -> int:
        """Return where something begins last, -1 where it is not."""


class Signature(NamedTuple):
    """A signature or document timestamp that fits the bytes it names.

    Attributes:
        covered: Bytes of the file up to which it speaks.
        content: Position and length of both parts that it speaks about.
        container: What was signed how.
        encoded: The container, without padding.
        stamp: The timestamp: over the signature, or a document timestamp itself.
    """

    covered: int
    content: tuple[tuple[int, int], tuple[int, int]]
    container: Container
    encoded: bytes
    stamp: StampedBy | None

    @property
    def is_stamp(self) -> bool:
        """Whether it is a timestamp over the document rather than somebody's signature."""
        return self.container.kind == OID_TOKEN


def seal_at(content: Readable, document: str) -> int | None:
    """Return where the seal of a document stands, by the name of its field; None if nowhere."""
    name = re.escape(document).replace("\\-", "(?:-|\\\\055)")
    named = re.compile(
        rb"/T\s*\((?:Siegel|Installationssignatur)(?:-|\\055)" + name.encode() + rb"\)"
    )
    for field in named.finditer(content):  # type: ignore[call-overload] # any buffer will do
        begin = content.rfind(b" obj", max(0, field.start() - _NEAR), field.start())
        end = content.find(b"endobj", field.end(), min(field.end() + _NEAR, len(content)))
        value = _VALUE.search(content[max(begin, 0) : max(end, field.end())])
        if value is not None:
            return _newest_at(content, *value.groups())
    return None


def signatures(content: Readable) -> Iterator[tuple[int, Signature | str]]:
    """Yield position and signature of every one that fits its bytes; German text if it does not."""
    for found in _RANGE.finditer(content):  # type: ignore[call-overload] # as above
        start, before, after, rest = (int(number) for number in found.groups())
        place = f"Bytes {start}-{before} und {after}-{after + rest}"
        try:
            yield found.start(), _signature(content, start, before, after, rest)
        except Unreadable as error:
            yield found.start(), f"Signatur über {place}: {error}"


def _signature(content: Readable, start: int, before: int, after: int, rest: int) -> Signature:
    if start != 0 or not 0 < before < after or after + rest > len(content):
        raise Unreadable("die genannten Bytes gibt es nicht")
    gap = content[before:after]
    if _GAP.fullmatch(gap) is None or len(gap) % 2:
        raise Unreadable("zwischen den Bytes steht noch etwas anderes als die Signatur")
    padded = bytes.fromhex(gap[1:-1].decode("ascii"))
    container = read_container(padded)
    encoded = padded[: container.size]
    if padded[container.size :].strip(b"\0"):
        raise Unreadable("hinter der Signatur steht noch etwas anderes")
    parts = ((0, before), (after, rest))
    stamp = _stamp(content, parts, container, encoded)
    return Signature(after + rest, parts, container, encoded, stamp)


def _stamp(
    content: Readable,
    parts: tuple[tuple[int, int], tuple[int, int]],
    container: Container,
    encoded: bytes,
) -> StampedBy | None:
    if container.kind == OID_TOKEN:
        stamp = read_stamp(encoded)
        if digest_of(content, parts, stamp.algorithm) != stamp.imprint:
            raise Unreadable("der Zeitstempel gilt anderen Bytes")
        return stamp
    if digest_of(content, parts, container.algorithm) != container.stated:
        raise Unreadable("die Bytes sind nicht die unterschriebenen")
    if container.stamp is None:
        return None
    stamp = read_stamp(container.stamp)
    if hashlib.new(stamp.algorithm, container.signature).digest() != stamp.imprint:
        raise Unreadable("der Zeitstempel gilt einer anderen Signatur")
    return stamp


def digest_of(content: Readable, parts: tuple[tuple[int, int], ...], algorithm: str) -> bytes:
    """Return the digest of some parts, each position and length."""
    digest = hashlib.new(algorithm)
    for piece in pieces_of(content, parts):
        digest.update(piece)
    return digest.digest()


def pieces_of(content: Readable, parts: tuple[tuple[int, int], ...]) -> Iterator[bytes]:
    """Yield the bytes of some parts in pieces."""
    for begin, size in parts:
        for at in range(begin, begin + size, _PIECE):
            yield content[at : min(at + _PIECE, begin + size)]


def has_revision(content: Readable, sha256: str) -> bool:
    """Tell whether the file, up to one of its ends, is the one with this digest."""
    for found in _END.finditer(content):  # type: ignore[call-overload] # as above
        ends = {found.start() + len(b"%%EOF"), found.end()}
        if any(digest_of(content, ((0, end),), "sha256").hex() == sha256 for end in ends):
            return True
    return False


def attached_files(content: Readable) -> Iterator[bytes | None]:
    """Yield the bytes of every attached file; None for one that cannot be unpacked here."""
    for found in _ATTACHED.finditer(content):  # type: ignore[call-overload] # as above
        at = found.start()
        begin = content.rfind(b" obj", max(0, at - _NEAR), at)
        opened = content.find(b"stream", at, min(at + _NEAR, len(content)))
        if begin < 0 or opened < 0:
            yield None
            continue
        yield _stream(content, content[begin:opened], opened + len(b"stream"))


def stored_streams(content: Readable, key: bytes) -> Iterator[bytes]:
    """Yield what lies in the document security store under a key (ISO 32000-2, 12.8.4.3).

    What cannot be found or unpacked here is left out; nothing here is believed unasked.
    """
    listed = re.compile(rb"/" + key + rb"\s*(?:\[([\dR\s]{0,65536})\]|(\d{1,10}\s+\d{1,5}\s+R))")
    for found in listed.finditer(content):  # type: ignore[call-overload] # as above
        references = found.group(1) or found.group(2) or b""
        if found.group(1) is None:
            references = _object(content, references.split()[0])[:_NEAR]
        for number in re.findall(rb"(\d{1,10})\s+\d{1,5}\s+R\b", references):
            held = _object(content, number)
            opened = held.find(b"stream")
            unpacked = _stream(held, held[:opened], opened + len(b"stream")) if opened > 0 else None
            if unpacked is not None:
                yield unpacked


def _object(content: Readable, number: bytes) -> bytes:
    """Return the newest object with a number, empty where there is none; at most `_LARGEST`."""
    at = _newest_at(content, number, b"0")
    if at is None:
        return b""
    after = content.find(b"endobj", at, min(at + _LARGEST, len(content)))
    return content[at : max(at, after)]


def _newest_at(content: Readable, number: bytes, generation: bytes) -> int | None:
    head, end = b"%s %s obj" % (number, generation), len(content)
    while (at := content.rfind(head, 0, end)) >= 0:
        if not content[max(0, at - 1) : at].isdigit():
            return at
        end = at
    return None


def _stream(content: Readable, dictionary: bytes, at: int) -> bytes | None:
    at += 2 if content[at : at + 2] == b"\r\n" else 1
    length = _LENGTH.search(dictionary)
    if length is not None and int(length.group(1)) <= _LARGEST:
        packed = content[at : at + int(length.group(1))]
    else:
        end = content.find(b"endstream", at, min(at + _LARGEST, len(content)))
        if end < 0:
            return None
        packed = content[at:end]
    if b"/Filter" not in dictionary:
        return packed
    if re.search(rb"/Filter\s*\[?\s*/FlateDecode\s*\]?\s*(?:/|>>)", dictionary) is None:
        return None
    if b"/DecodeParms" in dictionary:
        return None
    try:
        return zlib.decompressobj().decompress(packed, _LARGEST)
    except zlib.error:
        return None
