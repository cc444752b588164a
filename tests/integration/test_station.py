"""The scan station by its commands: a network scanner, a journal, a house that is there or not."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from ingest import clock
from scanners.station import home as home_module
from scanners.station.commands import main
from scanners.station.logins import login_name
from tests.plugins.disks import no_file_above
from tests.plugins.escl_device import EsclDevice, serving
from tests.plugins.escl_pages import picture
from tests.plugins.file_house import refused
from tests.plugins.station_desk import TOKEN, StationDesk, desk_at, pictures


@pytest.fixture(scope="module")
def device() -> Iterator[EsclDevice]:
    with serving(EsclDevice()) as found:
        yield found


@pytest.fixture
def desk(tmp_path: Path, device: EsclDevice, capsys: pytest.CaptureFixture[str]) -> StationDesk:
    found = desk_at(tmp_path, device, capsys)
    found.paired()
    return found


def events(said: list[dict[str, Any]]) -> list[str]:
    return [each["event"] for each in said if each["message_type"] == "scan"]


def ended(said: list[dict[str, Any]]) -> dict[str, Any]:
    return next(each for each in said if each.get("event") == "ended")


def test_a_stack_goes_from_the_feeder_to_the_house(desk: StationDesk) -> None:
    desk.feed(1, 2, 3)
    with desk.open_house():
        desk.said("sign-on", "P-17")
        said = desk.scan("--expected-sheets", "3", "--storage-place", "Karton 7")
    outcome = ended(said)
    assert (outcome["state"], outcome["sheets"], outcome["pages"]) == ("received", 3, 3)
    assert events(said).count("page") == 3
    assert pictures(desk.house, outcome["key"]) == [1, 2, 3]
    opening = (desk.house.folder / outcome["key"] / "opening.json").read_text()
    assert '"operator": "P-17"' in opening
    assert '"station": "PC-3"' in opening
    assert '"serial": "WB-0001"' in opening
    assert '"storage_place": "Karton 7"' in opening
    assert desk.stacks == []


def test_a_count_that_differs_needs_a_person(desk: StationDesk) -> None:
    desk.feed(1, 2)
    with desk.open_house():
        said = desk.scan("--expected-sheets", "3", code=3)
    assert said[-1]["event"] == "count_differs"
    assert ended(said)["state"] == "received"


def test_hours_without_the_house_keep_stacks_and_their_order(desk: StationDesk) -> None:
    keys = []
    for numbers in ((1, 2), (3,), (4, 5)):
        desk.feed(*numbers)
        outcome = ended(desk.scan())
        assert outcome["state"] == "waiting"
        keys.append(outcome["key"])
    said = desk.said("status")
    assert (said[0]["state"], said[0]["profiles"]) == ("away", ["posteingang"])
    stacks = [each for each in said if each["message_type"] == "stack"]
    assert [each["key"] for each in stacks] == keys
    assert [each["state"] for each in stacks] == ["waiting"] * 3
    assert [each["device_held_by_house"] for each in stacks] == [[False]] * 3
    with desk.open_house():
        desk.said("retry")
    assert [pictures(desk.house, key) for key in keys] == [[1, 2], [3], [4, 5]]
    assert [line for line in desk.house.log() if line == "closed"] == ["closed"] * 3
    assert [key for key in keys if desk.house.state(key).is_closed] == keys
    assert desk.stacks == []


def test_an_interrupted_stack_goes_on_after_its_last_sheet(desk: StationDesk) -> None:
    desk.feed(1, 2, 3, 4)
    desk.device.trouble[3] = "jam"
    with desk.open_house():
        said = desk.scan(code=3)
        assert said[-1]["code"] == "feeder_jam"
        assert "Papierstau" in said[-1]["operator_text"]
        [stack] = [each for each in desk.said("status") if each["message_type"] == "stack"]
        assert (stack["state"], stack["interrupted_after"]) == ("open", [2])
        desk.feed(3, 4)
        outcome = ended(desk.said("resume"))
    assert outcome["state"] == "received"
    assert pictures(desk.house, outcome["key"]) == [1, 2, 3, 4]
    assert desk.house.log(outcome["key"])[:4] == ["1 1 new", "2 1 new", "3 1 new", "4 1 new"]


def test_a_sheet_is_scanned_again_while_the_house_is_away(desk: StationDesk) -> None:
    desk.feed(1, 2, 3)
    key = ended(desk.scan())["key"]
    desk.feed(8)
    said = desk.said("rescan", "2", "--stack", key[:8], "--operator", "P-18")
    assert ended(said)["state"] == "waiting"
    with desk.open_house():
        desk.said("retry")
    assert pictures(desk.house, key) == [1, 8, 3]
    assert desk.house.state(key).is_closed


def test_sheets_are_added_to_a_stack_kept_open_and_then_it_is_closed(desk: StationDesk) -> None:
    with desk.open_house():
        desk.feed(1)
        assert ended(desk.scan("--keep-open"))["state"] == "open"
        desk.feed(2)
        assert ended(desk.said("resume", "--keep-open"))["state"] == "open"
        key = ended(desk.said("close"))["key"]
    assert pictures(desk.house, key) == [1, 2]
    assert desk.house.state(key).is_closed


def test_what_the_house_refuses_is_said_and_carried_on_demand(desk: StationDesk) -> None:
    desk.feed(1, 2)
    with desk.open_house():
        desk.house.faults["append"] = [refused("page_disagrees")]
        assert desk.scan(code=3)[-1]["operator_text"] == "Abgelehnt: page_disagrees"
        [stack] = [each for each in desk.said("status", code=3) if "carried" in each]
        assert (stack["state"], stack["code"]) == ("refused", "page_disagrees")
        desk.said("retry", stack["key"][:8])
    assert pictures(desk.house, stack["key"]) == [1, 2]


def test_a_page_whose_file_is_gone_is_scanned_again_and_carried(desk: StationDesk) -> None:
    desk.feed(1, 2, 3)
    key = ended(desk.scan())["key"]
    desk.stacks[0].pages[2].page.path.unlink()
    with desk.open_house():
        assert "Seite 2" in desk.said("retry", code=3)[-1]["operator_text"]
        desk.feed(9)
        assert ended(desk.said("rescan", "2", "--stack", key))["state"] == "received"
    assert pictures(desk.house, key) == [1, 9, 3]


def test_a_stack_at_which_another_command_works_is_left_alone(desk: StationDesk) -> None:
    desk.feed(1)
    desk.scan("--keep-open")
    with desk.stacks[0].scanning():
        assert "Bitte warten" in desk.said("close", code=3)[-1]["operator_text"]
    assert ended(desk.said("close"))["state"] == "waiting"


def test_a_wrong_token_is_shown_and_loses_nothing(desk: StationDesk) -> None:
    desk.feed(1, 2)
    key = ended(desk.scan())["key"]
    with desk.open_house(is_known=False):
        said = desk.said("retry", code=3)
        assert said[-1]["code"] == "token_refused"
        status = desk.said("status", code=3)
        assert status[0]["state"] == "barred"
        assert status[0]["operator_text"]
        assert status[1]["state"] == "waiting"
        desk.feed(3)
        assert desk.scan(code=3)[-1]["operator_text"] == status[0]["operator_text"]
    with desk.open_house():
        desk.said("retry")
    assert pictures(desk.house, key) == [1, 2]


def test_pairing_asks_for_the_token_and_for_the_profiles(
    tmp_path: Path,
    device: EsclDevice,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = desk_at(tmp_path, device, capsys)
    with desk.open_house():
        for given, code in ((TOKEN, 0), ("another", 3), ("", 2)):
            monkeypatch.setattr(sys, "stdin", io.StringIO(given + "\n"))
            [said] = desk.said("pair", desk.url, code=code)
            assert (said.get("profiles") == ["posteingang"]) == (code == 0)
        monkeypatch.setenv("SCANSTRASSE_STATION_TOKEN", TOKEN)
        assert desk.said("pair", desk.url)[0]["state"] == "back"
    assert desk.said("pair", desk.url)[0]["state"] == "away"
    assert "unverschlüsselt" in desk.said("pair", "http://192.0.2.7", code=9)[0]["operator_text"]


def test_the_token_is_its_owners_alone(desk: StationDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = desk.home / "token"
    assert path.read_text() == TOKEN
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert "chmod 600" in desk.said("status", code=3)[0]["operator_text"]
    assert "chmod 600" in desk.scan(code=9)[0]["operator_text"]


def test_a_full_disk_keeps_the_pages_until_then(desk: StationDesk) -> None:
    desk.feed(1, 2, 3)
    desk.device.pages[2] = picture(3, (1654, 2339))
    limit = len(picture(2)) + 4000
    assert limit < len(desk.device.pages[2])
    with no_file_above(limit):
        said = desk.scan(code=3)
    assert said[-1]["code"] == "spool_full"
    assert "Kein Platz" in said[-1]["operator_text"]
    [stack] = desk.stacks
    assert list(stack.pages) == [1, 2]
    desk.feed(3)
    with desk.open_house():
        desk.said("resume")
    assert pictures(desk.house, stack.key) == [1, 2, 3]


def test_nobody_stays_signed_on_for_longer_than_a_shift(desk: StationDesk) -> None:
    desk.said("sign-on", "P-17")
    assert desk.said("status")[0]["operator"] == "P-17"
    desk.said("sign-off")
    assert desk.said("status")[0]["operator"] is None
    desk.said("sign-on", "P-17")
    toml = desk.home / "station.toml"
    toml.write_text(toml.read_text().replace("[station]", "[station]\nshift_hours = 1e-9"))
    assert desk.said("status")[0]["operator"] is None
    assert desk.said("sign-on", "Petra Muster", code=2)[0]["code"] == "unusable"


class Interrupting(threading.Event):
    """What a page that hangs waits for; meanwhile this process gets the signal of Ctrl-C."""

    @override
    def wait(self, timeout: float | None = None) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return super().wait(timeout)


def test_ctrl_c_at_the_scanner_is_said_and_keeps_the_sheets(
    desk: StationDesk, device: EsclDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "released", Interrupting())
    desk.feed(1, 2)
    device.trouble[2] = "hang"
    assert desk.scan(code=130)[-1]["code"] == "scan_cancelled"
    device.released.set()
    [stack] = desk.stacks
    assert (list(stack.pages), stack.is_interrupted) == ([1], True)


def test_a_shift_of_a_clock_that_was_ahead_is_over_for_good(desk: StationDesk) -> None:
    shift = desk.home / "shift.json"
    wrong = (clock.now() + dt.timedelta(days=300)).isoformat()
    shift.write_text(json.dumps({"operator": "P-17", "at": wrong}))
    assert desk.said("status")[0]["operator"] is None
    assert not shift.exists(), "it would begin when the clock gets there"


def test_a_login_stands_for_the_person_whom_the_settings_name(
    desk: StationDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home_module, "login_name", lambda: "p.muster")
    desk.configure('[logins]\n"p.muster" = "P-17"\n')
    assert desk.said("status")[0]["operator"] == "P-17"
    desk.feed(1)
    desk.scan("--keep-open")
    assert [each.opening.operator for each in desk.stacks] == ["P-17"]
    desk.said("sign-on", "P-18")
    assert desk.said("status")[0]["operator"] == "P-18", "who signed on comes first"
    assert desk.said("sign-off")[0]["operator"] == "P-17"
    monkeypatch.setattr(home_module, "login_name", lambda: "gast")
    assert desk.said("status")[0]["operator"] is None
    assert desk.said("sign-off")[0]["operator"] is None


def test_a_login_is_the_systems_and_not_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "p.muster")
    assert login_name() != "p.muster"


def test_devices_and_their_silence_are_listed(desk: StationDesk) -> None:
    desk.configure('[scanners.escl.fort]\nurl = "http://127.0.0.1:9/eSCL"\n')
    said = {each["device"]: each for each in desk.said("devices")}
    assert said["escl:mfp"]["serial"] == "WB-0001"
    assert said["escl:fort"]["message_type"] == "silent"


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["scan", "--device", "escl:mfp", "--profile", "grundbuch"], 2, "Möglich sind: posteing"),
        (["scan", "--device", "escl:mfp", "--received-at", "gestern"], 2, "JJJJ-MM-TT"),
        (["scan", "--device", "escl:mfp", "--received-at", "2199-01-01"], 2, "Zukunft"),
        (["scan", "--device", "escl:fort"], 3, "antwortet nicht"),
        (["resume"], 2, "gibt es hier nicht"),
        (["rescan", "drei"], 2, "3,5-7"),
    ],
)
def test_what_cannot_be_is_said_in_german(
    desk: StationDesk, arguments: list[str], code: int, named: str
) -> None:
    desk.configure('[scanners.escl.fort]\nurl = "http://127.0.0.1:9/eSCL"\n')
    [said] = desk.said(*arguments, code=code)
    assert named in said["operator_text"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[house]\nurll = 'x'\n", "„house.urll“ ist unbekannt"),
        ("[haus]\n", "„haus“ ist unbekannt"),
        ("[house]\nfingerprint = 'ab'\n", "64 Stellen"),
        ("[house]\nca = 'nirgends.pem'\n", "gibt es nicht"),
        ("[[buttons]]\ndevice = 'escl:mfp'\nbutton = 'scan'\nprofile = 'x'\n", "SANE"),
        ("[[buttons]]\ndevice = 'sane:x'\nbutton = 'scan'\n", "„buttons.profile“ fehlt"),
        ("[scanners.escl.MFP]\nurl = 'http://x'\n", "Gerätename"),
        ("[scanners.escl.b]\nurl = 'ftp://x'\n", "http://"),
        ("[logins]\n'p.muster' = 'Petra Muster'\n", "nennt kein Kürzel"),
        ("[logins]\n'p.muster' = 17\n", "„logins.p.muster“ ist kein Text"),
        ("[", "nicht lesbar"),
    ],
)
def test_a_wrong_setting_ends_every_command(desk: StationDesk, text: str, named: str) -> None:
    desk.configure(text)
    [said] = desk.said("status", code=9)
    assert named in said["operator_text"]


def test_an_unpaired_station_says_what_to_do(
    tmp_path: Path, device: EsclDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = desk_at(tmp_path, device, capsys)
    assert "pair" in desk.scan(code=9)[0]["operator_text"]
    assert "pair" in desk.said("status", code=3)[0]["operator_text"]


def test_people_read_lines_and_not_json(
    desk: StationDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.feed(1, 2, 3)
    desk.device.trouble[2] = "jam"
    with desk.open_house():
        assert main(["--home", str(desk.home), "scan", "--device", "escl:mfp"]) == 3
        said = capsys.readouterr()
        assert "Blatt 1, Vorderseite" in said.out
        assert "Unterbrochen nach Blatt 1" in said.out
        assert said.err.startswith("Fehler: Papierstau")
        assert main(["--home", str(desk.home), "status"]) == 0
        assert "offen, unterbrochen nach Blatt 1" in capsys.readouterr().out
