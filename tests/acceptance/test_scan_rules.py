"""What must not happen at a scanner: sheets twice, sheets mixed, another device's pages."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click import testing
from typing_extensions import override

from ingest.errors import UsageError
from ingest.ledger import Ledger, schema
from scanners.stack.journal import Journal, journals
from scanners.stack.locking import held
from tests.plugins import escl_device
from tests.plugins.escl_device import EsclDevice, serving
from tests.plugins.escl_pages import picture
from tests.plugins.house import House
from tests.plugins.ledgers import rows

SIDES = [picture(number, (207, 293)) for number in range(1, 13)]


@dataclass
class Room:
    """A house with two scanners."""

    house: House
    ledger: Ledger
    adf: EsclDevice
    other: EsclDevice

    def scan(self, *words: str) -> list[dict[str, Any]]:
        return self.house.told("scan", "--operator", "AB", *words)

    def begin(self, *words: str) -> list[dict[str, Any]]:
        return self.scan("--device", "escl:adf", *words)

    def feed(self, pages: list[bytes], trouble: dict[int, str] | None = None) -> None:
        self.adf.trouble, self.adf.feeder, self.adf.pages = trouble or {}, "ScannerAdfLoaded", pages

    def code(self, *words: str) -> tuple[int, str]:
        result = self.house._run(("scan", "--operator", "AB", *words), "")
        assert result.exception is None, result.exception
        return int(result.return_value), str(result.stderr)

    @property
    def stack(self) -> dict[str, Any]:
        (found,) = (row for row in self.house.told("list") if row["message_type"] == "batch")
        return found

    @property
    def scanned(self) -> dict[str, Any]:
        (batch,) = rows(self.ledger, schema.batch)
        found: dict[str, Any] = batch.facts["scanned"]
        return found

    @property
    def journal(self) -> Journal:
        (found,) = journals(self.house.data / "scanning" / "default")
        return found


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with (
        serving(EsclDevice(pages=SIDES[:6])) as adf,
        serving(EsclDevice(pages=SIDES[6:10], serial="WB-0002")) as other,
    ):
        house = House(
            tmp_path,
            f'[scanners.escl.adf]\nurl = "{adf.url}"\n[scanners.escl.other]\nurl = "{other.url}"\n'
            "[scanners.sane]\nenabled = false\n[scanners.twain]\nenabled = false\n",
        )
        house.call("check")
        ledger = house.ledger()
        yield Room(house, ledger, adf, other)
        ledger.close()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let somebody sit at standard input."""
    at = testing._NamedTextIOWrapper
    monkeypatch.setattr(at, "isatty", lambda stream: stream.name == "<stdin>", raising=False)


def test_a_stack_is_of_one_device(room: Room) -> None:
    room.begin("--keep-open")
    id_ = room.stack["id"]
    for more in ((), ("--rescan", "2")):
        told = room.scan("--append", id_, "--device", "escl:other", *more)
        assert told[-1]["code"] == "other_device"
        assert "WB-0001" in told[-1]["operator_text"]
    assert room.other.jobs == []
    assert len(room.stack["sources"]) == 6


