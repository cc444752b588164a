"""Note: what is known of the scan is written down and bound to the PDF before anything is sealed.

A copying scan gets a Scanvermerk, a replacing one a Transfervermerk. The order is fixed: words,
checks, quality assurance, note, seal. The note holds the digests of what came in and of the PDF
before it. It lies inside the PDF (`container = "pdfa3"`), and the seal covers it; or beside it
(`pdfa2`): then it holds the digest of the sealed PDF's content, and that PDF names the note.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from zoneinfo import ZoneInfo

from ingest import clock
from ingest.context import StepContext
from ingest.document import (
    Assignment,
    Document,
    Facts,
    Outcome,
    Page,
    Rendition,
    RenditionKind,
    new_id,
)
from ingest.errors import CheckFailed
from workers.note import scanvermerk as copying
from workers.note.anomalies import anomalies, findings, unique
from workers.note.attachment import Attachment, NotConforming, XmpFields, attach
from workers.note.completeness import is_accepted, require_complete
from workers.note.integrity import planned
from workers.note.scanvermerk import NoteContent, Receipt, is_electronic, receipt
from workers.note.statement import Statement, awaited, statement
from workers.note.supplied import Known, known
from workers.note.transfervermerk import Given, transfervermerk
from workers.note.way import TOOL, steps
from workers.noteproof import FILENAMES, NAMESPACE, SCANVERMERK_NAMESPACE

#: What we compose from pixels ourselves has to be valid; foreign constructs may defeat us.
_OWN_RUNGS: Final = frozenset({"image", "rendered"})
_FLAVOURS: Final = {"pdfa3": "3b", "pdfa2": "2b"}


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """A note that can be written as soon as it is known where it will lie.

    Attributes:
        write: Takes the digest of the PDF that is sealed, None where the note goes inside it.
        statement: Of a transfer note; None of a Scanvermerk, which states no match.
    """

    name: str
    namespace: str
    content: NoteContent
    known: Known
    write: Callable[[NoteContent], bytes]
    statement: Statement | None


@dataclass(frozen=True, kw_only=True)
class _Bound:
    """A note and the PDF it belongs to, or why a foreign PDF could not take it."""

    note: bytes
    noted: Rendition | None
    refusal: str | None = None


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Write the note; where there is a PDF, return it bound to the note.

    The note of a replacing scan waits for the check that has to come before it.

    Raises:
        CheckFailed: Our own scan is not valid PDF/A with its note; nothing was recorded.
        NoteIncomplete: What a transfer note must say is not known; the text lists all of it.
        CountMismatch: Sheets, images or pages of a replacing scan do not agree.
        NotConfirmed: The check of scan against paper ended badly.
    """
    document = assignment.document
    if document is None:
        message = f"step {assignment.step} needs a document"
        raise ValueError(message)
    if is_replacing(assignment, document):
        if (wait := awaited(assignment.quality)) is not None:
            return Outcome(wait=wait)
        draft = _transfer(assignment, document, context)
    else:
        draft = _copying(assignment, document, context)
    found = findings(assignment, document)
    bound = _bound(assignment, document, context, draft)
    if bound.refusal is not None:
        found.append("Der Scanvermerk liegt neben der Datei: " + bound.refusal)
    renditions = [_note_rendition(context, assignment, document, bound.note)]
    if bound.noted is not None:
        renditions.append(bound.noted)
    return Outcome(renditions=tuple(renditions), facts=_facts(assignment, draft, bound, found))


def is_replacing(assignment: Assignment, document: Document) -> bool:
    """Tell whether the document is paper whose class replaces it; what was never paper is not."""
    return assignment.profile["treatment"] == "replacing" and not is_electronic(
        assignment, document
    )


