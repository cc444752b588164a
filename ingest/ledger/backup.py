"""A consistent copy of the ledger as text, and a ledger made from it.

Each table is a file of JSON lines, read in one transaction, so the copy is of one moment
while everybody goes on working. It is the same for SQLite and PostgreSQL: a copy of one
restores into the other. The manifest, written last, holds the digest of each file and one
root over all chain heads of each tenant, with which a restored ledger is compared.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts
from ingest.errors import DigestMismatch, UsageError
from ingest.ledger import accepting, anchors, chains, installation, schema
from ingest.ledger.anchors import Compared
from ingest.ledger.engine import be_patient
from ingest.ledger.integrity import Break, Root, root_of, verify_chains
from ingest.ledger.migrating import HEAD

FORMAT: Final = "scanstrasse-ledger/1"
MANIFEST: Final = "manifest.json"
_FETCH: Final = 1000
#: The event of each tenant's chain that says that a copy of ledger and store was complete.
BACKED_UP: Final = "backed_up"


@dataclass(frozen=True)
class Copied:
    """What a copy holds.

    Attributes:
        rows: By table.
        roots: Over the chain heads, by tenant.
        at: The copy has everything that was committed before, in the database's time.
        breaks: Places where a restored chain is broken, as it was when it was copied.
        beside: How the restored chains compare with the anchors, by tenant.
    """

    rows: dict[str, int]
    roots: dict[str, Root]
    at: dt.datetime
    breaks: tuple[Break, ...] = ()
    beside: dict[str, Compared] = field(default_factory=dict)


def copy_ledger(connection: sa.Connection, folder: Path) -> Copied:
    """Write the whole ledger into a new folder; on return it is durable.

    Args:
        connection: In one reading transaction.
        folder: Must not exist or be empty.

    Raises:
        UsageError: The folder has content; nothing was written.
        OSError: The copy is not complete: it has no manifest.
    """
    at = accepting.now(connection)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        text = f"Sicherungsordner {folder} ist nicht leer. Bitte einen neuen Ordner angeben."
        raise UsageError(f"{folder} is not empty", operator_text=text)
    files: Facts = {}
    for table in schema.metadata.sorted_tables:
        files[table.name] = _write(connection, table, folder / f"{table.name}.jsonl")
    roots = _roots(connection)
    manifest: Facts = {
        "format": FORMAT,
        "revision": HEAD,
        "copied_at": at.isoformat(),
        "files": files,
        "roots": {tenant: {"root": r.root, "heads": r.heads} for tenant, r in roots.items()},
    }
    with (folder / MANIFEST).open("x", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=2, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return Copied({name: file["rows"] for name, file in files.items()}, roots, at)


def note_complete(connection: sa.Connection, copied: Copied) -> None:
    """Record in each tenant's chain that a copy and all that it names is complete.

    The root of the copied chain heads says which copy: whoever has it can show what was in it.

    Args:
        connection: In a writing transaction, after everything is in the backup and durable.
        copied: What the ledger's part holds.
    """
    for tenant, root in copied.roots.items():
        told = {"copied_at": copied.at.isoformat(), "root": root.root, "heads": root.heads}
        installation.note(connection, tenant, chains.Entry(BACKED_UP, told))


def backed_up_at(connection: sa.Connection, tenant: str) -> dt.datetime | None:
    """Return of which moment a tenant's newest complete backup is, None without one."""
    event, payload = schema.event, schema.event_payload
    own = sa.and_(payload.c.chain == event.c.chain, payload.c.seq == event.c.seq)
    query = sa.select(payload.c.payload).join(event, own)
    chosen = sa.and_(event.c.chain == installation.chain_of(tenant), event.c.kind == BACKED_UP)
    told = connection.execute(query.where(chosen).order_by(event.c.seq.desc()).limit(1)).scalar()
    return None if told is None else dt.datetime.fromisoformat(told["copied_at"])


def _write(connection: sa.Connection, table: sa.Table, path: Path) -> Facts:
    digest, rows = hashlib.sha256(), 0
    columns = [sa.type_coerce(column, _plain(column)) for column in table.c]
    query = sa.select(*columns).order_by(*table.primary_key)
    with path.open("xb") as stream:
        for row in connection.execute(query, execution_options={"yield_per": _FETCH}):
            plain = [_text(value) if isinstance(value, bytes) else value for value in row]
            line = json.dumps(plain, separators=(",", ":")).encode() + b"\n"
            digest.update(line)
            stream.write(line)
            rows += 1
        stream.flush()
        os.fsync(stream.fileno())
    names = [column.name for column in table.c]
    return {"columns": names, "rows": rows, "sha256": digest.hexdigest()}


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _plain(column: sa.Column[Any]) -> sa.types.TypeEngine[Any]:
    """Return the type in which the database keeps a column: the copy has exactly that."""
    kind = column.type
    return kind.impl_instance if isinstance(kind, sa.types.TypeDecorator) else kind


def _roots(connection: sa.Connection) -> dict[str, Root]:
    tenants = connection.execute(sa.select(schema.tenant.c.code).order_by(schema.tenant.c.code))
    return {tenant: root_of(connection, tenant) for tenant in tenants.scalars()}


