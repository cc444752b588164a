"""Many documents in a ledger, made of one that took the real way.

The rows that one batch left in every table are multiplied by set-based SQL. Ids are
replaced by unique ones that sort by time, digests that stand in an index by distinct ones
that are spread evenly, times by times of the last two years. Digests inside the event
chains stay copies: no index holds them, and no chain is verified here.
"""

# ruff: noqa: S608 - names are the schema's own, values were written by this program just before

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from bench.databases import Connection, Database
from ingest import clock
from ingest.ledger import schema
from ingest.ledger.columns import Moment

_PORTION = 50_000
_PAST = dt.timedelta(days=730)
#: In the order in which they refer to one another.
_TABLES = (
    schema.batch,
    schema.batch_source,
    schema.consignment,
    schema.document,
    schema.page,
    schema.blob,
    schema.rendition,
    schema.chain,
    schema.event,
    schema.event_payload,
    schema.claim,
)
_IDS = {"batch": "batch_id", "consignment": "consignment_id", "document": "document_id"}
_IDS |= {"page": "page_id"}
_KEYS = ("id", "batch_id", "consignment_id", "document_id", "unit_id", "chain", "receipt_key")
_REPLACED = frozenset((*_KEYS, "sha256", "words_sha256", "parent_sha256"))
_SERIES = (
    "CREATE TEMPORARY TABLE series (n BIGINT, at BIGINT, digest TEXT, batch_id TEXT, "
    "page_id TEXT, consignment_id TEXT, document_id TEXT)"
)


def multiply(
    database: Database, connection: Connection, batch_id: str, numbers: range, *, past: bool = True
) -> None:
    """Add a copy of a batch, with all that belongs to it, for each number.

    Args:
        database: Whose kind of SQL is spoken.
        connection: From `database.loading`.
        batch_id: The batch to be copied.
        numbers: One for each copy; a number serves once in a database.
        past: Copies lie in the last two years; else they arrived just now.
    """
    connection.execute("BEGIN")
    replaced = _extract(connection, batch_id)
    statements = [_copy(table, replaced) for table in _TABLES]
    connection.execute(_SERIES)
    for start in range(numbers.start, numbers.stop, _PORTION):
        portion = range(start, min(start + _PORTION, numbers.stop))
        connection.execute("DELETE FROM series")
        _fill(database, connection, _series(portion, numbers, past=past))
        for statement in statements:
            connection.execute(statement)
    connection.execute("DROP TABLE series")
    for table in _TABLES:
        connection.execute(f"DROP TABLE template_{table.name}")
    connection.execute("COMMIT")


def _extract(connection: Connection, batch_id: str) -> dict[str, str]:
    """Lay one batch aside in `template_*`; return by value what takes its place."""
    batch = f"'{batch_id}'"
    units = (
        f"SELECT {batch} UNION ALL SELECT id FROM document WHERE batch_id = {batch} "
        f"UNION ALL SELECT id FROM page WHERE batch_id = {batch}"
    )
    digests = (
        f"SELECT sha256 FROM batch_source WHERE batch_id = {batch} "
        f"UNION SELECT sha256 FROM rendition WHERE unit_id IN ({units}) ORDER BY 1"
    )
    keys = {"batch": "id", "chain": "id", "rendition": "unit_id", "claim": "unit_id"}
    keys |= {"event": "chain", "event_payload": "chain", "blob": "sha256"}
    for table in _TABLES:
        key = keys.get(table.name, "batch_id")
        chosen = digests if table is schema.blob else units
        if key == "batch_id":
            chosen = f"SELECT {batch}"
        first = ", ".join(column.name for column in table.primary_key)
        connection.execute(
            f"CREATE TEMPORARY TABLE template_{table.name} AS SELECT * FROM {table.name} "
            f"WHERE {key} IN ({chosen}) ORDER BY {first}"
        )
    replaced = {
        row[0]: f"s.{column}"
        for table, column in _IDS.items()
        for row in connection.execute(f"SELECT id FROM template_{table}").fetchall()
    }
    for place, (digest,) in enumerate(connection.execute(digests).fetchall()):
        turn = 1 + 5 * place
        replaced[digest] = f"(substr(s.digest, {turn}) || substr(s.digest, 1, {turn - 1}))"
    for (key,) in connection.execute("SELECT receipt_key FROM template_batch").fetchall():
        replaced[key] = "s.digest"
    return replaced


def _copy(table: Any, replaced: dict[str, str]) -> str:
    counted = table.name in {"rendition", "claim"}
    columns = [column for column in table.c if not (counted and column.name == "id")]
    values = ", ".join(_value(column, replaced) for column in columns)
    names = ", ".join(column.name for column in columns)
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {values} "
        f"FROM series s CROSS JOIN template_{table.name} t"
    )


def _value(column: Any, replaced: dict[str, str]) -> str:
    if column.name == "idempotency_key":
        return "s.digest"
    if column.name in _REPLACED:
        cases = " ".join(f"WHEN '{value}' THEN {new}" for value, new in replaced.items())
        return f"CASE t.{column.name} {cases} ELSE t.{column.name} END"
    if isinstance(column.type, Moment):
        return f"CASE WHEN t.{column.name} IS NULL THEN NULL ELSE s.at END"
    return f"t.{column.name}"


_Row = tuple[int, int, str, str, str, str, str]


def _series(portion: range, numbers: range, *, past: bool) -> Iterator[_Row]:
    span = _PAST if past else dt.timedelta(hours=1)
    first = clock.now() - span
    for number in portion:
        at = first + span * ((number - numbers.start) / len(numbers))
        microseconds = round(at.timestamp() * 1e6)
        digest = hashlib.sha256(f"{numbers.start}/{number}".encode()).hexdigest()
        ids = (_id(microseconds // 1000, kind, number) for kind in range(1, 5))
        yield (number, microseconds, digest, *ids)  # type: ignore[misc]  # there are four


def _id(milliseconds: int, kind: int, number: int) -> str:
    """Return an id as `new_id` makes it, with the number in place of the random tail."""
    moment = f"{milliseconds:012x}"
    return f"{moment[:8]}-{moment[8:]}-7{kind:03x}-8000-{number:012x}"


def _fill(database: Database, connection: Any, rows: Iterable[_Row]) -> None:
    if database.name == "sqlite":
        connection.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        return
    with connection.cursor().copy("COPY series FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    connection.execute("ANALYZE series")
