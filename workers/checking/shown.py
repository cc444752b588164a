"""Whether the result shows what it should: as many pages, and something on each that has words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pypdfium2 as pdfium

from ingest.content.pdf_pages import open_pdf, page_count
from ingest.context import StepContext
from ingest.document import Assignment, Facts, Page, RenditionKind
from ingest.errors import Unclear
from workers.checking.findings import Check

_VALIDATOR: Final = "pikepdf.pdfa"
_FLAVOUR: Final = "3b"
_SEEN_SCALE: Final = 36 / 72
#: Grey values that lie this close together on a whole page show nothing.
_UNIFORM: Final = 2
#: Pages looked at before the file is opened anew; bounds the memory.
_AT_ONCE: Final = 16
#: Documents with more pages are looked at by every second, third … page; bounds the time.
_ALL_SHOWN: Final = 1000


def pdfa(composed: Facts) -> Check:
    """The validator judged the very bytes: they are addressed by their digest."""
    value = composed.get("pdfa")
    return Check(
        name="pdfa",
        value=value,
        threshold=_FLAVOUR,
        passed=value == _FLAVOUR,
        detector=_VALIDATOR,
    )


def shown(assignment: Assignment, context: StepContext) -> Iterator[Check]:
    """Yield the checks of the number of pages and of what they show; none without a result."""
    document = assignment.document
    rendition = None if document is None else document.renditions.get(RenditionKind.COMPOSED)
    if rendition is None:
        return
    expected = len(assignment.pages)
    detector = f"pdfium {pdfium.version.PDFIUM_INFO}"
    path = context.path(rendition.sha256)
    stride = 1 + expected // _ALL_SHOWN
    looked = list(enumerate(assignment.pages))[::stride]
    try:
        count = page_count(path)
        seen = sum(
            _count_shown(path, looked[start : start + _AT_ONCE])
            for start in range(0, len(looked), _AT_ONCE)
        )
    except Unclear:
        count = seen = 0
    yield Check(
        name="page_count",
        value=count,
        threshold=expected,
        passed=count == expected,
        detector=detector,
    )
    yield Check(
        name="pages_shown",
        value=seen,
        threshold=len(looked),
        passed=seen == len(looked),
        detector=detector,
    )


def _count_shown(path: Path, looked: Sequence[tuple[int, Page]]) -> int:
    """Look at some pages and let go of the file: pdfium keeps every image it has read."""
    with open_pdf(path) as pdf:
        count = len(pdf)
        return sum(_is_shown(pdf, number, page) for number, page in looked if number < count)


def _is_shown(pdf: pdfium.PdfDocument, number: int, page: Page) -> bool:
    """Whether the page renders, and shows something where something was scanned."""
    try:
        opened = pdf[number]
        try:
            bitmap = opened.render(scale=_SEEN_SCALE, grayscale=True)
            try:
                pixels = bitmap.to_numpy()
                contrast = int(pixels.max()) - int(pixels.min())
            finally:
                bitmap.close()
        finally:
            opened.close()
    except pdfium.PdfiumError:
        return False
    words = page.facts.get("recognition", {}).get("words") or 0
    return contrast > _UNIFORM or words == 0
