"""The last step to PDF/A-3b: title, language, declaration, and the validator's word.

Only what `pikepdf.pdfa` passes is called PDF/A. It passes what it knows; what it does not know it
does not fail but leaves unchecked, and that is not a pass.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Dictionary, Name, Pdf, pdfa
from PIL import ImageCms

FLAVOUR = "3b"
_LANGUAGE = "de-DE"
_NEWEST = "1.7"
#: ICC.1, 7.2.8: when the profile was made, as six numbers of two bytes: 2026-01-01.
_DATED = 24
_FOUNDED = b"".join(number.to_bytes(2, "big") for number in (2026, 1, 1, 0, 0, 0))


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
    options: dict[str, Any] = {"output_intent": _srgb(), "output_condition_identifier": "sRGB"}
    if pdf.pdf_version > _NEWEST:
        options["force_version"] = _NEWEST
    pdfa.save(pdf, path, FLAVOUR, **options)


@functools.cache
def _srgb() -> bytes:
    """Return a profile of sRGB (IEC 61966-2-1) that is as small as one can be, always the same."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:_DATED] + _FOUNDED + profile[_DATED + len(_FOUNDED) :]


def passes(path: Path) -> bool:
    """Whether the file at `path` is valid PDF/A-3b."""
    return pdfa.validate_written(path, FLAVOUR).passed


def reasons(error: pdfa.PdfaError, most: int = 3) -> str:
    """Return the validator's first findings in one line."""
    found = [f"{finding.rule}: {finding.message}" for finding in error.report.findings[:most]]
    more = len(error.report.findings) - most
    return "; ".join(found) + (f" (und {more} weitere)" if more > 0 else "")
