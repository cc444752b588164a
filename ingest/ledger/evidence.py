"""What is kept of evidence: timestamps, the trees beneath them, which leaf a document is.

Which documents wait is not written down but follows from what is: delivered, not erased,
and no leaf yet. So a timestamp that was fetched and not recorded costs a timestamp and
nothing else. Only whoever saw the newest batch may record the next one; of two machines that
fetched timestamps over the same documents one is refused.

What a document's group consists of goes when the document is erased (`forget`), and with it
which leaf it was. The leaf's own digest stays in the tree, because its neighbours' paths
lead past it. It says nothing to whoever does not have all the erased files: a group of one
file has a random digest beside it, so that nobody can try out a file.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa

from ingest import clock
from ingest.document import Facts, RenditionKind
from ingest.ledger import accepting, chains, installation, revocations, schema, witness
from ingest.ledger.engine import be_patient, hold
from ingest.ledger.revocations import Said

Row = sa.Row[Any]
_document, _source, _rendition = schema.document, schema.batch_source, schema.rendition
_batch, _branch, _leaf = schema.evidence_batch, schema.evidence_branch, schema.evidence_leaf
_renewal = schema.evidence_renewal

DOCUMENTS: Final = "documents"
TIMESTAMPS: Final = "timestamps"
ROOTS: Final = "roots"  #: of `ingest.ledger.witness`
STAMPED: Final = "evidence_stamped"
RENEWED: Final = "evidence_renewed"
WITNESSED: Final = "roots_stamped"
_SIZE: Final = 32  #: bytes of a digest
_PIECE: Final = 500
#: Written out, so that both databases see that the index of finished documents will do.
_FINISHED: Final = sa.text(
    "document.stage IN ('delivered', 'acknowledged') AND document.erased_at IS NULL"
)
#: What the house made of an original and vouches for, beside the original itself.
_MADE: Final = (RenditionKind.NOTE, RenditionKind.PDF)


@dataclass(frozen=True, kw_only=True)
class Group:
    """A document and the digests of what it consists of: original, note, PDF; at least two."""

    document: str
    members: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """A timestamp over the root of a tree.

    Attributes:
        token: RFC 3161, DER, verified.
        renew_before: Afterwards it may be doubted.
        revocation: What the issuers say of its certificate today, where they say anything.
    """

    algorithm: str
    root: bytes
    leaves: int
    token: bytes
    stamped_at: dt.datetime
    authority: str
    certificate_ends_at: dt.datetime
    renew_before: dt.datetime
    revocation: Said | None = None


def joined(digests: Iterable[bytes]) -> bytes:
    """Return digests as one column value."""
    return b"".join(digests)


def parted(value: bytes, algorithm: str = "sha256") -> tuple[bytes, ...]:
    """Return the digests of a column value, made with `algorithm`."""
    size = hashlib.new(algorithm).digest_size
    return tuple(value[at : at + size] for at in range(0, len(value), size))


def waiting_ids(tenant: str) -> sa.Select[Any]:
    """Return the query for what is delivered and has no evidence yet, oldest first."""
    secured = sa.exists().where(_leaf.c.document_id == _document.c.id)
    query = sa.select(_document.c.id).where(_document.c.tenant == tenant, _FINISHED, ~secured)
    return query.order_by(_document.c.id)


def waiting(connection: sa.Connection, tenant: str, most: int) -> list[Group]:
    """Return what is delivered and has no evidence yet, oldest first.

    Args:
        connection: In a reading transaction.
        tenant: Whose documents.
        most: How many at most.
    """
    ids = list(connection.execute(waiting_ids(tenant).limit(most)).scalars())
    found: list[Group] = []
    for piece in pieces(ids):
        found += _groups(connection, piece)
    return found


def _groups(connection: sa.Connection, ids: list[str]) -> Iterator[Group]:
    for id_, digests in consisting(connection, ids).items():
        if len(digests) == 1:
            digests.add(os.urandom(_SIZE))
        if digests:
            yield Group(document=id_, members=tuple(sorted(digests)))


def consisting(connection: sa.Connection, ids: list[str]) -> dict[str, set[bytes]]:
    """Return the digests of original, note and PDF of each document, at most `pieces` of them."""
    own = sa.and_(
        _source.c.batch_id == _document.c.batch_id, _source.c.ordinal == _document.c.source
    )
    originals = sa.select(_document.c.id, _source.c.sha256).join(_source, own)
    members: dict[str, dict[str, str]] = {id_: {} for id_ in ids}
    for id_, sha256 in connection.execute(originals.where(_document.c.id.in_(ids))):
        members[id_]["original"] = sha256
    made = sa.select(_rendition.c.unit_id, _rendition.c.kind, _rendition.c.sha256).where(
        _rendition.c.unit_id.in_(ids), _rendition.c.kind.in_(_MADE)
    )
    for id_, kind, sha256 in connection.execute(made.order_by(_rendition.c.id)):
        members[id_][kind] = sha256  # the newest of a kind counts
    return {
        id_: {bytes.fromhex(sha256) for sha256 in named.values() if sha256}
        for id_, named in members.items()
    }


def newest(connection: sa.Connection, tenant: str) -> int:
    """Return the number of the newest batch, 0 where there is none."""
    query = sa.select(sa.func.max(_batch.c.id)).where(_batch.c.tenant == tenant)
    return connection.execute(query).scalar() or 0


def secured_at(connection: sa.Connection, tenant: str) -> dt.datetime | None:
    """Return when documents were secured last, in the database's time."""
    query = sa.select(_batch.c.recorded_at).where(
        _batch.c.tenant == tenant, _batch.c.over == DOCUMENTS
    )
    found: dt.datetime | None = connection.execute(
        query.order_by(_batch.c.id.desc()).limit(1)
    ).scalar()
    return found


