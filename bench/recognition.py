"""CPU seconds a page against the engine's own limit, and against OCRmyPDF on the same files.

The limit L is `Recognize()` of a warm Tesseract on the decoded page, with the same models and its
settings as they come, one thread. Three things are compared with it in alternating rounds over the
modern pages of the corpus folder (`SCANSTRASSE_CORPUS`), or over made letters where there is none:

- page to PDF/A: recognition and composition, from the stored bytes to the validated file
  (target 1.10 L, wished below 1.0);
- the whole way: accept, all steps with note and the installation's seal, delivery (target 1.25 L);
- `ocrmypdf -l deu --output-type pdfa`, one file at a time (the whole way's target: 0.45 of it).

What examination costs a page (codes, blank, skew and the other looks) has a target of its own,
0.25 s. Sizes are those of the composed PDF against the images in it: 1.03 times and 4 kB a page.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tesserocr

import profiles
from bench.accuracy import corpus_pages
from bench.peer import ocrmypdf
from bench.way import Meter
from console.samples import letter_pages
from console.samples.files import write_jpeg
from ingest.content import kind_of
from ingest.content.raster import open_frame
from ingest.document import Queue, Step
from ingest.ledger import open_ledger
from ingest.pipeline import Pipeline
from ingest.settings import FolderSettings, Settings
from ingest.store import open_store
from scanners.folder import FolderChannel
from workers.exhaustion import EXHAUSTED
from workers.recognition.engine import tessdata
from workers.sealing import ensure_installation_key

_GROUP = "modern_printscan_sim"


def gather(folder: Path, count: int) -> list[Path]:
    """Return the pages to be measured."""
    pages = [path for path in corpus_pages() if path.parent.name == _GROUP][:count]
    for number in range(0 if pages else count):
        (page,) = letter_pages(number, skew=0.4, noise=3.0)
        path = folder / f"letter-{number}.jpg"
        write_jpeg(path, page)
        pages.append(path)
    return pages


def limit(engine: Any, pages: Sequence[Path]) -> float:
    """Return the CPU seconds of `Recognize()` alone, all pages together."""
    total = 0.0
    for path in pages:
        frame = open_frame(path, kind_of(path), 0, max_pixels=10**9)
        plain = np.ascontiguousarray(frame.pixels)
        channels = plain.size // (frame.width * frame.height)
        engine.SetImageBytes(
            plain.tobytes(), frame.width, frame.height, channels, channels * frame.width
        )
        engine.SetSourceResolution(round(max(frame.dpi)))
        begun = time.process_time()
        engine.Recognize()
        total += time.process_time() - begun
        engine.Clear()
        engine.ClearAdaptiveClassifier()
    return total


def way(pages: Sequence[Path]) -> tuple[dict[str, float], list[tuple[int, int]]]:
    """Take all pages through the whole way; return CPU seconds by step, `all` being everything.

    Also the sizes of each composed PDF and of the file it came from.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), folder=FolderSettings(settle_seconds=0.0))
        settings.inbox("default").mkdir(parents=True)
        ensure_installation_key(settings.keys)
        for number, path in enumerate(pages):
            shutil.copyfile(path, settings.inbox("default") / f"{number:03}{path.suffix}")
        ledger, store = open_ledger(settings.ledger_address()), open_store(settings)
        meter = Meter(settings)
        try:
            channel = FolderChannel(
                settings, "default", ledger, store, profiles, lambda _queue: None
            )
            pipeline = Pipeline(
                ledger=ledger, perform=meter, settings=settings, worker="b", exhausted=EXHAUSTED
            )
            begun, accepted = time.process_time(), 0
            while accepted < len(pages):
                accepted += channel.pass_once().accepted
            while pipeline.advance(tuple(Queue)):
                pass
            spent = {"all": time.process_time() - begun}
        finally:
            ledger.close()
        spent |= {str(step): sum(seconds) for step, seconds in meter.seconds.items()}
        delivered = sorted(settings.outbox("default").rglob("*.pdf"))
        assert len(delivered) == len(pages), f"{len(delivered)} of {len(pages)} delivered"
        return spent, meter.sizes


def main() -> None:
    """Alternate the sides and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-peer", action="store_true")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
    cv2.setNumThreads(1)  # as in the children of the product
    with tempfile.TemporaryDirectory() as folder:
        pages = gather(Path(folder), arguments.pages)
        measure(pages, arguments.rounds, Path(folder), peer=not arguments.no_peer)


def measure(pages: Sequence[Path], rounds: int, folder: Path, *, peer: bool) -> None:
    """Run the rounds; the first, which warms up, does not count."""
    models = profiles.load("posteingang").profile.recognition.languages
    engine = tesserocr.PyTessBaseAPI(
        path=str(tessdata()),
        lang="+".join(models),
        psm=tesserocr.PSM.AUTO,
        oem=tesserocr.OEM.LSTM_ONLY,
    )
    found: dict[str, list[float]] = {}
    sizes: list[tuple[int, int]] = []
    for number in range(rounds + 1):
        ours, sizes = way(pages)
        values = {"L": limit(engine, pages), **ours}
        values["page to PDF/A"] = ours[Step.RECOGNITION] + ours[Step.COMPOSITION]
        if peer and number:
            values["OCRmyPDF"] = sum(
                ocrmypdf(path, folder, "deu", 300 if path.suffix == ".tif" else 200)[1]
                for path in pages
            )
        for name, value in values.items() if number else ():
            found.setdefault(name, []).append(value / len(pages))
    report(found, "+".join(models), len(pages), rounds)
    names = {path.stat().st_size: path.name for path in pages}
    over = {image: written for written, image in sizes if written > 1.03 * image + 4096}
    print(f"larger than 1.03 x image + 4 kB: {len(over)} of {len(sizes)}")
    for image, written in sorted(over.items()):
        print(f"  {names[image]}: {written - image - 0.03 * image - 4096:.0f} bytes over the bound")


def report(found: dict[str, list[float]], models: str, pages: int, rounds: int) -> None:
    """Print medians over the rounds, and ratios to L and to the peer round by round."""
    print(f"{pages} pages, {rounds} rounds, models {models}; CPU seconds a page, medians")
    for name, values in found.items():
        ratios = [value / base for value, base in zip(values, found["L"], strict=True)]
        print(f"{name:15} {statistics.median(values):7.3f}   {statistics.median(ratios):6.3f} L")
    if "OCRmyPDF" in found:
        ratios = [a / b for a, b in zip(found["all"], found["OCRmyPDF"], strict=True)]
        print(f"whole way / OCRmyPDF -l deu: {statistics.median(ratios):.3f} (target 0.45)")


if __name__ == "__main__":
    main()
