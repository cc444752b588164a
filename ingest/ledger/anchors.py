"""Anchors outside the database: what the chains had come to, day by day, in a folder.

A database that is put back, or replaced, cannot tell by itself that it once knew more. So
each anchored day is written into a file of its own, with the heads that moved since the day
before; a file is never changed and never replaced. The folder belongs on another disk than
the database, and copies of it anywhere do good: nothing in it is secret, ids and digests only.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts
from ingest.errors import StoreUnavailable
from ingest.ledger import installation, schema, witness, witnessed
from ingest.ledger.chains import GENESIS
from ingest.ledger.columns import canonical
from ingest.ledger.evidence import pieces
from ingest.ledger.integrity import heads_at, told

FORMAT: Final = "scanstrasse-anchor/1"
#: The event of the installation that says that a copy was put back.
RESTORED: Final = "restored"
_chain, _event, _day = schema.chain, schema.event, schema.merkle_root
_Entry = tuple[int, str, dt.datetime]


@dataclass(frozen=True, kw_only=True)
class Behind:
    """A chain that once had more events.

    Attributes:
        events: How many are missing.
        kept: How many there are; 0 where the chain is missing.
    """

    chain: str
    events: int
    kept: int


@dataclass(kw_only=True)
class Compared:
    """A tenant's chains beside the anchors.

    Attributes:
        days: How many files were read.
        newest: The last day that was anchored, None without any.
        elsewhere: The last day anchored outside the copy that is compared, None without any.
        behind: Chains that once had more.
        rewritten: Chains whose anchored event is another one.
        explained: How many chains lost events in a restore that history tells of.
        damaged: Files that cannot be read.
        back: Batches and documents that are there although they were erased once.
    """

    days: int = 0
    elsewhere: str | None = None
    newest: str | None = None
    behind: list[Behind] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)
    explained: int = 0
    damaged: list[Path] = field(default_factory=list)
    back: list[str] = field(default_factory=list)


def publish(connection: sa.Connection, folder: Path, tenant: str) -> int:
    """Write the files of the anchored days that the folder lacks; return how many.

    Raises:
        StoreUnavailable: The folder cannot be written; what is missing is written next time.
    """
    query = sa.select(_day).where(_day.c.tenant == tenant).order_by(_day.c.anchored_at)
    since, written = None, 0
    told = _tells_of_erasures(folder, tenant)
    try:
        for row in connection.execute(query).all():
            path = _path(folder, tenant, row)
            if not path.exists():
                content = _content(connection, row, since)
                content["erased"] = _erased(connection, row, since if told else None)
                write(path, canonical(content).encode() + b"\n")
                written, told = written + 1, True
            since = row.anchored_at
    except OSError as error:
        text = f"Der Ordner der Anker {folder} ist nicht beschreibbar: {error}"
        raise StoreUnavailable(f"{folder}: {error}", operator_text=text) from error
    return written


def _path(folder: Path, tenant: str, row: Any) -> Path:
    """Return the place of a day: another root of the same day is another file."""
    return folder / tenant / f"{row.day}-{row.root[:16]}.json"


def _content(connection: sa.Connection, row: Any, since: dt.datetime | None) -> Facts:
    moved = sa.select(_chain.c.id).where(_chain.c.tenant == row.tenant)
    if since is not None:
        moved = moved.where(_chain.c.changed_at > since)
    changed: list[list[object]] = []
    for piece in pieces(list(connection.execute(moved.order_by(_chain.c.id)).scalars())):
        found = heads_at(connection, piece, row.anchored_at)
        changed += [[head.chain, head.length, head.digest] for head in found.values()]
    return {
        "format": FORMAT,
        "tenant": row.tenant,
        "day": row.day,
        "root": row.root,
        "heads": row.heads,
        "anchored_at": row.anchored_at.isoformat(),
        "changed": changed,
    }


def _tells_of_erasures(folder: Path, tenant: str) -> bool:
    """Tell whether the last file says what was erased; those of earlier versions do not."""
    newest = max((folder / tenant).glob("*.json"), default=None)
    try:
        return newest is None or "erased" in json.loads(newest.read_text("utf-8"))
    except (OSError, ValueError):
        return False


def _erased(connection: sa.Connection, row: Any, since: dt.datetime | None) -> list[str]:
    """Return what was erased in a day, so that a copy from before cannot bring it back unseen."""
    found: list[str] = []
    for table in (schema.batch, schema.document):
        until = (table.c.tenant == row.tenant, table.c.erased_at <= row.anchored_at)
        query = sa.select(table.c.id).where(*until)
        if since is not None:
            query = query.where(table.c.erased_at > since)
        found += connection.execute(query.order_by(table.c.id)).scalars()
    return found


def write(path: Path, content: bytes) -> None:
    """Write a file that is whole or not there, and on the disk on return.

    Raises:
        OSError: It is not there.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    with half.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    half.rename(path)


