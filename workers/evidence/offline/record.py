"""Evidence records (RFC 4998): do these digests lead to the timestamps of a record?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from workers.evidence.der import NotDer, element, elements, inside
from workers.evidence.offline.containers import StampedBy, Unreadable, read_stamp

_FIRST_ALGORITHM = "sha256"  # in which files are known
_ALGORITHM_FIELD, _ATTRIBUTES_FIELD, _TREE_FIELD = 0xA0, 0xA1, 0xA2


class Archived(NamedTuple):
    """One archive timestamp: the lists of its reduced hash tree and its token."""

    lists: tuple[tuple[bytes, ...], ...]
    token: bytes


class ArchivedChain(NamedTuple):
    """The archive timestamps of one digest, oldest first, and how they are written."""

    stamps: tuple[Archived, ...]
    encoded: bytes


def read_record(encoded: bytes) -> tuple[ArchivedChain, ...]:
    """Return the chains of a record, oldest digest first.

    Raises:
        Unreadable: It is no record.
    """
    try:
        _, _, *_, (_, chains, _) = elements(inside(0x30, encoded))
        return tuple(
            ArchivedChain(tuple(_archived(stamp) for _, stamp, _ in elements(fields)), whole)
            for _, fields, whole in elements(chains)
        )
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


def named_first(encoded: bytes) -> tuple[bytes, ...]:
    """Return the digests over which the first timestamp of a record is, its group's and no others.

    Raises:
        Unreadable: It is no record.
    """
    for chain in read_record(encoded):
        for archived in chain.stamps:
            return archived.lists[0] if archived.lists else (read_stamp(archived.token).imprint,)
    return ()


def stamps_over(
    encoded: bytes, digests: Iterable[bytes], again: Callable[[str], Collection[bytes]]
) -> tuple[StampedBy, ...]:
    """Return the timestamps of a record, all of which lead back to `digests`.

    Where the digest was renewed (RFC 4998, section 5.3), each later chain is over the files in
    its own digest, together with the chains before it.

    Args:
        encoded: The record.
        digests: SHA-256 of what is at hand; each must stand in the record's first list.
        again: Returns the digests of the same in another algorithm, none where it cannot.

    Raises:
        Unreadable: They do not, or the record is malformed; the message names the timestamp.
    """
    known = tuple(digests)
    stamps: list[StampedBy] = []
    chains = read_record(encoded)
    for at, chain in enumerate(chains):
        tokens = [read_stamp(archived.token) for archived in chain.stamps]
        if not tokens:
            break
        algorithm = tokens[0].algorithm
        wanted = set(known if algorithm == _FIRST_ALGORITHM else again(algorithm))
        if at:
            before = element(0x30, *(one.encoded for one in chains[:at]))
            wanted = _with_chains(wanted, before, algorithm)
        _follow_chain(chain, tokens, wanted, len(stamps))
        stamps += tokens
    if not stamps or not all(chain.stamps for chain in chains):
        raise Unreadable("kein Zeitstempel darin")
    for number, stamp in enumerate(stamps[1:], 2):
        if stamp.at < stamps[number - 2].at:
            raise Unreadable(f"Zeitstempel {number} ist älter als der davor")
    return tuple(stamps)


def _with_chains(digests: Iterable[bytes], before: bytes, algorithm: str) -> set[bytes]:
    behind = hashlib.new(algorithm, before).digest()
    return {hashlib.new(algorithm, digest + behind).digest() for digest in digests}


def _follow_chain(
    chain: ArchivedChain, tokens: Iterable[StampedBy], wanted: set[bytes], before: int
) -> None:
    """Follow one chain from `wanted`; `before` timestamps came earlier in the record."""
    algorithm = ""
    for number, (archived, stamp) in enumerate(zip(chain.stamps, tokens), before + 1):  # noqa: B905 - not in Python 3.9
        other = algorithm not in ("", stamp.algorithm)
        algorithm = stamp.algorithm
        if other or climb(archived.lists, wanted, algorithm) != stamp.imprint:
            raise Unreadable(f"Zeitstempel {number} gilt etwas anderem")
        wanted = {hashlib.new(algorithm, archived.token).digest()}


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
