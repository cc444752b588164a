"""Does a record lead from these bytes to its timestamps? RFC 4998, sections 4.3 and 5.3.

This follows digests only. That a token was issued by whom it names is a matter of its
signature and certificate (`workers.sealing.tokens`), for which each token is looked at as of
the moment at which the next one confirmed it.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from workers.evidence import tokens
from workers.evidence.record import ArchiveTimeStamp, read_sequence, rehashed, token_digests
from workers.evidence.tokens import NotAToken, Token
from workers.evidence.tree import ALGORITHM, SIZES, combined


class NotProved(ValueError):
    """The record is none, or not of these bytes; the message says where it breaks."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """One timestamp of a record that leads there.

    Attributes:
        encoded: The token, DER.
        said: What it says.
        confirmed_at: When the next token of the chain was made; None for the last, whose
            certificate must be good now.
    """

    encoded: bytes
    said: Token
    confirmed_at: dt.datetime | None


#: Returns the digests of all parts that are at hand, in an algorithm, reading them again.
Rehash = Callable[[str], Collection[bytes]]


def prove(
    encoded: bytes, digests: Collection[bytes], rehash: Rehash | None = None
) -> tuple[Link, ...]:
    """Return the timestamps of a record, all of which lead back to `digests`.

    Args:
        encoded: The record.
        digests: SHA-256 of the document's parts that are at hand, one at least; all of them
            must stand in the record.
        rehash: Reads them again, for a record in which another digest is used.

    Raises:
        NotProved: The record is malformed or not of these bytes, or its times run backwards.
    """
    try:
        chains, _ = read_sequence(encoded)
        said = [[tokens.read(stamp.token) for stamp in chain] for chain in chains]
    except (ValueError, NotAToken) as error:
        raise NotProved(str(error)) from error
    if not digests:
        message = "nothing to look for"
        raise NotProved(message)
    for at, chain in enumerate(chains):
        algorithm = said[at][0].algorithm
        wanted = _begun(algorithm, digests, rehash)
        if at:
            wanted = frozenset(rehashed(digest, chains[:at]) for digest in wanted)
        _follow(chain, said[at], wanted)
    flat = [token for one in said for token in one]
    times = [token.stamped_at for token in flat]
    if times != sorted(times):
        message = "the timestamps are not in the order of their times"
        raise NotProved(message)
    return _links([stamp for chain in chains for stamp in chain], flat)


def _begun(algorithm: str, digests: Collection[bytes], rehash: Rehash | None) -> frozenset[bytes]:
    """Return the digests of the parts at hand in the algorithm of a chain."""
    if algorithm == ALGORITHM:
        return frozenset(digests)
    if algorithm not in SIZES or rehash is None:
        raise NotProved(f"the record uses {algorithm}, for which the files must be read again")
    return frozenset(rehash(algorithm))


def _follow(
    chain: Sequence[ArchiveTimeStamp], said: Sequence[Token], wanted: frozenset[bytes]
) -> None:
    algorithm = said[0].algorithm
    for number, (stamp, token) in enumerate(zip(chain, said, strict=True), 1):
        root = _climbed(stamp, wanted)
        if token.algorithm != algorithm or not hmac.compare_digest(root, token.imprint):
            raise NotProved(f"timestamp {number} is not over what the record leads to")
        wanted = frozenset(token_digests((stamp.token,), algorithm))


def _climbed(stamp: ArchiveTimeStamp, wanted: frozenset[bytes]) -> bytes:
    if not stamp.lists:
        return combined(wanted)
    own, *siblings = stamp.lists
    if not wanted <= set(own):
        message = "the record does not name these bytes"
        raise NotProved(message)
    try:
        node = combined(own)
        for beside in siblings:
            node = combined((node, *beside))
    except ValueError as error:
        raise NotProved(str(error)) from error
    return node


def _links(chain: Sequence[ArchiveTimeStamp], said: Sequence[Token]) -> tuple[Link, ...]:
    later: list[dt.datetime | None] = [token.stamped_at for token in said[1:]]
    return tuple(
        Link(encoded=stamp.token, said=token, confirmed_at=confirmed_at)
        for stamp, token, confirmed_at in zip(chain, said, [*later, None], strict=True)
    )
