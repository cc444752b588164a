"""The station's service: stacks are carried all day, and buttons of scanners start scans."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from scanners.device import Device, DeviceGone, ScanFault
from scanners.device.buttons import RemoteWatch, Watch
from scanners.sane import SaneDriver
from scanners.stack import Acceptance, Closing, StackState
from scanners.stack.run import Event
from scanners.stack.transmission import Carriage, Transmission
from scanners.station.agent import Agent
from scanners.station.buttons import ButtonWatch, wanted
from scanners.station.home import Home
from scanners.station.picture import Picture
from scanners.station.settings import Button
from tests.plugins.escl_device import EsclDevice, serving
from tests.plugins.file_house import FileHouse
from tests.plugins.installation import PATIENCE
from tests.plugins.station_desk import StationDesk, desk_at, pictures

ROOT = Path(__file__).parent.parent.parent
SCAN = Button(device="sane:fujitsu:Werkbank", button="scan", profile="posteingang")


@pytest.fixture(scope="module")
def device() -> Iterator[EsclDevice]:
    with serving(EsclDevice()) as found:
        yield found


@pytest.fixture
def desk(tmp_path: Path, device: EsclDevice, capsys: pytest.CaptureFixture[str]) -> StationDesk:
    found = desk_at(tmp_path, device, capsys)
    found.paired()
    return found


class Pressed:
    """A device whose key `scan` is pressed again and again, in a child process as any."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.asked = threading.Event()
        self.let_go = threading.Event()
        self.faults: list[ScanFault] = []

    def watch(self, device_id: str) -> Watch:
        if self.faults:
            raise self.faults.pop()
        outer = self

        class Noted(RemoteWatch):
            @override
            def stop(self) -> None:
                outer.asked.set()
                super().stop()

            @override
            def __exit__(self, *error: object) -> None:
                super().stop()
                self._stream.close()
                outer.let_go.set()

        driver = SaneDriver(child="tests.plugins.sane_device")
        watch = driver.watch(device_id, 0.01)
        watch.__class__ = Noted
        self.begun.set()
        return watch


def test_a_button_starts_its_profile_while_nobody_holds_the_device(tmp_path: Path) -> None:
    pressed, ending, driver = [], threading.Event(), Pressed()

    def press(button: Button) -> None:
        assert driver.let_go.is_set()
        driver.let_go.clear()
        pressed.append(button)
        if len(pressed) == 2:
            ending.set()

    ButtonWatch(tmp_path, driver, [SCAN], press).run(ending)
    assert pressed == [SCAN, SCAN]


def test_a_watched_device_is_let_go_for_whoever_wants_it(tmp_path: Path) -> None:
    other = Button(device=SCAN.device, button="email", profile="posteingang")
    ending, driver = threading.Event(), Pressed()
    watch = ButtonWatch(tmp_path, driver, [other], lambda _: pytest.fail("nobody pressed it"))
    thread = threading.Thread(target=watch.run, args=(ending,), daemon=True)
    thread.start()
    assert driver.begun.wait(PATIENCE)
    with wanted(tmp_path, SCAN.device):
        assert driver.let_go.wait(PATIENCE)
        assert driver.asked.is_set()
        driver.begun.clear()
    assert driver.begun.wait(PATIENCE)
    ending.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_device_that_is_gone_is_watched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanners.station.buttons._FAULT_SECONDS", 0.0)
    ending, driver = threading.Event(), Pressed()
    driver.faults = [DeviceGone("unplugged"), DeviceGone("unplugged")]
    ButtonWatch(tmp_path, driver, [SCAN], lambda _: ending.set()).run(ending)
    assert driver.faults == []


