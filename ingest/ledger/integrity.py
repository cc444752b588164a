"""Is the history still what was written? Chains, and one root a day over all of them.

A chain shows that nobody changed an event inside it; the daily root, once timestamped,
shows that nobody rewrote a whole chain. The tree is that of RFC 6962: leaves and nodes are
hashed with different prefixes, so neither can be passed off as the other. A root is over
what every chain had come to at `anchored_at`; because chains only grow, it can be computed
again from the events years later (`AnchoredRoots`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any, Final

import sqlalchemy as sa

from ingest.ledger import accepting, installation, schema, witness
from ingest.ledger.chains import GENESIS, Entry, event_digest, payload_digest
from ingest.ledger.columns import Kept, canonical

Row = sa.Row[Any]
_chain, _event, _payload, _root = (
    schema.chain,
    schema.event,
    schema.event_payload,
    schema.merkle_root,
)
_KEPT: Final = sa.type_coerce(_payload.c.payload, Kept()).label("payload")
_PIECE: Final = 200
#: So many of the newest daily roots are computed again; each costs one hash a chain.
ROOTS_RECOMPUTED: Final = 31
_FETCH: Final = 1000
#: The event that says that payloads before it were taken away.
ERASED: Final = "erased"
#: Chains of the log, and the event there that says up to which entry payloads have expired.
LOG: Final[Any] = "log"
EXPIRED: Final = "expired"
#: The event of the installation that names the root of a day.
ANCHORED: Final = "anchored"


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
    for piece in chains_of(connection, tenant, chain):
        lengths = {row.id: row for row in piece}
        seen = set()
        for chain_id, events in groupby(events_of(connection, lengths), lambda row: str(row.chain)):
            seen.add(chain_id)
            broken += verify_chain(lengths[chain_id], events)
        broken += [Break(id_, 0, "the chain has no events") for id_ in lengths if id_ not in seen]
    return broken


def chains_of(
    connection: sa.Connection, tenant: str | None, chain: str | None = None
) -> Iterator[list[Row]]:
    """Yield the rows of `chain` in pieces, in order of id."""
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


def events_of(connection: sa.Connection, chains: Iterable[str]) -> Iterator[Row]:
    """Yield the events of some chains, in order of chain and number, with their payloads."""
    query = (
        sa.select(_event, _payload.c.salt, _KEPT, _payload.c.tenant.label("payload_tenant"))
        .outerjoin(
            _payload, sa.and_(_payload.c.chain == _event.c.chain, _payload.c.seq == _event.c.seq)
        )
        .where(_event.c.chain.in_(list(chains)))
        .order_by(_event.c.chain, _event.c.seq)
    )
    yield from connection.execute(query, execution_options={"yield_per": _FETCH})


def verify_chain(chain: Row, events: Iterable[Row]) -> Iterator[Break]:
    """Yield where the events of one chain differ from what their digests say."""
    previous, expected, last_erasure = GENESIS, 1, 0
    missing: list[int] = []
    for row in events:
        reason = _fault(row, previous, expected) or _moved(row, chain.tenant)
        if reason is not None:
            yield Break(chain.id, row.seq, reason)
        if row.salt is None:
            missing.append(row.seq)
        last_erasure = max(last_erasure, _emptied(row))
        previous, expected = row.digest, row.seq + 1
    if (chain.length, chain.head) != (expected - 1, previous):
        yield Break(chain.id, expected - 1, "the chain's head names another last event")
    for seq in missing:
        if seq > last_erasure:
            yield Break(chain.id, seq, "the payload is gone and no erasure is recorded")


def _emptied(row: Row) -> int:
    """Return up to which event payloads may be missing because of this one."""
    if row.kind == ERASED:
        return int(row.seq)
    if row.kind == EXPIRED and row.salt is not None and is_genuine(row):
        return int(row.payload["up_to"])
    return 0


def _moved(row: Row, tenant: str) -> str | None:
    if {row.tenant, row.payload_tenant or tenant} != {tenant}:
        return "the event or its payload is another tenant's than the chain"
    return None


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
    if row.salt is not None and not is_genuine(row):
        return "the payload was changed"
    return None


def is_genuine(event: Row) -> bool:
    """Tell whether the payload of an event, not erased, is the one it was written with."""
    return payload_digest(event.salt, event.payload) == str(event.payload_digest)


def told(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> Iterator[Row]:
    """Yield chosen events whose payload is there and genuine, with it."""
    own = sa.and_(_payload.c.chain == _event.c.chain, _payload.c.seq == _event.c.seq)
    query: sa.Select[Any] = (
        sa.select(_event, _payload.c.salt, _KEPT).join(_payload, own).where(*where)
    )
    query = query.order_by(_event.c.chain, _event.c.seq)
    for row in connection.execute(query, execution_options={"yield_per": _FETCH}):
        if is_genuine(row):
            yield row


def heads(connection: sa.Connection, tenant: str) -> Iterator[Head]:
    """Yield the head of every chain of a tenant in order of chain id.

    Ids are UUIDs in lower case, which every database and collation sorts alike; so the
    root is the same wherever the ledger is kept.
    """
    for piece in chains_of(connection, tenant):
        for row in piece:
            yield Head(row.id, row.length, row.head)


def root_of(connection: sa.Connection, tenant: str) -> Root:
    """Return the root over all chain heads of a tenant as they are now."""
    count = 0

    def leaves() -> Iterator[bytes]:
        nonlocal count
        for head in heads(connection, tenant):
            count += 1
            yield leaf_of(head)

    return Root(merkle_root(leaves()), count)


class Tree:
    """The Merkle tree hash of RFC 6962, section 2.1, without holding all leaves."""

    def __init__(self) -> None:
        """Begin without leaves."""
        self.leaves = 0
        self._complete: list[tuple[int, bytes]] = []  # (height, hash) of full trees, highest first

    def add(self, leaf: bytes) -> None:
        """Append a leaf."""
        self.leaves += 1
        height, digest = 0, hashlib.sha256(b"\x00" + leaf).digest()
        while self._complete and self._complete[-1][0] == height:
            digest = hashlib.sha256(b"\x01" + self._complete.pop()[1] + digest).digest()
            height += 1
        self._complete.append((height, digest))

    def root(self) -> str:
        """Return the hash over all leaves so far."""
        if not self._complete:
            return hashlib.sha256().hexdigest()
        *before, (_, digest) = self._complete
        for _, left in reversed(before):
            digest = hashlib.sha256(b"\x01" + left + digest).digest()
        return digest.hex()


def merkle_root(leaves: Iterable[bytes]) -> str:
    """Return the Merkle tree hash over `leaves`."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def leaf_of(head: Head) -> bytes:
    """Return what stands for a chain in the tree of a day."""
    return canonical([head.chain, head.length, head.digest]).encode()


