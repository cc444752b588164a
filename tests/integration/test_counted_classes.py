"""From need "high" on sheets are counted, and only a supervisor may pass over a difference."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.document import Standing, Step
from ingest.errors import CountMismatch, Unclear, UsageError
from ingest.ledger import Ledger, open_ledger
from tests.plugins import papers
from tests.plugins.ledgers import claim_at, payload
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
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    staffed(opened)
    yield opened
    opened.close()


@pytest.mark.parametrize(("need", "free"), [("normal", True), ("high", False)])
def test_only_a_supervisor_passes_over_a_count_that_is_demanded(
    ledger: Ledger, need: str, free: bool
) -> None:
    batch = accepted(ledger, replacing(need))
    claim = claim_at(ledger, Step.SEPARATION)
    told = {"code": "count_mismatch", "operator_text": "?", "message": "m"}
    ledger.set_aside(claim, Standing.HELD, **told)
    settings = {"count": "accepted"}
    if not free:
        with pytest.raises(UsageError, match="is no supervisor"):
            ledger.release(batch, "op18", "Blatt 3 war leer", settings)
        ledger.release(batch, "op20", "Blatt 3 war leer", settings)
    else:
        ledger.release(batch, "op18", "Blatt 3 war leer", settings)
    assert payload(ledger, "released_by_clerk")["reason"] == "Blatt 3 war leer"
