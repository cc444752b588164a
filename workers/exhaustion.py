"""What is recorded when a unit has used up its attempts.

A page that crashes the engine or overruns its time twice goes on as an image, and
`workers.review` sends its document to a checker; a foreign file that no rung of the
ladder survives is delivered untouched: the anomaly is recorded and shown. Everything else
is held for a person. This module is loaded by the parent process and imports nothing heavy.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from ingest.document import Assignment, Outcome, Step
from ingest.pipeline import Exhausted


def page_without_text(assignment: Assignment, code: str) -> Outcome | None:
    """Let the page go on as an image; the anomaly names why it carries no text."""
    del assignment
    return Outcome(
        facts={
            "anomaly": code,
            "words": 0,
            "characters": 0,
            "confidence": None,
            "orientation": 0,
            "native_text": False,
        }
    )


def page_undecodable(assignment: Assignment, code: str) -> Outcome | None:
    """Mark the page as not decodable; separation then holds the stack and names the page."""
    number = assignment.page.number
    text = f"Seite {number} konnte nicht gelesen werden ({code})."
    return Outcome(facts={"undecodable": text, "codes": [], "blank": False, "anomaly": code})


def original_untouched(assignment: Assignment, code: str) -> Outcome | None:
    """Deliver a foreign original without a searchable copy; hold one's own scan."""
    if assignment.document is None or not assignment.pages:
        return None
    source = assignment.batch.source(assignment.pages[0].source)
    if not source.facts.get("electronic"):
        return None
    text = "Eine durchsuchbare Kopie war nicht herstellbar; das Original liegt unverändert bei."
    finding = {"code": code, "text": text}
    return Outcome(facts={"pdfa": None, "rung": "original", "findings": [finding], "words": 0})


EXHAUSTED: Final[MappingProxyType[Step, Exhausted]] = MappingProxyType(
    {
        Step.RECOGNITION: page_without_text,
        Step.EXAMINATION: page_undecodable,
        Step.COMPOSITION: original_untouched,
    }
)
