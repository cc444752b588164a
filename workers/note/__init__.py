"""Note: the Scanvermerk is written and attached to the PDF, before anything is sealed.

The order is fixed: words, checks, note, seal. The note holds the digests of what came in
and of the PDF before it, and the seal covers the note.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from zoneinfo import ZoneInfo

import pikepdf

from ingest import clock
from ingest.context import StepContext
from ingest.document import (
    Assignment,
    Batch,
    Document,
    Facts,
    Outcome,
    Page,
    Rendition,
    RenditionKind,
    Step,
    new_id,
)
from ingest.errors import CheckFailed
from ingest.product import PRODUCT
from workers.note.anomalies import anomalies, findings, unique
from workers.note.attachment import NotConforming, XmpFields, attach
from workers.note.scanvermerk import NoteContent, ProcessStep, is_electronic, receipt, scanvermerk

TOOL: Final = f"{PRODUCT} note/1, pikepdf {pikepdf.__version__}"
#: What we compose from pixels ourselves has to be valid; foreign constructs may defeat us.
_OWN_RUNGS: Final = frozenset({"image", "rendered"})
_NAMES: Final = {
    Step.INSPECTION: "Eingangsprüfung",
    Step.EXAMINATION: "Seitenprüfung",
    Step.SEPARATION: "Trennung",
    Step.RECOGNITION: "Texterkennung",
    Step.COMPOSITION: "Aufbereitung zu PDF/A",
    Step.CHECKING: "Prüfung",
}


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Write the note; where there is a PDF, return it with the note attached.

    Raises:
        CheckFailed: Our own scan is not valid PDF/A-3b with its note; nothing was recorded.
    """
    document = assignment.document
    if document is None:
        message = f"step {assignment.step} needs a document"
        raise ValueError(message)
    found = findings(assignment, document)
    zone = ZoneInfo(context.settings.house.zone)
    received = receipt(assignment, document, zone)
    content = NoteContent(
        note_id=new_id(),
        created_at=clock.now(),
        zone=zone,
        organisation=context.settings.house.organisation,
        steps=tuple(_steps(assignment, document)),
        anomalies=tuple(unique([*anomalies(assignment, document), *found])),
        receipt=received,
    )
    note = scanvermerk(assignment, document, content)
    noted, refusal = _attached(assignment, document, context, note)
    if refusal is not None:
        found.append("Der Scanvermerk liegt neben der Datei: " + refusal)
    renditions = [_note_rendition(context, assignment, document, note)]
    if noted is not None:
        renditions.append(noted)
    facts: Facts = {
        "note_id": content.note_id,
        "created_at": content.created_at.isoformat(),
        "received_at": None if received is None else received.at.astimezone(zone).isoformat(),
        "received_at_source": None if received is None else received.source,
        "attached": noted is not None,
        "pdfa": "3b" if noted is not None else None,
        "anomalies": list(content.anomalies),
        "findings": found,
    }
    return Outcome(renditions=tuple(renditions), facts=facts)


def _note_rendition(
    context: StepContext, assignment: Assignment, document: Document, note: bytes
) -> Rendition:
    composed = document.renditions.get(RenditionKind.COMPOSED)
    original = assignment.batch.source(document.source)
    parent = original.sha256 if composed is None else composed.sha256
    return context.rendition(
        RenditionKind.NOTE, note, media_type="text/xml", parent=parent, tool=TOOL
    )


def _attached(
    assignment: Assignment, document: Document, context: StepContext, note: bytes
) -> tuple[Rendition | None, str | None]:
    """Return the PDF with its note, or why a foreign PDF cannot carry it."""
    composed = document.renditions.get(RenditionKind.COMPOSED)
    if composed is None:
        return None, None
    facts = document.facts.get("composition", {})
    own = facts.get("rung", "image") in _OWN_RUNGS
    if not own and facts.get("pdfa") is None:
        return None, "die fremde PDF ließ sich nicht in PDF/A-3b überführen"
    target = context.workspace / "noted.pdf"
    fields = _fields(assignment, document, context, own=own)
    try:
        attach(context.path(composed.sha256), note, fields, target)
    except NotConforming as error:
        if not own:
            return None, "die fremde PDF ist mit Vermerk keine gültige PDF/A-3b"
        raise CheckFailed(
            f"document {document.id} with its note is not PDF/A-3b: {error}",
            operator_text=(
                f"Dokument {document.id}: Die erzeugte Datei ist mit Scanvermerk keine gültige "
                "PDF/A-3b. Bitte das Papier neu scannen oder das Original weitergeben; die "
                "Einzelheiten stehen im Protokoll."
            ),
        ) from error
    noted = context.rendition(
        RenditionKind.NOTED,
        target,
        media_type="application/pdf",
        parent=composed.sha256,
        tool=TOOL,
        settings={"pdfa": "3b"},
    )
    return noted, None


def _fields(
    assignment: Assignment, document: Document, context: StepContext, *, own: bool
) -> XmpFields:
    source = assignment.batch.source(document.source)
    stem = source.name.rpartition(".")[0] or source.name
    paper = own and not is_electronic(assignment, document)
    return XmpFields(
        identifier=f"urn:uuid:{document.id}",
        title=stem.rpartition("/")[2],
        source=f"urn:sha256:{source.sha256}",
        publisher=context.settings.house.organisation,
        creator_tool="Scanstraße",
        created_at=assignment.batch.envelope.scanned_at if paper else None,
        own_scan=own,
    )


def _steps(assignment: Assignment, document: Document) -> list[ProcessStep]:
    """Return the steps that left a trace, with the time where one was recorded."""
    batch, pages = assignment.batch, assignment.pages
    steps = [ProcessStep(name="Registrierung", at=batch.registered_at, tool="scanstrasse intake/1")]
    steps += _of_batch(batch, Step.INSPECTION)
    steps += _of_pages(pages, Step.EXAMINATION, lambda facts: str(facts.get("detector") or ""))
    steps += _of_batch(batch, Step.SEPARATION)
    steps += _of_pages(pages, Step.RECOGNITION, _engine)
    composed = document.renditions.get(RenditionKind.COMPOSED)
    if composed is not None:
        at = _at(document.facts.get("composition", {}))
        steps.append(ProcessStep(name=_NAMES[Step.COMPOSITION], at=at, tool=composed.tool))
    if "checking" in document.facts:
        facts = document.facts["checking"]
        detectors = sorted({str(c["detector"]) for c in facts.get("checks", []) if "detector" in c})
        tool = ", ".join(detectors) or "scanstrasse checking/1"
        steps.append(ProcessStep(name=_NAMES[Step.CHECKING], at=_at(facts), tool=tool))
    steps.append(ProcessStep(name="Scanvermerk", at=clock.now(), tool=TOOL))
    return steps


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
