"""How well the product's recognition reads real pages: character errors and word recall.

Every page with a `.gt.txt` beside it below `pages/` of the corpus folder
(`SCANSTRASSE_CORPUS`) goes through the same decoding, measuring of skew and recognition as in
operation, with the profile that a house would use for it. Some modern pages are read once more
turned, crooked and faint. With `--peer` OCRmyPDF reads the same pages, with the models that suit
the group best and, where pages lie wrong, with its own `--rotate-pages --deskew`. Per group:

- CER: edits (insertions, deletions, substitutions) per character of the truth, over all
  pages of the group together. It punishes another reading order, so for forms and tables
  only the recall says something.
- recall: share of the truth's words that were found, each as often as it stands there.

Both sides are compared after NFC, with plain quotes and dashes, round s for long s, umlauts
for letters with a small e above, and any white space as one space. Nothing else is forgiven.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import unicodedata
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import profiles
from bench.peer import ocrmypdf
from console.samples import letter_pages, letter_texts
from ingest.content import kind_of
from ingest.content.raster import Frame, Pixels, open_frame
from ingest.settings import Settings
from workers.recognition.engine import Engines, open_engines
from workers.recognition.reading import recognise
from workers.separation.skew import measure_skew
from workers.separation.views import Views

_BESIDE = Path(__file__).parents[2] / "shared" / "corpus"
_TRUTH = ".gt.txt"
_MODERN = "modern_printscan_sim"
#: Ways in which some modern pages are read once more.
VARIANTS = (
    "turned 90", "turned 180", "turned 270", "crooked +5", "crooked -5", "faint",
)  # fmt: skip
_ALIKE = str.maketrans({"\u017f": "s", "„": '"', "“": '"', "”": '"', "’": "'", "–": "-", "—": "-"})


@dataclass(frozen=True)
class Score:
    """What one page adds to its group."""

    group: str
    page: str
    characters: int
    edits: int
    words: int
    found: int


def alike(text: str) -> str:
    """Return the text in the form in which both sides are compared."""
    text = re.sub("([aou])\u0364", "\\1\u0308", text, flags=re.IGNORECASE)
    return " ".join(unicodedata.normalize("NFC", text).translate(_ALIKE).split())


def edits(truth: str, read: str) -> int:
    """Return the Levenshtein distance."""
    wanted = np.frombuffer(truth.encode("utf-32-le"), dtype=np.uint32)
    steps = np.arange(len(wanted) + 1)
    row = steps.copy()
    for number, letter in enumerate(np.frombuffer(read.encode("utf-32-le"), np.uint32), start=1):
        best = np.minimum(row[1:] + 1, row[:-1] + (wanted != letter))
        row = np.concatenate(([number], best))
        # Deletions run along the row: the least of everything to the left plus the way here.
        row = np.minimum.accumulate(row - steps) + steps
    return int(row[-1])


def score(group: str, page: str, truth: str, read: str) -> Score:
    """Compare one page."""
    truth, read = alike(truth), alike(read)
    wanted, have = Counter(truth.split()), Counter(read.split())
    return Score(
        group, page, len(truth), edits(truth, read), wanted.total(), (wanted & have).total()
    )


def engines(group: str) -> Engines:
    """Return the engines of the profile for this kind of page; antiqua lies among Fraktur."""
    name = "archiv-fraktur" if "fraktur" in group or "antiqua" in group else "posteingang"
    rules = profiles.load(name, None).profile.recognition
    return open_engines(rules.languages, rules.alternatives, rules.fallbacks)


def alter(pixels: Pixels, variant: str, seed: int) -> Pixels:
    """Return the page as somebody might have scanned it: turned clockwise, crooked or faint."""
    what, _, amount = variant.partition(" ")
    if what == "turned":
        return np.ascontiguousarray(np.rot90(pixels, -(int(amount) // 90)))
    if what == "crooked":
        height, width = pixels.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -float(amount), 1.0)
        white = (255, 255, 255)
        flags = cv2.INTER_CUBIC
        return np.asarray(cv2.warpAffine(pixels, matrix, (width, height), None, flags, 0, white))
    noise = np.random.default_rng(seed).normal(0, 5, pixels.shape)
    return np.clip(250 - (255.0 - pixels) * 0.16 + noise, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Task:
    """A page to be read, by us or by the peer."""

    path: Path
    variant: str
    peer: bool

    @property
    def group(self) -> str:
        """Name of the row it counts for."""
        name = self.path.parent.name
        return f"{name}, {self.variant}" if self.variant else name


def perform(task: Task) -> Score:
    """Read one page."""
    limit = Settings().workers.max_pixels
    frame = open_frame(task.path, kind_of(task.path), 0, max_pixels=limit)
    pixels = frame.pixels
    if task.variant:
        pixels = alter(pixels, task.variant, sum(task.path.name.encode()))
    found = (by_peer if task.peer else by_us)(task, frame, pixels)
    truth = task.path.with_name(task.path.name.split(".")[0] + _TRUTH).read_text("utf-8")
    return score(task.group, task.path.name, truth, found)


def by_us(task: Task, frame: Frame, pixels: Pixels) -> str:
    """Recognise as in operation."""
    views = Views(replace(frame, pixels=pixels))
    found = recognise(
        pixels,
        frame.dpi,
        engines(task.path.parent.name),
        orientation=True,
        skew=measure_skew(views.depth),
        most_pixels=Settings().workers.recognition_pixels,
    )
    return found.words.text()


def by_peer(task: Task, frame: Frame, pixels: Pixels) -> str:
    """Let OCRmyPDF read the very file, or the altered page as PNG."""
    name = task.path.parent.name
    languages = "frk" if "fraktur" in name else "deu"
    options = ("--rotate-pages", "--deskew") if task.variant[:7] in {"turned ", "crooked"} else ()
    with tempfile.TemporaryDirectory() as folder:
        path = task.path
        if task.variant:
            path = Path(folder) / "page.png"
            Image.fromarray(pixels).save(path, dpi=frame.dpi)
        return ocrmypdf(path, Path(folder), languages, max(frame.dpi), *options)[0]


def read_sample(seed: int) -> Score:
    """Recognise a sample letter as a worn scan."""
    (page,) = letter_pages(seed, skew=0.4, noise=8.0)
    (truth,) = letter_texts(seed)
    found = recognise(
        np.asarray(page),
        (300.0, 300.0),
        engines("samples"),
        orientation=True,
        most_pixels=Settings().workers.recognition_pixels,
    )
    return score("samples (made, not real)", f"seed {seed}", truth, found.words.text())


def corpus_pages() -> list[Path]:
    """Every page with a truth beside it."""
    root = Path(os.environ.get("SCANSTRASSE_CORPUS", _BESIDE)) / "pages"
    return sorted(
        image
        for truth in root.rglob(f"*{_TRUTH}")
        for image in truth.parent.glob(f"{truth.name.removesuffix(_TRUTH)}.*")
        if image.suffix != ".txt"
    )


def tasks(*, peer: bool) -> list[Task]:
    """Every page of the corpus, and every third modern grey or coloured one in each variant."""
    pages = corpus_pages()
    modern = [p for p in pages if p.parent.name == _MODERN and p.suffix == ".jpg"][::3]
    plain = [Task(path, "", peer) for path in pages]
    return plain + [Task(path, variant, peer) for variant in VARIANTS for path in modern]


def main() -> int:
    """Measure and print a line for each group."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--pages", action="store_true", help="each page beside its group")
    parser.add_argument("--peer", action="store_true", help="let OCRmyPDF read the same pages")
    parser.add_argument("--only", default="", help="groups whose name contains this")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
    sides = (False, True) if arguments.peer else (False,)
    found: dict[tuple[str, bool], list[Score]] = defaultdict(list)
    with ProcessPoolExecutor() as pool:
        for result in pool.map(read_sample, range(8)):
            found[result.group, False].append(result)
        for side in sides:
            chosen = [task for task in tasks(peer=side) if arguments.only in task.group]
            for result in pool.map(perform, chosen):
                found[result.group, side].append(result)
    if not corpus_pages():
        print("no corpus folder: only made letters are measured", file=sys.stderr)
    for (group, side), results in sorted(found.items()):
        who = "OCRmyPDF" if side else "Scanstraße"
        report(group, who, results, as_json=arguments.json)
        for result in results if arguments.pages else ():
            report(f"  {result.page}", who, [result], as_json=arguments.json)
    return 0


def report(name: str, who: str, results: list[Score], *, as_json: bool) -> None:
    """Print the figures of a group or a page."""
    cer = sum(r.edits for r in results) / sum(r.characters for r in results)
    recall = sum(r.found for r in results) / sum(r.words for r in results)
    if as_json:
        row = {"group": name, "who": who, "pages": len(results), "cer": cer, "recall": recall}
        print(json.dumps(row, ensure_ascii=False))
    else:
        print(f"{name:40} {who:10} {len(results):3} pages  CER {cer:7.2%}  recall {recall:7.2%}")


if __name__ == "__main__":
    sys.exit(main())
