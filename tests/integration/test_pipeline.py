"""What becomes of a unit when its step succeeds, fails, crashes or is no longer wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest.document import Assignment, Outcome, Part, Queue, Standing, Step
from ingest.errors import (
    AuthorityUnavailable,
    DecompressionBomb,
    Misconfigured,
    PasswordNeeded,
    ToolFailed,
    ToolTimedOut,
)
from ingest.ledger import Ledger, schema
from ingest.ledger.showing import show
from ingest.pipeline import Outages, Pipeline
from ingest.settings import Settings, WorkerSettings
from tests.plugins import ledgers
from tests.plugins.emptied import empty_ledger
from workers.exhaustion import EXHAUSTED

Act = Callable[[Assignment], Outcome]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = empty_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def make(ledger: Ledger, act: Act, **extra: Any) -> Pipeline:
    def perform(assignment: Assignment, seconds: float, tick: Callable[[], bool]) -> Outcome:
        assert seconds > 0
        assert callable(tick)
        return act(assignment)

    limits = WorkerSettings(attempts=3, backoff_seconds=0.0, lease_seconds=30)
    return Pipeline(
        ledger=ledger,
        perform=perform,
        settings=Settings(workers=limits),
        worker="test",
        exhausted=EXHAUSTED,
        **extra,
    )


def fail_at(step: Step, error: Exception) -> Act:
    def act(assignment: Assignment) -> Outcome:
        if assignment.step is step:
            raise error
        return ledgers.outcome(assignment)

    return act


def drain(pipeline: Pipeline, rounds: int = 60) -> None:
    """Work and sweep until nothing moves; outages would make it endless, hence `rounds`."""
    for _ in range(rounds):
        pipeline.ledger.sweep()
        if not pipeline.advance(tuple(Queue)) and not pipeline.ledger.sweep().promoted:
            return


def record(ledger: Ledger, batch: str) -> dict[str, Any]:
    with ledger.reading() as connection:
        return show(connection, batch)


def kinds(found: dict[str, Any]) -> list[str]:
    return [event["kind"] for event in found["events"]]


def test_a_unit_goes_its_whole_way(ledger: Ledger) -> None:
    receipt = ledger.accept(ledgers.arrival())
    hinted: list[Queue] = []
    drain(make(ledger, ledgers.outcome, hint=hinted.append))
    assert record(ledger, receipt.batch_id)["standing"] == Standing.DONE
    assert {Queue.INSPECTION, Queue.RECOGNITION, Queue.SEALING, Queue.DELIVERY} <= set(hinted)


def test_an_empty_ledger_is_no_work(ledger: Ledger) -> None:
    assert make(ledger, ledgers.outcome).advance(tuple(Queue)) is False


def test_what_needs_a_clerk_is_held_with_the_german_reason(ledger: Ledger) -> None:
    receipt = ledger.accept(ledgers.arrival())
    error = PasswordNeeded("encrypted", operator_text="brief.pdf: Kennwort nötig")
    drain(make(ledger, fail_at(Step.INSPECTION, error)))
    found = record(ledger, receipt.batch_id)
    assert (found["standing"], found["reason"]) == ("held", "brief.pdf: Kennwort nötig")


def test_what_is_dangerous_is_quarantined(ledger: Ledger) -> None:
    receipt = ledger.accept(ledgers.arrival())
    drain(make(ledger, fail_at(Step.EXAMINATION, DecompressionBomb("bomb"))))
    assert record(ledger, receipt.batch_id)["standing"] == Standing.QUARANTINED


def test_the_last_failed_try_is_held(ledger: Ledger) -> None:
    receipt = ledger.accept(ledgers.arrival())
    seen: list[int] = []

    def act(assignment: Assignment) -> Outcome:
        seen.append(assignment.attempt)
        raise ToolFailed("child died")

    drain(make(ledger, act))
    assert seen == [1, 2, 3]
    assert record(ledger, receipt.batch_id)["standing"] == Standing.HELD


def test_what_the_store_does_not_hold_is_not_recorded_and_made_again(ledger: Ledger) -> None:
    receipt = ledger.accept(ledgers.arrival())
    forged = ledgers.digest("never stored")
    held: set[str] = set()
    attempts: list[int] = []

    def act(assignment: Assignment) -> Outcome:
        found = ledgers.outcome(assignment)
        if assignment.step is Step.COMPOSITION:
            attempts.append(assignment.attempt)
            if assignment.attempt == 1:
                [made] = found.renditions
                return replace(found, renditions=(replace(made, sha256=forged),))
        held.update(made.sha256 for made in found.renditions)
        return found

    drain(make(ledger, act, present=lambda _tenant, sha256: sha256 in held))
    assert attempts == [1, 2]
    assert record(ledger, receipt.batch_id)["standing"] == Standing.DONE
    assert forged not in {row.sha256 for row in ledgers.rows(ledger, schema.rendition)}
    assert forged not in {row.sha256 for row in ledgers.rows(ledger, schema.blob)}


def test_a_bug_keeps_its_traceback_in_the_event_and_a_short_text_for_people(
    ledger: Ledger,
) -> None:
    receipt = ledger.accept(ledgers.arrival())
    drain(make(ledger, fail_at(Step.INSPECTION, ZeroDivisionError("odd"))))
    found = record(ledger, receipt.batch_id)
    assert found["standing"] == Standing.HELD
    assert "Traceback" not in found["reason"]
    assert any("ZeroDivisionError: odd" in str(event) for event in found["events"])


def test_an_outage_consumes_no_try_and_its_pauses_grow(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = ledger.accept(ledgers.arrival())
    attempts: list[int] = []
    pauses: list[float] = []

    def act(assignment: Assignment) -> Outcome:
        attempts.append(assignment.attempt)
        raise AuthorityUnavailable("authority is down")

    defer = ledger.defer

    def noted(claim: Any, **said: Any) -> bool:
        pauses.append(said["pause"].total_seconds())
        return defer(claim, **said)

    monkeypatch.setattr(ledger, "defer", noted)
    outages = Outages()
    for _ in range(6):
        if attempts:
            ledger.retry(receipt.batch_id)
        assert make(ledger, act, outages=outages).advance(tuple(Queue))
    assert attempts == [1] * 6
    assert pauses[-1] > 8 * pauses[0]
    assert record(ledger, receipt.batch_id)["standing"] == Standing.DEFERRED


def test_several_outages_in_a_row_stop_one_queue_and_not_the_others(ledger: Ledger) -> None:
    for _ in range(5):
        ledger.accept(ledgers.arrival())
    down = make(ledger, fail_at(Step.INSPECTION, AuthorityUnavailable("down")))
    for _ in range(3):
        assert down.advance((Queue.INSPECTION,))
    assert down.advance((Queue.INSPECTION,)) is False
    assert ledger.backlog()[Queue.INSPECTION] == 2
    assert not down.breakers[Queue.DELIVERY].is_open


def test_a_few_sick_units_do_not_starve_the_healthy_ones(ledger: Ledger) -> None:
    sick = {ledger.accept(ledgers.arrival()).batch_id for _ in range(2)}
    healthy = {ledger.accept(ledgers.arrival()).batch_id for _ in range(4)}

    def act(assignment: Assignment) -> Outcome:
        if assignment.batch.id in sick:
            raise AuthorityUnavailable("only these")
        return ledgers.outcome(assignment)

    pipeline = make(ledger, act)
    while pipeline.advance(tuple(Queue)):
        pass
    assert {record(ledger, batch)["standing"] for batch in healthy} == {Standing.DONE}
    assert {record(ledger, batch)["standing"] for batch in sick} == {Standing.DEFERRED}


def test_while_the_ledger_is_away_nothing_is_claimed(ledger: Ledger) -> None:
    ledger.accept(ledgers.arrival())
    pipeline = make(ledger, ledgers.outcome)
    pipeline.ledger_breaker.trip()
    assert pipeline.advance(tuple(Queue)) is False
    assert ledger.backlog()[Queue.INSPECTION] == 1


def test_misconfiguration_defers_the_work_and_consumes_no_try(ledger: Ledger) -> None:
    receipt = ledger.accept(ledgers.arrival())
    pipeline = make(ledger, fail_at(Step.INSPECTION, Misconfigured("no model")))
    pipeline.advance(tuple(Queue))
    found = record(ledger, receipt.batch_id)
    assert found["standing"] == Standing.DEFERRED
    assert not pipeline.breakers[Queue.INSPECTION].is_open


def test_a_page_that_crashes_the_engine_twice_goes_on_without_text(ledger: Ledger) -> None:
    receipt = ledger.accept(ledgers.arrival())
    tries: list[int] = []

    def act(assignment: Assignment) -> Outcome:
        if assignment.step is Step.RECOGNITION:
            tries.append(assignment.attempt)
            raise ToolTimedOut("hang")
        return ledgers.outcome(assignment)

    drain(make(ledger, act))
    found = record(ledger, receipt.batch_id)
    assert tries == [1, 2]
    assert found["standing"] == Standing.DONE
    (page,) = found["pages_found"]
    assert page["facts"]["recognition"]["anomaly"] == "tool_timed_out"


def test_a_machine_that_dies_costs_a_page_no_try(ledger: Ledger) -> None:
    receipt = ledger.accept(ledgers.arrival())
    ledgers.claim_at(ledger, Step.RECOGNITION)
    with ledger.writing() as connection:
        connection.exec_driver_sql("UPDATE claim SET lease_until = 0")
    for _ in range(2):
        ledger.sweep()
        assert ledger.claim(tuple(Queue), "dies", ledgers.NO_LEASE) is not None
    tries: list[int] = []

    def act(assignment: Assignment) -> Outcome:
        if assignment.step is Step.RECOGNITION:
            tries.append(assignment.attempt)
            if assignment.attempt == 1:
                raise ToolFailed("crash")
        return ledgers.outcome(assignment)

    drain(make(ledger, act))
    assert tries == [1, 2]
    (page,) = record(ledger, receipt.batch_id)["pages_found"]
    assert page["words_sha256"] is not None


def test_a_page_that_takes_its_worker_with_it_every_time_goes_on_without_text(
    ledger: Ledger,
) -> None:
    receipt = ledger.accept(ledgers.arrival())
    ledgers.claim_at(ledger, Step.RECOGNITION)
    with ledger.writing() as connection:
        connection.exec_driver_sql("UPDATE claim SET lease_until = 0")
    for _ in range(5):
        ledger.sweep()
        assert ledger.claim(tuple(Queue), "dies", ledgers.NO_LEASE) is not None
    drain(make(ledger, ledgers.outcome))
    found = record(ledger, receipt.batch_id)
    (page,) = found["pages_found"]
    assert page["facts"]["recognition"]["anomaly"] == "worker_lost"
    assert found["standing"] == Standing.DONE


def test_work_that_is_stopped_is_given_back_without_losing_a_try(ledger: Ledger) -> None:
    ledger.accept(ledgers.arrival())
    stopping = make(ledger, fail_at(Step.INSPECTION, ToolTimedOut("stopped")), wanted=lambda: False)
    stopping.advance(tuple(Queue))
    ledger.sweep()
    claim = ledger.claim(tuple(Queue), "other", ledgers.LEASE)
    assert claim is not None
    assert claim.attempt == 1


def test_an_outcome_that_comes_too_late_is_fenced_out(ledger: Ledger) -> None:
    ledger.accept(ledgers.arrival())
    taken: list[str] = []

    def act(assignment: Assignment) -> Outcome:
        with ledger.writing() as connection:
            connection.exec_driver_sql("UPDATE claim SET lease_until = 0")
        ledger.sweep()
        other = ledger.claim(tuple(Queue), "other", ledgers.LEASE)
        assert other is not None
        taken.append(other.token)
        return ledgers.outcome(assignment)

    make(ledger, act).advance(tuple(Queue))
    with ledger.reading() as connection:
        (token,) = connection.exec_driver_sql("SELECT token FROM claim").one()
    assert [token] == taken


def test_a_unit_that_takes_its_worker_with_it_every_time_is_held(ledger: Ledger) -> None:
    receipt = ledger.accept(ledgers.arrival())
    for _ in range(6):
        assert ledger.claim(tuple(Queue), "dies", ledgers.NO_LEASE) is not None
        ledger.sweep()
    drain(make(ledger, ledgers.outcome))
    found = record(ledger, receipt.batch_id)
    assert (found["standing"], found["reason_code"]) == ("held", "worker_lost")
    assert "deferred_for_retry" not in kinds(found), "it has had its chances"


def test_a_claim_lost_before_work_begins_is_left_to_its_new_holder(ledger: Ledger) -> None:
    ledger.accept(ledgers.arrival())
    pipeline = make(ledger, ledgers.outcome)
    lost = ledger.claim(tuple(Queue), "slow", ledgers.NO_LEASE)
    ledger.sweep()
    assert lost is not None
    pipeline._take(lost)
    assert ledger.backlog()[Queue.INSPECTION] == 1


def test_an_outcome_the_ledger_refuses_is_a_bug_of_its_step_not_of_the_worker(
    ledger: Ledger,
) -> None:
    receipt = ledger.accept(ledgers.arrival())

    def act(assignment: Assignment) -> Outcome:
        if assignment.step is Step.SEPARATION:
            return Outcome(parts=(Part(pages=(99,), source=1),))
        return ledgers.outcome(assignment)

    drain(make(ledger, act))
    found = record(ledger, receipt.batch_id)
    assert (found["standing"], found["reason_code"]) == ("held", "bug")
