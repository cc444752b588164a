"""From what the ledger keeps to evidence records, and back: is it still what was stamped?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from ingest.ledger import evidence, evidenced
from ingest.ledger.evidence import parted
from ingest.ledger.evidenced import Kept
from workers.evidence import record, tokens
from workers.evidence.record import ArchiveTimeStamp
from workers.evidence.tokens import NotAToken
from workers.evidence.tree import ALGORITHM, BRANCH, SIZES, Branch, climbed, combined, root_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ingest.document import Facts
    from ingest.ledger.evidence import Row
    from ingest.ledger.witnessed import Proof

_PIECE: Final = 2_000
_SAID: Final = ("over", "algorithm", "root", "leaves", "authority")
_TIMES: Final = ("stamped_at", "certificate_ends_at", "renew_before", "recorded_at")
_Trees = dict[tuple[int, int], tuple[bytes, ...]]
_Digests = tuple[bytes, ...]
_Lists = tuple[_Digests, ...]
_Chain = list[ArchiveTimeStamp]


def records(
    connection: sa.Connection, documents: Iterable[str]
) -> Iterator[tuple[str, tuple[bytes, ...], bytes]]:
    """Yield each document that has evidence with its group's digests and its record, DER.

    Neighbours in a tree share most of the work, so many are best asked for in one call and
    in the order of their ids.

    Args:
        connection: In a reading transaction.
        documents: Their ids; those without evidence are left out.
    """
    at: tuple[int, int] | None = None
    paths: list[tuple[bytes, ...]] = []
    wanted = iter(documents)
    while piece := list(islice(wanted, _PIECE)):
        for kept in evidenced.kept(connection, piece):
            if kept.branch != at:
                at, paths = kept.branch, Branch(kept.leaves, kept.path).paths()
            yield kept.document, kept.members, _record(kept, paths[kept.place])


def _record(kept: Kept, path: tuple[bytes, ...]) -> bytes:
    chains = [_chain(one, Branch(one.leaves, one.path).path_of(one.place)) for one in kept.earlier]
    algorithms = [*(one.algorithm for one in kept.earlier), kept.algorithm]
    return record.write_sequence([*chains, _chain(kept, path)], algorithms)


def chains_of(kept: Kept) -> list[_Chain]:
    """Return the chains of a record so far, over which a renewal of the digest is made."""
    return [
        _chain(one, Branch(one.leaves, one.path).path_of(one.place))
        for one in (*kept.earlier, kept)
    ]


def _chain(kept: Kept, path: _Digests) -> _Chain:
    (first, _), *later = kept.stamps
    return _renewed(record.reduced(kept.members, path), first, later, kept.algorithm)


def _renewed(
    lists: _Lists, first: bytes, later: list[tuple[bytes, _Digests]], algorithm: str = ALGORITHM
) -> _Chain:
    chain = [ArchiveTimeStamp(lists, first)]
    for token, onward in later:
        before = record.token_digests([stamp.token for stamp in chain], algorithm)
        chain.append(ArchiveTimeStamp(record.reduced(before, onward), token))
    return chain


def proving(proof: Proof) -> bytes:
    """Return the evidence record of one file, image or day, DER."""
    (first, _), *later = proof.stamps
    return record.write(_renewed(record.reduced(proof.members, proof.path), first, later))


def faults(connection: sa.Connection, tenant: str) -> Iterator[tuple[str, str]]:
    """Yield where evidence is not what was stamped: what is concerned, and why, in German.

    Computed again are the trees, each document's leaf, the imprint of each token, renewals,
    and all of it is compared with the events. Signatures of tokens are not looked at here.
    """
    rows = evidenced.batches(connection, tenant)
    told = evidenced.said(connection, tenant)
    for row in rows:
        for reason in _stamp_faults(row, told.pop(row.id, {})):
            yield f"Zeitstempel {row.id}", reason
    for number in told:
        yield f"Zeitstempel {number}", "das Ereignis nennt ihn, er fehlt"
    in_use = evidenced.in_use(connection, tenant)
    known = {row.id for row in rows}
    for row in rows:
        if row.rehashed_by is not None and (row.id in in_use or row.rehashed_by not in known):
            yield f"Zeitstempel {row.id}", "gilt als abgelöst, ist es aber nicht"
    for number in _badly_renewed(connection, tenant, rows):
        yield f"Zeitstempel {number}", "eine Erneuerung führt nicht zu ihrer Wurzel"
    yield from _tree_faults(connection, tenant, rows)


def _tree_faults(
    connection: sa.Connection, tenant: str, rows: list[Row]
) -> Iterator[tuple[str, str]]:
    trees: _Trees = {}
    algorithms = {row.id: row.algorithm for row in rows}
    for row in rows:
        if row.over != evidence.TIMESTAMPS and not _grown(connection, row, trees):
            yield f"Zeitstempel {row.id}", "der Hashbaum führt nicht zu seiner Wurzel"
    for leaf in evidenced.leaves(connection, tenant):
        algorithm = algorithms.get(leaf.batch_id, ALGORITHM)
        if algorithm not in SIZES:
            continue  # the tree itself is named
        leaves = trees.get((leaf.batch_id, leaf.branch), ())
        own = leaf.tenant == tenant
        if not own or leaves[leaf.place : leaf.place + 1] != (_group(leaf.members, algorithm),):
            yield f"Dokument {leaf.document_id}", "sein Blatt im Hashbaum ist ein anderes"


def _group(members: bytes, algorithm: str) -> bytes | None:
    """Return what stands for a document in a tree, None where its digests are none any more."""
    try:
        return combined(parted(members, algorithm))
    except ValueError:
        return None


def _stamp_faults(row: Row, said: Facts) -> Iterator[str]:
    found = {name: getattr(row, name) for name in _SAID}
    found |= {name: getattr(row, name).isoformat() for name in _TIMES}
    found["token_sha256"] = hashlib.sha256(row.token).hexdigest()
    if {"root", "token_sha256"} - said.keys() or any(
        value != said.get(name, value) for name, value in found.items()
    ):
        yield "nicht der, den das Ereignis nennt"
    if row.algorithm not in SIZES:
        yield f"das Hashverfahren {row.algorithm} gibt es hier nicht"
    try:
        token = tokens.read(row.token)
    except NotAToken:
        yield "nicht lesbar"
        return
    if token.imprint.hex() != row.root:
        yield "nicht über die Wurzel, die dazu vermerkt ist"
    if (token.stamped_at, token.ends_at) != (row.stamped_at, row.certificate_ends_at):
        yield "seine Zeiten sind andere, als dazu vermerkt ist"


def _grown(connection: sa.Connection, row: Row, trees: _Trees) -> bool:
    """Tell whether a batch's branches lead to its root, and keep their leaves in `trees`."""
    if row.algorithm not in SIZES:
        return False
    kept = list(evidenced.branches(connection, row.id))
    branches = [
        Branch(parted(found.leaves, row.algorithm), parted(found.path, row.algorithm))
        for found in kept
    ]
    trees.update({(row.id, at): branch.leaves for at, branch in enumerate(branches)})
    if any(found.tenant != row.tenant for found in kept):
        return False
    whole = all(len(branch.leaves) == BRANCH for branch in branches[:-1])
    count = sum(len(branch.leaves) for branch in branches)
    if not whole or count != row.leaves or not all(branch.leaves for branch in branches):
        return False
    return all(_climbs(root_of, branch.leaves, branch.path, row.root) for branch in branches)


