"""An outage of the database is `LedgerUnavailable`, and nothing of the work is committed."""

from __future__ import annotations

import datetime as dt
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.document import ENDS, Standing, Step
from ingest.errors import LedgerUnavailable
from ingest.ledger import Ledger, Unaccepted, claiming, engine, open_ledger, schema
from tests.plugins.ledgers import (
    ALL,
    LEASE,
    NO_LEASE,
    arrival,
    claim_at,
    events,
    outcome,
    rows,
    work,
)
from tests.plugins.servers import PostgresServer, free_port


@pytest.fixture
def stopping_server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """The server; running again afterwards."""
    yield postgres_server
    postgres_server.restart()


def test_a_database_locked_for_too_long_is_an_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.1)
    path = tmp_path / "ledger.sqlite"
    ledger = open_ledger(f"sqlite:///{path}")
    ledger.accept(arrival())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    sent = arrival()
    for act in (lambda: ledger.accept(sent), lambda: ledger.claim(ALL, "w", LEASE)):
        with pytest.raises(LedgerUnavailable, match="locked"):
            act()
    assert ledger.receipt(sent.receipt_key) is None  # readers are not locked out
    other.execute("ROLLBACK")
    other.close()
    assert ledger.accept(sent).created
    ledger.close()


def test_a_full_disk_is_an_outage_and_leaves_nothing(tmp_path: Path) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with ledger.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    sent = arrival(storage_place="x" * 100_000)
    with pytest.raises(LedgerUnavailable, match="full") as outage:
        ledger.accept(sent)
    assert "Speicherplatz" in outage.value.operator_text
    assert ledger.receipt(sent.receipt_key) is None
    assert all(rows(ledger, table) == [] for table in schema.metadata.sorted_tables)
    with ledger.reading() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert ledger.accept(sent).created
    ledger.close()


def test_a_folder_that_cannot_be_made_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerUnavailable):
        open_ledger(f"sqlite:///{tmp_path / 'file' / 'ledger.sqlite'}")


def test_a_server_that_does_not_answer_is_an_outage() -> None:
    with pytest.raises(LedgerUnavailable):
        open_ledger(f"postgresql://test@127.0.0.1:{free_port()}/nothing")


@pytest.mark.parametrize("immediately", [True, False])
def test_work_goes_on_after_a_restart_of_the_server(
    stopping_server: PostgresServer, fresh_postgres_url: str, immediately: bool
) -> None:
    ledger = open_ledger(fresh_postgres_url)
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.SEALING)
    given = ledger.assignment(claim)
    stopping_server.stop(immediately=immediately)
    for act in (
        lambda: ledger.record(claim, outcome(given)),
        lambda: ledger.accept(arrival()),
        ledger.sweep,
        lambda: ledger.claim(ALL, "w", LEASE),
    ):
        with pytest.raises(LedgerUnavailable):
            act()
    stopping_server.start()
    assert ledger.record(claim, outcome(given))
    work(ledger)
    (document,) = rows(ledger, schema.document)
    assert document.standing == Standing.DONE
    assert len(rows(ledger, schema.batch)) == 1
    ledger.close()


@pytest.mark.parametrize("immediately", [True, False])
@pytest.mark.parametrize("seen", [True, False])
def test_a_connection_that_died_at_rest_is_replaced_before_it_is_used(
    stopping_server: PostgresServer,
    fresh_postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
    immediately: bool,
    seen: bool,
) -> None:
    ledger = open_ledger(fresh_postgres_url)
    ledger.accept(arrival())
    stopping_server.restart(immediately=immediately)
    if not seen:  # as after a long rest behind a network that forgets connections
        monkeypatch.setattr(engine, "_is_readable", lambda _connection: False)
        monkeypatch.setattr(engine, "_IDLE_SECONDS", 0.0)
    assert ledger.accept(arrival()).created
    ledger.close()