def check_copy(folder: Path) -> Facts:
    """Return the manifest of a copy whose files are all there and intact.

    Raises:
        UsageError: It is no copy or not a complete one; the text names the file.
        DigestMismatch: A file was altered; the text names it.
    """
    try:
        manifest: Facts = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _unusable(folder / MANIFEST, "fehlt oder ist nicht lesbar") from error
    if manifest.get("format") != FORMAT:
        raise _unusable(folder / MANIFEST, "hat ein unbekanntes Format")
    for name, file in manifest["files"].items():
        path = folder / f"{name}.jsonl"
        try:
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise _unusable(path, "fehlt oder ist nicht lesbar") from error
        if found != file["sha256"]:
            text = f"Sicherung: {path} ist verändert oder beschädigt. Bitte eine andere verwenden."
            raise DigestMismatch(f"{path} was altered", operator_text=text)
    return manifest


def _unusable(path: Path, what: str) -> UsageError:
    text = f"Sicherung: {path} {what}. Bitte eine andere Sicherung verwenden."
    return UsageError(f"{path}: not a usable copy", operator_text=text)


def restore_ledger(
    connection: sa.Connection, folder: Path, by: str, anchors_in: Sequence[Path] = ()
) -> Copied:
    """Fill an empty ledger from a copy, compare its chains, and record that it was restored.

    A copy that is older than the anchors is restored: what it lacks is in the result and in
    the event, so that later comparisons know of it.

    Args:
        connection: In a writing transaction of a ledger whose schema is current.
        folder: Of `copy_ledger`.
        by: Operator code.
        anchors_in: Folders of `ingest.ledger.anchors`.

    Raises:
        UsageError: The copy is unusable or the ledger is not empty.
        DigestMismatch: A file was altered, or the chains are not those that were copied, or
            the anchors show another history. In each case the transaction must end without
            a commit.
    """
    be_patient(connection)
    manifest = check_copy(folder)
    if manifest["revision"] != HEAD:
        raise _unusable(folder / MANIFEST, "stammt von einer anderen Programmversion")
    tables = schema.metadata.sorted_tables
    for table in tables:
        if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
            text = "Wiederhergestellt wird nur in ein leeres Verzeichnis (Datenbank)."
            raise UsageError(f"table {table.name} is not empty", operator_text=text)
    for table in tables:
        _read(connection, table, folder / f"{table.name}.jsonl", manifest["files"][table.name])
    _continue_numbers(connection)
    roots = _roots(connection)
    said = {tenant: Root(r["root"], r["heads"]) for tenant, r in manifest["roots"].items()}
    if said != roots:
        text = f"Die Ereignisketten sind nicht die der Sicherung {folder}; nichts übernommen."
        raise DigestMismatch("restored chains differ from the copy", operator_text=text)
    breaks = tuple(verify_chains(connection))
    beside = {tenant: anchors.compare(connection, anchors_in, tenant) for tenant in roots}
    for tenant, root in roots.items():
        _require_same_history(tenant, beside[tenant])
        told = {"copied_at": manifest["copied_at"], "root": root.root, **_lost(beside[tenant])}
        installation.note(connection, tenant, chains.Entry(anchors.RESTORED, told, by))
    rows = {name: file["rows"] for name, file in manifest["files"].items()}
    at = dt.datetime.fromisoformat(manifest["copied_at"])
    return Copied(rows, roots, at, breaks, beside)


def _require_same_history(tenant: str, found: Compared) -> None:
    if found.rewritten:
        text = (
            f"Mandant {tenant}: {len(found.rewritten)} Ketten der Sicherung widersprechen den "
            f"Ankern, zuerst {found.rewritten[0]}: Sie stammt aus einer anderen Installation oder "
            "wurde umgeschrieben. Nichts übernommen; bitte eine andere Sicherung verwenden."
        )
        raise DigestMismatch("the anchors show another history", operator_text=text)


def _lost(found: Compared) -> Facts:
    """Return what the event says of chains that once had more: how many each has now."""
    return {
        "anchored_until": found.newest,
        "behind": {one.chain: one.kept for one in found.behind},
        "events_missing": sum(one.events for one in found.behind),
        "to_be_erased": sorted(found.back),
    }


def _read(connection: sa.Connection, table: sa.Table, path: Path, file: Facts) -> None:
    plain = sa.table(table.name, *(sa.column(column.name, _plain(column)) for column in table.c))
    statement = sa.insert(plain)
    binary = {column.name for column in table.c if isinstance(column.type, sa.LargeBinary)}
    with path.open("rb") as stream:
        rows = (dict(zip(file["columns"], json.loads(line), strict=True)) for line in stream)
        for piece in _pieces(_bytes_again(rows, binary)):
            connection.execute(statement, piece)


def _bytes_again(rows: Iterator[Facts], binary: set[str]) -> Iterator[Facts]:
    for row in rows:
        held = {name: base64.b64decode(row[name]) for name in binary if row[name] is not None}
        yield row | held


def _pieces(rows: Iterator[Facts]) -> Iterator[list[Facts]]:
    while piece := list(islice(rows, _FETCH)):
        yield piece


def _continue_numbers(connection: sa.Connection) -> None:
    """Let PostgreSQL count on after the highest id; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in schema.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        highest = connection.execute(sa.select(sa.func.max(column))).scalar()
        if highest is not None:
            sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
            connection.execute(sa.select(sa.func.setval(sequence, highest)))
