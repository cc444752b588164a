"""Validation reports in the ledger: named by their event, found by document, erased with it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ingest.document import Outcome, Part, RenditionKind, Step
from ingest.errors import UsageError
from ingest.ledger import Ledger, reading, schema, showing
from ingest.ledger.agreement import Examination
from ingest.ledger.erasure import erase
from ingest.ledger.reports import locate_report
from tests.plugins.ledgers import ALL, LEASE, arrival, digest, outcome, rendition, rows, source

FIRST, SECOND = digest("report 1"), digest("report 2")


def _found(assignment: Any) -> Outcome:
    found = outcome(assignment)
    if assignment.step is Step.SEPARATION:
        return dataclasses.replace(
            found, parts=(Part(pages=(1,), source=1), Part(pages=(), source=2))
        )
    if assignment.step is not Step.INSPECTION:
        return found
    kind = RenditionKind.VALIDATION_REPORT
    one, two = found.sources
    told = {
        "indication": "INDETERMINATE",
        "subindication": "NO_POE",
        "look": False,
        "text": "Signatur geprüft: nicht abschließend prüfbar.",
        "qualified": {"answer": "unknown"},
    }
    facts = [
        {"validation": {"signatures": [told], "report_sha256": sha256}}
        for sha256 in (FIRST, SECOND)
    ]
    return dataclasses.replace(
        found,
        sources=(
            dataclasses.replace(one, facts=facts[0]),
            dataclasses.replace(two, facts=facts[1]),
        ),
        renditions=(
            rendition(kind, one.sha256, "report 1"),
            rendition(kind, two.sha256, "report 2"),
        ),
    )


@pytest.fixture
def documents(ledger: Ledger) -> list[Any]:
    ledger.accept(arrival(source("antrag.pdf"), source("antrag.p7s", ordinal=2)))
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        assert ledger.record(claim, _found(ledger.assignment(claim)))
    return sorted(rows(ledger, schema.document), key=lambda row: row.ordinal)


def located(ledger: Ledger, id_: str, number: int | None = None) -> str:
    with ledger.reading() as connection:
        return locate_report(connection, id_, number).sha256


def test_each_document_has_the_report_about_its_original(
    ledger: Ledger, documents: list[Any]
) -> None:
    one, two = documents
    assert [located(ledger, row.id) for row in documents] == [FIRST, SECOND]
    assert located(ledger, one.batch_id, 2) == SECOND
    for id_, number in ((one.batch_id, None), (one.batch_id, 3)):
        with pytest.raises(UsageError):
            located(ledger, id_, number)
    with ledger.reading() as connection:
        shown = {row["id"]: row for row in reading.rows(connection)}
        (inspected,) = [
            event
            for event in showing.events(connection, one.batch_id)
            if event["kind"] == "inspected"
        ]
        assert list(Examination(connection, None)) == []
    assert shown[two.id]["outputs"]["validation"]["sha256"] == SECOND
    assert shown[two.id]["signatures"][0]["qualified"] == "unknown"
    assert inspected["payload"]["renditions"] == {
        "validation_report": FIRST,
        "validation_report#2": SECOND,
    }


def test_a_report_is_erased_with_its_document_and_no_other(
    ledger: Ledger, documents: list[Any]
) -> None:
    one, two = documents
    with ledger.writing() as connection:
        free = erase(connection, two.id, "op17", "Irrläufer")
    assert SECOND in free
    assert FIRST not in free
    assert located(ledger, one.id) == FIRST
    with pytest.raises(UsageError):
        located(ledger, two.id)
    with ledger.writing() as connection:
        assert FIRST in erase(connection, one.id, "op17", "Irrläufer")
    assert not [r for r in rows(ledger, schema.rendition) if r.sha256 in (FIRST, SECOND)]