def test_a_connection_lost_within_a_transaction_commits_nothing(
    stopping_server: PostgresServer, fresh_postgres_url: str
) -> None:
    ledger = open_ledger(fresh_postgres_url)
    ledger.accept(arrival())

    def lose_the_connection() -> None:
        with ledger.writing() as connection:
            connection.execute(schema.claim.delete())
            stopping_server.restart(immediately=True)
            connection.execute(schema.batch.update().values(standing="done"))

    with pytest.raises(LedgerUnavailable):
        lose_the_connection()
    assert [row.standing for row in rows(ledger, schema.claim)] == ["ready"]
    ledger.close()


def test_what_is_written_stands_in_no_error(ledger: Ledger) -> None:
    row: dict[str, object] = {"tenant": "default", "code": "op17", "person": "Erika Mustermann"}
    row |= {"since_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}

    def write_twice() -> None:
        with ledger.writing() as connection:
            for _ in range(2):
                connection.execute(schema.operator.insert(), row)

    with pytest.raises(sa.exc.IntegrityError) as caught:
        write_twice()
    assert "Erika" not in str(caught.value)


@pytest.mark.parametrize(
    ("state", "outage"),
    [
        *((state, True) for state in ("08006", "25006", "40001", "53300", "57014", "58030")),
        *((state, False) for state in ("22012", "23502")),
    ],
)
def test_the_server_says_what_is_an_outage(
    fresh_postgres_url: str, state: str, outage: bool
) -> None:
    ledger = open_ledger(fresh_postgres_url)

    def fail() -> None:
        with ledger.writing() as connection:
            connection.exec_driver_sql(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$")

    with pytest.raises(LedgerUnavailable if outage else sa.exc.DBAPIError):
        fail()
    ledger.close()


def test_a_standby_that_only_reads_is_an_outage(fresh_postgres_url: str) -> None:
    open_ledger(fresh_postgres_url).close()
    options = "-c default_transaction_read_only=on"
    ledger = open_ledger(f"{fresh_postgres_url}?options={quote(options)}")
    with pytest.raises(LedgerUnavailable, match="read-only"):
        ledger.accept(arrival())
    ledger.close()


def test_a_process_frozen_within_a_transaction_loses_it(fresh_postgres_url: str) -> None:
    ledger = open_ledger(fresh_postgres_url)

    def freeze() -> None:
        with ledger.writing() as connection:
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
            while True:
                time.sleep(0.2)
                connection.execute(sa.select(schema.batch))

    def dawdle() -> None:
        with ledger.writing() as connection:
            connection.exec_driver_sql("SET LOCAL statement_timeout = '200ms'")
            connection.exec_driver_sql("SELECT pg_sleep(250)")

    with pytest.raises(LedgerUnavailable):
        freeze()
    with pytest.raises(LedgerUnavailable):
        dawdle()
    assert ledger.accept(arrival()).created
    ledger.close()


def test_a_backup_may_read_and_pause_for_long(fresh_postgres_url: str) -> None:
    ledger = open_ledger(fresh_postgres_url)
    limits = ("idle_in_transaction_session_timeout", "statement_timeout")
    with ledger.reading() as connection:
        said = {connection.exec_driver_sql(f"SHOW {name}").scalar() for name in limits}
    assert said == {"0"}
    ledger.close()


def test_connections_say_how_long_they_may_block(fresh_postgres_url: str) -> None:
    ledger = open_ledger(fresh_postgres_url)
    with ledger.writing() as connection:
        said = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("lock_timeout", "statement_timeout", "tcp_keepalives_idle")
        }
        idle = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar()
        driver = connection.connection.driver_connection
        assert driver is not None
        parameters = driver.info.get_parameters()
    assert said == {
        "lock_timeout": "10s",
        "statement_timeout": "1min",
        "tcp_keepalives_idle": "10",
    }
    assert idle == "15s"
    assert (parameters["connect_timeout"], parameters["tcp_user_timeout"]) == ("5", "20000")
    assert parameters["keepalives_idle"] == "10"
    ledger.close()


def test_a_frozen_claimer_does_not_block_its_queues(fresh_postgres_url: str) -> None:
    ledger = open_ledger(fresh_postgres_url)
    receipts = [ledger.accept(arrival()) for _ in range(2)]
    with ledger.writing() as frozen:
        assert claiming.claim(frozen, ALL, "frozen", LEASE) is not None
        claim = ledger.claim(ALL, "other", LEASE)
        assert claim is not None
        assert claim.unit_id == receipts[1].batch_id
        assert ledger.claim(ALL, "other", LEASE) is None
        frozen.rollback()
    assert ledger.extend(claim, LEASE)
    again = ledger.claim(ALL, "other", LEASE)
    assert again is not None
    assert again.unit_id == receipts[0].batch_id
    ledger.close()


def test_watchers_of_one_inbox_may_list_it_at_the_same_time(ledger: Ledger) -> None:
    seen = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    entries = [
        Unaccepted(
            name=f"{n}.pdf",
            name_base64=f"{n}",
            reason_code="open",
            operator_text="Noch offen.",
            first_seen_at=seen,
        )
        for n in range(20)
    ]
    together = threading.Barrier(4)

    def watch(_: int) -> None:
        together.wait()
        for _ in range(10):
            ledger.replace_unaccepted("default", "inbox", entries)
            ledger.begin_shift("default", "inbox", "op17")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(watch, range(4)))
    assert len(ledger.unaccepted("default", "inbox")) == 20
    assert ledger.current_shift("default", "inbox") is not None


