"""A page is on disk for good before the device is asked for the next one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typing_extensions import override

from console.scanning import ScanPicture
from scanners.device import Device, Mode, ScanSettings, Spool
from scanners.escl import EsclDriver
from scanners.stack.run import Event
from tests.plugins.escl_device import EsclDevice, serving
from tests.plugins.escl_looking import Directly
from tests.plugins.escl_pages import picture


class Asking(dict[int, str]):
    """No troubles, but each page that is asked for is noted."""

    def __init__(self, order: list[str]) -> None:
        self._order = order

    @override
    def get(self, number: int, default: str | None = None) -> str | None:  # type: ignore[override]  # as the device asks
        self._order.append(f"page {number} is asked for")
        return default


def test_the_next_page_is_asked_for_when_this_one_is_synced_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    sync, rename = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        sync(descriptor)
        order.append(f"{Path(f'/proc/self/fd/{descriptor}').readlink().name} is synced")

    def renamed(source: Path, target: Path) -> None:
        rename(source, target)
        order.append(f"{Path(target).name} is named")

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    monkeypatch.setattr(os, "rename", renamed)
    pages = [picture(number, (40, 40)) for number in (1, 2)]
    settings = ScanSettings(mode=Mode.GREY, dpi=100)
    with serving(EsclDevice(pages=pages, trouble=Asking(order))) as device:
        driver = EsclDriver(looking=Directly)
        with driver.open(device.url, settings, Spool(tmp_path / "spool")) as session:
            assert len(list(session.pages())) == 2
    assert order == [
        step
        for number in (1, 2)
        for step in (
            f"page {number} is asked for",
            f"00000{number}.jpg.part is synced",
            f"00000{number}.jpg is named",
            "spool is synced",
        )
    ]


def test_a_device_that_tells_no_name_is_called_by_its_id(
    capsys: pytest.CaptureFixture[str],
) -> None:
    device = Device(id="net:pc:x", driver="sane", vendor="", model="")
    said = {"device": device, "by_house": True}
    ScanPicture("", None, as_json=True).tell(Event(kind="opened", pages=0, sheets=0, said=said))
    assert '"device": "net:pc:x"' in capsys.readouterr().out
