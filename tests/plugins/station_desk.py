"""A scan station with a network scanner and a house, all over real HTTP on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingest.upload_settings import UploadSettings
from scanners.stack.journal import Journal, journals
from scanners.station.commands import main
from scanners.station.home import Home
from scanners.station.settings import HouseAddress
from scanners.upload import Landing, Station, UploadServer, application
from tests.plugins.escl_device import EsclDevice
from tests.plugins.escl_pages import picture
from tests.plugins.file_house import PROFILE, FileHouse
from tests.plugins.servers import free_port

TOKEN = "station-token-0123456789abcdef"
CODE = "PC-3"


@dataclass
class StationDesk:
    """What stands at the scanner, and the house behind it.

    Attributes:
        home: The station's folder.
        port: Of the house.
    """

    home: Path
    device: EsclDevice
    house: FileHouse
    port: int
    capture: pytest.CaptureFixture[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self, text: str = "") -> None:
        """Write `station.toml`, with the scanner in it."""
        self.home.mkdir(parents=True, exist_ok=True)
        said = (
            f'[station]\ncode = "{CODE}"\n[scanners.sane]\nenabled = false\n'
            f'[scanners.twain]\nenabled = false\n[scanners.escl.mfp]\nurl = "{self.device.url}"\n'
        )
        (self.home / "station.toml").write_text(said + text)

    def paired(self, token: str = TOKEN) -> None:
        """Be paired, and know the profiles of the house from then."""
        home = Home(self.home)
        home.pair(HouseAddress(url=self.url), token)
        home.keep_profiles([PROFILE])

    def said(self, *arguments: str, code: int | None = 0) -> list[dict[str, Any]]:
        """Run a command and return its JSON lines, having seen its exit code."""
        self.capture.readouterr()
        found = main(["--home", str(self.home), "--json", *arguments])
        out = self.capture.readouterr().out
        assert TOKEN not in out
        if code is not None:
            assert found == code, out
        # The house, in this process too, logs between the lines of the station.
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]

    def feed(self, *numbers: int) -> None:
        """Put sheets into the feeder."""
        self.device.pages = [picture(number) for number in numbers]
        self.device.feeder, self.device.state = "ScannerAdfLoaded", "Idle"
        self.device.trouble.clear()

    def scan(self, *more: str, code: int | None = 0) -> list[dict[str, Any]]:
        """Scan a new stack."""
        return self.said("scan", "--device", "escl:mfp", *more, code=code)

    @property
    def stacks(self) -> list[Journal]:
        return journals(self.home)

    @contextmanager
    def open_house(self, *, is_known: bool = True) -> Iterator[None]:
        """Let the house answer for the block."""
        landing = Landing(self.house.folder / "landing")
        landing.prepare()
        settings = UploadSettings(port=self.port)
        known = Station(code=CODE, tenant="default")

        def authenticate(token: str) -> Station | None:
            return known if is_known and token == TOKEN else None

        server = UploadServer(
            application(authenticate, lambda _: self.house, landing, settings), settings
        )
        server.start()
        try:
            yield
        finally:
            server.stop()


def pictures(house: FileHouse, key: str) -> list[int]:
    """Which pictures a stack of the house has, by their numbers in the feeder, in order."""
    known = {picture(number): number for number in range(1, 13)}
    return [
        known[(house.folder / key / f"{page.number:04d}-{page.attempt:02d}").read_bytes()]
        for page in house.state(key).pages
    ]


def desk_at(folder: Path, device: EsclDevice, capture: pytest.CaptureFixture[str]) -> StationDesk:
    """A desk below `folder`."""
    desk = StationDesk(
        home=folder / "home",
        device=device,
        house=FileHouse(folder / "house"),
        port=free_port(),
        capture=capture,
    )
    desk.configure()
    return desk
