"""What the ledger tells of every arrival and document, on both databases."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.clock import UTC
from ingest.document import (
    Outcome,
    Part,
    Step,
)
from ingest.errors import UsageError
from ingest.ledger import Ledger, Unaccepted, reading, showing
from tests.plugins.ledgers import (
    ALL,
    LEASE,
    arrival,
    claim_at,
    deliver,
    digest,
    outcome,
    source,
)

CUT = ((1, 2), (4,))  # page 3 is a separator sheet
REQUIRED = {
    "message_type",
    "id",
    "batch",
    "source_name",
    "sha256",
    "stage",
    "standing",
    "reason",
    "pages",
    "source_pages",
    "outputs",
}


def listed(ledger: Ledger, tenant: str | None = None) -> list[dict[str, Any]]:
    with ledger.reading() as connection:
        return list(reading.rows(connection, tenant))


def shown(ledger: Ledger, id_: str) -> dict[str, Any]:
    with ledger.reading() as connection:
        return showing.show(connection, id_)


def located(ledger: Ledger, id_: str, what: showing.What) -> showing.Located:
    with ledger.reading() as connection:
        return showing.locate(connection, id_, what)


def test_a_batch_and_its_documents_are_listed_in_the_agreed_shape(ledger: Ledger) -> None:
    sent = source("eingang.pdf")
    receipt = ledger.accept(arrival(sent, received_at=dt.datetime(2026, 11, 20, tzinfo=UTC)))
    deliver(ledger)
    batch, first, second = listed(ledger)
    for row in (batch, first, second):
        assert row.keys() >= REQUIRED
        assert row["batch"] == receipt.batch_id
        assert row["sha256"] == sent.sha256
        assert row["received_at"] == "2026-11-20T00:00:00+00:00"
    assert batch["message_type"] == "batch"
    assert (batch["stage"], batch["standing"], batch["reason"]) == ("closed", "done", None)
    assert batch["sources"] == [{"name": "eingang.pdf", "sha256": sent.sha256, "pages": 4}]
    assert [(left["page"], left["kind"]) for left in batch["omitted"]] == [(3, "separator")]
    assert (batch["pages"], batch["source_pages"]) == (4, [1, 2, 3, 4])
    assert (first["message_type"], first["source_pages"], first["pages"]) == ("document", [1, 2], 2)
    assert second["source_pages"] == [4]
    assert (second["stage"], second["standing"]) == ("delivered", "done")
    assert second["department"] == "Bauamt"
    assert second["outputs"] == {
        "pdf": {
            "sha256": digest(f"{second['id']}/sealing"),
            "path": f"Bauamt/{second['id']}/a.pdf",
        },
        "note": {"sha256": digest(f"note {second['id']}")},
        "text": {"sha256": digest(f"text {second['id']}")},
        "original": {"sha256": sent.sha256},
    }


def test_a_batch_of_several_sources_has_no_digest_of_its_own(ledger: Ledger) -> None:
    ledger.accept(arrival(source("a.tif"), source("b.tif", ordinal=2)))
    (batch,) = listed(ledger)
    assert batch["sha256"] is None
    assert [entry["name"] for entry in batch["sources"]] == ["a.tif", "b.tif"]


def test_what_is_being_worked_on_is_listed_as_claimed(ledger: Ledger) -> None:
    ledger.accept(arrival())
    assert [row["standing"] for row in listed(ledger)] == ["ready"]
    claim_at(ledger, Step.INSPECTION)
    assert [row["standing"] for row in listed(ledger)] == ["claimed"]


def test_progress_counts_the_pages_that_are_done(ledger: Ledger) -> None:
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.RECOGNITION, ((1, 2, 3),))
    _, document = listed(ledger)
    assert document["progress"] == {"pages_done": 0, "pages": 3}
    ledger.record(claim, outcome(ledger.assignment(claim)))
    _, document = listed(ledger)
    assert document["progress"] == {"pages_done": 1, "pages": 3}
    assert document["standing"] == "waiting"


def test_a_held_batch_names_its_reason_in_german(ledger: Ledger) -> None:
    ledger.accept(arrival(held=("password_needed", "Passwort nötig: bitte nachfordern.")))
    (batch,) = listed(ledger)
    assert (batch["standing"], batch["reason_code"]) == ("held", "password_needed")
    assert batch["reason"] == "Passwort nötig: bitte nachfordern."


def test_what_was_not_accepted_is_listed_with_its_reason(ledger: Ledger) -> None:
    moment = dt.datetime(2026, 11, 22, tzinfo=UTC)
    entry = Unaccepted(
        name="brief.part",
        name_base64="YQ==",
        reason_code="part",
        operator_text="Datei wird noch geschrieben.",
        first_seen_at=moment,
    )
    ledger.replace_unaccepted("default", "/inbox", [entry])
    (row,) = listed(ledger)
    assert row.keys() >= REQUIRED
    assert (row["message_type"], row["source_name"]) == ("unaccepted", "brief.part")
    assert row["reason"] == "Datei wird noch geschrieben."


def test_tenants_are_listed_apart(ledger: Ledger) -> None:
    ledger.accept(arrival(tenant="stadt-a"))
    ledger.accept(arrival(tenant="stadt-b"))
    assert [row["tenant"] for row in listed(ledger, "stadt-b")] == ["stadt-b"]
    assert len(listed(ledger)) == 2


def test_a_long_listing_is_complete_ordered_and_takes_few_queries(ledger: Ledger) -> None:
    accepted = [ledger.accept(arrival()).batch_id for _ in range(450)]
    two = Outcome(parts=(Part(pages=(), source=1), Part(pages=(), source=1)))
    cut: set[str] = set()
    while len(cut) < 3:
        claim = ledger.claim(ALL, "test", LEASE)
        assert claim is not None
        if claim.step is Step.INSPECTION:
            ledger.record(claim, outcome(ledger.assignment(claim), ()))
        elif claim.step is Step.SEPARATION:
            ledger.record(claim, two)
            cut.add(claim.unit_id)
    statements: list[str] = []
    with ledger.reading() as connection:
        sa.event.listen(
            connection, "before_cursor_execute", lambda *given: statements.append(given[2])
        )
        rows = list(reading.rows(connection))
    batches = [row["id"] for row in rows if row["message_type"] == "batch"]
    assert batches == sorted(accepted)
    documents = [row for row in rows if row["message_type"] == "document"]
    assert len(documents) == 6
    assert len(statements) < 30
    for place, row in enumerate(rows):
        if row["message_type"] == "document":
            assert rows[place - 1]["batch"] == row["batch"]


def test_show_tells_everything_about_a_document(ledger: Ledger) -> None:
    ledger.accept(arrival())
    deliver(ledger)
    _, first, _ = listed(ledger)
    record = shown(ledger, first["id"])
    assert record.items() >= first.items()
    assert [page["number"] for page in record["pages_found"]] == [1, 2]
    kinds = [made["kind"] for made in record["renditions"]]
    assert sorted(kinds) == ["composed", "note", "noted", "pdf", "text", "words", "words"]
    assert record["events"][0]["kind"] == "captured"
    assert record["events"][0]["payload"]["pages"] == [1, 2]
    assert record["events"][-1]["kind"] == "delivered"
    assert record["consignment"]["channel"] == "folder"


def test_show_tells_everything_about_a_batch(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival(storage_place="Karton 7"))
    claim_at(ledger, Step.EXAMINATION, CUT)
    record = shown(ledger, receipt.batch_id)
    assert record["storage_place"] == "Karton 7"
    assert len(record["pages_found"]) == 4
    assert {work["step"] for work in record["open_work"]} == {"examination", "separation"}
    assert [entry["kind"] for entry in record["events"]] == ["received", "inspected"]


def test_the_beginning_of_an_id_is_enough_if_it_is_the_only_one(ledger: Ledger) -> None:
    first, second = (ledger.accept(arrival()).batch_id for _ in range(2))
    same = next(i for i in range(36) if first[i] != second[i])
    assert shown(ledger, first[: same + 1].upper())["id"] == first
    with pytest.raises(UsageError, match="ambiguous") as caught:
        shown(ledger, first[:6])
    assert first in caught.value.operator_text


@pytest.mark.parametrize("wrong", ["", "0197", "%%%%%%", "ffffffff-ffff", "f" * 36, "'; --xx"])
def test_an_unknown_id_is_refused_in_german(ledger: Ledger, wrong: str) -> None:
    ledger.accept(arrival())
    with pytest.raises(UsageError) as caught:
        shown(ledger, wrong)
    assert "Kennung" in caught.value.operator_text


def test_outputs_are_located_with_a_name_for_people(ledger: Ledger) -> None:
    sent = source("../Antrag Müller.pdf")
    receipt = ledger.accept(arrival(sent))
    deliver(ledger, ((1,),))
    _, document = listed(ledger)
    pdf = located(ledger, document["id"], "pdf")
    assert pdf.sha256 == document["outputs"]["pdf"]["sha256"]
    assert pdf.filename == "Antrag Müller_001.pdf"
    original = located(ledger, receipt.batch_id, "original")
    assert (original.sha256, original.filename) == (sent.sha256, "Antrag Müller.pdf")
    assert original.media_type == "application/pdf"
    assert located(ledger, receipt.batch_id, "note").filename.endswith("_001.xml")


def test_each_source_of_a_held_stack_can_be_had_by_its_number(ledger: Ledger) -> None:
    one, two = source("a.tif"), source("b.tif", ordinal=2)
    receipt = ledger.accept(arrival(one, two, held=("incomplete", "?")))
    with ledger.reading() as connection:
        chosen = [showing.locate(connection, receipt.batch_id, "original", n) for n in (1, 2)]
        assert [(f.sha256, f.filename) for f in chosen] == [
            (one.sha256, "a.tif"),
            (two.sha256, "b.tif"),
        ]
        for number in (None, 3):
            with pytest.raises(UsageError) as caught:
                showing.locate(connection, receipt.batch_id, "original", number)
            assert "1: a.tif; 2: b.tif" in caught.value.operator_text
        with pytest.raises(UsageError, match="source number"):
            showing.locate(connection, receipt.batch_id, "pdf", 1)


def test_an_output_that_does_not_exist_yet_is_refused(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    with pytest.raises(UsageError, match="not one document"):
        located(ledger, receipt.batch_id, "pdf")
    claim_at(ledger, Step.COMPOSITION)
    with pytest.raises(UsageError) as caught:
        located(ledger, receipt.batch_id, "pdf")
    assert "noch" in caught.value.operator_text


def test_every_digest_the_ledger_knows_is_referenced(ledger: Ledger) -> None:
    sent = source()
    ledger.accept(arrival(sent))
    deliver(ledger)
    with ledger.reading() as connection:
        known = set(reading.referenced(connection, "default"))
        assert set(reading.referenced(connection, "other")) == set()
    outputs = {out["sha256"] for row in listed(ledger) for out in row["outputs"].values()}
    assert known >= {sent.sha256, *outputs}


def test_counts_are_by_stage_and_standing(ledger: Ledger) -> None:
    ledger.accept(arrival())
    ledger.accept(arrival(held=("x", "y")))
    with ledger.reading() as connection:
        counted = reading.counts(connection, "default")
    assert {(row["standing"], row["number"]) for row in counted["batches"]} == {
        ("ready", 1),
        ("held", 1),
    }
    assert counted["unaccepted"] == 0
