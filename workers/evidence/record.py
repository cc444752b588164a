"""Writing and reading evidence records, RFC 4998, section 3 and appendix A.

The form is narrower than the RFC allows: version 1, SHA-256, one archive timestamp chain,
no attributes, no encryption. Trees are strict: the first list holds the document's own
digests alone, each further list one sibling. The RFC would let a neighbour stand in the
first list, and then the neighbour's document passes against this document's record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from workers.evidence import der
from workers.evidence.der import INTEGER, OCTETS, SEQUENCE, NotDer
from workers.evidence.tree import SIZE

#: AlgorithmIdentifier of SHA-256, without parameters (RFC 5754, section 2).
_SHA256: Final = der.element(SEQUENCE, bytes.fromhex("0609608648016503040201"))
_VERSION: Final = der.element(INTEGER, b"\x01")
_ALGORITHMS: Final = der.element(SEQUENCE, _SHA256)
#: What stands before the digest of a list of one, which nearly all lists are.
_ALONE: Final = bytes.fromhex("30220420")
_REDUCED: Final = 0xA2  #: [2] IMPLICIT SEQUENCE OF PartialHashtree


class NotARecord(ValueError):
    """The bytes are no evidence record of this form."""


@dataclass(frozen=True)
class ArchiveTimeStamp:
    """One timestamp and the lists of digests that lead to what it was made over.

    Attributes:
        lists: The reduced hash tree; empty where the token is over the digest itself.
        token: The timestamp, a CMS ContentInfo, DER.
    """

    lists: tuple[tuple[bytes, ...], ...]
    token: bytes


def reduced(digests: Sequence[bytes], path: Sequence[bytes]) -> tuple[tuple[bytes, ...], ...]:
    """Return the lists that lead from a data group along `path` to the root."""
    own = tuple(sorted(set(digests)))
    if len(own) == 1 and not path:
        return ()
    return (own, *((sibling,) for sibling in path))


def token_digests(tokens: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the data group of a renewal: the digests of all timestamps before it.

    The RFC asks for the one before (section 5.3, step 2: "MUST contain"); BouncyCastle wants
    the older ones as well, and they do no harm.
    """
    return tuple(hashlib.sha256(token).digest() for token in tokens)


def write(chain: Sequence[ArchiveTimeStamp]) -> bytes:
    """Return the evidence record of an archive timestamp chain, oldest timestamp first."""
    stamps = der.element(SEQUENCE, *(_written(stamp) for stamp in chain))
    return der.element(SEQUENCE, _VERSION, _ALGORITHMS, der.element(SEQUENCE, stamps))


def _written(stamp: ArchiveTimeStamp) -> bytes:
    if not stamp.lists:
        return der.element(SEQUENCE, stamp.token)
    lists = [
        _ALONE + digests[0]
        if len(digests) == 1 and len(digests[0]) == SIZE
        else der.element(SEQUENCE, *(der.element(OCTETS, digest) for digest in digests))
        for digests in stamp.lists
    ]
    return der.element(SEQUENCE, der.element(_REDUCED, *lists), stamp.token)


def read(encoded: bytes) -> tuple[ArchiveTimeStamp, ...]:
    """Return the chain of a record that is byte for byte as `write` writes it.

    Raises:
        NotARecord: It is not; the message says what was found.
    """
    try:
        parts = list(der.elements(der.inside(SEQUENCE, encoded)))
        (_, _, version), (_, _, algorithms), (_, chains, _) = parts
        stamps = tuple(_stamps(der.inside(SEQUENCE, chains)))
    except (NotDer, ValueError) as error:
        raise NotARecord(f"not an evidence record: {error}") from error
    if (version, algorithms) != (_VERSION, _ALGORITHMS):
        message = "another version or algorithm than 1 and SHA-256"
        raise NotARecord(message)
    if not stamps or write(stamps) != encoded:
        message = "not in the form in which records are written here"
        raise NotARecord(message)
    return stamps


def _stamps(content: bytes) -> Iterator[ArchiveTimeStamp]:
    for _, fields, _ in der.elements(content):
        *before, (_, _, token) = der.elements(fields)
        lists: tuple[tuple[bytes, ...], ...] = ()
        if before:
            ((tag, encoded, _),) = before
            if tag != _REDUCED:
                raise NotDer(f"a field with tag {tag:#04x}")
            lists = tuple(_digests(one) for _, one, _ in der.elements(encoded))
        yield ArchiveTimeStamp(lists, token)


def _digests(content: bytes) -> tuple[bytes, ...]:
    found = tuple(digest for _, digest, _ in der.elements(content))
    if not found or any(len(digest) != SIZE for digest in found):
        message = "a list without digests, or with others than SHA-256"
        raise NotDer(message)
    return found
