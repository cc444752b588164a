"""Stacks get from the workstation to the house in order, once, whatever happens on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from typing_extensions import override

from scanners.stack import HouseFull
from scanners.stack.journal import Journal, journals
from scanners.stack.transmission import Carriage, Pause, Transmission
from tests.plugins.file_house import FileHouse, away, refused
from tests.plugins.stack_pages import closing, opening, page

ROOT = Path(__file__).parent.parent.parent


def stack(home: Path, pages: int = 3, *, closed: bool = True) -> Journal:
    journal = Journal.begin(home, opening())
    spool = journal.new_spool()
    for number in range(1, pages + 1):
        journal.note_page(page(spool, number))
    if closed:
        journal.note_closing(closing(journal.pages, []))
    return journal


def taken(pages: int) -> list[str]:
    return [f"{number} 1 new" for number in range(1, pages + 1)]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def house(tmp_path: Path) -> FileHouse:
    return FileHouse(tmp_path / "house")


@pytest.fixture
def said() -> list[Carriage]:
    return []


@pytest.fixture
def transmission(home: Path, house: FileHouse, said: list[Carriage]) -> Transmission:
    return Transmission(home, house, tell=said.append)


def test_a_stack_is_carried_in_order_and_leaves_when_the_house_has_it(
    home: Path, house: FileHouse, transmission: Transmission, said: list[Carriage]
) -> None:
    journal = stack(home)
    transmission.carry_all()
    assert house.log(journal.key) == [*taken(3), "closed"]
    assert not journal.folder.exists()
    assert [(each.kind, each.taken) for each in said] == [
        ("opened", 0), ("page", 1), ("page", 2), ("page", 3), ("closed", 3),
    ]  # fmt: skip


def test_an_open_stack_is_carried_as_far_as_it_goes_and_stays(
    home: Path, house: FileHouse, transmission: Transmission
) -> None:
    journal = stack(home, 2, closed=False)
    transmission.carry_all()
    assert journal.untaken == []
    journal.note_page(page(journal.new_spool(), 3))
    transmission.carry_all()
    assert house.log() == taken(3)
    assert journal.folder.exists()
    assert house.calls["open"] == 1


def test_a_replaced_page_is_carried_in_its_second_attempt(
    home: Path, house: FileHouse, transmission: Transmission
) -> None:
    journal = stack(home, 2)
    house.faults["close"] = [away()]
    with pytest.raises(type(away())):
        transmission.carry_all()
    journal.note_page(page(journal.new_spool(), 1, attempt=2))
    transmission.carry_all()
    assert house.log() == [*taken(2), "1 2 new"]
    journal.note_closing(closing(journal.pages, []))
    transmission.carry_all()
    assert house.log()[-1] == "closed"


def test_hours_without_the_house_lose_nothing_and_keep_the_order(
    home: Path, house: FileHouse, said: list[Carriage]
) -> None:
    """Twenty failures in a row, in the midst of the first stack; then all three get in."""
    waits: list[float] = []

    class Unwaiting(Pause):
        @override
        def next(self, asked: float | None) -> float:
            waits.append(super().next(asked))
            return 0.0

    stacks = [stack(home, 2) for _ in range(3)]
    full = HouseFull("no room", operator_text="Kein Platz im Haus.")
    full.retry_after = 200.0
    house.faults["append"] = [None, *(away() for _ in range(20)), full]
    Transmission(home, house, tell=said.append, pause=Unwaiting(chance=lambda: 1.0)).run(
        until=stacks[-1].key
    )
    assert house.log() == [line for _ in stacks for line in [*taken(2), "closed"]]
    assert [line.key for line in said if line.kind == "closed"] == [each.key for each in stacks]
    assert waits[:20] == [1, 2, 4, 8, 16, 32, *[60] * 14]
    assert waits[20:] == [200]
    assert [each.kind for each in said if not each.key] == ["away", "back"]
    assert journals(home) == []


def test_waits_differ_between_stations() -> None:
    assert Pause(chance=lambda: 0.0).next(None) == 0.5
    assert Pause(chance=lambda: 1.0).next(None) == 1.0
    assert Pause(chance=lambda: 1.0).next(10_000) == 900


def test_a_refused_stack_is_set_aside_and_the_others_go_on(
    home: Path, house: FileHouse, transmission: Transmission, said: list[Carriage]
) -> None:
    first, second = stack(home), stack(home)
    house.faults["append"] = [refused("page_disagrees")]
    transmission.carry_all()
    assert house.log(second.key) == [*taken(3), "closed"]
    transmission.carry_all()
    assert house.log(first.key) == []
    found = Journal.open(home, first.key).set_aside
    assert found is not None
    assert (found.code, found.operator_text) == ("page_disagrees", "Abgelehnt: page_disagrees")
    assert said[1].operator_text == "Abgelehnt: page_disagrees"
    first.note_retried()
    transmission.carry_all()
    assert house.log(first.key) == [*taken(3), "closed"]


def test_a_token_that_is_refused_sets_no_stack_aside(
    home: Path, house: FileHouse, said: list[Carriage]
) -> None:
    journal = stack(home)

    class Corrected(Pause):
        @override
        def next(self, asked: float | None) -> float:
            assert asked == 60.0
            return 0.0

    house.faults["open"] = [refused("token_refused")]
    Transmission(home, house, tell=said.append, pause=Corrected()).run(until=journal.key)
    assert [each.kind for each in said][:2] == ["barred", "back"]
    assert house.log() == [*taken(3), "closed"]


def test_a_file_that_vanished_is_said_by_sheet(
    home: Path, house: FileHouse, transmission: Transmission
) -> None:
    journal = stack(home)
    journal.pages[2].page.path.unlink()
    transmission.carry_all()
    found = journal.set_aside
    assert found is not None
    assert "Blatt 2 neu scannen" in found.operator_text


def test_a_damaged_stack_does_not_stop_the_others(
    home: Path, house: FileHouse, transmission: Transmission
) -> None:
    broken, sound = stack(home), stack(home)
    (broken.folder / "stack.json").write_text("{}")
    transmission.carry_all()
    assert house.log(sound.key) == [*taken(3), "closed"]
    assert broken.folder.exists()


def test_nothing_is_closed_while_somebody_scans_the_stack(
    home: Path, house: FileHouse, transmission: Transmission
) -> None:
    journal = stack(home)
    with journal.scanning():
        transmission.carry_all()
    assert house.log() == taken(3)
    transmission.carry_all()
    assert house.log() == [*taken(3), "closed"]


def test_two_transmissions_of_one_home_carry_each_stack_once(home: Path, house: FileHouse) -> None:
    stacks = [stack(home) for _ in range(4)]
    both = [
        threading.Thread(target=Transmission(home, FileHouse(house.folder)).run,
                         kwargs={"until": stacks[-1].key})
        for _ in range(2)
    ]  # fmt: skip
    for each in both:
        each.start()
    for each in both:
        each.join()
    Transmission(home, house).carry_all()
    for journal in stacks:
        assert house.log(journal.key) == [*taken(3), "closed"]


def test_two_stations_at_once_keep_their_own_order(tmp_path: Path, house: FileHouse) -> None:
    homes = [tmp_path / name for name in ("north", "south")]
    stacks = [stack(each, 5) for each in homes]
    both = [
        threading.Thread(target=Transmission(each, FileHouse(house.folder)).carry_all)
        for each in homes
    ]
    for each in both:
        each.start()
    for each in both:
        each.join()
    for journal in stacks:
        assert house.log(journal.key) == [*taken(5), "closed"]


CARRY = """
import sys
from pathlib import Path
from scanners.stack.transmission import Transmission
from tests.plugins.file_house import FileHouse
home, house, call, number, moment = sys.argv[1:]
killing = (call, int(number), moment)
Transmission(Path(home), FileHouse(Path(house), killing=killing)).carry_all()
"""


@pytest.mark.parametrize(
    "killing",
    [("open", 1, "after"), ("append", 2, "before"), ("append", 2, "after"), ("close", 1, "after")],
    ids=str,
)  # fmt: skip
def test_a_transmission_that_is_killed_goes_on_with_nothing_twice(
    home: Path, house: FileHouse, transmission: Transmission, killing: tuple[str, int, str]
) -> None:
    journal = stack(home)
    call, number, moment = killing
    done = subprocess.run(
        [sys.executable, "-c", CARRY, str(home), str(house.folder), call, str(number), moment],
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    transmission.carry_all()
    log = house.log(journal.key)
    assert [line for line in log if line.endswith("new")] == taken(3)
    assert log[-1] == "closed"
    assert not journal.folder.exists()
