"""Checking: what can be said about a document by looking at it, with value and threshold.

Each check is recorded whether it passed or not, so that a later reader sees what was looked at.
One's own scan that lost a page, shows a page empty or is no PDF/A goes to a person; foreign
originals are never stopped for their form, there the same is a finding. What merely asks for a
second look (damaged images, resolution, blank suspects, badly readable text) is an anomaly and
goes into the note.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pypdfium2 as pdfium

from ingest.content.pdf_pages import open_pdf, page_count
from ingest.context import StepContext
from ingest.document import Assignment, Facts, Outcome, Page, RenditionKind
from ingest.errors import CheckFailed, Unclear
from ingest.product import PRODUCT
from profiles import Profile
from workers import review

_DETECTOR: Final = f"{PRODUCT} checking/1"
_VALIDATOR: Final = "pikepdf.pdfa"
#: Mean confidence of a page below which its text is not to be relied on.
_READABLE: Final = 60.0
_SEEN_SCALE: Final = 36 / 72
#: Grey values that lie this close together on a whole page show nothing.
_UNIFORM: Final = 2
#: A scanner's 199.9 dpi is 200.
_TOLERANCE: Final = 0.02
_FLAVOUR: Final = "3b"
#: Pages looked at before the file is opened anew; bounds the memory.
_AT_ONCE: Final = 16
#: Documents with more pages are looked at by every second, third … page; bounds the time.
_ALL_SHOWN: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing looked at.

    Attributes:
        value: What was found.
        threshold: What was expected.
        detector: Name and version of what looked.
    """

    name: str
    value: Any
    threshold: Any
    passed: bool
    detector: str = _DETECTOR


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """Something for a second look.

    Attributes:
        text: German, for the note and the clerk.
        pages: Arrival page numbers concerned.
    """

    code: str
    text: str
    pages: tuple[int, ...] = ()


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Check a document.

    Raises:
        CheckFailed: One's own scan misses a page, shows one empty, or is no valid PDF/A.
    """
    document = assignment.document
    composed: Facts = {} if document is None else document.facts.get("composition", {})
    profile = Profile.model_validate(assignment.profile)
    checks = [_pdfa(composed)] if assignment.pages else []
    checks.extend(_shown(assignment, context))
    resolution, anomalies = _resolution(assignment.pages, profile.checking.minimum_dpi)
    checks.extend(resolution)
    anomalies.extend(_damaged(assignment.pages))
    anomalies.extend(_blanks(assignment.pages))
    confidence, unreadable = _confidence(assignment.pages)
    checks.extend(confidence)
    anomalies.extend(unreadable)
    _judge(assignment, profile, checks)
    return Outcome(
        facts={
            "checks": [asdict(check) for check in checks],
            "anomalies": [asdict(anomaly) for anomaly in anomalies],
            "review": [*review.of_recognition(assignment.pages)],
        }
    )


def _judge(assignment: Assignment, profile: Profile, checks: list[Check]) -> None:
    if _is_foreign(assignment):
        return
    stopping = {"pdfa", "page_count", "pages_shown"}
    if profile.treatment == "replacing":
        stopping.add("resolution")
    failed = [check for check in checks if not check.passed and check.name in stopping]
    if not failed:
        return
    told = "; ".join(_TEXTS[check.name].format(check=check) for check in failed)
    numbers = [page.number for page in assignment.pages]
    span = f"Abbild {numbers[0]} bis {numbers[-1]}" if len(numbers) > 1 else f"Abbild {numbers[0]}"
    names = ", ".join(sorted({check.name for check in failed}))
    message = f"checks failed: {names}"
    text = f"{span}: {told}. Bitte diese Seiten neu scannen und dieses Dokument zurückweisen."
    raise CheckFailed(message, operator_text=text)


_TEXTS: Final = {
    "pdfa": "das Ergebnis ist kein gültiges PDF/A-3b",
    "page_count": "das PDF hat {check.value} statt {check.threshold} Seiten",
    "pages_shown": "{check.value} von {check.threshold} Seiten sind darstellbar",
    "resolution": "die Auflösung {check.value} dpi liegt unter {check.threshold} dpi",
}


def _is_foreign(assignment: Assignment) -> bool:
    """Whether any page comes from an electronic original, which is delivered beside the copy."""
    sources = {page.source for page in assignment.pages}
    found = [assignment.batch.source(number) for number in sources] or assignment.batch.sources
    return any(source.facts.get("electronic") for source in found)


def _pdfa(composed: Facts) -> Check:
    """The validator judged the very bytes: they are addressed by their digest."""
    value = composed.get("pdfa")
    return Check(
        name="pdfa",
        value=value,
        threshold=_FLAVOUR,
        passed=value == _FLAVOUR,
        detector=_VALIDATOR,
    )


def _shown(assignment: Assignment, context: StepContext) -> Iterator[Check]:
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
        shown = sum(
            _count_shown(path, looked[start : start + _AT_ONCE])
            for start in range(0, len(looked), _AT_ONCE)
        )
    except Unclear:
        count = shown = 0
    yield Check(
        name="page_count",
        value=count,
        threshold=expected,
        passed=count == expected,
        detector=detector,
    )
    yield Check(
        name="pages_shown",
        value=shown,
        threshold=len(looked),
        passed=shown == len(looked),
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


def _resolution(pages: tuple[Page, ...], minimum: int) -> tuple[list[Check], list[Anomaly]]:
    scanned = {
        page.number: min(page.facts["examination"]["dpi"])
        for page in pages
        if page.facts.get("examination", {}).get("dpi")
        and not page.facts.get("inspection", {}).get("text")
    }
    if not scanned:
        return [], []
    low = tuple(number for number, dpi in scanned.items() if dpi < minimum * (1 - _TOLERANCE))
    value = round(min(scanned.values()), 1)
    check = Check(name="resolution", value=value, threshold=minimum, passed=not low)
    anomalies = _marked(low, "resolution_low", f"Auflösung unter {minimum} dpi")
    guessed = tuple(
        page.number
        for page in pages
        if page.number in scanned and page.facts["examination"].get("dpi_source") == "default"
    )
    anomalies += _marked(guessed, "resolution_assumed", "Auflösung nicht erfasst, angenommen")
    return [check], anomalies


def _damaged(pages: tuple[Page, ...]) -> list[Anomaly]:
    hurt = tuple(page.number for page in pages if page.facts.get("examination", {}).get("damaged"))
    return _marked(hurt, "image_damaged", "Bild beschädigt, nur teilweise lesbar")


def _blanks(pages: tuple[Page, ...]) -> list[Anomaly]:
    blank = tuple(page.number for page in pages if page.facts.get("examination", {}).get("blank"))
    return _marked(blank, "blank_suspect", "vermutlich leere Seite")


def _confidence(pages: tuple[Page, ...]) -> tuple[list[Check], list[Anomaly]]:
    recognised = {page.number: page.facts.get("recognition", {}) for page in pages}
    read = {
        number: float(facts["confidence"])
        for number, facts in recognised.items()
        if facts.get("confidence") is not None
    }
    low = tuple(number for number, value in read.items() if value < _READABLE)
    anomalies = _marked(low, "text_unreliable", "Text nur unsicher erkannt")
    broken: dict[str, list[int]] = {}
    for number, facts in recognised.items():
        if facts.get("anomaly"):
            broken.setdefault(str(facts["anomaly"]), []).append(number)
    for code, numbers in sorted(broken.items()):
        anomalies += _marked(tuple(numbers), code, review.unread(code))
    if not read:
        return [], anomalies
    value = round(min(read.values()), 1)
    check = Check(name="text_confidence", value=value, threshold=_READABLE, passed=not low)
    return [check], anomalies


def _marked(pages: tuple[int, ...], code: str, text: str) -> list[Anomaly]:
    return [Anomaly(code=code, text=text, pages=pages)] if pages else []
