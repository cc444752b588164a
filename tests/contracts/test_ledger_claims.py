"""Claims: one holder, fenced, fair, and never lost with the machine that held them."""

from __future__ import annotations

import datetime as dt
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from ingest import clock
from ingest.document import Outcome, Queue, Standing, Step
from ingest.ledger import Claim, ClaimLost, Ledger, schema
from tests.plugins.ledgers import (
    ALL,
    LEASE,
    NO_LEASE,
    arrival,
    claim_at,
    claim_everything,
    events,
    outcome,
    rows,
    work,
)

_NOTHING = dt.timedelta(0)


def _claim(ledger: Ledger, lease: dt.timedelta = LEASE) -> Claim:
    claim = ledger.claim(ALL, "w", lease)
    assert claim is not None
    return claim


def _defer(ledger: Ledger, claim: Claim, *, consumes_try: bool, pause: dt.timedelta) -> bool:
    return ledger.defer(
        claim,
        code="store_unavailable",
        operator_text="Ablage nicht erreichbar.",
        message="no route",
        pause=pause,
        consumes_try=consumes_try,
    )


def test_a_claim_is_committed_with_attempt_token_and_key(ledger: Ledger) -> None:
    ledger.accept(arrival())
    claim = _claim(ledger)
    (row,) = rows(ledger, schema.claim)
    assert (row.standing, row.attempts, row.worker) == (Standing.CLAIMED, 1, "w")
    assert (row.token, row.idempotency_key) == (claim.token, claim.idempotency_key)
    assert row.lease_until == claim.lease_until
    assert ledger.claim(ALL, "w", LEASE) is None


def test_only_the_queues_asked_for_are_served(ledger: Ledger) -> None:
    ledger.accept(arrival())
    assert ledger.due(Queue.INSPECTION)
    assert not ledger.due(Queue.SEALING)
    assert ledger.claim([Queue.SEALING, Queue.DELIVERY], "w", LEASE) is None
    assert ledger.claim([Queue.SEALING, Queue.INSPECTION], "w", LEASE) is not None


