"""The steps of a document's way, one module or package each, and who runs them.

A step is a function `perform(assignment, context) -> Outcome`. Steps do not import one
another and never see the ledger. They are named here as text and loaded inside the child
process that runs them, so that the parent stays small.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from ingest.document import Step

#: Where each step lives: `module:function`.
STEPS: Final = MappingProxyType(
    {
        Step.INSPECTION: "workers.inspection:perform",
        Step.EXAMINATION: "workers.separation.examination:perform",
        Step.SEPARATION: "workers.separation.cutting:perform",
        Step.RECOGNITION: "workers.recognition.page:perform",
        Step.COMPOSITION: "workers.recognition.composition:perform",
        Step.CHECKING: "workers.checking:perform",
        Step.NOTE: "workers.note:perform",
        Step.SEALING: "workers.sealing:perform",
        Step.ROUTING: "workers.routing:perform",
        Step.DELIVERY: "workers.delivery:perform",
        Step.CONFIRMING: "workers.note.supplement:perform",
        Step.CONFIRMATION_SEALING: "workers.sealing.confirmation:perform",
        Step.CONFIRMATION_DELIVERY: "workers.delivery.confirmation:perform",
    }
)
