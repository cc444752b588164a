"""Which roots wait for their timestamp, which have it, and what that proves.

The timestamps, the trees under them and their renewal are those of `ingest.ledger.evidence`;
here the leaves of a tree are roots. So one timestamp serves many arrivals, and each file and
each image can be proven alone, by an evidence record that leads from it through the root of
its arrival to the timestamp.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts
from ingest.hashtree import SIZE, Branch
from ingest.ledger import accepting, chains, covering, evidence, installation, schema, witness
from ingest.ledger.columns import Moment
from ingest.ledger.covering import LATER, RESCANS
from ingest.ledger.engine import be_patient, hold
from ingest.ledger.evidence import Stamp, parted
from ingest.ledger.witness import CAPTURE, HEADS, RECEIPT

Row = sa.Row[Any]
_root, _stamp, _branch = schema.witness_root, schema.evidence_batch, schema.evidence_branch
_OF_NUMBER: Final = sa.select(_stamp).where(_stamp.c.id == sa.bindparam("number"))
_STAGES: Final = ("inspected", "separated", "closed")


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A root that no timestamp is over yet."""

    kind: str
    unit: str
    root: bytes


def waiting(connection: sa.Connection, tenant: str, most: int) -> list[Waiting]:
    """Return the roots of a tenant that wait, oldest first."""
    query = sa.select(_root.c.kind, _root.c.unit, _root.c.root).where(
        _root.c.tenant == tenant, _root.c.batch_id.is_(None)
    )
    found = connection.execute(query.order_by(_root.c.known_at, _root.c.unit).limit(most))
    return [Waiting(kind=r.kind, unit=r.unit, root=bytes.fromhex(r.root)) for r in found]


def record(
    connection: sa.Connection,
    tenant: str,
    *,
    seen: int,
    stamp: Stamp,
    roots: Sequence[tuple[Waiting, int, int]],
    branches: Iterable[tuple[bytes, bytes]],
) -> bool:
    """Record a timestamp over roots and an event; False if another came in between.

    Args:
        connection: In a writing transaction.
        tenant: Whose roots.
        seen: `evidence.newest` when the roots were read.
        stamp: Over the tree whose leaves are the roots.
        roots: Each with the number of its branch and its place there.
        branches: In order: leaves and path of each, as `evidence.joined`.
    """
    evidence.alone(connection, tenant)
    if evidence.newest(connection, tenant) != seen:
        return False
    said = evidence.stamped(connection, tenant, evidence.ROOTS, stamp)
    number: int = said["batch"]
    evidence.keep_branches(connection, tenant, number, branches)
    change = sa.update(_root).where(
        _root.c.kind == sa.bindparam("of_kind"), _root.c.unit == sa.bindparam("of_unit")
    )
    placed: list[Facts] = [
        {"of_kind": one.kind, "of_unit": one.unit, "batch_id": number, "branch": at, "place": place}
        for one, at, place in roots
    ]
    connection.execute(change, placed)
    entry = chains.Entry(evidence.WITNESSED, {**said, "roots": len(placed)})
    installation.note(connection, tenant, entry)
    return True


def stamped_at(connection: sa.Connection, tenant: str) -> dt.datetime | None:
    """Return when roots were timestamped last, in the database's time."""
    query = sa.select(_stamp.c.recorded_at).where(
        _stamp.c.tenant == tenant, _stamp.c.over == evidence.ROOTS
    )
    found: dt.datetime | None = connection.execute(
        query.order_by(_stamp.c.id.desc()).limit(1)
    ).scalar()
    return found