def unproven(
    connection: sa.Connection, folder: Path, tenant: str
) -> Iterator[tuple[Path, witnessed.Proof]]:
    """Yield for each timestamped day without a record beside its file where it goes."""
    query = sa.select(_day).where(_day.c.tenant == tenant).order_by(_day.c.day)
    for row in connection.execute(query).all():
        place = _path(folder, tenant, row).with_suffix(".er")
        if place.exists():
            continue
        unit = witness.day_of(tenant, row.day)
        proof = witnessed.proof(connection, witness.HEADS, unit, 0)
        if proof is not None:
            yield place, proof


def compare(connection: sa.Connection, folders: Iterable[Path], tenant: str) -> Compared:
    """Compare a tenant's chains with what the anchors in some folders say of them.

    What a restore lost, and said so, is no finding.

    Args:
        connection: In a transaction.
        folders: Those that are missing are left out.
        tenant: Whose chains.
    """
    result = Compared()
    restores = _restores(connection, tenant)
    wanted: dict[str, list[_Entry]] = {}
    explained: set[str] = set()
    erased: set[str] = set()
    for content in _files(folders, tenant, result):
        erased |= set(content.get("erased", ()))
        at = dt.datetime.fromisoformat(content["anchored_at"])
        for chain, length, digest in content["changed"]:
            if _was_lost(restores, chain, length, at):
                explained.add(chain)
            else:
                wanted.setdefault(chain, []).append((length, digest, at))
    result.explained = len(explained)
    for piece in pieces(sorted(wanted)):
        _compare(connection, piece, wanted, result)
    for piece in pieces(sorted(erased)):
        for table in (schema.batch, schema.document):
            there = sa.and_(table.c.id.in_(piece), table.c.erased_at.is_(None))
            result.back += connection.execute(sa.select(table.c.id).where(there)).scalars()
    return result


def newest_in(folders: Iterable[Path], tenant: str) -> str | None:
    """Return the last day that readable anchors in some folders are of, None without any."""
    return max((str(one["day"]) for one in _files(folders, tenant, Compared())), default=None)


def _files(folders: Iterable[Path], tenant: str, result: Compared) -> Iterator[Facts]:
    seen: set[str] = set()
    for folder in folders:
        for path in sorted((folder / tenant).glob("*.json")):
            if path.name in seen:
                continue
            content = _read(path, tenant)
            if content is None:
                result.damaged.append(path)
                continue
            seen.add(path.name)
            result.days += 1
            result.newest = max(result.newest or "", str(content["day"]))
            yield content


def _read(path: Path, tenant: str) -> Facts | None:
    """Return what a file says, None if it is none of this tenant's or damaged."""
    try:
        content: Facts = json.loads(path.read_text("utf-8"))
        if content["format"] != FORMAT or content["tenant"] != tenant:
            return None
        dt.datetime.fromisoformat(content["anchored_at"])
        rows = [(str(chain), int(count), str(head)) for chain, count, head in content["changed"]]
        gone = [str(id_) for id_ in content.get("erased", ())]
        return {**content, "day": str(content["day"]), "changed": rows, "erased": gone}
    except (OSError, ValueError, LookupError, TypeError):
        return None


_Restores = list[tuple[dt.datetime, dict[str, int]]]


def _restores(connection: sa.Connection, tenant: str) -> _Restores:
    chosen = (_event.c.chain == installation.chain_of(tenant), _event.c.kind == RESTORED)
    return [(row.at, row.payload.get("behind", {})) for row in told(connection, *chosen)]


def _was_lost(restores: _Restores, chain: str, length: int, at: dt.datetime) -> bool:
    return any(
        at <= restored_at and chain in behind and length > behind[chain]
        for restored_at, behind in restores
    )


def _compare(
    connection: sa.Connection,
    piece: Sequence[str],
    wanted: dict[str, list[_Entry]],
    result: Compared,
) -> None:
    chosen = sa.select(_chain.c.id, _chain.c.length).where(_chain.c.id.in_(piece))
    kept = {row.id: row.length for row in connection.execute(chosen)}
    there: dict[str, tuple[int, str]] = {}
    for id_ in piece:
        length = kept.get(id_, 0)
        most = max(entry[0] for entry in wanted[id_])
        if most > length:
            result.behind.append(Behind(chain=id_, events=most - length, kept=length))
        within = [(entry[0], entry[1]) for entry in wanted[id_] if entry[0] <= length]
        if within:
            there[id_] = max(within)
    query = sa.select(_event.c.chain, _event.c.seq, _event.c.digest).where(
        sa.tuple_(_event.c.chain, _event.c.seq).in_([(id_, n) for id_, (n, _) in there.items()])
    )
    digests = {row.chain: row.digest for row in connection.execute(query)} if there else {}
    for id_, (_, digest) in there.items():
        if digests.get(id_, GENESIS) != digest:
            result.rewritten.append(id_)
