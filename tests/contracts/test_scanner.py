"""What holds for every way of driving a scanner: SANE by library and program, eSCL, TWAIN.

SANE runs with Debian's `test` backend, eSCL against a device of real HTTP that sane-airscan vouches
for, TWAIN against a simulated source behind the C interface.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from scanners.device import (
    DeviceGone,
    Driver,
    Feed,
    FeederEmpty,
    Mode,
    ScanCancelled,
    ScannedPage,
    ScanSettings,
    SettingRefused,
    Spool,
)
from scanners.escl import EsclDriver
from scanners.sane import SaneDriver, ScanimageDriver
from scanners.twain import TwainDriver
from tests.plugins.escl_device import EsclDevice, serving
from tests.plugins.escl_pages import picture
from tests.plugins.installation import PATIENCE
from tests.plugins.sane_backends import configured, require_sane

SETTINGS = ScanSettings(mode=Mode.GREY, dpi=100, feed=Feed.FEEDER, paper="A5", timeout=PATIENCE)


@dataclass(frozen=True)
class Scanner:
    """A driver and one device of it.

    Attributes:
        sheets: In its feeder.
    """

    driver: Driver
    device: str
    sheets: int


#: Makes a scanner in a folder: as it is, `slow` at its sheets, or `empty`.
Making = Callable[[Path, ExitStack, str], Scanner]


def sane(folder: Path, kind: type[SaneDriver | ScanimageDriver], state: str) -> Scanner:
    require_sane()
    states = {
        "slow": {"read_delay": "true", "read_delay_duration": "100000"},
        "empty": {"read_status_code": '"SANE_STATUS_NO_DOCS"'},
    }
    environment = configured(folder / "sane", **states.get(state, {}))
    return Scanner(kind(environment=environment), "test:0", 10)


def escl(folder: Path, stack: ExitStack, state: str) -> Scanner:
    pages = [] if state == "empty" else [picture(number, (583, 827)) for number in range(1, 5)]
    device = stack.enter_context(serving(EsclDevice(pages=pages)))
    return Scanner(EsclDriver(addresses=(device.url,)), device.url, 4)


def twain(folder: Path, stack: ExitStack, state: str) -> Scanner:
    sheets = {"slow": 300, "empty": 0}.get(state, 4)
    child, environment = "tests.plugins.twain_child", {"TWAIN_SHEETS": str(sheets)}
    return Scanner(TwainDriver(child=child, environment=environment), "Werkbank ADF", sheets)


MAKING: dict[str, Making] = {
    "sane": lambda folder, stack, state: sane(folder, SaneDriver, state),
    "scanimage": lambda folder, stack, state: sane(folder, ScanimageDriver, state),
    "escl": escl,
    "twain": twain,
}


@pytest.fixture(params=MAKING)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Scanner]]:
    with ExitStack() as stack:
        yield lambda state: MAKING[request.param](tmp_path, stack, state)


def scan(scanner: Scanner, spool: Path, first: int = 1) -> list[ScannedPage]:
    with scanner.driver.open(scanner.device, SETTINGS, Spool(spool), first=first) as session:
        return list(session.pages())


def test_pages_come_in_order_whole_and_with_what_is_known_of_them(
    made: Callable[[str], Scanner], tmp_path: Path
) -> None:
    scanner = made("")
    pages = scan(scanner, tmp_path / "spool")
    numbers = list(range(1, scanner.sheets + 1))
    assert [(page.facts.number, page.facts.sheet, page.facts.side) for page in pages] == [
        (number, number, "front") for number in numbers
    ]
    assert sorted((tmp_path / "spool").iterdir()) == [page.path for page in pages]
    for page in pages:
        content = page.path.read_bytes()
        assert (page.sha256, page.size) == (hashlib.sha256(content).hexdigest(), len(content))
        assert (page.facts.dpi, page.facts.mode, page.facts.depth) == (100, "grey", 8)
        assert abs((page.facts.width or 0) - 583) < 5
        assert abs((page.facts.height or 0) - 827) < 5
        assert page.facts.began_at <= page.facts.finished_at
        assert page.facts.began_at.tzinfo is not None


def test_a_stack_goes_on_with_the_number_it_is_told(
    made: Callable[[str], Scanner], tmp_path: Path
) -> None:
    pages = scan(made(""), tmp_path / "spool", first=4)
    assert [page.facts.number for page in pages][:2] == [4, 5]
    assert pages[0].facts.sheet == 4
    assert pages[0].path.stem == "000004"


def test_a_setting_it_does_not_have_moves_no_sheet(
    made: Callable[[str], Scanner], tmp_path: Path
) -> None:
    scanner = made("")
    for wrong in (replace(SETTINGS, dpi=5000), replace(SETTINGS, paper="A3")):
        with pytest.raises(SettingRefused) as caught:
            scanner.driver.open(scanner.device, wrong, Spool(tmp_path / "spool"))
        assert "kein Blatt eingezogen" in caught.value.operator_text
        assert caught.value.pages_done == 0
    assert list((tmp_path / "spool").iterdir()) == []
    assert len(scan(scanner, tmp_path / "spool")) == scanner.sheets, "all sheets are there yet"


def test_what_was_asked_is_recorded_beside_what_came_of_it(
    made: Callable[[str], Scanner], tmp_path: Path
) -> None:
    scanner = made("")
    with scanner.driver.open(scanner.device, SETTINGS, Spool(tmp_path / "spool")) as session:
        asked = [each for each in session.effective.values() if each.requested == SETTINGS.dpi]
        assert session.device.id == scanner.device
    assert asked
    assert all(each.effective == SETTINGS.dpi and each.option for each in asked)


def test_a_scan_is_stopped_from_another_thread(
    made: Callable[[str], Scanner], tmp_path: Path
) -> None:
    scanner = made("slow")
    with scanner.driver.open(scanner.device, SETTINGS, Spool(tmp_path / "spool")) as session:
        stream = session.pages()
        pages = [next(stream)]
        stopping = threading.Thread(target=session.cancel)
        stopping.start()
        with pytest.raises(ScanCancelled) as caught:
            pages.extend(stream)
        stopping.join()
        session.cancel()
    assert caught.value.pages_done == len(pages) < scanner.sheets
    assert "gesichert" in caught.value.operator_text
    assert sorted((tmp_path / "spool").iterdir()) == [page.path for page in pages]


def test_an_empty_feeder_is_said_and_counts_nothing(
    made: Callable[[str], Scanner], tmp_path: Path
) -> None:
    scanner = made("empty")
    session = scanner.driver.open(scanner.device, SETTINGS, Spool(tmp_path / "spool"), first=7)
    with session, pytest.raises(FeederEmpty) as caught:
        list(session.pages())
    assert caught.value.pages_done == 6
    assert "kein Blatt" in caught.value.operator_text
    assert list((tmp_path / "spool").iterdir()) == []


def test_devices_are_listed_and_others_are_not_there(
    made: Callable[[str], Scanner], tmp_path: Path
) -> None:
    scanner = made("")
    assert scanner.device in {each.id for each in scanner.driver.devices(30.0)}
    with pytest.raises(DeviceGone) as caught:
        scanner.driver.open("http://127.0.0.1:1/eSCL", SETTINGS, Spool(tmp_path / "spool"))
    assert caught.value.operator_text.endswith(".")
