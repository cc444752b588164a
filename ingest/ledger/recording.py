"""Recording the outcome of a step: everything it leads to, in one transaction.

Fenced: only whoever holds the claim now can record, so a step that ran twice counts once.
The work goes to the next step of `PLAN` on the same row; the last step removes it.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import (
    OUTGOING,
    PLAN,
    BatchStage,
    Facts,
    FoundPage,
    Outcome,
    PageRole,
    RenditionKind,
    Source,
    Stage,
    Standing,
    Step,
    UnitKind,
    Wait,
    new_id,
)
from ingest.errors import ToolFailed
from ingest.ledger import (
    accepting,
    chains,
    covering,
    cutting,
    openwork,
    outputs,
    quality,
    reviewing,
    schema,
    witness,
)
from ingest.ledger.sealers import CERTIFICATE
from ingest.ledger.terms import Claim, Present

Row = sa.Row[Any]
_batch, _document, _page = schema.batch, schema.document, schema.page

_UNIT_FACTS: Final = {
    UnitKind.BATCH: sa.select(_batch.c.facts).where(_batch.c.id == sa.bindparam("unit")),
    UnitKind.DOCUMENT: sa.select(_document.c.facts).where(_document.c.id == sa.bindparam("unit")),
    UnitKind.PAGE: sa.select(_page.c.facts, _page.c.number).where(
        _page.c.id == sa.bindparam("unit")
    ),
}
#: What the envelope said stays; a person is asked only where it said nothing.
_RECEIVED = sa.update(_batch).where(
    _batch.c.id == sa.bindparam("unit"), _batch.c.received_at.is_(None)
)
_PAGE_DONE = sa.update(_page).where(_page.c.id == sa.bindparam("unit"))
_SOURCE_FOUND = sa.update(schema.batch_source).where(
    schema.batch_source.c.batch_id == sa.bindparam("of_batch"),
    schema.batch_source.c.ordinal == sa.bindparam("at_ordinal"),
)
_NEW_SOURCE = sa.insert(schema.batch_source).inline()
_NEW_RENDITION = sa.insert(schema.rendition).inline()
_NEW_PAGE = sa.insert(_page).inline()
_NEW_CLAIM = sa.insert(schema.claim).inline()
#: Between these two a document waits for quality assurance, if its class asks for it.
_JUDGED: Final = frozenset({Step.CHECKING, Step.NOTE})


def record(
    connection: sa.Connection, claim: Claim, outcome: Outcome, present: Present | None = None
) -> bool:
    """Record an outcome; False if the claim was lost, and then nothing is written.

    An outcome that waits is not the end of its step: facts and renditions are kept, and
    the same step runs again when what it waits for has come.

    Raises:
        ToolFailed: The store does not hold a rendition that the step claims to have made;
            nothing may be committed.
    """
    sampled = claim.step in _JUDGED and quality.enter(connection, claim.batch_id)
    fenced = openwork.fence(connection, claim)
    if fenced is None:
        return False
    row, moment = fenced
    if sampled and row.step == Step.NOTE and not quality.passes(connection, row.unit_id):
        outcome = Outcome(wait=Wait(reason=quality.reason(row.batch_id)["reason"]))
    _keep_renditions(connection, row, outcome, moment, present)
    if outcome.wait is not None:
        _wait(connection, row, outcome, moment)
    elif row.unit_kind == UnitKind.PAGE:
        _page_step(connection, row, outcome, moment)
    elif row.step == Step.INSPECTION:
        _inspection(connection, row, outcome, moment, present)
    elif row.step == Step.SEPARATION:
        cutting.separation(
            connection, row, outcome, _merged(connection, row, outcome, moment), moment
        )
    else:
        _document_step(connection, row, outcome, moment, sampled=sampled)
    return True


def _keep_renditions(
    connection: sa.Connection,
    row: Row,
    outcome: Outcome,
    moment: dt.datetime,
    present: Present | None,
) -> None:
    if not outcome.renditions:
        return
    blobs = [(made.sha256, made.size) for made in outcome.renditions]
    _require_blobs(connection, row, blobs, moment, present)
    rows: list[Facts] = [
        {
            "tenant": row.tenant,
            "unit_kind": row.unit_kind,
            "unit_id": row.unit_id,
            "kind": made.kind,
            "sha256": made.sha256,
            "size": made.size,
            "media_type": made.media_type,
            "parent_sha256": made.parent_sha256,
            "tool": made.tool,
            "settings": made.settings,
            "recorded_at": moment,
        }
        for made in outcome.renditions
    ]
    connection.execute(_NEW_RENDITION, rows)


def _require_blobs(
    connection: sa.Connection,
    row: Row,
    blobs: list[tuple[str, int]],
    moment: dt.datetime,
    present: Present | None,
) -> None:
    if missing := accepting.keep_blobs(connection, row.tenant, blobs, moment, present):
        text = "Ein Ergebnis des Arbeitsschritts liegt nicht in der Ablage; er wird wiederholt."
        message = f"rendition missing: {', '.join(missing[:3])}"
        raise ToolFailed(message, operator_text=text, code="rendition_missing")


def _merged(connection: sa.Connection, row: Row, outcome: Outcome, moment: dt.datetime) -> Facts:
    """Return the unit's facts with the outcome's, and its time, under the name of the step."""
    kind = UnitKind(row.unit_kind)
    facts: Facts = connection.execute(_UNIT_FACTS[kind], {"unit": row.unit_id}).scalar_one()
    return {**facts, row.step: {**outcome.facts, "recorded_at": moment.isoformat()}}


def _account(row: Row, outcome: Outcome) -> Facts:
    """Return what an event says about a step: its blobs, a digest of its facts, whose seal.

    The digest is of the facts as the step found them; their `recorded_at` is the event's time.
    """
    said: Facts = {
        "step": row.step,
        "attempt": row.attempts,
        "facts_sha256": chains.facts_digest(outcome.facts),
    }
    if CERTIFICATE in outcome.facts:
        said[CERTIFICATE] = outcome.facts[CERTIFICATE]
    return said | outputs.account(row.tenant, row.unit_kind, outcome.renditions)


def _next(row: Row, step: Step, moment: dt.datetime) -> Facts:
    return {
        "step": step,
        "queue": PLAN[UnitKind(row.unit_kind), step].queue,
        "idempotency_key": accepting.idempotency_key(row.unit_id, step),
        "attempts": 0,
        "lost": 0,
        "reason_code": None,
        "reason": None,
        "since_at": moment,
    }


def _wait(connection: sa.Connection, row: Row, outcome: Outcome, moment: dt.datetime) -> None:
    wait = outcome.wait
    if wait is None or outcome.pages or outcome.parts or row.unit_kind == UnitKind.PAGE:
        message = f"{row.step} of {row.unit_id}: a step that waits makes no pages or documents"
        raise ValueError(message)
    kind, unit = openwork.owner(row)
    reason = {"reason_code": "waiting", "reason": wait.reason}
    openwork.change(
        connection, row, Standing.WAITING, due_at=wait.until, attempts=0, lost=0, **reason
    )
    facts = _merged(connection, row, outcome, moment)
    openwork.show(connection, kind, unit, moment, standing=Standing.WAITING, facts=facts, **reason)
    until = wait.until.isoformat() if wait.until else None
    said = {**_account(row, outcome), "reason": wait.reason, "until": until}
    chains.append(connection, unit, moment, chains.Entry("waiting", said))


def _inspection(
    connection: sa.Connection,
    row: Row,
    outcome: Outcome,
    moment: dt.datetime,
    present: Present | None,
) -> None:
    enclosures = [source for source in outcome.sources if source.enclosure_of is not None]
    if enclosures:
        blobs = [(source.sha256, source.size) for source in enclosures]
        _require_blobs(connection, row, blobs, moment, present)
        new = accepting.source_rows(row.tenant, row.batch_id, enclosures)
        connection.execute(_NEW_SOURCE, new)
    _sources_found(connection, row.batch_id, outcome.sources)
    standing = Standing.WAITING if outcome.pages else Standing.READY
    following = _next(row, Step.SEPARATION, moment)
    openwork.change(connection, row, standing, children_open=len(outcome.pages), **following)
    openwork.show(
        connection,
        UnitKind.BATCH,
        row.batch_id,
        moment,
        stage=BatchStage.INSPECTED,
        standing=standing,
        reason_code=None,
        reason=None,
        facts=_merged(connection, row, outcome, moment),
    )
    _pages_found(connection, row, outcome.pages, moment)
    said = {**_account(row, outcome), "pages": len(outcome.pages), **_found(outcome)}
    if enclosures:
        said["enclosures"] = [accepting.named_enclosure(source) for source in enclosures]
    said |= _received(connection, row.batch_id, outcome.facts)
    digests = [page.sha256 for page in outcome.pages]
    said |= witness.keep(connection, witness.CAPTURE, row.batch_id, row.tenant, digests, moment)
    chains.append(connection, row.batch_id, moment, chains.Entry("inspected", said))


def _received(connection: sa.Connection, batch_id: str, facts: Facts) -> Facts:
    """Give the batch the date of receipt that a person supplied; return what was set."""
    if not facts.get("received_at"):
        return {}
    received_at = cutting.moment_of(facts["received_at"])
    source = facts.get("received_at_source", "operator")
    fields = {"received_at": received_at, "received_at_source": source}
    changed = connection.execute(_RECEIVED, {"unit": batch_id, **fields}).rowcount
    return {**fields, "received_at": received_at.isoformat()} if changed else {}


def _found(outcome: Outcome) -> Facts:
    """Return digests of what the rows of pages and sources will say."""
    pages = [chains.page_digest(p.source, p.index, p.sha256, p.facts) for p in outcome.pages]
    sources = {str(found.ordinal): chains.source_digest(found) for found in outcome.sources}
    return {"pages_sha256": chains.facts_digest({"pages": pages}), "sources_sha256": sources}


def _sources_found(connection: sa.Connection, batch_id: str, found: tuple[Source, ...]) -> None:
    rows: list[Facts] = [
        {
            "of_batch": batch_id,
            "at_ordinal": source.ordinal,
            "kind": source.kind,
            "pages": source.pages,
            "facts": source.facts,
        }
        for source in found
    ]
    if rows:
        connection.execute(_SOURCE_FOUND, rows)


def _pages_found(
    connection: sa.Connection, row: Row, found: tuple[FoundPage, ...], moment: dt.datetime
) -> None:
    if not found:
        return
    pages: list[Facts] = [
        {
            "id": new_id(),
            "tenant": row.tenant,
            "batch_id": row.batch_id,
            "number": number,
            "source": page.source,
            "frame": page.index,
            "sha256": page.sha256,
            "role": PageRole.CONTENT,
            "facts": {Step.INSPECTION: page.facts},
        }
        for number, page in enumerate(found, 1)
    ]
    connection.execute(_NEW_PAGE, pages)
    same = {"tenant": row.tenant, "batch_id": row.batch_id, "priority": row.priority}
    same |= {"parent_id": row.id, "released": row.released, "since_at": moment}
    connection.execute(
        _NEW_CLAIM,
        [accepting.work(UnitKind.PAGE, page["id"], Step.EXAMINATION, **same) for page in pages],
    )


def _page_step(connection: sa.Connection, row: Row, outcome: Outcome, moment: dt.datetime) -> None:
    found = connection.execute(_UNIT_FACTS[UnitKind.PAGE], {"unit": row.unit_id}).one()
    changed: Facts = {"facts": _of_page(found.facts, row.step, outcome.facts, moment)}
    for made in outcome.renditions:
        if made.kind is RenditionKind.WORDS:
            changed["words_sha256"] = made.sha256
    connection.execute(_PAGE_DONE, {"unit": row.unit_id, **changed})
    if row.step == Step.EXAMINATION and row.document_id is not None:
        # scanned again for a document that is cut already
        openwork.change(connection, row, Standing.READY, **_next(row, Step.RECOGNITION, moment))
    else:
        openwork.finish(connection, row)
        openwork.child_done(connection, row, moment)
    _, chain = openwork.owner(row)
    kind = "page_examined" if row.step == Step.EXAMINATION else "page_recognised"
    said = {**_account(row, outcome), "page": found.number}
    chains.append(connection, chain, moment, chains.Entry(kind, said))


def _of_page(known: Facts, step: str, found: Facts, moment: dt.datetime) -> Facts:
    """Return a page's facts with those of a step; times stand together under `recorded_at`.

    Beside the steps, not in them: what a step found stays what its event has the digest of.
    """
    times = {**known.get("recorded_at", {}), step: moment.isoformat()}
    return {**known, step: found, "recorded_at": times}


def _document_step(
    connection: sa.Connection, row: Row, outcome: Outcome, moment: dt.datetime, *, sampled: bool
) -> None:
    plan = PLAN[UnitKind.DOCUMENT, Step(row.step)]
    facts = _merged(connection, row, outcome, moment)
    checked = row.step == Step.CHECKING
    waits = sampled and checked and quality.is_member(connection, row.unit_id)
    reason = quality.reason(row.batch_id) if waits else {"reason_code": None, "reason": None}
    said = {**_account(row, outcome), **(outcome.leaves or {})}
    if row.step == Step.CONFIRMATION_SEALING:
        kind = witness.SUPPLEMENT
        of_note = covering.digests(connection, kind, row.unit_id)
        said |= witness.keep(connection, kind, row.unit_id, row.tenant, of_note, moment)
    entries = [chains.Entry(plan.event or str(plan.stage), said)]
    stage = plan.stage
    if outcome.leaves is not None:
        stage = Stage.DELIVERED
        entries.append(chains.Entry(stage, {"target": OUTGOING}))
    if plan.following is None or outcome.leaves is not None:
        openwork.finish(connection, row)
        standing = Standing.DONE
    else:
        standing = Standing.WAITING if waits else Standing.READY
        following = {**_next(row, plan.following, moment), **reason}
        openwork.change(connection, row, standing, **following)
    asked = {"review_open": int(bool(reviewing.reasons(facts)))} if checked else {}
    openwork.show(
        connection,
        UnitKind.DOCUMENT,
        row.unit_id,
        moment,
        stage=stage,
        standing=standing,
        facts=facts,
        **reason,
        **asked,
    )
    chains.append(connection, row.unit_id, moment, *entries)
    if waits:
        quality.checked(connection, row.batch_id, row.unit_id, facts, moment)
