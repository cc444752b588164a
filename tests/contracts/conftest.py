"""One ledger, twice: every contract holds on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.ledger import Ledger, open_ledger
from tests.plugins.emptied import lay_empty_ledger, open_practised
from tests.plugins.servers import PostgresServer


@pytest.fixture(scope="session")
def empty_postgres_ledger(postgres_server: PostgresServer) -> str:
    """URL of a database with the schema, for copying."""
    url = postgres_server.create_database()
    open_ledger(url).close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database; where the test has a `ledger`, with the schema in it."""
    has_schema = "ledger" in request.fixturenames
    if request.param == "sqlite":
        path = tmp_path / "ledger.sqlite"
        if has_schema:
            lay_empty_ledger(path)
        yield f"sqlite:///{path}"
        return
    like = request.getfixturevalue("empty_postgres_ledger") if has_schema else None
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create_database(like)
    yield url
    server.drop_database(url)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """An open, empty ledger."""
    opened = open_practised(ledger_url)
    yield opened
    opened.close()
