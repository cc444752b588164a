"""Checking: what can be said about a document by looking at it, with value and threshold.

Each check is recorded whether it passed or not, so that a later reader sees what was looked at.
One's own scan that lost a page, shows a page empty or is no PDF/A goes to a person; foreign
originals are never stopped for their form, there the same is a finding. What merely asks for a
second look (skew, exposure, damaged images, resolution, blank suspects, badly readable text) is
an anomaly and goes into the note. What a person should see before the paper is put away stands
under `review` as well: a text that cannot be read, content cut off at an edge, a sheet scanned
twice, two sheets fed as one.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from ingest.context import StepContext
from ingest.document import Assignment, Batch, Facts, Outcome, Page
from ingest.errors import CheckFailed
from profiles import Profile
from profiles.model import CheckingRules
from workers import review
from workers.checking import pages as of_pages
from workers.checking.findings import Anomaly, Check
from workers.checking.shown import pdfa, shown

#: Anomalies that deserve a person's look, by code.
_REVIEWED: Final = frozenset({"duplicate_page", "double_feed", "content_cut", "text_unreliable"})


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Check a document.

    Raises:
        CheckFailed: One's own scan misses a page, shows one empty, or is no valid PDF/A.
    """
    document = assignment.document
    composed: Facts = {} if document is None else document.facts.get("composition", {})
    profile = Profile.model_validate(assignment.profile)
    checks = [pdfa(composed)] if assignment.pages else []
    checks.extend(shown(assignment, context))
    found, anomalies = _of_pages(assignment.pages, assignment.batch, profile.checking)
    checks += found
    _judge(assignment, profile, checks)
    return Outcome(
        facts={
            "checks": [asdict(check) for check in checks],
            "anomalies": [asdict(anomaly) for anomaly in anomalies],
            "review": [
                *review.of_recognition(assignment.pages),
                *review.of_signatures(assignment),
                *(asdict(each) for each in anomalies if each.code in _REVIEWED),
            ],
        }
    )


def _of_pages(
    pages: tuple[Page, ...], batch: Batch, rules: CheckingRules
) -> tuple[list[Check], list[Anomaly]]:
    checks: list[Check] = []
    anomalies: list[Anomaly] = []
    for found, noticed in (
        of_pages.resolution(pages, rules),
        of_pages.skew(pages, rules),
        of_pages.cut_off(pages, rules),
        of_pages.exposure(pages, rules),
        of_pages.duplicates(pages, batch, rules),
        of_pages.double_feeds(pages, batch, rules),
        ([], of_pages.damaged(pages)),
        ([], of_pages.blanks(pages)),
        of_pages.confidence(pages, rules),
    ):
        checks += found
        anomalies += noticed
    return checks, anomalies


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
