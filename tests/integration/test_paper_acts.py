"""Acts on paper: what each demands, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.document import Role, Step
from ingest.errors import UsageError
from ingest.ledger import Ledger, boxes, people, schema
from ingest.ledger.destruction import Means, certify, destroy
from tests.plugins.ledgers import arrival, change, claim_at, rows, work
from tests.plugins.paperwork import (
    BOX,
    LATER,
    TENANT,
    act,
    agrees,
    checked,
    destroyed,
    hasty,
    moved,
    ready,
    refused,
    released,
    replacing,
    stages,
)
from tests.plugins.releases import taken

ENDED = {0: "destroyed", 1: "destroyed", 2: "destroyed"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = hasty(tmp_path)
    yield opened
    opened.close()


def test_a_providers_certificate_may_come_later_and_once(ledger: Ledger) -> None:
    first, _ = ready(ledger)
    with moved(LATER):
        released(ledger, first)
        with ledger.writing() as connection:
            assert "nicht vernichtet" in refused(
                certify, connection, first, by="VRN", certificate="Z-1"
            )
        destroyed(ledger, first)
    with ledger.writing() as connection:
        assert certify(connection, first, by="VRN", certificate="Z-1") == 1
        assert "steht schon da" in refused(certify, connection, first, by="VRN", certificate="Z-2")
    assert rows(ledger, schema.paper_unit)[1].destruction["certificate"] == "Z-1"
    assert agrees(ledger) == []


def test_the_place_that_came_with_the_stack_will_do(ledger: Ledger) -> None:
    receipt = taken(ledger, replacing(storage_place="Regal 3"))
    act(ledger, "store", receipt.batch_id, by="SCN")
    assert rows(ledger, schema.paper_unit)[0].place == "Regal 3"
    other = taken(ledger, replacing())
    assert "--place" in refused(act, ledger, "store", other.batch_id, by="SCN")


def test_what_came_electronically_has_no_paper(ledger: Ledger) -> None:
    ledger.accept(arrival())
    work(ledger)
    change(ledger, sa.update(schema.batch_source).values(facts={"electronic": True}))
    (document,) = rows(ledger, schema.document)
    assert "kam elektronisch" in refused(act, ledger, "store", document.id, by="SCN", place=BOX)
    assert rows(ledger, schema.paper_unit) == []


def test_requested_paper_comes_back_by_being_stored(ledger: Ledger) -> None:
    first, _ = ready(ledger)
    ((named, place),) = act(ledger, "request", first, by="SCN", reason="Akteneinsicht")
    assert (named, place) == (first, BOX)
    with ledger.reading() as connection:
        (pulled,) = boxes.units(connection, TENANT, "pull", BOX)
        entry = boxes.entry(connection, pulled)
    assert (entry["document"], entry["sheets"], entry["place"]) == (first, [1], BOX)
    with moved(LATER):
        assert "nicht abgelegt" in refused(released, ledger, first)
        act(ledger, "store", first, by="SCN", place="Karton 8")
        assert released(ledger, first) == [first]
    assert rows(ledger, schema.paper_unit)[1].place == "Karton 8"
    assert agrees(ledger) == []


@pytest.mark.parametrize(
    "voiding",
    [
        lambda ledger, id_: act(ledger, "hold", id_, by="SCN", reason="Klage"),
        lambda ledger, id_: act(ledger, "request", id_, by="SCN", reason="Nachscan"),
        lambda ledger, id_: act(ledger, "store", id_, by="SCN", place="Karton 9"),
    ],
)
def test_a_release_ends_when_somebody_touches_the_paper(
    ledger: Ledger, voiding: Callable[[Ledger, str], Any]
) -> None:
    first, _ = ready(ledger)
    with moved(LATER):
        released(ledger, first)
        voiding(ledger, first)
        assert "nicht zur Vernichtung freigegeben" in refused(destroyed, ledger, first)
    assert rows(ledger, schema.paper_unit)[1].released_by is None
    assert agrees(ledger) == []


def test_whoever_scanned_does_not_release_and_whoever_released_does_not_destroy(
    ledger: Ledger,
) -> None:
    first, second = ready(ledger)
    with ledger.writing() as connection:
        for code in ("SCN", "FRG"):
            people.register(connection, TENANT, f"{code}2", by="ADM", same_as=code)
        people.give(connection, TENANT, "SCN", Role.RELEASER, by="ADM")
        people.give(connection, TENANT, "FRG", Role.DESTROYER, by="ADM")
    with moved(LATER):
        for by in ("SCN", "SCN2"):
            assert "zwei verschiedene Personen" in refused(released, ledger, first, by=by)
        assert "hat die Rolle" in refused(released, ledger, first, by="VRN")
        released(ledger, first)
        for by in ("FRG", "FRG2"):
            assert "zwei verschiedene Personen" in refused(destroyed, ledger, first, by=by)
        assert "hat die Rolle" in refused(destroyed, ledger, first, by="SCN")
        assert stages(ledger)[1] == "released"
        released(ledger, second, by="ALL")
        assert "zwei verschiedene" in refused(destroyed, ledger, first, second, by="ALL")
        assert stages(ledger) == {0: "stored", 1: "released", 2: "released"}


def test_whom_the_separator_sheet_names_does_not_release(ledger: Ledger) -> None:
    first, second = ready(ledger)
    table = schema.document
    for id_, code in ((first, "ALL"), (second, "XYZ")):
        (row,) = (row for row in rows(ledger, table) if row.id == id_)
        facts = {**row.facts, "separation": {**row.facts.get("separation", {}), "operator": code}}
        change(ledger, sa.update(table).where(table.c.id == id_).values(facts=facts))
    with moved(LATER):
        assert "zwei verschiedene" in refused(released, ledger, first, by="ALL")
        assert "Kürzel XYZ" in refused(released, ledger, second)
        assert released(ledger, first) == [first]


def test_whoever_scanned_and_left_is_still_the_same_person(ledger: Ledger) -> None:
    first, _ = ready(ledger)
    with ledger.writing() as connection:
        people.register(connection, TENANT, "SCN2", by="ADM", same_as="SCN")
        people.give(connection, TENANT, "SCN2", Role.RELEASER, by="ADM")
        people.leave(connection, TENANT, "SCN", by="ADM")
    with moved(LATER):
        assert "zwei verschiedene" in refused(released, ledger, first, by="SCN2")
        assert released(ledger, first) == [first]


def test_whoever_scanned_left_and_came_back_is_still_the_same_person(ledger: Ledger) -> None:
    first, _ = ready(ledger)
    with ledger.writing() as connection:
        people.leave(connection, TENANT, "SCN", by="ADM")
        people.register(connection, TENANT, "SCN2", by="ADM", same_as="SCN")
        people.give(connection, TENANT, "SCN2", Role.RELEASER, by="ADM")
    with moved(LATER):
        assert "zwei verschiedene" in refused(released, ledger, first, by="SCN2")


def test_a_list_goes_as_a_whole_or_not_at_all(ledger: Ledger) -> None:
    first, second = ready(ledger)
    with moved(LATER):
        assert "nicht zur Vernichtung" in refused(destroyed, ledger, first, second)
        released(ledger, first)
        assert second in refused(destroyed, ledger, first, second)
        assert stages(ledger)[1] == "released"
        assert "kein Dokument genannt" in refused(destroyed, ledger)


def test_destruction_says_how(ledger: Ledger) -> None:
    first, _ = ready(ledger)
    with moved(LATER):
        released(ledger, first)
        for means, text in (
            (Means(method="x", level="P-5"), "DIN 66399"),
            (Means(method=" ", level="3/P-5"), "--method"),
        ):
            with pytest.raises(UsageError) as caught, ledger.writing() as connection:
                destroy(connection, [first], by="VRN", means=means, checked=checked(ledger))
            assert text in caught.value.operator_text


def test_paper_goes_back_to_its_sender(ledger: Ledger) -> None:
    first, _ = ready(ledger)
    act(ledger, "give_back", first, by="SCN", reason="Urkunde")
    with moved(LATER):
        assert "zurückgegeben" in refused(released, ledger, first)
    assert "gesperrt werden" in refused(act, ledger, "hold", first, by="SCN", reason="Klage")
    receipt = taken(ledger, replacing())

    claim_at(ledger, Step.RECOGNITION)
    text = refused(act, ledger, "give_back", receipt.batch_id, by="SCN", reason="Irrläufer")
    assert "noch in Arbeit" in text


def test_every_act_names_a_person_and_a_reason(ledger: Ledger) -> None:
    first, _ = ready(ledger)
    for name in ("request", "give_back", "hold", "unhold"):
        assert "--reason" in refused(act, ledger, name, first, by="FRG", reason=" ")
        assert "--operator" in refused(act, ledger, name, first, by="", reason="x")
    assert "--operator" in refused(act, ledger, "store", first, by="Erika Muster", place=BOX)


def test_loose_sheets_under_a_hold_stay_until_it_is_lifted(ledger: Ledger) -> None:
    first, second = ready(ledger)
    (batch,) = rows(ledger, schema.batch)
    act(ledger, "hold", batch.id, by="SCN", reason="Klage")
    with ledger.writing() as connection:
        people.register(connection, TENANT, "FRG2", by="ADM", same_as="FRG")
        people.give(connection, TENANT, "FRG2", Role.DESTROYER, by="ADM")
    for document in (first, second):
        act(ledger, "unhold", document, by="FRG", reason="erledigt")
    with moved(2 * LATER):
        released(ledger, first, second)
        destroyed(ledger, first, second)
        assert stages(ledger) == {0: "stored", 1: "destroyed", 2: "destroyed"}
        assert "kein Dokument genannt" in refused(destroyed, ledger, batch.id)
        act(ledger, "unhold", batch.id, by="FRG", reason="erledigt")
        assert "zwei verschiedene" in refused(destroyed, ledger, batch.id, by="FRG2")
        assert destroyed(ledger, batch.id) == [batch.id]
    assert set(stages(ledger).values()) == {"destroyed"}
    assert agrees(ledger) == []
