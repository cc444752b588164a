"""SANE at a duplex feeder with options of its own, and its keys.

The device is a simulated one behind the C interface, with the options of the backends `fujitsu`
and `canon_dr`; those devices were not available.
"""

from __future__ import annotations

import ctypes
import io
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typing_extensions import override

from scanners.device import (
    DeviceGone,
    DoubleFeed,
    Feed,
    FeederJam,
    Mode,
    PageTruncated,
    ScanCancelled,
    ScanFault,
    ScannedPage,
    ScanSettings,
    SettingRefused,
)
from scanners.device.telling import Telling
from scanners.sane import SaneDriver, abi
from scanners.sane.abi import Kind, SaneFault, Status
from scanners.sane.buttons import Keys
from scanners.sane.child import opening
from scanners.sane.library import Library
from tests.plugins.sane_backends import driver, require_sane
from tests.plugins.sane_device import DETECT, HARD, SELECT, SaneDevice, Told, feeder

SETTINGS = ScanSettings(mode=Mode.GREY, dpi=50, feed=Feed.DUPLEX)
DEVICE = "fujitsu:Werkbank"


class Silent(Telling):
    def __init__(self, stop_before: int | None = None) -> None:
        super().__init__(io.StringIO(), io.BytesIO())
        self.stop_before, self.page = stop_before, 0

    @override
    def progress(self, page: int, size: int) -> None:
        self.page = page

    @override
    def cancelled(self) -> bool:
        return self.stop_before is not None and self.page >= self.stop_before - 1


def request(folder: Path, settings: ScanSettings, options: Any = None) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "device": DEVICE,
        "settings": settings.to_json(),
        "options": options or {},
    }
    return asked | {"spool": str(folder), "first": 1}


def scan(
    device: SaneDevice, folder: Path, settings: ScanSettings = SETTINGS, options: Any = None
) -> tuple[list[ScannedPage], Any]:
    asked = request(folder, settings, options)
    with opening(asked, Silent(), device.lib) as opened:
        return list(opened.pages()), opened


def interrupted(
    device: SaneDevice, folder: Path, settings: ScanSettings = SETTINGS, stop: int | None = None
) -> tuple[ScanFault, list[ScannedPage]]:
    pages: list[ScannedPage] = []

    def scanned() -> None:
        with opening(request(folder, settings), Silent(stop), device.lib) as opened:
            pages.extend(opened.pages())  # what came before the fault counts

    with pytest.raises(ScanFault) as caught:
        scanned()
    return caught.value, pages


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_void_p) != 8, reason="sizes of a 64-bit machine")
def test_structures_are_those_of_the_standard() -> None:
    descriptor = abi.CDescriptor
    assert ctypes.sizeof(descriptor) == 56
    assert (descriptor.type.offset, descriptor.cap.offset) == (24, 36)
    assert (descriptor.constraint_type.offset, descriptor.constraint.offset) == (40, 48)
    assert (ctypes.sizeof(abi.CParameters), ctypes.sizeof(abi.CRange)) == (24, 12)
    assert abi.CParameters.depth.offset == 20
    assert ctypes.sizeof(abi.CDevice) == 32


def test_both_sides_of_every_sheet_and_the_serial_number(tmp_path: Path) -> None:
    device = SaneDevice(padding=3)
    pages, opened = scan(device, tmp_path)
    assert [(page.facts.sheet, page.facts.side) for page in pages] == [
        (1, "front"),
        (1, "back"),
        (2, "front"),
        (2, "back"),
    ]
    assert opened.told["serial"] == "FJ-0815"
    for page, value in zip(pages, (10, 20, 30, 40), strict=True):
        with Image.open(page.path) as image:
            assert image.getextrema() == (value, value), "padding of rows is in the image"
    assert device.calls[-3:] == ["sane_cancel", "sane_close", "sane_exit"]


