"""Is every document the leaf that it was secured as?

An erased document leaves a leaf behind that nobody is, by design, so a leaf without a document
says nothing by itself. But the digest of a leaf follows from a document's files: whoever's files
make a leaf that nobody is was that leaf, and lost it, even if he has a newer one by now. Only a
document of a single file, beside which a random digest was put, cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

from ingest.hashtree import ALGORITHM, combined
from ingest.ledger import evidence, evidenced
from ingest.ledger.evidence import parted

if TYPE_CHECKING:
    import sqlalchemy as sa

_PIECE: Final = 500
_Leaves = tuple[bytes, ...]


def faults(
    connection: sa.Connection,
    tenant: str,
    trees: Mapping[tuple[int, int], _Leaves],
    algorithms: Mapping[int, str],
) -> Iterator[tuple[str, str]]:
    """Yield documents that lost their leaf or took another's: who, and why, in German.

    Args:
        connection: In a reading transaction.
        tenant: Whose documents.
        trees: Leaves of each branch of timestamps over documents, by batch and number.
        algorithms: Of each batch.
    """
    nobodys = _nobodys(connection, tenant, trees)
    rows = evidenced.leaves(connection, tenant)
    while piece := list(islice(rows, _PIECE)):
        files = _consisting(connection, [row.document_id for row in piece])
        for row in piece:
            own, members = files[row.document_id], parted(row.members)
            comparable = algorithms.get(row.batch_id) == ALGORITHM
            if comparable and not (own and own <= set(members)):
                text = "sein Nachweis ist über andere Dateien als seine"
                yield f"Dokument {row.document_id}", text
            elif (number := nobodys.get(_group(own))) is not None:
                text = f"sein Blatt unter Zeitstempel {number} fehlt, es hat nur ein späteres"
                yield f"Dokument {row.document_id}", text
    if nobodys:
        yield from _without(connection, tenant, nobodys)


def lost(connection: sa.Connection, tenant: str, document: str) -> int | None:
    """Return the timestamp under which the files of a document without a leaf are one, if any."""
    group = _group(_consisting(connection, [document])[document])
    if group is None:
        return None
    for row in evidenced.batches(connection, tenant):
        if (row.over, row.algorithm) == (evidence.DOCUMENTS, ALGORITHM):
            for branch in evidenced.branches(connection, row.id):
                if group in parted(branch.leaves):
                    number: int = row.id
                    return number
    return None


def _nobodys(
    connection: sa.Connection, tenant: str, trees: Mapping[tuple[int, int], _Leaves]
) -> dict[bytes | None, int]:
    """Return the leaves that no document is, each with its batch."""
    taken = {key: bytearray(len(leaves)) for key, leaves in trees.items()}
    for row in evidenced.leaves(connection, tenant):
        marks = taken.get((row.batch_id, row.branch), bytearray())
        if 0 <= row.place < len(marks):
            marks[row.place] = 1
    return {
        leaf: key[0]
        for key, leaves in trees.items()
        for leaf, mark in zip(leaves, taken[key], strict=True)
        if not mark
    }


def _without(
    connection: sa.Connection, tenant: str, nobodys: Mapping[bytes | None, int]
) -> Iterator[tuple[str, str]]:
    waiting = list(connection.execute(evidence.waiting_ids(tenant)).scalars())
    for piece in evidence.pieces(waiting):
        for document, members in _consisting(connection, piece).items():
            group = _group(members)
            if group in nobodys:
                text = f"sein Blatt unter Zeitstempel {nobodys[group]} fehlt"
                yield f"Dokument {document}", text


def _consisting(connection: sa.Connection, documents: list[str]) -> dict[str, set[bytes]]:
    """Return the digests of the files of each; nothing where one of them is no digest any more."""
    try:
        return evidence.consisting(connection, documents)
    except ValueError:
        if len(documents) == 1:
            return {documents[0]: set()}
        alone = [_consisting(connection, [one]) for one in documents]
        return {document: members for one in alone for document, members in one.items()}


def _group(members: set[bytes]) -> bytes | None:
    """Return the leaf that files make; None of a single one, which nobody can tell."""
    return combined(tuple(sorted(members))) if len(members) > 1 else None
