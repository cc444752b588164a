"""Whether acceptance brakes the feeder: from SANE's `test` backend durably into the ledger.

    python -m bench.feeding [--pages 200] [--folder DIR]

bare   write and fsync of the same bytes, one file a page, half before and half after
way    driver in its child, spool, digest, journal, store and ledger, until the stack is received:
       what `scan` does, with a ledger and a store on the same disk. Target: at most twice bare,
       and at least 7 pages a second.
seen   from a page being durable in the child to its being told to whoever watches. Target: 0.5 s.

The device delivers A4 in grey at 300 dpi, 8.7 MB a page, as fast as it is read; see
`bench.scanning` for how its feeder holds more than ten sheets. Its own work, about a quarter of
the CPU, is part of `way` and not of `bare`.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

from bench.scanning import SETTINGS, configure, peak, spent
from ingest import clock
from ingest.ledger import open_ledger
from ingest.store import FolderStore
from scanners.device import Session
from scanners.direct import DirectHouse, Workplace
from scanners.sane import SaneDriver
from scanners.stack import OfferedProfile
from scanners.stack.desk import Desk
from scanners.stack.run import Event, Opener, Order

_PAGE = 2480 * 3507


def bare(folder: Path, pages: int) -> float:
    """Write and sync pages; return the seconds."""
    folder.mkdir()
    content = os.urandom(_PAGE)
    began = time.perf_counter()
    for number in range(pages):
        with (folder / f"{number:06d}.tif").open("wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
    seconds = time.perf_counter() - began
    for file in folder.iterdir():
        file.unlink()
    return seconds


class Watched:
    """A driver whose child is looked at while it works."""

    def __init__(self, driver: Opener) -> None:
        """Look at the sessions of `driver`."""
        self._driver = driver
        self.peak = 0
        self.delays: list[float] = []
        self._session: Session | None = None

    def open(self, *arguments: object, **named: object) -> Session:
        """See `scanners.device.Driver.open`."""
        self._session = self._driver.open(*arguments, **named)  # type: ignore[arg-type]  # passed on
        return self._session

    def tell(self, event: Event) -> None:
        """Take what whoever watches is told."""
        if event.kind == "page":
            pid = getattr(self._session, "pid", os.getpid())
            self.peak = max(self.peak, peak(pid))
            finished_at = event.said["finished_at"]
            self.delays.append((clock.now() - finished_at).total_seconds())


def way(folder: Path, pages: int) -> tuple[float, float, Watched]:
    """Scan a stack into a new ledger; return seconds, CPU and what was watched."""
    environment = configure(folder / "sane") | {"BENCH_SCANNING_PAGES": str(pages)}
    driver = Watched(SaneDriver(child="bench.scanning", environment=environment))
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    house = DirectHouse(ledger, FolderStore(folder / "store"), Workplace(tenant="default"))
    desk = Desk(folder / "desk", driver, house, tell=driver.tell)
    profile = OfferedProfile(name="posteingang", title="", treatment="copying", settings=SETTINGS)
    began, cpu = time.perf_counter(), spent()
    outcome = desk.scan("test:0", Order(profile=profile))
    seconds, cpu = time.perf_counter() - began, spent() - cpu
    assert outcome.is_closed
    assert outcome.pages == pages
    ledger.close()
    return seconds, cpu, driver


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as above:
        folder = Path(above)
        half = given.pages // 2
        before = bare(folder / "before", half)
        seconds, cpu, watched = way(folder, given.pages)
        least = before + bare(folder / "after", given.pages - half)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"bare  {least / given.pages * 1000:6.1f} ms a page\n"
        f"way   {seconds / given.pages * 1000:6.1f} ms a page, {seconds / least:.2f} of bare "
        f"(target 2), {given.pages / seconds:.1f} pages/s (target 7), "
        f"CPU {cpu / given.pages * 1000:.1f} ms a page\n"
        f"peak  child {watched.peak / 1e6:.0f} MB, parent {own / 1e6:.0f} MB (target 150)\n"
        f"seen  median {statistics.median(watched.delays) * 1000:.1f} ms, "
        f"largest {max(watched.delays) * 1000:.1f} ms (target 500)"
    )


if __name__ == "__main__":
    main()
