"""The cost of accepting and claiming does not grow with what is stored or waiting."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.document import Outcome, Queue, Step
from ingest.ledger import Ledger, open_ledger
from tests.plugins.ledgers import ALL, LEASE, arrival, claim_at, outcome, work

#: Small whatever happens: one row for each tenant and queue, or for each version of a profile.
_SMALL = {"turn", "tenant", "profile_version", "other", "alembic_version"}


@contextmanager
def _plans(ledger: Ledger) -> Iterator[list[tuple[str, str]]]:
    """Collect statement and query plan of all that is executed."""
    engine, found = ledger._engine, []
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "

    def ask(_c: Any, cursor: Any, statement: str, values: Any, _x: Any, many: bool) -> None:
        if statement.split(maxsplit=1)[0] in {"SELECT", "UPDATE", "DELETE", "INSERT"}:
            with_values = values[0] if many else values
            other = cursor.connection.cursor()
            other.execute(explain + statement, with_values)
            found.append((statement, "\n".join(str(row[-1]) for row in other.fetchall())))
            other.close()

    sa.event.listen(engine, "before_cursor_execute", ask)
    try:
        yield found
    finally:
        sa.event.remove(engine, "before_cursor_execute", ask)


def _scans(plan: str) -> set[str]:
    """Return the tables that a plan reads from end to end."""
    lite = re.findall(r"^SCAN (\w+)(?! USING COVERING INDEX ix_claim_ready)", plan, re.MULTILINE)
    real = re.findall(r"Seq Scan on (?:\w+\.)?(\w+)", plan)
    return set(lite + real) - _SMALL - {"CONSTANT"}


def _assert_indexed(found: list[tuple[str, str]]) -> None:
    assert found
    for statement, plan in found:
        assert not _scans(plan), f"{statement}\n{plan}"


@pytest.fixture
def filled(ledger_url: str) -> Iterator[Ledger]:
    """A ledger in which work stands at several places."""
    ledger = open_ledger(ledger_url)
    for _ in range(3):
        ledger.accept(arrival())
        work(ledger, ((1, 2), (3,)))
    for tenant in ("default", "amt-b"):
        for _ in range(5):
            ledger.accept(arrival(tenant=tenant))
    yield ledger
    ledger.close()


def test_accepting_reads_no_table_from_end_to_end(filled: Ledger) -> None:
    sent = arrival()
    with _plans(filled) as found:
        filled.accept(sent)
        filled.accept(sent)
        filled.receipt(sent.receipt_key)
    _assert_indexed(found)


def test_claiming_looks_into_the_index_of_ready_work(filled: Ledger) -> None:
    with _plans(filled) as found:
        claim = filled.claim(ALL, "w", LEASE)
        assert claim is not None
        filled.extend(claim, LEASE)
        filled.assignment(claim)
    _assert_indexed(found)
    choice = next(plan for statement, plan in found if statement.startswith("UPDATE claim"))
    assert "ix_claim_ready" in choice


def test_the_whole_way_reads_no_table_from_end_to_end(filled: Ledger) -> None:
    with _plans(filled) as found:
        work(filled, ((1, 2), (3,)))
    _assert_indexed(found)


def test_setbacks_and_sweeps_read_no_table_from_end_to_end(filled: Ledger) -> None:
    def _again(act: Callable[[], Any]) -> None:
        with _plans(filled) as found:
            act()
        _assert_indexed(found)

    _again(filled.sweep)
    _again(lambda: filled.due(Queue.SEALING))
    claim = claim_at(filled, Step.EXAMINATION, ((1, 2),))
    _again(lambda: filled.record(claim, Outcome()))
    _again(lambda: claim_at(filled, Step.SEALING, ((1, 2),)))


def test_statements_stay_prepared_and_their_general_plans_use_indexes(
    fresh_postgres_url: str,
) -> None:
    ledger = open_ledger(fresh_postgres_url)
    for _ in range(8):  # the driver prepares what it has sent five times
        ledger.accept(arrival())
        work(ledger, ((1,), (2,)))
    with ledger.reading() as connection:  # one thread has one connection
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        known = connection.exec_driver_sql(
            "SELECT name, statement, cardinality(parameter_types) FROM pg_prepared_statements"
        ).all()
        plans = [
            (statement, connection.exec_driver_sql(_explained(name, count)).scalars().all())
            for name, statement, count in known
        ]
    ledger.close()
    _assert_indexed([(statement, "\n".join(plan)) for statement, plan in plans])
    for beginning in ("UPDATE claim SET standing", "SELECT batch.id", "INSERT INTO event"):
        assert any(statement.startswith(beginning) for statement, _ in plans)


def _explained(name: str, count: int) -> str:
    values = f"({', '.join(['NULL'] * count)})" if count else ""
    return f'EXPLAIN EXECUTE "{name}"{values}'


def test_a_large_batch_is_assigned_in_portions(ledger: Ledger) -> None:
    count = 1203
    cut = [list(range(count, 0, -1))]
    ledger.accept(arrival())
    inspection = claim_at(ledger, Step.INSPECTION)
    ledger.record(inspection, outcome(ledger.assignment(inspection), cut))
    with ledger.writing() as connection:  # examined, as far as the claims are concerned
        connection.execute(sa.text("DELETE FROM claim WHERE step = 'examination'"))
        connection.execute(sa.text("UPDATE claim SET standing = 'ready', children_open = 0"))
    separation = claim_at(ledger, Step.SEPARATION)
    ledger.record(separation, outcome(ledger.assignment(separation), cut))
    with ledger.writing() as connection:
        connection.execute(sa.text("DELETE FROM claim WHERE step = 'recognition'"))
        connection.execute(sa.text("UPDATE claim SET standing = 'ready', children_open = 0"))
    given = ledger.assignment(claim_at(ledger, Step.COMPOSITION))
    assert [page.number for page in given.pages] == cut[0]
