"""The four families of the log, on both databases: written, read, expired, protected."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.document import Family, Role
from ingest.errors import UsageError
from ingest.ledger import Ledger, logbook, people, schema
from ingest.ledger.agreement import Examination
from ingest.ledger.logbook import chain_of
from tests.plugins.ledgers import ALL, LEASE, arrival, change, events, everything, rows, work

_payload = schema.event_payload


def used(ledger: Ledger, command: str = "export", by: str = "op17", **more: Any) -> None:
    about: dict[str, Any] = {"unit": None, "outcome": 0, **more}
    with ledger.writing() as connection:
        logbook.used(connection, command=command, by=by, **about)


def read(ledger: Ledger, *families: Family, by: str = "op9") -> list[dict[str, Any]]:
    with ledger.writing() as connection:
        return list(logbook.read(connection, "default", by, families or tuple(Family)))


def broken(ledger: Ledger) -> list[tuple[str, int]]:
    with ledger.reading() as connection:
        return [(one.chain, one.seq) for one in Examination(connection, "default")]


def aged(ledger: Ledger, days: int) -> None:
    """Let entries expire that were written up to now, and none that come later."""
    with ledger.writing() as connection:
        logbook.expire(connection, "default", {Family.USE: dt.timedelta(days=days)})


def test_use_and_failure_are_entries_and_so_is_reading_them(ledger: Ledger) -> None:
    batch = ledger.accept(arrival()).batch_id
    used(ledger, unit=batch[:8])
    with ledger.writing() as connection:
        logbook.failed(connection, command="release", by=None, unit=batch, code="usage_error")
    said = read(ledger, Family.USE, Family.ERRORS)
    assert [(one["family"], one["by"], one["unit"]) for one in said] == [
        ("use", "op17", batch[:8]),
        ("use", "op9", None),
        ("errors", "nicht erfasst", batch),
    ]
    assert said[0]["said"] == {"command": "export", "outcome": 0, "unit": batch[:8]}
    assert read(ledger, Family.USE)[1]["said"]["families"] == ["errors", "use"]
    assert broken(ledger) == []


def test_what_persons_changed_is_told_by_the_documents_themselves(ledger: Ledger) -> None:
    held = ledger.accept(arrival(held=("incomplete", "?"))).batch_id
    as_it_was = ledger.accept(arrival(held=("incomplete", "?"))).batch_id
    ledger.release(held, by="op2", reason="Text über Erika", settings={"as_is": "yes"})
    work(ledger, ((1, 2), (4,)))
    ledger.release(as_it_was, by="op3", reason="nur so")
    ledger.put_back(held, 3, by="op4", reason="gehört dazu", document=_first_of(ledger, held))
    said = read(ledger, Family.PROCESSING)
    found = {(one["kind"], one["by"]) for one in said}
    assert found == {("released_by_clerk", "op2"), ("page_put_back", "op4")}
    assert {one["unit"] for one in said} == {held}
    assert not any("Erika" in repr(one) for one in said)
    assert {one["kind"] for one in read(ledger, Family.ERRORS)} == {"held"}


def _first_of(ledger: Ledger, batch: str) -> str:
    return next(str(row.id) for row in rows(ledger, schema.document) if row.batch_id == batch)


def test_settings_are_recorded_when_they_changed(ledger: Ledger) -> None:
    ledger.accept(arrival())

    def configured(**settings: Any) -> dict[str, Any]:
        with ledger.writing() as connection:
            return logbook.configured(connection, "default", settings)

    assert configured(every="day", url="a") == {"every": [None, "day"], "url": [None, "a"]}
    assert configured(every="day", url="a") == {}
    assert configured(every="off") == {"every": ["day", "off"], "url": ["a", None]}
    with ledger.writing() as connection:
        people.register(connection, "default", "op1", by="op1")
        people.give(connection, "default", "op1", Role.ADMINISTRATOR, by="op1")
    kinds = [one["kind"] for one in read(ledger, Family.CONFIGURATION)]
    assert kinds == ["logged", "logged", "operator_registered", "role_given"]


def test_only_the_auditor_reads_once_there_is_one(ledger: Ledger) -> None:
    ledger.accept(arrival())
    assert read(ledger, by="op1")
    with ledger.writing() as connection:
        people.register(connection, "default", "op1", by="op1")
        people.give(connection, "default", "op1", Role.ADMINISTRATOR, by="op1")
        people.register(connection, "default", "op2", by="op1")
        people.give(connection, "default", "op2", Role.AUDITOR, by="op1")
    before = everything(ledger)
    with pytest.raises(UsageError):
        read(ledger, by="op1")
    assert everything(ledger) == before
    assert read(ledger, by="op2")


def test_what_expired_is_gone_and_the_chain_still_verifies(ledger: Ledger) -> None:
    ledger.accept(arrival())
    for number in range(3):
        used(ledger, by=f"gone{number}")
    aged(ledger, 90)
    assert "gone1" in everything(ledger)
    aged(ledger, -1)
    used(ledger, by="kept1")
    used(ledger, by="kept2")
    chain = chain_of("default", Family.USE)
    assert "gone" not in everything(ledger)
    assert [one["by"] for one in read(ledger, Family.USE)] == ["kept1", "kept2", "op9"]
    assert broken(ledger) == []
    aged(ledger, -1)
    assert "kept1" not in everything(ledger)
    assert broken(ledger) == []
    used(ledger, by="taken")
    (last,) = (row.seq for row in rows(ledger, _payload) if row.payload.get("by") == "taken")
    change(ledger, sa.delete(_payload).where(_payload.c.chain == chain, _payload.c.seq == last))
    assert broken(ledger) == [(chain, last)]


@pytest.mark.parametrize("family", [Family.CONFIGURATION, Family.USE, Family.ERRORS])
def test_one_changed_entry_is_named(ledger: Ledger, family: Family) -> None:
    ledger.accept(arrival())
    for by in ("op1", "op2", "op3"):
        with ledger.writing() as connection:
            logbook.write(connection, "default", family, {"by": by})
    chain = chain_of("default", family)
    assert events(ledger, chain) == ["logged"] * 3
    own = (_payload.c.chain == chain, _payload.c.seq == 2)
    change(ledger, sa.update(_payload).where(*own).values(payload={"by": "op4"}))
    assert broken(ledger) == [(chain, 2)]


def test_an_empty_ledger_stays_empty_so_that_a_copy_can_be_restored(ledger: Ledger) -> None:
    used(ledger, command="restore", outcome="usage_error")
    assert rows(ledger, schema.chain) == []
    assert ledger.claim(ALL, "test", LEASE) is None
