"""Which roots wait for their timestamp, which have it, and what that proves.

The timestamps, the trees under them and their renewal are those of `ingest.ledger.evidence`;
here the leaves of a tree are roots. So one timestamp serves many arrivals, and each file and
each image can be proven alone, by an evidence record that leads from it through the root of
its arrival to the timestamp.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts
from ingest.hashtree import SIZE, Branch
from ingest.ledger import accepting, chains, evidence, installation, schema, witness
from ingest.ledger.columns import Moment
from ingest.ledger.engine import be_patient, hold
from ingest.ledger.evidence import Stamp, parted
from ingest.ledger.witness import CAPTURE, HEADS, RECEIPT

Row = sa.Row[Any]
_root, _stamp, _branch = schema.witness_root, schema.evidence_batch, schema.evidence_branch
_OF_NUMBER: Final = sa.select(_stamp).where(_stamp.c.id == sa.bindparam("number"))
#: The event that says that roots were made later than they could have been.
LATER: Final = "witnessed"
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


def capture(connection: sa.Connection, batch_id: str) -> Facts:
    """Return what a note may say of the capture of a batch; nothing where there is no root.

    Returns:
        `root` in hex over the digests of all images of the batch, `pages` how many they are,
        `stamped_at` (ISO 8601, the authority's time), `token_sha256` and `authority` of the
        first timestamp over it; these are None while none has come.
    """
    return _told(connection, CAPTURE, batch_id, "pages")


def receipt(connection: sa.Connection, batch_id: str) -> Facts:
    """Return the same of the files of an arrival, `files` saying how many they are."""
    return _told(connection, RECEIPT, batch_id, "files")


def _told(connection: sa.Connection, kind: str, batch_id: str, counted: str) -> Facts:
    row = witness.of_unit(connection, kind, batch_id)
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
        digests = _digests(connection, kind, unit)
        salts = witness.split(row.salts)
        if place >= len(digests) or not digests[place] or salts[place] == witness.GONE:
            return None
        members = (bytes.fromhex(digests[place]), salts[place])
        inner = Branch(witness.split(row.leaves), ()).path_of(place)
    under = connection.execute(
        sa.select(_branch).where(_branch.c.batch_id == row.batch_id, _branch.c.number == row.branch)
    ).one()
    upper = Branch(parted(under.leaves), parted(under.path)).path_of(row.place)
    stamps = tuple(evidence.timestamps(connection, row.batch_id))
    return Proof(members=members, path=(*inner, *upper), stamps=stamps)


def _digests(connection: sa.Connection, kind: str, unit: str) -> list[str]:
    return witness.digests(connection, kind, [unit]).get(unit, [])


def catch_up(connection: sa.Connection, tenant: str, most: int = 500) -> int:
    """Make roots for batches that came before there were any; return for how many.

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
    for id_ in ids:
        _catch_up(connection, tenant, id_)
    day = schema.merkle_root
    for row in connection.execute(sa.select(day).where(day.c.tenant == tenant)).all():
        witness.keep_heads(connection, tenant, row.day, row.root, row.anchored_at)
    return len(ids)


def _catch_up(connection: sa.Connection, tenant: str, id_: str) -> None:
    batch = schema.batch
    stage = connection.execute(
        sa.select(batch.c.stage).where(batch.c.id == id_).with_for_update()
    ).scalar_one()
    moment = accepting.now(connection)
    files = witness.arrived(connection, id_)
    said = witness.keep(connection, RECEIPT, id_, tenant, files, moment)
    if stage in _STAGES:
        images = witness.imaged(connection, id_)
        said |= witness.keep(connection, CAPTURE, id_, tenant, images, moment)
    chains.append(connection, id_, moment, chains.Entry(LATER, said))