def _facts(assignment: Assignment, draft: _Draft, bound: _Bound, found: list[str]) -> Facts:
    content, zone = draft.content, draft.content.zone
    received: Receipt | None = content.receipt
    facts: Facts = {
        "note_id": content.note_id,
        "created_at": content.created_at.isoformat(),
        "received_at": None if received is None else received.at.astimezone(zone).isoformat(),
        "received_at_source": None if received is None else received.source,
        "attached": bound.noted is not None and not _is_beside(assignment),
        "pdfa": None if bound.noted is None else bound.noted.settings["pdfa"],
        "treatment": "kopierend" if draft.statement is None else draft.statement.treatment,
        "anomalies": list(content.anomalies),
        "findings": found,
    }
    if draft.statement is not None:
        facts["statement"] = draft.statement.facts()
    return facts


def _copying(assignment: Assignment, document: Document, context: StepContext) -> _Draft:
    zone = ZoneInfo(context.settings.house.zone)
    received = receipt(assignment, document, zone)
    seen = [*anomalies(assignment, document), *findings(assignment, document)]
    title = copying.TITLE
    return _Draft(
        name=title,
        namespace=SCANVERMERK_NAMESPACE,
        content=_content(assignment, document, context, title, seen, received),
        known=Known(envelope=assignment.envelope, receipt=received, supplied=()),
        write=lambda content: copying.scanvermerk(assignment, document, content),
        statement=None,
    )


def _transfer(assignment: Assignment, document: Document, context: StepContext) -> _Draft:
    house, sealing = context.settings.house, context.settings.sealing
    told = known(assignment, document, ZoneInfo(house.zone))
    require_complete(assignment, document, house, told)
    said = statement(assignment)
    seen = [*anomalies(assignment, document), *_noticed(assignment, told)]
    title = "Transfervermerk"
    content = _content(
        assignment, document, context, title, [*seen, *findings(assignment, document)], told.receipt
    )
    given = Given(
        assignment=assignment,
        document=document,
        content=content,
        house=house,
        known=told,
        statement=said,
        planned=planned(
            assignment.profile["sealing"],
            authorities=bool(sealing.authorities),
            inside=not _is_beside(assignment),
        ),
        clock=clock.state(),
        counts_accepted=is_accepted(assignment),
    )
    return _Draft(
        name=title,
        namespace=NAMESPACE,
        content=content,
        known=told,
        write=lambda content: transfervermerk(replace(given, content=content)),
        statement=said,
    )


def _noticed(assignment: Assignment, told: Known) -> list[str]:
    """Return what a reader of a transfer note must know beyond the images themselves."""
    noticed = []
    if told.supplied:
        noticed.append(f"Erst bei der Freigabe nachgetragen: {', '.join(told.supplied)}")
    if is_accepted(assignment):
        noticed.append("Zählung: eine Abweichung wurde von einer Person hingenommen")
    for entry in assignment.quality.get("rescanned") or ():
        page = entry["page"]
        what = (
            "Ein Abbild entfiel beim Nachscan" if page is None else f"Abbild {page}: nachgescannt"
        )
        noticed.append(f"{what} ({entry['reason']})")
    if assignment.profile["quality"]["match"] == "both":
        flat = [page for page in assignment.pages if _is_bitonal(page)]
        noticed += [
            f"Abbild {page.number}: schwarz-weiß, Farben sind nicht belegt" for page in flat
        ]
    if clock.state().synchronised is False:
        noticed.append("Die Uhr des Systems war nicht mit einem Zeitdienst abgeglichen")
    return noticed


def _is_bitonal(page: Page) -> bool:
    examination: Facts = page.facts.get("examination", {})
    return examination.get("mode") == "1"


def _content(
    assignment: Assignment,
    document: Document,
    context: StepContext,
    title: str,
    seen: list[str],
    received: Receipt | None,
) -> NoteContent:
    house = context.settings.house
    return NoteContent(
        note_id=new_id(),
        created_at=clock.now(),
        zone=ZoneInfo(house.zone),
        organisation=house.organisation,
        steps=tuple(steps(assignment, document, title)),
        anomalies=tuple(unique(seen)),
        receipt=received,
    )


