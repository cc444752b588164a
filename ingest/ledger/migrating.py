"""Bringing a database to the schema this version expects.

Migrations ship inside the package and run when a ledger is opened, under a lock, so that
processes starting together do not migrate twice. A database that is current is recognised
by one query, without loading Alembic.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from ingest.errors import Misconfigured
from ingest.ledger import engine as engines

#: The newest revision in `migrations/versions`.
HEAD: Final = "0014"
_LOCK: Final = 7226_2701
#: Takes a tenant's person and its name out of an old ledger.
KeepName = Callable[[str, str, str], None]
_VERSION: Final = sa.text("SELECT version_num FROM alembic_version")


def migrate(engine: sa.Engine, keep_name: KeepName | None = None) -> None:
    """Create or upgrade the schema; do nothing when it is current.

    Args:
        engine: Of the ledger.
        keep_name: Called for each name that an old ledger held.

    Raises:
        LedgerUnavailable: The database does not answer; its schema is as it was.
        Misconfigured: The database was made by a newer version, or holds names and nobody
            keeps them; nothing was changed.
    """
    if _revision(engine) == HEAD:
        return
    with engines.writing(engine) as connection:
        engines.be_patient(connection)
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        _upgrade(connection, keep_name)


def _revision(engine: sa.Engine) -> str | None:
    with engines.outages(), engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(_VERSION).scalar()


def _upgrade(connection: sa.Connection, keep_name: KeepName | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["keep_name"] = keep_name
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        text = (
            "Die Datenbank wurde von einer neueren Version angelegt. "
            "Bitte diese oder eine neuere Version von Scanstraße starten."
        )
        raise Misconfigured(str(error), operator_text=text) from error
