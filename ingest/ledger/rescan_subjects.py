"""What a file that was scanned again is for: which documents, under which rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import RESCANNED, Batch, BatchStage, Facts, Standing, Step, UnitKind
from ingest.errors import UsageError
from ingest.ledger import schema
from ingest.ledger.assigning import Profiles, envelope_of
from ingest.ledger.showing import find

Row = sa.Row[Any]
_document = schema.document
_OVER: Final = (Standing.REJECTED, Standing.SUPERSEDED)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is scanned again.

    Attributes:
        batch: Without its sources.
        profile: Content of the batch's profile, under which new files are inspected.
        documents: Each takes one file, in this order.
    """

    batch: Batch
    profile: Facts
    profile_sha256: str
    documents: tuple[str, ...]


def subject(connection: sa.Connection, unit_id: str, page: int | None) -> Subject:
    """Return what scanning a batch, a document or a page of either again is about.

    A batch stands for its documents that are not over, in order, or for the one with the page.

    Raises:
        UsageError: See `showing.find`; or nothing of the batch can be scanned again.
    """
    unit = find(connection, unit_id)
    batch = connection.execute(
        sa.select(schema.batch).where(schema.batch.c.id == unit.batch_id)
    ).one()
    documents: tuple[str, ...] = (unit.id,)
    if unit.kind is UnitKind.BATCH:
        documents = _of_batch(connection, unit.batch_id, page)
    return Subject(
        batch=Batch(
            id=batch.id,
            tenant=batch.tenant,
            stage=BatchStage(batch.stage),
            envelope=envelope_of(batch),
            registered_at=batch.registered_at,
            sources=(),
        ),
        profile=Profiles().content(connection, batch.tenant, batch.profile_sha256),
        profile_sha256=batch.profile_sha256,
        documents=documents,
    )


def _of_batch(connection: sa.Connection, batch_id: str, page: int | None) -> tuple[str, ...]:
    query = sa.select(_document).where(
        _document.c.batch_id == batch_id,
        _document.c.standing.not_in(_OVER),
        _document.c.erased_at.is_(None),
    )
    rows = connection.execute(query.order_by(_document.c.ordinal)).all()
    chosen = tuple(row.id for row in rows if row.pages and page in (None, *_pages(row)))
    if not chosen:
        what = "hat kein Dokument" if page is None else f"hat kein Dokument mit Seite {page}"
        text = f"Einlieferung {batch_id} {what}, das neu gescannt werden könnte."
        raise UsageError(f"nothing of {batch_id} is scanned again", operator_text=text)
    return chosen


def _pages(document: Row) -> set[int]:
    """Return the pages of a document and those that were replaced: whoever repeats names them."""
    history = document.facts.get(Step.SEPARATION, {}).get(RESCANNED, [])
    return {*document.pages, *(entry["replaced_page"] for entry in history)} - {None}
