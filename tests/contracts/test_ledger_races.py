"""Erasing while the same bytes are kept anew, and while work goes on: nobody loses bytes."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest.document import Outcome, RenditionKind, Step
from ingest.errors import ToolFailed, UsageError
from ingest.ledger import Ledger, open_ledger, openwork, reading, recording, schema
from ingest.ledger.erasure import erase
from tests.plugins.installation import PATIENCE, wait_until
from tests.plugins.ledgers import arrival, claim_at, outcome, rendition, rows, source, work
from tests.plugins.servers import PostgresServer


def _erased(ledger: Ledger, id_: str) -> list[str]:
    with ledger.writing() as connection:
        return erase(connection, id_, "op17", "Irrläufer")


def _kept_elsewhere(ledger: Ledger, sha256: str, holds: Callable[[], bool]) -> Callable[[], bool]:
    """Return a recording, for another batch, of a rendition with the digest."""
    made = rendition(RenditionKind.COMPOSED, sha256, "x")
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.COMPOSITION)
    found = Outcome(renditions=(dataclasses.replace(made, sha256=sha256),))
    return lambda: ledger.record(claim, found, lambda _tenant, _sha256: holds())


def test_bytes_kept_anew_while_they_are_erased_are_gone_or_stay(ledger: Ledger) -> None:
    sent = source(content="same")
    receipt = ledger.accept(arrival(sent))
    work(ledger)
    store = {sent.sha256}
    record = _kept_elsewhere(ledger, sent.sha256, lambda: sent.sha256 in store)
    with ThreadPoolExecutor(1) as pool:
        with ledger.writing() as connection:
            free = erase(connection, receipt.batch_id, "op17", "Irrläufer")
            recording = pool.submit(record)
            with pytest.raises(TimeoutError):
                recording.result(timeout=0.5)
            store.difference_update(free)
        with pytest.raises(ToolFailed, match="rendition missing"):
            recording.result()
    with ledger.reading() as connection:
        assert sent.sha256 not in set(reading.referenced(connection, "default"))
    store.add(sent.sha256)
    assert record()
    with ledger.reading() as connection:
        assert sent.sha256 in set(reading.referenced(connection, "default"))


def test_bytes_being_kept_are_not_free_for_whoever_erases_meanwhile(ledger: Ledger) -> None:
    sent = source(content="same")
    receipt = ledger.accept(arrival(sent))
    work(ledger)
    asked, go_on = threading.Event(), threading.Event()

    def holds() -> bool:
        asked.set()
        return go_on.wait(PATIENCE)

    record = _kept_elsewhere(ledger, sent.sha256, holds)
    with ThreadPoolExecutor(2) as pool:
        recording = pool.submit(record)
        assert asked.wait(PATIENCE)
        erasing = pool.submit(_erased, ledger, receipt.batch_id)
        with pytest.raises(TimeoutError):
            erasing.result(timeout=0.5)
        go_on.set()
        assert recording.result()
        assert sent.sha256 not in erasing.result()
    with ledger.reading() as connection:
        assert sent.sha256 in set(reading.referenced(connection, "default"))


def test_erasing_waits_for_work_before_it_locks_the_batch(
    fresh_postgres_url: str, postgres_server: PostgresServer
) -> None:
    ledger = open_ledger(fresh_postgres_url)
    receipt = ledger.accept(arrival())
    claim = claim_at(ledger, Step.INSPECTION)
    given = ledger.assignment(claim)
    with ThreadPoolExecutor(1) as pool:
        with ledger.writing() as connection:
            assert openwork.fence(connection, claim) is not None
            erasing = pool.submit(_erased, ledger, receipt.batch_id)
            wait_until(lambda: postgres_server.blocked(fresh_postgres_url), "who erases waits")
            assert recording.record(connection, claim, outcome(given))
        with pytest.raises(UsageError):
            erasing.result()
    assert [row.kind for row in rows(ledger, schema.event)] == ["received", "inspected"]
    ledger.close()
