"""Stacks at a station that nobody wants, or that cannot be read, and buttons that go on."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanners.stack.locking import Held
from scanners.stack.shelf import JournalDamaged
from scanners.station.agent import Agent
from scanners.station.home import Home
from scanners.station.picture import Picture
from scanners.station.scanning import Workplace
from scanners.station.settings import Button
from tests.plugins.escl_device import EsclDevice, serving
from tests.plugins.file_house import refused
from tests.plugins.station_desk import StationDesk, desk_at, pictures


@pytest.fixture(scope="module")
def device() -> Iterator[EsclDevice]:
    with serving(EsclDevice()) as found:
        yield found


@pytest.fixture
def desk(tmp_path: Path, device: EsclDevice, capsys: pytest.CaptureFixture[str]) -> StationDesk:
    found = desk_at(tmp_path, device, capsys)
    found.paired()
    return found


def text_of(said: list[dict[str, Any]]) -> str:
    return str(said[-1]["operator_text"])


def test_a_stack_that_the_house_never_took_is_removed_on_demand(
    desk: StationDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.feed(1, 2)
    with desk.open_house():
        desk.house.faults["open"] = [refused("profile_unknown")]
        desk.scan(code=3)
        [stack] = desk.stacks
        monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
        assert "nichts gelöscht" in text_of(desk.said("discard", stack.key[:8], code=2))
        assert len(stack.pages) == 2
        monkeypatch.setattr(sys, "stdin", io.StringIO("ja\n"))
        assert desk.said("discard", stack.key[:8])[-1]["state"] == "discarded"
    assert not stack.folder.exists()
    assert "gibt es hier nicht" in text_of(desk.said("discard", stack.key[:8], code=2))


def test_a_stack_that_the_house_may_have_is_given_up_there(desk: StationDesk) -> None:
    desk.feed(1)
    with desk.open_house():
        desk.scan("--keep-open")
        [stack] = desk.stacks
        text = text_of(desk.said("discard", stack.key, "--yes", code=3))
        assert f"erase S-{stack.key[:8]}" in text
        with stack.scanning():
            desk.house.discard(stack.key)
            assert "wiederholen" in text_of(desk.said("discard", stack.key, "--yes", code=3))
    assert "feststeht" in text_of(desk.said("discard", stack.key, "--yes", code=3))
    assert len(stack.pages) == 1


def test_no_sheet_moves_for_a_stack_that_the_house_gave_up(desk: StationDesk) -> None:
    with desk.open_house():
        for command in (["resume"], ["rescan", "1"], ["close"]):
            desk.feed(1)
            desk.scan("--keep-open")
            [stack] = desk.stacks
            desk.house.discard(stack.key)
            desk.feed(2)
            said = desk.said(*command, code=3)
            assert said[-1]["code"] == "stack_discarded"
            assert "verworfen" in text_of(said)
            assert len(desk.device.pages) == 1
            assert list((desk.home / "stacks").iterdir()) == []


def test_a_refused_stack_that_goes_on_is_carried_again(desk: StationDesk) -> None:
    desk.feed(1)
    with desk.open_house():
        desk.house.faults["append"] = [refused("page_disagrees")]
        desk.scan("--keep-open", code=3)
        [stack] = desk.stacks
        assert stack.set_aside is not None
        desk.said("close")
    assert pictures(desk.house, stack.key) == [1]
    assert desk.house.state(stack.key).is_closed


def test_a_damaged_journal_is_named_and_can_be_removed(desk: StationDesk) -> None:
    desk.feed(1)
    desk.scan()
    [stack] = desk.stacks
    (stack.folder / "pages.jsonl").write_bytes(b"xx\n{}\n")
    with desk.open_house():
        assert stack.key in text_of(desk.said("status", code=3))
        desk.said("discard", stack.key, "--yes")
        assert desk.said("status")[-1]["message_type"] == "station"
    assert not stack.folder.exists()


def key_of(desk: StationDesk) -> Button:
    return Button(device=f"escl:{desk.device.url}", button="scan", profile="posteingang")


def agent_of(desk: StationDesk, out: io.StringIO) -> Agent:
    return Agent(Home(desk.home), desk.house, Picture(as_json=True, out=out))


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (Held("held"), "anderer Vorgang"),
        (JournalDamaged(Path("stacks/x"), "pages.jsonl", "line"), "pages.jsonl"),
        (OSError(errno.EIO, "EIO"), "Festplatte"),
    ],
)
def test_what_goes_wrong_at_a_button_is_said_and_the_service_goes_on(
    desk: StationDesk, monkeypatch: pytest.MonkeyPatch, error: Exception, named: str
) -> None:
    out = io.StringIO()

    def broken(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(Workplace, "scan", broken)
        agent = agent_of(desk, out)
        agent.pressed(key_of(desk))
    assert named in out.getvalue()
    desk.feed(1)
    agent.pressed(key_of(desk))
    assert desk.house.log()[-1] == "closed"


def test_a_button_continues_what_was_interrupted_before_the_service_began(
    desk: StationDesk,
) -> None:
    desk.feed(1, 2)
    desk.device.trouble[2] = "jam"
    agent_of(desk, io.StringIO()).pressed(key_of(desk))
    [stack] = desk.stacks
    assert stack.is_interrupted
    desk.feed(2)
    agent_of(desk, io.StringIO()).pressed(key_of(desk))
    assert pictures(desk.house, stack.key) == [1, 2]
    assert desk.house.state(stack.key).is_closed


def test_a_button_continues_neither_anothers_stack_nor_one_that_was_kept_open(
    desk: StationDesk,
) -> None:
    desk.feed(1, 2)
    desk.device.trouble[2] = "jam"
    agent_of(desk, io.StringIO()).pressed(key_of(desk))
    with desk.open_house():
        desk.said("sign-on", "P-18")
        desk.feed(3)
        desk.scan("--keep-open")
    first, kept = desk.stacks
    desk.feed(4)
    agent_of(desk, io.StringIO()).pressed(key_of(desk))
    assert [each.key for each in desk.stacks] == [first.key, kept.key]
    assert (len(first.pages), len(kept.pages)) == (1, 1)
    assert desk.house.log()[-1] == "closed"


def test_a_button_never_puts_the_next_persons_sheets_into_anothers_stack(
    desk: StationDesk,
) -> None:
    out = io.StringIO()
    agent, home = agent_of(desk, out), Home(desk.home)
    home.sign_on("P-17")
    desk.feed(1, 2)
    desk.device.trouble[2] = "jam"
    agent.pressed(key_of(desk))
    [first] = desk.stacks
    home.sign_on("P-18")
    desk.feed(3, 4)
    agent.pressed(key_of(desk))
    keys = {line.split()[0] for line in (desk.house.folder / "log").read_text().splitlines()}
    [second] = keys - {first.key}
    assert pictures(desk.house, second) == [3, 4]
    assert len(first.pages) == 1
    assert out.getvalue().count(f"resume --stack {first.key[:8]}") == 1
    home.sign_on("P-17")
    desk.feed(2)
    agent.pressed(key_of(desk))
    assert pictures(desk.house, first.key) == [1, 2]
    assert desk.house.state(first.key).is_closed
