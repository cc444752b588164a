"""What the system is about: batches, documents, pages, and where each of them is.

This package imports nothing else of the project; everything else imports it.
"""

from __future__ import annotations

from ingest.document.families import Family
from ingest.document.kinds import PageRole, Priority, RenditionKind, Sides, SourceKind
from ingest.document.omission import PUT_BACK, RESCANNED, left_out, replaced
from ingest.document.paper import DIN_66399, PAPER_ENDS, PAPER_MOVES, PAPER_NAMES, REST, PaperStage
from ingest.document.plan import CONFIRMATION, PLAN, Queue, Step, StepPlan, UnitKind
from ingest.document.records import (
    Batch,
    Blob,
    Document,
    Envelope,
    Page,
    Rendition,
    Source,
    Superseded,
)
from ingest.document.roles import FORBIDDEN_PAIRS, ROLE_NAMES, Role
from ingest.document.signed import VALIDATION, reasons_to_look, report_sha256, signatures
from ingest.document.standing import ENDS, MOVES, BatchStage, Stage, Standing
from ingest.document.terms import (
    DEFAULT_TENANT,
    NOT_APPLICABLE,
    NOT_RECORDED,
    OPERATOR_CODE_RULE,
    OUTGOING,
    SCANNED,
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
    ProfileChoice,
    Wait,
)

__all__ = [
    "CONFIRMATION",
    "DEFAULT_TENANT",
    "DIN_66399",
    "ENDS",
    "FORBIDDEN_PAIRS",
    "MOVES",
    "NOT_APPLICABLE",
    "NOT_RECORDED",
    "OPERATOR_CODE_RULE",
    "OUTGOING",
    "PAPER_ENDS",
    "PAPER_MOVES",
    "PAPER_NAMES",
    "PLAN",
    "PUT_BACK",
    "RELEASE_KEYS",
    "RESCANNED",
    "REST",
    "ROLE_NAMES",
    "SCANNED",
    "VALIDATION",
    "Assignment",
    "Batch",
    "BatchStage",
    "Blob",
    "Cover",
    "Document",
    "Envelope",
    "Facts",
    "Family",
    "FoundPage",
    "Outcome",
    "Page",
    "PageRole",
    "PaperStage",
    "Part",
    "Priority",
    "ProfileChoice",
    "Queue",
    "Rendition",
    "RenditionKind",
    "Role",
    "Sides",
    "Source",
    "SourceKind",
    "Stage",
    "Standing",
    "Step",
    "StepPlan",
    "Superseded",
    "UnitKind",
    "Wait",
    "is_operator_code",
    "left_out",
    "new_id",
    "reasons_to_look",
    "replaced",
    "report_sha256",
    "signatures",
]