def record(
    connection: sa.Connection,
    tenant: str,
    *,
    seen: int,
    stamp: Stamp,
    leaves: Sequence[tuple[Group, int, int]],
    branches: Iterable[tuple[bytes, bytes]],
) -> int | None:
    """Record a timestamp over documents, its tree and an event, or nothing at all.

    A document that was erased since, or has evidence by now, gets no leaf.

    Args:
        connection: In a writing transaction.
        tenant: Whose documents.
        seen: `newest` when the documents were read.
        stamp: Over the root of the tree.
        leaves: Each group with the number of its branch and its place there.
        branches: In order: leaves and path of each, as `joined`.

    Returns:
        How many documents have evidence now; None if another batch was recorded meanwhile.
    """
    alone(connection, tenant)
    if newest(connection, tenant) != seen:
        return None
    said = stamped(connection, tenant, DOCUMENTS, stamp)
    number: int = said["batch"]
    keep_branches(connection, tenant, number, branches)
    still = set(connection.execute(waiting_ids(tenant)).scalars())
    taken = [entry for entry in leaves if entry[0].document in still]
    own: Iterator[Facts] = (
        {
            "document_id": group.document,
            "tenant": tenant,
            "batch_id": number,
            "branch": branch,
            "place": place,
            "members": joined(group.members),
        }
        for group, branch, place in taken
    )
    insert(connection, _leaf, own)
    installation.note(connection, tenant, chains.Entry(STAMPED, said))
    return len(taken)


def keep_branches(
    connection: sa.Connection, tenant: str, number: int, branches: Iterable[tuple[bytes, bytes]]
) -> None:
    """Keep the tree under a timestamp: leaves and path of each branch, as `joined`."""
    rows: Iterator[Facts] = (
        {"batch_id": number, "number": at, "tenant": tenant, "leaves": digests, "path": path}
        for at, (digests, path) in enumerate(branches)
    )
    insert(connection, _branch, rows)


@dataclass(frozen=True, kw_only=True)
class Due:
    """A batch of documents or roots whose newest timestamp has to be renewed.

    Attributes:
        tokens: All its timestamps, oldest first.
        renew_before: Of the newest.
        algorithm: Of its tree, and so of the tree in which they are renewed.
        newest: The batch that the newest of them is of.
        authority: Of the newest.
        certificate_ends_at: Of the newest.
    """

    number: int
    algorithm: str
    newest: int
    tokens: tuple[bytes, ...]
    renew_before: dt.datetime
    authority: str
    certificate_ends_at: dt.datetime


def due(connection: sa.Connection, tenant: str, moment: dt.datetime) -> list[Due]:
    """Return the batches of documents and roots to be renewed at `moment`, oldest first."""
    query, renew_before = newest_stamps(tenant)
    rows = connection.execute(query.where(renew_before <= moment).order_by(_batch.c.id))
    return [
        Due(
            number=row.id,
            algorithm=row.algorithm,
            newest=row.renewed_by or row.id,
            tokens=tuple(token for token, _ in timestamps(connection, row.id)),
            renew_before=row.renew_before,
            authority=row.authority,
            certificate_ends_at=row.certificate_ends_at,
        )
        for row in rows.all()
    ]


def newest_stamps(tenant: str) -> tuple[sa.Select[Any], sa.ColumnElement[Any]]:
    """Return a query for each batch that may be renewed with the terms of its newest timestamp."""
    later = _batch.alias()
    renew_before, ends_at, authority = (
        sa.func.coalesce(later.c[name], _batch.c[name])
        for name in ("renew_before", "certificate_ends_at", "authority")
    )
    query = (
        sa.select(
            _batch.c.id,
            _batch.c.algorithm,
            _batch.c.over,
            _batch.c.renewed_by,
            authority.label("authority"),
            renew_before.label("renew_before"),
            ends_at.label("certificate_ends_at"),
        )
        .outerjoin(later, later.c.id == _batch.c.renewed_by)
        .where(
            _batch.c.tenant == tenant,
            _batch.c.over != TIMESTAMPS,
            _batch.c.rehashed_by.is_(None),  # a newer digest stands for its timestamps
        )
    )
    return query, renew_before


