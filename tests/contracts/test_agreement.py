"""Rows that no longer say what their chains say are found, on both databases."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.document import Outcome, Part, Sides, Standing, Step
from ingest.ledger import Ledger, integrity, schema
from ingest.ledger.agreement import Examination
from ingest.ledger.erasure import erase
from tests.plugins.ledgers import ALL, LEASE, arrival, claim_at, rows, source, work

CUT = ((1, 2), (4,))
DAY = dt.date(2026, 11, 22)
_batch, _document, _page = schema.batch, schema.document, schema.page
_source, _event, _chain = schema.batch_source, schema.event, schema.chain


def found(ledger: Ledger, chain: str | None = None) -> list[str]:
    with ledger.reading() as connection:
        tenant = None if chain else "default"
        return [f"{one.chain}: {one.reason}" for one in Examination(connection, tenant, chain)]


def change(ledger: Ledger, *statements: sa.Executable) -> None:
    with ledger.writing() as connection:
        for statement in statements:
            connection.execute(statement)


def erased(ledger: Ledger, id_: str) -> None:
    with ledger.writing() as connection:
        erase(connection, id_, "op17", "Irrläufer")


def documents(ledger: Ledger) -> list[Any]:
    return sorted(rows(ledger, _document), key=lambda row: (row.batch_id, row.ordinal))


def test_rows_agree_with_their_chains_after_every_single_step(ledger: Ledger) -> None:
    from tests.plugins.ledgers import outcome

    ledger.accept(
        arrival(
            source("Gr\u00fc\udcffe.pdf"),
            received_at=dt.datetime(2026, 11, 20, tzinfo=dt.timezone(dt.timedelta(hours=1))),
            received_at_source="stamp",
            scanned_at=dt.datetime(2026, 11, 21, 8, tzinfo=dt.UTC),
            device="S-1",
            expected_sheets=4,
            expected_consignments=2,
            sides=Sides.DUPLEX,
        )
    )
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        assert found(ledger) == []
        assert ledger.record(claim, outcome(ledger.assignment(claim), CUT))
    assert found(ledger) == []


def test_the_digest_of_a_page_left_out_goes_when_the_batch_is_erased(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    work(ledger, CUT)
    erased(ledger, receipt.batch_id)
    [batch] = rows(ledger, _batch)
    assert batch.facts == {"separation": {"omitted": [{"page": 3, "kind": "separator"}]}}
    assert found(ledger) == []


def test_what_persons_decide_and_erase_is_no_disagreement(ledger: Ledger) -> None:
    held = ledger.accept(arrival(held=("incomplete", "?")))
    assert found(ledger) == []
    ledger.reject(held.batch_id, "op17", "leer")
    ledger.accept(arrival())
    checking = claim_at(ledger, Step.CHECKING, CUT)
    ledger.set_aside(checking, Standing.HELD, code="check_failed", operator_text="?", message="x")
    assert found(ledger) == []
    ledger.release(checking.unit_id, "op17", "in Ordnung")
    assert found(ledger) == []
    work(ledger, CUT)
    first, second = documents(ledger)
    erased(ledger, first.id)
    assert found(ledger) == []
    erased(ledger, second.id)
    erased(ledger, held.batch_id)
    assert found(ledger) == []


def test_a_document_erased_with_its_own_source_is_no_disagreement(ledger: Ledger) -> None:
    one, two = source("Erika.eml"), source("Otto.eml", ordinal=2)
    ledger.accept(arrival(one, two))
    ledger.record(claim_at(ledger, Step.INSPECTION), Outcome(sources=(one, two)))
    parts = (Part(pages=(), source=1), Part(pages=(), source=2))
    ledger.record(claim_at(ledger, Step.SEPARATION), Outcome(parts=parts))
    first, _ = documents(ledger)
    erased(ledger, first.id)
    work(ledger)
    assert found(ledger) == []


def test_a_date_of_receipt_from_a_clerk_is_no_disagreement(ledger: Ledger) -> None:
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.INSPECTION)
    facts = {"received_at": "2026-11-20T00:00:00+01:00", "received_at_source": "operator"}
    assert ledger.record(claim, Outcome(facts=facts))
    assert rows(ledger, _batch)[0].received_at is not None
    work(ledger, ((),))
    assert found(ledger) == []
    change(ledger, sa.update(_batch).values(received_at=dt.datetime(2026, 11, 21, tzinfo=dt.UTC)))
    assert any("received_at" in text for text in found(ledger))


def test_a_step_that_waited_and_went_on_is_no_disagreement(ledger: Ledger) -> None:
    from ingest.document import Wait

    ledger.accept(arrival())
    claim = claim_at(ledger, Step.SEALING)
    ledger.record(claim, Outcome(facts={"asked": 1}, wait=Wait(reason="Stempel", until=None)))
    assert found(ledger) == []
    ledger.retry(claim.unit_id)
    work(ledger)
    assert found(ledger) == []


_SECOND = _document.c.ordinal == 2
_PAGE = _page.c.number == 1


@pytest.mark.parametrize(
    ("tampering", "text"),
    [
        (sa.update(_batch).values(facts={}), "„inspection“ fehlen"),
        (sa.update(_batch).values(operator="op99"), "operator"),
        (sa.update(_batch).values(received_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)), "received"),
        (sa.update(_batch).values(registered_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)), "Erfass"),
        (sa.update(_batch).values(expected_sheets=7), "expected_sheets"),
        (sa.update(_batch).values(stage="received"), "Stufe"),
        (sa.update(_batch).values(standing="rejected"), "niemand"),
        (sa.update(_batch).values(erased_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)), "gelöscht"),
        (sa.update(_source).values(sha256="0" * 64), "Datei 1"),
        (sa.update(_source).values(sha256=""), "Datei 1"),
        (sa.update(_source).values(name="anders.pdf"), "Datei 1"),
        (sa.update(_source).values(pages=3), "Datei 1"),
        (sa.delete(_source), "Dateien: 0 Einträge"),
        (sa.update(_document).where(_SECOND).values(pages=[3]), "Dokumente sind nicht"),
        (sa.update(_document).where(_SECOND).values(facts={}), "„delivery“ fehlen"),
        (sa.update(_document).where(_SECOND).values(stage="sealed"), "Stufe"),
        (sa.update(_document).where(_SECOND).values(standing="ready"), "ohne Arbeit"),
        (sa.delete(_document).where(_SECOND), "fehlt der Eintrag"),
        (sa.delete(_page).where(_PAGE), "Seiten: 3 Einträge"),
        (sa.update(_page).where(_PAGE).values(sha256="0" * 64), "die gefunden wurden"),
        (sa.update(_page).where(_PAGE).values(sha256=""), "leer, ohne"),
        (sa.update(_page).where(_PAGE).values(facts={}), "„examination“"),
        (sa.update(_page).where(_PAGE).values(words_sha256="0" * 64), "Erkannter Text"),
        (sa.update(schema.rendition).values(sha256="0" * 64), "Ausgaben sind nicht"),
        (sa.delete(schema.rendition), "Ausgaben sind nicht"),
        (sa.delete(schema.blob), "Verzeichnis der Ablage"),
        (
            sa.update(schema.consignment).values(
                received_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
            ),
            "Sendung, received_at",
        ),
    ],
)
def test_an_altered_or_removed_row_is_found(
    ledger: Ledger, tampering: sa.Executable, text: str
) -> None:
    ledger.accept(arrival())
    work(ledger, CUT)
    change(ledger, tampering)
    assert any(text in one for one in found(ledger)), found(ledger)


@pytest.mark.parametrize("key", ["inspection", "sealing", "extra"])
def test_a_single_altered_fact_is_found(ledger: Ledger, key: str) -> None:
    ledger.accept(arrival())
    work(ledger, CUT)
    table = _batch if key == "inspection" else _document
    row = rows(ledger, table)[0]
    altered = {**row.facts, key: {**row.facts.get(key, {}), "done": "otherwise"}}
    change(ledger, sa.update(table).where(table.c.id == row.id).values(facts=altered))
    (one,) = found(ledger)
    assert one.startswith(row.id)
    assert key in one
    assert found(ledger, row.id) == [one]


def test_work_that_was_removed_is_found(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    change(ledger, sa.delete(schema.claim))
    (one,) = found(ledger)
    assert one.startswith(receipt.batch_id)
    assert "niemand führt es weiter" in one


def test_a_row_without_chain_is_found(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    tables = ((schema.event_payload, "chain"), (_event, "chain"), (_chain, "id"))
    change(ledger, *(sa.delete(t).where(t.c[c] == receipt.batch_id) for t, c in tables))
    assert found(ledger) == [f"{receipt.batch_id}: Der Eintrag hat keine Ereigniskette."]


def anchored(ledger: Ledger, day: dt.date, settled: dt.timedelta = dt.timedelta(0)) -> Any:
    with ledger.writing() as connection:
        return integrity.anchor(connection, "default", day, settled)


def test_anchored_roots_are_computed_again_though_the_chains_went_on(ledger: Ledger) -> None:
    ledger.accept(arrival())
    claim_at(ledger, Step.EXAMINATION, CUT)
    first = anchored(ledger, DAY)
    ledger.accept(arrival())
    work(ledger, CUT)
    second = anchored(ledger, DAY + dt.timedelta(days=1))
    ledger.accept(arrival())
    assert (first.heads, first.root != second.root) == (1, True)
    with ledger.reading() as connection:
        examination = Examination(connection, "default")
        assert list(examination) == []
        assert examination.roots is not None
        assert (examination.roots.compared, examination.roots.older) == (2, 0)


def test_only_what_has_settled_is_anchored(ledger: Ledger) -> None:
    ledger.accept(arrival())
    assert anchored(ledger, DAY, dt.timedelta(minutes=10)).heads == 0
    assert found(ledger) == []


def test_a_batch_removed_without_trace_breaks_the_roots_that_had_it(ledger: Ledger) -> None:
    ledger.accept(arrival())
    receipt = ledger.accept(arrival())
    anchored(ledger, DAY)
    of_batch = (
        (schema.claim, "batch_id"),
        (_source, "batch_id"),
        (_batch, "id"),
        (schema.event_payload, "chain"),
        (_event, "chain"),
        (_chain, "id"),
    )
    change(ledger, *(sa.delete(t).where(t.c[c] == receipt.batch_id) for t, c in of_batch))
    (one,) = found(ledger)
    assert one.startswith(f"Tageswurzel {DAY}")


def test_many_documents_are_examined_with_few_queries(ledger: Ledger) -> None:
    for _ in range(40):
        ledger.accept(arrival())
    asked: list[str] = []

    def count(*arguments: Any) -> None:
        asked.append(str(arguments[2]))

    with ledger.reading() as connection:
        sa.event.listen(connection, "before_cursor_execute", count)
        assert list(Examination(connection, "default")) == []
    assert len(asked) < 40
