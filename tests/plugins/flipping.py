"""Changing and taking away what a ledger keeps, and what is then found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from ingest.ledger import Ledger, schema


def flipped(value: Any, at: int) -> Any:
    """Return a value of which one character, bit or number is another."""
    if isinstance(value, int):
        return value ^ 64
    if isinstance(value, bytes):
        return bytes(byte ^ (index == at) for index, byte in enumerate(value))
    return replaced(value, at, chr(ord(value[at]) ^ 1))


def replaced(text: str, at: int, character: str) -> str:
    """Return a text with another character at a place."""
    return text[:at] + character + text[at + 1 :]


def changes(value: Any) -> set[Any]:
    """Return what a value may become: text of which one character is no digit any more too."""
    if isinstance(value, float):
        return {value / 2}
    at = 0 if isinstance(value, int) else len(value) // 2
    if not isinstance(value, str):
        return {flipped(value, at)}
    return {replaced(value, at, one) for one in ("0", "1", "`", "ä", "")} - {value}


@contextmanager
def undone(ledger: Ledger) -> Iterator[sa.Connection]:
    """Yield a connection of whose changes nothing stays, and which asks for no foreign keys."""
    with ledger.writing() as connection:
        connection.execute(sa.text("PRAGMA defer_foreign_keys = ON"))
        yield connection
        connection.rollback()


def as_written(table: sa.Table) -> sa.TableClause:
    """Return a table whose values are those of the database, whatever they mean."""
    return sa.table(table.name, *(sa.column(one.name) for one in table.c))


def own(table: sa.Table, plain: sa.TableClause, row: Any) -> list[sa.ColumnElement[bool]]:
    """Return what chooses one row alone."""
    return [plain.c[one.name] == row[one.name] for one in table.primary_key]


def filled(connection: sa.Connection, name: str, field: str | None = None) -> list[Any]:
    """Return the rows of a table in order of its key, of a column only where it says anything."""
    table = schema.metadata.tables[name]
    plain = as_written(table)
    query = sa.select(*plain.c).order_by(*(plain.c[one.name] for one in table.primary_key))
    if field is not None:
        query = query.where(plain.c[field].is_not(None))
    return list(connection.execute(query).mappings())


@contextmanager
def changed(
    connection: sa.Connection, name: str, row: Any, field: str, value: Any
) -> Iterator[None]:
    """Let one column of one row be another, for a while."""
    table = schema.metadata.tables[name]
    plain = as_written(table)
    step = connection.begin_nested()
    change = sa.update(plain).where(*own(table, plain, row)).values({field: value})
    assert connection.execute(change).rowcount == 1
    yield
    step.rollback()


@contextmanager
def deleted(connection: sa.Connection, name: str, row: Any) -> Iterator[None]:
    """Let one row be gone, for a while."""
    table = schema.metadata.tables[name]
    plain = as_written(table)
    step = connection.begin_nested()
    assert connection.execute(sa.delete(plain).where(*own(table, plain, row))).rowcount == 1
    yield
    step.rollback()
