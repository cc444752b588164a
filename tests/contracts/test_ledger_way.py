"""The whole way of a batch: pages, documents, stages, and the chains that prove it."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
import sqlalchemy as sa

from ingest.clock import UTC
from ingest.document import (
    BatchStage,
    Outcome,
    PageRole,
    Part,
    Queue,
    RenditionKind,
    Stage,
    Standing,
    Step,
    UnitKind,
    Wait,
)
from ingest.ledger import Ledger, chains, schema
from tests.plugins.ledgers import (
    ALL,
    LEASE,
    arrival,
    claim_at,
    digest,
    events,
    outcome,
    rendition,
    rows,
    source,
    work,
)

_CUT = ((1, 2), (4,))  # page 3 is a separator sheet


def test_a_batch_of_two_documents_is_delivered(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    done = [step for step, _ in work(ledger, _CUT)]
    assert done[:6] == [Step.INSPECTION, *[Step.EXAMINATION] * 4, Step.SEPARATION]
    assert done.count(Step.RECOGNITION) == 3
    assert len(done) == 6 + 3 + 2 * 6
    (batch,) = rows(ledger, schema.batch)
    assert (batch.stage, batch.standing) == (BatchStage.CLOSED, Standing.DONE)
    pages = rows(ledger, schema.page)
    left_out = {"page": 3, "kind": "separator", "sha256": pages[2].sha256}
    assert batch.facts["separation"]["omitted"] == [left_out]
    assert [(page.sheet, page.side) for page in pages] == [(n, "front") for n in (1, 2, 3, 4)]
    assert batch.facts["separation"]["recorded_at"] == batch.closed_at.isoformat()
    documents = rows(ledger, schema.document)
    assert [(d.ordinal, d.pages) for d in documents] == [(1, [1, 2]), (2, [4])]
    for document in documents:
        assert (document.stage, document.standing) == (Stage.DELIVERED, Standing.DONE)
        assert document.facts["delivery"]["done"] == "delivery"
    assert [page.role for page in pages] == ["content", "content", "separator", "content"]
    assert [page.words_sha256 is not None for page in pages] == [True, True, False, True]
    assert rows(ledger, schema.claim) == []
    assert not any(ledger.backlog().values())
    assert events(ledger, receipt.batch_id) == [
        "received",
        "inspected",
        *["page_examined"] * 4,
        "separated",
    ]
    assert events(ledger, documents[0].id) == [
        "captured",
        *["page_recognised"] * 2,
        "recognised",
        "checked",
        "noted",
        "sealed",
        "routed",
        "delivered",
    ]


def test_every_step_is_told_what_came_before(ledger: Ledger) -> None:
    ledger.accept(arrival())
    given = ledger.assignment(claim_at(ledger, Step.SEALING, _CUT))
    assert given.unit_kind is UnitKind.DOCUMENT
    document = given.document
    assert document is not None
    assert (document.ordinal, document.stage, document.source) == (1, Stage.NOTED, 1)
    assert set(document.renditions) == {RenditionKind.COMPOSED, RenditionKind.NOTED}
    assert set(document.facts) == {"separation", "composition", "checking", "note"}
    assert [page.number for page in given.pages] == [1, 2]
    assert all(page.words_sha256 for page in given.pages)
    page = given.pages[0].facts
    assert page["examination"] == {"done": "examination"}
    assert set(page["recorded_at"]) == {"examination", "recognition"}
    assert all(dt.datetime.fromisoformat(at).tzinfo for at in page["recorded_at"].values())
    assert given.batch.sources[0].pages == 4
    assert given.batch.stage is BatchStage.CLOSED


def test_pages_come_in_reading_order(ledger: Ledger) -> None:
    ledger.accept(arrival())
    given = ledger.assignment(claim_at(ledger, Step.COMPOSITION, [[3, 1, 2]]))
    assert [page.number for page in given.pages] == [3, 1, 2]


def test_a_page_step_gets_its_page_alone(ledger: Ledger) -> None:
    ledger.accept(arrival())
    given = ledger.assignment(claim_at(ledger, Step.EXAMINATION, _CUT))
    assert given.page.number == 1
    assert len(given.pages) == 1
    assert given.document is None


def test_separation_waits_for_the_last_page(ledger: Ledger) -> None:
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.INSPECTION, _CUT)
    ledger.record(claim, outcome(ledger.assignment(claim), _CUT))
    (batch,) = rows(ledger, schema.batch)
    assert (batch.stage, batch.standing) == (BatchStage.INSPECTED, Standing.WAITING)
    claims = [ledger.claim(ALL, "w", LEASE) for _ in range(4)]
    for left, claimed in zip((3, 2, 1, 0), claims, strict=True):
        assert claimed is not None
        assert claimed.step is Step.EXAMINATION
        assert ledger.claim(ALL, "w", LEASE) is None
        ledger.record(claimed, Outcome())
        row = next(r for r in rows(ledger, schema.claim) if r.step == Step.SEPARATION)
        assert row.children_open == left
        assert row.standing == (Standing.WAITING if left else Standing.READY)
    assert rows(ledger, schema.batch)[0].standing == Standing.READY


def test_an_opaque_original_has_no_pages_and_is_delivered(ledger: Ledger) -> None:
    ledger.accept(arrival())
    done = [step for step, _ in work(ledger, [[]])]
    assert Step.EXAMINATION not in done
    assert Step.RECOGNITION not in done
    (document,) = rows(ledger, schema.document)
    assert (document.pages, document.standing) == ([], Standing.DONE)


def test_a_stack_of_nothing_but_separators_ends(ledger: Ledger) -> None:
    ledger.accept(arrival())
    work(ledger, [])
    (batch,) = rows(ledger, schema.batch)
    assert (batch.stage, batch.standing) == (BatchStage.CLOSED, Standing.DONE)
    assert rows(ledger, schema.document) == rows(ledger, schema.claim) == []


def test_a_part_without_its_page_is_refused_and_nothing_is_cut(ledger: Ledger) -> None:
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.SEPARATION, _CUT)
    for parts in (
        (Part(pages=(1,), source=1), Part(pages=(9,), source=1)),
        (Part(pages=(1,), source=1), Part(pages=(1,), source=1)),
        (Part(pages=(1,), source=7),),
    ):
        with pytest.raises(ValueError, match="parts name"):
            ledger.record(claim, Outcome(parts=parts))
    assert rows(ledger, schema.document) == []
    assert ledger.record(claim, outcome(ledger.assignment(claim), _CUT))


def test_facts_that_are_not_json_are_refused_and_the_claim_stays(ledger: Ledger) -> None:
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.EXAMINATION)
    with pytest.raises((ValueError, sa.exc.StatementError)):
        ledger.record(claim, Outcome(facts={"dpi": float("nan")}))
    assert ledger.record(claim, Outcome(facts={"dpi": 300}))


def test_a_consignment_takes_what_its_sheet_said(ledger: Ledger) -> None:
    came = dt.datetime(2024, 5, 2, tzinfo=UTC)
    ledger.accept(arrival(received_at=came, received_at_source="batch.json"))
    claim = claim_at(ledger, Step.SEPARATION, [[1, 2]])
    hints = {"received_at": "2024-05-03T00:00:00+02:00", "delivery_type": "Einschreiben"}
    parts = (Part(pages=(1,), source=1, hints=hints), Part(pages=(2,), source=1))
    ledger.record(claim, Outcome(parts=parts))
    found = rows(ledger, schema.consignment)
    first, second = sorted(found, key=lambda row: row.delivery_type is None)
    assert first.received_at == dt.datetime(2024, 5, 2, 22, tzinfo=UTC)
    assert (first.received_at_source, first.delivery_type) == ("separator", "Einschreiben")
    assert (second.received_at, second.received_at_source) == (came, "batch.json")
    (batch,) = rows(ledger, schema.batch)
    assert first.registered_at == second.registered_at == batch.registered_at


def test_a_date_of_receipt_supplied_at_inspection_is_the_batchs_and_its_consignments(
    ledger: Ledger,
) -> None:
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.INSPECTION)
    supplied = {"received_at": "2026-11-20T00:00:00+01:00", "received_at_source": "operator"}
    given = outcome(ledger.assignment(claim))
    ledger.record(claim, dataclasses.replace(given, facts=supplied))
    came = (dt.datetime(2026, 11, 19, 23, tzinfo=UTC), "operator")
    work(ledger)
    for table in (schema.batch, schema.consignment):
        (row,) = rows(ledger, table)
        assert (row.received_at, row.received_at_source) == came
    said = [row.payload for row in rows(ledger, schema.event_payload)]
    (inspected,) = (one for one in said if one.get("step") == Step.INSPECTION)
    assert inspected["received_at"] == supplied["received_at"]
    assert inspected["received_at_source"] == "operator"


def test_a_date_of_receipt_on_the_envelope_is_not_overwritten(ledger: Ledger) -> None:
    came = dt.datetime(2024, 5, 2, tzinfo=UTC)
    ledger.accept(arrival(received_at=came, received_at_source="batch.json"))
    claim = claim_at(ledger, Step.INSPECTION)
    ledger.record(claim, Outcome(facts={"received_at": "2026-11-20T00:00:00+01:00"}))
    (batch,) = rows(ledger, schema.batch)
    assert (batch.received_at, batch.received_at_source) == (came, "batch.json")


def test_what_is_not_recorded_stays_unknown(ledger: Ledger) -> None:
    ledger.accept(arrival())
    work(ledger)
    (consignment,) = rows(ledger, schema.consignment)
    assert consignment.received_at is None
    assert consignment.opened is None


def test_a_waiting_step_keeps_its_findings_and_runs_again(ledger: Ledger) -> None:
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.CHECKING)
    wait = Wait(reason="Stichprobe der Qualitätssicherung")
    assert ledger.record(claim, Outcome(facts={"sample": True}, wait=wait))
    (document,) = rows(ledger, schema.document)
    assert (document.stage, document.standing) == (Stage.RECOGNISED, Standing.WAITING)
    assert document.reason == wait.reason
    assert ledger.sweep().promoted == 0
    assert ledger.claim(ALL, "w", LEASE) is None
    ledger.retry(document.id, "op17")
    again = ledger.claim(ALL, "w", LEASE)
    assert again is not None
    assert (again.step, again.attempt) == (Step.CHECKING, 1)
    given = ledger.assignment(again)
    assert given.document is not None
    assert given.document.facts["checking"]["sample"] is True
    ledger.record(again, Outcome())
    work(ledger)
    assert rows(ledger, schema.document)[0].standing == Standing.DONE


def test_a_wait_with_a_term_ends_by_itself(ledger: Ledger) -> None:
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.DELIVERY)
    past = dt.datetime(2020, 1, 1, tzinfo=UTC)
    ledger.record(claim, Outcome(wait=Wait(reason="Eingangsbestätigung", until=past)))
    assert ledger.sweep().promoted == 1
    work(ledger)
    assert rows(ledger, schema.document)[0].standing == Standing.DONE


def test_the_key_of_a_step_outlives_attempts_and_differs_between_steps(ledger: Ledger) -> None:
    ledger.accept(arrival())
    sealing = claim_at(ledger, Step.SEALING)
    ledger.record(sealing, outcome(ledger.assignment(sealing)))
    routing = ledger.claim([Queue.DELIVERY], "w", LEASE)
    assert routing is not None
    assert routing.idempotency_key != sealing.idempotency_key


def test_the_newest_rendition_of_a_kind_counts(ledger: Ledger) -> None:
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.CHECKING)
    given = outcome(ledger.assignment(claim))
    for text in ("first", "second"):
        made = rendition(RenditionKind.COMPOSED, "0" * 64, text)
        given = dataclasses.replace(given, renditions=(*given.renditions, made))
    ledger.record(claim, given)
    after = ledger.claim(ALL, "w", LEASE)
    assert after is not None
    document = ledger.assignment(after).document
    assert document is not None
    assert document.renditions[RenditionKind.COMPOSED].sha256 == digest("second")


def test_personal_text_is_only_in_the_erasable_part(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival(source("Kündigung Erika Mustermann.pdf")))
    claim = ledger.claim(ALL, "w", LEASE)
    assert claim is not None
    ledger.set_aside(
        claim,
        Standing.HELD,
        code="password_needed",
        operator_text="Kündigung Erika Mustermann.pdf braucht ein Kennwort.",
        message="Traceback: Mustermann",
    )
    chained = "".join(str(row) for row in rows(ledger, schema.event))
    assert "Mustermann" not in chained
    assert "Mustermann" in "".join(str(row) for row in rows(ledger, schema.event_payload))
    with ledger.writing() as connection:
        connection.execute(schema.event_payload.delete())
    table = schema.event
    with ledger.reading() as connection:
        found = connection.execute(table.select().order_by(table.c.seq)).all()
    previous = chains.GENESIS
    for row in found:
        names = ("chain", "seq", "kind", "at", "actor", "payload_digest")
        fields = {name: getattr(row, name) for name in names}
        assert chains.event_digest(**fields, previous=previous) == row.digest
        previous = row.digest
    assert {row.chain for row in found} == {receipt.batch_id}


def test_roles_are_kept(ledger: Ledger) -> None:
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.SEPARATION, [[1, 2]])
    parts = (Part(pages=(1, 2), source=1),)
    ledger.record(claim, Outcome(parts=parts, roles={2: PageRole.BLANK_SUSPECT}))
    assert [page.role for page in rows(ledger, schema.page)] == ["content", "blank_suspect"]
