"""Chains and erasure in the ledger, on both databases."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from ingest.document import Standing, Step
from ingest.errors import UsageError
from ingest.ledger import Ledger, integrity, reading, schema, showing
from ingest.ledger.account import day_account
from ingest.ledger.erasure import erase
from tests.plugins.ledgers import (
    ALL,
    LEASE,
    arrival,
    broken,
    change,
    claim_at,
    everything,
    rows,
    source,
    work,
)

CUT = ((1, 2), (4,))
DAY = dt.date(2026, 11, 22)


def erased(ledger: Ledger, id_: str, by: str = "op17", reason: str = "Irrläufer") -> list[str]:
    with ledger.writing() as connection:
        return erase(connection, id_, by, reason)


def documents(ledger: Ledger) -> list[Any]:
    return sorted(rows(ledger, schema.document), key=lambda row: (row.batch_id, row.ordinal))


def test_chains_as_written_verify(ledger: Ledger) -> None:
    ledger.accept(arrival())
    work(ledger, CUT)
    ledger.accept(arrival(held=("x", "y")))
    assert broken(ledger) == []


_event, _payload, _chain = schema.event, schema.event_payload, schema.chain


@pytest.mark.parametrize(
    ("tampering", "seq", "reason"),
    [
        (sa.update(_event).where(_event.c.seq == 2).values(kind="delivered"), 2, "changed"),
        (sa.update(_event).where(_event.c.seq == 2).values(actor="op99"), 2, "changed"),
        (
            sa.update(_event)
            .where(_event.c.seq == 2)
            .values(at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)),
            2,
            "changed",
        ),
        (sa.update(_payload).where(_payload.c.seq == 2).values(payload={"a": 1}), 2, "payload"),
        (sa.delete(_payload).where(_payload.c.seq == 2), 2, "no erasure is recorded"),
        (sa.delete(_event).where(_event.c.seq == 2), 3, "missing"),
        (sa.delete(_event).where(_event.c.seq == 4), 3, "head"),
        (sa.update(_chain).values(head="0" * 64), 4, "head"),
        (sa.update(_event).where(_event.c.seq == 3).values(previous="0" * 64), 3, "before it"),
    ],
)
def test_tampering_is_found_and_its_place_named(
    ledger: Ledger, tampering: sa.Executable, seq: int, reason: str
) -> None:
    receipt = ledger.accept(arrival())
    work(ledger, ((1,),), None)
    with ledger.writing() as connection:
        # Only the batch's chain, of exactly four events, is left.
        for table, column in ((_payload, "chain"), (_event, "chain"), (_chain, "id")):
            connection.execute(sa.delete(table).where(table.c[column] != receipt.batch_id))
    assert broken(ledger) == []
    change(ledger, tampering)
    first, *_ = broken(ledger)
    assert (first.chain, first.seq) == (receipt.batch_id, seq)
    assert reason in first.reason


def test_a_chain_without_events_is_broken(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    change(ledger, sa.delete(_event))
    assert [(one.chain, one.seq) for one in broken(ledger)] == [(receipt.batch_id, 0)]
    assert broken(ledger, "other") == []


def _rfc6962(leaves: list[bytes]) -> bytes:
    """Compute the tree hash as the RFC defines it, by recursion."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = _rfc6962(leaves[:split]), _rfc6962(leaves[split:])
    return hashlib.sha256(b"\1" + left + right).digest()


@given(st.lists(st.binary(max_size=8), max_size=40))
def test_the_root_is_that_of_rfc_6962(leaves: list[bytes]) -> None:
    assert integrity.merkle_root(leaves) == _rfc6962(leaves).hex()


def test_an_anchored_day_keeps_its_root(ledger: Ledger) -> None:
    ledger.accept(arrival())
    ledger.accept(arrival(tenant="other"))
    with ledger.writing() as connection:
        first = integrity.anchor(connection, "default", DAY)
    ledger.accept(arrival())
    with ledger.writing() as connection:
        assert integrity.anchor(connection, "default", DAY) == first
        later = integrity.anchor(connection, "default", dt.datetime.now(dt.UTC).date())
    # two batches and the chain of the installation, which tells of the first day
    assert (first.heads, later.heads) == (1, 3)
    assert first.root != later.root
    assert len(rows(ledger, schema.merkle_root)) == 2