def root_up_to(connection: sa.Connection, tenant: str, cut: dt.datetime) -> Root:
    """Return the root over what each chain of a tenant had come to at `cut`."""
    tree = Tree()
    for head in heads_up_to(connection, tenant, cut):
        tree.add(leaf_of(head))
    return Root(tree.root(), tree.leaves)


def heads_up_to(connection: sa.Connection, tenant: str, cut: dt.datetime) -> Iterator[Head]:
    """Yield what each chain of a tenant had come to at `cut`, in order of chain id."""
    for piece in chains_of(connection, tenant):
        later = [row.id for row in piece if row.changed_at > cut]
        before = heads_at(connection, later, cut) if later else {}
        for row in piece:
            head = Head(row.id, row.length, row.head)
            if row.changed_at > cut:
                head = before.get(row.id, Head(row.id, 0, GENESIS))
            if head.length:
                yield head


def heads_at(connection: sa.Connection, chains: list[str], cut: dt.datetime) -> dict[str, Head]:
    """Return what some chains had come to at `cut`; those begun later are left out."""
    columns = (_event.c.chain, _event.c.seq, _event.c.digest)
    query = sa.select(*columns).where(_event.c.chain.in_(chains), _event.c.at <= cut)
    found = connection.execute(query.order_by(_event.c.chain, _event.c.seq))
    return {row.chain: Head(row.chain, row.seq, row.digest) for row in found}


