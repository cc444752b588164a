"""The way of a document as its note tells it: each step that left a trace, and its tool."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import pikepdf

from ingest import clock
from ingest.document import Assignment, Batch, Document, Facts, Page, RenditionKind, Step
from ingest.product import PRODUCT
from workers.note.scanvermerk import ProcessStep

TOOL: Final = f"{PRODUCT} note/2, pikepdf {pikepdf.__version__}"
_NAMES: Final = {
    Step.INSPECTION: "Eingangsprüfung",
    Step.EXAMINATION: "Seitenprüfung",
    Step.SEPARATION: "Trennung",
    Step.RECOGNITION: "Texterkennung",
    Step.COMPOSITION: "Aufbereitung zu PDF/A",
    Step.CHECKING: "Prüfung",
}


def steps(assignment: Assignment, document: Document, note: str) -> list[ProcessStep]:
    """Return the steps that left a trace, with the time where one was recorded.

    Args:
        assignment: Of the document's note.
        document: Whose way it is.
        note: What the last step, the writing of the note, is called.
    """
    batch, pages = assignment.batch, assignment.pages
    way = [ProcessStep(name="Registrierung", at=batch.registered_at, tool="scanstrasse intake/1")]
    way += _of_batch(batch, Step.INSPECTION)
    way += _of_pages(pages, Step.EXAMINATION, lambda facts: str(facts.get("detector") or ""))
    way += _of_batch(batch, Step.SEPARATION)
    way += _of_pages(pages, Step.RECOGNITION, _engine)
    composed = document.renditions.get(RenditionKind.COMPOSED)
    if composed is not None:
        at = _at(document.facts.get("composition", {}))
        way.append(ProcessStep(name=_NAMES[Step.COMPOSITION], at=at, tool=composed.tool))
    if "checking" in document.facts:
        facts = document.facts["checking"]
        detectors = sorted({str(c["detector"]) for c in facts.get("checks", []) if "detector" in c})
        tool = ", ".join(detectors) or "scanstrasse checking/1"
        way.append(ProcessStep(name=_NAMES[Step.CHECKING], at=_at(facts), tool=tool))
    way.append(ProcessStep(name=note, at=clock.now(), tool=TOOL))
    return way


def _of_batch(batch: Batch, step: Step) -> Iterator[ProcessStep]:
    facts = batch.facts.get(step)
    if facts:
        tool = str(facts.get("detector") or f"scanstrasse {step}/1")
        yield ProcessStep(name=_NAMES[step], at=_at(facts), tool=tool)


def _of_pages(
    pages: Iterable[Page], step: Step, named: Callable[[Facts], str]
) -> Iterator[ProcessStep]:
    """Yield a step of pages once for each tool that did it, with the time of the last page."""
    times: dict[str, list[dt.datetime]] = {}
    for page in pages:
        if tool := named(page.facts.get(step, {})):
            recorded = page.facts.get("recorded_at", {}).get(step)
            times.setdefault(tool, [])
            if recorded is not None:
                times[tool].append(dt.datetime.fromisoformat(recorded))
    for tool in sorted(times):
        yield ProcessStep(name=_NAMES[step], at=max(times[tool], default=None), tool=tool)


def _engine(recognition: Facts) -> str:
    if recognition.get("native_text"):
        return "vorhandener Text der Datei übernommen"
    words = [str(recognition[key]) for key in ("engine", "model") if recognition.get(key)]
    languages = recognition.get("languages") or []
    named = "+".join(languages) if isinstance(languages, list) else str(languages)
    return " ".join([*words, *([f"({named})"] if named and words else [])])


def _at(facts: Facts) -> dt.datetime | None:
    recorded = facts.get("recorded_at")
    return None if recorded is None else dt.datetime.fromisoformat(recorded)
