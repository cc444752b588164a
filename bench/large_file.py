"""A file of hundreds of pages: memory of the largest process, and what a kill costs.

A TIFF of 340 pages at 300 dpi goes through the inbox; half-way everything is killed with
kill -9 and started again. Targets: no process above 400 MB resident; at most one page per
worker is recognised a second time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageDraw

from bench.running import Run, count, until
from console.samples import letter_pages

_DISTINCT = 8


def main() -> None:
    """Make the file, run, kill, run again, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=340)
    parser.add_argument("--hours", type=float, default=1.5, help="give up after this long")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        inbox = data / "inbox"
        inbox.mkdir()
        write_pages(data / "large.tif", arguments.pages)
        (data / "large.tif").rename(inbox / "large.tif")
        measure(data, arguments.pages, arguments.hours * 3600)


def write_pages(path: Path, count: int) -> None:
    """Write a Group 4 TIFF of `count` different pages."""
    letters = [
        page.convert("1", dither=Image.Dither.NONE)
        for seed in range(_DISTINCT)
        for page in letter_pages(seed + 1, 1)
    ]

    def numbered(number: int) -> Image.Image:
        page = letters[number % _DISTINCT].copy()
        ImageDraw.Draw(page).text((100, 60), f"Blatt {number + 1}", fill=0)
        return page

    rest = (numbered(number) for number in range(1, count))
    numbered(0).save(path, save_all=True, append_images=rest, compression="group4", dpi=(300, 300))


def measure(data: Path, pages: int, seconds: float) -> None:
    """Run until half is recognised, kill, run to the end, print the figures."""
    begun = time.monotonic()
    run = Run(data, {"SCANSTRASSE_WORKERS__LEASE_SECONDS": "10"})
    run.start()

    def recognised() -> int:
        run.watch_memory()
        return count(data, "SELECT count(*) FROM page WHERE words_sha256 IS NOT NULL")

    until(lambda: recognised() >= pages // 2, seconds)
    before = recognised()
    run.kill()
    again = Run(data, run.settings, peak=run.peak)
    again.start()

    def delivered() -> bool:
        again.watch_memory()
        return count(data, "SELECT count(*) FROM document WHERE stage = 'delivered'") > 0

    ended = until(delivered, seconds)
    cpu = again.stop()
    repeated = count(
        data,
        "SELECT count(*) FROM event_payload JOIN event USING (chain, seq) WHERE kind ="
        " 'page_recognised' AND CAST(json_extract(payload, '$.attempt') AS INTEGER) > 1",
    )
    print(f"pages {pages}, delivered {ended}, killed after {before} recognised pages")
    print(f"pages recognised again after the kill: {repeated}")
    print(f"largest resident size of any process: {again.peak / 1e6:.0f} MB (target 400)")
    print(f"CPU after the restart {cpu:.0f} s, wall in all {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