def account(connection: sa.Connection, tenant: str) -> Facts:
    """Count what waits for a timestamp since when and what has one; say when the last came.

    `ahead_seconds` is by how much the database's clock was ahead of the authority's then, the
    way of the answer included.
    """
    oldest = sa.type_coerce(sa.func.min(_root.c.known_at), Moment)
    query = sa.select(sa.func.count(), oldest).where(
        _root.c.tenant == tenant, _root.c.batch_id.is_(None)
    )
    counted: Any = connection.execute(query).one()
    waits, since = counted
    under = sa.select(sa.func.count()).select_from(_root)
    has = connection.execute(
        under.where(_root.c.tenant == tenant, _root.c.batch_id.is_not(None))
    ).scalar_one()
    of_roots = sa.and_(_stamp.c.tenant == tenant, _stamp.c.over == evidence.ROOTS)
    newest = sa.select(_stamp).where(of_roots).order_by(_stamp.c.id.desc()).limit(1)
    last = connection.execute(newest).first()
    ahead = None if last is None else (last.recorded_at - last.stamped_at).total_seconds()
    return {
        "waiting": waits,
        "stamped": has,
        "waiting_since": None if since is None else since.isoformat(),
        "stamped_at": None if last is None else last.recorded_at.isoformat(),
        "ahead_seconds": ahead,
    }


def captures(
    connection: sa.Connection, batch_id: str, images: Mapping[int, int]
) -> tuple[Facts, ...]:
    """Return what a note may say of the capture of some images of a batch.

    Args:
        connection: In a transaction.
        batch_id: Whose.
        images: Ordinal of the source of each, by page number, in order.

    Returns:
        Of each root over any of them what `capture` says, with their numbers as `images`. An
        image under no root is in none.
    """
    units = {one.ordinal: one.unit for one in covering.again(connection, [batch_id])}
    under: dict[str, list[int]] = {}
    for number, ordinal in images.items():
        under.setdefault(units.get(ordinal, batch_id), []).append(number)
    found = [(capture(connection, unit), numbers) for unit, numbers in under.items()]
    return tuple({**told, "images": numbers} for told, numbers in found if told)


def capture(connection: sa.Connection, unit: str) -> Facts:
    """Return what is known of one root over images; nothing where there is none.

    Args:
        connection: In a transaction.
        unit: Id of the batch for its first capture; of a rescan `covering.unit_of`.

    Returns:
        `root` in hex over the digests of all its images, `pages` how many they are,
        `stamped_at` (ISO 8601, the authority's time), `token_sha256` and `authority` of the
        first timestamp over it; these are None while none has come.
    """
    return _told(connection, CAPTURE, unit, "pages")


def receipt(connection: sa.Connection, unit: str) -> Facts:
    """Return the same of the files of an arrival or a rescan, `files` saying how many they are."""
    return _told(connection, RECEIPT, unit, "files")


def rescans(connection: sa.Connection, batch_id: str, pages: Iterable[Facts]) -> list[Facts]:
    """Return `receipt` and `capture` of each file scanned again that some pages are of.

    Args:
        connection: In a transaction.
        batch_id: Of the batch.
        pages: Each with the ordinal of its `source`.
    """
    own = {page["source"] for page in pages}
    return [
        {
            "source": one.ordinal,
            "receipt": receipt(connection, one.unit),
            "capture": capture(connection, one.unit),
        }
        for one in covering.again(connection, [batch_id])
        if one.ordinal in own
    ]


