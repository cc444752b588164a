"""The files for operation on servers hold to the formats and to what the program knows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingest.document import Queue
from ingest.settings import Settings

ROOT = Path(__file__).parent.parent
UNITS = sorted((ROOT / "docs" / "systemd").glob("*.service"))


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return loaded


def test_the_compose_file_fits_the_compose_specification() -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec",
            "docker-compose.yml",
        ],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_queue_has_its_workers_and_only_sealing_has_the_key(compose: dict[str, Any]) -> None:
    commands = [service.get("command", []) for service in compose["services"].values()]
    served = [name for command in commands if command[:1] == ["work"] for name in command[2::2]]
    assert sorted(served) == sorted(Queue)
    with_key = {
        name
        for name, service in compose["services"].items()
        if any("keys:" in volume for volume in service.get("volumes", []))
    }
    assert with_key == {"sealing"}


def test_what_a_service_waits_for_can_become_true(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other, rule in service.get("depends_on", {}).items():
            condition = rule["condition"]
            assert other in services, (name, other)
            if condition == "service_healthy":
                assert "test" in services[other]["healthcheck"], other
            else:
                assert services[other]["restart"] == "no", other


def test_every_setting_in_the_compose_file_exists(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name in service.get("environment", {}):
            if name.startswith("SCANSTRASSE_"):
                assert _exists(name.removeprefix("SCANSTRASSE_").lower().split("__")), name
        for secret in service.get("secrets", []):
            assert secret in compose["secrets"]
    secret_names = [name for name in compose["secrets"] if name.startswith("scanstrasse_")]
    for name in secret_names:
        assert name.removeprefix("scanstrasse_") in Settings.model_fields


def _exists(path: list[str]) -> bool:
    fields = Settings.model_fields
    for depth, part in enumerate(path):
        if part not in fields:
            return False
        kind = fields[part].annotation
        if depth + 1 < len(path):
            fields = getattr(kind, "model_fields", {})
    return True


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_accepts_the_unit(unit: Path, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed; containers have no systemd")
    # An instance of the template, and a program that exists here.
    text = re.sub(r"(?m)^(Exec\w+=)\S+", r"\1/bin/true", unit.read_text("utf-8"))
    copy = tmp_path / unit.name.replace("@.", "@recognition.")
    copy.write_text(text)
    done = subprocess.run(
        [program, "verify", str(copy)], check=False, capture_output=True, text=True
    )
    complaints = [line for line in done.stderr.splitlines() if copy.name in line]
    assert complaints == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_the_service_is_confined_and_stops_in_order(unit: Path) -> None:
    text = unit.read_text("utf-8")
    for line in (
        "NoNewPrivileges=true", "ProtectSystem=strict", "KillMode=mixed", "Restart=on-failure",
        "RestartPreventExitStatus=9",
    ):  # fmt: skip
        assert line in text.splitlines()
    watches = unit.name == "scanstrasse.service"
    granted = re.findall(r"(?m)^(?:CapabilityBoundingSet|AmbientCapabilities)=(.*)$", text)
    assert granted == (["CAP_LEASE", "CAP_LEASE"] if watches else [""])
    assert re.search(r"(?m)^User=(?!root)", text)
