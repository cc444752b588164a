"""What was accepted is durable, once, whole or not at all."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from ingest.clock import UTC
from ingest.document import Queue, Sides, Standing
from ingest.errors import Misconfigured
from ingest.ledger import Ledger, Unaccepted, migrating, open_ledger, schema
from tests.plugins.installation import PATIENCE
from tests.plugins.ledgers import ALL, LEASE, arrival, downgrade, events, rows, source, work

_ACCEPT_AND_DIE = """
import os, signal, sys
from ingest.ledger import open_ledger
from tests.plugins.ledgers import arrival
open_ledger(sys.argv[1]).accept(arrival(key=sys.argv[2]))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_arrival_becomes_a_batch_with_its_sources(ledger: Ledger) -> None:
    came = dt.datetime(2024, 5, 3, tzinfo=UTC)
    sent = arrival(
        source("a.pdf"),
        source("b.pdf", ordinal=2),
        received_at=came,
        received_at_source="batch.json",
        storage_place="Karton 7",
        expected_sheets=3,
        expected_consignments=2,
        sides=Sides.DUPLEX,
    )
    receipt = ledger.accept(sent)
    assert receipt.created
    claim = ledger.claim(ALL, "w", LEASE)
    assert claim is not None
    given = ledger.assignment(claim)
    assert given.batch.sources == sent.sources == receipt.sources
    assert given.batch.envelope == sent.envelope
    assert given.profile == sent.profile
    assert abs(given.batch.registered_at - dt.datetime.now(UTC)) < dt.timedelta(minutes=5)
    assert events(ledger, receipt.batch_id) == ["received"]


def test_the_same_key_gives_the_same_receipt(ledger: Ledger) -> None:
    sent = arrival()
    first, second = ledger.accept(sent), ledger.accept(sent)
    assert (first.created, second.created) == (True, False)
    assert first.batch_id == second.batch_id
    assert ledger.receipt(sent.receipt_key) == second
    assert len(rows(ledger, schema.batch)) == len(rows(ledger, schema.claim)) == 1


def test_many_threads_accept_one_arrival_once(ledger: Ledger) -> None:
    sent = arrival()
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(ledger.accept, [sent] * 16))
    assert [receipt.created for receipt in given].count(True) == 1
    assert len({receipt.batch_id for receipt in given}) == 1
    assert ledger.backlog()[Queue.INSPECTION] == 1


def test_an_unknown_key_has_no_receipt(ledger: Ledger) -> None:
    assert ledger.receipt("nothing") is None


def test_the_same_bytes_twice_are_two_receipts_and_one_blob(ledger: Ledger) -> None:
    first = ledger.accept(arrival(source("a.pdf", "bytes")))
    second = ledger.accept(arrival(source("b.pdf", "bytes"), source("c.pdf", "bytes", 2)))
    assert first.batch_id != second.batch_id
    assert len(rows(ledger, schema.blob)) == 1


def test_tenants_have_their_own_blobs(ledger: Ledger) -> None:
    ledger.accept(arrival(source("a.pdf", "bytes"), tenant="amt-a"))
    ledger.accept(arrival(source("a.pdf", "bytes"), tenant="amt-b"))
    assert sorted(row.tenant for row in rows(ledger, schema.blob)) == ["amt-a", "amt-b"]


def test_an_accepted_arrival_survives_kill_9(ledger_url: str) -> None:
    key = str(uuid.uuid4())
    died = subprocess.run([sys.executable, "-c", _ACCEPT_AND_DIE, ledger_url, key], check=False)
    assert died.returncode == -9
    ledger = open_ledger(ledger_url)
    assert ledger.receipt(key) is not None
    assert ledger.backlog()[Queue.INSPECTION] == 1
    ledger.close()


def test_a_failed_acceptance_leaves_nothing(ledger: Ledger) -> None:
    good = source("a.pdf")
    sent = arrival(good, good)  # the second has the ordinal of the first
    with pytest.raises(sa.exc.IntegrityError):
        ledger.accept(sent)
    assert ledger.receipt(sent.receipt_key) is None
    for table in (schema.batch, schema.blob, schema.event, schema.claim, schema.tenant):
        assert rows(ledger, table) == []
    assert ledger.accept(arrival()).created


def test_a_held_arrival_waits_for_a_person(ledger: Ledger) -> None:
    held = ("incomplete", "Datei brief.pdf ist unvollständig: bitte neu scannen.")
    receipt = ledger.accept(arrival(held=held))
    assert ledger.claim(ALL, "w", LEASE) is None
    (batch,) = rows(ledger, schema.batch)
    assert (batch.stage, batch.standing) == ("received", Standing.HELD)
    assert (batch.reason_code, batch.reason) == held
    ledger.release(receipt.batch_id, "op17", "geprüft")
    assert len(work(ledger)) == 10


def test_hostile_names_are_kept_readable(ledger: Ledger) -> None:
    ledger.accept(arrival(source("Bescheid\udcfc\0 für Müller.pdf")))
    (kept,) = rows(ledger, schema.batch_source)
    assert kept.name == "Bescheid\ufffd\ufffd für Müller.pdf"