def test_what_a_driver_would_do_to_the_image_is_switched_off_and_recorded(tmp_path: Path) -> None:
    device = SaneDevice(
        options=feeder(swcrop=Told("swcrop", Kind.BOOL, True, cap=SELECT | DETECT, rounds=True))
    )
    _, opened = scan(device, tmp_path)
    off = {"swskip": 0, "swdeskew": False, "swdespeck": 0, "ald": False, "compression": "None"}
    assert {name: device[name].value for name in off} == off
    assert {name: opened.effective[name].effective for name in off} == off
    assert opened.effective["swcrop"].effective is True, "what it insists on is recorded too"
    assert opened.effective["swcrop"].inexact


def test_an_option_that_another_one_wakes_is_set(tmp_path: Path) -> None:
    device = SaneDevice()
    _, opened = scan(device, tmp_path)
    assert device["df-action"].value == "Stop"
    assert opened.effective["df-thickness"].effective is True


def test_options_of_the_device_alone_are_made_first_or_refused(tmp_path: Path) -> None:
    device = SaneDevice()
    scan(device, tmp_path, options={"df-action": "Continue"})
    assert device["df-action"].value == "Stop", "what this system wants comes last"
    with pytest.raises(SettingRefused) as caught:
        scan(SaneDevice(), tmp_path, options={"df-akcion": "Continue"})
    assert "df-akcion" in caught.value.operator_text


@pytest.mark.parametrize(
    ("option", "changed"),
    [
        ("resolution", {"rounds": 55}),
        ("resolution", {"limits": (20, 600, 20)}),
        ("page_width", {"limits": (0.0, 180.0, 0.0)}),
        ("br_y", {"rounds": 200.0}),
    ],
)
def test_a_device_that_answers_good_and_would_do_otherwise_is_refused(
    tmp_path: Path, option: str, changed: dict[str, Any]
) -> None:
    device = SaneDevice()
    for name, value in changed.items():
        setattr(device[option.replace("_", "-")], name, value)
    error, _ = interrupted(device, tmp_path)
    assert isinstance(error, SettingRefused)
    assert "sane_start" not in device.calls


def test_three_passes_are_refused_before_a_sheet_moves_or_else_after_one(tmp_path: Path) -> None:
    colour = ScanSettings(mode=Mode.COLOUR, dpi=50, feed=Feed.DUPLEX)
    device = SaneDevice(format=2)
    error, _ = interrupted(device, tmp_path, colour)
    assert isinstance(error, SettingRefused)
    assert "sane_start" not in device.calls
    late = SaneDevice(format=2, unreadable_frame=True)
    error, pages = interrupted(late, tmp_path, colour)
    assert type(error) is ScanFault
    assert "drei Durchgänge" in error.operator_text
    assert (pages, list(tmp_path.iterdir())) == ([], [])


@pytest.mark.parametrize(
    ("trouble", "sensor", "kind"),
    [
        (Status.JAMMED, False, FeederJam),
        (Status.JAMMED, True, DoubleFeed),
        (Status.EOF, False, PageTruncated),
        (Status.IO_ERROR, False, DeviceGone),
    ],
)
def test_a_trouble_at_side_three_keeps_two(
    tmp_path: Path, trouble: Status, sensor: bool, kind: type[ScanFault]
) -> None:
    device = SaneDevice(trouble={3: trouble})
    pages: list[ScannedPage] = []

    def scanned() -> None:
        with opening(request(tmp_path, SETTINGS), Silent(), device.lib) as opened:
            for page in opened.pages():
                pages.append(page)
                device["double-feed"].value = sensor and len(pages) == 2

    with pytest.raises(ScanFault) as caught:
        scanned()
    assert type(caught.value) is kind
    assert caught.value.pages_done == len(pages) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001.tif", "000002.tif"]


def test_two_sheets_at_once_are_no_page_even_where_the_image_came_whole(tmp_path: Path) -> None:
    device = SaneDevice()
    device["double-feed"].value = True
    error, pages = interrupted(device, tmp_path)
    assert isinstance(error, DoubleFeed)
    assert (pages, list(tmp_path.iterdir())) == ([], [])


