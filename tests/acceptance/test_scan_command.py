"""`scan` at the machine of the ledger, with a network scanner that speaks eSCL over real HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.ledger import Ledger, schema
from scanners.direct import DirectHouse, Workplace
from scanners.stack.journal import Journal
from scanners.stack.reserving import LEASE_SECONDS
from tests.plugins import stations
from tests.plugins.escl_device import EsclDevice, serving
from tests.plugins.escl_pages import picture
from tests.plugins.house import House
from tests.plugins.installation import wait_until
from tests.plugins.ledgers import broken, rows

_SMALL = (413, 585)


@pytest.fixture(scope="module")
def sides() -> list[bytes]:
    return [picture(number, _SMALL) for number in range(1, 13)]


@pytest.fixture
def device(sides: list[bytes]) -> Iterator[EsclDevice]:
    with serving(EsclDevice(pages=sides[:6])) as served:
        yield served


@pytest.fixture
def house(device: EsclDevice, tmp_path: Path) -> House:
    more = (
        f'[scanners.escl.adf]\nurl = "{device.url}"\n'
        "[scanners.sane]\nenabled = false\n[scanners.twain]\nenabled = false\n"
    )
    return House(tmp_path, more)


@pytest.fixture
def ledger(house: House) -> Iterator[Ledger]:
    house.call("check")
    opened = house.ledger()
    yield opened
    opened.close()


def scan(house: House, *words: str) -> list[dict[str, Any]]:
    return house.told("scan", "--device", "escl:adf", "--operator", "AB", *words)


def refill(device: EsclDevice, pages: list[bytes]) -> None:
    device.trouble, device.feeder, device.pages = {}, "ScannerAdfLoaded", pages


def batches(house: House) -> list[dict[str, Any]]:
    return [row for row in house.told("list") if row["message_type"] == "batch"]


def scanned(ledger: Ledger) -> dict[str, Any]:
    (batch,) = rows(ledger, schema.batch)
    found: dict[str, Any] = batch.facts["scanned"]
    return found


def digests(ledger: Ledger) -> list[str]:
    return [row.sha256 for row in rows(ledger, schema.batch_source)]


def test_sheets_are_counted_as_they_come_and_the_stack_is_a_batch(
    house: House, ledger: Ledger, device: EsclDevice
) -> None:
    told = scan(house, "--received-at", "2026-11-20", "--expected-sheets", "3")
    pages = [event for event in told if event["event"] == "page"]
    assert [(e["sheet"], e["side"]) for e in pages] == [
        (sheet, side) for sheet in (1, 2, 3) for side in ("front", "back")
    ]
    ended = told[-1]
    assert (ended["event"], ended["sheets"], ended["pages"], ended["is_closed"]) == (
        ("ended", 3, 6, True)
    )
    (batch,) = batches(house)
    assert batch["id"] == ended["batch_id"]
    assert (batch["stage"], batch["channel"], batch["operator"]) == ("received", "scanner", "AB")
    (row,) = rows(ledger, schema.batch)
    assert row.device == "Werkbank Papierlos 3000 Nr. WB-0001"
    assert (row.sides, row.expected_sheets) == ("duplex", 3)
    found = scanned(ledger)
    assert (found["sheets"], found["interruptions"], found["replaced"]) == (3, [], [])
    assert found["device"]["serial"] == "WB-0001"
    assert found["settings"]["dpi"] == 300
    assert found["anomalies"] == []
    assert {name for name, made in found["effective"].items() if made["requested"] == 300}
    assert broken(ledger) == []
    assert list((house.data / "scanning" / "default" / "stacks").iterdir()) == []
    assert device.jobs[0].deleted


def test_the_manifest_of_the_stack_is_kept_with_every_page_of_it(
    house: House, ledger: Ledger, tmp_path: Path
) -> None:
    batch = scan(house)[-1]["batch_id"]
    target = tmp_path / "stapel.json"
    house.call("export", batch, "--what", "manifest", "-o", str(target))
    said = json.loads(target.read_text("utf-8"))
    assert [page["sha256"] for page in said["pages"]] == digests(ledger)
    assert all(page["facts"]["finished_at"] for page in said["pages"])
    assert {page["facts"]["device"]["serial"] for page in said["pages"]} == {"WB-0001"}
    assert said["opening"]["device"]["model"] == "Papierlos 3000"
    assert said["closing"]["sheets"] == 3


def test_fewer_sheets_than_counted_by_hand_are_said_at_once(house: House, ledger: Ledger) -> None:
    result = house._run(("scan", "--device", "escl:adf", "--expected-sheets", "4"), "")
    assert result.return_value == 3
    assert "Gezählt waren 4 Blätter" in result.stderr


def test_a_jam_keeps_what_was_scanned_and_the_stack_goes_on_after_the_last_whole_sheet(
    house: House, ledger: Ledger, device: EsclDevice, sides: list[bytes]
) -> None:
    device.trouble = {4: "jam"}
    told = scan(house)
    stopped = next(event for event in told if event["event"] == "interrupted")
    assert (stopped["after_sheet"], stopped["code"]) == (1, "feeder_jam")
    assert told[-1]["operator_text"].startswith("Papierstau")
    (stack,) = batches(house)
    assert (stack["stage"], stack["standing"], stack["pages"]) == ("open", "waiting", 3)
    assert rows(ledger, schema.batch) == []
    refill(device, sides[6:10])
    told = scan(house, "--append", stack["id"])
    assert told[-1]["is_closed"]
    found = scanned(ledger)
    assert [(i["after_sheet"], i["code"]) for i in found["interruptions"]] == [(1, "feeder_jam")]
    assert [(page["number"], page["attempts"]) for page in found["replaced"]] == [(3, 2)]
    (batch,) = batches(house)
    assert batch["id"] == stack["id"]
    assert len(batch["sources"]) == 6
    assert broken(ledger) == []


def test_single_sheets_are_scanned_again_in_their_place(
    house: House, ledger: Ledger, device: EsclDevice, sides: list[bytes]
) -> None:
    scan(house, "--keep-open")
    (stack,) = batches(house)
    before = [source["sha256"] for source in stack["sources"]]
    refill(device, sides[6:8])
    told = scan(house, "--append", stack["id"], "--rescan", "2")
    assert [e["sheet"] for e in told if e["event"] == "page"] == [2, 2]
    house.call("scan", "--close", stack["id"], "--operator", "CD")
    after = digests(ledger)
    assert [place for place in range(6) if before[place] != after[place]] == [2, 3]
    found = scanned(ledger)
    assert [page["number"] for page in found["replaced"]] == [3, 4]
    assert found["closed_by"] == "CD"


def test_more_sheets_may_be_added_to_a_stack_that_is_kept_open(
    house: House, ledger: Ledger, device: EsclDevice, sides: list[bytes]
) -> None:
    scan(house, "--keep-open")
    (stack,) = batches(house)
    refill(device, sides[6:8])
    told = house.told("scan", "--append", stack["id"], "--operator", "CD")
    assert (told[-1]["sheets"], told[-1]["is_closed"]) == (4, True)
    assert scanned(ledger)["operators"] == ["AB", "CD"]


def test_sheets_that_are_not_there_cannot_be_scanned_again(house: House, ledger: Ledger) -> None:
    scan(house, "--keep-open")
    (stack,) = batches(house)
    text = house.refuse("scan", "--append", stack["id"], "--rescan", "7")
    assert "7" in text


def test_an_empty_feeder_leaves_nothing_behind(
    house: House, ledger: Ledger, device: EsclDevice
) -> None:
    device.pages, device.feeder = [], "ScannerAdfEmpty"
    told = scan(house)
    assert told[-1]["code"] == "feeder_empty"
    assert batches(house) == []
    assert rows(ledger, schema.stack) == []
    assert list((house.data / "scanning" / "default" / "stacks").iterdir()) == []


def test_a_stack_that_is_given_up_leaves_no_page_behind(
    house: House, ledger: Ledger, device: EsclDevice
) -> None:
    scan(house, "--keep-open")
    (stack,) = batches(house)
    said = house.call("erase", stack["id"], "--operator", "AB", "--reason", "Irrläufer", "--yes")
    assert "6 Seiten, 6 Dateien gelöscht" in said
    assert list((house.data / "scanning" / "default" / "stacks").iterdir()) == []
    assert batches(house) == []
    assert rows(ledger, schema.stack_page) == rows(ledger, schema.blob) == []
    kept = [path for path in (house.data / "store").rglob("*") if len(path.name) == 64]
    assert kept == []
    assert broken(ledger) == []


def test_what_is_not_there_is_named_with_the_remedy(house: House, ledger: Ledger) -> None:
    told = house.told("scan", "--device", "escl:gibtsnicht")
    assert "list-devices" in told[-1]["operator_text"] or "Gerät" in told[-1]["operator_text"]
    text = house.refuse("scan", "--device", "escl:adf", "--profile", "gibtsnicht")
    assert "posteingang" in text
    assert "--device" in house.refuse("scan")
    assert "list" in house.refuse("scan", "--append", "abcdef12")


def test_two_operators_on_one_device_are_kept_apart(
    house: House, ledger: Ledger, device: EsclDevice
) -> None:
    from ingest.store import FolderStore
    from scanners.device import Device

    other = DirectHouse(
        ledger, FolderStore(house.data / "store"), Workplace(tenant="default", station="platz-9")
    )
    same = Device(id="", driver="escl", vendor="", model="", serial="WB-0001")
    lease = other.lease(same, "XY", LEASE_SECONDS)
    told = scan(house)
    assert told[-1]["code"] == "device_busy"
    assert "platz-9" in told[-1]["operator_text"]
    assert device.jobs == []
    other.give_back(lease)
    assert scan(house)[-1]["is_closed"]


def test_the_devices_of_the_list_are_named_and_those_that_are_away_too(
    house: House, device: EsclDevice
) -> None:
    text = house.config.read_text("utf-8")
    gone = '[scanners.escl.keller]\nurl = "http://127.0.0.1:9/eSCL"\n'
    house.config.write_text(text + gone, "utf-8")
    told = house.told("list-devices")
    assert [(row["message_type"], row["device"]) for row in told] == [
        ("device", "escl:adf"),
        ("silent", "escl:keller"),
    ]
    assert told[0]["serial"] == "WB-0001"


def test_a_scan_killed_in_mid_stack_goes_on_where_it_was(
    house: House, ledger: Ledger, device: EsclDevice, sides: list[bytes]
) -> None:
    device.trouble = {4: "hang"}
    place = ["--data", str(house.data), "--config", str(house.config)]
    words = ["scan", "--device", "escl:adf", "--operator", "AB", "--json"]
    command = [sys.executable, "-m", "ingest", *place, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        wait_until(lambda: len(rows(ledger, schema.stack_page)) == 3, "three pages")
        os.kill(process.pid, signal.SIGKILL)
    (stack,) = batches(house)
    assert (stack["stage"], stack["pages"]) == ("open", 3)
    refill(device, sides[6:10])
    told = scan(house, "--append", stack["id"])
    assert (told[-1]["pages"], told[-1]["is_closed"]) == (6, True)
    assert broken(ledger) == []


def test_what_a_killed_scan_left_on_this_machine_is_taken_in_by_whoever_watches(
    house: House, ledger: Ledger
) -> None:
    said = stations.opening(operator="AB", station=None)
    journal = Journal.begin(house.data / "scanning" / "default", said)
    spool = journal.new_spool().folder
    for number in (1, 2):
        journal.note_page(stations.page(spool, number))
    place = ["--data", str(house.data), "--config", str(house.config)]
    with subprocess.Popen([sys.executable, "-m", "ingest", *place, "watch"]) as process:
        wait_until(lambda: len(rows(ledger, schema.stack_page)) == 2, "both pages")
        process.terminate()
    (stack,) = batches(house)
    assert (stack["stage"], stack["pages"]) == ("open", 2)


def test_on_a_terminal_the_sheets_are_counted_in_one_picture(house: House, ledger: Ledger) -> None:
    place = ["--data", str(house.data), "--config", str(house.config)]
    words = ["scan", "--device", "escl:adf", "--operator", "AB", "--expected-sheets", "3"]
    above, below = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "ingest", *place, *words], stdout=below, stderr=below
    ) as process:
        os.close(below)
        seen = b""
        with contextlib.suppress(OSError):  # how a terminal ends
            while piece := os.read(above, 4096):
                seen += piece
    os.close(above)
    assert process.returncode == 0
    shown = seen.decode()
    assert "Werkbank Papierlos 3000" in shown
    assert "3 von 3" in shown
    assert "6, davon angenommen 6" in shown
    assert "3 Blätter, 6 Seiten, angenommen." in shown
