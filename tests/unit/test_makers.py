"""Nobody who scanned a document can hide behind the code on a separator sheet."""

from __future__ import annotations

from ingest.ledger.makers import scanned_by


def test_the_stacks_operator_the_sheets_and_whoever_scanned_again_are_all_named_once() -> None:
    again = [{"page": 1, "by": "op3"}, {"page": 2, "by": "op1"}]
    facts = {"separation": {"operator": "op2", "rescanned": again}}
    assert scanned_by("op1", facts, {}) == ("op1", "op2", "op3")
    assert scanned_by("op1", {}, {}) == ("op1",)


def test_a_sheet_does_not_make_known_who_scanned_the_stack() -> None:
    assert scanned_by(None, {"separation": {"operator": "op2"}}, {}) == (None, "op2")
