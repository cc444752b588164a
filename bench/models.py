"""What choosing the models page by page costs, and the memory of a worker that holds them all.

Every page of the archive's groups is read twice: with all sets of models that the profile names,
as in operation, and with the one set alone that was chosen for it. Target: 1.2 times the cost
of one set. The resident size at the end is that of a process that has read all pages with all of
them (target for a worker: 300 MB).
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections import defaultdict
from pathlib import Path

import cv2

import profiles
from bench.accuracy import corpus_pages
from ingest.content import kind_of
from ingest.content.raster import Frame, open_frame
from ingest.settings import Settings
from workers.recognition.engine import Engines, open_engines
from workers.recognition.reading import Recognised, recognise
from workers.separation.skew import measure_skew
from workers.separation.views import Views


def archive_pages(most: int) -> dict[str, list[Path]]:
    """Return up to `most` pages of each group of old print."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for path in corpus_pages():
        name = path.parent.name
        if ("fraktur" in name or "antiqua" in name) and len(groups[name]) < most:
            groups[name].append(path)
    return groups


def timed(frame: Frame, engines: Engines, skew: float | None) -> tuple[float, Recognised]:
    """Read a page; return CPU seconds and what came of it."""
    begun = time.process_time()
    found = recognise(
        frame.pixels,
        frame.dpi,
        engines,
        skew=skew,
        most_pixels=Settings().workers.recognition_pixels,
    )
    return time.process_time() - begun, found


def main() -> None:
    """Read, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=6, help="of each group")
    parser.add_argument("--profile", default="archiv-fraktur")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
    cv2.setNumThreads(1)
    rules = profiles.load(arguments.profile).profile.recognition
    engines = open_engines(rules.languages, rules.alternatives, rules.fallbacks)
    ratios = []
    for group, pages in archive_pages(arguments.pages).items():
        sums = [0.0, 0.0]
        chosen: dict[str, int] = defaultdict(int)
        for path in pages:
            frame = open_frame(path, kind_of(path), 0, max_pixels=10**9, grey=True)
            skew = measure_skew(Views(frame).depth)
            seconds, found = timed(frame, engines, skew)
            alone, _ = timed(frame, open_engines(found.models), skew)
            sums = [sums[0] + seconds, sums[1] + alone]
            ratios.append(seconds / alone)
            chosen["+".join(found.models)] += 1
        told = ", ".join(f"{name} {count}" for name, count in chosen.items())
        print(f"{group:32} {len(pages)} pages: {sums[0] / sums[1]:.2f} x one set alone; {told}")
    if ratios:
        print(f"all pages: median {statistics.median(ratios):.2f}, most {max(ratios):.2f}")
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"resident at most: {resident:.0f} MB with {len(engines.by_models)} sets of models")


if __name__ == "__main__":
    main()
