"""A station needs only what its extra installs, and nothing that Windows does not have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scanners.stack.journal import journals
from tests.plugins.escl_device import EsclDevice, serving
from tests.plugins.station_desk import CODE, desk_at

ROOT = Path(__file__).parent.parent.parent
#: Refuses every package but those of the station, whoever asks, in the station and its children.
REFUSING = """
import importlib.abc, sys

OURS = {
    "ingest": {"clock", "document", "errors", "sandbox"},
    "scanners": {"station", "stack", "device", "drivers", "sane", "escl", "twain"},
}
INSTALLED = {"PIL", "defusedxml", "pypdfium2", "pypdfium2_raw", "urllib3", "zeroconf", "ifaddr"}
POSIX = {"fcntl", "pwd", "grp", "resource", "termios", "tty"}


class Refusing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top, _, rest = name.partition(".")
        if top in POSIX or top not in sys.stdlib_module_names | INSTALLED | set(OURS):
            raise ModuleNotFoundError(f"No module named {name!r} at a station", name=name)
        if top in OURS and rest and rest.split(".")[0] not in OURS[top]:
            raise ModuleNotFoundError(f"{name} is no part of a station", name=name)
        return None


for name in POSIX:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Refusing())
"""
STATION = """
import ctypes, sys, types
from scanners.station.commands import main
import scanners.sane.child, scanners.twain.child, zeroconf


def locking(descriptor, mode, size):
    if ctypes.CDLL(None).flock(descriptor, 6):
        raise PermissionError(13, "Permission denied")


# Not before: the standard library would take this for Windows.
sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_NBLCK=2)
home = sys.argv[1]
try:
    main(["--help"])
except SystemExit as ended:
    assert ended.code == 0
codes = [
    main(["--home", home, "--json", *command])
    for command in (["scan", "--device", "escl:mfp"], ["status"])
]
assert codes == [0, 0], codes
"""


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """The environment of processes that find nothing but what a station installs."""
    folder = tmp_path / "alone"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(REFUSING)
    return {**os.environ, "PYTHONPATH": str(folder)}


def test_a_station_scans_with_nothing_but_its_extra_and_without_posix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], alone: dict[str, str]
) -> None:
    with serving(EsclDevice()) as device:
        desk = desk_at(tmp_path, device, capsys)
        desk.paired()
        settings = desk.home / "station.toml"
        settings.write_text(settings.read_text("utf-8").replace(CODE, "PC-Süd"), "utf-8")
        desk.feed(1, 2)
        done = subprocess.run(
            [sys.executable, "-c", STATION, str(desk.home)],
            cwd=ROOT,
            env={**alone, "PYTHONIOENCODING": "ascii"},  # a console that knows no »ä«
            check=False,
            capture_output=True,
            encoding="utf-8",
        )
    assert done.returncode == 0, done.stderr
    assert "Der Scanplatz" in done.stdout
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [each["state"] for each in said if "state" in each] == ["waiting", "away", "waiting"]
    assert "PC-Süd" in [each.get("station") for each in said], "JSON is UTF-8 everywhere"
    [journal] = journals(desk.home)
    assert list(journal.pages) == [1, 2]


def test_what_is_refused_is_there_otherwise(alone: dict[str, str]) -> None:
    names = ("sqlalchemy", "scanners.direct", "ingest.ledger", "fcntl", "pwd")
    asked = "\n".join(
        f"try:\n    import {name}\n    print({name!r})\nexcept ModuleNotFoundError: pass"
        for name in names
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", asked],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for environment in (dict(os.environ), alone)
    ]
    assert found == [list(names), []]
