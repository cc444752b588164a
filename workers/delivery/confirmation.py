"""CONFIRMATION_DELIVERY: the supplementary note and its seal appear beside the delivered document.

As a group of its own, `<stem>.ergaenzung.*` with its own `.ready`, in the folder the document
was delivered to: whoever has taken the document away finds what was added to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ingest import clock
from ingest.context import StepContext
from ingest.document import Assignment, Document, Facts, Outcome, RenditionKind
from workers.delivery import explained, folder_of
from workers.delivery.filesystem import FileSystem
from workers.delivery.publication import JOURNAL, Journal, Publication

#: Follows the stem of the document's own files.
SUFFIX: Final = ".ergaenzung"
_FILES: Final = ((RenditionKind.SUPPLEMENT, "xml"), (RenditionKind.SUPPLEMENT_SEAL, "p7s"))


def perform(
    assignment: Assignment, context: StepContext, system: FileSystem | None = None
) -> Outcome:
    """Deliver the supplementary note, once.

    Raises:
        StoreUnavailable: See `workers.delivery.perform`.
        UnsafeFolders: As above.
    """
    document = assignment.document
    if document is None:
        message = f"step {assignment.step} needs a document"
        raise ValueError(message)
    system = system or FileSystem()
    outbox = context.settings.outbox(assignment.tenant).absolute()
    journal = Journal(outbox / JOURNAL, system)
    try:
        receipt = journal.resume(assignment.idempotency_key)
        if receipt is None:
            folder = folder_of(outbox, document, system)
            receipt = journal.publish(_publication(assignment, document, context, folder))
    except OSError as error:
        raise explained(outbox, error) from error
    facts: Facts = receipt["facts"]
    return Outcome(facts=facts)


def _publication(
    assignment: Assignment, document: Document, context: StepContext, folder: Path
) -> Publication:
    stem = f"{document.facts['delivery']['stem']}{SUFFIX}"
    chosen = {f"{stem}.{suffix}": document.renditions[kind].sha256 for kind, suffix in _FILES}
    facts: Facts = {
        "target": "folder",
        "path": str(folder),
        "delivered_at": clock.now().isoformat(),
        "stem": stem,
        "files": chosen,
    }
    return Publication(
        key=assignment.idempotency_key,
        folder=folder,
        stem=stem,
        files={name: context.path(sha256) for name, sha256 in chosen.items()},
        sha256=chosen,
        receipt={"facts": facts},
    )
