"""Stacks whose end is not as planned: a rule withdrawn, a profile gone, a station lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import profiles
from ingest.document import Facts
from ingest.errors import UsageError
from ingest.ledger import reading, releasing, schema, stacks
from ingest.ledger.agreement import Examination
from scanners.direct import DirectHouse
from scanners.direct.ending import close_by_house
from scanners.stack import Refused, StackState, wire
from scanners.upload import Station
from tests.plugins.ledgers import rows
from tests.plugins.stations import House, closing, known, opening, page


@pytest.fixture
def house(ledger_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "house", ledger_url)
    yield made
    made.ledger.close()


@pytest.fixture
def desk(house: House) -> DirectHouse:
    return house.seen_by(Station(code="platz-3", tenant="default"))


def only_batch(house: House) -> dict[str, Any]:
    with house.ledger.reading() as connection:
        (record,) = reading.rows(connection)
    return record


def scan_facts(house: House) -> Facts:
    (batch,) = rows(house.ledger, schema.batch)
    found: Facts = batch.facts["scanned"]
    return found


def agrees(house: House) -> bool:
    with house.ledger.reading() as connection:
        return not list(Examination(connection))


def test_a_version_withdrawn_before_the_end_strands_no_page(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    opened, first = opening(profile=House.replacing), page(tmp_path, 1)
    desk.open(opened)
    desk.append(opened.key, first)
    with house.ledger.writing() as connection:
        releasing.withdraw(connection, "default", House.replacing, by="LTG", reason="überholt")
    assert desk.close(opened.key, closing(first)).is_closed
    record = only_batch(house)
    assert (record["standing"], record["reason_code"]) == ("held", "profile_not_released")
    assert "zurückgezogen" in record["reason"]
    assert agrees(house)
    with pytest.raises(Refused) as caught:
        desk.open(opening(profile=House.replacing))
    assert caught.value.code == "profile_not_released"


def test_a_stack_that_was_let_in_is_received_although_its_profile_is_gone(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    file = house.folder / "profiles" / "haus.toml"
    text = Path(profiles.__file__).with_name("posteingang.toml").read_text("utf-8")
    file.write_text(text.replace('name = "posteingang"', 'name = "haus"'), "utf-8")
    opened, first = opening(profile="haus"), page(tmp_path, 1)
    begun = desk.open(opened)
    file.unlink()
    assert desk.open(opened) == begun
    desk.append(opened.key, first)
    assert desk.close(opened.key, closing(first)).is_closed
    assert only_batch(house)["standing"] == "ready"


def test_what_the_house_says_of_a_stack_is_said_alike_over_the_network() -> None:
    state = StackState(batch_id="b", is_discarded=True)
    assert wire.state_from_json(wire.state_to_json(state)) == state


def begun(
    desk: DirectHouse, folder: Path, *numbers: int, **said: Any
) -> tuple[str, str, list[Any]]:
    opened = opening(**said)
    id_ = desk.open(opened).batch_id
    pages = [page(folder, number) for number in numbers]
    for each in pages:
        desk.append(opened.key, each)
    return opened.key, id_, pages


def test_the_house_ends_a_stack_whose_station_is_lost(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    key, id_, pages = begun(desk, tmp_path, 1, 2)
    done = close_by_house(house.ledger, house.store, id_, by="LTG", reason="Festplatte defekt")
    assert (done.batch_id, done.pages, done.missing) == (id_, 2, ())
    record = only_batch(house)
    assert (record["id"], record["stage"], record["standing"]) == (id_, "received", "ready")
    said = scan_facts(house)
    assert said["closed_by"] == "LTG"
    assert [each["kind"] for each in said["anomalies"]] == ["closed_by_house"]
    assert "Festplatte defekt" in said["anomalies"][0]["text"]
    assert agrees(house)
    # The station comes back: with the same pages it is done, with more it is told so.
    assert desk.close(key, closing(*pages)).pages == tuple(known(each) for each in pages)
    more = page(tmp_path, 3)
    for late in (
        lambda: desk.append(key, more),
        lambda: desk.close(key, closing(*pages, more)),
    ):
        with pytest.raises(Refused) as caught:
            late()
        assert caught.value.code == "stack_closed"
        assert "abgeschlossen" in caught.value.operator_text


def test_gaps_in_a_stack_that_the_house_ended_are_for_a_person(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    _, id_, _ = begun(desk, tmp_path, 1, 2, 4)
    done = close_by_house(house.ledger, house.store, id_, by="LTG", reason="Festplatte defekt")
    assert done.missing == (3,)
    record = only_batch(house)
    assert (record["standing"], record["reason_code"]) == ("held", "pages_missing")
    assert "fehlen die Seiten 3" in record["reason"]
    assert scan_facts(house)["anomalies"][-1]["missing"] == [3]
    with pytest.raises(UsageError) as caught:
        house.ledger.retry(id_)
    assert "Leitung der Scanstelle" in caught.value.operator_text
    for nobody in ("KL", "XX", "REV"):
        with pytest.raises(UsageError):
            house.ledger.release(id_, nobody, "so vollständig")
    assert only_batch(house)["standing"] == "held"
    house.ledger.release(id_, "LTG", "mit dem Papier verglichen")
    assert only_batch(house)["standing"] == "ready"


def test_a_supervisor_who_scanned_of_a_stack_with_gaps_does_not_release_it(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    _, id_, _ = begun(desk, tmp_path, 1, 4, operator="LTG")
    close_by_house(house.ledger, house.store, id_, by="LT2", reason="Festplatte defekt")
    with pytest.raises(UsageError) as caught:
        house.ledger.release(id_, "LTG", "so vollständig")
    assert "zwei verschiedene" in caught.value.operator_text


def test_the_house_ends_a_stack_by_a_named_person_with_a_reason_and_pages(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    _, id_, _ = begun(desk, tmp_path, 1)
    _, empty, _ = begun(desk, tmp_path)
    for wanted, by, reason in (
        (id_, "Max Mustermann, Amt 10", "x"),
        (id_, "LTG", " "),
        (id_, "FREMD", "x"),
        (empty, "LTG", "x"),
        ("0" * 36, "LTG", "x"),
    ):
        with pytest.raises(UsageError):
            close_by_house(house.ledger, house.store, wanted, by=by, reason=reason)
    assert rows(house.ledger, schema.batch) == []
    with house.ledger.reading() as connection:
        row = stacks.of_batch(connection, id_)
    assert row is not None
    assert (row.closed_at, row.anomalies) == (None, [])
