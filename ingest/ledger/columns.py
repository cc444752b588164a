"""Column types and expressions that SQLite and PostgreSQL have to agree on.

Times are whole microseconds since 1970 in UTC, because SQLite has no time type and a
number sorts and adds the same everywhere. JSON is kept as canonical text: the same facts
are the same bytes, so their digest can be computed again years later. Text loses NUL and
lone surrogates, which PostgreSQL refuses and hostile file names contain.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from typing_extensions import override  # in `typing` from Python 3.12

from ingest.clock import UTC, require_aware

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def to_microseconds(moment: dt.datetime) -> int:
    """Return an aware time as whole microseconds since 1970."""
    return (require_aware(moment, "moment") - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> dt.datetime:
    """Return the aware time, in UTC, of microseconds since 1970."""
    return _EPOCH + dt.timedelta(microseconds=value)


def canonical(value: object) -> str:
    """Return JSON text that is equal for equal values.

    Raises:
        ValueError: The value has NaN or infinity, which JSON does not know.
    """
    return _CANONICAL.encode(value)


def clean_text(text: str) -> str:
    """Return `text` with NUL and lone surrogates replaced by U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    repaired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return repaired.replace("\0", "\ufffd")


class Moment(sa.types.TypeDecorator[dt.datetime]):
    """An aware time, stored as microseconds since 1970 in UTC."""

    impl = sa.BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_microseconds(value)

    @override
    def process_result_value(self, value: Any | None, dialect: Dialect) -> dt.datetime | None:
        return None if value is None else from_microseconds(int(value))


class Json(sa.types.TypeDecorator[Any]):
    """A JSON value, stored as canonical text; None is NULL."""

    impl = sa.Text
    cache_ok = True

    @override
    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:
        return None if value is None else canonical(value)

    @override
    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any | None:
        return None if value is None else json.loads(value)


class Garbled(dict[str, Any]):
    """What stands where JSON was kept and is JSON no more; equal to no facts that were."""


class Kept(Json):
    """A JSON value as verification reads it: one that was damaged is `Garbled`, no error."""

    cache_ok = True

    @override
    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any | None:
        try:
            return super().process_result_value(value, dialect)
        except ValueError:
            return Garbled(garbled=True)


def as_kept(table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """Return a table's columns, JSON read as `Kept`."""
    return [
        sa.type_coerce(column, Kept()).label(column.name)
        if isinstance(column.type, Json)
        else column
        for column in table.c
    ]


class CleanText(sa.types.TypeDecorator[str]):
    """Text from outside: names, messages."""

    impl = sa.Text
    cache_ok = True

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean_text(value)


class database_now(FunctionElement[int]):  # noqa: N801 - reads as the SQL function it is
    """The database's own clock, in microseconds since 1970: the only clock of leases."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(database_now, "sqlite")
def _sqlite_now(element: database_now, compiler: SQLCompiler, **kw: Any) -> str:
    del element, compiler, kw
    return "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)"


@compiles(database_now, "postgresql")
def _postgresql_now(element: database_now, compiler: SQLCompiler, **kw: Any) -> str:
    del element, compiler, kw
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