def deliver(ledger: Ledger, cut: Any = CUT) -> None:
    work(ledger, cut)


def test_an_erased_batch_leaves_its_chain_and_nothing_it_said(ledger: Ledger) -> None:
    sent = source("Kündigung Erika Mustermann.pdf")
    receipt = ledger.accept(arrival(sent, device="Erikas Scanner"))
    deliver(ledger)
    made = {row.sha256 for row in rows(ledger, schema.rendition)}
    free = erased(ledger, receipt.batch_id)
    assert set(free) == {sent.sha256, *made}
    content = everything(ledger)
    assert "Erika" not in content
    assert not any(sha256 in content for sha256 in free)
    assert "Irrläufer" in content
    assert broken(ledger) == []
    (batch,) = rows(ledger, schema.batch)
    assert (batch.standing, batch.erased_at is not None) == (Standing.DONE, True)
    assert all(row.erased_at is not None for row in documents(ledger))
    with ledger.reading() as connection:
        listed = list(reading.rows(connection))
        events = list(showing.events(connection, receipt.batch_id))
        account = day_account(connection, "default", batch.registered_at.date(), "UTC")
    assert [row["sha256"] for row in listed] == [None] * 3
    assert listed[1]["outputs"] == {}
    assert events[0]["payload"] is None
    assert (events[-1]["kind"], events[-1]["actor"]) == ("erased", "op17")
    assert account.difference == 0, account.misplaced
    assert (account.documents_erased, account.documents_delivered) == (2, 0)
    assert (account.pages_erased, account.pages_ended, account.files_ended) == (3, 0, 1)


def test_a_delivery_is_withdrawn_before_its_document_is_erased(ledger: Ledger) -> None:
    sent = source("Erika.pdf")
    receipt = ledger.accept(arrival(sent))
    deliver(ledger)
    asked = []

    def withdraw(delivery: Any) -> dict[str, int]:
        asked.append(delivery)
        return {"withdrawn": 3, "taken": 1, "altered": 0}

    made = {row.unit_id: row.sha256 for row in rows(ledger, schema.rendition)}
    with ledger.writing() as connection:
        erase(connection, receipt.batch_id, "op17", "Irrläufer", withdraw)
    assert [one.document for one in asked] == [row.id for row in documents(ledger)]
    assert all(one.facts["done"] == "delivery" for one in asked)
    assert all({sent.sha256, made[one.document]} <= one.digests for one in asked)
    with ledger.reading() as connection:
        *_, last = showing.events(connection, asked[0].document)
    said = {"withdrawn": 3, "taken": 1, "altered": 0, "reason": "Irrläufer"}
    assert said.items() <= last["payload"].items()


def test_bytes_that_another_arrival_has_are_not_free(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival(source("a.pdf", content="same")))
    ledger.accept(arrival(source("b.pdf", content="same")))
    ledger.accept(arrival(source("c.pdf", content="same"), tenant="other"))
    assert erased(ledger, receipt.batch_id) == []
    with ledger.reading() as connection:
        assert list(reading.referenced(connection, "default")) != []


def test_the_same_bytes_can_arrive_again_after_erasure(ledger: Ledger) -> None:
    first = ledger.accept(arrival(source(content="again")))
    (sha256,) = erased(ledger, first.batch_id)
    with ledger.reading() as connection:
        assert list(reading.referenced(connection, "default")) == []
    ledger.accept(arrival(source(content="again")))
    with ledger.reading() as connection:
        assert list(reading.referenced(connection, "default")) == [sha256]


