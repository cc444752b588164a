"""What the page checks say of good pages and of spoilt copies of them.

Every picture below `pages/` and `scan_other/` of the corpus folder (`SCANSTRASSE_CORPUS`) is
examined and checked as in operation, with the thresholds of the profile `posteingang`. Good pages
should raise nothing; then each is spoilt in one way at a time, and the check concerned should
say so. Pages that fail a check as they are count as false alarms and are named.

Turned: 3 degrees and what the page had. Cut: the outer tenth of a side with text is missing.
Darkened: 0.4 of the light. Washed out: 0.22 of the contrast. Twice: moved by up to 3 mm, turned by
up to 1.2 degrees, other size, blur, tone and noise, every fourth bitonal. Double: two sheets
one behind the other, between others of the same paper.
"""

from __future__ import annotations

import datetime as dt
import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import profiles
from ingest.content import kind_of
from ingest.content.raster import Frame, Pixels, open_frame
from ingest.document import Batch, BatchStage, Envelope, Facts, Page, Source, SourceKind
from ingest.errors import ScanstrasseError
from workers.checking import pages as checks
from workers.separation.examination import examine
from workers.separation.likeness import bits, difference, ink
from workers.separation.neighbours import ALIKE, SAME, overlong
from workers.separation.skew import measure_skew
from workers.separation.views import Views

_CORPUS = Path(
    os.environ.get("SCANSTRASSE_CORPUS", Path(__file__).parents[2] / "shared" / "corpus")
)
_RULES = profiles.load("posteingang").profile.checking
_MOST_PIXELS = 150_000_000
_SOURCE = Source(
    ordinal=1, name="x", name_base64="", sha256="0" * 64, size=1, kind=SourceKind.TIFF, pages=1
)


def main() -> None:
    """Print a line a detector and degradation."""
    names, frames = zip(*_frames(), strict=True)
    facts = [examine(frame) for frame in frames]
    print(f"{len(frames)} pages")
    _good(names, facts)
    for what, spoil, expected in _WAYS:
        made = [spoilt for frame in frames if (spoilt := spoil(frame)) is not None]
        found = [_failed(examine(frame)) for frame in made]
        hits = sum(1 for failed in found if expected & failed)
        print(f"{what}: {'/'.join(sorted(expected))} {hits} of {len(made)}")
    _skews(frames, facts)
    _twice(names, frames, facts)
    _double(facts)


def _frames() -> Iterator[tuple[str, Frame]]:
    for path in sorted([*_CORPUS.glob("pages/*/*"), *_CORPUS.glob("scan_other/*")]):
        kind = kind_of(path)
        if not kind.is_image:
            continue
        try:
            frame = open_frame(path, kind, 0, max_pixels=_MOST_PIXELS)
        except ScanstrasseError:
            continue
        yield str(path.relative_to(_CORPUS)), frame


def _page(number: int, facts: Facts) -> Page:
    return Page(
        id=str(number),
        number=number,
        source=1,
        index=0,
        sha256="0" * 64,
        facts={"examination": facts},
    )


def _failed(facts: Facts) -> set[str]:
    page = (_page(1, facts),)
    found: list[Any] = []
    for check in (checks.skew, checks.cut_off, checks.exposure):
        found += check(page, _RULES)[0]
    return {check.name for check in found if not check.passed}


def _good(names: Sequence[str], facts: Sequence[Facts]) -> None:
    alarms = defaultdict(list)
    for name, each in zip(names, facts, strict=True):
        for check in _failed(each):
            alarms[check].append(name)
    for check in ("skew", "crop", "brightness", "ink", "contrast"):
        print(f"as they are: {check} {len(alarms[check])} {alarms[check]}")


def _moved(pixels: Pixels, degrees: float, scale: float, by: tuple[float, float]) -> Pixels:
    """Turn clockwise, and move; what was not there has the colour of the page's median."""
    height, width = pixels.shape[:2]
    way = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, scale)
    way[:, 2] += np.array(by)
    fill = tuple(float(each) for each in np.atleast_1d(np.median(pixels, axis=(0, 1))))
    return np.asarray(
        cv2.warpAffine(pixels, way, (width, height), flags=cv2.INTER_CUBIC, borderValue=fill)
    )


def _with(frame: Frame, pixels: Any) -> Frame:
    values = np.clip(pixels, 0, 255).astype(np.uint8)
    if frame.mode == "1":
        values = np.where(values > 127, 255, 0).astype(np.uint8)
    return replace(frame, pixels=np.ascontiguousarray(values))


def _turned(frame: Frame, degrees: float = 3.0) -> Frame:
    return _with(frame, _moved(frame.pixels, degrees, 1, (0, 0)))


def _cut(frame: Frame) -> Frame | None:
    """Cut through the text at the side where most of it stands."""
    depth = Views(frame).depth
    columns = np.flatnonzero((depth > 60).sum(axis=0) > depth.shape[0] * 0.02)
    if len(columns) < 100:
        return None
    left = (columns[0] + 0.1 * (columns[-1] - columns[0])) / depth.shape[1]
    return _with(frame, frame.pixels[:, int(left * frame.width) :])


def _darkened(frame: Frame) -> Frame | None:
    return None if frame.mode == "1" else _with(frame, frame.pixels * 0.4)


