"""Blank pages: none with anything on it may count as blank, few blank ones may not.

Prints how many pages of each kind the detector of the product calls blank, and what a look at
a page costs. Exit code 1 when a single written page counts as blank.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.blank_pages import (
    BARE,
    BLANK,
    MODES,
    PAPERS,
    RESOLUTIONS,
    WRITTEN,
    Pixels,
    blank,
    is_on_image,
    stands_out,
    written,
)
from workers.separation.blanks import count_marks


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One page: what is on it, on which paper, and how it was captured."""

    kind: str
    paper: str
    mode: str
    dpi: int
    is_blank: bool
    pixels: Pixels
    shown: bool = True  #: False where a bitonal capture drops most of what is written


def samples(seeds: range) -> Iterator[Sample]:
    """Yield every kind on every paper in every capture, once for each seed."""
    for seed in seeds:
        for dpi in RESOLUTIONS:
            for mode in MODES:
                yield from _of_capture(seed, dpi, mode)


def _of_capture(seed: int, dpi: int, mode: str) -> Iterator[Sample]:
    for paper in PAPERS:
        for kind in [each for each in WRITTEN if stands_out(each, paper)]:
            page = written(kind, paper, dpi, mode, seed)
            yield Sample(
                kind=kind,
                paper=paper,
                mode=mode,
                dpi=dpi,
                is_blank=False,
                pixels=page,
                shown=is_on_image(kind, paper, mode),
            )
    for paper in BARE:
        for kind in BLANK:
            if paper == BARE[0] or not kind.startswith("bleed"):
                page = blank(kind, paper, dpi, mode, seed)
                yield Sample(kind=kind, paper=paper, mode=mode, dpi=dpi, is_blank=True, pixels=page)


def main() -> int:
    """Measure and print; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="name every page decided wrongly")
    asked = parser.parse_args()
    counts: dict[tuple[bool, str, str], list[int]] = {}
    seconds: list[float] = []
    dropped: list[bool] = []
    for sample in samples(range(asked.first_seed, asked.first_seed + asked.seeds)):
        begun = time.process_time()
        marks = count_marks(sample.pixels, (sample.dpi, sample.dpi))
        seconds.append(time.process_time() - begun)
        if not sample.shown:
            dropped.append(marks == 0)
            continue
        entry = counts.setdefault((sample.is_blank, sample.kind, sample.mode), [0, 0])
        entry[0] += marks == 0
        entry[1] += 1
        if asked.list and (marks == 0) != sample.is_blank:
            print(f"  {sample.kind} | {sample.paper} | {sample.mode} {sample.dpi}: {marks}")
    for is_blank, title in ((False, "written pages"), (True, "blank pages")):
        print(f"\n| {title}: called blank / pages | {' | '.join(MODES)} |\n|---|---|---|---|")
        for kind in dict.fromkeys(kind for blank_, kind, _ in counts if blank_ is is_blank):
            cells = ["{}/{}".format(*counts.get((is_blank, kind, m), ("–", 0))) for m in MODES]
            print(f"| {kind} | {' | '.join(cells)} |")
    false = sum(found for (is_blank, _, _), (found, _) in counts.items() if not is_blank)
    missed = sum(n - found for (is_blank, _, _), (found, n) in counts.items() if is_blank)
    total = {b: sum(n for (is_, _, _), (_, n) in counts.items() if is_ is b) for b in (False, True)}
    print(
        f"\nfalse blanks {false} of {total[False]}, blanks not recognised {missed} of {total[True]}"
    )
    print(
        f"too faint for a bitonal capture, not counted above: {sum(dropped)} of {len(dropped)}"
        " called blank"
    )
    print(f"CPU a page: median {statistics.median(seconds):.3f} s, most {max(seconds):.3f} s")
    return 1 if false else 0


if __name__ == "__main__":
    sys.exit(main())
