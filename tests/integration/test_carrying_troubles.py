"""Stacks that somebody else carries, that the house stumbles over, or that do not go from here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import clock
from scanners.stack.faults import HouseFailed
from scanners.stack.journal import Journal
from scanners.stack.transmission import Carriage, Transmission
from tests.plugins.escl_device import EsclDevice, serving
from tests.plugins.file_house import FileHouse
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
    desk.house.faults["close"] = [RuntimeError("nobody thought of this")]
    with desk.open_house():
        desk.feed(1)
        said = desk.scan(code=3)
        assert "unerwarteter Fehler" in said[-1]["operator_text"]
        [bad] = desk.stacks
        desk.feed(2)
        desk.scan()
        assert [each.key for each in desk.stacks] == [bad.key]
        shown = desk.said("status", code=3)
        assert [each["code"] for each in shown if each["message_type"] == "stack"] == ["internal"]
        desk.said("retry")
    assert desk.stacks == []
