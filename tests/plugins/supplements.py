"""Documents that were delivered before their match was confirmed, and what a clerk then says."""

from __future__ import annotations

import dataclasses
from typing import Any

from ingest.document import Assignment, RenditionKind, Step
from tests.plugins.letters import Desk, after, of
from tests.plugins.transfers import VERDICT, by_clerk, noted
from workers import sealing
from workers.delivery import perform as deliver
from workers.note import supplement
from workers.sealing import confirmation

RESULT = {**VERDICT, "by": "sb-11", "role": "clerk", "at": "2026-03-05T08:00:00+00:00"}
ROUTED = {"department": "poststelle", "rule": "default", "reason": "Vorgabe"}


def delivered(desk: Desk, assignment: Assignment) -> Assignment:
    """Return the assignment of CONFIRMING of a document that went all its way."""
    ready = noted(desk, assignment)
    sealed = after(ready, Step.SEALING, sealing.perform(ready, desk.context()), Step.DELIVERY)
    document = of(sealed)
    document = dataclasses.replace(document, facts={**document.facts, "routing": ROUTED})
    sealed = dataclasses.replace(sealed, document=document)
    return after(sealed, Step.DELIVERY, deliver(sealed, desk.context()), Step.CONFIRMING)


def judged(assignment: Assignment, state: str = "confirmed", **verdict: Any) -> Assignment:
    quality = by_clerk(state=state, verdict={**RESULT, **verdict})
    return dataclasses.replace(assignment, quality=quality)


def confirming(desk: Desk, assignment: Assignment) -> Assignment:
    outcome = supplement.perform(assignment, desk.context())
    return after(assignment, Step.CONFIRMING, outcome, Step.CONFIRMATION_SEALING)


def sealed(desk: Desk, assignment: Assignment) -> Assignment:
    outcome = confirmation.perform(assignment, desk.context())
    return after(assignment, Step.CONFIRMATION_SEALING, outcome, Step.CONFIRMATION_DELIVERY)


def content_of(desk: Desk, assignment: Assignment, kind: RenditionKind) -> bytes:
    return desk.context().read(of(assignment).renditions[kind].sha256)
