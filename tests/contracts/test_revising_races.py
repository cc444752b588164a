"""Putting back while others work: one wins, nothing is recorded twice or lost."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest.document import Standing, Step
from ingest.errors import UsageError
from ingest.ledger import Ledger, Revised, open_ledger, openwork, recording, revising, schema
from ingest.ledger.erasure import erase
from tests.plugins.installation import wait_until
from tests.plugins.ledgers import ALL, LEASE, claim_at, events, outcome, rows
from tests.plugins.revisions import (
    accounted,
    disagreements,
    documents,
    put_back,
    separated,
    to_the_end,
)
from tests.plugins.servers import PostgresServer


def assert_in_order(ledger: Ledger) -> None:
    assert disagreements(ledger) == []
    assert accounted(ledger).difference == 0


def test_of_two_persons_one_wins_and_the_other_is_told(ledger: Ledger) -> None:
    batch = separated(ledger)
    to_the_end(ledger)
    together = threading.Barrier(2)

    def try_it(by: str) -> Revised | UsageError:
        together.wait()
        try:
            return put_back(ledger, batch, by=by)
        except UsageError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(try_it, ("op17", "op18")))
    (won,) = [one for one in found if isinstance(one, Revised)]
    (lost,) = [one for one in found if isinstance(one, UsageError)]
    assert f"gehört zu Dokument {won.document}" in lost.operator_text
    assert len(documents(ledger)) == 2
    assert_in_order(ledger)


def test_two_persons_with_two_pages_both_get_their_revision(ledger: Ledger) -> None:
    batch = separated(ledger, omitted={2: "blank", 4: "blank"})
    to_the_end(ledger)
    together = threading.Barrier(2)

    def try_it(page: int) -> int:
        together.wait()
        return put_back(ledger, batch, page).revision

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(try_it, (2, 4))) == [2, 3]
    to_the_end(ledger)
    assert documents(ledger)[-1].pages == [1, 2, 3, 4]
    assert_in_order(ledger)


def test_whoever_names_a_document_that_was_replaced_meanwhile_is_told_by_what(
    ledger: Ledger,
) -> None:
    separated(ledger, omitted={2: "blank", 4: "blank"})
    to_the_end(ledger)
    old = documents(ledger)[0].id
    new = put_back(ledger, old, 2).document
    with pytest.raises(UsageError) as refused:
        put_back(ledger, old, 4)
    assert new in refused.value.operator_text
    assert put_back(ledger, new, 4).revision == 3


def test_workers_and_a_person_on_one_document_lose_nothing(ledger: Ledger) -> None:
    pages = list(range(1, 26, 2))
    batch = separated(ledger, (pages,), dict.fromkeys(range(2, 25, 2), "blank"))

    def labour(_: int) -> int:
        done = 0
        while (claim := ledger.claim(ALL, "w", LEASE)) is not None:
            done += ledger.record(claim, outcome(ledger.assignment(claim)))
        return done

    def decide() -> None:
        for number in (2, 8, 24):
            put_back(ledger, batch, number)

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(labour, number) for number in range(3)]
        pool.submit(decide).result()
        for worker in workers:
            worker.result()
    labour(0)
    found = documents(ledger)
    assert [row.revision for row in found] == [1, 2, 3, 4]
    assert [row.standing for row in found] == ["superseded"] * 3 + ["done"]
    assert found[-1].pages == sorted([*pages, 2, 8, 24])
    told = [event for row in found for event in events(ledger, row.id)]
    assert told.count("page_recognised") == len(pages) + 3
    assert rows(ledger, schema.claim) == []
    assert_in_order(ledger)


@pytest.mark.parametrize("step", [Step.RECOGNITION, Step.SEALING])
def test_a_person_waits_until_a_worker_has_recorded(
    fresh_postgres_url: str, postgres_server: PostgresServer, step: Step
) -> None:
    ledger = open_ledger(fresh_postgres_url)
    batch = separated(ledger)
    claim = claim_at(ledger, step)
    given = ledger.assignment(claim)
    with ThreadPoolExecutor(1) as pool:
        with ledger.writing() as connection:
            assert openwork.fence(connection, claim) is not None
            deciding = pool.submit(put_back, ledger, batch)
            wait_until(lambda: postgres_server.blocked(fresh_postgres_url), "the person waits")
            assert recording.record(connection, claim, outcome(given))
        assert deciding.result().revision == 2
    to_the_end(ledger)
    told = [event for row in documents(ledger) for event in events(ledger, row.id)]
    assert told.count("page_recognised") == 3
    assert_in_order(ledger)
    ledger.close()


def test_a_worker_that_records_after_a_person_decided_finds_its_page_taken_over(
    fresh_postgres_url: str, postgres_server: PostgresServer
) -> None:
    ledger = open_ledger(fresh_postgres_url)
    batch = separated(ledger)
    claim = claim_at(ledger, Step.RECOGNITION)
    given = ledger.assignment(claim)
    with ThreadPoolExecutor(1) as pool:
        with ledger.writing() as connection:
            done = revising.put_back(connection, batch, 2, by="op17", reason="Stempel")
            recording_ = pool.submit(ledger.record, claim, outcome(given))
            wait_until(lambda: postgres_server.blocked(fresh_postgres_url), "the worker waits")
        assert recording_.result()
    assert events(ledger, done.document) == ["captured", "page_recognised"]
    to_the_end(ledger)
    assert_in_order(ledger)
    ledger.close()


def test_of_erasing_and_putting_back_one_comes_first(ledger: Ledger) -> None:
    batch = separated(ledger)
    to_the_end(ledger)
    together = threading.Barrier(2)

    def try_it(act: str) -> bool:
        together.wait()
        try:
            if act == "back":
                put_back(ledger, batch)
            else:
                with ledger.writing() as connection:
                    erase(connection, batch, "op17", "Irrläufer")
        except UsageError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        back, gone = pool.map(try_it, ("back", "erase"))
    assert back or gone
    standings = {row.standing for row in documents(ledger)}
    assert (Standing.WAITING in standings) == (back and not gone)
    assert_in_order(ledger)
