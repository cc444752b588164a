"""The last step to PDF/A-3b: title, language, declaration, and the validator's word.

Only what `pikepdf.pdfa` passes is called PDF/A. It passes what it knows; what it does not know it
does not fail but leaves unchecked, and that is not a pass.
"""

from __future__ import annotations

from pathlib import Path

import pikepdf
from pikepdf import Dictionary, Name, Pdf, pdfa

FLAVOUR = "3b"
_LANGUAGE = "de-DE"
_NEWEST = "1.7"


def declare(pdf: Pdf, title: str) -> None:
    """Set title and language where the document has none of its own."""
    if not isinstance(pdf.Root.get(Name.Lang), pikepdf.String) or not str(pdf.Root.Lang):
        pdf.Root[Name.Lang] = pikepdf.String(_LANGUAGE)
    preferences = pdf.Root.get(Name.ViewerPreferences)
    if not isinstance(preferences, Dictionary):
        pdf.Root[Name.ViewerPreferences] = preferences = Dictionary()
    preferences[Name.DisplayDocTitle] = True
    if not str(pdf.docinfo.get(Name.Title, "")).strip():
        pdf.docinfo[Name.Title] = title


def save(pdf: Pdf, path: Path) -> None:
    """Write `pdf` as PDF/A-3b.

    Raises:
        PdfaError: It does not pass; nothing stands at `path`. The report says why.
    """
    if pdf.pdf_version > _NEWEST:
        pdfa.save(pdf, path, FLAVOUR, force_version=_NEWEST)
    else:
        pdfa.save(pdf, path, FLAVOUR)


def passes(path: Path) -> bool:
    """Whether the file at `path` is valid PDF/A-3b."""
    return pdfa.validate_written(path, FLAVOUR).passed


def reasons(error: pdfa.PdfaError, most: int = 3) -> str:
    """Return the validator's first findings in one line."""
    found = [f"{finding.rule}: {finding.message}" for finding in error.report.findings[:most]]
    more = len(error.report.findings) - most
    return "; ".join(found) + (f" (und {more} weitere)" if more > 0 else "")