def test_a_lost_claim_can_do_nothing(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    lost = _claim(ledger, NO_LEASE)
    given = ledger.assignment(lost)
    assert ledger.sweep().expired == 1
    held = _claim(ledger)
    assert (held.unit_id, held.attempt, held.lost) == (lost.unit_id, 1, 1)
    assert held.idempotency_key == lost.idempotency_key
    assert not ledger.record(lost, outcome(given))
    assert not ledger.extend(lost, LEASE)
    assert not _defer(ledger, lost, consumes_try=True, pause=_NOTHING)
    assert not ledger.set_aside(lost, Standing.HELD, code="c", operator_text="t", message="m")
    with pytest.raises(ClaimLost):
        ledger.assignment(lost)
    assert ledger.record(held, outcome(given))
    assert not ledger.record(held, outcome(given))
    assert events(ledger, receipt.batch_id) == ["received", "lease_expired", "inspected"]
    assert len(rows(ledger, schema.page)) == 1


def test_a_claim_swept_back_but_not_taken_is_lost_as_well(ledger: Ledger) -> None:
    ledger.accept(arrival())
    lost = _claim(ledger, NO_LEASE)
    ledger.sweep()
    assert not ledger.record(lost, Outcome())


def test_a_heartbeat_keeps_the_claim(ledger: Ledger) -> None:
    ledger.accept(arrival())
    claim = _claim(ledger, NO_LEASE)
    assert ledger.extend(claim, LEASE)
    assert ledger.sweep().expired == 0
    assert ledger.record(claim, outcome(ledger.assignment(claim)))


def test_an_outage_consumes_no_try_and_is_one_event(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    for _ in range(3):
        claim = _claim(ledger)
        assert claim.attempt == 1
        assert _defer(ledger, claim, consumes_try=False, pause=_NOTHING)
        assert ledger.sweep().promoted == 1
    assert events(ledger, receipt.batch_id) == ["received", "deferred_for_retry"]


def test_a_failure_consumes_a_try_and_every_one_is_an_event(ledger: Ledger) -> None:
    receipt = ledger.accept(arrival())
    for attempt in (1, 2):
        claim = _claim(ledger)
        assert claim.attempt == attempt
        assert _defer(ledger, claim, consumes_try=True, pause=_NOTHING)
        ledger.sweep()
    assert events(ledger, receipt.batch_id)[1:] == ["deferred_for_retry"] * 2


def test_deferred_work_is_not_claimed_before_it_is_due(ledger: Ledger) -> None:
    ledger.accept(arrival())
    assert _defer(ledger, _claim(ledger), consumes_try=True, pause=dt.timedelta(hours=1))
    assert ledger.sweep().promoted == 0
    assert ledger.claim(ALL, "w", LEASE) is None
    (batch,) = rows(ledger, schema.batch)
    assert (batch.standing, batch.reason_code) == (Standing.DEFERRED, "store_unavailable")


def test_due_work_shows_as_ready_again(ledger: Ledger) -> None:
    ledger.accept(arrival())
    _defer(ledger, _claim(ledger), consumes_try=True, pause=_NOTHING)
    ledger.sweep()
    (batch,) = rows(ledger, schema.batch)
    assert (batch.standing, batch.reason_code) == (Standing.READY, None)


def test_urgent_work_comes_first(ledger: Ledger) -> None:
    late = ledger.accept(arrival(priority=30))
    today = ledger.accept(arrival(priority=10))
    urgent = ledger.accept(arrival(priority=0))
    order = [_claim(ledger).unit_id for _ in range(3)]
    assert order == [urgent.batch_id, today.batch_id, late.batch_id]


def test_the_oldest_arrival_comes_first_within_a_tenant(ledger: Ledger) -> None:
    batches = [ledger.accept(arrival()).batch_id for _ in range(5)]
    assert [_claim(ledger).unit_id for _ in batches] == sorted(batches)


def test_an_older_arrival_is_finished_before_a_newer_is_begun(ledger: Ledger) -> None:
    first = ledger.accept(arrival())
    second = ledger.accept(arrival())
    done = work(ledger)
    begun = [unit for step, unit in done if step is Step.INSPECTION]
    assert begun == sorted([first.batch_id, second.batch_id])
    delivered = [place for place, (step, _) in enumerate(done) if step is Step.DELIVERY]
    assert delivered == [9, 19]


def test_a_tenant_with_much_work_does_not_starve_the_others(ledger: Ledger) -> None:
    for _ in range(6):
        ledger.accept(arrival(tenant="archiv"))
    for tenant in ("amt-a", "amt-b"):
        for _ in range(2):
            ledger.accept(arrival(tenant=tenant))
    served = [_claim(ledger).tenant for _ in range(10)]
    assert Counter(served[:6]) == {"archiv": 2, "amt-a": 2, "amt-b": 2}
    assert served[6:] == ["archiv"] * 4


def test_tenants_take_turns_even_when_the_clock_was_put_back(ledger: Ledger) -> None:
    for tenant in ("amt-a", "amt-b"):
        for _ in range(3):
            ledger.accept(arrival(tenant=tenant))
    with ledger.writing() as connection:
        connection.execute(schema.turn.update().values(served_at=clock.now() + LEASE * 100))
    served = [_claim(ledger).tenant for _ in range(6)]
    assert served == ["amt-a", "amt-b"] * 3


def test_urgency_is_stronger_than_fairness(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.accept(arrival(tenant="amt-a", priority=0))
    ledger.accept(arrival(tenant="amt-b", priority=10))
    assert [_claim(ledger).tenant for _ in range(3)] == ["amt-a", "amt-a", "amt-b"]


def test_threads_never_claim_the_same_work(ledger: Ledger) -> None:
    for _ in range(40):
        ledger.accept(arrival())

    def drain(name: str) -> list[str]:
        claimed = []
        while (claim := ledger.claim(ALL, name, LEASE)) is not None:
            claimed.append(claim.unit_id)
        return claimed

    with ThreadPoolExecutor(6) as pool:
        units = [unit for part in pool.map(drain, "abcdef") for unit in part]
    assert len(units) == len(set(units)) == 40


def test_processes_never_claim_the_same_work(ledger: Ledger, ledger_url: str) -> None:
    for _ in range(60):
        ledger.accept(arrival())
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=spawn) as pool:
        claimed = [one for part in pool.map(claim_everything, [ledger_url] * 3) for one in part]
    assert len({unit for unit, _ in claimed}) == len(claimed) == 60
    assert {(row.unit_id, row.token) for row in rows(ledger, schema.claim)} == set(claimed)


def test_clerks_and_workers_on_one_document_do_not_wait_crosswise(ledger: Ledger) -> None:
    cut = [list(range(1, 13))]
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.SEPARATION, cut)
    ledger.record(claim, outcome(ledger.assignment(claim), cut))

    seen: set[str] = set()

    def labour(worker: int) -> None:
        while (claim := ledger.claim([Queue.RECOGNITION], "w", LEASE)) is not None:
            if claim.step is Step.RECOGNITION and claim.unit_id not in seen and worker % 2:
                seen.add(claim.unit_id)
                ledger.set_aside(claim, Standing.HELD, code="c", operator_text="t", message="m")
                if worker == 1:
                    ledger.release(claim.unit_id, "op17", "weiter")
            else:
                assert ledger.record(claim, outcome(ledger.assignment(claim), cut))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(labour, range(4)))
    (document,) = rows(ledger, schema.document)
    stuck = any(row.standing == Standing.HELD for row in rows(ledger, schema.claim))
    assert (document.standing == Standing.HELD) == stuck
    if stuck:
        ledger.release(document.id, "op17", "der Rest")
    work(ledger, cut)
    (document,) = rows(ledger, schema.document)
    assert document.standing == Standing.DONE
    assert events(ledger, document.id).count("page_recognised") == 12


def test_many_workers_finish_a_large_document_page_by_page(ledger: Ledger) -> None:
    cut = [list(range(1, 25))]
    ledger.accept(arrival())

    def labour(_: int) -> int:
        done = 0
        while (claim := ledger.claim(ALL, "w", LEASE)) is not None:
            done += ledger.record(claim, outcome(ledger.assignment(claim), cut))
        return done

    claim = claim_at(ledger, Step.SEPARATION, cut)
    ledger.record(claim, outcome(ledger.assignment(claim), cut))
    with ThreadPoolExecutor(4) as pool:
        sum(pool.map(labour, range(4)))
    labour(0)
    (document,) = rows(ledger, schema.document)
    assert document.standing == Standing.DONE
    assert events(ledger, document.id).count("page_recognised") == 24
    assert rows(ledger, schema.claim) == []
