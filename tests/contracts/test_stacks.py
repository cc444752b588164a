"""What the ledger knows of stacks, while they are scanned and after, of devices and stations."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import UsageError
from ingest.ledger import devices, erasure, givingup, reading, schema, showing, stations
from ingest.ledger.agreement import Examination
from ingest.ledger.devices import ReleaseTerms
from ingest.ledger.makers import scanned_by
from scanners.direct import DirectHouse
from scanners.direct.arriving import seen_device
from scanners.stack import Refused, StackState
from scanners.upload import Station
from tests.plugins.ledgers import change, everything, rows
from tests.plugins.stations import DEVICE, OPERATOR, House, closing, opening, page

HERE = Station(code="platz-3", tenant="default")


@pytest.fixture
def house(ledger_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "house", ledger_url)
    yield made
    made.ledger.close()


@pytest.fixture
def desk(house: House) -> DirectHouse:
    return house.seen_by(HERE)


def listed(house: House) -> list[dict[str, Any]]:
    with house.ledger.reading() as connection:
        return list(reading.rows(connection))


def disagreeing(house: House) -> list[str]:
    """Return where rows and chains say different things."""
    with house.ledger.reading() as connection:
        return [each.reason for each in Examination(connection)]


def shown(house: House, id_: str) -> dict[str, Any]:
    with house.ledger.reading() as connection:
        return showing.show(connection, id_, scanning=True)


def scanned(desk: DirectHouse, folder: Path, pages: int = 2, **said: Any) -> tuple[str, str]:
    """Scan an open stack; return key and id."""
    opened = opening(**said)
    state = desk.open(opened)
    for number in range(1, pages + 1):
        desk.append(opened.key, page(folder, number, content=f"II*{opened.key}{number}".encode()))
    return opened.key, state.batch_id


def pages_of(house: House) -> list[Any]:
    return rows(house.ledger, schema.stack_page)


def test_an_open_stack_stands_in_the_list_of_arrivals(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    key, id_ = scanned(desk, tmp_path)
    (record,) = listed(house)
    assert (record["message_type"], record["id"]) == ("batch", id_)
    assert (record["stage"], record["standing"]) == ("open", "waiting")
    assert (record["pages"], record["station"], record["operator"]) == (2, "platz-3", "KL")
    assert [source["sha256"] for source in record["sources"]] == [
        row.sha256 for row in pages_of(house)
    ]
    found = shown(house, id_[:8])
    assert found["said"]["key"] == key
    assert [each["side"] for each in found["stack_pages"]] == ["front", "back"]
    with house.ledger.reading() as connection:
        assert reading.counts(connection)["open_stacks"] == 1


def test_a_closed_stack_is_the_batch_of_the_same_id_and_its_chain_agrees(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    opened = opening()
    id_ = desk.open(opened).batch_id
    first = page(tmp_path, 1)
    again = page(tmp_path, 1, attempt=2, double_feed=True)
    second = page(tmp_path, 2, patch="T")
    for each in (first, second, again):
        desk.append(opened.key, each)
    desk.close(opened.key, closing(again, second))
    (record,) = listed(house)
    assert (record["id"], record["stage"]) == (id_, "received")
    sources = [source["sha256"] for source in record["sources"]]
    assert sources == [again.page.sha256, second.page.sha256]
    (batch,) = rows(house.ledger, schema.batch)
    said = batch.facts["scanned"]
    assert [(each["number"], each["attempts"]) for each in said["replaced"]] == [(1, 2)]
    assert said["hints"] == [{"number": 1, "double_feed": True}, {"number": 2, "patch": "T"}]
    assert (said["device"]["firmware"], said["station"]) == ("1.0", "platz-3")
    assert disagreeing(house) == []


def test_a_changed_fact_of_the_scan_is_found(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    first = page(tmp_path, 1)
    opened = opening()
    desk.open(opened)
    desk.append(opened.key, first)
    desk.close(opened.key, closing(first))
    (batch,) = rows(house.ledger, schema.batch)
    facts = {**batch.facts, "scanned": {**batch.facts["scanned"], "operators": []}}
    change(house.ledger, schema.batch.update().values(facts=facts))
    assert any("scanned" in reason for reason in disagreeing(house))


def test_everybody_who_fed_sheets_counts_among_those_who_scanned(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    opened = opening()
    desk.open(opened)
    first, second = page(tmp_path, 1), page(tmp_path, 2)
    second = dataclasses.replace(second, scanned_by="LT2")
    for each in (first, second):
        desk.append(opened.key, each)
    desk.close(opened.key, closing(first, second))
    (batch,) = rows(house.ledger, schema.batch)
    assert scanned_by(batch.operator, {}, batch.facts) == ("KL", "LT2")


def test_erasing_a_batch_leaves_no_trace_of_its_pages_replaced_ones_included(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    opened = opening(storage_place="Kiste 7")
    id_ = desk.open(opened).batch_id
    first, again = page(tmp_path, 1), page(tmp_path, 1, attempt=2)
    for each in (first, again):
        desk.append(opened.key, each)
    desk.close(opened.key, closing(again))
    with house.ledger.writing() as connection:
        free = erasure.erase(connection, id_, "LTG", "Irrläufer")
    assert {first.page.sha256, again.page.sha256} <= set(free)
    left = everything(house.ledger)
    for trace in (first.page.sha256, again.page.sha256, "Kiste 7"):
        assert trace not in left
    assert disagreeing(house) == []


def test_a_stack_that_is_given_up_says_who_and_why_and_takes_no_page_any_more(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    key, id_ = scanned(desk, tmp_path)
    digests = {row.sha256 for row in pages_of(house)}
    with house.ledger.writing() as connection:
        given_up = givingup.discard(connection, id_, "KL", "Irrläufer")
    assert given_up is not None
    assert (given_up.tenant, given_up.key, given_up.pages) == ("default", key, 2)
    assert given_up.free == given_up.digests == sorted(digests)
    assert desk.state(key) == StackState(batch_id=id_, is_discarded=True)
    assert desk.open(opening(key)) == desk.state(key)
    assert listed(house) == []
    assert pages_of(house) == []
    events = rows(house.ledger, schema.event)
    assert [(row.kind, row.actor) for row in events if row.kind == givingup.DISCARDED] == [
        (givingup.DISCARDED, "KL")
    ]
    with pytest.raises(Refused) as caught:
        desk.append(key, page(tmp_path, 3))
    assert caught.value.code == "stack_closed"
    with house.ledger.writing() as connection:
        assert givingup.discard(connection, id_, "KL", "Irrläufer") is None
    assert disagreeing(house) == []


def test_giving_up_needs_a_code_and_a_reason(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    _, id_ = scanned(desk, tmp_path)
    for by, reason in (("Max Mustermann, Amt 10", "x"), ("KL", " "), ("FREMD", "x")):
        with pytest.raises(UsageError), house.ledger.writing() as connection:
            givingup.discard(connection, id_, by, reason)
        with pytest.raises(UsageError), house.ledger.writing() as connection:
            givingup.note_unknown(connection, "default", "k" * 36, 3, by=by, reason=reason)
    assert len(pages_of(house)) == 2


def test_a_page_that_another_batch_needs_too_is_not_freed(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    same = page(tmp_path, 1, content=b"II*dieselbe Seite")
    ids = []
    for _ in range(2):
        opened = opening()
        ids.append(desk.open(opened).batch_id)
        desk.append(opened.key, same)
    with house.ledger.writing() as connection:
        given_up = givingup.discard(connection, ids[0], "KL", "Irrläufer")
    assert given_up is not None
    assert (given_up.digests, given_up.free) == ([same.page.sha256], [])


def test_the_key_of_another_tenants_stack_is_unknown(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    key, _ = scanned(desk, tmp_path)
    other = house.seen_by(Station(code="platz-3", tenant="amt-b"))
    for act in (
        lambda: other.state(key),
        lambda: other.append(key, page(tmp_path, 1)),
        lambda: other.open(opening(key, operator=None)),
    ):
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.code == "stack_unknown"


def test_a_device_is_released_with_its_firmware_and_not_with_another(house: House) -> None:
    seen = seen_device(DEVICE, None)
    newer = devices.SeenDevice(**{**vars(seen), "firmware": "2.0"})
    with house.ledger.writing() as connection:
        with pytest.raises(UsageError, match="unknown device"):
            devices.release(connection, "default", seen.device, by="LTG")
        devices.see(connection, "default", seen)
        assert "nicht freigegeben" in str(devices.objection(connection, "default", seen))
        with pytest.raises(UsageError):
            devices.release(connection, "default", seen.device, by="KL")
        devices.release(
            connection, "default", seen.device, by="LTG", terms=ReleaseTerms(inventory="INV-7")
        )
        assert devices.objection(connection, "default", seen) is None
        assert devices.inventory_of(connection, "default", seen.device) == "INV-7"
        devices.see(connection, "default", newer)
        text = str(devices.objection(connection, "default", newer))
        assert "2.0" in text
        assert "1.0" in text
    kinds = [row.kind for row in rows(house.ledger, schema.event)]
    assert devices.RELEASED in kinds


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"vendor": "Andere"}, "Hersteller Andere"),
        ({"model": "Billig 1"}, "Modell Billig 1"),
        ({"serial": "0"}, "Seriennummer 0"),
        ({"firmware": None}, "Firmware nicht erfasst"),
    ],
    ids=["vendor", "model", "serial", "firmware"],
)
def test_another_device_at_the_place_of_a_released_one_is_not_released(
    house: House, told: dict[str, Any], said: str
) -> None:
    seen = seen_device(DEVICE, None)
    other = devices.SeenDevice(**{**vars(seen), **told})
    with house.ledger.writing() as connection:
        devices.see(connection, "default", seen)
        devices.release(connection, "default", seen.device, by="LTG")
        devices.see(connection, "default", other)
        assert said in str(devices.objection(connection, "default", other))
        devices.see(connection, "default", seen)
        assert devices.objection(connection, "default", seen) is None


def test_a_device_that_tells_no_firmware_is_released_by_whoever_knows_that(house: House) -> None:
    silent = seen_device(dataclasses.replace(DEVICE, firmware=None), None)
    with house.ledger.writing() as connection:
        devices.see(connection, "default", silent)
        with pytest.raises(UsageError) as caught:
            devices.release(connection, "default", silent.device, by="LTG")
        assert "--without-firmware" in caught.value.operator_text
        terms = ReleaseTerms(without_firmware=True)
        devices.release(connection, "default", silent.device, by="LTG", terms=terms)
        assert devices.objection(connection, "default", silent) is None


def test_a_release_ends_by_time_and_by_withdrawal(house: House) -> None:
    seen, past = seen_device(DEVICE, None), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    with house.ledger.writing() as connection:
        devices.see(connection, "default", seen)
        devices.release(
            connection, "default", seen.device, by="LTG", terms=ReleaseTerms(until=past)
        )
        assert "abgelaufen" in str(devices.objection(connection, "default", seen))
        devices.release(connection, "default", seen.device, by="LTG")
        devices.withdraw(connection, "default", seen.device, by="LTG", reason="Reparatur")
        with pytest.raises(devices.DeviceNotReleased) as caught:
            devices.require_released(connection, "default", seen)
    assert "zurückgezogen" in caught.value.operator_text


def test_what_an_unreleased_device_scanned_while_the_house_was_away_is_held(
    house: House, desk: DirectHouse, tmp_path: Path
) -> None:
    with pytest.raises(Refused) as caught:
        desk.admit(DEVICE, House.replacing, OPERATOR)
    assert caught.value.code == "device_not_released"
    opened, first = opening(profile=House.replacing), page(tmp_path, 1)
    desk.open(opened)
    desk.append(opened.key, first)
    desk.close(opened.key, closing(first))
    (record,) = listed(house)
    assert (record["standing"], record["reason_code"]) == ("held", "device_not_released")
    assert "Leitung der Scanstelle" in record["reason"]


def test_the_token_of_a_station_is_kept_nowhere_and_ends_when_it_is_revoked(house: House) -> None:
    token = house.token("platz-9")
    assert token not in everything(house.ledger)
    found = house.known(token)
    assert found is not None
    assert (found.code, found.tenant) == ("platz-9", "default")
    newer = house.token("platz-9")
    assert house.known(token) is None
    with house.ledger.writing() as connection:
        stations.revoke(connection, "default", "platz-9", by="ADM")
        with pytest.raises(UsageError):
            stations.revoke(connection, "default", "platz-9", by="ADM")
        with pytest.raises(UsageError):
            stations.add(connection, "default", "platz-1", by="KL")
        (known,) = stations.listed(connection, "default")
    assert house.known(newer) is None
    assert "token_sha256" not in known
