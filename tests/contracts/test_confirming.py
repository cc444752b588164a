"""A clerk's result opens work on a delivered document, which stays delivered all the while."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ingest.document import CONFIRMATION, Facts, Outcome, Queue, Stage, Standing, Step
from ingest.errors import UsageError
from ingest.ledger import Ledger, accepting, confirming, schema
from ingest.ledger.agreement import Examination
from ingest.ledger.erasure import Delivery, erase
from tests.plugins.ledgers import ALL, LEASE, arrival, claim_at, deliver, digest, events, rows


@pytest.fixture
def document(ledger: Ledger) -> str:
    ledger.accept(arrival())
    deliver(ledger, ((1,),))
    (row,) = rows(ledger, schema.document)
    return str(row.id)


def begin(ledger: Ledger, document: str) -> None:
    with ledger.writing() as connection:
        query = sa.select(schema.document).where(schema.document.c.id == document)
        row = connection.execute(query.with_for_update()).one()
        confirming.begin(connection, row, accepting.now(connection))


def breaks(ledger: Ledger) -> list[str]:
    with ledger.reading() as connection:
        return [place.reason for place in Examination(connection, "default")]


def state(ledger: Ledger) -> tuple[str, str]:
    (row,) = rows(ledger, schema.document)
    return row.stage, row.standing


def to_the_end(ledger: Ledger, document: str) -> None:
    files = {"a.ergaenzung.xml": digest("xml"), "a.ergaenzung.p7s": digest("p7s")}
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        found: Facts = {"treatment": "ersetzend"}
        if claim.step is Step.CONFIRMATION_DELIVERY:
            found = {"path": f"Bauamt/{document}", "stem": "a.ergaenzung", "files": files}
        assert ledger.record(claim, Outcome(facts=found))


def test_the_work_runs_in_its_lanes_and_the_document_stays_delivered(
    ledger: Ledger, document: str
) -> None:
    begin(ledger, document)
    assert state(ledger) == (Stage.DELIVERED, Standing.READY)
    assert breaks(ledger) == []
    lanes = {}
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        (row,) = rows(ledger, schema.claim)
        lanes[claim.step] = row.queue
        assert ledger.record(claim, Outcome())
    assert tuple(lanes) == CONFIRMATION
    assert [step for step, lane in lanes.items() if lane == Queue.SEALING] == [
        Step.CONFIRMATION_SEALING
    ]
    assert state(ledger) == (Stage.DELIVERED, Standing.DONE)
    assert events(ledger, document)[-5:] == [
        "delivered",
        "confirmation_owed",
        "confirmation_noted",
        "confirmation_sealed",
        "confirmation_delivered",
    ]
    assert breaks(ledger) == []
    assert rows(ledger, schema.claim) == []


def test_there_is_one_supplementary_note_a_document(ledger: Ledger, document: str) -> None:
    begin(ledger, document)
    with pytest.raises(UsageError):
        begin(ledger, document)
    to_the_end(ledger, document)
    with pytest.raises(UsageError):
        begin(ledger, document)
    assert breaks(ledger) == []


def test_it_is_begun_only_for_what_is_delivered(ledger: Ledger) -> None:
    ledger.accept(arrival())
    claim_at(ledger, Step.DELIVERY)
    (row,) = rows(ledger, schema.document)
    with pytest.raises(UsageError, match="takes no"):
        begin(ledger, row.id)


def test_it_is_not_begun_for_what_is_erased(ledger: Ledger) -> None:
    ledger.accept(arrival())
    deliver(ledger, ((1,),))
    (row,) = rows(ledger, schema.document)
    with ledger.writing() as connection:
        erase(connection, row.id, "op17", "Irrläufer")
    with pytest.raises(UsageError, match="takes no"):
        begin(ledger, row.id)


def test_it_counts_as_replacing_when_the_note_is_delivered(ledger: Ledger, document: str) -> None:
    begin(ledger, document)
    seen = []
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        seen.append(confirming.counts_as_replacing(rows(ledger, schema.document)[0].facts))
        assert ledger.record(claim, Outcome(facts={"treatment": "ersetzend"}))
    assert seen == [False, False, False]
    facts = rows(ledger, schema.document)[0].facts
    assert confirming.counts_as_replacing(facts)
    refused = {**facts, Step.CONFIRMING: {"treatment": "kopierend"}}
    assert not confirming.counts_as_replacing(refused)
    assert confirming.counts_as_replacing({Step.NOTE: {"treatment": "ersetzend"}})


def test_a_delivered_document_is_not_rejected_for_its_supplement(
    ledger: Ledger, document: str
) -> None:
    begin(ledger, document)
    claim = ledger.claim(ALL, "test", LEASE)
    assert claim is not None
    ledger.set_aside(claim, Standing.HELD, code="note_incomplete", operator_text="?", message="m")
    assert state(ledger) == (Stage.DELIVERED, Standing.HELD)
    with pytest.raises(UsageError, match="delivered"):
        ledger.reject(document, "op17", "geht nicht")
    ledger.retry(document)
    to_the_end(ledger, document)
    assert state(ledger) == (Stage.DELIVERED, Standing.DONE)


def test_a_supplement_that_was_forgotten_is_found(ledger: Ledger, document: str) -> None:
    begin(ledger, document)
    with ledger.writing() as connection:
        connection.execute(sa.delete(schema.claim))
        connection.execute(sa.update(schema.document).values(standing=Standing.DONE))
    assert any("Ergänzungsvermerk steht noch aus" in reason for reason in breaks(ledger))


def test_erasing_takes_both_deliveries_back(ledger: Ledger, document: str) -> None:
    begin(ledger, document)
    to_the_end(ledger, document)
    taken: list[Delivery] = []

    def withdraw(delivery: Delivery) -> Facts:
        taken.append(delivery)
        return {"withdrawn": 2}

    with ledger.writing() as connection:
        erase(connection, document, "op17", "Irrläufer", withdraw)
    first, second = taken
    assert first.key != second.key
    assert set(second.facts["files"]) == {"a.ergaenzung.xml", "a.ergaenzung.p7s"}
    assert breaks(ledger) == []


def test_what_a_later_revision_replaces_is_all_that_was_delivered(
    ledger: Ledger, document: str
) -> None:
    begin(ledger, document)
    to_the_end(ledger, document)
    facts = rows(ledger, schema.document)[0].facts
    files = confirming.delivered(facts)["files"]
    assert {"a.pdf", "a.ergaenzung.xml", "a.ergaenzung.p7s", "a.ergaenzung.ready"} == set(files)
    before = {key: said for key, said in facts.items() if key != Step.CONFIRMATION_DELIVERY}
    assert set(confirming.delivered(before)["files"]) == {"a.pdf"}