def test_one_document_of_a_batch_can_be_erased(ledger: Ledger) -> None:
    sent = source("Stapel.pdf")
    ledger.accept(arrival(sent))
    deliver(ledger)
    first, second = documents(ledger)
    own = {row.sha256 for row in rows(ledger, schema.rendition) if row.unit_id == first.id}
    free = erased(ledger, first.id)
    assert own <= set(free)
    assert sent.sha256 not in free, "the other document comes from it"
    after, other = documents(ledger)
    assert (after.facts, after.erased_at is not None, after.pages) == ({}, True, [1, 2])
    assert (other.erased_at, other.facts) == (None, second.facts)
    words = {row.number: row.words_sha256 for row in rows(ledger, schema.page)}
    assert words[1] is None
    assert words[4] is not None
    assert broken(ledger) == []
    assert sent.sha256 in erased(ledger, second.id), "the last one takes the batch with it"
    assert rows(ledger, schema.batch)[0].erased_at is not None
    assert broken(ledger) == []


def test_a_document_takes_its_own_source_with_it(ledger: Ledger) -> None:
    from ingest.document import Outcome, Part

    one, two = source("Erika.eml"), source("Otto.eml", ordinal=2)
    receipt = ledger.accept(arrival(one, two))
    claim_at_inspection = claim_at(ledger, Step.INSPECTION)
    ledger.record(claim_at_inspection, Outcome(sources=(one, two)))
    cutting = claim_at(ledger, Step.SEPARATION)
    parts = (Part(pages=(), source=1), Part(pages=(), source=2))
    ledger.record(cutting, Outcome(parts=parts))
    first, _ = documents(ledger)
    assert erased(ledger, first.id) == [one.sha256]
    content = everything(ledger)
    assert "Erika" not in content
    assert two.sha256 in content
    with ledger.reading() as connection:
        listed = list(reading.rows(connection))
        *_, last = showing.events(connection, receipt.batch_id)
    assert [entry["sha256"] for entry in listed[0]["sources"]] == [None, two.sha256]
    assert last["payload"]["sources"] == [1]
    assert broken(ledger) == []


def test_open_work_of_what_is_erased_ends(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    claim = claim_at(ledger, Step.RECOGNITION, CUT)
    pause = dt.timedelta(seconds=0)
    ledger.defer(claim, code="x", operator_text="x", message="x", pause=pause, consumes_try=True)
    erased(ledger, receipt.batch_id)
    assert rows(ledger, schema.claim) == []
    assert ledger.claim(ALL, "test", LEASE) is None
    assert {row.standing for row in documents(ledger)} == {Standing.SUPERSEDED}
    assert broken(ledger) == []


def test_a_held_batch_that_is_erased_counts_as_rejected(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival(held=("password_needed", "Passwort nötig")))
    erased(ledger, receipt.batch_id)
    assert rows(ledger, schema.batch)[0].standing == Standing.REJECTED


@pytest.mark.parametrize(
    ("prepare", "text"),
    [
        (lambda ledger, id_: claim_at(ledger, Step.INSPECTION), "bearbeitet"),
        (lambda ledger, id_: claim_at(ledger, Step.RECOGNITION, CUT), "bearbeitet"),
        (erased, "bereits gelöscht"),
    ],
)
def test_what_is_claimed_or_erased_is_refused(
    ledger: Ledger, prepare: Callable[[Ledger, str], Any], text: str
) -> None:
    receipt = ledger.accept(arrival())
    prepare(ledger, receipt.batch_id)
    before = everything(ledger)
    with pytest.raises(UsageError) as caught:
        erased(ledger, receipt.batch_id)
    assert text in caught.value.operator_text
    assert everything(ledger) == before


@pytest.mark.parametrize(
    ("by", "reason"), [("", "Irrläufer"), ("op17", " "), ("Erika Muster", "Irrläufer")]
)
def test_erasing_needs_a_person_and_a_reason(ledger: Ledger, by: str, reason: str) -> None:
    receipt = ledger.accept(arrival())
    with pytest.raises(UsageError):
        erased(ledger, receipt.batch_id, by, reason)