def test_opening_again_changes_nothing_and_migrations_make_the_schema(ledger_url: str) -> None:
    first = open_ledger(ledger_url)
    first.accept(arrival())
    second = open_ledger(ledger_url)
    assert second.backlog()[Queue.INSPECTION] == 1
    with second.reading() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, schema.metadata) == []
        names = sorted(
            str(index.name) for t in schema.metadata.tables.values() for index in t.indexes
        )
        inspector = sa.inspect(connection)
        present = {
            index["name"] for t in schema.metadata.tables for index in inspector.get_indexes(t)
        }
        assert set(names) <= present
    first.close()
    second.close()


def test_what_is_recorded_already_survives_newer_columns(ledger_url: str) -> None:
    """A ledger of the first schema, with a row, is what older installations have."""
    first = open_ledger(ledger_url)
    receipt = first.accept(arrival(source("alt.pdf")))
    downgrade(first)
    first.close()
    later = open_ledger(ledger_url)
    (kept,) = later.receipt(_key(later)).sources  # type: ignore[union-attr] # it was accepted
    assert (kept.name, kept.enclosure_of, kept.opened_sha256) == ("alt.pdf", None, None)
    assert rows(later, schema.batch)[0].id == receipt.batch_id
    later.close()


def _key(ledger: Ledger) -> str:
    return str(rows(ledger, schema.batch)[0].receipt_key)


def test_many_processes_may_open_an_empty_ledger_at_once(ledger_url: str) -> None:
    command = [
        sys.executable, "-c", "import sys; from ingest.ledger import *; open_ledger(sys.argv[1])"
    ]  # fmt: skip
    running = [subprocess.Popen([*command, ledger_url]) for _ in range(3)]
    assert [process.wait(PATIENCE) for process in running] == [0, 0, 0]


def test_the_newest_migration_is_the_one_that_is_expected() -> None:
    config = Config()
    config.set_main_option(
        "script_location", str(migrating.__file__).replace("migrating.py", "migrations")
    )
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [migrating.HEAD]


def test_batches_accepted_before_counts_were_kept_are_upgraded_and_know_none(
    ledger_url: str,
) -> None:
    config = Config()
    config.set_main_option(
        "script_location", str(migrating.__file__).replace("migrating.py", "migrations")
    )
    config.set_main_option("path_separator", "os")
    engine = sa.create_engine(ledger_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        old = sa.text(
            "INSERT INTO batch (id, tenant, receipt_key, stage, standing, priority, profile,"
            " profile_sha256, channel, registered_at, facts) VALUES ('b', 'default', 'k',"
            " 'received', 'ready', 10, 'posteingang', 'd', 'folder', 0, '{}')"
        )
        connection.execute(old)
    engine.dispose()
    ledger = open_ledger(ledger_url)
    [batch] = rows(ledger, schema.batch)
    assert (batch.id, batch.expected_consignments, batch.sides) == ("b", None, None)
    ledger.close()


def test_a_ledger_of_a_newer_version_is_refused(ledger_url: str) -> None:
    ledger = open_ledger(ledger_url)
    with ledger.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    ledger.close()
    with pytest.raises(Misconfigured) as refused:
        open_ledger(ledger_url)
    assert "neueren Version" in refused.value.operator_text


def _unaccepted(name: str, day: int) -> Unaccepted:
    return Unaccepted(
        name=name,
        name_base64=name,
        reason_code="partial",
        operator_text=f"{name} ist noch unvollständig.",
        first_seen_at=dt.datetime(2024, 5, day, tzinfo=UTC),
    )


def test_the_listing_of_an_inbox_is_replaced_and_keeps_first_times(ledger: Ledger) -> None:
    ledger.replace_unaccepted("default", "inbox", [_unaccepted("a.part", 1)])
    ledger.replace_unaccepted("default", "other", [_unaccepted("x.part", 1)])
    ledger.replace_unaccepted(
        "default", "inbox", [_unaccepted("b.part", 2), _unaccepted("a.part", 2)]
    )
    listed = ledger.unaccepted("default", "inbox")
    assert [(entry.name, entry.first_seen_at.day) for entry in listed] == [
        ("a.part", 1),
        ("b.part", 2),
    ]
    ledger.replace_unaccepted("default", "inbox", [])
    assert ledger.unaccepted("default", "inbox") == []
    assert len(ledger.unaccepted("default", "other")) == 1


def test_a_shift_ends_with_the_next_one(ledger: Ledger) -> None:
    assert ledger.current_shift("default", "inbox") is None
    ledger.begin_shift("default", "inbox", "op17", "Scanner 3")
    begun = ledger.begin_shift("default", "inbox", "op18")
    assert ledger.current_shift("default", "inbox") == begun
    assert ledger.current_shift("amt-b", "inbox") is None
    assert ledger.end_shift("default", "inbox")
    assert not ledger.end_shift("default", "inbox")
    assert ledger.current_shift("default", "inbox") is None
    assert len(rows(ledger, schema.shift)) == 2
