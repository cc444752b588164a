"""From need "high" on sheets are counted, and only a supervisor may pass over a difference."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.document import Standing, Step
from ingest.errors import CountMismatch, Unclear, UsageError
from ingest.ledger import Ledger, schema
from tests.plugins import papers
from tests.plugins.emptied import empty_ledger
from tests.plugins.ledgers import change, claim_at, payload
from tests.plugins.sampling import accepted, replacing, staffed
from tests.plugins.stacks import Stack, Stacked, documents

RECEIVED = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
SHEETS = papers.tiff("eins", "zwei")


@pytest.fixture
def high(stacked: Stacked) -> Stack:
    stack = stacked(SHEETS, profile="ersetzend-hoch", received_at=RECEIVED)
    stack.inspect()
    stack.examine()
    return stack


def codes(stack: Stack) -> list[str]:
    return [finding["code"] for finding in stack.separate().facts["findings"]]


def test_without_a_count_a_counted_class_asks_for_one(high: Stack) -> None:
    with pytest.raises(Unclear) as caught:
        high.separate()
    assert caught.value.code == "count_missing"
    assert "expected_sheets=ZAHL" in caught.value.operator_text
    high.released = {"expected_sheets": "zwei"}
    with pytest.raises(Unclear, match="no number"):
        high.separate()
    high.released = {"expected_sheets": "3"}
    with pytest.raises(CountMismatch):
        high.separate()
    high.released = {"expected_sheets": "2"}
    assert documents(high.separate()) == [[1, 2]]
    assert codes(high) == ["count_supplied"]


def test_a_difference_that_was_passed_over_stands_in_the_note(high: Stack) -> None:
    high.expected_sheets = 3
    with pytest.raises(CountMismatch):
        high.separate()
    high.released = {"count": "accepted"}
    assert codes(high) == ["count_explained"]
    high.expected_sheets, high.released = 2, {}
    assert codes(high) == []


def test_need_normal_goes_on_uncounted(stacked: Stacked) -> None:
    stack = stacked(SHEETS, profile="ersetzend-normal", received_at=RECEIVED)
    assert documents(stack.cut()) == [[1, 2]]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = empty_ledger(tmp_path / "ledger.sqlite")
    staffed(opened)
    yield opened
    opened.close()


def stuck(ledger: Ledger) -> None:
    claim = claim_at(ledger, Step.SEPARATION)
    told = {"code": "count_mismatch", "operator_text": "?", "message": "m"}
    assert ledger.set_aside(claim, Standing.HELD, **told)


@pytest.mark.parametrize("settings", [{"count": "accepted"}, {"expected_sheets": "7"}])
@pytest.mark.parametrize(("need", "free"), [("normal", True), ("high", False)])
def test_only_a_supervisor_passes_over_a_count_that_is_demanded(
    ledger: Ledger, need: str, free: bool, settings: dict[str, str]
) -> None:
    batch = accepted(ledger, replacing(need))
    stuck(ledger)
    if not free:
        with pytest.raises(UsageError, match="is no supervisor"):
            ledger.release(batch, "op18", "Blatt 3 war leer", settings)
        ledger.release(batch, "op20", "Blatt 3 war leer", settings)
    else:
        ledger.release(batch, "op18", "Blatt 3 war leer", settings)
    assert payload(ledger, "released_by_clerk")["reason"] == "Blatt 3 war leer"


@pytest.mark.parametrize(
    ("seen", "free"),
    [
        ({"separator": {"kind": "sheet", "payload": {"CLASS": "ersetzend-high"}}}, False),
        ({"separator": {"kind": "sheet", "payload": {"CLASS": "ersetzend-normal"}}}, True),
        ({"patch": "PATCH2"}, False),
        ({"patch": "PATCH3"}, True),
    ],
)
def test_a_class_that_a_sheet_names_makes_its_stack_one_that_is_counted(
    ledger: Ledger, seen: dict[str, Any], free: bool
) -> None:
    accepted(ledger, replacing("high"))  # so that the ledger knows the class
    claim_at(ledger, Step.SEPARATION)
    patches = {"PATCH2": "profile:ersetzend-high", "PATCH3": "document"}
    batch = accepted(ledger, replacing() | {"separation": {"patches": patches}})
    stuck(ledger)
    mine = schema.page.c.batch_id == batch
    change(ledger, sa.update(schema.page).where(mine).values(facts={"examination": seen}))
    settings = {"count": "accepted", "profile": "stack"}
    if not free:
        with pytest.raises(UsageError, match="is no supervisor"):
            ledger.release(batch, "op18", "gezählt", settings)
    ledger.release(batch, "op18" if free else "op20", "gezählt", settings)


def test_what_is_known_of_the_batch_counts_where_its_profile_says_less(ledger: Ledger) -> None:
    batch = accepted(ledger, replacing())
    stuck(ledger)
    change(ledger, sa.update(schema.batch).values(protection={"integrity": "high"}))
    with pytest.raises(UsageError, match="is no supervisor"):
        ledger.release(batch, "op18", "gezählt", {"count": "accepted"})
