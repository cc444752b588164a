"""Stacks that leave a workstation, or stay for a person, otherwise than by being received."""

from __future__ import annotations

import errno
import io
import os
import socket
import uuid
from pathlib import Path

import pytest
from typing_extensions import override

from scanners.stack import StackPage, StackState
from scanners.stack.journal import Journal, damaged
from scanners.stack.shelf import JournalDamaged
from scanners.stack.transmission import Carriage, Transmission
from scanners.station.house import HttpHouse
from tests.plugins.file_house import FileHouse
from tests.plugins.stack_pages import closing, opening, page


def stack(home: Path, pages: int = 2, *, closed: bool = False) -> Journal:
    journal = Journal.begin(home, opening())
    spool = journal.new_spool()
    for number in range(1, pages + 1):
        journal.note_page(page(spool, number))
    if closed:
        journal.note_closing(closing(journal.pages, []))
    return journal


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


class FaultyDisk(FileHouse):
    """Its way to the pages is right; the disk that they lie on is not, for some."""

    bad = ""

    @override
    def append(self, key: str, page: StackPage) -> bool:
        if key == self.bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().append(key, page)


@pytest.fixture
def house(tmp_path: Path) -> FaultyDisk:
    return FaultyDisk(tmp_path / "house")


@pytest.fixture
def said() -> list[Carriage]:
    return []


@pytest.fixture
def transmission(home: Path, house: FileHouse, said: list[Carriage]) -> Transmission:
    return Transmission(home, house, tell=said.append)


def test_a_page_that_cannot_be_read_sets_its_stack_aside_and_the_others_go_on(
    home: Path, house: FaultyDisk, said: list[Carriage]
) -> None:
    bad, good = stack(home, closed=True), stack(home, closed=True)
    house.bad = bad.key
    Transmission(home, house, tell=said.append).run(until=good.key)
    assert house.log(good.key)[-1] == "closed"
    found = bad.set_aside
    assert found is not None
    assert found.code == "page_unreadable"
    assert "Blatt 1 neu scannen" in found.operator_text
    assert [each.kind for each in said if each.key == bad.key] == ["opened", "refused"]


class Unreadable(io.BytesIO):
    """A file whose disk fails."""

    @override
    def read(self, size: int | None = -1) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_page_that_cannot_be_read_while_it_is_sent_is_no_house_that_is_away(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = stack(home, 1)
    first = journal.pages[1]
    file = Unreadable(bytes(first.page.size))
    monkeypatch.setattr(type(first.page.path), "open", lambda *_: file)
    with socket.create_server(("127.0.0.1", 0)) as server:
        house = HttpHouse(f"http://127.0.0.1:{server.getsockname()[1]}", "t" * 30)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            house.append(journal.key, first)


@pytest.mark.parametrize("state", ["open", "waiting", "set aside", "closed"])
def test_a_stack_that_the_house_gave_up_leaves_no_page_here(
    home: Path, house: FaultyDisk, transmission: Transmission, said: list[Carriage], state: str
) -> None:
    journal = stack(home)
    transmission.carry_all()
    house.discard(journal.key)
    if state == "waiting":
        journal.note_page(page(journal.new_spool(), 3))
    elif state == "set aside":
        journal.note_refused("page_missing", "Seite fehlt.")
    elif state == "closed":
        journal.note_closing(closing(journal.pages, []))
    said.clear()
    Transmission(home, house, tell=said.append).carry_all()
    assert not journal.folder.exists()
    assert list((home / "locks").iterdir()) == []
    (told,) = said
    assert (told.kind, told.key) == ("discarded", journal.key)
    assert "verworfen" in told.operator_text


def test_a_stack_given_up_between_two_pages_is_dropped_at_the_next(
    home: Path, house: FaultyDisk, transmission: Transmission, said: list[Carriage]
) -> None:
    journal = stack(home)
    transmission.carry_all()
    house.discard(journal.key)
    journal.note_page(page(journal.new_spool(), 3))
    transmission.carry_all()
    assert said[-1].kind == "discarded"
    assert not journal.folder.exists()


def test_a_stack_is_not_removed_from_under_whoever_scans_it(
    home: Path, house: FaultyDisk, transmission: Transmission
) -> None:
    journal = stack(home)
    transmission.carry_all()
    house.discard(journal.key)
    with journal.scanning():
        Transmission(home, house).carry_all()
        journal.note_page(page(journal.new_spool(), 3))
    assert len(journal.pages) == 3
    Transmission(home, house).carry_all()
    assert not journal.folder.exists()


def test_a_stack_that_the_house_ended_with_the_same_pages_is_done_here_too(
    home: Path, house: FaultyDisk, transmission: Transmission, said: list[Carriage]
) -> None:
    journal, longer = stack(home), stack(home)
    transmission.carry_all()
    for each in (journal, longer):
        house.close(each.key, closing(each.pages, []))
    longer.note_page(page(longer.new_spool(), 3))
    Transmission(home, house, tell=said.append).carry_all()
    assert not journal.folder.exists()
    found = longer.set_aside
    assert found is not None
    assert found.code == "stack_closed"


def test_a_house_is_not_asked_all_day_for_stacks_that_wait(
    home: Path, house: FaultyDisk, transmission: Transmission, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack(home)
    asked: list[str] = []
    known = FileHouse.state

    def noted(self: FileHouse, key: str) -> StackState:
        asked.append(key)
        return known(self, key)

    monkeypatch.setattr(FileHouse, "state", noted)
    transmission.carry_all()
    asked.clear()
    for _ in range(5):
        transmission.carry_all()
    assert len(asked) == 1


def test_a_journal_that_cannot_be_read_is_named_in_german(home: Path) -> None:
    journal = stack(home)
    lines = journal.folder / "pages.jsonl"
    lines.write_bytes(b"xx\n" + lines.read_bytes())
    unreadable = stack(home)
    (unreadable.folder / "taken.jsonl").unlink()
    (unreadable.folder / "taken.jsonl").mkdir()
    texts = {error.operator_text.split(" ist beschädigt ")[1][:22] for error in damaged(home)}
    assert texts == {"(Datei pages.jsonl). D", "(Datei taken.jsonl). D"}
    with pytest.raises(JournalDamaged, match="line at byte 0"):
        Journal.open(home, journal.key)


def test_what_a_kill_before_the_first_page_left_is_cleared_when_nobody_can_use_it(
    home: Path,
) -> None:
    left, fresh = (home / "stacks" / str(uuid.uuid4()) for _ in range(2))
    for folder in (left, fresh):
        run = folder / "spool" / "0001"
        run.mkdir(parents=True)
        (run / "000001.part").write_bytes(b"half a page")
        if folder is left:
            for path in (run / "000001.part", run, run.parent, folder):
                os.utime(path, (0, 0))
    stack(home)
    assert not left.exists()
    assert (fresh / "spool" / "0001" / "000001.part").exists()
