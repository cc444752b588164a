"""What handing over scanned pages over HTTP costs, beside writing the same bytes to the same disk.

    python -m bench.upload [--pages 60] [--folder DIR]

bare   write, fsync, rename, fsync of the folder
http   a station's `append` to a `scanstrasse serve` of its own on loopback, without TLS: the page
       is read from the station's spool, and is durable and committed when it returns

A page is an A4 page in grey at 300 dpi as TIFF, 8.7 MB that no compression makes smaller. Every
page goes both ways in turn, because a shared disk changes its mind from second to second. CPU is
that of station and server together.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import socket
import statistics
import subprocess  # noqa: TID251 - a bench starts the product from outside
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from ingest import clock
from ingest.ledger import open_ledger, stations
from scanners.device import Device, PageFacts, ScannedPage, ScanSettings
from scanners.stack import Closing, KnownPage, Opening, StackPage, Unavailable
from scanners.station.house import HttpHouse

_WIDTH, _HEIGHT = 2480, 3508
_HEAD = b"II*\0" + b"\0" * 252
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_of(pid: int) -> int:
    """Return the most memory that a process has held, bytes."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[HttpHouse, int]]:
    """Start a server with a fresh installation; yield it as a station sees it, and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    data.mkdir()
    url = f"sqlite:///{data / 'ledger.sqlite'}"
    with contextlib.closing(open_ledger(url)) as ledger, ledger.writing() as connection:
        token = stations.add(connection, "default", "platz-1", by="ADM")
    environment = os.environ | {"SCANSTRASSE_UPLOAD__PORT": str(port)}
    command = [sys.executable, "-m", "ingest", "--data", str(data), "serve"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        house = HttpHouse(f"http://127.0.0.1:{port}", token)
        try:
            while True:
                with contextlib.suppress(Unavailable):
                    house.profiles()
                    break
                if process.poll() is not None:
                    sys.exit("the server does not start")
                time.sleep(0.1)
            yield house, process.pid
        finally:
            process.terminate()


def opening() -> Opening:
    """Return a new stack."""
    return Opening(
        key=str(uuid.uuid4()),
        profile="posteingang",
        operator=None,
        station=None,
        device=Device(id="bench:0", driver="bench", vendor="", model="none"),
        settings=ScanSettings(),
        effective={},
        opened_at=clock.now(),
    )


def spooled(folder: Path, number: int) -> tuple[StackPage, bytes]:
    """Write a page as a driver leaves it, synced, and return it with its bytes."""
    content = _HEAD + os.urandom(_WIDTH * _HEIGHT)
    path = folder / f"{number:06}.tif"
    path.write_bytes(content)
    os.sync()
    moment = clock.now()
    facts = PageFacts(
        number=number,
        sheet=(number + 1) // 2,
        side="front" if number % 2 else "back",
        width=_WIDTH,
        height=_HEIGHT,
        dpi=300,
        mode="grey",
        depth=8,
        began_at=moment,
        finished_at=moment,
    )
    sha256 = hashlib.sha256(content).hexdigest()
    page = ScannedPage(
        path=path, media_type="image/tiff", sha256=sha256, size=len(content), facts=facts
    )
    return StackPage(page=page), content


def bare(folder: Path, name: str, content: bytes) -> None:
    """Write a file durably with nothing but system calls."""
    temporary = folder / f".{name}"
    with temporary.open("wb", buffering=0) as target:
        target.write(content)
        os.fsync(target.fileno())
    temporary.rename(folder / name)
    above = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(above)
    os.close(above)


def measure(above: Path, pages: int) -> None:
    """Hand over a stack, and print what it cost."""
    walls: dict[str, list[float]] = {"bare": [], "http": []}
    cpus = {"bare": 0.0, "http": 0.0}
    with tempfile.TemporaryDirectory(dir=above) as name:
        folder = Path(name)
        for part in ("spool", "bare"):
            (folder / part).mkdir()
        with serving(folder) as (house, server):
            said, taken = opening(), []
            house.open(said)
            for number in range(1, pages + 1):
                page, content = spooled(folder / "spool", number)
                wall, cpu = time.perf_counter(), time.process_time()
                bare(folder / "bare", page.page.path.name, content)
                walls["bare"].append(time.perf_counter() - wall)
                cpus["bare"] += time.process_time() - cpu
                wall, cpu = time.perf_counter(), time.process_time() + cpu_of(server)
                house.append(said.key, page)
                walls["http"].append(time.perf_counter() - wall)
                cpus["http"] += time.process_time() + cpu_of(server) - cpu
                taken.append(KnownPage(number=number, attempt=1, sha256=page.page.sha256))
                page.page.path.unlink()
            closing = Closing(
                pages=tuple(taken),
                sheets=(pages + 1) // 2,
                interruptions=(),
                closed_at=clock.now(),
            )
            house.close(said.key, closing)
            peak = peak_of(server)
    reference = sum(walls["bare"])
    for way, found in walls.items():
        total = sum(found)
        print(
            f"{way:5} {pages / total:6.1f} pages/s  median {statistics.median(found) * 1000:6.1f} "
            f"ms  cpu {cpus[way] / pages * 1000:5.1f} ms/page  of bare {total / reference:5.2f}"
        )
    print(f"server at most {peak / 1e6:.0f} MB resident")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    asked = parser.parse_args()
    measure(asked.folder, asked.pages)


if __name__ == "__main__":
    main()
