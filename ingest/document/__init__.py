"""What the system is about: batches, documents, pages, and where each of them is.

This package imports nothing else of the project; everything else imports it.
"""

from __future__ import annotations

from ingest.document.kinds import PageRole, Priority, RenditionKind, SourceKind
from ingest.document.plan import PLAN, Queue, Step, StepPlan, UnitKind
from ingest.document.records import Batch, Blob, Document, Envelope, Page, Rendition, Source
from ingest.document.standing import ENDS, MOVES, BatchStage, Stage, Standing
from ingest.document.terms import (
    DEFAULT_TENANT,
    NOT_APPLICABLE,
    NOT_RECORDED,
    OPERATOR_CODE_RULE,
    Facts,
    is_operator_code,
    new_id,
)
from ingest.document.work import (
    RELEASE_KEYS,
    Assignment,
    Cover,
    FoundPage,
    Outcome,
    Part,
    Wait,
)

__all__ = [
    "DEFAULT_TENANT",
    "ENDS",
    "MOVES",
    "NOT_APPLICABLE",
    "NOT_RECORDED",
    "OPERATOR_CODE_RULE",
    "PLAN",
    "RELEASE_KEYS",
    "Assignment",
    "Batch",
    "BatchStage",
    "Blob",
    "Cover",
    "Document",
    "Envelope",
    "Facts",
    "FoundPage",
    "Outcome",
    "Page",
    "PageRole",
    "Part",
    "Priority",
    "Queue",
    "Rendition",
    "RenditionKind",
    "Source",
    "SourceKind",
    "Stage",
    "Standing",
    "Step",
    "StepPlan",
    "UnitKind",
    "Wait",
    "is_operator_code",
    "new_id",
]
