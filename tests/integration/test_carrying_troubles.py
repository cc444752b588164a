"""Stacks that somebody else carries, that the house stumbles over, or that do not go from here."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest import clock
from scanners.device import SpoolFull
from scanners.device.durable import write_whole
from scanners.drivers import Drivers
from scanners.stack.desk import Desk
from scanners.stack.faults import HouseFailed
from scanners.stack.journal import Journal, journals
from scanners.stack.locking import held
from scanners.stack.shelf import REMOVED, clear, lock_of, mark_removed, sweep
from scanners.stack.transmission import Carriage, Transmission
from tests.plugins.disks import no_file_above
from tests.plugins.escl_device import EsclDevice, serving
from tests.plugins.escl_pages import picture
from tests.plugins.file_house import FileHouse, away
from tests.plugins.stack_pages import closing, opening, page
from tests.plugins.station_desk import StationDesk, desk_at


def stack(home: Path, pages: int = 2) -> Journal:
    """A stack that waits to be received."""
    journal = Journal.begin(home, opening())
    spool = journal.new_spool()
    for number in range(1, pages + 1):
        journal.note_page(page(spool, number))
    journal.note_closing(closing(journal.pages, []))
    return journal


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def house(tmp_path: Path) -> FileHouse:
    return FileHouse(tmp_path / "house")


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[StationDesk]:
    with serving(EsclDevice()) as device:
        yield desk_at(tmp_path, device, capsys)


@pytest.mark.parametrize("call", ["open", "append", "close"])
def test_a_stack_that_the_house_stumbles_over_is_tried_later_and_the_others_go_on(
    home: Path, house: FileHouse, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    bad, good = stack(home), stack(home)
    house.faults[call] = [HouseFailed("bug", operator_text="Unerwartet.")]
    said: list[Carriage] = []
    transmission = Transmission(home, house, tell=said.append)
    transmission.carry_all()
    assert house.log(good.key)[-1] == "closed"
    found = bad.set_aside
    assert found is not None
    assert (found.code, found.operator_text) == ("internal", "Unerwartet.")
    assert said[-1].kind == "closed"
    assert "refused" in [each.kind for each in said if each.key == bad.key]
    transmission.carry_all()
    assert bad.set_aside is not None
    later = clock.now() + dt.timedelta(minutes=11)
    monkeypatch.setattr(clock, "now", lambda: later)
    transmission.carry_all()
    assert house.log(bad.key)[-1] == "closed"
    assert not bad.folder.exists()


def test_a_house_that_stumbles_when_asked_for_a_stack_does_not_put_off_the_next_try(
    home: Path, house: FileHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = stack(home)
    bad.note_refused("internal", "Unerwartet.")
    since = bad.set_aside

    def stumbling(_: str) -> None:
        raise HouseFailed("bug", operator_text="Unerwartet.")

    monkeypatch.setattr(house, "state", stumbling)
    Transmission(home, house).carry_all()
    assert bad.set_aside == since


def test_people_at_the_station_are_told_of_a_stack_that_the_house_stumbled_over(
    desk: StationDesk,
) -> None:
    desk.paired()
    desk.house.faults["close"] = [HouseFailed("bug", operator_text="Ein unerwarteter Fehler.")]
    with desk.open_house():
        desk.feed(1)
        said = desk.scan(code=3)
        assert "unerwarteter Fehler" in said[-1]["operator_text"]
        [bad] = desk.stacks
        desk.feed(2)
        times = [each["finished_at"] for each in desk.scan() if each.get("event") == "page"]
        assert [dt.datetime.fromisoformat(each).isoformat() for each in times] == times
        assert [each.key for each in desk.stacks] == [bad.key]
        shown = desk.said("status", code=3)
        assert [each["code"] for each in shown if each["message_type"] == "stack"] == ["internal"]
        desk.said("retry")
    assert desk.stacks == []


def test_a_stack_that_another_process_carries_is_waited_for(home: Path, house: FileHouse) -> None:
    journal, waited = stack(home), list[float]()
    with contextlib.ExitStack() as other:

        def wait(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 2:
                other.close()

        other.enter_context(held(lock_of(home, journal.key, "carry")))
        outcome = Desk(home, Drivers([]), house, wait=wait).close(journal, None)
    assert len(waited) == 2
    assert (outcome.is_closed, outcome.operator_text) == (True, "")
    assert not journal.folder.exists()


def test_a_stack_that_another_process_does_not_get_on_with_is_not_said_to_be_received(
    home: Path, house: FileHouse
) -> None:
    journal, waited = stack(home), list[float]()
    with held(lock_of(home, journal.key, "carry")):
        outcome = Desk(home, Drivers([]), house, wait=waited.append).close(journal, None)
    assert 30 <= sum(waited) <= 60
    assert (outcome.is_closed, outcome.pages) == (False, 2)
    assert "noch nicht angenommen" in outcome.operator_text


def test_a_house_that_is_away_is_not_waited_for(home: Path, house: FileHouse) -> None:
    waited = list[float]()
    house.faults["open"] = [away() for _ in range(9)]
    outcome = Desk(home, Drivers([]), house, wait=waited.append).close(stack(home), None)
    assert (outcome.is_closed, outcome.operator_text) == (False, away().operator_text)
    assert waited == []


def test_what_a_file_manager_laid_into_a_stack_goes_with_it(home: Path, house: FileHouse) -> None:
    journal = stack(home)
    (journal.folder / "Thumbs.db").write_bytes(b"pictures of letters")
    (journal.folder / "Notizen").mkdir()
    assert Desk(home, Drivers([]), house).close(journal, None).is_closed
    assert list((home / "stacks").iterdir()) == []


def test_two_processes_that_clear_one_stack_do_not_stumble(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, removed = stack(home).folder, shutil.rmtree
    mark_removed(folder)

    def overtaken(path: Path, **said: Any) -> None:
        removed(path, **said)
        with monkeypatch.context() as other:
            other.setattr(shutil, "rmtree", removed)
            clear(folder)

    monkeypatch.setattr(shutil, "rmtree", overtaken)
    clear(folder)
    assert not folder.exists()
    clear(folder)


def test_a_file_that_cannot_be_removed_now_stops_nobody_and_goes_later(
    home: Path, house: FileHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, unlink = stack(home), Path.unlink
    locked = journal.folder / "Thumbs.db"
    locked.write_bytes(b"pictures of letters")

    def refused(path: Path, missing_ok: bool = False) -> None:  # as Windows does
        if path == locked:
            raise PermissionError(13, "in use")
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refused)
        assert Desk(home, Drivers([]), house).close(journal, None).is_closed
        sweep(home / "stacks")
        other = Journal.begin(home, opening())
    assert sorted(path.name for path in journal.folder.iterdir()) == ["Thumbs.db", REMOVED]
    assert [each.key for each in journals(home)] == [other.key]
    sweep(home / "stacks")
    assert not journal.folder.exists()


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    write_whole(tmp_path / "known", b"before")
    with no_file_above(3), pytest.raises(SpoolFull, match="no room for known"):
        write_whole(tmp_path / "known", b"after that")
    assert [path.name for path in tmp_path.iterdir()] == ["known"]
    assert (tmp_path / "known").read_bytes() == b"before"


def test_a_disk_that_is_full_when_the_stack_begins_is_said_and_keeps_nothing(
    desk: StationDesk,
) -> None:
    desk.paired()
    desk.device.pages = [picture(1, (16, 16))]
    with no_file_above(800):
        said = desk.scan("--storage-place", "R" * 200, code=3)
    assert said[-1]["code"] == "spool_full"
    assert "nichts gesichert" in said[-1]["operator_text"]
    assert list((desk.home / "stacks").iterdir()) == []
