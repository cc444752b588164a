"""Two worker processes against one, beside two bare engines against one.

The machine's second core is rarely worth a whole one (shared caches, clock, neighbours).
What the product can be blamed for is only the share of the bare engines' gain that it does
not reach. The pages arrive as letters of one page, as a day's post does: of a single long
document the end (composition, note, seal) is the work of one process. All four are measured
in the same run, alternating. Target: at least 0.95.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path

from PIL import Image

from bench.large_file import write_pages
from bench.running import Run, count, until


def _bare(path: Path, numbers: list[int]) -> None:
    from ingest.content.raster import open_frame
    from ingest.document import SourceKind
    from workers.recognition.engine import open_engine

    engine = open_engine(("deu",))
    for number in numbers:
        frame = open_frame(path, SourceKind.TIFF, number, max_pixels=150_000_000)
        engine.read(frame.pixels, 300)


def bare(path: Path, pages: int, processes: int) -> float:
    """Return wall seconds of `processes` bare engines for all pages."""
    context = multiprocessing.get_context("spawn")
    shares = [list(range(start, pages, processes)) for start in range(processes)]
    workers = [context.Process(target=_bare, args=(path, share)) for share in shares]
    begun = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - begun


def product(path: Path, pages: int, processes: int) -> float:
    """Return wall seconds from the first letter's capture to the last one's delivery.

    The ledger's file is looked at directly: asking the command line four times a second
    would cost a good part of a core itself.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        (data / "inbox").mkdir()
        with Image.open(path) as stack:
            for number in range(pages):
                stack.seek(number)
                stack.save(
                    data / "inbox" / f"letter-{number}.tif",
                    compression="group4",
                    dpi=(300, 300),
                )
        run = Run(data, {"SCANSTRASSE_WORKERS__PROCESSES": str(processes)})
        run.start()
        until(lambda: count(data, "SELECT count(*) FROM document") > 0, 600, pause=0.1)
        begun = time.perf_counter()
        delivered = "SELECT count(*) FROM document WHERE stage = 'delivered'"
        until(lambda: count(data, delivered) >= pages, 3600, pause=0.1)
        ended = time.perf_counter()
        run.stop()
    return ended - begun


def main() -> None:
    """Alternate the four and print the medians and the ratio of gains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    taken: dict[str, list[float]] = {"bare 1": [], "bare 2": [], "product 1": [], "product 2": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stack.tif"
        write_pages(path, arguments.pages)
        for _ in range(arguments.rounds):
            taken["bare 1"].append(bare(path, arguments.pages, 1))
            taken["product 1"].append(product(path, arguments.pages, 1))
            taken["bare 2"].append(bare(path, arguments.pages, 2))
            taken["product 2"].append(product(path, arguments.pages, 2))
    median = {name: statistics.median(values) for name, values in taken.items()}
    for name, value in median.items():
        print(f"{name:<10}{value:8.1f} s wall, {value / arguments.pages:.2f} s a page")
    bare_gain = median["bare 1"] / median["bare 2"]
    product_gain = median["product 1"] / median["product 2"]
    print(
        f"gain bare {bare_gain:.2f}, product {product_gain:.2f}, "
        f"ratio {product_gain / bare_gain:.2f} (target 0.95)"
    )


if __name__ == "__main__":
    main()
