"""The store of names: which name belongs to a person whom the ledger knows by an opaque id.

It is no part of the ledger: a database of its own, in no backup of the ledger, told to no
worker. Whoever copies, breaks or reads the ledger learns no name; whoever erases a name here
leaves every chain as it is (BSI TR-03138 V1.5, A.NB.4a: a pseudonym that can be resolved at
once; Anwendungshinweis F 8.11: as few personal data as possible). Only administrators write
here and only `ingest.ledger.pseudonyms` reads.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from ingest.clock import now
from ingest.document import Facts
from ingest.errors import LedgerUnavailable
from ingest.ledger import engine as engines
from ingest.ledger.columns import CleanText, Moment

metadata: Final = sa.MetaData()
_name: Final = sa.Table(
    "person_name",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("name", CleanText, nullable=False),
    sa.Column("reference", CleanText),
    sa.Column("entered_at", Moment, nullable=False),
)


@dataclass(frozen=True, kw_only=True)
class Named:
    """A person as people know them.

    Attributes:
        reference: Where more is known, such as the office that keeps the personnel files.
    """

    name: str
    reference: str | None = None


class Namebook:
    """The names of an installation's operators.

    Every method may raise `LedgerUnavailable`: the database does not answer.
    """

    def __init__(self, engine: sa.Engine) -> None:
        """Take an engine whose table is there; use `open_namebook`."""
        self._engine = engine

    def enter(self, tenant: str, person: str, named: Named) -> None:
        """Keep the name of a person in place of the one before; on return it is durable."""
        row: Facts = {"tenant": tenant, "person": person, "name": named.name}
        row |= {"reference": named.reference}
        with engines.writing(self._engine) as connection:
            connection.execute(sa.delete(_name).where(*_of(tenant, person)))
            connection.execute(sa.insert(_name), {**row, "entered_at": now()})

    def named(self, tenant: str, person: str) -> Named | None:
        """Return the name of a person, None where there is none."""
        query = sa.select(_name.c.name, _name.c.reference).where(*_of(tenant, person))
        with engines.reading(self._engine) as connection:
            row = connection.execute(query).first()
        return None if row is None else Named(name=row.name, reference=row.reference)

    def strike(self, tenant: str, person: str) -> bool:
        """Erase the name of a person; False if there was none."""
        with engines.writing(self._engine) as connection:
            return bool(connection.execute(sa.delete(_name).where(*_of(tenant, person))).rowcount)

    def persons(self, tenant: str) -> frozenset[str]:
        """Return the ids of all persons that have a name."""
        query = sa.select(_name.c.person).where(_name.c.tenant == tenant)
        with engines.reading(self._engine) as connection:
            return frozenset(connection.execute(query).scalars())

    def close(self) -> None:
        """Close all connections; the object may be used again."""
        self._engine.dispose()


def open_namebook(url: str) -> Namebook:
    """Open the store of names at a SQLAlchemy URL, making its table where it is missing.

    A SQLite file and its folder are made for the service's user alone.

    Raises:
        LedgerUnavailable: The database does not answer, or its folder cannot be made.
    """
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite" and address.database:
        _private(Path(address.database))
    engine = engines.open_engine(url)
    try:
        with engines.writing(engine) as connection:
            engines.hold(connection, "store of names")
            metadata.create_all(connection)
    except LedgerUnavailable:
        engine.dispose()
        raise
    return Namebook(engine)


def _private(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        path.chmod(0o600)
    except OSError as error:
        text = f"Der Speicher der Namen {path} lässt sich nicht anlegen: {error.strerror}."
        raise LedgerUnavailable(f"cannot make {path}", operator_text=text) from error


def _of(tenant: str, person: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _name.c.tenant == tenant, _name.c.person == person
