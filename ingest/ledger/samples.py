"""What quality assurance asks for and has found: for checkers, for the note, for an auditor.

Nothing here counts what a person did: there is no figure about anybody (TR-03138 A, fn 30).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import ENDS, RESCANNED, Facts, Standing, Step
from ingest.errors import UsageError
from ingest.ledger import drawing, quality, sampler, schema
from ingest.ledger.reading import moment

Row = sa.Row[Any]
_sample, _member, _document = schema.quality_batch, schema.quality_document, schema.document

_SAMPLE = sa.select(_sample).where(_sample.c.batch_id == sa.bindparam("of_batch"))
_MEMBER = sa.select(_member).where(_member.c.document_id == sa.bindparam("of_document"))
_CHECKED_BY = (
    sa.select(_member.c.judged_by)
    .where(_member.c.batch_id == sa.bindparam("of_batch"), _member.c.judged_by.is_not(None))
    .distinct()
)
_OVER: Final = (Standing.REJECTED, Standing.SUPERSEDED)
_NOT_SELECTED = (
    sa.select(_member.c.document_id)
    .join(_document, _document.c.id == _member.c.document_id)
    .where(
        _member.c.batch_id == sa.bindparam("of_batch"),
        _member.c.rule == quality.BEFORE_DELIVERY,
        _member.c.selected == 0,
        _document.c.standing.not_in(_OVER),
    )
    .limit(1)
)
_MEMBERS = (
    sa.select(
        _member,
        _document.c.ordinal,
        _document.c.revision,
        _document.c.stage,
        _document.c.standing,
        _document.c.pages.label("all_pages"),
    )
    .join(_document, _document.c.id == _member.c.document_id)
    .where(_member.c.batch_id == sa.bindparam("of_batch"))
    .order_by(_document.c.ordinal, _document.c.revision)
)


def told(connection: sa.Connection, document: Row, content: Facts) -> Facts:
    """Return what the steps of a document are told: `Assignment.quality`.

    Args:
        connection: Of the assignment.
        document: Its row.
        content: Of its profile; of one that keeps the paper nothing is asked of the ledger.

    Returns:
        Empty where the class asks for nothing. Otherwise `rule`, `state` (`open`, `stopped`,
        `passed`; of a clerk's check `pending`, `confirmed`, `refused`), `mode`, `need`,
        `selected` (whether this document was looked at), `sample`, `verdict`, `checked_by`,
        `rescanned`.
    """
    rules = quality.rules_of(content)
    if rules is None:
        return {}
    member = connection.execute(_MEMBER, {"of_document": document.id}).first()
    rescanned = document.facts.get(Step.SEPARATION, {}).get(RESCANNED, [])
    said: Facts = {
        "rule": rules.quality.check,
        "need": rules.need,
        "selected": member is not None and bool(member.selected),
        "sample": None,
        "verdict": None if member is None else _verdict(member),
        "checked_by": [],
        "rescanned": list(rescanned),
    }
    if rules.quality.check == quality.BY_CLERK:
        result = {None: "pending", 1: "confirmed", 0: "refused"}
        state = result[None if member is None else member.good]
        return {**said, "mode": "clerk", "state": state}
    sample = connection.execute(_SAMPLE, {"of_batch": document.batch_id}).first()
    if member is None or sample is None:  # nothing goes on that nobody let go on
        return {**said, "mode": "sample", "state": "open"}
    of_batch = {"of_batch": document.batch_id}
    complete = connection.execute(_NOT_SELECTED, of_batch).first() is None
    return {
        **said,
        "mode": "complete" if complete else "sample",
        "state": _state(sample, member),
        "need": sample.need,
        "sample": _drawn(connection, sample),
        "checked_by": sorted(connection.execute(_CHECKED_BY, of_batch).scalars()),
    }


def _state(sample: Row, member: Row) -> str:
    if sample.state == "stopped" or member.good == 0:
        return "stopped"
    owed = member.selected and member.good is None
    return "passed" if sample.state == "passed" and not owed else "open"


def _drawn(connection: sa.Connection, sample: Row) -> Facts | None:
    """Return what was looked at of what is there by how it was drawn, None before it was."""
    if sample.opened_at is None:
        return None
    size, population = drawing.looked_at(connection, sample.batch_id)
    return {
        "size": size,
        "population": population,
        "share": sample.applied,
        "seed": sample.seed,
        "seed_sha256": sample.seed_sha256,
        "committed_at": moment(sample.committed_at),
        "closed_at": moment(sample.closed_at),
        "detection": sampler.detections(population, size),
    }


def _verdict(member: Row) -> Facts | None:
    if member.judged_at is None:
        return None
    return {
        "by": member.judged_by,
        "role": member.role,
        "at": moment(member.judged_at),
        "visual": bool(member.visual),
        "content": bool(member.content),
        "pages": member.pages,
    }


def overview(
    connection: sa.Connection, tenant: str | None = None, *, everything: bool = False
) -> Iterator[Facts]:
    """Yield the batches under quality assurance, oldest first.

    Args:
        connection: Of the caller.
        tenant: None for all.
        everything: Finished ones too; otherwise those in which something is owed, also where
            a document came after the rest had passed.
    """
    query = (
        sa.select(_sample)
        .join(schema.batch, schema.batch.c.id == _sample.c.batch_id)
        .where(schema.batch.c.erased_at.is_(None))
        .order_by(_sample.c.committed_at, _sample.c.batch_id)
    )
    if tenant is not None:
        query = query.where(_sample.c.tenant == tenant)
    if not everything:
        late = sa.exists().where(
            _member.c.batch_id == _sample.c.batch_id,
            _member.c.selected == 1,
            _member.c.good.is_(None),
            _document.c.id == _member.c.document_id,
            _document.c.standing.not_in(ENDS),
        )
        query = query.where(sa.or_(_sample.c.state != "passed", late))
    for sample in connection.execute(query).all():
        yield _of_batch(connection, sample)


def show(connection: sa.Connection, batch_id: str) -> Facts:
    """Return a batch's quality assurance with each of its documents.

    Raises:
        UsageError: The batch has none.
    """
    sample = connection.execute(_SAMPLE, {"of_batch": batch_id}).first()
    if sample is None:
        text = f"Einlieferung {batch_id}: Keine ihrer Klassen verlangt eine Prüfung vor Zustellung."
        raise UsageError(f"{batch_id} has no quality assurance", operator_text=text)
    rows = connection.execute(_MEMBERS, {"of_batch": batch_id}).all()
    found = _of_batch(connection, sample)
    return {**found, "documents": [_of_document(row) for row in rows]}


def _of_batch(connection: sa.Connection, sample: Row) -> Facts:
    rows = connection.execute(_MEMBERS, {"of_batch": sample.batch_id}).all()
    living = [row for row in rows if row.standing not in _OVER]
    owed = [row for row in living if row.selected and row.good is None]
    return {
        "batch": sample.batch_id,
        "tenant": sample.tenant,
        "state": sample.state,
        "profile": sample.profile,
        "need": sample.need,
        "share": sample.applied if sample.applied is not None else sample.share,
        "population": sample.population,
        "size": sample.size,
        "seed": sample.seed if sample.opened_at is not None else None,
        "seed_sha256": sample.seed_sha256,
        "detection": None
        if sample.opened_at is None
        else sampler.detections(sample.population, sample.size),
        "faults": sample.faults,
        "committed_at": moment(sample.committed_at),
        "opened_at": moment(sample.opened_at),
        "closed_at": moment(sample.closed_at),
        "waiting": sum(row.standing == Standing.WAITING for row in living),
        "owed": [row.document_id for row in owed],
        "flagged_pages": {row.document_id: row.flagged for row in owed if row.flagged},
        "refused": [row.document_id for row in living if row.good == 0],
    }


def _of_document(row: Row) -> Facts:
    return {
        "document": row.document_id,
        "ordinal": row.ordinal,
        "revision": row.revision,
        "stage": row.stage,
        "standing": row.standing,
        "pages": row.all_pages,
        "selected": bool(row.selected),
        "why": row.why,
        "flagged": row.flagged,
        "verdict": None
        if row.judged_at is None
        else {
            **(_verdict(row) or {}),
            "good": bool(row.good),
            "reason": row.reason,
            "seen_sha256": row.seen_sha256,
            "apart": None if row.apart is None else bool(row.apart),
        },
    }