class AnchoredRoots:
    """The newest daily roots of a tenant, computed again while its chains pass by in order.

    Attributes:
        compared: How many days are computed again.
        older: How many more were anchored; they are kept, not computed.
        broken: How many differed, after `breaks`.
    """

    def __init__(self, connection: sa.Connection, tenant: str) -> None:
        """Read which days were anchored."""
        query = sa.select(_root).where(_root.c.tenant == tenant).order_by(_root.c.day.desc())
        rows = connection.execute(query.limit(ROOTS_RECOMPUTED)).all()
        counted = sa.select(sa.func.count()).select_from(_root).where(_root.c.tenant == tenant)
        self.compared = len(rows)
        self.older = connection.execute(counted).scalar_one() - len(rows)
        self.broken = 0
        self._days = [(row, Tree()) for row in rows]

    def add(self, chain: str, events: Iterable[Row]) -> None:
        """Let a chain pass by with all its events."""
        events = list(events)
        times = list(accumulate((event.at for event in events), max))
        for row, tree in self._days:
            if past := bisect_right(times, row.anchored_at):
                last = events[past - 1]
                tree.add(leaf_of(Head(chain, last.seq, last.digest)))

    def breaks(self) -> Iterator[Break]:
        """Yield the days whose root is not that of the chains that passed by."""
        for row, tree in self._days:
            if (row.root, row.heads) != (tree.root(), tree.leaves):
                self.broken += 1
                reason = "Die Ketten sind nicht die, über die an diesem Tag gerechnet wurde."
                yield Break(f"Tageswurzel {row.day}", 0, reason)


def anchor(
    connection: sa.Connection,
    tenant: str,
    day: dt.date,
    settled: dt.timedelta = dt.timedelta(0),
) -> Root:
    """Record the root over all chains as that of `day`, with an event; one recorded stays.

    It waits for a timestamp from then on (`ingest.ledger.witness`).

    Args:
        connection: In a writing transaction.
        tenant: Whose chains.
        day: In UTC.
        settled: The root is of so long ago. Where several machines write, a transaction may
            have taken its time and commit after this one; older than this none is.
    """
    place = sa.and_(_root.c.tenant == tenant, _root.c.day == day.isoformat())
    recorded = connection.execute(sa.select(_root).where(place)).first()
    if recorded is not None:
        return Root(recorded.root, recorded.heads)
    cut = accepting.now(connection) - settled
    if missed := _missed(connection, tenant, day, cut):
        # the root of a day on which nobody was there to compute it is of that day's end
        cut = missed
    found = root_up_to(connection, tenant, cut)
    values = {"day": day.isoformat(), "root": found.root, "heads": found.heads}
    connection.execute(sa.insert(_root), {"tenant": tenant, **values, "anchored_at": cut})
    witness.keep_heads(connection, tenant, day.isoformat(), found.root, cut)
    entry = Entry(ANCHORED, {**values, "anchored_at": cut.isoformat()})
    installation.note(connection, tenant, entry, after=cut)
    return found


def _missed(
    connection: sa.Connection, tenant: str, day: dt.date, cut: dt.datetime
) -> dt.datetime | None:
    """Return the end of a day that lies more than one day before `cut` and after a root."""
    ended = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) + dt.timedelta(days=1)
    query = sa.select(_root.c.day).where(_root.c.tenant == tenant, _root.c.day < day.isoformat())
    before = connection.execute(query.limit(1)).first()
    return ended if before is not None and cut - ended >= dt.timedelta(days=1) else None


def to_anchor(connection: sa.Connection, tenant: str, last: dt.date) -> list[dt.date]:
    """Return the days up to `last` that have no root, from the newest that has one on.

    Where no day has one, that is `last` alone.
    """
    query = sa.select(sa.func.max(_root.c.day)).where(_root.c.tenant == tenant)
    newest = connection.execute(query).scalar()
    if newest is None:
        return [last]
    begin = dt.date.fromisoformat(newest)
    count = (last - begin).days
    return [begin + dt.timedelta(days=ahead) for ahead in range(1, count + 1)]
