"""The document step: one searchable PDF/A-3b, and the plain text, out of a document's pages.

Pages are written one after the other, so that a file of a thousand pages needs no more memory
than a letter. Own scans must come out valid or a person looks at them; foreign PDFs climb the
ladder and at worst go on untouched, with the finding.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pikepdf
import pypdfium2 as pdfium

from ingest.content.pdf_pages import open_pdf
from ingest.context import StepContext
from ingest.document import Assignment, Facts, Outcome, Rendition, RenditionKind
from ingest.errors import Unclear
from ingest.product import PRODUCT
from workers.recognition import ladder, scans
from workers.recognition.archive import FLAVOUR
from workers.recognition.ladder import Climb
from workers.recognition.native import native_text
from workers.recognition.sheets import Desk, Sheet

_TOOL = f"{PRODUCT} composition/1 (pikepdf {pikepdf.__version__})"
_OPAQUE = "Die Datei hat keine darstellbaren Seiten; das Original wird unverändert zugestellt."


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Compose the document.

    Raises:
        CheckFailed: One's own scan has a page that does not decode, or is no valid PDF/A.
    """
    if not assignment.pages:
        finding = {"code": "opaque", "text": _OPAQUE}
        return Outcome(facts=_facts(Climb(rung="original", path=None, findings=[finding]), 0, 0))
    desk = Desk(assignment, context)
    title = _title(assignment)
    climbed = _composed(desk, context.workspace, title)
    text = _text(desk)
    count = sum(len(page.split()) for page in text)
    parent = desk.sheets[0].source.content_sha256
    renditions: list[Rendition] = [
        context.rendition(
            RenditionKind.TEXT,
            "\f".join(text).encode("utf-8", "replace"),
            media_type="text/plain; charset=utf-8",
            parent=parent,
            tool=_TOOL,
        )
    ]
    if climbed.path is not None:
        renditions.append(
            context.rendition(
                RenditionKind.COMPOSED,
                climbed.path,
                media_type="application/pdf",
                parent=parent,
                tool=_TOOL,
                settings={"rung": climbed.rung, "pdfa": FLAVOUR},
            )
        )
    return Outcome(
        renditions=tuple(renditions),
        facts=_facts(climbed, len(assignment.pages), count) | _repacked(desk),
    )


def _repacked(desk: Desk) -> Facts:
    """Name the pages whose image is not the scanner's own and not without loss."""
    pages = sorted(desk.repacked.items())
    return {"repacked": [{"page": number, "with": lossy} for number, lossy in pages]}


def _composed(desk: Desk, workspace: Path, title: str) -> Climb:
    if any(sheet.is_pdf or sheet.source.enclosure_of is not None for sheet in desk.sheets):
        return ladder.climb(desk, workspace, title)
    target = workspace / "composed.pdf"
    scans.compose(desk, target, workspace / "draft.pdf", title)
    return Climb(rung="image", path=target)


def _facts(climbed: Climb, pages: int, words: int) -> Facts:
    return {
        "pdfa": None if climbed.path is None else FLAVOUR,
        "rung": climbed.rung,
        "findings": climbed.findings,
        "missed": climbed.missed,
        "pages": pages,
        "words": words,
    }


def _title(assignment: Assignment) -> str:
    """Return a title without any name: file names and senders are personal."""
    ordinal = 1 if assignment.document is None else assignment.document.ordinal
    return f"Dokument {ordinal} aus Stapel {assignment.batch.id}"


def _text(desk: Desk) -> list[str]:
    """Return the plain text of each page: recognised, or as the PDF brought it along."""
    pages: list[str] = []
    with ExitStack() as opened:
        documents: dict[str, pdfium.PdfDocument | None] = {}
        for sheet in desk.sheets:
            words = desk.words(sheet)
            if words is not None:
                pages.append(words.text())
                continue
            if not sheet.native_text:
                pages.append("")
                continue
            digest = sheet.source.content_sha256
            if digest not in documents:
                documents[digest] = _opened(sheet.path, opened)
            pages.append(_native(documents[digest], sheet))
    return pages


def _opened(path: Path, opened: ExitStack) -> pdfium.PdfDocument | None:
    try:
        return opened.enter_context(open_pdf(path))
    except Unclear:  # the ladder's finding says so already
        return None


def _native(document: pdfium.PdfDocument | None, sheet: Sheet) -> str:
    if document is None:
        return ""
    try:
        page = document[sheet.page.index]
    except pdfium.PdfiumError:  # a damaged page has no text
        return ""
    try:
        return native_text(page)
    finally:
        page.close()
