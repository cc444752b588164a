"""What persons decide: only where they may, by name, with a reason, and once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from ingest.document import Standing, Step
from ingest.errors import UsageError
from ingest.ledger import Claim, Ledger, schema
from tests.plugins.ledgers import ALL, LEASE, arrival, claim_at, events, everything, rows, work

_CUT = ((1, 2),)


def _set_aside(ledger: Ledger, claim: Claim, standing: Standing = Standing.HELD) -> None:
    assert ledger.set_aside(
        claim,
        standing,
        code="password_needed",
        operator_text="brief.pdf braucht ein Kennwort.",
        message="encrypted",
    )


def _held_batch(ledger: Ledger) -> str:
    receipt = ledger.accept(arrival())
    _set_aside(ledger, claim_at(ledger, Step.INSPECTION))
    return receipt.batch_id


def test_held_work_is_shown_and_not_claimed(ledger: Ledger) -> None:
    batch_id = _held_batch(ledger)
    (batch,) = rows(ledger, schema.batch)
    assert (batch.standing, batch.reason_code) == (Standing.HELD, "password_needed")
    assert batch.reason == "brief.pdf braucht ein Kennwort."
    assert ledger.claim(ALL, "w", LEASE) is None
    assert ledger.sweep().promoted == 0
    assert events(ledger, batch_id) == ["received", "held"]


def test_released_work_goes_on_with_all_its_tries_and_the_settings(ledger: Ledger) -> None:
    batch_id = _held_batch(ledger)
    ledger.release(batch_id, "op17", "Kennwort erfragt", {"password": "geheim", "pages": "2"})
    claim = ledger.claim(ALL, "w", LEASE)
    assert claim is not None
    assert claim.attempt == 1
    assert ledger.assignment(claim).released == {"pages": "2"}
    released = rows(ledger, schema.event)[-1]
    assert (released.kind, released.actor) == ("released_by_clerk", "op17")
    said = rows(ledger, schema.event_payload)[-1].payload
    assert said["settings"] == {"pages": "2"}
    assert "geheim" not in everything(ledger)


def test_settings_reach_the_documents_of_a_released_batch(ledger: Ledger) -> None:
    batch_id = _held_batch(ledger)
    ledger.release(batch_id, "op17", "Leere Seiten behalten", {"blank": "keep"})
    for step in (Step.EXAMINATION, Step.RECOGNITION, Step.COMPOSITION):
        given = ledger.assignment(claim := claim_at(ledger, step))
        assert given.released == {"blank": "keep"}
        ledger.defer(
            claim,
            code="c",
            operator_text="t",
            message="m",
            pause=dt.timedelta(0),
            consumes_try=False,
        )
        ledger.sweep()
    work(ledger)
    assert rows(ledger, schema.claim) == []


def test_rejected_work_has_ended(ledger: Ledger) -> None:
    batch_id = _held_batch(ledger)
    ledger.reject(batch_id, "op17", "nicht für uns")
    (batch,) = rows(ledger, schema.batch)
    assert (batch.standing, batch.reason) == (Standing.REJECTED, "nicht für uns")
    assert rows(ledger, schema.claim) == []
    assert events(ledger, batch_id)[-1] == "rejected"
    for decide in (ledger.reject, ledger.release):
        with pytest.raises(UsageError) as refused:
            decide(batch_id, "op17", "noch einmal")
        assert batch_id in refused.value.operator_text
        assert "zurückgewiesen" in refused.value.operator_text


def test_only_held_work_is_rejected(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    for stand in ("bereit", "in Arbeit"):
        with pytest.raises(UsageError) as refused:
            ledger.reject(receipt.batch_id, "op17", "weg damit")
        assert receipt.batch_id in refused.value.operator_text
        assert stand in refused.value.operator_text
        ledger.claim(ALL, "w", LEASE)
    assert rows(ledger, schema.batch)[0].standing == Standing.READY


def test_a_decision_needs_a_person_and_a_reason(ledger: Ledger) -> None:
    batch_id = _held_batch(ledger)
    for by, reason in (("", "Grund"), ("op17", " ")):
        with pytest.raises(UsageError):
            ledger.reject(batch_id, by, reason)
        with pytest.raises(UsageError):
            ledger.release(batch_id, by, reason)
    assert events(ledger, batch_id) == ["received", "held"]


@pytest.mark.parametrize("name", ["Erika Muster", "e.muster@stadt", "op17\n"])
def test_a_name_never_gets_into_a_chain_or_a_shift(ledger: Ledger, name: str) -> None:
    batch_id = _held_batch(ledger)
    decisions: list[Callable[[], object]] = [
        lambda: ledger.release(batch_id, name, "Grund"),
        lambda: ledger.reject(batch_id, name, "Grund"),
        lambda: ledger.retry(batch_id, name),
        lambda: ledger.begin_shift("default", "inbox", name),
    ]
    for decide in decisions:
        with pytest.raises(UsageError) as refused:
            decide()
        assert "Kürzel" in refused.value.operator_text
        assert name not in refused.value.operator_text
    assert events(ledger, batch_id) == ["received", "held"]
    assert ledger.current_shift("default", "inbox") is None


def test_an_unknown_unit_is_named(ledger: Ledger) -> None:
    for decide in (ledger.reject, ledger.release):
        with pytest.raises(UsageError) as refused:
            decide("nirgends\udcff", "op17", "Grund")
        assert "nirgends" in refused.value.operator_text
    with pytest.raises(UsageError):
        ledger.retry("nirgends")


def test_quarantined_work_goes_to_the_clerk_first(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    _set_aside(ledger, claim_at(ledger, Step.INSPECTION), Standing.QUARANTINED)
    with pytest.raises(UsageError):
        ledger.reject(receipt.batch_id, "op17", "weg")
    ledger.release(receipt.batch_id, "sib1", "Fehlalarm")
    (batch,) = rows(ledger, schema.batch)
    assert (batch.standing, batch.reason_code) == (Standing.HELD, "password_needed")
    ledger.release(receipt.batch_id, "op17", "weiter")
    assert len(work(ledger)) == 10
    assert events(ledger, receipt.batch_id)[:4] == [
        "received",
        "quarantined",
        "released_by_security_officer",
        "released_by_clerk",
    ]


def test_work_is_set_aside_for_a_person_only(ledger: Ledger) -> None:
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.INSPECTION)
    with pytest.raises(ValueError, match="rejected"):
        ledger.set_aside(claim, Standing.REJECTED, code="c", operator_text="t", message="m")


def test_deferred_work_is_retried_at_once(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    claim = claim_at(ledger, Step.INSPECTION)
    ledger.defer(
        claim,
        code="tool_failed",
        operator_text="t",
        message="m",
        pause=dt.timedelta(hours=1),
        consumes_try=True,
    )
    ledger.retry(receipt.batch_id, "op17")
    again = ledger.claim(ALL, "w", LEASE)
    assert again is not None
    assert again.attempt == 1
    assert events(ledger, receipt.batch_id)[-1] == "retried_by_operator"
    with pytest.raises(UsageError):
        ledger.retry(receipt.batch_id)


def test_a_stuck_page_shows_on_its_document_and_is_released_there(ledger: Ledger) -> None:
    ledger.accept(arrival())
    first = claim_at(ledger, Step.RECOGNITION, _CUT)
    second = claim_at(ledger, Step.RECOGNITION, _CUT)
    _set_aside(ledger, first)
    _set_aside(ledger, second)
    (document,) = rows(ledger, schema.document)
    assert (document.standing, document.reason_code) == (Standing.HELD, "password_needed")
    ledger.release(first.unit_id, "op17", "eine Seite")
    assert rows(ledger, schema.document)[0].standing == Standing.HELD
    ledger.release(document.id, "op17", "der Rest")
    (document,) = rows(ledger, schema.document)
    assert (document.standing, document.reason_code) == (Standing.WAITING, None)
    work(ledger, _CUT)
    assert rows(ledger, schema.document)[0].standing == Standing.DONE
    assert events(ledger, document.id).count("released_by_clerk") == 2


def test_a_document_with_a_stuck_page_is_rejected_whole(ledger: Ledger) -> None:
    ledger.accept(arrival())
    stuck = claim_at(ledger, Step.RECOGNITION, _CUT)
    working = claim_at(ledger, Step.RECOGNITION, _CUT)
    _set_aside(ledger, stuck)
    with pytest.raises(UsageError) as refused:
        ledger.reject(stuck.unit_id, "op17", "nur die Seite")
    assert "Dokument" in refused.value.operator_text
    (document,) = rows(ledger, schema.document)
    ledger.reject(document.id, "op17", "unleserlich")
    assert not ledger.extend(working, LEASE)
    assert rows(ledger, schema.claim) == []
    assert rows(ledger, schema.document)[0].standing == Standing.REJECTED
    assert events(ledger, document.id)[-1] == "rejected"


def test_a_batch_with_a_stuck_page_goes_on_after_release(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    _set_aside(ledger, claim_at(ledger, Step.EXAMINATION, _CUT), Standing.QUARANTINED)
    assert rows(ledger, schema.batch)[0].standing == Standing.QUARANTINED
    ledger.release(receipt.batch_id, "sib1", "Fehlalarm")
    assert rows(ledger, schema.batch)[0].standing == Standing.HELD
    ledger.release(receipt.batch_id, "op17", "weiter")
    work(ledger, _CUT)
    assert rows(ledger, schema.document)[0].standing == Standing.DONE