def _washed(frame: Frame) -> Frame | None:
    return None if frame.mode == "1" else _with(frame, 255 - (255.0 - frame.pixels) * 0.22)


_WAYS: tuple[tuple[str, Callable[[Frame], Frame | None], set[str]], ...] = (
    ("turned by 3 degrees", _turned, {"skew"}),
    ("cut", _cut, {"crop"}),
    ("darkened", _darkened, {"brightness"}),
    ("washed out", _washed, {"contrast"}),
)


def _skews(frames: Sequence[Frame], facts: Sequence[Facts]) -> None:
    """Measure the error of the angle against known turns, on pages lying all four ways."""
    chance = random.Random(7)
    errors, unknown = [], 0
    for frame, own in zip(frames, facts, strict=True):
        if own["skew"] is None:
            continue
        for degrees in (-7.3, -2.2, -0.6, 0.9, 4.4, 8.0):
            moved = _turned(frame, degrees)
            lying = np.ascontiguousarray(np.rot90(moved.pixels, chance.randrange(4)))
            views = Views(replace(moved, pixels=lying, dpi=(max(frame.dpi),) * 2))
            found = measure_skew(views.depth)
            unknown += found is None
            if found is not None:
                errors.append(abs(found - own["skew"] - degrees))
    p50, p95, p99 = np.percentile(errors, [50, 95, 99])
    over = sum(1 for error in errors if error > 0.15)
    print(
        f"skew against known turns: {len(errors)} measured, {unknown} unknown, error median"
        f" {p50:.3f}, 95 % {p95:.3f}, 99 % {p99:.3f}, largest {max(errors):.2f}; over 0.15: {over}"
    )


def _rescanned(frame: Frame, chance: np.random.Generator) -> Frame:
    play = 3 / 25.4 * frame.dpi[0]
    moved = _moved(
        frame.pixels,
        chance.uniform(-1.2, 1.2),
        chance.uniform(0.997, 1.003),
        (chance.uniform(-play, play), chance.uniform(-play, play)),
    )
    soft = cv2.GaussianBlur(moved, (0, 0), chance.uniform(0.5, 1.2)).astype(np.float32)
    noisy = soft * chance.uniform(0.88, 1.05) + chance.normal(0, 6, soft.shape)
    if chance.random() < 0.25:
        noisy = np.where(noisy > np.median(noisy) - 60, 255, 0)
    return _with(frame, noisy)


def _twice(names: Sequence[str], frames: Sequence[Frame], facts: Sequence[Facts]) -> None:
    chance = np.random.default_rng(11)
    near = same = total = 0
    missed = []
    for name, frame, own in zip(names, frames, facts, strict=True):
        if own["fingerprint"] is None:
            continue
        again = _rescanned(frame, chance)
        told = examine(again)
        total += 1
        if _apart(own, told) > ALIKE:
            missed.append((name, "fingerprint", round(_apart(own, told), 3)))
            continue
        near += 1
        value = difference(*(_strength(f, e) for f, e in ((frame, own), (again, told))))
        same += value <= SAME
        if value > SAME:
            missed.append((name, "laid over", round(value, 4)))
    print(f"twice: {near} near by fingerprint, {same} found of {total}; missed {missed}")
    known = [at for at, own in enumerate(facts) if own["fingerprint"] is not None]
    pairs = [(a, b) for a in known for b in known if a < b]
    close = [(a, b) for a, b in pairs if _apart(facts[a], facts[b]) <= ALIKE]
    false = [
        (names[a], names[b])
        for a, b in close
        if difference(_strength(frames[a], facts[a]), _strength(frames[b], facts[b])) <= SAME
    ]
    least = min(_apart(facts[a], facts[b]) for a, b in pairs)
    print(
        f"different pages: {len(close)} of {len(pairs)} pairs near by fingerprint (nearest"
        f" {least:.2f}), {len(false)} taken for the same {false}"
    )


def _apart(one: Facts, other: Facts) -> float:
    """Return the share of differing bits; pages without a fingerprint have nothing in common."""
    if None in (one["fingerprint"], other["fingerprint"]):
        return 1.0
    first, second = bits(one["fingerprint"]), bits(other["fingerprint"])
    return float((1 - first @ second / len(first)) / 2)


def _strength(frame: Frame, facts: Facts) -> Any:
    return ink(Views(frame).depth, facts["skew"])


def _double(facts: Sequence[Facts]) -> None:
    batch = Batch(
        id="b",
        tenant="default",
        stage=BatchStage.INSPECTED,
        envelope=Envelope(profile="posteingang"),
        registered_at=dt.datetime(2026, 11, 25, tzinfo=dt.UTC),
        sources=(_SOURCE,),
    )
    hits = false = total = 0
    for own in facts:
        if own["dpi_source"] != "file":
            continue
        total += 1
        long = own | {"height": own["height"] * 1.9}
        stack = [_page(number, own) for number in range(1, 6)]
        false += len(overlong(batch, stack))
        hits += len(overlong(batch, [*stack, _page(6, long)])) == 1
    print(f"double length among five others: double_feed {hits} of {total}, without it {false}")


if __name__ == "__main__":
    main()
