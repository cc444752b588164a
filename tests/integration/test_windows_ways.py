"""What a station does otherwise on Windows, as far as another system can show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingest.sandbox import Ended, Stream
from scanners.device import Feed, Mode, ScanSettings
from scanners.device.durable import write_whole
from scanners.station.faults import Misconfigured
from scanners.station.settings import load

SHEETS = "100000"  # more than are read before somebody stops


def test_a_child_that_cannot_be_interrupted_closes_its_source_when_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sandbox.lines._INTERRUPTS", False)
    settings = ScanSettings(mode=Mode.BITONAL, depth=1, dpi=100, paper="A5", feed=Feed.FEEDER)
    asked = {"do": "scan", "device": "Werkbank ADF", "settings": settings.to_json()}
    with Stream("tests.plugins.twain_child", environment={"TWAIN_SHEETS": SHEETS}) as child:
        child.tell({**asked, "spool": str(tmp_path), "first": 1})
        assert child.next(60.0)["event"] == "opened"
        child.tell({"do": "start"})
        while child.next(60.0)["event"] != "page":
            pass
        child.stop()
        last: dict[str, Any] = {}

        def heard() -> None:
            while True:
                last.update(child.next(60.0))

        with pytest.raises(Ended) as ended:
            heard()
    assert (last["event"], last["code"]) == ("fault", "scan_cancelled")
    assert ended.value.status == 0, "it was killed, and the device is as it was"
    assert not list(tmp_path.glob("*.part"))


@pytest.fixture
def in_use(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The names that cannot be replaced any more; each look lets go of one."""
    names: list[Path] = []
    replace = Path.replace

    def refusing(self: Path, target: Path) -> Path:
        if target in names:
            names.remove(target)
            raise PermissionError(13, "Access is denied", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refusing)
    monkeypatch.setattr("scanners.device.durable._TRIES_IN_USE", 3)
    monkeypatch.setattr("scanners.device.durable._SECONDS_IN_USE", 0.0)
    return names


def test_a_file_that_somebody_reads_is_replaced_when_it_is_let_go(
    tmp_path: Path, in_use: list[Path]
) -> None:
    path = tmp_path / "house.json"
    write_whole(path, b"1")
    in_use += [path] * 3
    write_whole(path, b"2")
    assert (path.read_bytes(), in_use) == (b"2", [])
    in_use += [path] * 4
    with pytest.raises(PermissionError):
        write_whole(path, b"3")
    assert path.read_bytes() == b"2"


def test_settings_as_windows_editors_write_them(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    text = '[station]\ncode = "Poststelle-Süd"\n'
    path.write_text(text, "utf-8-sig")
    assert load(path).code == "Poststelle-Süd"
    path.write_text(text, "cp1252")
    with pytest.raises(Misconfigured):
        load(path)
