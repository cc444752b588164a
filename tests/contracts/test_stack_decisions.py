"""Scans that only the head of the scanning office lets go on, and nobody who scanned them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import UsageError
from ingest.ledger import devices, schema
from scanners.direct import DirectHouse
from scanners.direct.arriving import seen_device
from scanners.upload import Station
from tests.plugins.ledgers import rows
from tests.plugins.stations import DEVICE, House, closing, opening, page


@pytest.fixture
def house(ledger_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "house", ledger_url)
    yield made
    made.ledger.close()


@pytest.fixture
def desk(house: House) -> DirectHouse:
    return house.seen_by(Station(code="platz-3", tenant="default"))


def released(house: House) -> None:
    seen = seen_device(DEVICE, None)
    with house.ledger.writing() as connection:
        devices.see(connection, "default", seen)
        devices.release(connection, "default", seen.device, by="LTG")


def scanned(
    desk: DirectHouse, folder: Path, *, pages: int = 2, by: tuple[str | None, ...] = (), **said: Any
) -> str:
    """Scan a stack as a station without a connection would, close it, return its id."""
    opened = opening(**said)
    desk.open(opened)
    made = [page(folder, number) for number in range(1, pages + 1)]
    for number, code in enumerate(by):
        made[number] = dataclasses.replace(made[number], scanned_by=code)
    for each in made:
        desk.append(opened.key, each)
    return desk.close(opened.key, closing(*made)).batch_id


def batch(house: House) -> Any:
    (row,) = rows(house.ledger, schema.batch)
    return row


def test_what_an_unreleased_device_scanned_goes_on_by_a_supervisor_who_did_not_scan(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    id_ = scanned(desk, tmp_path, profile=House.replacing, by=("KL", "LT2"))
    with pytest.raises(UsageError) as caught:
        house.ledger.retry(id_)
    assert "Leitung der Scanstelle" in caught.value.operator_text
    for nobody in ("KL", "XX", "LT2"):
        with pytest.raises(UsageError) as caught:
            house.ledger.release(id_, nobody, "passt schon")
    assert "zwei verschiedene" in caught.value.operator_text
    assert batch(house).standing == "held"
    house.ledger.release(id_, "LTG", "Gerät nachträglich abgenommen")
    assert batch(house).standing == "ready"
    last = rows(house.ledger, schema.event)[-1]
    assert (last.kind, last.actor) == ("released_by_clerk", "LTG")


def test_another_code_of_whoever_scanned_is_the_same_person(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    id_ = scanned(desk, tmp_path, profile=House.replacing, operator="LTG")
    with pytest.raises(UsageError, match="same person"):
        house.ledger.release(id_, "LT3", "passt schon")


@pytest.mark.parametrize(
    ("said", "by"),
    [({"operator": "XX"}, ()), ({}, ("KL", "XX")), ({}, (None, "KL")), ({"operator": None}, ())],
    ids=["opened", "a page", "a page of nobody", "nobody"],
)
def test_a_replacing_scan_of_somebody_unknown_is_held_and_nothing_of_it_is_lost(
    house: House, desk: DirectHouse, tmp_path: Path, said: dict[str, Any], by: tuple[str | None]
) -> None:
    released(house)
    id_ = scanned(desk, tmp_path, profile=House.replacing, by=by, **said)
    row = batch(house)
    assert (row.standing, row.reason_code) == ("held", "operator_unknown")
    assert "people add" in row.reason
    with pytest.raises(UsageError):
        house.ledger.retry(id_)
    assert len(rows(house.ledger, schema.batch_source)) == 2


def test_a_replacing_scan_of_known_people_on_a_released_device_goes_on(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    released(house)
    scanned(desk, tmp_path, profile=House.replacing, by=("KL", "LT2"))
    assert batch(house).standing == "ready"


@pytest.mark.parametrize(
    ("profile", "standing"), [("posteingang", "ready"), (House.replacing, "held")]
)
def test_a_duplex_stack_without_its_last_back_ends_and_says_so(
    house: House, desk: DirectHouse, tmp_path: Path, profile: str, standing: str
) -> None:
    released(house)
    scanned(desk, tmp_path, pages=3, profile=profile)
    row = batch(house)
    assert row.standing == standing
    (anomaly,) = row.facts["scanned"]["anomalies"]
    assert (anomaly["kind"], anomaly["sheet"]) == ("back_missing", 2)
    assert "letzte Rückseite fehlt" in anomaly["text"]
