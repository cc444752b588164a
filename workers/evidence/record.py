"""Writing and reading evidence records, RFC 4998, section 3 and appendix A.

The form is narrower than the RFC allows: version 1, SHA-2, no attributes, no encryption. A
record has one archive timestamp chain, and one more for each renewal of the digest. Trees are
strict: the first list holds the document's own digests alone, each further list one sibling.
The RFC would let a neighbour stand in the first list, and then the neighbour's document passes
against this document's record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from workers.evidence import der
from workers.evidence.der import INTEGER, OCTETS, SEQUENCE, NotDer
from workers.evidence.tree import ALGORITHM, SIZE, algorithm_of

#: AlgorithmIdentifiers without parameters (RFC 5754, section 2).
_IDENTIFIERS: Final = MappingProxyType(
    {
        name: der.element(SEQUENCE, bytes.fromhex(f"06096086480165030402{last}"))
        for name, last in (("sha256", "01"), ("sha384", "02"), ("sha512", "03"))
    }
)
_VERSION: Final = der.element(INTEGER, b"\x01")
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


Chain = Sequence[ArchiveTimeStamp]


def token_digests(tokens: Sequence[bytes], algorithm: str = ALGORITHM) -> tuple[bytes, ...]:
    """Return the data group of a renewal: the digests of all timestamps of its chain before it.

    The RFC asks for the one before (section 5.3, step 2: "MUST contain"); BouncyCastle wants
    the older ones as well, and they do no harm.
    """
    return tuple(hashlib.new(algorithm, token).digest() for token in tokens)


def rehashed(digest: bytes, before: Sequence[Chain]) -> bytes:
    """Return what stands for a document where its digest is renewed (RFC 4998, section 5.3).

    Args:
        digest: Of the document, in the new algorithm.
        before: All chains so far, from which the rest is computed: the digest of their sequence
            goes behind the document's own.
    """
    algorithm = algorithm_of(digest)
    sequence = hashlib.new(algorithm, _sequence(before)).digest()
    return hashlib.new(algorithm, digest + sequence).digest()


def write(chain: Chain) -> bytes:
    """Return the evidence record of one archive timestamp chain, oldest timestamp first."""
    return write_sequence((chain,), (ALGORITHM,))


def write_sequence(chains: Sequence[Chain], algorithms: Sequence[str]) -> bytes:
    """Return the evidence record of some chains, oldest first, each in its algorithm."""
    named = dict.fromkeys(_IDENTIFIERS[name] for name in algorithms)
    return der.element(SEQUENCE, _VERSION, der.element(SEQUENCE, *named), _sequence(chains))


def _sequence(chains: Sequence[Chain]) -> bytes:
    return der.element(SEQUENCE, *(der.element(SEQUENCE, *map(_written, one)) for one in chains))


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
    chains, algorithms = read_sequence(encoded)
    if (len(chains), algorithms) != (1, (ALGORITHM,)):
        message = "another algorithm than SHA-256, or several chains"
        raise NotARecord(message)
    return chains[0]


def read_sequence(
    encoded: bytes,
) -> tuple[tuple[tuple[ArchiveTimeStamp, ...], ...], tuple[str, ...]]:
    """Return chains and algorithms of a record that is as `write_sequence` writes it.

    Raises:
        NotARecord: It is not; the message says what was found.
    """
    known = {identifier: name for name, identifier in _IDENTIFIERS.items()}
    try:
        parts = list(der.elements(der.inside(SEQUENCE, encoded)))
        (_, _, version), (_, listed, _), (_, sequence, _) = parts
        algorithms = tuple(known[one] for _, _, one in der.elements(listed))
        chains = tuple(tuple(_stamps(one)) for _, one, _ in der.elements(sequence))
    except (NotDer, ValueError) as error:
        raise NotARecord(f"not an evidence record: {error}") from error
    except KeyError as error:
        message = "an algorithm that is not known here"
        raise NotARecord(message) from error
    if version != _VERSION:
        message = "another version than 1"
        raise NotARecord(message)
    written = bool(chains) and all(chains) and bool(algorithms)
    if not written or write_sequence(chains, algorithms) != encoded:
        message = "not in the form in which records are written here"
        raise NotARecord(message)
    return chains, algorithms


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
    if not found or len({algorithm_of(digest) for digest in found}) != 1:
        message = "a list without digests, or with those of several algorithms"
        raise NotDer(message)
    return found
