"""Throw bytes at a door for a given time, in child processes with a memory limit.

    python -m tests.fuzz.fuzz_image --seconds 600

With atheris (dependency group `fuzz`) the mutations follow the coverage of the project's and
Pillow's Python code; without it they are blind. Every kind of finding is kept once in `--out`:
exceptions by type and place, crashes, hangs over 30 s and more than 2 GB as libFuzzer's artifacts.
Exit code 1 if there is any.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import random
import re
import resource
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
_ADDRESSES: Final = 8 * 1024**3
_RESIDENT_MB: Final = 2048
_HANGS: Final = 30
#: Executions of one child: the fuzzer's own bookkeeping grows by half a megabyte each.
_RUNS: Final = 2000


def main(door: str) -> int:
    """Run the door named `door` (`image` or `pdf`) as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--out", type=Path, default=ROOT / ".fuzz" / door)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return _child(door, given.seconds, given.out)
    return _parent(door, given.seconds, given.out)


def _parent(door: str, seconds: int, out: Path) -> int:
    """Start children until the time is over; a child that dies has found something."""
    out.mkdir(parents=True, exist_ok=True)
    end, executions, deaths, child = time.monotonic() + seconds, 0, 0, 0
    while (left := int(end - time.monotonic())) > 0:
        command = [
            sys.executable,
            "-m",
            f"tests.fuzz.fuzz_{door}",
            "--child",
            "--seconds",
            str(left),
        ]
        log, child = out / f"log-{child}.txt", child + 1
        with log.open("wb") as stream:
            code = subprocess.run(
                [*command, "--out", str(out)], stdout=stream, stderr=stream, check=False, cwd=ROOT
            ).returncode
        counted = re.findall(
            rb"(?:number_of_executed_units: |^#)(\d+)", log.read_bytes(), re.MULTILINE
        )
        executions += max(map(int, counted), default=0)
        deaths += code != 0
        if code != 0 and not counted:
            print(log.read_text(encoding="utf-8", errors="replace")[-2000:])
            return 1
    found = sorted(path.name for path in out.glob("finding-*.json"))
    died = sorted(path.name for path in out.glob("[clot]*-*") if not path.name.startswith("log"))
    print(f"{door}: {executions} executions, {deaths} ended by a crash, hang or memory limit")
    print(f"exceptions: {found}\nartifacts: {died}")
    return 1 if found or died or deaths else 0


def _child(door: str, seconds: int, out: Path) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        return _blind(door, seconds, out)
    with atheris.instrument_imports(include=["ingest.content", "workers.recognition", "PIL"]):
        fuzzing = _doors()
    seeds = _seeded(out / "seeds", getattr(fuzzing, f"{door}_seeds")())
    target = getattr(fuzzing, f"{door}_door")
    grown = out / "corpus"
    grown.mkdir(exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-runs={_RUNS}",
        f"-max_len={fuzzing.LARGEST}",
        f"-rss_limit_mb={_RESIDENT_MB}",
        f"-timeout={_HANGS}",
        f"-artifact_prefix={out}/",
        "-print_final_stats=1",
        "-len_control=0",
    ]
    atheris.Setup(
        [sys.argv[0], *options, str(grown), str(seeds)], lambda data: _once(target, data, out)
    )
    atheris.Fuzz()
    return 0


def _doors() -> Any:
    """Import late: instrumented, and with the checkout on the path."""
    return importlib.import_module("tests.plugins.fuzzing")


def _blind(door: str, seconds: int, out: Path) -> int:
    fuzzing = _doors()
    target = getattr(fuzzing, f"{door}_door")
    seeds = list(getattr(fuzzing, f"{door}_seeds")())
    chance, end, count = random.Random(), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        _once(target, fuzzing.mutated(chance.choice(seeds), chance), out)
        count += 1
    print(f"stat::number_of_executed_units: {count}")
    return 0


def _seeded(folder: Path, seeds: Iterable[bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for seed in seeds:
        (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    return folder


def _once(target: Callable[[bytes], None], data: bytes, out: Path) -> None:
    """Run the target; keep the first input of each kind of exception and go on."""
    try:
        target(data)
    except Exception as error:  # noqa: BLE001 - whatever comes out is the finding
        place = traceback.extract_tb(error.__traceback__)[-1]
        name = f"finding-{type(error).__name__}-{Path(place.filename).stem}-{place.lineno}"
        if not (out / f"{name}.json").exists():
            (out / f"{name}.bin").write_bytes(data)
            told = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
            (out / f"{name}.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
