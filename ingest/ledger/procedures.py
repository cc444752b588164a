"""The written procedure (Verfahrensdokumentation) and its technical annex, as released.

The store keeps the bytes, the ledger who released which digest when (BSI TR-03138 V1.5, A.G.1).
A profile names the digest of the written procedure it works under; notes cite the annex that
was in force. Nothing that is referred to can be removed (kept until the last document that was
scanned under it is gone).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import sqlalchemy as sa

from ingest.document import ENDS, Blob, Facts, Role
from ingest.errors import UsageError
from ingest.ledger import accepting, chains, installation, people, schema
from ingest.ledger.admitting import WITHDRAWN
from ingest.ledger.engine import hold
from ingest.ledger.terms import Present

Row = sa.Row[Any]
Kind = Literal["written", "annex"]
_text, _file, _version = schema.procedure_text, schema.profile_file, schema.profile_version
_batch, _document, _blob = schema.batch, schema.document, schema.blob

RELEASED: Final = "procedure_released"
REMOVED: Final = "procedure_removed"
_NEWEST_ANNEX = (
    sa.select(_text)
    .where(_text.c.tenant == sa.bindparam("of_tenant"), _text.c.kind == "annex")
    .order_by(_text.c.released_at.desc())
    .limit(1)
)


def release(  # noqa: PLR0913 - what a release is made of, each named at the call
    connection: sa.Connection,
    tenant: str,
    blob: Blob,
    *,
    kind: Kind,
    name: str,
    media_type: str,
    by: str,
    present: Present,
) -> None:
    """Release a text whose bytes are stored.

    Raises:
        UsageError: `by` is no supervisor, the name is empty, the bytes were released before or
            are not in the store; nothing changed.
    """
    people.require_role(connection, tenant, by, Role.SUPERVISOR)
    hold(connection, f"procedures of {tenant}")
    if not name.strip():
        text = "Es fehlt die Angabe --name (wie das Dokument heißt)."
        raise UsageError("no name", operator_text=text)
    if _one(connection, tenant, blob.sha256) is not None:
        text = f"Genau dieser Text ist schon freigegeben: {blob.sha256}."
        raise UsageError("released before", operator_text=text)
    moment = accepting.now(connection)
    if accepting.keep_blobs(connection, tenant, [(blob.sha256, blob.size)], moment, present):
        text = "Der Text liegt nicht in der Ablage; bitte noch einmal freigeben."
        raise UsageError("the text is not in the store", operator_text=text)
    row: Facts = {
        "tenant": tenant,
        "sha256": blob.sha256,
        "kind": kind,
        "name": name,
        "media_type": media_type,
        "size": blob.size,
        "released_by": by,
        "released_at": moment,
    }
    connection.execute(sa.insert(_text), row)
    said: Facts = {name: row[name] for name in ("sha256", "kind", "name", "media_type", "size")}
    said["released_at"] = moment.isoformat()
    installation.note(connection, tenant, chains.Entry(RELEASED, said, by))


def remove(
    connection: sa.Connection, tenant: str, chosen: str, *, by: str, reason: str
) -> str | None:
    """Remove a text that nothing refers to; return its digest where its bytes may go as well.

    The caller erases the bytes before it commits, as after `ingest.ledger.erasure.erase`.

    Raises:
        UsageError: Something refers to it, `by` is no supervisor, the reason is missing, or no
            single text can be meant; nothing changed.
    """
    people.require_role(connection, tenant, by, Role.SUPERVISOR)
    hold(connection, f"procedures of {tenant}")
    row = text_of(connection, tenant, chosen)
    if not reason.strip():
        text = "Für das Löschen fehlt die Angabe --reason (Grund)."
        raise UsageError("no reason", operator_text=text)
    if (user := _user(connection, row)) is not None:
        text = f"{row.name} wird noch gebraucht: {user}. Es bleibt aufbewahrt (A.G.1)."
        raise UsageError(f"procedure {row.sha256} is referred to", operator_text=text)
    named = (_text.c.tenant == tenant, _text.c.sha256 == row.sha256)
    connection.execute(sa.delete(_text).where(*named))
    said: Facts = {"sha256": row.sha256, "kind": row.kind, "reason": reason}
    installation.note(connection, tenant, chains.Entry(REMOVED, said, by))
    if _kept_otherwise(connection, tenant, row.sha256):
        return None
    of_blob = (_blob.c.tenant == tenant, _blob.c.sha256 == row.sha256)
    connection.execute(sa.delete(_blob).where(*of_blob))
    return str(row.sha256)


def texts(connection: sa.Connection, tenant: str) -> Sequence[Row]:
    """Return the released texts of a tenant in the order of their release."""
    query = sa.select(_text).where(_text.c.tenant == tenant)
    return connection.execute(query.order_by(_text.c.released_at)).all()


def text_of(connection: sa.Connection, tenant: str, chosen: str) -> Row:
    """Return the text whose digest begins with `chosen`.

    Raises:
        UsageError: There is none, or there are several.
    """
    found = [row for row in texts(connection, tenant) if row.sha256.startswith(chosen.lower())]
    if len(found) != 1:
        text = f"{chosen}: Kein oder mehr als ein freigegebener Text beginnt so."
        raise UsageError(f"{len(found)} texts begin with {chosen}", operator_text=text)
    return found[0]


def annex(connection: sa.Connection, tenant: str) -> Facts:
    """Return the technical annex in force, as `Assignment.procedure`; empty without one."""
    row = connection.execute(_NEWEST_ANNEX, {"of_tenant": tenant}).first()
    if row is None:
        return {}
    return {
        "annex_sha256": row.sha256,
        "released_by": row.released_by,
        "released_at": row.released_at.isoformat(),
    }


def _one(connection: sa.Connection, tenant: str, sha256: str) -> Row | None:
    named = (_text.c.tenant == tenant, _text.c.sha256 == sha256)
    return connection.execute(sa.select(_text).where(*named)).first()


def _user(connection: sa.Connection, row: Row) -> str | None:
    """Say in German what refers to a text, None if nothing does."""
    versions = connection.execute(
        sa.select(_version.c.sha256, _version.c.name, _version.c.content).where(
            _version.c.tenant == row.tenant
        )
    )
    replacing = [one for one in versions if one.content.get("treatment") == "replacing"]
    if row.kind == "written":
        query = sa.select(_file.c.name).where(
            _file.c.tenant == row.tenant,
            _file.c.procedure_sha256 == row.sha256,
            _file.c.stage != WITHDRAWN,
        )
        name = connection.execute(query).scalar()
        if name is not None:
            return f"Profil {name} nennt es"
        replacing = [one for one in replacing if _names(one.content, row.sha256)]
    for one in replacing:
        if _has_documents(connection, row, one.sha256):
            return f"Dokumente der Klasse {one.name} sind unter ihm gescannt"
    return None


def _names(content: Facts, sha256: str) -> bool:
    return bool((content.get("procedure") or {}).get("sha256") == sha256)


def _has_documents(connection: sa.Connection, text: Row, profile_sha256: str) -> bool:
    """Tell whether something that was scanned under a profile may rest on a text.

    Which annex a note cites stands in the note alone, so every document counts that changed
    after the annex was released, and whatever is still on its way.
    """
    batch = sa.select(_batch.c.id).where(
        _batch.c.tenant == text.tenant,
        _batch.c.profile_sha256 == profile_sha256,
        _batch.c.erased_at.is_(None),
    )
    rules = sa.func.coalesce(_document.c.profile_sha256, _batch.c.profile_sha256)
    document = (
        sa.select(_document.c.id)
        .join(_batch, _batch.c.id == _document.c.batch_id)
        .where(
            _document.c.tenant == text.tenant,
            rules == profile_sha256,
            _document.c.erased_at.is_(None),
        )
    )
    if text.kind == "annex":
        batch = batch.where(_batch.c.standing.not_in(sorted(ENDS)))
        document = document.where(
            sa.or_(
                _document.c.changed_at >= text.released_at,
                _document.c.standing.not_in(sorted(ENDS)),
            )
        )
    return any(connection.execute(one.limit(1)).first() is not None for one in (batch, document))


def _kept_otherwise(connection: sa.Connection, tenant: str, sha256: str) -> bool:
    return any(
        connection.execute(
            sa.select(table.c.sha256).where(table.c.tenant == tenant, table.c.sha256 == sha256)
        ).first()
        is not None
        for table in (schema.batch_source, schema.rendition)
    )
