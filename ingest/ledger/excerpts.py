"""What the ledger hands out of its history, so that others can compute it again elsewhere.

Events come with their payloads and salts: whoever passes them on decides what of them may
leave the house. An event whose payload is not shown still verifies, by its digest.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import REST, Facts, UnitKind
from ingest.ledger import boxes, schema
from ingest.ledger.columns import to_microseconds
from ingest.ledger.integrity import Head, events_of, heads_up_to, leaf_of
from ingest.ledger.reading import moment
from ingest.ledger.showing import find

Row = sa.Row[Any]
_document, _root, _chain = schema.document, schema.merkle_root, schema.chain
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """The way from a chain to the root of a day over all chains (RFC 9162, section 2.1.3).

    Attributes:
        day: ISO date, in UTC.
        head: How far the chain had come by then.
        heads: Leaves of the tree.
        index: Which of them is the chain, from 0.
        path: Siblings on the way to the root, hexadecimal, from the leaf upwards.
    """

    day: str
    root: str
    anchored_at: dt.datetime
    head: Head
    heads: int
    index: int
    path: tuple[str, ...]


def documents_of(connection: sa.Connection, id_: str) -> list[str]:
    """Return the ids of a document, or of all documents of a batch, revisions included.

    Raises:
        UsageError: See `ingest.ledger.showing.find`.
    """
    unit = find(connection, id_)
    if unit.kind is UnitKind.DOCUMENT:
        return [unit.id]
    query = sa.select(_document.c.id).where(_document.c.batch_id == unit.id)
    return list(connection.execute(query.order_by(_document.c.ordinal, _document.c.id)).scalars())


def cut_of(connection: sa.Connection, batch_id: str) -> list[Facts]:
    """Return which pages of a batch became which document, superseded ones included."""
    query = sa.select(_document).where(_document.c.batch_id == batch_id)
    return [
        {
            "id": row.id,
            "ordinal": row.ordinal,
            "revision": row.revision,
            "superseded_by": row.superseded_by,
            "source": row.source,
            "pages": row.pages,
        }
        for row in connection.execute(query.order_by(_document.c.ordinal, _document.c.revision))
    ]


def chain_of(connection: sa.Connection, chain: str) -> Facts:
    """Return what is known of a chain as a whole: kind, length, digest of its last event."""
    row = connection.execute(sa.select(_chain).where(_chain.c.id == chain)).one()
    return {"chain": row.id, "unit_kind": row.unit_kind, "length": row.length, "head": row.head}


def told(connection: sa.Connection, chain: str) -> list[Facts]:
    """Return the events of a chain with everything that their digests are made of.

    An erased payload is None, and so is its salt.
    """
    return [
        {
            "chain": row.chain,
            "seq": row.seq,
            "kind": row.kind,
            "at": moment(row.at),
            "at_microseconds": to_microseconds(row.at),
            "actor": row.actor,
            "payload_digest": row.payload_digest,
            "previous": row.previous,
            "digest": row.digest,
            "salt": row.salt,
            "payload": row.payload,
        }
        for row in events_of(connection, [chain])
    ]


def profile_of(connection: sa.Connection, tenant: str, sha256: str) -> Facts | None:
    """Return a version of a profile as it was used, None if none is known by this digest."""
    table = schema.profile_version
    query = sa.select(table).where(table.c.tenant == tenant, table.c.sha256 == sha256)
    row = connection.execute(query).first()
    if row is None:
        return None
    used = moment(row.first_used_at)
    return {
        "name": row.name,
        "sha256": row.sha256,
        "first_used_at": used,
        "content": row.content,
    }


def paper_of(connection: sa.Connection, batch_id: str, document_id: str) -> list[Facts]:
    """Return where the paper of a document is and what happened to it, oldest first.

    Sheets that belong to no document, such as separators, are told of with every document.

    Args:
        connection: In a reading transaction.
        batch_id: Of the batch.
        document_id: Of the document, in whichever revision.
    """
    table = schema.paper_unit
    own = sa.select(_document.c.ordinal).where(_document.c.id == document_id).scalar_subquery()
    chosen = (table.c.batch_id == batch_id, table.c.ordinal.in_((own, REST)))
    query = sa.select(table).where(*chosen).order_by(table.c.id)
    return [
        {
            "id": row.id,
            "stage": row.stage,
            "place": row.place,
            "changed_at": moment(row.changed_at),
            "changed_by": row.changed_by,
            "history": list(boxes.history(connection, row.id)),
        }
        for row in connection.execute(query)
    ]


class Anchors:
    """Ways from chains of one tenant to its daily roots; the tree of a day is grown once."""

    def __init__(self, connection: sa.Connection, tenant: str) -> None:
        """Read which days were anchored."""
        self._connection = connection
        self._tenant = tenant
        query = sa.select(_root).where(_root.c.tenant == tenant).order_by(_root.c.anchored_at)
        self._days = list(connection.execute(query))
        self._grown: dict[str, tuple[dict[str, tuple[int, Head]], list[list[bytes]]]] = {}

    def of(self, events: Sequence[Facts]) -> Anchor | None:
        """Return the way of a chain, given with all its events, to a root.

        It is the first root over all of it; where there is none yet, the newest over a part.
        """
        first, last = events[0]["at_microseconds"], events[-1]["at_microseconds"]
        over_part = [row for row in self._days if to_microseconds(row.anchored_at) >= first]
        over_all = [row for row in over_part if to_microseconds(row.anchored_at) >= last]
        if not over_part:
            return None
        return self._way(str(events[0]["chain"]), over_all[0] if over_all else over_part[-1])

    def _way(self, chain: str, row: Row) -> Anchor | None:
        if row.day not in self._grown:
            self._grown[row.day] = self._grow(row.anchored_at)
        places, rows = self._grown[row.day]
        if chain not in places:
            return None
        place, head = places[chain]
        return Anchor(
            day=row.day,
            root=row.root,
            anchored_at=row.anchored_at,
            head=head,
            heads=row.heads,
            index=place,
            path=_path(rows, place),
        )

    def _grow(self, cut: dt.datetime) -> tuple[dict[str, tuple[int, Head]], list[list[bytes]]]:
        places: dict[str, tuple[int, Head]] = {}
        leaves: list[bytes] = []
        for head in heads_up_to(self._connection, self._tenant, cut):
            places[head.chain] = len(leaves), head
            leaves.append(hashlib.sha256(_LEAF + leaf_of(head)).digest())
        return places, _rows(leaves)


def _rows(leaves: list[bytes]) -> list[list[bytes]]:
    """Return the nodes of every height; an odd last one goes up unchanged, as in RFC 6962."""
    rows = [leaves]
    while len(row := rows[-1]) > 1:
        above = [
            hashlib.sha256(_NODE + a + b).digest()
            for a, b in zip(row[::2], row[1::2], strict=False)
        ]
        rows.append(above + row[2 * len(above) :])
    return rows


def _path(rows: list[list[bytes]], place: int) -> tuple[str, ...]:
    found: list[str] = []
    for row in rows[:-1]:
        beside = place ^ 1
        if beside < len(row):
            found.append(row[beside].hex())
        place >>= 1
    return tuple(found)
