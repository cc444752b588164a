"""Is the history still what was written? Chains, and one root a day over all of them.

A chain shows that nobody changed an event inside it; the daily root, once timestamped,
shows that nobody rewrote a whole chain. The tree is that of RFC 6962: leaves and nodes are
hashed with different prefixes, so neither can be passed off as the other.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from ingest.ledger import accepting, schema
from ingest.ledger.chains import GENESIS, event_digest, payload_digest
from ingest.ledger.columns import canonical

Row = sa.Row[Any]
_chain, _event, _payload, _root = (
    schema.chain,
    schema.event,
    schema.event_payload,
    schema.merkle_root,
)
_PIECE: Final = 200
_FETCH: Final = 1000
#: The event that says that payloads before it were taken away.
ERASED: Final = "erased"


@dataclass(frozen=True)
class Break:
    """A place where a chain is not what was written.

    Attributes:
        seq: Number of the event; 0 where the chain as a whole is concerned.
    """

    chain: str
    seq: int
    reason: str


@dataclass(frozen=True)
class Head:
    """The end of one chain: it stands for all events before it."""

    chain: str
    length: int
    digest: str


@dataclass(frozen=True)
class Root:
    """One digest over the heads of all chains of a tenant."""

    root: str
    heads: int


def verify_chains(
    connection: sa.Connection, tenant: str | None = None, chain: str | None = None
) -> list[Break]:
    """Compute every digest anew and return where it differs, nothing if all is well.

    Args:
        connection: In one reading transaction.
        tenant: None for all.
        chain: Only this one.
    """
    broken: list[Break] = []
    for piece in _chains(connection, tenant, chain):
        lengths = {row.id: row for row in piece}
        seen = set()
        for chain_id, events in groupby(_events(connection, lengths), lambda row: str(row.chain)):
            seen.add(chain_id)
            broken += _verify(lengths[chain_id], events)
        broken += [Break(id_, 0, "the chain has no events") for id_ in lengths if id_ not in seen]
    return broken


def _chains(
    connection: sa.Connection, tenant: str | None, chain: str | None = None
) -> Iterator[list[Row]]:
    last = ""
    while True:
        query = sa.select(_chain).where(_chain.c.id > last).order_by(_chain.c.id).limit(_PIECE)
        if tenant is not None:
            query = query.where(_chain.c.tenant == tenant)
        if chain is not None:
            query = query.where(_chain.c.id == chain)
        piece = list(connection.execute(query))
        if not piece:
            return
        yield piece
        last = piece[-1].id


def _events(connection: sa.Connection, chains: Iterable[str]) -> Iterator[Row]:
    query = (
        sa.select(_event, _payload.c.salt, _payload.c.payload)
        .outerjoin(
            _payload, sa.and_(_payload.c.chain == _event.c.chain, _payload.c.seq == _event.c.seq)
        )
        .where(_event.c.chain.in_(list(chains)))
        .order_by(_event.c.chain, _event.c.seq)
    )
    yield from connection.execute(query, execution_options={"yield_per": _FETCH})


def _verify(chain: Row, events: Iterator[Row]) -> Iterator[Break]:
    previous, expected, last_erasure = GENESIS, 1, 0
    missing: list[int] = []
    for row in events:
        reason = _fault(row, previous, expected)
        if reason is not None:
            yield Break(chain.id, row.seq, reason)
        if row.salt is None:
            missing.append(row.seq)
        if row.kind == ERASED:
            last_erasure = row.seq
        previous, expected = row.digest, row.seq + 1
    if (chain.length, chain.head) != (expected - 1, previous):
        yield Break(chain.id, expected - 1, "the chain's head names another last event")
    for seq in missing:
        if seq > last_erasure:
            yield Break(chain.id, seq, "the payload is gone and no erasure is recorded")


def _fault(row: Row, previous: str, expected: int) -> str | None:
    if row.seq != expected:
        return f"event {expected} is missing"
    if row.previous != previous:
        return "the event does not name the one before it"
    found = event_digest(
        chain=row.chain,
        seq=row.seq,
        kind=row.kind,
        at=row.at,
        actor=row.actor,
        payload_digest=row.payload_digest,
        previous=row.previous,
    )
    if row.digest != found:
        return "the event was changed"
    if row.salt is not None and payload_digest(row.salt, row.payload) != row.payload_digest:
        return "the payload was changed"
    return None


def heads(connection: sa.Connection, tenant: str) -> Iterator[Head]:
    """Yield the head of every chain of a tenant in order of chain id.

    Ids are UUIDs in lower case, which every database and collation sorts alike; so the
    root is the same wherever the ledger is kept.
    """
    for piece in _chains(connection, tenant):
        for row in piece:
            yield Head(row.id, row.length, row.head)


def root_of(connection: sa.Connection, tenant: str) -> Root:
    """Return the root over all chain heads of a tenant as they are now."""
    count = 0

    def leaves() -> Iterator[bytes]:
        nonlocal count
        for head in heads(connection, tenant):
            count += 1
            yield canonical([head.chain, head.length, head.digest]).encode()

    return Root(merkle_root(leaves()), count)


def merkle_root(leaves: Iterable[bytes]) -> str:
    """Return the Merkle tree hash of RFC 6962, section 2.1, without holding all leaves."""
    complete: list[tuple[int, bytes]] = []  # (height, hash) of full trees, highest first
    for leaf in leaves:
        height, digest = 0, hashlib.sha256(b"\x00" + leaf).digest()
        while complete and complete[-1][0] == height:
            digest = hashlib.sha256(b"\x01" + complete.pop()[1] + digest).digest()
            height += 1
        complete.append((height, digest))
    if not complete:
        return hashlib.sha256().hexdigest()
    digest = complete.pop()[1]
    while complete:
        digest = hashlib.sha256(b"\x01" + complete.pop()[1] + digest).digest()
    return digest.hex()


def anchor(connection: sa.Connection, tenant: str, day: dt.date) -> Root:
    """Record the root over all chain heads as that of `day`; one recorded before stays.

    Args:
        connection: In a writing transaction.
        tenant: Whose chains.
        day: In UTC.
    """
    place = sa.and_(_root.c.tenant == tenant, _root.c.day == day.isoformat())
    recorded = connection.execute(sa.select(_root).where(place)).first()
    if recorded is not None:
        return Root(recorded.root, recorded.heads)
    found = root_of(connection, tenant)
    values = {"tenant": tenant, "day": day.isoformat(), "root": found.root, "heads": found.heads}
    connection.execute(sa.insert(_root), {**values, "anchored_at": accepting.now(connection)})
    return found
