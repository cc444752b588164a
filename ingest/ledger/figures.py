"""Counts for auditors: of things, never of persons' work."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from ingest.ledger import schema

_batch, _document, _version = schema.batch, schema.document, schema.profile_version


def audit_counts(connection: sa.Connection, tenant: str) -> dict[str, int]:
    """Return how many of what a tenant has, by name."""
    found = {
        name: connection.execute(query, {"of_tenant": tenant}).scalar_one()
        for name, query in _COUNTS.items()
    }
    return {**found, "replacing_documents": _replacing(connection, tenant)}


def _count(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    of_tenant = table.c.tenant == sa.bindparam("of_tenant")
    return sa.select(sa.func.count()).select_from(table).where(of_tenant, *conditions)


_COUNTS: Final = {
    "batches": _count(_batch),
    "documents": _count(_document),
    "erased_documents": _count(_document, _document.c.erased_at.is_not(None)),
    "received_date_missing": _count(_batch, _batch.c.received_at.is_(None)),
    "counted_batches": _count(_batch, _batch.c.expected_sheets.is_not(None)),
    "chains": _count(schema.chain),
    "anchored_days": _count(schema.merkle_root),
    "evidence_timestamps": _count(schema.evidence_batch),
}


def _replacing(connection: sa.Connection, tenant: str) -> int:
    """Count documents whose class replaces paper."""
    versions = sa.select(_version.c.sha256, _version.c.content).where(_version.c.tenant == tenant)
    replacing = [
        row.sha256
        for row in connection.execute(versions)
        if row.content.get("treatment") == "replacing"
    ]
    rules = sa.func.coalesce(_document.c.profile_sha256, _batch.c.profile_sha256)
    query = (
        sa.select(sa.func.count())
        .select_from(_document.join(_batch, _batch.c.id == _document.c.batch_id))
        .where(_document.c.tenant == tenant, rules.in_(replacing))
    )
    return int(connection.execute(query).scalar_one())
