"""Scanning again: new files are made durable and inspected, then replace what they stand for.

Order of safety as with every arrival: bytes synced, ledger committed, then acknowledged. A
call that dies before the commit has changed nothing and can be repeated; one that is repeated
after it finds that these bytes are there already.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ingest.document import PLAN, Assignment, Outcome, Source, Step, UnitKind, new_id
from ingest.errors import Unclear, UsageError
from ingest.intake import display_name, name_base64
from ingest.ledger import Ledger, Rescan, Rescanned
from ingest.ledger.rescan_subjects import Subject, subject
from ingest.sandbox import Child, Limits
from ingest.settings import Settings
from ingest.store.port import Store
from workers.scratch import Scratch

_TARGET: Final = "workers.execution:prepare"
_SECONDS: Final = PLAN[UnitKind.BATCH, Step.INSPECTION].seconds


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What shall replace what.

    Attributes:
        unit_id: A batch or a document.
        page: Arrival number of the only page that is replaced, None for everything.
        files: One for each document, in order.
        device, scanned_at: As `ledger.rescanning.Rescan`.
    """

    unit_id: str
    page: int | None
    files: Sequence[Path]
    by: str
    reason: str
    device: str | None = None
    scanned_at: dt.datetime | None = None


def rescan(ledger: Ledger, store: Store, settings: Settings, wish: Wish) -> list[Rescanned]:
    """Replace a page, a document or all documents of a batch, all or nothing.

    Raises:
        UsageError: Not one file for each document, or see `ledger.rescanning.rescan`.
        Unclear: A file is not readable, locked, incomplete or contains others.
        Dangerous: A file is a bomb.
        ToolFailed: Inspection crashed.
        StoreUnavailable: The store takes nothing.
        OSError: A file is gone or out of reach.
    """
    with ledger.reading() as connection:
        about = subject(connection, wish.unit_id, wish.page)
    if len(wish.files) != len(about.documents):
        text = (
            f"{len(about.documents)} Dokumente, aber {len(wish.files)} Dateien: bitte für jedes "
            "Dokument genau eine Datei angeben, in der Reihenfolge der Dokumente."
        )
        raise UsageError("not one file for each document", operator_text=text)
    kept = [_kept(store, about.batch.tenant, path) for path in wish.files]
    found = _inspected(settings, about, kept)
    wishes = {
        document: Rescan(
            by=wish.by,
            reason=wish.reason,
            page=wish.page,
            source=outcome.sources[0],
            pages=outcome.pages,
            present=store.holds,
            device=wish.device,
            scanned_at=wish.scanned_at,
        )
        for document, outcome in zip(about.documents, found, strict=True)
    }
    return ledger.rescan(wishes)


def _kept(store: Store, tenant: str, path: Path) -> Source:
    with path.open("rb") as stream:
        blob = store.put(tenant, stream)
    return Source(
        ordinal=1,
        name=display_name(path.name),
        name_base64=name_base64(path.name),
        sha256=blob.sha256,
        size=blob.size,
    )


def _inspected(settings: Settings, about: Subject, sources: Sequence[Source]) -> list[Outcome]:
    """Inspect each file alone, in a limited child process."""
    from workers.execution import ASSIGNMENT, OUTCOME

    limits = Limits(memory_bytes=settings.workers.memory_bytes)
    child = Child(_TARGET, {"settings": settings.for_children()}, limits)
    scratch = Scratch(settings.data / "spool")
    scratch.clear_abandoned()
    try:
        found = []
        for source in sources:
            request = {
                "assignment": ASSIGNMENT.dump_python(_assignment(about, source), mode="json"),
                "workspace": str(scratch.folder()),
            }
            outcome = OUTCOME.validate_python(child.call(request, _SECONDS, lambda: True))
            found.append(_plain(source, outcome))
        return found
    finally:
        child.close()
        scratch.close()


def _assignment(about: Subject, source: Source) -> Assignment:
    return Assignment(
        step=Step.INSPECTION,
        unit_kind=UnitKind.BATCH,
        unit_id=about.batch.id,
        tenant=about.batch.tenant,
        idempotency_key=new_id(),
        attempt=1,
        profile=about.profile,
        profile_sha256=about.profile_sha256,
        batch=replace(about.batch, sources=(source,)),
    )


def _plain(source: Source, outcome: Outcome) -> Outcome:
    if len(outcome.sources) != 1:
        raise Unclear(
            "a rescan contains other files",
            code="not_a_scan",
            operator_text=(
                f"{source.name} enthält weitere Dateien und ist kein Scan. Bitte das Papier"
                " scannen und diese Datei angeben."
            ),
        )
    return outcome