def test_what_is_deleted_is_overwritten(tmp_path: Path) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    row: dict[str, object] = {
        "tenant": "default",
        "code": "op17",
        "person": "Erika Mustermann" * 20,
    }
    row |= {"since_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}
    for statement in (schema.operator.insert().values(row), schema.operator.delete()):
        with ledger.writing() as connection:
            connection.execute(statement)
        with ledger.reading() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()
    assert b"Erika" not in (tmp_path / "ledger.sqlite").read_bytes()


_MISHAPS = ("expire", "defer", "outage", "hold", "quarantine", "die", "record", "twice")


def _suffer(ledger: Ledger, mishap: str) -> None:
    claim = ledger.claim(ALL, "w", NO_LEASE if mishap == "expire" else LEASE)
    if claim is None or mishap in {"expire", "die"}:
        return
    text = {"code": mishap, "operator_text": mishap, "message": mishap}
    if mishap in {"defer", "outage"}:
        pause, tries = dt.timedelta(0), mishap == "defer"
        assert ledger.defer(claim, **text, pause=pause, consumes_try=tries)
    elif mishap in {"hold", "quarantine"}:
        standing = Standing.HELD if mishap == "hold" else Standing.QUARANTINED
        assert ledger.set_aside(claim, standing, **text)
    else:
        found = outcome(ledger.assignment(claim), ((1, 2), (3,)))
        assert ledger.record(claim, found)
        assert mishap == "record" or not ledger.record(claim, found)


def _repair(ledger: Ledger) -> None:
    with ledger.writing() as connection:  # whoever died: its lease ends now
        table = schema.claim
        died = table.update().where(table.c.standing == "claimed")
        connection.execute(died.values(lease_until=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)))
    ledger.sweep()
    for row in rows(ledger, schema.claim):
        for _ in range({"quarantined": 2, "held": 1}.get(row.standing, 0)):
            ledger.release(row.unit_id, "op17", "weiter")


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.sampled_from(_MISHAPS), max_size=40))
def test_whatever_happens_every_document_is_delivered_once(mishaps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = open_ledger(f"sqlite:///{folder}/ledger.sqlite")
        receipt = ledger.accept(arrival())
        for mishap in mishaps:
            _suffer(ledger, mishap)
            ledger.sweep()
        _repair(ledger)
        work(ledger, ((1, 2), (3,)))
        assert rows(ledger, schema.claim) == []
        documents = rows(ledger, schema.document)
        assert [document.pages for document in documents] == [[1, 2], [3]]
        assert {Standing(document.standing) for document in documents} <= ENDS
        for document in documents:
            assert events(ledger, document.id).count("delivered") == 1
        assert events(ledger, receipt.batch_id).count("separated") == 1
        ledger.close()
