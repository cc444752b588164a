"""A letter moved into an idle system: how long until it lies at its desk.

Target: delivered within quiet time + recognition + 2 s. Recognition is measured in the same
run as a bare warm engine on the same page; letters alternate with it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from bench.running import Run, until
from console.samples import write_letter_image
from ingest.content.raster import open_frame
from ingest.document import SourceKind
from ingest.settings import FolderSettings
from workers.recognition.engine import open_engine

_MAX_PIXELS = 150_000_000


def main() -> None:
    """Move letters one by one and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=7)
    arguments = parser.parse_args()
    engine = open_engine(("deu",))
    taken, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        inbox = data / "inbox"
        inbox.mkdir()
        run = Run(data)
        run.start()
        for number in range(arguments.letters + 1):
            waiting = data / f"letter-{number}.jpg"
            write_letter_image(waiting, seed=100 + number)
            frame = open_frame(waiting, SourceKind.JPEG, 0, max_pixels=_MAX_PIXELS)
            begun = time.perf_counter()
            engine.read(frame.pixels, 300)
            bare.append(time.perf_counter() - begun)
            time.sleep(3)  # the system has come to rest
            taken.append(_delivered(waiting, inbox, data / "outbox"))
        run.stop()
    _report(taken[1:], bare[1:])


def _delivered(letter: Path, inbox: Path, outbox: Path) -> float:
    begun = time.perf_counter()
    letter.rename(inbox / letter.name)
    pattern = f"*/{letter.stem}-*.ready"
    if not until(lambda: any(outbox.glob(pattern)), 120, pause=0.02):
        message = f"{letter.name} was not delivered"
        raise RuntimeError(message)
    return time.perf_counter() - begun


def _report(taken: list[float], bare: list[float]) -> None:
    quiet = FolderSettings().settle_seconds
    whole, recognition = statistics.median(taken), statistics.median(bare)
    print(f"moved to delivered, median {whole:.2f} s; worst {max(taken):.2f} s")
    print(f"quiet time {quiet:.1f} s, bare recognition {recognition:.2f} s")
    print(f"the rest: {whole - quiet - recognition:.2f} s (target 2.0)")


if __name__ == "__main__":
    main()
