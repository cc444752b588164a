"""Pages that a scan left on this machine stand in the list of arrivals before anybody carries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.ledger import Ledger
from ingest.store import FolderStore
from scanners.direct import DirectHouse, Workplace
from scanners.direct.ending import close_by_house
from scanners.stack.journal import Journal
from scanners.stack.transmission import Transmission
from tests.plugins import stations
from tests.plugins.emptied import lay_empty_ledger
from tests.plugins.house import House

SINCE = "2026-03-02T13:00:00+01:00"


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    lay_empty_ledger(made.data / "ledger.sqlite")
    return made


@pytest.fixture
def ledger(house: House) -> Iterator[Ledger]:
    opened = house.ledger()
    yield opened
    opened.close()


def home(house: House) -> Path:
    return house.data / "scanning" / "default"


def left(house: House, pages: int = 3) -> Journal:
    """Return a stack whose scan was killed in mid run."""
    journal = Journal.begin(home(house), stations.opening(operator="AB", station=None))
    spool = journal.new_spool().folder
    journal.note_device_held(by_house=True)
    for number in range(1, pages + 1):
        journal.note_page(stations.page(spool, number))
    return journal


def desk(house: House, ledger: Ledger) -> DirectHouse:
    return DirectHouse(ledger, FolderStore(house.data / "store"), Workplace(tenant="default"))


def files(house: House) -> dict[Path, bytes]:
    return {each: each.read_bytes() for each in home(house).rglob("*") if each.is_file()}


def listed(house: House) -> dict[str, Any]:
    (record,) = (row for row in house.told("list") if row["message_type"] == "unaccepted")
    return record


def test_what_a_killed_scan_left_is_listed_with_how_much_since_when_and_what_to_do(
    house: House,
) -> None:
    journal = left(house)
    before = files(house)
    record = listed(house)
    assert (record["tenant"], record["stack"], record["id"]) == ("default", journal.key, None)
    assert (record["pages"], record["sheets"]) == (3, 2)
    assert (record["reason_code"], record["first_seen_at"]) == ("not_carried", SINCE)
    acts = ("»run«", f"»scan --close {journal.key}«", f"»erase {journal.key}«")
    for told in ("3 Seiten (2 Blätter)", "Gescannt ab 02.03.2026 13:00", *acts):
        assert told in record["reason"]
    assert record["reason"] in house.call("list")
    assert record["reason"] in house.call("status")
    assert record["reason"] in house.call("status", "--day")
    for words in (("status",), ("status", "--day")):
        (said,) = house.told(*words)
        assert [each["stack"] for each in said["scanned_here"]] == [journal.key]
    assert house.told("list", "--tenant", "anderswo") == []
    assert house.told("list", "--review") == []
    assert files(house) == before


def test_of_a_stack_that_the_ledger_has_in_part_the_rest_is_listed(
    house: House, ledger: Ledger
) -> None:
    journal, there = left(house, 2), desk(house, ledger)
    Transmission(home(house), there).carry_all()
    assert [row["message_type"] for row in house.told("list")] == ["batch"]
    journal.note_page(stations.page(journal.new_spool().folder, 3))
    record = listed(house)
    assert (record["pages"], record["sheets"]) == (1, 1)
    assert record["batch"] == there.state(journal.key).batch_id
    Transmission(home(house), there).carry_all()
    journal.note_closing(stations.closing(*journal.pages.values()))
    record = listed(house)
    assert (record["pages"], record["first_seen_at"]) == (0, SINCE)
    assert "sein Abschluss noch nicht" in record["reason"]
    house.call("scan", "--close", journal.key, "--operator", "AB")
    assert [row["stage"] for row in house.told("list")] == ["received"]


@pytest.mark.parametrize(
    ("role", "code", "said"),
    [("scanning", "scanning", "Wird gerade gescannt"), ("carrying", "carrying", "übertragen")],
)
def test_what_somebody_is_at_work_on_is_not_listed_as_left_behind(
    house: House, role: str, code: str, said: str
) -> None:
    journal = left(house)
    with getattr(journal, role)():
        record = listed(house)
    assert record["reason_code"] == code
    assert said in record["reason"]
    assert "Es ist nichts zu tun" in record["reason"]
    assert listed(house)["reason_code"] == "not_carried"


def test_a_stack_that_waits_for_a_person_or_cannot_be_read_is_named(house: House) -> None:
    journal, damaged = left(house), left(house)
    journal.note_refused("page_missing", "Die Datei der Seite 1 fehlt.")
    (damaged.folder / "pages.jsonl").write_bytes(b"xx\n{}\n")
    refused, unread = house.told("list")
    assert (refused["reason_code"], unread["reason_code"]) == ("page_missing", "journal_damaged")
    assert "Die Datei der Seite 1 fehlt." in refused["reason"]
    assert (unread["stack"], unread["pages"], unread["sheets"]) == (damaged.key, None, None)
    assert "pages.jsonl" in unread["reason"]


def test_what_came_too_late_for_its_stack_is_listed_and_can_be_erased_alone(
    house: House, ledger: Ledger
) -> None:
    journal, there = left(house, 2), desk(house, ledger)
    Transmission(home(house), there).carry_all()
    id_ = there.state(journal.key).batch_id
    store = FolderStore(house.data / "store")
    close_by_house(ledger, store, id_, by="LTG", reason="Rechner verloren")
    journal.note_page(stations.page(journal.new_spool().folder, 3))
    record = listed(house)
    assert (record["reason_code"], record["batch"]) == ("stack_closed", id_)
    assert "ohne die Seiten 3 (Blatt 2)" in record["reason"]
    more = house._run(("scan", "--append", journal.key, "--operator", "AB"), "")
    assert more.return_value == 3
    assert "schon abgeschlossen; es wurde kein Blatt eingezogen" in more.stderr
    ended = house._run(("scan", "--close", journal.key, "--operator", "AB"), "")
    assert ended.return_value == 3
    assert "ohne die Seiten 3 (Blatt 2)" in ended.stderr
    assert "angenommen" not in ended.stdout
    why = ("--operator", "AB", "--reason", "doppelt gescannt")
    house.call("erase", journal.key, *why, "--yes")
    assert not journal.folder.exists()
    assert [row["id"] for row in house.told("list")] == [id_]
