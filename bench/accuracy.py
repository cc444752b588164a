"""How well the product's recognition reads real pages: character errors and word recall.

Every page with a `.gt.txt` beside it below `pages/` of the corpus folder
(`SCANSTRASSE_CORPUS`) goes through the same decoding and recognition as in operation, with
the languages of the profile that a house would use for it. Reported per group:

- CER: edits (insertions, deletions, substitutions) per character of the truth, over all
  pages of the group together. It punishes another reading order, so for forms and tables
  only the recall says something.
- recall: share of the truth's words that were found, each as often as it stands there.

Both sides are compared after NFC, with plain quotes and dashes, round s for long s, umlauts
for letters with a small e above, and any white space as one space. Nothing else is forgiven.
"""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import profiles
from console.samples import letter_pages, letter_texts
from ingest.content import kind_of
from ingest.content.raster import open_frame
from ingest.settings import Settings
from workers.recognition.engine import open_engine
from workers.recognition.reading import recognise

_BESIDE = Path(__file__).parents[2] / "shared" / "corpus"
_TRUTH = ".gt.txt"
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


def languages(group: str) -> tuple[str, ...]:
    """Return the languages of the profile for this kind of page."""
    name = "archiv-fraktur" if "fraktur" in group else "posteingang"
    return profiles.load(name, None).profile.recognition.languages


def read_file(path: Path) -> Score:
    """Recognise one page of the corpus."""
    limits = Settings().workers
    frame = open_frame(path, kind_of(path), 0, max_pixels=limits.max_pixels)
    found = recognise(
        frame.pixels,
        frame.dpi,
        open_engine(languages(path.parent.name)),
        orientation=True,
        most_pixels=limits.recognition_pixels,
    )
    truth = path.with_name(path.name.split(".")[0] + _TRUTH).read_text("utf-8")
    return score(path.parent.name, path.name, truth, found.text())


def read_sample(seed: int) -> Score:
    """Recognise a sample letter as a worn scan."""
    (page,) = letter_pages(seed, skew=0.4, noise=8.0)
    (truth,) = letter_texts(seed)
    found = recognise(
        np.asarray(page),
        (300.0, 300.0),
        open_engine(languages("samples")),
        orientation=True,
        most_pixels=Settings().workers.recognition_pixels,
    )
    return score("samples (made, not real)", f"seed {seed}", truth, found.text())


def corpus_pages() -> list[Path]:
    """Every page with a truth beside it."""
    root = Path(os.environ.get("SCANSTRASSE_CORPUS", _BESIDE)) / "pages"
    return sorted(
        image
        for truth in root.rglob(f"*{_TRUTH}")
        for image in truth.parent.glob(f"{truth.name.removesuffix(_TRUTH)}.*")
        if image.suffix != ".txt"
    )


def main() -> int:
    """Measure and print a line for each group, as JSON with `--json`; with pages on `--pages`."""
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
    groups: dict[str, list[Score]] = defaultdict(list)
    with ProcessPoolExecutor() as pool:
        for result in (*pool.map(read_sample, range(8)), *pool.map(read_file, corpus_pages())):
            groups[result.group].append(result)
    if not corpus_pages():
        print("no corpus folder: only made letters are measured", file=sys.stderr)
    for group, results in groups.items():
        report(group, results)
        if "--pages" in sys.argv:
            for result in results:
                report(f"  {result.page}", [result])
    return 0


def report(name: str, results: list[Score]) -> None:
    """Print the figures of a group or a page."""
    cer = sum(r.edits for r in results) / sum(r.characters for r in results)
    recall = sum(r.found for r in results) / sum(r.words for r in results)
    if "--json" in sys.argv:
        print(json.dumps({"group": name, "pages": len(results), "cer": cer, "recall": recall}))
    else:
        print(f"{name:44} {len(results):4} pages   CER {cer:7.2%}   recall {recall:7.2%}")


if __name__ == "__main__":
    sys.exit(main())