def record_renewal(
    connection: sa.Connection,
    tenant: str,
    *,
    seen: int,
    stamp: Stamp,
    renewed: Sequence[tuple[int, bytes]],
) -> bool:
    """Record a timestamp over timestamps, and an event; False if something came in between.

    Args:
        connection: In a writing transaction.
        tenant: Whose batches.
        seen: `newest` when they were read.
        stamp: Over the root of a tree whose leaves are the batches' tokens so far.
        renewed: Number of each batch with the path from its tokens to that root.
    """
    alone(connection, tenant)
    if newest(connection, tenant) != seen:
        return False
    said = stamped(connection, tenant, TIMESTAMPS, stamp)
    number: int = said["batch"]
    rows: Iterator[Facts] = (
        {"batch_id": old, "renewed_by": number, "tenant": tenant, "path": path}
        for old, path in renewed
    )
    insert(connection, _renewal, rows)
    under = sa.select(_renewal.c.batch_id).where(_renewal.c.renewed_by == number)
    change = sa.update(_batch).where(_batch.c.id.in_(under))
    connection.execute(change.values(renewed_by=number))
    said |= {"renewed": [old for old, _ in renewed]}
    installation.note(connection, tenant, chains.Entry(RENEWED, said))
    return True


def alone(connection: sa.Connection, tenant: str) -> None:
    """Let whoever records or forgets evidence of a tenant do so one after the other."""
    be_patient(connection)
    hold(connection, f"evidence {tenant}")


def stamped(connection: sa.Connection, tenant: str, over: str, stamp: Stamp) -> Facts:
    """Keep a timestamp; return what its event says, under `batch` its number."""
    values = {
        "over": over,
        "algorithm": stamp.algorithm,
        "root": stamp.root.hex(),
        "leaves": stamp.leaves,
        "authority": stamp.authority,
    }
    moments = {
        "stamped_at": stamp.stamped_at,
        "certificate_ends_at": stamp.certificate_ends_at,
        "renew_before": stamp.renew_before,
        "recorded_at": accepting.now(connection),
    }
    row = {"tenant": tenant, **values, **moments, "token": stamp.token}
    made = connection.execute(sa.insert(_batch).values(row).returning(_batch.c.id))
    number: int = made.scalar_one()
    if stamp.revocation is not None:
        revocations.keep(connection, tenant, number, stamp.revocation)
    said: Facts = {name: moment.isoformat() for name, moment in moments.items()}
    token_sha256 = hashlib.sha256(stamp.token).hexdigest()
    # the authority's time beside that of the machine, and what is known of its clock
    said |= {"token_sha256": token_sha256, "clock": clock.state().facts()}
    return {"batch": number, **values, **said}


def insert(connection: sa.Connection, table: sa.Table, rows: Iterator[Facts]) -> None:
    """Write many rows, in pieces."""
    statement = sa.insert(table).inline()
    while piece := list(islice(rows, _PIECE)):
        connection.execute(statement, piece)


def forget(connection: sa.Connection, tenant: str, documents: Collection[str]) -> None:
    """Take away which leaf some documents are and what their groups consist of.

    The salts of their supplementary notes go as well.

    Whoever records evidence meanwhile is waited for.

    Args:
        connection: In the writing transaction that erases them.
        tenant: Whose documents.
        documents: Their ids.
    """
    alone(connection, tenant)
    for piece in pieces(sorted(documents)):
        for table in (_leaf, schema.evidence_earlier):
            connection.execute(sa.delete(table).where(table.c.document_id.in_(piece)))
        for document in piece:
            witness.forget(connection, witness.SUPPLEMENT, document)


def timestamps(connection: sa.Connection, number: int) -> list[tuple[bytes, tuple[bytes, ...]]]:
    """Return the timestamps of a batch of documents, oldest first, each with its path."""
    first = sa.select(_batch.c.token, _batch.c.algorithm).where(_batch.c.id == number)
    row = connection.execute(first).one()
    own = sa.select(_batch.c.token, _renewal.c.path).join(
        _renewal, _renewal.c.renewed_by == _batch.c.id
    )
    later = own.where(_renewal.c.batch_id == number).order_by(_batch.c.id)
    return [
        (row.token, ()),
        *((one.token, parted(one.path, row.algorithm)) for one in connection.execute(later)),
    ]


def pieces(ids: Sequence[str]) -> Iterator[list[str]]:
    """Yield ids in pieces that one statement takes."""
    for begin in range(0, len(ids), _PIECE):
        yield list(ids[begin : begin + _PIECE])
