"""eSCL devices: every page whole and as the device sent it, every trouble by its name."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanners.device import (
    AccessDenied,
    CoverOpen,
    DeviceBusy,
    DeviceGone,
    DeviceStalled,
    DoubleFeed,
    FeederEmpty,
    FeederJam,
    Mode,
    PageTruncated,
    ScanCancelled,
    ScanFault,
    ScannedPage,
    ScanSettings,
    SettingRefused,
    Spool,
)
from scanners.escl import EsclDriver
from tests.plugins.escl_device import EsclDevice, serving
from tests.plugins.escl_looking import Directly
from tests.plugins.escl_pages import picture
from tests.plugins.installation import PATIENCE
from tests.plugins.servers import missing

SETTINGS = ScanSettings(mode=Mode.GREY, dpi=100, timeout=PATIENCE)


@pytest.fixture
def device() -> Iterator[EsclDevice]:
    with serving(EsclDevice(pages=[picture(number) for number in range(1, 6)])) as running:
        yield running


def scan(device: EsclDevice, folder: Path, settings: ScanSettings = SETTINGS) -> list[ScannedPage]:
    with EsclDriver(looking=Directly).open(device.url, settings, Spool(folder)) as session:
        return list(session.pages())


def interrupted(
    device: EsclDevice, folder: Path, settings: ScanSettings = SETTINGS
) -> tuple[ScanFault, list[ScannedPage]]:
    pages: list[ScannedPage] = []
    with EsclDriver(looking=Directly).open(device.url, settings, Spool(folder)) as session:
        with pytest.raises(ScanFault) as caught:
            pages.extend(session.pages())  # what came before the fault counts
        return caught.value, pages


def test_pages_are_the_devices_own_bytes_with_sheet_and_side(
    device: EsclDevice, tmp_path: Path
) -> None:
    sent = list(device.pages)
    pages = scan(device, tmp_path)
    assert [page.path.read_bytes() for page in pages] == sent
    assert [page.sha256 for page in pages] == [hashlib.sha256(each).hexdigest() for each in sent]
    places = [(page.facts.sheet, page.facts.side) for page in pages]
    assert places == [(1, "front"), (1, "back"), (2, "front"), (2, "back"), (3, "front")]
    assert {(page.facts.width, page.facts.height) for page in pages} == {(827, 1169)}
    assert device.jobs[0].deleted
    assert b"<scan:Duplex>true</scan:Duplex>" in device.requests[0]
    assert b"<scan:BlankPageDetectionAndRemoval>false" in device.requests[0]


def test_the_device_tells_its_serial_number(device: EsclDevice, tmp_path: Path) -> None:
    found = EsclDriver(addresses=(device.url, "http://127.0.0.1:1/eSCL")).devices(1.0)
    assert [(each.model, each.serial) for each in found] == [("Papierlos 3000", "WB-0001")]


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        ("jam", FeederJam),
        ("conflict", FeederJam),
        ("cover", CoverOpen),
        ("double", DoubleFeed),
        ("short", PageTruncated),
        ("hang", DeviceStalled),
        ("denied", AccessDenied),
        ("endless", ScanFault),
    ],
    ids=[
        "jam",
        "jam, said by a conflict",
        "cover open",
        "double feed",
        "truncated JPEG with consistent length",
        "half-open socket",
        "access denied",
        "page without end",
    ],
)
def test_a_trouble_at_page_three_keeps_two_and_says_what_to_do(
    device: EsclDevice, tmp_path: Path, trouble: str, kind: type[ScanFault]
) -> None:
    device.trouble[3] = trouble
    patience = 2.0 if trouble == "hang" else PATIENCE  # to whoever never answers, an end
    settings = dataclasses.replace(SETTINGS, timeout=patience)
    error, pages = interrupted(device, tmp_path, settings)
    assert type(error) is kind
    assert error.pages_done == len(pages) == 2
    assert error.operator_text.endswith((".", "fortsetzen."))
    assert device.jobs[0].deleted
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001.jpg", "000002.jpg"]


def test_a_device_that_is_gone_in_mid_stack_keeps_what_was_scanned(tmp_path: Path) -> None:
    with serving(EsclDevice(pages=[picture(number) for number in range(1, 6)])) as device:
        session = EsclDriver(looking=Directly).open(device.url, SETTINGS, Spool(tmp_path))
        pages = session.pages()
        kept = [next(pages), next(pages)]
    with session, pytest.raises(DeviceGone) as caught:
        next(pages)
    assert caught.value.pages_done == 2
    assert all(page.path.exists() for page in kept)


def test_a_page_that_broke_off_is_no_page(device: EsclDevice, tmp_path: Path) -> None:
    device.trouble[2] = "cut"
    error, pages = interrupted(device, tmp_path)
    assert isinstance(error, (PageTruncated, DeviceGone))
    assert len(pages) == 1


def test_a_busy_device_is_asked_again_and_a_relative_location_followed(
    device: EsclDevice, tmp_path: Path
) -> None:
    device.relative = True
    device.trouble = {3: "busy", 5: "late"}
    assert len(scan(device, tmp_path)) == 5


def test_images_the_device_counted_and_did_not_hand_over_are_missed(
    device: EsclDevice, tmp_path: Path
) -> None:
    device.trouble[5] = "lost"
    error, pages = interrupted(device, tmp_path)
    assert isinstance(error, PageTruncated)
    assert "5 Seiten gezählt, angekommen sind 4" in error.operator_text
    assert len(pages) == 4


@pytest.mark.parametrize(
    ("state", "feeder", "kind"),
    [
        ("Processing", "ScannerAdfLoaded", DeviceBusy),
        ("Idle", "ScannerAdfHatchOpen", CoverOpen),
        ("Idle", "ScannerAdfEmpty", FeederEmpty),
    ],
)
def test_a_scan_that_cannot_begin_moves_no_sheet(
    device: EsclDevice, tmp_path: Path, state: str, feeder: str, kind: type[ScanFault]
) -> None:
    device.state, device.feeder = state, feeder
    # a busy device is asked again until patience ends: here at once
    error, pages = interrupted(device, tmp_path, dataclasses.replace(SETTINGS, timeout=0.1))
    assert type(error) is kind
    assert (error.pages_done, pages, len(device.pages)) == (0, [], 5)


def test_an_empty_feeder_is_said_at_once(device: EsclDevice, tmp_path: Path) -> None:
    device.pages = []
    assert isinstance(interrupted(device, tmp_path)[0], FeederEmpty)


@pytest.mark.parametrize(
    "settings",
    [
        ScanSettings(dpi=5000, mode=Mode.GREY),
        ScanSettings(dpi=150, mode=Mode.GREY),
        ScanSettings(mode=Mode.BITONAL, depth=1),
        ScanSettings(paper="A3"),
    ],
)
def test_what_the_device_cannot_do_is_refused_before_a_sheet_moves(
    device: EsclDevice, tmp_path: Path, settings: ScanSettings
) -> None:
    with pytest.raises(SettingRefused) as caught:
        EsclDriver(looking=Directly).open(device.url, settings, Spool(tmp_path))
    assert "kein Blatt eingezogen" in caught.value.operator_text
    assert device.requests == []


def test_a_device_that_refuses_us_and_one_that_is_none(device: EsclDevice, tmp_path: Path) -> None:
    device.denied = True
    with pytest.raises(AccessDenied):
        EsclDriver(looking=Directly).open(device.url, SETTINGS, Spool(tmp_path))
    for address in ("http://127.0.0.1:1/eSCL", "ftp://127.0.0.1/eSCL"):
        with pytest.raises(DeviceGone):
            EsclDriver(looking=Directly).open(address, SETTINGS, Spool(tmp_path))


def test_cancelling_ends_the_job_and_keeps_what_was_scanned(
    device: EsclDevice, tmp_path: Path
) -> None:
    with EsclDriver(looking=Directly).open(device.url, SETTINGS, Spool(tmp_path)) as session:
        stream = session.pages()
        pages = [next(stream), next(stream)]
        thread = threading.Thread(target=session.cancel)
        thread.start()
        thread.join()
        with pytest.raises(ScanCancelled) as caught:
            next(stream)
    assert caught.value.pages_done == 2
    assert device.jobs[0].deleted
    assert all(page.path.exists() for page in pages)


def test_an_interrupted_stack_goes_on_with_the_next_number(
    device: EsclDevice, tmp_path: Path
) -> None:
    device.trouble[3] = "jam"
    error, before = interrupted(device, tmp_path)
    device.trouble, device.feeder = {}, "ScannerAdfLoaded"
    with EsclDriver(looking=Directly).open(
        device.url, SETTINGS, Spool(tmp_path), first=error.pages_done + 1
    ) as session:
        after = list(session.pages())
    assert [page.facts.number for page in [*before, *after]] == [1, 2, 3, 4, 5]
    assert after[0].facts.sheet == 2


def test_an_independent_client_scans_from_the_device_of_these_tests(
    device: EsclDevice, tmp_path: Path
) -> None:
    scanimage = shutil.which("scanimage")
    if scanimage is None or not Path("/etc/sane.d/airscan.conf").exists():
        missing("scanimage with sane-airscan")
        return
    config = tmp_path / "sane"
    (config / "airscan.d").mkdir(parents=True)
    (config / "dll.conf").write_text("airscan\n")
    (config / "airscan.conf").write_text(
        f'[devices]\n"Werkbank" = {device.url}\n[options]\ndiscovery = disable\n'
    )
    out = tmp_path / "out"
    out.mkdir()
    command = [scanimage, "-d", "airscan:e0:Werkbank", "--source", "ADF", "--mode", "Gray"]
    command += ["--resolution", "100", "--format=tiff", f"--batch={out}/p%d.tif"]
    done = subprocess.run(
        command,
        env={"SANE_CONFIG_DIR": str(config), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert len(list(out.glob("*.tif"))) == 5, done.stderr.decode()
