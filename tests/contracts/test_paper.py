"""Paper from its box to its end, on both databases."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from ingest.document import Role
from ingest.errors import UsageError
from ingest.ledger import Ledger, boxes, chains, installation, paper, people, schema
from ingest.ledger.anchors import RESTORED
from ingest.ledger.erasure import erase
from tests.plugins.ledgers import broken, change, rows
from tests.plugins.paperwork import (
    BOX,
    LATER,
    MEANS,
    TENANT,
    WAITING,
    act,
    agrees,
    another,
    back_up,
    deliver,
    destroyed,
    documents,
    moved,
    ready,
    refused,
    released,
    replacing,
    staff,
    stages,
)
from tests.plugins.releases import taken

ENDED = {0: "destroyed", 1: "destroyed", 2: "destroyed"}


def test_paper_goes_from_its_box_to_destruction_by_two_persons(ledger: Ledger) -> None:
    first, second = ready(ledger)
    with moved(LATER):
        assert released(ledger, first) == [first]
        assert stages(ledger) == {0: "stored", 1: "released", 2: "stored"}
        assert destroyed(ledger, first) == [first]
        assert stages(ledger) == {0: "stored", 1: "destroyed", 2: "stored"}
        released(ledger, second)
        assert destroyed(ledger, second)[0] == second
        assert stages(ledger) == ENDED, "loose sheets go with the last of their batch"
        assert "kann nicht" in refused(act, ledger, "store", first, by="SCN", place=BOX)
    with ledger.reading() as connection:
        units = {row.ordinal: row for row in connection.execute(sa.select(schema.paper_unit))}
        told = [
            (e["kind"], e["actor"], e["payload"]) for e in boxes.history(connection, units[1].id)
        ]
        loose = [
            (e["kind"], e["actor"], e["payload"]) for e in boxes.history(connection, units[0].id)
        ]
    assert [(kind, by) for kind, by, _ in told] == [
        ("filed", "system"),
        ("stored", "SCN"),
        ("released", "FRG"),
        ("destroyed", "VRN"),
    ]
    means = {"method": MEANS.method, "level": "3/P-5", "certificate": None}
    assert told[-1][2] == {"document": first, "place": BOX, **means}
    assert units[1].destruction == means
    assert [(kind, by) for kind, by, _ in loose] == [
        ("filed", "system"),
        ("stored", "SCN"),
        ("destroyed", "VRN"),
    ], "nobody is said to have released what they did not"
    under = {"batch": units[0].batch_id, "under": [first, second], "released_by": "FRG"}
    assert loose[-1][2] == {**under, "place": BOX, **means}
    assert broken(ledger) == []
    assert agrees(ledger) == []


def test_a_stack_may_be_put_away_before_it_is_separated(ledger: Ledger) -> None:
    receipt = taken(ledger, replacing())
    act(ledger, "store", receipt.batch_id, by="SCN", place=BOX)
    act(ledger, "hold", receipt.batch_id, by="SCN", reason="Klage")
    assert stages(ledger) == {0: "stored"}
    deliver(ledger)
    second = rows(ledger, schema.document)[1].id
    act(ledger, "request", second, by="SCN", reason="Nachscan")
    assert stages(ledger) == {0: "stored", 1: "stored", 2: "requested"}
    assert {row.place for row in rows(ledger, schema.paper_unit)} == {BOX}
    assert len(rows(ledger, schema.paper_hold)) == 3, "the hold of the stack is on each document"
    assert agrees(ledger) == []


def test_each_hold_is_lifted_by_itself_and_the_waiting_time_begins_anew(ledger: Ledger) -> None:
    first, _ = ready(ledger)
    for reason in ("Klage", "Prüfung"):
        act(ledger, "hold", first, by="SCN", reason=reason)
    assert "--number" in refused(act, ledger, "unhold", first, by="FRG", reason="erledigt")
    assert "hat die Rolle" in refused(act, ledger, "unhold", first, by="SCN", reason="erledigt")
    assert act(ledger, "unhold", first, by="FRG", reason="erledigt", number=1) == 1
    with moved(LATER):
        assert "gesperrt (Sperre 2)" in refused(released, ledger, first)
        assert "gesperrt" in refused(act, ledger, "give_back", first, by="SCN", reason="Irrläufer")
        act(ledger, "unhold", first, by="FRG", reason="erledigt")
        assert "Wartefrist läuft" in refused(released, ledger, first)
    with moved(2 * LATER):
        assert released(ledger, first) == [first]
    assert agrees(ledger) == []


def test_a_later_revision_needs_a_release_of_its_own(ledger: Ledger) -> None:
    first, _ = ready(ledger, cut=((1, 2), (4,)))
    with moved(LATER):
        released(ledger, first)
        done = ledger.put_back(first, 3, by="SCN", reason="war beschrieben")
        text = refused(destroyed, ledger, first)
        assert "nicht abgeschlossen" in text
        assert "noch in Arbeit" in text
        deliver(ledger)
        assert "frühere Fassung" in refused(destroyed, ledger, first)
        act(ledger, "store", first, by="SCN", place=BOX)
        assert released(ledger, first) == [done.document]
        assert destroyed(ledger, first) == [done.document]


def test_rows_that_say_something_else_than_their_events_are_found(ledger: Ledger) -> None:
    first, _ = ready(ledger)
    act(ledger, "hold", first, by="SCN", reason="Klage")
    unit = schema.paper_unit
    for values in ({"stage": "released"}, {"place": "anderswo"}, {"released_by": "FRG"}):
        before = {name: getattr(rows(ledger, unit)[1], name) for name in values}
        change(ledger, sa.update(unit).where(unit.c.ordinal == 1).values(values))
        assert any(next(iter(values)) in reason for reason in agrees(ledger))
        change(ledger, sa.update(unit).where(unit.c.ordinal == 1).values(before))
    assert agrees(ledger) == []
    change(ledger, sa.delete(schema.paper_hold))
    assert any("holds" in reason for reason in agrees(ledger))


def test_paper_of_another_tenant_is_on_no_list(ledger: Ledger) -> None:
    another_one = another(ledger)
    with ledger.reading() as connection:
        assert len(boxes.units(connection, TENANT, "stored", BOX)) == len(another_one) + 1
        assert boxes.units(connection, "other", "stored", BOX) == []
        assert boxes.units(connection, TENANT, "stored", "Karton 1") == []
        assert boxes.units(connection, TENANT, "destroy") == []


def test_what_was_not_backed_up_when_it_was_erased_only_goes_back(ledger: Ledger) -> None:
    staff(ledger)
    taken(ledger, replacing())
    deliver(ledger, cut=((1,),))
    (document,) = documents(ledger)
    act(ledger, "store", document, by="SCN", place=BOX)
    with ledger.writing() as connection:
        erase(connection, document, "ADM", "irrtümlich erfasst")
    with moved(dt.timedelta(days=1)):
        back_up(ledger)
    with moved(dt.timedelta(days=WAITING + 3)):
        assert "nicht gültig ersetzt" in refused(released, ledger, document)


def test_who_scanned_does_not_release_what_was_erased(ledger: Ledger) -> None:
    document, _ = ready(ledger)
    with ledger.writing() as connection:
        people.give(connection, TENANT, "SCN", Role.RELEASER, by="ADM")
    with moved(dt.timedelta(days=2)), ledger.writing() as connection:
        erase(connection, document, "ADM", "irrtümlich erfasst")
    with moved(dt.timedelta(days=2 * WAITING)):
        assert "zwei verschiedene Personen" in refused(released, ledger, document, by="SCN")
        assert released(ledger, document) == [document]
    assert agrees(ledger) == []


def test_paper_from_before_a_restore_stays_until_the_head_of_the_office_confirmed(
    ledger: Ledger,
) -> None:
    first, second = ready(ledger)
    with ledger.writing() as connection:
        people.register(connection, TENANT, "LTG", by="ADM")
        people.give(connection, TENANT, "LTG", Role.SUPERVISOR, by="ADM")
        installation.note(connection, TENANT, chains.Entry(RESTORED, {"behind": {}}, "ADM"))
    with moved(LATER):
        assert "Sicherung zurückgespielt" in refused(released, ledger, first)
        with ledger.writing() as connection, pytest.raises(UsageError, match="SCN"):
            paper.confirm(connection, first, by="SCN", reason="durchgesehen")
        act(ledger, "confirm", first, by="LTG", reason="Karton und Sperrliste durchgesehen")
        assert released(ledger, first) == [first]
        assert "Sicherung zurückgespielt" in refused(released, ledger, second)
        third, _ = another(ledger)
    with moved(2 * LATER):
        assert released(ledger, third) == [third], "it came after the restore"
    assert agrees(ledger) == []
