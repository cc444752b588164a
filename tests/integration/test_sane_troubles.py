"""SANE when something goes wrong: named by who can act, pages so far safe, the service alive."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from scanners.device import (
    AccessDenied,
    CoverOpen,
    DeviceBusy,
    DeviceGone,
    DeviceStalled,
    DriverCrashed,
    Feed,
    FeederEmpty,
    FeederJam,
    Mode,
    PageTruncated,
    ScanCancelled,
    ScanFault,
    ScannedPage,
    ScanSettings,
    Spool,
)
from scanners.sane import SaneDriver
from tests.plugins.installation import PATIENCE
from tests.plugins.sane_backends import configured, driver, require_sane, saned

A4 = ScanSettings(mode=Mode.GREY, dpi=50, feed=Feed.FEEDER, timeout=PATIENCE)
A5 = ScanSettings(mode=Mode.GREY, dpi=50, feed=Feed.FEEDER, paper="A5", timeout=PATIENCE)


@pytest.fixture(scope="module", autouse=True)
def sane() -> None:
    require_sane()


def happening(folder: Path, what: str, at: int = 0) -> SaneDriver:
    """Return the driver whose child lets something happen, see `tests.plugins.sane_child`."""
    happens = {"SANE_HAPPENS": what, "SANE_AT_PAGE": str(at)}
    return SaneDriver(child="tests.plugins.sane_child", environment=configured(folder) | happens)


def interrupted(
    driver: SaneDriver, folder: Path, settings: ScanSettings = A5, device: str = "test:0"
) -> tuple[ScanFault, list[ScannedPage]]:
    pages: list[ScannedPage] = []
    with driver.open(device, settings, Spool(folder)) as session:
        with pytest.raises(ScanFault) as caught:
            pages.extend(session.pages())  # what came before the fault counts
        return caught.value, pages


def whole(pages: list[ScannedPage], folder: Path) -> bool:
    """Tell whether these pages decode and nothing else is in the spool."""
    for page in pages:
        with Image.open(page.path) as image:
            image.load()
    return sorted(folder.iterdir()) == [page.path for page in pages]


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        ("UNSUPPORTED", DeviceGone, "meldet einen Fehler"),
        ("CANCELLED", ScanCancelled, "wurde abgebrochen"),
        ("DEVICE_BUSY", DeviceBusy, "ist belegt"),
        ("INVAL", DeviceGone, "meldet einen Fehler"),
        ("EOF", PageTruncated, "unvollständig"),
        ("JAMMED", FeederJam, "Papierstau"),
        ("NO_DOCS", FeederEmpty, "kein Blatt"),
        ("COVER_OPEN", CoverOpen, "Klappe"),
        ("IO_ERROR", DeviceGone, "meldet einen Fehler"),
        ("NO_MEM", DeviceGone, "meldet einen Fehler"),
        ("ACCESS_DENIED", AccessDenied, "verweigert den Zugriff"),
    ],
)
def test_every_status_of_sane_has_its_name_and_what_to_do(
    tmp_path: Path, status: str, kind: type[ScanFault], said: str
) -> None:
    sane = driver(tmp_path / "sane", read_status_code=f'"SANE_STATUS_{status}"')
    error, pages = interrupted(sane, tmp_path / "spool")
    assert type(error) is kind
    assert said in error.operator_text
    assert (error.pages_done, pages) == (0, [])
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_jam_after_page_three_keeps_three_and_the_stack_goes_on(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    error, pages = interrupted(happening(tmp_path / "sane", "jam", at=4), spool)
    assert type(error) is FeederJam
    assert error.pages_done == len(pages) == 3
    assert whole(pages, spool)
    with driver(tmp_path / "sane").open(
        "test:0", A5, Spool(spool), first=error.pages_done + 1
    ) as session:
        assert next(session.pages()).facts.number == 4


def test_a_driver_that_dies_while_it_looks_up_a_device_opens_it_without_a_name(
    tmp_path: Path,
) -> None:
    sane = happening(tmp_path / "sane", "dies")
    with sane.open("test:0", A5, Spool(tmp_path / "spool")) as session:
        assert (session.device.id, session.device.model) == ("test:0", "")
    assert sane.seen == {}


def test_a_driver_that_is_killed_costs_its_page_and_nothing_else(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    error, pages = interrupted(happening(tmp_path / "sane", "killed", at=3), spool)
    assert type(error) is DriverCrashed
    assert "signal 9" in str(error)
    assert error.pages_done == len(pages) == 2
    assert (spool / "000003.tif.part").exists(), "it was killed in the middle of a page"
    Spool(spool)
    assert whole(pages, spool), "what was cut off is cleared when the spool is opened again"
    with driver(tmp_path / "sane").open("test:0", A5, Spool(spool), first=3) as session:
        assert len(list(session.pages())) == 10


def test_a_scan_is_stopped_in_the_middle_of_a_page(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    pages: list[ScannedPage] = []
    with happening(tmp_path / "sane", "held", at=3).open("test:0", A5, Spool(spool)) as session:
        stopping = threading.Thread(target=session.cancel)

        def seen(page: int, size: int) -> None:
            if page == 3 and not stopping.ident:
                stopping.start()

        session.progress = seen
        with pytest.raises(ScanCancelled) as caught:
            pages.extend(session.pages())
        stopping.join()
        session.cancel()
    assert caught.value.pages_done == len(pages) == 2
    assert whole(pages, spool)


def test_a_device_that_delivers_nothing_counts_as_stalled(tmp_path: Path) -> None:
    slow = driver(tmp_path / "sane", read_delay="true", read_delay_duration="200000")
    patience = ScanSettings(mode=Mode.GREY, dpi=50, feed=Feed.FEEDER, paper="A5", timeout=0.1)
    error, pages = interrupted(slow, tmp_path / "spool", patience)
    assert type(error) is DeviceStalled
    assert "liefert nichts mehr" in error.operator_text
    assert (error.pages_done, pages) == (0, [])


def test_two_people_cannot_have_one_device(tmp_path: Path) -> None:
    error, _ = interrupted(happening(tmp_path / "sane", "taken"), tmp_path / "spool")
    assert type(error) is DeviceBusy
    assert "belegt" in error.operator_text


def test_a_device_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceGone) as caught:
        driver(tmp_path / "sane").open("test:7", A5, Spool(tmp_path / "spool"))
    assert "„test:7“ ist nicht angeschlossen" in caught.value.operator_text


def test_sane_that_is_not_installed_is_said(tmp_path: Path) -> None:
    (tmp_path / "sane").mkdir()
    nowhere = SaneDriver(child="tests.plugins.sane_missing")
    with pytest.raises(DeviceGone) as caught:
        nowhere.devices(30.0)
    assert "sane-utils" in caught.value.operator_text


def test_a_feeder_that_is_empty_at_once(tmp_path: Path) -> None:
    empty = happening(tmp_path / "sane", "empty")
    error, pages = interrupted(empty, tmp_path / "spool")
    assert type(error) is FeederEmpty
    assert (error.pages_done, pages) == (0, [])


def test_a_scan_server_in_the_network(tmp_path: Path) -> None:
    with saned(tmp_path) as server:
        sane = SaneDriver(environment=server.environment)
        assert server.device in {each.id for each in sane.devices(30.0)}
        with sane.open(server.device, A5, Spool(tmp_path / "spool")) as session:
            pages = list(session.pages())
    assert [page.facts.number for page in pages] == list(range(1, 11))
    assert whole(pages, tmp_path / "spool")


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGSTOP])
def test_a_scan_server_that_dies_or_freezes_is_noticed(tmp_path: Path, by: signal.Signals) -> None:
    patience = ScanSettings(mode=Mode.GREY, dpi=75, feed=Feed.FEEDER, timeout=PATIENCE)
    pages: list[ScannedPage] = []
    with saned(tmp_path, read_delay="true", read_delay_duration="50000") as server:
        sane = SaneDriver(environment=server.environment)
        with sane.open(server.device, patience, Spool(tmp_path / "spool")) as session:

            def seen(page: int, size: int) -> None:
                if page == 2 and size:
                    for pid in server.serving():
                        os.kill(pid, by)

            session.progress = seen
            stream = session.pages()
            pages.append(next(stream))
            session._settings = replace(patience, timeout=1.0)
            with pytest.raises(ScanFault) as caught:
                pages.extend(stream)
    assert type(caught.value) is DeviceStalled
    assert caught.value.pages_done == len(pages) == 1
    for page in pages:
        with Image.open(page.path) as image:
            image.load()


def test_a_large_page_passes_through_little_memory(tmp_path: Path) -> None:
    sane = driver(tmp_path / "sane", geometry_max="500.0", test_picture='"Solid white"')
    settings = ScanSettings(mode=Mode.COLOUR, dpi=600, feed=Feed.FEEDER, paper="A3")
    with sane.open("test:0", settings, Spool(tmp_path / "spool")) as session:
        page = next(session.pages())
        status = Path(f"/proc/{session.pid}/status").read_text()
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    shutil.rmtree(tmp_path / "spool")  # runs of tests keep their folders
    assert page.size > 200_000_000
    assert peak is not None
    assert int(peak[1]) < 80_000, "kilobytes"
