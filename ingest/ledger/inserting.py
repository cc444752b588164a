"""INSERT that lets an existing row be, in both dialects."""

from __future__ import annotations

import functools

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ingest.ledger import schema


@functools.cache
def insert_new(table: sa.Table, dialect: str) -> sa.Executable:
    """Return an INSERT that does nothing where the row exists; built once for each table."""
    if dialect == "postgresql":
        return postgresql.insert(table).inline().on_conflict_do_nothing()
    return sqlite.insert(table).inline().on_conflict_do_nothing()


@functools.cache
def insert_blob(dialect: str) -> sa.Executable:
    """Return the INSERT of a blob: a row that exists stays as it is, locked for the inserter.

    SQLite has one writer at a time and needs no lock.
    """
    if dialect != "postgresql":
        return insert_new(schema.blob, dialect)
    key = [schema.blob.c.tenant, schema.blob.c.sha256]
    unchanged = {"size": schema.blob.c.size}
    inserted = postgresql.insert(schema.blob).inline()
    return inserted.on_conflict_do_update(index_elements=key, set_=unchanged)


@functools.cache
def insert_batch(dialect: str) -> sa.Executable:
    """Return the INSERT of a batch: no row comes back if its receipt key is known."""
    columns = (schema.batch.c.id, schema.batch.c.registered_at)
    key = [schema.batch.c.receipt_key]
    if dialect == "postgresql":
        postgres = postgresql.insert(schema.batch).on_conflict_do_nothing(index_elements=key)
        return postgres.returning(*columns)
    lite = sqlite.insert(schema.batch).on_conflict_do_nothing(index_elements=key)
    return lite.returning(*columns)
