"""Roots that a timestamp shall witness: what arrived, what was captured, what the heads were.

The earlier the better (TR-03138, requirement F 6.8): the root over the files of an arrival
is made in the transaction that accepts it (`RECEIPT`), the root over the images of its pages
in the one that records them (`CAPTURE`), the root of a day when it is anchored (`HEADS`). A
supplementary note comes when its document has its leaf long since, which stays as it is; so note
and seal get a root of their own when the seal is recorded (`SUPPLEMENT`). No step of any document
waits for the timestamp (`ingest.ledger.witnessed`).

A leaf is the digest of a file or an image together with a random digest, its salt. Erasing
takes the salt; what stays of the leaf leads its neighbours to the root and tells nobody
which file it was, even if they have it.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts, RenditionKind
from ingest.hashtree import SIZE, combined, root_of
from ingest.ledger import schema
from ingest.ledger.inserting import insert_new

Row = sa.Row[Any]
_root = schema.witness_root

RECEIPT: Final = "receipt"
CAPTURE: Final = "capture"
HEADS: Final = "heads"
SUPPLEMENT: Final = "supplement"
#: Under which name an event of its batch or document names a root.
NAMED: Final = {
    RECEIPT: "receipt_root",
    CAPTURE: "capture_root",
    SUPPLEMENT: "supplement_root",
}
#: What a supplementary note consists of, in the order of the leaves.
SUPPLEMENTED: Final = (RenditionKind.SUPPLEMENT, RenditionKind.SUPPLEMENT_SEAL)
#: A salt that was taken away.
GONE: Final = bytes(SIZE)
_NEW = sa.insert(_root)
_OF_UNIT = sa.select(_root).where(
    _root.c.kind == sa.bindparam("of_kind"), _root.c.unit == sa.bindparam("of_unit")
)


def leaf(sha256: str, salt: bytes) -> bytes:
    """Return the leaf of a file or an image."""
    return combined((bytes.fromhex(sha256), salt))


def keep(
    connection: sa.Connection,
    kind: str,
    unit: str,
    tenant: str,
    digests: Sequence[str],
    moment: dt.datetime,
) -> Facts:
    """Keep the root over some digests; return what the event says of it, nothing without any.

    Args:
        connection: In the writing transaction that records what the digests are of.
        kind: `RECEIPT`, `CAPTURE` or `SUPPLEMENT`.
        unit: Id of the batch, of a supplementary note that of its document.
        tenant: Whose batch.
        digests: SHA-256 in hex, in the order in which they are counted; an empty one was
            erased before.
        moment: When they became known.
    """
    if not digests:
        return {}
    salts = [os.urandom(SIZE) if sha256 else GONE for sha256 in digests]
    leaves = [
        leaf(sha256, salt) if sha256 else os.urandom(SIZE)
        for sha256, salt in zip(digests, salts, strict=True)
    ]
    root = root_of(leaves).hex()
    connection.execute(
        _NEW,
        {
            "kind": kind,
            "unit": unit,
            "tenant": tenant,
            "root": root,
            "leaves": b"".join(leaves),
            "salts": b"".join(salts),
            "known_at": moment,
        },
    )
    return {NAMED[kind]: root}


def day_of(tenant: str, day: str) -> str:
    """Return under which unit the root of a tenant's day is kept."""
    return f"{tenant}/{day}"


def keep_heads(
    connection: sa.Connection, tenant: str, day: str, root: str, moment: dt.datetime
) -> None:
    """Keep the root of a day; what is kept already stays.

    Args:
        connection: In a writing transaction.
        tenant: Whose heads.
        day: ISO date.
        root: Over the heads, in hex.
        moment: When it was computed.
    """
    values = {
        "kind": HEADS,
        "unit": day_of(tenant, day),
        "tenant": tenant,
        "root": root,
        "leaves": bytes.fromhex(root),
        "salts": b"",
        "known_at": moment,
    }
    connection.execute(insert_new(_root, connection.dialect.name), values)


