"""Every column is described, and nothing is described that is not there."""

from __future__ import annotations

import pytest

from console.reports import fields
from ingest.ledger import schema


def test_every_column_of_ledger_and_names_is_described() -> None:
    found = fields.inventory()
    assert [(one.table, one.name) for one in found] == list(fields.columns())
    assert {one.table for one in found} >= {*schema.metadata.tables, "person_name"}
    assert all(one.purpose and one.retention and one.thing for one in found)
    assert {one.legal_basis for one in found} == {"von der Behörde festzulegen"}
    assert fields.superfluous() == []


def test_a_column_nobody_described_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [*fields.columns(), ("batch", "shoe_size")]
    monkeypatch.setattr(fields, "columns", lambda: iter(known))
    with pytest.raises(KeyError, match=r"batch\.shoe_size is not described"):
        fields.inventory()


def test_codes_and_names_count_as_personal() -> None:
    personal = {(one.table, one.name) for one in fields.inventory() if one.personal}
    assert {("batch", "operator"), ("event", "actor"), ("person_name", "name")} <= personal
    by = {(one.table, one.name) for one in fields.inventory() if one.name.endswith("_by")}
    technical = {
        ("evidence_batch", "renewed_by"),
        ("evidence_batch", "rehashed_by"),
        ("evidence_renewal", "renewed_by"),
    }
    assert by - technical - {("document", "superseded_by")} <= personal