def _note_rendition(
    context: StepContext, assignment: Assignment, document: Document, note: bytes
) -> Rendition:
    composed = document.renditions.get(RenditionKind.COMPOSED)
    original = assignment.batch.source(document.source)
    parent = original.sha256 if composed is None else composed.sha256
    return context.rendition(
        RenditionKind.NOTE, note, media_type="text/xml", parent=parent, tool=TOOL
    )


def _is_beside(assignment: Assignment) -> bool:
    container: str = assignment.profile["note"].get("container", "pdfa3")
    return container == "pdfa2"


def _flavour(assignment: Assignment) -> str:
    return _FLAVOURS["pdfa2" if _is_beside(assignment) else "pdfa3"]


def _bound(
    assignment: Assignment, document: Document, context: StepContext, draft: _Draft
) -> _Bound:
    """Return the note and its PDF, or why a foreign PDF cannot carry it."""
    composed = document.renditions.get(RenditionKind.COMPOSED)
    if composed is None:
        return _Bound(note=draft.write(draft.content), noted=None)
    facts = document.facts.get("composition", {})
    own = facts.get("rung", "image") in _OWN_RUNGS
    if not own and facts.get("pdfa") is None:
        refusal = "die fremde PDF ließ sich nicht in PDF/A-3b überführen"
        return _Bound(note=draft.write(draft.content), noted=None, refusal=refusal)
    try:
        return _made(assignment, document, context, draft, composed)
    except NotConforming as error:
        if not own and draft.statement is None:
            refusal = f"die fremde PDF ist mit Vermerk keine gültige PDF/A-{_flavour(assignment)}"
            return _Bound(note=draft.write(draft.content), noted=None, refusal=refusal)
        raise CheckFailed(
            f"document {document.id} with its note is not PDF/A: {error}",
            operator_text=(
                f"Dokument {document.id}: Die erzeugte Datei ist mit {draft.name} keine gültige "
                "PDF/A. Bitte das Papier neu scannen oder das Original weitergeben; die "
                "Einzelheiten stehen im Protokoll."
            ),
        ) from error


def _made(
    assignment: Assignment,
    document: Document,
    context: StepContext,
    draft: _Draft,
    composed: Rendition,
) -> _Bound:
    target = context.workspace / "noted.pdf"
    flavour = _flavour(assignment)
    fields = _fields(assignment, document, context, draft)
    if _is_beside(assignment):
        attach(context.path(composed.sha256), None, fields, target, flavour)
        with target.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        note = draft.write(replace(draft.content, pdf_sha256=sha256))
    else:
        note = draft.write(draft.content)
        inside = Attachment(content=note, filename=FILENAMES[draft.namespace], name=draft.name)
        attach(context.path(composed.sha256), inside, fields, target, flavour)
    noted = context.rendition(
        RenditionKind.NOTED,
        target,
        media_type="application/pdf",
        parent=composed.sha256,
        tool=TOOL,
        settings={"pdfa": flavour},
    )
    return _Bound(note=note, noted=noted)


def _fields(
    assignment: Assignment, document: Document, context: StepContext, draft: _Draft
) -> XmpFields:
    own = document.facts.get("composition", {}).get("rung", "image") in _OWN_RUNGS
    source = assignment.batch.source(document.source)
    stem = source.name.rpartition(".")[0] or source.name
    paper = own and not is_electronic(assignment, document)
    return XmpFields(
        identifier=f"urn:uuid:{document.id}",
        title=stem.rpartition("/")[2],
        source=f"urn:sha256:{source.sha256}",
        publisher=context.settings.house.organisation,
        creator_tool="Scanstraße",
        created_at=draft.known.envelope.scanned_at if paper else None,
        own_scan=own,
        note=f"urn:uuid:{draft.content.note_id}" if _is_beside(assignment) else None,
    )
