"""Evidence records (RFC 4998): do these digests lead to the timestamps of a record?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from workers.evidence.der import NotDer, elements, inside
from workers.evidence.offline.containers import StampedBy, Unreadable, read_stamp

_ALGORITHM_FIELD, _ATTRIBUTES_FIELD, _TREE_FIELD = 0xA0, 0xA1, 0xA2


@dataclass(frozen=True)
class Archived:
    """One archive timestamp: the lists of its reduced hash tree and its token."""

    lists: tuple[tuple[bytes, ...], ...]
    token: bytes


def read_record(encoded: bytes) -> tuple[Archived, ...]:
    """Return the archive timestamps of a record with one chain, oldest first.

    Raises:
        Unreadable: It is no record, or one whose tree was renewed, which is not followed here.
    """
    try:
        _, _, *_, (_, chains, _) = elements(inside(0x30, encoded))
        found = list(elements(chains))
        if len(found) != 1:
            raise Unreadable("eine Erneuerung des Hashbaums wird hier nicht gelesen")
        return tuple(_archived(stamp) for _, stamp, _ in elements(found[0][1]))
    except (NotDer, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"kein Beweisnachweis nach RFC 4998 ({error})") from error


def _archived(fields: bytes) -> Archived:
    *before, (_, _, token) = elements(fields)
    lists: tuple[tuple[bytes, ...], ...] = ()
    for tag, content, _ in before:
        if tag == _TREE_FIELD:
            lists = tuple(
                tuple(digest for _, digest, _ in elements(one)) for _, one, _ in elements(content)
            )
        elif tag not in (_ALGORITHM_FIELD, _ATTRIBUTES_FIELD):
            raise Unreadable("ein unbekanntes Feld")
    return Archived(lists, token)


def stamps_over(encoded: bytes, digests: Iterable[bytes]) -> tuple[StampedBy, ...]:
    """Return the timestamps of a record, all of which lead back to `digests`.

    Args:
        encoded: The record.
        digests: SHA-256 of what is at hand; each must stand in the record's first list.

    Raises:
        Unreadable: They do not, or the record is malformed; the message names the timestamp.
    """
    wanted = set(digests)
    stamps: list[StampedBy] = []
    for number, archived in enumerate(read_record(encoded), 1):
        stamp = read_stamp(archived.token)
        if climb(archived.lists, wanted, stamp.algorithm) != stamp.imprint:
            raise Unreadable(f"Zeitstempel {number} gilt etwas anderem")
        if stamps and stamp.at < stamps[-1].at:
            raise Unreadable(f"Zeitstempel {number} ist älter als der davor")
        stamps.append(stamp)
        wanted = {hashlib.sha256(archived.token).digest()}
    if not stamps:
        raise Unreadable("kein Zeitstempel darin")
    return tuple(stamps)


def climb(lists: tuple[tuple[bytes, ...], ...], wanted: set[bytes], algorithm: str) -> bytes:
    """Return the root to which `wanted` leads (RFC 4998, section 4.3).

    Raises:
        Unreadable: Not all of `wanted` stands in the first list, or there is nothing to look for.
    """
    if not wanted:
        raise Unreadable("nichts, wovon er handeln könnte")
    groups = lists or (tuple(wanted),)
    if not wanted <= set(groups[0]):
        raise Unreadable("er nennt diese Dateien nicht")
    node = _together(groups[0], algorithm)
    for beside in groups[1:]:
        node = _together((node, *beside), algorithm)
    return node


def _together(digests: tuple[bytes, ...], algorithm: str) -> bytes:
    several = sorted(set(digests))
    if len(several) == 1:
        return several[0]
    return hashlib.new(algorithm, b"".join(several)).digest()
