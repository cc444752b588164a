"""Documents that somebody has to look at: asked for, shown, ended by a person, never lost."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from ingest.document import Outcome, Standing, Step
from ingest.errors import UsageError
from ingest.ledger import Ledger, open_ledger, schema
from ingest.ledger.agreement import Examination
from ingest.ledger.erasure import erase
from ingest.ledger.reading import counts, to_review
from tests.plugins.ledgers import (
    ALL,
    LEASE,
    arrival,
    change,
    claim_at,
    downgrade,
    events,
    outcome,
    rows,
    work,
)

REASON = {"code": "tool_failed", "pages": [2], "text": "Texterkennung ausgelassen"}


def _newest(document: Any) -> str:
    return str(document.id)


def delivered_with_a_question(ledger: Ledger, tenant: str = "default") -> str:
    """Work a batch to its end; checking asks for a look at its only document."""
    ledger.accept(arrival(tenant=tenant))
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        found = outcome(ledger.assignment(claim), ((1, 2),))
        if claim.step is Step.CHECKING:
            found = Outcome(facts={"review": [REASON]})
        assert ledger.record(claim, found)
    document = max((d for d in rows(ledger, schema.document) if d.tenant == tenant), key=_newest)
    assert document.standing == Standing.DONE
    return str(document.id)


def waiting(ledger: Ledger, tenant: str | None = None) -> list[dict[str, Any]]:
    with ledger.reading() as connection:
        return list(to_review(connection, tenant))


def disagreements(ledger: Ledger) -> list[str]:
    with ledger.reading() as connection:
        return [place.reason for place in Examination(connection, None)]


def test_a_document_is_delivered_and_waits_until_somebody_has_looked(ledger: Ledger) -> None:
    ledger.accept(arrival())
    work(ledger)
    document = delivered_with_a_question(ledger)
    (row,) = waiting(ledger)
    assert (row["id"], row["review_open"], row["review"]) == (document, True, [REASON])
    with ledger.reading() as connection:
        assert counts(connection, "default")["to_review"] == 1
    assert disagreements(ledger) == []
    ledger.reviewed(document, "op17", "Seite ist ein Foto")
    assert waiting(ledger) == []
    assert events(ledger, document)[-1] == "reviewed"
    assert disagreements(ledger) == []
    with pytest.raises(UsageError, match="waits for no review"):
        ledger.reviewed(document, "op17", "noch einmal")


def test_tenants_do_not_see_one_another(ledger: Ledger) -> None:
    here, there = (delivered_with_a_question(ledger, name) for name in ("default", "amt-b"))
    assert [row["id"] for row in waiting(ledger, "default")] == [here]
    assert [row["id"] for row in waiting(ledger, "amt-b")] == [there]
    assert {row["id"] for row in waiting(ledger)} == {here, there}


@pytest.mark.parametrize(
    ("by", "reason", "unit", "text"),
    [
        ("Erika Mustermann", "gut", None, "Kürzel"),
        ("op17", "  ", None, "--reason"),
        ("op17", "gut", "nobody", "kein Dokument"),
    ],
)
def test_who_looked_and_what_they_found_is_asked_for(
    ledger: Ledger, by: str, reason: str, unit: str | None, text: str
) -> None:
    document = delivered_with_a_question(ledger)
    with pytest.raises(UsageError) as refused:
        ledger.reviewed(unit or document, by, reason)
    assert text in refused.value.operator_text
    assert len(waiting(ledger)) == 1


def test_nobody_looks_at_what_was_rejected_or_erased(ledger: Ledger) -> None:
    erased = delivered_with_a_question(ledger)
    with ledger.writing() as connection:
        erase(connection, erased, "op17", "Irrläufer")
    ledger.accept(arrival())
    checking = claim_at(ledger, Step.CHECKING)
    assert ledger.record(checking, Outcome(facts={"review": [REASON]}))
    note = claim_at(ledger, Step.NOTE)
    assert len(waiting(ledger)) == 1
    ledger.set_aside(note, Standing.HELD, code="check_failed", operator_text="?", message="x")
    ledger.reject(note.unit_id, "op17", "Fehlscan")
    assert waiting(ledger) == []
    assert disagreements(ledger) == []


def test_a_question_that_was_removed_without_a_word_is_found(ledger: Ledger) -> None:
    delivered_with_a_question(ledger)
    change(ledger, sa.update(schema.document).values(review_open=0))
    (told,) = disagreements(ledger)
    assert "Prüfung durch eine Person" in told


def test_asking_reads_only_what_waits(ledger: Ledger) -> None:
    delivered_with_a_question(ledger)
    lite = ledger._engine.dialect.name == "sqlite"
    asked: list[str] = []

    def explain(_c: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if "review_open" in statement and "SELECT" in statement and "EXPLAIN" not in statement:
            other = cursor.connection.cursor()
            other.execute(("EXPLAIN QUERY PLAN " if lite else "EXPLAIN ") + statement, values)
            asked.extend(str(row[-1]) for row in other.fetchall())
            other.close()

    sa.event.listen(ledger._engine, "before_cursor_execute", explain)
    try:
        waiting(ledger)
    finally:
        sa.event.remove(ledger._engine, "before_cursor_execute", explain)
    assert any("ix_document_review" in line for line in asked), asked


def test_a_ledger_with_rows_is_upgraded(ledger_url: str) -> None:
    ledger = open_ledger(ledger_url)
    document = delivered_with_a_question(ledger)
    ledger.accept(arrival())
    downgrade(ledger)
    ledger.close()
    upgraded = open_ledger(ledger_url)
    assert {row.lost for row in rows(upgraded, schema.claim)} == {0}
    (row,) = [row for row in rows(upgraded, schema.document) if row.id == document]
    assert (row.profile, row.profile_sha256, row.review_open) == (None, None, 0)
    assert len(work(upgraded)) == 10
    upgraded.close()
