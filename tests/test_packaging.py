"""What a house installs: the wheel, and nothing but what belongs in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {"ingest", "scanners", "workers", "profiles", "console"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from this checkout, without a network."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("scanstrasse-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment's interpreter: the wheel itself, its dependencies from the tests'."""
    folder = tmp_path_factory.mktemp("house")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [
            sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps",
            "--no-index", str(wheel),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    (site,) = folder.glob("lib/python3*/site-packages")
    # Behind the wheel in the search path, and without the editable install's .pth file.
    (site / "dependencies.pth").write_text(_site_packages() + "\n")
    return python


def _site_packages() -> str:
    import click

    return str(Path(click.__file__).parent.parent)


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_holds_exactly_the_five_packages(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *sorted(PACKAGES)], cwd=ROOT, check=False, capture_output=True
    )
    if listed.returncode:
        pytest.skip("needs the git checkout")
    expected = {name for name in listed.stdout.decode().split("\0") if (ROOT / name).is_file()}
    packed = set(names(wheel))
    assert expected - packed == set()
    for package in PACKAGES:
        assert f"{package}/py.typed" in packed
    assert "profiles/posteingang.toml" in packed


def test_the_installed_packages_belong_to_us_alone(installed: Path) -> None:
    script = (
        "from importlib.metadata import packages_distributions as p; import ingest; d = p();"
        f"print(ingest.__file__, [d.get(n) for n in {sorted(PACKAGES)!r}])"
    )
    done = subprocess.run(
        [installed, "-c", script],
        check=True, capture_output=True, text=True, cwd=installed.parent, env=_clean(),
    )  # fmt: skip
    place, owners = done.stdout.split(" ", 1)
    assert Path(place).is_relative_to(installed.parent.parent)
    # The tests' own environment may add the editable install of the same distribution.
    assert set(re.findall(r"'([^']+)'", owners)) == {"scanstrasse"}


def test_the_installed_command_explains_itself(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [installed.parent / "scanstrasse", "--help"],
        check=True, capture_output=True, text=True, cwd=tmp_path, env=_clean(),
    )  # fmt: skip
    for command in ("run", "receive", "status", "release", "verify", "check"):
        assert re.search(rf"^\s+{command}\b", done.stdout, re.MULTILINE), command


def test_the_profiles_travel_with_the_package(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [installed, "-c", "import profiles; print(*profiles.names(None))"],
        check=True, capture_output=True, text=True, cwd=tmp_path, env=_clean(),
    )  # fmt: skip
    assert set(done.stdout.split()) == {path.stem for path in (ROOT / "profiles").glob("*.toml")}


def _clean() -> dict[str, str]:
    keep = ("PATH", "LANG", "HOME", "TMPDIR")
    return {name: os.environ[name] for name in keep if name in os.environ}


def locked(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def test_both_locks_agree_and_every_line_is_hashed() -> None:
    product, everything = locked("requirements.lock"), locked("requirements-dev.lock")
    assert product
    assert product.items() <= everything.items()
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text("utf-8")
        entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
        assert [entry[:40] for entry in entries if entry.strip() and "--hash=" not in entry] == []
        assert not re.search(r"https?://|file:|^-", text, re.MULTILINE)
