"""Does a record lead from these bytes to its timestamps? RFC 4998, sections 4.3 and 5.3.

This follows digests only. That a token was issued by whom it names is a matter of its
signature and certificate (`workers.sealing.tokens`), for which each token is looked at as of
the moment at which the next one confirmed it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from workers.evidence import tokens
from workers.evidence.record import ArchiveTimeStamp, read
from workers.evidence.tokens import NotAToken, Token
from workers.evidence.tree import ALGORITHM, combined


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


def prove(encoded: bytes, digests: Collection[bytes]) -> tuple[Link, ...]:
    """Return the timestamps of a record, all of which lead back to `digests`.

    Args:
        encoded: The record.
        digests: SHA-256 of the document's parts that are at hand, one at least; all of them
            must stand in the record.

    Raises:
        NotProved: The record is malformed or not of these bytes, or its times run backwards.
    """
    try:
        chain = read(encoded)
        read_tokens = [tokens.read(stamp.token) for stamp in chain]
    except (ValueError, NotAToken) as error:
        raise NotProved(str(error)) from error
    wanted = frozenset(digests)
    for number, (stamp, said) in enumerate(zip(chain, read_tokens, strict=True), 1):
        root = _climbed(stamp, wanted)
        if said.algorithm != ALGORITHM or not hmac.compare_digest(root, said.imprint):
            raise NotProved(f"timestamp {number} is not over what the record leads to")
        wanted = frozenset((hashlib.sha256(stamp.token).digest(),))
    times = [said.stamped_at for said in read_tokens]
    if times != sorted(times):
        message = "the timestamps are not in the order of their times"
        raise NotProved(message)
    return _links(chain, read_tokens)


def _climbed(stamp: ArchiveTimeStamp, wanted: frozenset[bytes]) -> bytes:
    if not wanted:
        message = "nothing to look for"
        raise NotProved(message)
    if not stamp.lists:
        return combined(wanted)
    own, *siblings = stamp.lists
    if not wanted <= set(own):
        message = "the record does not name these bytes"
        raise NotProved(message)
    node = combined(own)
    for beside in siblings:
        node = combined((node, *beside))
    return node


def _links(chain: Sequence[ArchiveTimeStamp], said: Sequence[Token]) -> tuple[Link, ...]:
    later: list[dt.datetime | None] = [token.stamped_at for token in said[1:]]
    return tuple(
        Link(encoded=stamp.token, said=token, confirmed_at=confirmed_at)
        for stamp, token, confirmed_at in zip(chain, said, [*later, None], strict=True)
    )
