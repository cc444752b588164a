"""Documents of a replacing class wait until a sample of their batch was judged by persons."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from ingest.document import Standing, Step
from ingest.errors import UsageError
from ingest.ledger import Claim, Ledger, sampler, samples, schema
from ingest.ledger.erasure import erase
from tests.plugins.ledgers import (
    ALL,
    LEASE,
    broken,
    change,
    claim_at,
    events,
    outcome,
    payload,
    rows,
)
from tests.plugins.revisions import disagreements
from tests.plugins.sampling import (
    accepted,
    judge,
    of_batch,
    refuse,
    replacing,
    run,
    selected,
    shown,
    staffed,
    standings,
    waiting,
)

WAITS = ("checked", Standing.WAITING)
DONE = ("delivered", Standing.DONE)


def assert_in_order(ledger: Ledger) -> None:
    assert broken(ledger) == []
    assert disagreements(ledger) == []


def test_all_wait_until_the_sample_is_judged_and_then_all_go_on(ledger: Ledger) -> None:
    staffed(ledger)
    batch, documents = waiting(ledger, 5, share=0.4)
    assert standings(ledger, batch) == [WAITS] * 5
    drawn = selected(ledger, batch)
    assert len(drawn) == 2
    row = next(r for r in rows(ledger, schema.document) if r.id == documents[0])
    assert row.reason_code == "quality"
    assert f"qa show {batch}" in row.reason
    assert judge(ledger, drawn[0]).state == "open"
    assert standings(ledger, batch) == [WAITS] * 5
    assert judge(ledger, drawn[1]).state == "passed"
    assert {standing for _, standing in standings(ledger, batch)} == {Standing.READY}
    run(ledger)
    assert standings(ledger, batch) == [DONE] * 5
    assert_in_order(ledger)
    kinds = [kind for kind in events(ledger, batch) if kind.startswith("quality")]
    assert kinds == ["quality_committed", "quality_opened", "quality_closed"]


def test_the_seed_is_bound_before_and_told_when_the_check_opens(ledger: Ledger) -> None:
    staffed(ledger)
    batch = accepted(ledger, replacing(share=0.4))
    claim_at(ledger, Step.RECOGNITION, [[1], [2], [3], [4], [5]])
    bound = payload(ledger, "quality_committed")["seed_sha256"]
    (row,) = rows(ledger, schema.quality_batch)
    assert row.seed not in str(rows(ledger, schema.event_payload))
    assert shown(ledger, batch)["seed"] is None
    run(ledger)  # one page is still claimed: nothing is drawn
    assert shown(ledger, batch)["state"] == "committed"
    with ledger.writing() as connection:
        connection.execute(sa.update(schema.claim).values(lease_until=None))
        connection.execute(
            sa.update(schema.claim)
            .where(schema.claim.c.standing == "claimed")
            .values(standing="ready", token=None)
        )
    run(ledger)
    told = payload(ledger, "quality_opened")
    assert sampler.commitment(told["seed"]) == bound
    first = sorted(sampler.order(told["seed"], told["population"])[: told["size"]])
    assert [int(ordinal) for ordinal in told["drawn"]] == first
    documents = of_batch(ledger, batch)
    assert selected(ledger, batch) == [documents[ordinal - 1] for ordinal in first]


def test_what_was_held_does_not_hold_up_the_others_and_is_looked_at_itself(
    ledger: Ledger,
) -> None:
    staffed(ledger)
    batch = accepted(ledger, replacing())
    stuck = claim_at(ledger, Step.CHECKING, [[1], [2], [3]])
    told = {"code": "c", "operator_text": "?", "message": "m"}
    run(ledger)
    assert shown(ledger, batch)["state"] == "committed"
    assert ledger.set_aside(stuck, Standing.HELD, **told)
    assert shown(ledger, batch)["state"] == "open"
    assert shown(ledger, batch)["population"] == 2
    for document in selected(ledger, batch):
        judge(ledger, document)
    ledger.release(stuck.unit_id, "op20", "weiter")
    run(ledger)
    assert sorted(standings(ledger, batch)) == sorted([WAITS, DONE, DONE])
    assert shown(ledger, batch)["owed"] == [stuck.unit_id]
    judge(ledger, stuck.unit_id)
    run(ledger)
    assert standings(ledger, batch) == [DONE] * 3
    assert_in_order(ledger)


def test_one_fault_stops_the_batch_until_a_supervisor_says_how_to_go_on(ledger: Ledger) -> None:
    staffed(ledger)
    batch, documents = waiting(ledger, 5, minimum=2)
    bad, other = selected(ledger, batch)
    assert refuse(ledger, bad).state == "stopped"
    row = next(r for r in rows(ledger, schema.document) if r.id == bad)
    assert (row.standing, row.reason_code) == (Standing.HELD, "quality_refused")
    assert "Zeile fehlt" in row.reason
    with pytest.raises(UsageError, match="stopped"):
        judge(ledger, other)
    for decide in (ledger.release, lambda unit, by, why: ledger.retry(unit, by)):
        with pytest.raises(UsageError, match="judged bad"):
            decide(bad, "op20", "doch gut")
    with pytest.raises(UsageError, match="waits for a sample"):
        ledger.retry(other, "op20")
    with pytest.raises(UsageError, match="supervisor"):
        ledger.resume_quality(batch, "op18", "weiter")
    assert ledger.resume_quality(batch, "op20", "Einzug verschmutzt", full=True) == "open"
    assert set(selected(ledger, batch)) == set(documents)
    for document in set(documents) - {bad}:
        assert judge(ledger, document).state == "open"  # the fault is still there
    ledger.reject(bad, "op20", "wird neu gescannt")
    assert shown(ledger, batch)["state"] == "passed"
    run(ledger)
    assert sorted(standings(ledger, batch)) == sorted([("checked", "rejected"), *[DONE] * 4])
    assert_in_order(ledger)


def test_whoever_notes_without_a_passed_check_only_makes_it_wait(ledger: Ledger) -> None:
    staffed(ledger)
    batch, documents = waiting(ledger, 1)
    with ledger.writing() as connection:  # as if somebody had found a way past the clerks
        connection.execute(sa.update(schema.claim).values(standing="ready"))
    claim = ledger.claim(ALL, "w", LEASE)
    assert claim is not None
    given = ledger.assignment(claim)
    assert (claim.step, given.quality["state"]) == (Step.NOTE, "open")
    assert ledger.record(claim, outcome(given))
    assert standings(ledger, batch) == [WAITS]
    judge(ledger, documents[0])
    run(ledger)
    assert standings(ledger, batch) == [DONE]


def test_of_two_last_documents_one_opens_the_check_and_of_two_last_verdicts_one_closes_it(
    ledger: Ledger,
) -> None:
    staffed(ledger)
    batch = accepted(ledger, replacing(minimum=2))
    claims = [claim_at(ledger, Step.CHECKING, [[1], [2]]) for _ in range(2)]
    together = threading.Barrier(2)

    def record(claim: Claim) -> bool:
        found = outcome(ledger.assignment(claim))
        together.wait()
        return ledger.record(claim, found)

    def say(document: str) -> str:
        together.wait()
        return judge(ledger, document).state

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(record, claims)) == [True, True]
        assert shown(ledger, batch)["state"] == "open"
        assert sorted(pool.map(say, selected(ledger, batch))) == ["open", "passed"]
    run(ledger)
    assert standings(ledger, batch) == [DONE] * 2
    kinds = [kind for kind in events(ledger, batch) if kind.startswith("quality")]
    assert kinds == ["quality_committed", "quality_opened", "quality_closed"]
    assert_in_order(ledger)


def test_who_steps_in_for_a_drawn_document_that_is_gone_follows_from_the_seed(
    ledger: Ledger,
) -> None:
    staffed(ledger)
    batch, documents = waiting(ledger, 4)
    told = payload(ledger, "quality_opened")
    first, second, third, last = sampler.order(told["seed"], told["population"])
    with ledger.writing() as connection:
        erase(connection, documents[first - 1], "op20", "Irrläufer")
    found = shown(ledger, batch)
    assert (found["state"], found["owed"]) == ("open", [documents[second - 1]])
    assert payload(ledger, "quality_added")["why"] == "replaced"
    assert_in_order(ledger)
    assert judge(ledger, documents[second - 1]).state == "passed"
    with ledger.reading() as connection:
        row = next(r for r in rows(ledger, schema.document) if r.id == documents[third - 1])
        quality = samples.told(connection, row, replacing())
    assert (quality["sample"]["size"], quality["sample"]["population"]) == (1, 3)
    assert (quality["state"], quality["checked_by"]) == ("passed", ["op18"])
    run(ledger)
    done = dict(zip(documents, standings(ledger, batch), strict=True))
    assert {done[documents[n - 1]] for n in (second, third, last)} == {DONE}
    assert_in_order(ledger)
    table = schema.event_payload
    seq = next(r.seq for r in rows(ledger, schema.event) if r.kind == "quality_added")
    wrong = {**payload(ledger, "quality_added"), "drawn": [last]}
    mine = sa.and_(table.c.chain == batch, table.c.seq == seq)
    change(ledger, sa.update(table).where(mine).values(payload=wrong))
    assert any("Nachgezogene" in text for text in disagreements(ledger))


def test_a_batch_of_which_nothing_remains_closes_and_shows_nothing_clean(ledger: Ledger) -> None:
    staffed(ledger)
    clean = replacing("high", clean_batches=1)
    for refused in (True, False):
        batch = accepted(ledger, clean)
        run(ledger, 1)
        (document,) = of_batch(ledger, batch)
        if refused:
            refuse(ledger, document)
        else:
            unfinished = schema.claim.c.unit_id == document
            held = {"standing": Standing.HELD, "reason_code": "x"}
            change(ledger, sa.update(schema.claim).where(unfinished).values(held))
        ledger.reject(document, "op20", "Irrläufer")
        assert shown(ledger, batch)["state"] == "passed"
    batch = accepted(ledger, clean)
    run(ledger, 5)
    assert shown(ledger, batch)["share"] == 1.0  # nobody looked at anything in the last one