def test_a_button_pressed_again_after_a_jam_continues_the_stack(desk: StationDesk) -> None:
    agent = Agent(Home(desk.home), desk.house, Picture(as_json=True, out=io.StringIO()))
    key = Button(device=f"escl:{desk.device.url}", button="scan", profile="posteingang")
    desk.feed(1, 2, 3)
    desk.device.trouble[3] = "jam"
    agent.pressed(key)
    [stack] = desk.stacks
    assert [each.after_sheet for each in stack.interruptions] == [2]
    desk.feed(3)
    agent.pressed(key)
    assert pictures(desk.house, stack.key) == [1, 2, 3]
    assert desk.house.state(stack.key).is_closed
    desk.feed(4)
    agent.pressed(key)
    assert desk.house.log()[-2:] == ["1 1 new", "closed"]
    assert stack.key not in {line.split(" ")[0] for line in desk.house.log()[-2:]}


class Telling(FileHouse):
    """Says when it closed a stack."""

    closed = threading.Event()

    @override
    def close(self, key: str, closing: Closing) -> StackState:
        state = super().close(key, closing)
        self.closed.set()
        return state


def test_the_service_carries_what_waits_and_ends_when_asked(desk: StationDesk) -> None:
    desk.feed(1, 2)
    [key] = [each["key"] for each in desk.scan() if each.get("event") == "ended"]
    desk.house = Telling(desk.house.folder)
    with desk.open_house():
        service = subprocess.Popen(
            [sys.executable, "-m", "scanners.station", "--home", str(desk.home), "run"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        try:
            assert Telling.closed.wait(PATIENCE)
        finally:
            service.send_signal(signal.SIGTERM)
        assert service.wait(PATIENCE) == 0
    assert pictures(desk.house, key) == [1, 2]
    assert desk.stacks == []
    assert list((desk.home / "locks").iterdir()) == []


class Interrupting(FileHouse):
    """While it closes a stack, this process gets the signal of Ctrl-C."""

    @override
    def close(self, key: str, closing: Closing) -> StackState:
        os.kill(os.getpid(), signal.SIGINT)
        return super().close(key, closing)


def test_the_service_says_that_it_was_interrupted(desk: StationDesk) -> None:
    desk.feed(1)
    desk.scan()
    desk.house = Interrupting(desk.house.folder)
    before = signal.getsignal(signal.SIGINT)
    with desk.open_house():
        desk.said("run", code=130)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_part_that_breaks_ends_the_service_loudly(
    desk: StationDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Transmission) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Transmission, "run", broken)
    house: Acceptance = desk.house
    with pytest.raises(RuntimeError, match="broken"):
        Agent(Home(desk.home), house, Picture(as_json=True, out=io.StringIO())).run()


class Terminal(io.StringIO):
    """Somebody looks at it."""

    @override
    def isatty(self) -> bool:
        return True


def test_a_terminal_counts_in_one_line_and_keeps_what_lasts() -> None:
    out = Terminal()
    picture = Picture(as_json=False, out=out)
    device = Device(id="x", driver="escl", vendor="Muster", model="MFP 7")
    picture.tell(
        Event(kind="opened", pages=0, sheets=0, said={"device": device, "by_house": False})
    )
    picture.tell(Event(kind="progress", pages=0, sheets=0, said={"page": 1, "bytes": 2_500_000}))
    page = {"number": 1, "sheet": 1, "side": "front", "attempt": 1, "hints": {}}
    picture.tell(Event(kind="page", pages=1, sheets=1, said=page))
    picture.carried(Carriage(kind="page", key="k", taken=1, pages=1))
    stop = {"after_sheet": 1, "code": "feeder_jam", "operator_text": "Papierstau."}
    picture.tell(Event(kind="interrupted", pages=1, sheets=1, said=stop))
    lines = out.getvalue().replace("\r\x1b[K", "\n").split("\n")
    assert "belegt nur auf diesem Rechner" in lines[1]
    assert lines[2].endswith("Seite 1: 2.5 MB")
    assert lines[3] == "Blätter 1 · Seiten 1, davon beim Haus 0 · Blatt 1, Vorderseite"
    assert lines[4].startswith("Blätter 1 · Seiten 1, davon beim Haus 1")
    assert lines[5] == "Unterbrochen nach Blatt 1. Papierstau."