def _told(connection: sa.Connection, kind: str, unit: str, counted: str) -> Facts:
    row = witness.of_unit(connection, kind, unit)
    if row is None:
        return {}
    found: Facts = {"root": row.root, counted: len(row.leaves) // SIZE}
    if row.batch_id is None:
        return {**found, "stamped_at": None, "token_sha256": None, "authority": None}
    token = connection.execute(_OF_NUMBER, {"number": row.batch_id}).one()
    return {
        **found,
        "stamped_at": token.stamped_at.isoformat(),
        "token_sha256": hashlib.sha256(token.token).hexdigest(),
        "authority": token.authority,
    }


@dataclass(frozen=True, kw_only=True)
class Proof:
    """All that the evidence record of one leaf is made of.

    Attributes:
        members: Digest of the file or image with its salt; of a day's heads their root.
        path: Siblings from the leaf to its root, then from that to the timestamp's.
        stamps: Tokens, oldest first, each with the path to its root from all those before it.
    """

    members: tuple[bytes, ...]
    path: tuple[bytes, ...]
    stamps: tuple[tuple[bytes, tuple[bytes, ...]], ...]


def proof(connection: sa.Connection, kind: str, unit: str, place: int) -> Proof | None:
    """Return what proves leaf number `place`, from 0, of a root; None where nothing does.

    Nothing does where no timestamp has come, or the file was erased.
    """
    row = witness.of_unit(connection, kind, unit)
    if row is None or row.batch_id is None:
        return None
    members: tuple[bytes, ...] = (bytes.fromhex(row.root),)
    inner: tuple[bytes, ...] = ()
    if kind != HEADS:
        digests = covering.digests(connection, kind, unit)
        salts = witness.split(row.salts)
        kept = witness.split(row.leaves)
        if place >= min(map(len, (digests, salts, kept))):
            return None
        if not digests[place] or salts[place] == witness.GONE:
            return None
        members = (bytes.fromhex(digests[place]), salts[place])
        inner = Branch(kept, ()).path_of(place)
    under = connection.execute(
        sa.select(_branch).where(_branch.c.batch_id == row.batch_id, _branch.c.number == row.branch)
    ).one()
    upper = Branch(parted(under.leaves), parted(under.path)).path_of(row.place)
    stamps = tuple(evidence.timestamps(connection, row.batch_id))
    return Proof(members=members, path=(*inner, *upper), stamps=stamps)


def catch_up(connection: sa.Connection, tenant: str, most: int = 500) -> int:
    """Make roots for batches and rescans that came before they got any; say for how many batches.

    Days that were anchored before are to be witnessed from now on as well.

    Args:
        connection: In a writing transaction.
        tenant: Whose batches.
        most: How many at a time, oldest first.
    """
    be_patient(connection)
    hold(connection, f"witness {tenant}")
    batch = schema.batch
    has = sa.exists().where(_root.c.kind == RECEIPT, _root.c.unit == batch.c.id)
    query = sa.select(batch.c.id).where(batch.c.tenant == tenant, batch.c.erased_at.is_(None), ~has)
    with_files = sa.exists().where(schema.batch_source.c.batch_id == batch.c.id)
    ids = list(
        connection.execute(query.where(with_files).order_by(batch.c.id).limit(most)).scalars()
    )
    ids = ids or _with_bare_rescans(connection, tenant)[:most]
    for id_ in ids:
        _catch_up(connection, tenant, id_)
    day = schema.merkle_root
    for row in connection.execute(sa.select(day).where(day.c.tenant == tenant)).all():
        witness.keep_heads(connection, tenant, row.day, row.root, row.anchored_at)
    return len(ids)


def _with_bare_rescans(connection: sa.Connection, tenant: str) -> list[str]:
    """Return the batches that have roots, which a rescan of theirs is not under."""
    batch, source = schema.batch, schema.batch_source
    query = sa.select(batch.c.id).join(source, source.c.batch_id == batch.c.id)
    query = query.where(batch.c.tenant == tenant, batch.c.erased_at.is_(None))
    query = query.where(source.c.rescan_of.is_not(None), ~covering.ROOTED).distinct()
    found: list[str] = []
    for piece in evidence.pieces(sorted(connection.execute(query).scalars())):
        found += sorted({one.batch for one in _bare(connection, piece)})
    return found


def _bare(connection: sa.Connection, batches: list[str]) -> list[covering.Again]:
    """Return the rescans that are under no root at all."""
    found = covering.again(connection, batches)
    return [one for one in found if not one.rooted and one.unit != one.batch]


def _catch_up(connection: sa.Connection, tenant: str, id_: str) -> None:
    batch = schema.batch
    stage = connection.execute(
        sa.select(batch.c.stage).where(batch.c.id == id_).with_for_update()
    ).scalar_one()
    moment = accepting.now(connection)
    bare = {one.unit: one.ordinal for one in _bare(connection, [id_])}
    kinds = (RECEIPT, CAPTURE) if stage in _STAGES else (RECEIPT,)
    made: dict[str, Facts] = {}
    for kind in kinds:
        for unit in (id_, *bare):
            if witness.of_unit(connection, kind, unit) is None:
                digests = covering.digests(connection, kind, unit)
                said = witness.keep(connection, kind, unit, tenant, digests, moment)
                made[unit] = made.get(unit, {}) | said
    told = made.pop(id_, {})
    if made:
        told[RESCANS] = [{"source": bare[unit], **said} for unit, said in made.items()]
    chains.append(connection, id_, moment, chains.Entry(LATER, told))