def _climbs(
    begin: Callable[[_Digests], bytes], digests: _Digests, path: _Digests, root: str
) -> bool:
    """Tell whether a path leads to a root; digests of other lengths lead nowhere."""
    try:
        return climbed(begin(digests), path).hex() == root
    except ValueError:
        return False


def _leads(row: Row, chain: list[bytes], entry: Row, later: Row) -> bool:
    if row.algorithm not in SIZES:
        return False
    digests = tuple(record.token_digests(chain, row.algorithm))
    return _climbs(combined, digests, parted(entry.path, row.algorithm), later.root)


def _badly_renewed(connection: sa.Connection, tenant: str, rows: list[Row]) -> Iterator[int]:
    known = {row.id: row for row in rows}
    chains = {row.id: [row.token] for row in rows if row.over != evidence.TIMESTAMPS}
    newest: dict[int, int] = {}
    for entry in evidenced.renewals(connection, tenant):
        chain, later = chains.get(entry.batch_id, []), known.get(entry.renewed_by)
        if not chain or later is None or not _leads(known[entry.batch_id], chain, entry, later):
            yield entry.batch_id
            continue
        chain.append(later.token)
        newest[entry.batch_id] = later.id
    for row in rows:
        if row.renewed_by != newest.get(row.id):
            yield row.id