def of_unit(connection: sa.Connection, kind: str, unit: str) -> Row | None:
    """Return what is kept of a unit."""
    return connection.execute(_OF_UNIT, {"of_kind": kind, "of_unit": unit}).first()


def forget(
    connection: sa.Connection, kind: str, unit: str, places: Collection[int] | None = None
) -> None:
    """Take the salts of some leaves, counted from 0, or of all: nobody can try them out.

    Args:
        connection: In the writing transaction that erases them.
        kind: `RECEIPT`, `CAPTURE` or `SUPPLEMENT`.
        unit: Id of the batch, of a supplementary note that of its document.
        places: None for all.
    """
    row = of_unit(connection, kind, unit)
    if row is None:
        return
    salts = split(row.salts)
    gone = range(len(salts)) if places is None else set(places)
    left = b"".join(GONE if at in gone else salt for at, salt in enumerate(salts))
    change = sa.update(_root).where(_root.c.kind == kind, _root.c.unit == unit)
    connection.execute(change.values(salts=left))


def split(value: bytes) -> tuple[bytes, ...]:
    """Return the digests of a column value."""
    return tuple(value[at : at + SIZE] for at in range(0, len(value), SIZE))


def arrived(connection: sa.Connection, batch_id: str) -> list[str]:
    """Return the digests of the files as they arrived, in the order of the leaves.

    Sources come first, then what the station said of them. An erased one is empty, a
    manifest that was erased is missing at the end.
    """
    return digests(connection, RECEIPT, [batch_id]).get(batch_id, [])


def imaged(connection: sa.Connection, batch_id: str) -> list[str]:
    """Return the digests of the images of a batch in the order of its pages; erased: empty."""
    return digests(connection, CAPTURE, [batch_id]).get(batch_id, [])


def supplemented(connection: sa.Connection, document_id: str) -> list[str]:
    """Return the digests of a document's supplementary note and its seal; erased: none."""
    return digests(connection, SUPPLEMENT, [document_id]).get(document_id, [])


def digests(connection: sa.Connection, kind: str, units: Collection[str]) -> dict[str, list[str]]:
    """Return what `arrived`, `imaged` or `supplemented` does of several units, by their ids."""
    source, made, page = schema.batch_source, schema.rendition, schema.page
    if kind == SUPPLEMENT:
        of_kind = sa.select(made.c.unit_id, made.c.sha256).where(made.c.unit_id.in_(units))
        queries = [of_kind.where(made.c.kind == part) for part in SUPPLEMENTED]
    elif kind == CAPTURE:
        images = sa.select(page.c.batch_id, page.c.sha256).where(page.c.batch_id.in_(units))
        queries = [images.order_by(page.c.batch_id, page.c.number)]
    else:
        own = sa.select(source.c.batch_id, source.c.sha256).where(
            source.c.batch_id.in_(units), source.c.enclosure_of.is_(None)
        )
        said = sa.select(made.c.unit_id, made.c.sha256).where(
            made.c.unit_id.in_(units), made.c.kind == "manifest"
        )
        queries = [own.order_by(source.c.batch_id, source.c.ordinal), said.order_by(made.c.id)]
    found: dict[str, list[str]] = {}
    for query in queries:
        for unit, sha256 in connection.execute(query):
            found.setdefault(unit, []).append(sha256)
    return found


def places_of_sources(
    connection: sa.Connection, batch_id: str, ordinals: Iterable[int]
) -> set[int]:
    """Return which leaves the sources with some ordinals are, and those of all manifests."""
    source = schema.batch_source
    query = sa.select(source.c.ordinal).where(
        source.c.batch_id == batch_id, source.c.enclosure_of.is_(None)
    )
    own = list(connection.execute(query.order_by(source.c.ordinal)).scalars())
    row = of_unit(connection, RECEIPT, batch_id)
    leaves = 0 if row is None else len(row.leaves) // SIZE
    wanted = set(ordinals)
    return {at for at, ordinal in enumerate(own) if ordinal in wanted} | set(
        range(len(own), leaves)
    )
