"""Looking at a PDF: its pages, and everything that makes it more than pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ingest.content.frame import check_size
from ingest.content.pdf import PdfFindings, inspect_pdf
from ingest.content.pdf_pages import PdfPage
from ingest.document import Facts, FoundPage, Source, SourceKind
from ingest.errors import Incomplete, Unreadable
from workers.inspection.files import Inspected, check_whole, finding


def pdf_pages(source: Source, path: Path, limit: int) -> Inspected:
    """Take the pages of a PDF and note everything that makes it more than pictures."""
    if path.stat().st_size == 0:
        raise Incomplete("no bytes", operator_text="Die Datei ist leer (0 Byte).")
    try:
        findings = inspect_pdf(path)
    except Unreadable:
        check_whole(path, source.kind)  # a cut file reads as broken; say what it is
        raise
    pages = []
    for index, page in enumerate(findings.pages):
        if page is not None:
            check_size(page.pixels, 1, index, limit)
        digest = hashlib.sha256(f"pdf-page/1 {source.sha256} {index}".encode()).hexdigest()
        pages.append(
            FoundPage(
                source=source.ordinal, index=index, sha256=digest, facts=_pdf_page_facts(page)
            )
        )
    facts = {**findings.facts(), "as_is": False, "findings": list(_pdf_findings(findings))}
    return Inspected(replace(source, pages=len(pages), facts=facts), tuple(pages))


def _pdf_page_facts(page: PdfPage | None) -> Facts:
    if page is None:
        return {"text": False, "dpi": None, "media_type": SourceKind.PDF.media_type}
    return {
        "width": page.width,
        "height": page.height,
        "text": page.text,
        "dpi": None if page.dpi is None else list(page.dpi),
        "media_type": SourceKind.PDF.media_type,
        "class": page.kind,
        "coverage": page.coverage,
    }


def _pdf_findings(found: PdfFindings) -> Iterable[Facts]:
    names = ", ".join(f"„{name}“" for name in found.attachments[:20])
    said = {
        "signed": found.signatures
        and f"Elektronisch signiert ({found.signatures}); die Datei bleibt unverändert.",
        "encrypted": found.encrypted
        and "Verschlüsselt, öffnet ohne Kennwort; die Nutzung ist vom Absender eingeschränkt.",
        "attachments": names and f"Enthält eingebettete Dateien: {names}.",
        "portfolio": found.portfolio
        and "PDF-Portfolio: die eigentlichen Schriftstücke sind die eingebetteten Dateien.",
        "javascript": found.javascript and "Enthält JavaScript; es wird nicht ausgeführt.",
        "xfa": found.xfa
        and "XFA-Formular: der Inhalt ist nur in dafür gemachten Programmen vollständig zu sehen."
        " Bitte das Original ansehen.",
        "acroform": found.acroform and "Enthält ausfüllbare Formularfelder.",
        "jbig2": found.jbig2
        and not found.jbig2_symbol
        and "Bilder sind mit JBIG2 gepackt (ohne gemeinsame Zeichenmuster).",
        "jbig2_symbol": found.jbig2_symbol
        and "JBIG2 mit gemeinsamen Zeichenmustern: das Gerät kann Zeichen vertauscht haben.",
        "repaired": found.repaired and "Beschädigt; beim Lesen waren Reparaturen nötig.",
        "unreadable_pages": None in found.pages
        and "Nicht jede Seite lässt sich öffnen, siehe Original.",
    }
    return (finding(code, text) for code, text in said.items() if text)