def test_a_scan_stopped_between_two_pages_moves_no_further_sheet(tmp_path: Path) -> None:
    device = SaneDevice()
    asked = request(tmp_path, SETTINGS)
    telling = Silent()
    with opening(asked, telling, device.lib) as opened:
        stream = opened.pages()
        next(stream)
        telling.stop_before = 2
        with pytest.raises(ScanCancelled):
            next(stream)
    assert device.calls.count("sane_start") == 1


def test_a_value_too_large_for_its_option_never_reaches_the_backend() -> None:
    table = Told("gamma-table", Kind.INT, 0, size=1024)
    handle = Library(SaneDevice(options=[*feeder(), table]).lib).open(DEVICE)
    for name, value in (("gamma-table", 1), ("mode", "x" * 100)):
        with pytest.raises(SaneFault):
            handle.put(name, value)


def test_a_write_only_option_counts_as_what_the_backend_left(tmp_path: Path) -> None:
    device = SaneDevice(
        options=feeder(
            compression=Told("compression", Kind.STRING, "JPEG", ("None", "JPEG"), cap=SELECT)
        )
    )
    _, opened = scan(device, tmp_path)
    assert opened.effective["compression"].effective == "None"


def test_keys_count_when_they_come_on() -> None:
    device = SaneDevice(
        options=[
            Told("scan", Kind.BOOL, False, cap=HARD | DETECT),
            Told("page-loaded", Kind.BOOL, True, cap=HARD | DETECT),
            Told("button-pressed", Kind.STRING, "none", cap=DETECT, size=32),
            Told("mode", Kind.STRING, "Gray", ("Gray",)),
        ]
    )
    keys = Keys(Library(device.lib).open(DEVICE))
    assert list(keys.pressed()) == [], "what is on at the first look was not pressed"
    device["scan"].value = True
    device["button-pressed"].value = "email"
    assert list(keys.pressed()) == ["scan", "email"]
    assert list(keys.pressed()) == [], "held down is pressed once"
    device["scan"].value = False
    assert list(keys.pressed()) == []
    device["scan"].value = True
    assert list(keys.pressed()) == ["scan"]


def test_a_watch_tells_keys_and_ends_from_another_thread() -> None:
    watched = SaneDriver(child="tests.plugins.sane_device").watch(DEVICE, 0.01)
    pressed = []
    with watched:
        for name in watched:
            pressed.append(name)
            if len(pressed) == 2:
                stopping = threading.Thread(target=watched.stop)
                stopping.start()
                stopping.join()
    assert pressed == ["scan", "scan"]


def test_a_watch_ends_with_a_fault_and_frees_a_real_device(tmp_path: Path) -> None:
    require_sane()
    sane = driver(tmp_path / "sane", enable_test_options="true")
    with pytest.raises(DeviceGone):
        sane.watch("test:9")
    with sane.watch("test:0", 0.01) as watched:
        pid = watched._stream.pid
        watched._heard()
    assert not Path(f"/proc/{pid}").exists()


def test_a_paper_and_a_threshold_that_are_only_wished_do_not_stop_a_scan(tmp_path: Path) -> None:
    wide = ScanSettings(mode=Mode.BITONAL, dpi=50, feed=Feed.FEEDER, paper="A3", threshold=99)
    error, _ = interrupted(SaneDevice(), tmp_path, wide)
    assert isinstance(error, SettingRefused)
    error, _ = interrupted(SaneDevice(), tmp_path, replace(wide, wished=("paper",)))
    assert "threshold = 99" in error.operator_text
    pages, opened = scan(SaneDevice(), tmp_path, replace(wide, wished=("paper", "threshold")))
    assert len(pages) == 4
    made = opened.effective
    assert (made["br-x"].requested, made["br-x"].effective) == (297.0, 216.0)
    assert (made["threshold"].requested, made["threshold"].effective) == (99, None)
