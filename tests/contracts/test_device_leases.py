"""One at a device, from whichever machine and for whichever tenant; and what is said if not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.ledger import schema
from scanners.direct import DirectHouse, Workplace
from scanners.stack import DeviceLeased, LeaseLost
from tests.plugins.ledgers import rows
from tests.plugins.stations import DEVICE, NOON, House, closing, opening, page

#: Hangs at its computer and tells no serial number.
LOCAL = dataclasses.replace(DEVICE, serial=None)


@pytest.fixture
def house(ledger_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "house", ledger_url)
    yield made
    made.ledger.close()


def at(house: House, tenant: str = "default", *, station: str | None, machine: str) -> DirectHouse:
    place = Workplace(tenant=tenant, station=station, machine=machine)
    return DirectHouse(house.ledger, house.store, place)


def test_two_machines_that_scan_into_one_ledger_exclude_each_other(house: House) -> None:
    here, there = (at(house, station=None, machine=name) for name in ("pc-1", "pc-2"))
    lease = here.lease(DEVICE, "KL", 30.0)
    with pytest.raises(DeviceLeased) as caught:
        there.lease(DEVICE, "LTG", 30.0)
    assert "Rechner pc-1, Kürzel KL" in caught.value.operator_text
    again = here.lease(DEVICE, "KL", 30.0)  # left behind by a process that died
    with pytest.raises(LeaseLost):
        here.renew(lease)
    here.give_back(again)
    there.lease(DEVICE, "LTG", 30.0)


@pytest.mark.parametrize("station", [None, "platz-3"], ids=["this machine", "a station"])
def test_two_tenants_at_one_device_exclude_each_other_and_name_nobody(
    house: House, station: str | None
) -> None:
    ours = at(house, station=station, machine="pc-1")
    theirs = at(house, "amt-b", station=station, machine="pc-1")
    lease = ours.lease(DEVICE, "KL", 30.0)
    with pytest.raises(DeviceLeased) as caught:
        theirs.lease(DEVICE, "XY", 30.0)
    assert "anderen Mandanten" in caught.value.operator_text
    for secret in ("KL", "platz-3", "pc-1"):
        assert secret not in caught.value.operator_text
    ours.give_back(lease)
    theirs.renew(theirs.lease(DEVICE, "XY", 30.0))
    assert [row.tenant for row in rows(house.ledger, schema.device_lease)] == ["amt-b"]


def test_devices_of_the_same_name_at_two_computers_are_two(house: House) -> None:
    for machine in ("pc-1", "pc-2"):
        at(house, station=None, machine=machine).lease(LOCAL, "KL", 30.0)
    for tenant in ("default", "amt-b"):
        at(house, tenant, station="platz-3", machine="server").lease(LOCAL, "KL", 30.0)
    assert len(rows(house.ledger, schema.device_lease)) == 4


def test_a_device_that_the_house_did_not_hold_is_an_anomaly_of_the_stack(
    house: House, tmp_path: Path
) -> None:
    desk, said = at(house, station=None, machine="pc-1"), opening(station=None)
    desk.open(said)
    pages = [page(tmp_path, number) for number in (1, 2)]
    for each in pages:
        desk.append(said.key, each)
    desk.close(said.key, closing(*pages, unheld_at=(NOON,)))
    (batch,) = rows(house.ledger, schema.batch)
    (anomaly,) = batch.facts["scanned"]["anomalies"]
    assert (anomaly["kind"], anomaly["since"]) == ("lease_lost", [NOON.isoformat()])
    assert "nicht im Haus reserviert" in anomaly["text"]
