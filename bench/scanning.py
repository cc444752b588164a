"""What driving a scanner costs beside `scanimage`, and how much memory a large stack takes.

    python -m bench.scanning [--rounds 5] [--pages 1000] [--folder DIR]

The device is SANE's own `test` backend: a feeder of ten sheets, A4, 300 dpi, grey, 8.7 MB a page.

cost     CPU of a stack of ten pages until each is durable and digested, ours (child and parent,
         the start of Python included) against `scanimage --batch` to TIFF, in turn. Target: at
         most 3 times as much a page.
memory   Largest resident size of child and parent in a stack of `--pages`, which are 500 sheets
         from both sides. The backend fills its feeder again when it was told that it is empty, so
         the child asks once more then, in one session on one open device; each page is removed
         when it came. Target: at most 150 MB.
delay    From a page being durable in the child to its being seen in the parent. Target: 0.5 s.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess  # noqa: TID251 - a bench starts the program it compares with
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typing_extensions import override

from ingest import clock
from scanners.device import Feed, Mode, ScanSettings, Spool
from scanners.device.telling import Telling, converse
from scanners.sane import SaneDriver, ScanimageDriver
from scanners.sane.abi import SaneFault, Status
from scanners.sane.child import Opened, opening
from scanners.sane.library import Handle

SETTINGS = ScanSettings(mode=Mode.GREY, dpi=300, feed=Feed.FEEDER)
_PAGES = "BENCH_SCANNING_PAGES"
_STACK = 10


def configure(folder: Path) -> dict[str, str]:
    """Write a configuration with the `test` backend alone; return what the environment needs."""
    folder.mkdir()
    (folder / "dll.conf").write_text("test\n")
    (folder / "test.conf").write_text(
        "number_of_devices 1\ngeometry_max 300.0\nbr_x 210.0\nbr_y 297.0\nresolution 300\n"
        'test-picture "Grid"\n'
    )
    return {"SANE_CONFIG_DIR": str(folder)}


def by_scanimage(folder: Path, environment: dict[str, str]) -> None:
    """Scan a stack with the program."""
    command = ["scanimage", "-d", "test:0", "--source=Automatic Document Feeder", "--mode=Gray"]
    command += ["--resolution=300", "--format=tiff", f"--batch={folder}/p%04d.tif"]
    done = subprocess.run(
        command, env=os.environ | environment, check=False, stderr=subprocess.DEVNULL
    )
    assert done.returncode == 0


def by_driver(driver: SaneDriver | ScanimageDriver, folder: Path) -> None:
    """Scan a stack with a driver."""
    with driver.open("test:0", SETTINGS, Spool(folder)) as session:
        assert len(list(session.pages())) == _STACK


def spent() -> float:
    """Return CPU seconds of this process and of its children that ended."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, whose))


def cost(above: Path, rounds: int) -> None:
    """Print the CPU of a stack each way; all ways in turn, on the same disk."""
    environment = configure(above / "sane")
    ways: dict[str, Callable[[Path], None]] = {
        "scanimage": lambda folder: by_scanimage(folder, environment),
        "library": lambda folder: by_driver(SaneDriver(environment=environment), folder),
        "program": lambda folder: by_driver(ScanimageDriver(environment=environment), folder),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory(dir=above) as folder:
                wall, cpu = time.perf_counter(), spent()
                way(Path(folder))
                found[name].append((time.perf_counter() - wall, spent() - cpu))
    least = statistics.median(cpu for _, cpu in found["scanimage"])
    for name, costs in found.items():
        wall = statistics.median(wall for wall, _ in costs) / _STACK
        cpu = statistics.median(cpu for _, cpu in costs)
        print(
            f"cost    {name:10} CPU {cpu / _STACK * 1000:5.1f} ms a page, "
            f"against scanimage {cpu / least:4.2f} (target 3)  wall {wall * 1000:5.1f} ms a page"
        )


class Refilled(Handle):
    """A feeder that somebody fills again as soon as it is empty, until the stack is through."""

    @override
    def start(self) -> None:
        try:
            super().start()
        except SaneFault as error:
            if error.status is not Status.NO_DOCS:
                raise
            super().start()


class Long(Opened):
    """A stack of more sheets than the backend has."""

    @override
    def pages(self) -> Iterator[Any]:
        self.stack.handle.__class__ = Refilled
        for page in self.stack.pages():
            yield page
            if page.facts.number == int(os.environ[_PAGES]):
                return


@contextmanager
def lengthened(request: dict[str, Any], telling: Telling) -> Iterator[Long]:
    """Open as the product does."""
    with opening(request, telling) as opened:
        yield Long(opened.told, opened.effective, opened.stack)


def memory(above: Path, pages: int) -> None:
    """Print peaks and delays of a long stack."""
    environment = configure(above / "long") | {_PAGES: str(pages)}
    driver = SaneDriver(child="bench.scanning", environment=environment)
    delays, child, began, cpu = [], 0, time.perf_counter(), spent()
    with driver.open("test:0", SETTINGS, Spool(above / "spool")) as session:
        for page in session.pages():
            delays.append((clock.now() - page.facts.finished_at).total_seconds())
            child = max(child, peak(session.pid))
            page.path.unlink()
    seconds = time.perf_counter() - began
    parent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert len(delays) == pages
    print(
        f"memory  {pages} pages  child {child / 1e6:.0f} MB  parent {parent / 1e6:.0f} MB  "
        f"together {(child + parent) / 1e6:.0f} MB (target 150)"
    )
    print(
        f"delay   first {delays[0] * 1000:.1f} ms  median {statistics.median(delays) * 1000:.1f} ms"
        f"  largest {max(delays) * 1000:.1f} ms (target 500)"
    )
    print(
        f"pace    {pages / seconds:.1f} pages a second, durable one by one, "
        f"CPU {(spent() - cpu) / pages * 1000:.1f} ms a page"
    )


def peak(pid: int) -> int:
    """Return the largest resident size that a process ever had, bytes; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def main() -> None:
    """Measure and print, or be the child of a long stack."""
    if _PAGES in os.environ:
        converse(lambda request, telling: telling.scan(request, lengthened))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        memory(Path(folder), asked.pages)
        cost(Path(folder), asked.rounds)


if __name__ == "__main__":
    main()
