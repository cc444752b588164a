"""`receive --wait` ends whoever works: itself, another, or itself after the other died."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingest.document import new_id
from tests.plugins import papers
from tests.plugins.installation import PATIENCE

#: A dead worker's unit is free after this.
_ENVIRONMENT = os.environ | {"SCANSTRASSE_WORKERS__LEASE_SECONDS": "4"}


def _receive(data: Path, file: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ingest", "--data", str(data), "receive", str(file)]
    return subprocess.Popen(
        [*command, "--wait", "--json"], stdout=subprocess.PIPE, text=True, env=_ENVIRONMENT
    )


def _ended(process: subprocess.Popen[str]) -> list[dict[str, object]]:
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    return [json.loads(line) for line in said.splitlines()]


@pytest.fixture
def letters(tmp_path: Path) -> list[Path]:
    """Two small letters."""
    paths = [tmp_path / f"brief-{number}-{new_id()}.png" for number in range(2)]
    for number, path in enumerate(paths):
        path.write_bytes(papers.png(f"Brief Nummer {number}"))
    return paths


def test_two_at_once_both_end_though_only_one_works_at_first(
    tmp_path: Path, letters: list[Path]
) -> None:
    data = tmp_path / "data"
    both = [_receive(data, letter) for letter in letters]
    for process in both:
        rows = _ended(process)
        assert {row["standing"] for row in rows} == {"done"}


def test_when_the_only_worker_dies_the_one_who_waits_takes_over(
    tmp_path: Path, letters: list[Path]
) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-m", "ingest", "--data", str(data), "work"]
    worker = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=_ENVIRONMENT)
    lock = data / ".workers.lock"
    for _ in range(300):
        if lock.exists():
            break
        time.sleep(0.1)
    waiting = _receive(data, letters[0])
    worker.kill()
    worker.wait()
    assert {row["standing"] for row in _ended(waiting)} == {"done"}
