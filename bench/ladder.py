"""Which rung of the ladder each foreign PDF of the corpus reaches, and why no better one.

    python bench/ladder.py

Every PDF of the corpus folder (`SCANSTRASSE_CORPUS`) that arrives by itself is inspected and
composed, each step in a limited child process as in operation, under the profile
`elektronisch`. Recognition is left out: it changes the text layer and no rung. The table is
Markdown; `docs/ladder.md` keeps one.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import profiles
from ingest import clock
from ingest.document import (
    Assignment,
    Batch,
    BatchStage,
    Document,
    Envelope,
    Outcome,
    Page,
    Source,
    Stage,
    Step,
    UnitKind,
    new_id,
)
from ingest.errors import ScanstrasseError
from ingest.sandbox import Child, Limits
from ingest.settings import Settings
from ingest.store import open_store
from workers.execution import ASSIGNMENT, OUTCOME

_BESIDE = Path(__file__).parents[2] / "shared" / "corpus"
_GROUPS = ("pdf_structure", "pdf_german", "pdfa", "signed", "pdf_encrypted", "pdf_broken", "names")
_PROFILE = "elektronisch"
_RUNGS = ("repaired", "ocrmypdf", "rendered", "original", "held")
_SECONDS = 600.0
_REASON_CHARACTERS = 150


@dataclass(frozen=True)
class Reached:
    """What became of one file; `reason` says why no better rung was reached, or why it is held."""

    name: str
    rung: str
    reason: str


class House:
    """A store and a child process that does the steps."""

    def __init__(self, folder: Path) -> None:
        """Use `folder` for everything."""
        self._settings = Settings(data=folder)
        self._store = open_store(self._settings)
        self._loaded = profiles.load(_PROFILE)
        self._folder = folder
        limits = Limits(memory_bytes=self._settings.workers.memory_bytes)
        self._child = Child(
            "workers.execution:prepare", {"settings": self._settings.for_children()}, limits
        )

    def close(self) -> None:
        """End the child."""
        self._child.close()

    def climb(self, path: Path) -> tuple[str, str]:
        """Return rung and reason of the PDF at `path`."""
        with path.open("rb") as stream:
            blob = self._store.put("default", stream)
        source = Source(
            ordinal=1, name=path.name, name_base64="", sha256=blob.sha256, size=blob.size
        )
        assignment = self._assignment(source)
        try:
            found = self._done(assignment)
            composed = self._done(_composition(assignment, found))
        except ScanstrasseError as error:
            return "held", error.code
        missed = composed.facts["missed"]
        return composed.facts["rung"], missed[0].partition(": ")[2] if missed else ""

    def _assignment(self, source: Source) -> Assignment:
        batch = Batch(
            id=new_id(),
            tenant="default",
            stage=BatchStage.RECEIVED,
            envelope=Envelope(profile=_PROFILE),
            registered_at=clock.now(),
            sources=(source,),
        )
        return Assignment(
            step=Step.INSPECTION,
            unit_kind=UnitKind.BATCH,
            unit_id=batch.id,
            tenant="default",
            idempotency_key=batch.id,
            attempt=1,
            profile=self._loaded.facts(),
            profile_sha256=self._loaded.sha256,
            batch=batch,
        )

    def _done(self, assignment: Assignment) -> Outcome:
        with tempfile.TemporaryDirectory(dir=self._folder) as workspace:
            request = {
                "assignment": ASSIGNMENT.dump_python(assignment, mode="json"),
                "workspace": workspace,
            }
            return OUTCOME.validate_python(self._child.call(request, _SECONDS, lambda: True))


def _composition(inspected: Assignment, found: Outcome) -> Assignment:
    pages = tuple(
        Page(
            id=new_id(),
            number=number,
            source=page.source,
            index=page.index,
            sha256=page.sha256,
            facts={"inspection": page.facts},
        )
        for number, page in enumerate(found.pages, 1)
        if page.source == 1
    )
    document = Document(
        id=new_id(),
        batch_id=inspected.batch.id,
        consignment_id=new_id(),
        revision=1,
        ordinal=1,
        stage=Stage.CAPTURED,
    )
    return replace(
        inspected,
        step=Step.COMPOSITION,
        unit_kind=UnitKind.DOCUMENT,
        unit_id=document.id,
        batch=replace(inspected.batch, sources=found.sources),
        pages=pages,
        document=document,
    )


def climbed(corpus: Path) -> Iterator[Reached]:
    """Yield what becomes of every PDF, in order of their names."""
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        try:
            for group in _GROUPS:
                for path in sorted((corpus / group).rglob("*.pdf")):
                    rung, reason = house.climb(path)
                    yield Reached(path.relative_to(corpus).as_posix(), rung, reason)
        finally:
            house.close()


def main() -> int:
    """Print both tables."""
    corpus = Path(os.environ.get("SCANSTRASSE_CORPUS", _BESIDE))
    if not corpus.is_dir():
        print("no corpus folder; SCANSTRASSE_CORPUS names one")
        return 0
    rows = list(climbed(corpus))
    counts = Counter(row.rung for row in rows)
    reached = sum(count for rung, count in counts.items() if rung != "held")
    print("| rung | files | share |\n|---|---|---|")
    for rung in _RUNGS:
        share = f"{counts[rung] / reached:.0%}" if rung != "held" else ""
        print(f"| {rung} | {counts[rung]} | {share} |")
    print("\n| file | rung | why no better one |\n|---|---|---|")
    for row in rows:
        reason = row.reason.replace("|", "/").replace("\n", " ")[:_REASON_CHARACTERS]
        print(f"| {row.name} | {row.rung} | {reason} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