def test_another_product_under_the_same_number_is_another_device(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.begin("--keep-open")
    told = escl_device._CAPABILITIES.replace("Papierlos 3000", "Papierlos 4000")
    monkeypatch.setattr(escl_device, "_CAPABILITIES", told)
    room.feed(SIDES[6:8])
    said = room.scan("--append", room.stack["id"])
    assert said[-1]["code"] == "other_device"
    assert len(room.adf.jobs) == 1


def test_the_list_and_the_command_say_with_which_sheet_a_stack_goes_on(room: Room) -> None:
    room.feed(SIDES[:6], {4: "jam"})
    told = room.begin()
    assert told[-1]["stack"] == room.stack["id"]
    assert "vollständig bis Blatt 1" in room.stack["reason"]
    room.feed(SIDES[6:10])
    text = room.house.refuse("scan", "--append", room.stack["id"], "--next-sheet", "1")
    assert "Blatt 2" in text
    assert len(room.adf.jobs) == 1
    told = room.scan("--append", room.stack["id"], "--next-sheet", "2")
    (said,) = (event for event in told if event["event"] == "continuing")
    assert said["after_sheet"] == 1
    assert told[-1]["is_closed"]


@pytest.mark.usefixtures("terminal")
def test_the_question_which_sheet_lies_on_top_is_asked_in_german(room: Room) -> None:
    room.begin("--keep-open")
    words = ("scan", "--append", room.stack["id"], "--operator", "AB", "--keep-open")
    refused = room.house._run(words, "vielleicht\nnein\n")
    assert isinstance(refused.exception, UsageError)
    assert "ab Blatt 4 einlegen" in refused.exception.operator_text
    assert "mit j (ja) oder n (nein) antworten" in refused.stderr
    assert len(room.adf.jobs) == 1
    room.feed(SIDES[6:8])
    taken = room.house._run(words, "ja\n")
    assert (taken.return_value, taken.stderr.count("obenauf")) == (0, 1)
    assert len(room.stack["sources"]) == 8


@pytest.mark.usefixtures("terminal")
def test_nothing_is_asked_where_a_program_reads(room: Room) -> None:
    room.begin("--keep-open")
    room.feed(SIDES[6:8])
    assert room.scan("--append", room.stack["id"])[-1]["is_closed"]


class Ending(threading.Event):
    """What a page that hangs waits for; meanwhile this process gets a signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    @override
    def wait(self, timeout: float | None = None) -> bool:
        os.kill(os.getpid(), self.number)
        return super().wait(timeout)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def ending(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that ends a process, and a failed test where nobody takes it."""

    def untaken(number: int, frame: object) -> None:
        raise AssertionError(number)

    before = signal.signal(request.param, untaken)
    yield request.param
    signal.signal(request.param, before)


def test_whatever_ends_a_scan_ends_the_job_of_the_device_too(
    room: Room, ending: signal.Signals
) -> None:
    room.feed(SIDES[:6], {4: "hang"})
    room.adf.released, before = Ending(ending), signal.getsignal(ending)
    code, said = room.code("--device", "escl:adf")
    room.adf.released.set()
    assert code == 130
    assert "wurde abgebrochen" in said
    assert room.adf.deleted == [room.adf.jobs[0].path]
    assert (room.stack["stage"], len(room.stack["sources"])) == ("open", 3)
    assert signal.getsignal(ending) is before


def test_a_scan_that_was_cut_off_is_recorded_as_an_interruption(room: Room) -> None:
    room.begin("--keep-open")
    path = room.journal.folder / "pages.jsonl"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    assert json.loads(lines[-1])["event"] == "run_ended"
    path.write_text("".join(lines[:-1]), "utf-8")  # killed before it could say so
    room.feed(SIDES[6:8])
    assert room.scan("--append", room.stack["id"])[-1]["is_closed"]
    (interruption,) = room.scanned["interruptions"]
    assert (interruption["code"], interruption["after_sheet"]) == ("cut_off", 3)


def test_a_jam_while_sheets_are_replaced_says_which_and_leaves_no_mixed_sheet(room: Room) -> None:
    room.begin("--keep-open")
    id_ = room.stack["id"]
    room.feed(SIDES[6:10], {4: "jam"})
    told = room.scan("--append", id_, "--rescan", "1,2")
    assert "Blatt 2" in told[-1]["operator_text"]
    assert "letzten gescannten Blatt" not in told[-1]["operator_text"]
    code, said = room.code("--close", id_)
    assert code == 3
    assert "Blatt 2" in said
    assert room.stack["stage"] == "open"
    room.feed(SIDES[8:10])
    room.scan("--append", id_, "--rescan", "2")
    marks = [page.page.facts.device for page in room.journal.pages.values()]
    assert [mark and mark.serial for mark in marks] == ["WB-0001"] * 6
    room.house.call("scan", "--close", id_)
    assert [page["number"] for page in room.scanned["replaced"]] == [1, 2, 3, 4]


@pytest.mark.parametrize("pages", [2, 6])
def test_fewer_or_more_sheets_than_were_to_be_replaced_need_a_person(
    room: Room, pages: int
) -> None:
    room.begin("--keep-open")
    room.feed(SIDES[6 : 6 + pages])
    assert room.code("--append", room.stack["id"], "--rescan", "1,2")[0] == 3


@pytest.mark.parametrize(
    "words",
    [
        ("--device", "escl:adf", "--rescan", "2"),
        ("--append", "abcdef", "--close", "abcdef"),
        ("--append", "abcdef", "--expected-sheets", "3"),
        ("--close", "abcdef", "--received-at", "2026-11-20"),
        ("--append", "abcdef", "--profile", "archiv"),
        ("--device", "escl:adf", "--next-sheet", "2"),
        ("--close", "abcdef", "--keep-open"),
    ],
    ids=" ".join,
)
def test_options_that_would_do_nothing_are_refused(room: Room, words: tuple[str, ...]) -> None:
    result = room.house._run(("scan", *words), "")
    assert type(result.exception).__name__ == "UsageError"
    assert "--" in str(result.exception)
    assert room.adf.jobs == []


def test_a_stack_in_use_is_left_alone(room: Room) -> None:
    room.begin("--keep-open")
    lock = room.house.data / "scanning" / "default" / "locks" / f"{room.journal.key}.scan"
    room.feed(SIDES[6:8])
    with held(lock):
        told = room.scan("--append", room.stack["id"])
    assert told[-1]["code"] == "stack_taken"
    assert len(room.adf.jobs) == 1


def test_whoever_signed_on_for_the_profile_of_the_stack_closes_it(room: Room) -> None:
    room.begin("--profile", "archiv", "--keep-open")
    room.house.call("shift", "begin", "--operator", "ZZ", "--inbox", "archiv")
    room.house.call("scan", "--close", room.stack["id"])
    assert room.scanned["closed_by"] == "ZZ"
