"""The whole way as data: which step follows which, where it runs and how long it may take."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ingest.document.standing import BatchStage, Stage


class UnitKind(enum.StrEnum):
    """What the pipeline claims."""

    BATCH = "batch"
    PAGE = "page"
    DOCUMENT = "document"


class Step(enum.StrEnum):
    """The verbal nouns of the way; each has one home in `workers`."""

    INSPECTION = "inspection"  #: batch: type by content, pages, signed, encrypted, broken
    EXAMINATION = "examination"  #: page: decodes? size, codes, blank suspect
    SEPARATION = "separation"  #: batch: pages to documents
    RECOGNITION = "recognition"  #: page: words and their places
    COMPOSITION = "composition"  #: document: searchable PDF/A out of its pages
    CHECKING = "checking"
    NOTE = "note"
    SEALING = "sealing"
    ROUTING = "routing"
    DELIVERY = "delivery"
    CONFIRMING = "confirming"  #: document, delivered: a clerk's result becomes a supplementary note
    CONFIRMATION_SEALING = "confirmation_sealing"
    CONFIRMATION_DELIVERY = "confirmation_delivery"


#: What is added to a delivered document; its own way is over.
CONFIRMATION: Final = (Step.CONFIRMING, Step.CONFIRMATION_SEALING, Step.CONFIRMATION_DELIVERY)


class Queue(enum.StrEnum):
    """Which workers may do a step. Keys stay out of the workers that read foreign bytes."""

    INSPECTION = "inspection"
    RECOGNITION = "recognition"
    SEALING = "sealing"
    DELIVERY = "delivery"


@dataclass(frozen=True, kw_only=True)
class StepPlan:
    """Where a step runs and where its unit stands afterwards.

    Attributes:
        stage: The stage reached, None for steps of a page.
        following: The next step of the same unit, None at the end.
        seconds: Time budget of one attempt; the lease's heartbeat stops there.
        event: What the document's event is called where it makes no new stage.
    """

    queue: Queue
    stage: BatchStage | Stage | None
    following: Step | None
    seconds: int
    event: str | None = None


_K, _T, _Q = UnitKind, Step, Queue
#: The whole way, as data. A page has no stage of its own: its steps serve batch and document.
PLAN: Final = MappingProxyType(
    {
        (_K.BATCH, _T.INSPECTION): StepPlan(
            queue=_Q.INSPECTION, stage=BatchStage.INSPECTED, following=_T.SEPARATION, seconds=300
        ),
        (_K.PAGE, _T.EXAMINATION): StepPlan(
            queue=_Q.INSPECTION, stage=None, following=None, seconds=90
        ),
        (_K.BATCH, _T.SEPARATION): StepPlan(
            queue=_Q.INSPECTION, stage=BatchStage.CLOSED, following=None, seconds=120
        ),
        (_K.PAGE, _T.RECOGNITION): StepPlan(
            queue=_Q.RECOGNITION, stage=None, following=None, seconds=300
        ),
        (_K.DOCUMENT, _T.COMPOSITION): StepPlan(
            queue=_Q.RECOGNITION, stage=Stage.RECOGNISED, following=_T.CHECKING, seconds=1800
        ),
        (_K.DOCUMENT, _T.CHECKING): StepPlan(
            queue=_Q.RECOGNITION, stage=Stage.CHECKED, following=_T.NOTE, seconds=300
        ),
        (_K.DOCUMENT, _T.NOTE): StepPlan(
            queue=_Q.RECOGNITION, stage=Stage.NOTED, following=_T.SEALING, seconds=600
        ),
        (_K.DOCUMENT, _T.SEALING): StepPlan(
            queue=_Q.SEALING, stage=Stage.SEALED, following=_T.ROUTING, seconds=600
        ),
        (_K.DOCUMENT, _T.ROUTING): StepPlan(
            queue=_Q.DELIVERY, stage=Stage.ROUTED, following=_T.DELIVERY, seconds=60
        ),
        (_K.DOCUMENT, _T.DELIVERY): StepPlan(
            queue=_Q.DELIVERY, stage=Stage.DELIVERED, following=None, seconds=600
        ),
        (_K.DOCUMENT, _T.CONFIRMING): StepPlan(
            queue=_Q.DELIVERY,
            stage=Stage.DELIVERED,
            following=_T.CONFIRMATION_SEALING,
            seconds=60,
            event="confirmation_noted",
        ),
        (_K.DOCUMENT, _T.CONFIRMATION_SEALING): StepPlan(
            queue=_Q.SEALING,
            stage=Stage.DELIVERED,
            following=_T.CONFIRMATION_DELIVERY,
            seconds=600,
            event="confirmation_sealed",
        ),
        (_K.DOCUMENT, _T.CONFIRMATION_DELIVERY): StepPlan(
            queue=_Q.DELIVERY,
            stage=Stage.DELIVERED,
            following=None,
            seconds=600,
            event="confirmation_delivered",
        ),
    }
)
