"""The evening account has a place for every page, file and sheet, on both databases."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.clock import UTC
from ingest.document import (
    Outcome,
    Part,
    SourceKind,
    Standing,
    Step,
)
from ingest.ledger import Ledger, schema
from ingest.ledger.account import DayAccount, day_account
from tests.plugins.ledgers import (
    arrival,
    change,
    claim_at,
    deliver,
    first_day,
    source,
    work,
)

CUT = ((1, 2), (4,))  # page 3 is a separator sheet


def accounted(ledger: Ledger, day: dt.date | None = None, **extra: Any) -> DayAccount:
    chosen = day or first_day(ledger)
    moment = dt.datetime.combine(chosen, dt.time(12), UTC)  # where midnight came in between
    change(ledger, sa.update(schema.batch).values(registered_at=moment))
    with ledger.reading() as connection:
        return day_account(connection, "default", chosen, "UTC", **extra)


def test_the_evening_account_of_a_mixed_day_has_no_difference(ledger: Ledger) -> None:
    ledger.accept(arrival(expected_sheets=2))
    deliver(ledger)
    ledger.accept(arrival(expected_sheets=1))
    rejected = claim_at(ledger, Step.CHECKING, ((1,), (2,)))
    ledger.set_aside(rejected, Standing.HELD, code="check_failed", operator_text="?", message="x")
    ledger.reject(rejected.unit_id, "op17", "Fehlscan")
    sealing = claim_at(ledger, Step.SEALING)
    held = ledger.accept(arrival(held=("incomplete", "Datei unvollständig.")))
    ledger.accept(arrival())
    claim_at(ledger, Step.EXAMINATION, ((1, 2, 3),))
    account = accounted(ledger, in_inbox=3)
    assert account.difference == 0, account.misplaced
    assert (account.batches, account.files, account.batches_held) == (4, 4, 1)
    assert (account.sheets_expected, account.in_inbox) == (3, 3)
    assert (account.pages, account.pages_delivered, account.pages_omitted) == (9, 3, 1)
    assert (account.pages_uncut, account.pages_ended) == (3, 1)
    assert account.pages_open == 1
    assert (account.documents, account.documents_delivered, account.documents_rejected) == (4, 2, 1)
    assert (account.files_delivered, account.files_open, account.files_ended) == (1, 3, 0)
    assert (account.sheets_pages, account.sheets_missing) == (6, 0)
    named = {unit.id: unit for unit in account.open}
    assert named[held.batch_id].reason == "Datei unvollständig."
    assert named[sealing.unit_id].standing == "claimed"
    assert len(named) == 3


def test_a_page_with_no_place_makes_a_difference_and_is_named(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    work(ledger, CUT)
    with ledger.writing() as connection:
        table = schema.document
        connection.execute(sa.update(table).where(table.c.ordinal == 2).values(pages=[]))
    account = accounted(ledger)
    assert account.difference > 0
    assert account.misplaced == [f"{receipt.batch_id}: Seite 4"]


def test_a_file_that_no_document_comes_from_makes_a_difference(ledger: Ledger) -> None:
    ledger.accept(arrival(source("a.eml"), source("b.eml", ordinal=2)))
    claim = claim_at(ledger, Step.INSPECTION)
    found = tuple(
        dataclasses.replace(one, kind=SourceKind.MAIL)
        for one in ledger.assignment(claim).batch.sources
    )
    ledger.record(claim, Outcome(sources=found))
    claim = claim_at(ledger, Step.SEPARATION)
    ledger.record(claim, Outcome(parts=(Part(pages=(), source=1),)))
    account = accounted(ledger)
    assert account.difference > 0
    assert any("b.eml" in name for name in account.misplaced)


def test_open_work_that_was_lost_makes_a_difference(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    assert accounted(ledger).difference == 0
    with ledger.writing() as connection:
        connection.execute(sa.delete(schema.claim))
    account = accounted(ledger)
    assert account.difference > 0
    assert account.misplaced == [f"{receipt.batch_id}: offen, aber niemand arbeitet daran"]


def test_a_file_whose_row_was_lost_makes_a_difference(ledger: Ledger) -> None:
    ledger.accept(arrival(source("a.tif"), source("b.tif", ordinal=2)))
    with ledger.writing() as connection:
        connection.execute(sa.delete(schema.batch_source).where(schema.batch_source.c.ordinal == 2))
    account = accounted(ledger)
    assert (account.files, account.files_open, account.difference) == (2, 1, 1)


def test_counted_sheets_without_pages_make_a_difference_unless_a_clerk_accepts(
    ledger: Ledger,
) -> None:
    receipt = ledger.accept(arrival(expected_sheets=6))
    deliver(ledger)
    account = accounted(ledger)
    assert (account.sheets_pages, account.sheets_missing) == (4, 2)
    assert account.difference > 0
    assert "6 Blätter gezählt, 4 Seiten" in account.misplaced[0]
    accepted = ledger.accept(arrival(expected_sheets=6))
    separation = claim_at(ledger, Step.SEPARATION, CUT)
    assert separation.batch_id == accepted.batch_id
    ledger.set_aside(
        separation, Standing.HELD, code="count_mismatch", operator_text="?", message="x"
    )
    ledger.release(accepted.batch_id, "op17", "gezählt", {"count": "accepted"})
    deliver(ledger)
    assert accounted(ledger).sheets_missing == 2
    assert all(receipt.batch_id in text for text in accounted(ledger).misplaced)


def test_the_printed_account_shows_its_equation(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    from console.tables import print_account

    ledger.accept(arrival(expected_sheets=2))
    deliver(ledger)
    ledger.accept(arrival(held=("x", "y")))
    print_account(accounted(ledger), [])
    said = capsys.readouterr().out
    assert "Dateien: 2 gezählt = 1 + 1 + 0 (zugestellt + offen + beendet)" in said
    assert "Seiten: 4 gezählt = 3 + 0 + 1 + 0" in said
    assert "Blätter: 2 gezählt, dazu 4 Seiten gescannt" in said


def test_a_day_is_one_of_the_house(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    late = dt.datetime(2026, 3, 1, 23, 30, tzinfo=UTC)  # half past midnight in Berlin
    with ledger.writing() as connection:
        connection.execute(sa.update(schema.batch).values(registered_at=late))
    with ledger.reading() as connection:
        before = day_account(connection, "default", dt.date(2026, 3, 1), "Europe/Berlin")
        after = day_account(connection, "default", dt.date(2026, 3, 2), "Europe/Berlin")
    assert (before.batches, after.batches) == (0, 1)
    assert after.open[0].id == receipt.batch_id
