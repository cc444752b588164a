"""Which scanners there are, by list and by announcement; nobody's silence stops the list."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import profiles
from scanners.device import (
    AccessDenied,
    Device,
    DeviceGone,
    DeviceStalled,
    Driver,
    Mode,
    ScanFault,
    ScanSettings,
    Session,
    Spool,
)
from scanners.device.asking import answers
from scanners.drivers import Drivers, NetworkScanner, installed
from scanners.escl import EsclDriver
from scanners.escl.announcements import Announcements, announced
from scanners.twain.dsm import load
from tests.plugins.escl_certificates import self_made
from tests.plugins.escl_device import EsclDevice, announcing, serving
from tests.plugins.escl_looking import Directly
from tests.plugins.escl_pages import picture
from tests.plugins.installation import PATIENCE, wait_until

SETTINGS = ScanSettings(mode=Mode.GREY, dpi=100, timeout=PATIENCE)
LOOPBACK = ("127.0.0.1",)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def device() -> Iterator[EsclDevice]:
    with serving(EsclDevice(pages=[picture(1)])) as running:
        yield running


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EsclDevice, str, Path]]:
    context, fingerprint, chain = self_made(tmp_path_factory.mktemp("tls"), "papierlos")
    with serving(EsclDevice(pages=[picture(1), picture(2)]), tls=context) as running:
        yield running, fingerprint, chain


class Silent:
    """A driver that never answers, or only says why not."""

    name = "sane"

    def __init__(self, error: ScanFault | None = None) -> None:
        self.error, self.released = error, threading.Event()

    def devices(self, seconds: float) -> list[Device]:
        if self.error is not None:
            raise self.error
        self.released.wait(60)
        return []

    def open(
        self, device_id: str, settings: ScanSettings, spool: Spool, *, first: int = 1
    ) -> Session:
        raise DeviceGone(device_id)


def test_a_device_of_the_list_is_called_by_its_name_and_opened_by_it(
    device: EsclDevice, tmp_path: Path
) -> None:
    known = {"eg": NetworkScanner(url=device.url), "og": NetworkScanner(url="http://127.0.0.1:1/x")}
    drivers = installed(escl=known, sane=False, twain=False)
    listing = drivers.listed(PATIENCE)
    assert list(listing.devices) == ["escl:eg"]
    assert listing.devices["escl:eg"].model == "Papierlos 3000"
    assert listing.silent == {"escl:og": DeviceGone.hint}
    for name in ("escl:eg", f"escl:{device.url}"):
        with drivers.open(name, SETTINGS, Spool(tmp_path)) as session:
            assert session.device.id == device.url


@pytest.mark.parametrize("wrong", ["eg", "fax:eg", "escl:", "escl:gibtsnicht", ""])
def test_a_device_that_is_none_is_named_with_the_way_to_the_list(
    tmp_path: Path, wrong: str
) -> None:
    with pytest.raises(DeviceGone) as caught:
        installed(sane=False, twain=False).open(wrong, SETTINGS, Spool(tmp_path))
    assert "list-devices" in caught.value.operator_text or "Liste" in caught.value.operator_text


def test_a_driver_that_hangs_or_is_missing_does_not_stop_the_list(
    device: EsclDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanners.drivers._GRACE_SECONDS", 0.0)
    network = EsclDriver(addresses=(device.url,))
    hanging, missing = Silent(), Silent(DeviceGone("no", operator_text="Nicht eingerichtet."))
    for silent, said, seconds in (
        (hanging, DeviceStalled.hint, 3.0),
        (missing, "Nicht eingerichtet.", PATIENCE),
    ):
        drivers: list[Driver] = [silent, network]
        listing = Drivers(drivers).listed(seconds)
        assert list(listing.devices) == [f"escl:{device.url}"]
        assert listing.silent == {"sane": said}
    hanging.released.set()


def test_twain_that_is_not_installed_is_left_out_with_the_reason() -> None:
    try:
        load()
    except OSError:
        assert "TWAINDSM" in installed(sane=False).listed(20.0).silent["twain"]
        return
    assert "twain" not in installed(sane=False).listed(20.0).silent


def test_the_scanner_of_the_demonstration_serves_the_pages_of_a_folder(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.jpg").write_bytes(picture(number))
    told, stack = tmp_path / "address", tmp_path / "stack"
    command = [sys.executable, "-m", "tests.plugins.escl_device", "--pages", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--address-file", str(told)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as running:
        try:
            assert running.stdout is not None
            url = running.stdout.readline().strip()
            settings = ScanSettings.from_json(profiles.load("posteingang").profile.scanning())
            driver = EsclDriver(looking=Directly)
            with driver.open(url, settings, Spool(stack)) as session:
                assert len(list(session.pages())) == 2
        finally:
            running.terminate()
    assert told.read_text() == url


def test_questions_are_asked_at_once_and_answered_in_their_order() -> None:
    both = threading.Barrier(2)

    def answer() -> int:
        return both.wait(PATIENCE)

    def refuse() -> int:
        raise DeviceGone("gone")

    found = answers({"b": answer, "a": answer, "c": refuse}, PATIENCE)
    assert list(found) == ["b", "a", "c"]
    assert isinstance(found["c"], DeviceGone)
    assert {found["a"], found["b"]} == {0, 1}


def test_the_pinned_certificate_opens_the_device_and_its_pages(
    secure: tuple[EsclDevice, str, Path], tmp_path: Path
) -> None:
    device, fingerprint, _ = secure
    driver = EsclDriver(
        looking=Directly, addresses=(device.url,), fingerprints={device.url: fingerprint}
    )
    assert [each.id for each in driver.devices(PATIENCE)] == [device.url]
    with driver.open(device.url, SETTINGS, Spool(tmp_path)) as session:
        assert len(list(session.pages())) == 2


def test_another_certificate_than_the_pinned_one_is_refused(
    secure: tuple[EsclDevice, str, Path], tmp_path: Path
) -> None:
    device, fingerprint, _ = secure
    driver = EsclDriver(looking=Directly, fingerprints={device.url: "0" * 64})
    with pytest.raises(AccessDenied) as caught:
        driver.open(device.url, SETTINGS, Spool(tmp_path))
    assert "anderes Zertifikat" in caught.value.operator_text
    assert fingerprint in caught.value.operator_text
    assert device.requests == [] or device.jobs, "nothing was asked before"


def test_a_certificate_nobody_vouches_for_is_refused_with_its_fingerprint(
    secure: tuple[EsclDevice, str, Path], tmp_path: Path
) -> None:
    device, fingerprint, _ = secure
    with pytest.raises(AccessDenied) as caught:
        EsclDriver(looking=Directly).open(device.url, SETTINGS, Spool(tmp_path))
    assert "keiner bekannten Stelle" in caught.value.operator_text
    assert fingerprint in caught.value.operator_text


def test_a_certificate_of_the_systems_authorities_needs_no_pin(
    secure: tuple[EsclDevice, str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, _, chain = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    with EsclDriver(looking=Directly).open(device.url, SETTINGS, Spool(tmp_path)) as session:
        assert session.device.serial == "WB-0001"


def test_devices_announce_themselves_and_take_it_back(
    device: EsclDevice, secure: tuple[EsclDevice, str, Path]
) -> None:
    with (
        Announcements(LOOPBACK) as listening,
        announcing(device) as leave,
        announcing(secure[0]),
    ):
        assert listening.wait(2, PATIENCE), "both ways to one device are heard"
        assert listening.urls() == [device.url], "and it is listed once"
        leave()
        assert listening.wait(1, PATIENCE), "what left is forgotten"
        assert listening.urls() == [secure[0].url]


def test_a_device_that_is_listed_is_not_listed_again_where_it_announces_itself(
    device: EsclDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = EsclDriver(addresses=(device.url,))
    other = EsclDevice(serial="WB-0002")
    drivers = Drivers(
        [network], {"eg": device.url}, lambda seconds: network.discovered(seconds, LOOPBACK)
    )
    found: list[str] = []
    with serving(other), announcing(device), announcing(other):
        both = ["escl:eg", f"escl:{other.url}"]

        def are_heard() -> bool:  # on a busy machine not the first time
            found[:] = drivers.listed(2.0).devices
            return not set(both) <= set(found) <= set(both) or found == both

        wait_until(are_heard, "both devices")
    assert found == both


def test_a_search_that_is_not_possible_here_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    listing = installed(discovery=True, sane=False, twain=False).listed(1.0)
    assert "zeroconf fehlt" in listing.silent["discovery"]
    with pytest.raises(ScanFault):
        announced(0.1)
