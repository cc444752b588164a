"""The inventory of data fields: every column, what it is for, and how long it stays.

The columns are the schema's own; what they are for stands in `fields.toml`. On which law a
house keeps them only the house can say.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ingest.ledger import namebook, schema

LEGAL_BASIS: Final = "von der Behörde festzulegen"
_FILE: Final = Path(__file__).with_name("fields.toml")
_COMMON: Final = "common"


@dataclass(frozen=True, kw_only=True)
class Field:
    """A column.

    Attributes:
        thing: What the table holds.
        purpose: What the column is for.
        personal: Whether it says something about a person, codes included.
        retention: How long it stays.
        legal_basis: Always for the house to say.
    """

    table: str
    name: str
    thing: str
    purpose: str
    personal: bool
    retention: str
    legal_basis: str = LEGAL_BASIS

    def record(self) -> dict[str, Any]:
        """Return the field as JSON object."""
        return asdict(self)


def inventory() -> list[Field]:
    """Return every column of the ledger and of the store of names, by table.

    Raises:
        KeyError: A column is not described; the text names table and column.
    """
    described = _described()
    return [_field(described, table, name) for table, name in columns()]


def columns() -> Iterator[tuple[str, str]]:
    """Yield table and name of every column there is."""
    for metadata in (schema.metadata, namebook.metadata):
        for table in sorted(metadata.tables.values(), key=lambda table: table.name):
            for column in table.c:
                yield table.name, column.name


def superfluous() -> list[str]:
    """Return what `fields.toml` describes and the schema does not have."""
    known = set(columns())
    return [
        f"{table}.{name}"
        for table, told in _described().items()
        if table != _COMMON
        for name in (*told.get("fields", {}), *told.get("personal", ()))
        if (table, name) not in known
    ]


def _described() -> dict[str, dict[str, Any]]:
    return tomllib.loads(_FILE.read_text("utf-8"))


def _field(described: dict[str, dict[str, Any]], table: str, name: str) -> Field:
    told = described.get(table, {})
    purpose = told.get("fields", {}).get(name) or described[_COMMON].get(name)
    if purpose is None or "purpose" not in told:
        message = f"{table}.{name} is not described in {_FILE.name}"
        raise KeyError(message)
    return Field(
        table=table,
        name=name,
        thing=told["purpose"],
        purpose=purpose,
        personal=name in told.get("personal", ()),
        retention=told["retention"],
    )
