"""Quality assurance before delivery: documents wait until a sample of their batch is judged.

When a batch with documents of such a class is separated, a random seed is committed by its
SHA-256. When every document has been checked, or cannot be for now, the check opens: the seed is
published and the sample follows from it (`ingest.ledger.sampler`). Documents with pages that
checking flagged are always looked at; so is whatever comes later. The documents go on when
nothing is owed any more; one fault stops the batch until a supervisor says how to go on.

    committed ──► open ◄──► stopped
                   │  ▲        ▲
                   ▼  └ resume ┘
                 passed ───────┘ (a document that came later has a fault)

Who changes anything here is alone with the batch (`enter`), before any other lock. That no
document is noted before is made sure by whoever records (`passes`), not by the workers.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import ENDS, Facts, Stage, Standing, Step
from ingest.ledger import chains, drawing, openwork, reviewing, sampler, schema
from ingest.ledger.engine import hold
from profiles.protection import MEASURES, Need, QualityRules, highest

Row = sa.Row[Any]
_sample, _member, _document, _claim = (
    schema.quality_batch,
    schema.quality_document,
    schema.document,
    schema.claim,
)

#: Why work waits, and why a document is held, as reason codes.
WAITS: Final = "quality"
REFUSED: Final = "quality_refused"
BEFORE_DELIVERY: Final = drawing.BEFORE_DELIVERY
BY_CLERK: Final = "by_clerk"

#: Events of the batch.
COMMITTED: Final = "quality_committed"
OPENED: Final = "quality_opened"
STOPPED: Final = "quality_stopped"
RESUMED: Final = "quality_resumed"
CLOSED: Final = "quality_closed"

_SEED_BYTES: Final = 32
_STATES: Final = {
    COMMITTED: "committed",
    OPENED: "open",
    STOPPED: "stopped",
    RESUMED: "open",
    CLOSED: "passed",
}

_SAMPLE = sa.select(_sample).where(_sample.c.batch_id == sa.bindparam("of_batch"))
_MEMBER = sa.select(_member).where(_member.c.document_id == sa.bindparam("of_document"))
_PASSES = (
    sa.select(_sample.c.state, _member.c.selected, _member.c.good)
    .join(_sample, _sample.c.batch_id == _member.c.batch_id)
    .where(_member.c.document_id == sa.bindparam("of_document"))
)
#: A document that is still on its way to where it can be judged; the last ones come last.
_UNFINISHED = (
    sa.select(_document.c.id)
    .join(_member, _member.c.document_id == _document.c.id)
    .where(
        _document.c.batch_id == sa.bindparam("of_batch"),
        _document.c.stage.in_((Stage.CAPTURED, Stage.RECOGNISED)),
        _document.c.standing.not_in((*ENDS, Standing.HELD, Standing.QUARANTINED)),
        _member.c.rule == BEFORE_DELIVERY,
    )
    .order_by(_document.c.ordinal.desc())
    .limit(1)
)
_OWED = (
    sa.select(_member.c.document_id)
    .join(_document, _member.c.document_id == _document.c.id)
    .where(
        _member.c.batch_id == sa.bindparam("of_batch"),
        _member.c.rule == BEFORE_DELIVERY,
        _member.c.selected == 1,
        sa.func.coalesce(_member.c.good, 0) == 0,
        _document.c.standing.not_in(ENDS),
    )
    .limit(1)
)
_RELEASED = (
    sa.select(_claim)
    .join(_member, _member.c.document_id == _claim.c.unit_id)
    .where(
        _claim.c.batch_id == sa.bindparam("of_batch"),
        _claim.c.step == Step.NOTE,
        _claim.c.standing == Standing.WAITING,
        sa.or_(_member.c.selected == 0, _member.c.good == 1),
    )
    .order_by(_claim.c.id)
)
_LOOKED_INTO = sa.exists().where(
    _member.c.batch_id == _sample.c.batch_id,
    _member.c.rule == BEFORE_DELIVERY,
    _member.c.judged_at.is_not(None),
)
_HISTORY = (
    sa.select(_sample.c.faults)
    .where(
        _sample.c.tenant == sa.bindparam("of_tenant"),
        _sample.c.profile == sa.bindparam("of_profile"),
        _sample.c.opened_at.is_not(None),
        _sample.c.population > 0,
        sa.or_(sa.and_(_sample.c.state == "passed", _LOOKED_INTO), _sample.c.faults > 0),
    )
    .order_by(_sample.c.opened_at.desc())
    .limit(sa.bindparam("newest", type_=sa.Integer))
)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a document's class asks of quality assurance; see `profiles.protection`."""

    profile: str
    need: Need
    quality: QualityRules


def rules_of(content: Facts) -> Rules | None:
    """Return what a profile asks, None where its paper is kept or nothing is asked."""
    asked = content.get("quality") or {}
    if content.get("treatment") != "replacing" or asked.get("check", "none") == "none":
        return None
    need = highest(iter([(content.get("protection") or {}).get("integrity", "normal")]))
    return Rules(
        profile=str(content["name"]), need=need, quality=QualityRules.model_validate(asked)
    )


def enter(connection: sa.Connection, batch_id: str) -> bool:
    """Be alone with a batch's quality assurance until the transaction ends; False if it has none.

    To be called before anything else of the batch is locked.
    """
    if connection.execute(_SAMPLE, {"of_batch": batch_id}).first() is None:
        return False
    hold(connection, f"quality of {batch_id}")
    return True


def enter_of(connection: sa.Connection, unit_id: str) -> str | None:
    """Do as `enter` for the batch of some open work; return the batch, None if it has none."""
    query = sa.select(_claim.c.batch_id).where(_claim.c.unit_id == unit_id)
    batch_id = connection.execute(query).scalar()
    return batch_id if batch_id is not None and enter(connection, batch_id) else None


def commit(
    connection: sa.Connection, batch: Row, rules: dict[str, Rules], moment: dt.datetime
) -> None:
    """Let documents of a batch wait for its sample, and commit the seed it is drawn with.

    Args:
        connection: Of the separation.
        batch: The batch's row.
        rules: Of its documents, by id; one whose rule is another than `before_delivery` does
            not wait.
        moment: The database's time.
    """
    waiting = {id_: asked for id_, asked in rules.items() if asked.quality.check == BEFORE_DELIVERY}
    if not waiting:
        return
    need = highest(each.need for each in waiting.values())
    of_need = [each for each in waiting.values() if each.need == need]
    seed = os.urandom(_SEED_BYTES).hex()
    share = max(each.quality.share for each in waiting.values())
    row: Facts = {
        "batch_id": batch.id,
        "tenant": batch.tenant,
        "profile": min(each.profile for each in of_need),
        "need": need,
        "share": max(share, MEASURES[need].smallest_share),
        "minimum": max(each.quality.minimum for each in waiting.values()),
        "clean_batches": max(each.quality.clean_batches for each in of_need),
        "seed": seed,
        "seed_sha256": sampler.commitment(seed),
        "state": "committed",
        "faults": 0,
        "committed_at": moment,
    }
    connection.execute(sa.insert(_sample), row)
    members = [
        _new_member(batch, id_, match=asked.quality.match, need=asked.need)
        for id_, asked in waiting.items()
    ]
    connection.execute(sa.insert(_member).inline(), members)
    told = ("profile", "need", "share", "minimum", "clean_batches", "seed_sha256")
    said: Facts = {name: row[name] for name in told} | {"documents": list(waiting)}
    chains.append(connection, batch.id, moment, chains.Entry(COMMITTED, said))


def _new_member(batch: Row, document_id: str, *, match: str, need: str) -> Facts:
    row: Facts = {"document_id": document_id, "batch_id": batch.id, "tenant": batch.tenant}
    row |= {"rule": BEFORE_DELIVERY, "need": need, "match": match}
    return {**row, "selected": 0, "flagged": [], "pages": []}


def passes(connection: sa.Connection, document_id: str) -> bool:
    """Tell whether nothing of quality assurance stands against noting a document."""
    row = connection.execute(_PASSES, {"of_document": document_id}).first()
    return row is None or (row.state == "passed" and (not row.selected or row.good == 1))


def is_member(connection: sa.Connection, document_id: str) -> bool:
    """Tell whether a document waits, or waited, for a sample."""
    return connection.execute(_MEMBER, {"of_document": document_id}).first() is not None


def reason(batch_id: str) -> Facts:
    """Return why a document of the batch waits, as reason code and German text."""
    text = (
        f"Wartet auf die Stichprobe der Einlieferung {batch_id} (Qualitätssicherung). "
        f"Was anzusehen ist, zeigt »qa show {batch_id}«."
    )
    return {"reason_code": WAITS, "reason": text}


def checked(
    connection: sa.Connection, batch_id: str, document_id: str, facts: Facts, moment: dt.datetime
) -> None:
    """Note that a document, which waits now, can be judged; open or close what follows from it."""
    flagged = reviewing.flagged(facts)
    mine = _member.c.document_id == document_id
    changed = connection.execute(sa.update(_member).where(mine).values(flagged=flagged)).rowcount
    if not changed:
        return
    sample = connection.execute(_SAMPLE, {"of_batch": batch_id}).one()
    if sample.state != "committed":
        drawing.select(connection, batch_id, [document_id], "late", moment)
    settle(connection, batch_id, moment)


def succeed(
    connection: sa.Connection, batch: Row, old_id: str, new_id: str, moment: dt.datetime
) -> None:
    """Let a new revision stand in for a document under quality assurance.

    Once the sample is drawn it is looked at itself, whatever was said of the old one.
    """
    old = connection.execute(_MEMBER, {"of_document": old_id}).first()
    if old is None or old.rule != BEFORE_DELIVERY:
        return
    row = _new_member(batch, new_id, match=old.match, need=old.need)
    connection.execute(sa.insert(_member), row)
    sample = connection.execute(_SAMPLE, {"of_batch": batch.id}).one()
    if sample.state != "committed":
        drawing.select(connection, batch.id, [new_id], "revised", moment)
    settle(connection, batch.id, moment)


def settle(connection: sa.Connection, batch_id: str, moment: dt.datetime) -> None:
    """Open, close or let go on what is due after something of the batch changed."""
    of_batch = {"of_batch": batch_id}
    sample = connection.execute(_SAMPLE, of_batch).one()
    state = sample.state
    if state == "committed" and connection.execute(_UNFINISHED, of_batch).first() is None:
        _open(connection, sample, moment)
        state = "open"
    if state == "open":
        drawing.substitute(connection, connection.execute(_SAMPLE, of_batch).one(), moment)
    if _is_over(connection, batch_id, state):
        _close(connection, batch_id, moment)
        state = "passed"
    if state == "passed":
        for row in connection.execute(_RELEASED, of_batch).all():
            cleared = {"attempts": 0, "lost": 0, "reason_code": None, "reason": None}
            openwork.change(connection, row, Standing.READY, **cleared)
            openwork.mirror(connection, row, Standing.READY, moment)


def _is_over(connection: sa.Connection, batch_id: str, state: str) -> bool:
    """Tell whether nothing is owed, or nothing is there any more of which anything could be."""
    if state == "stopped":
        return drawing.remaining(connection, batch_id) == 0
    return state == "open" and connection.execute(_OWED, {"of_batch": batch_id}).first() is None


def _open(connection: sa.Connection, sample: Row, moment: dt.datetime) -> None:
    found = connection.execute(drawing.CHECKED, {"of_batch": sample.batch_id}).all()
    ids = {row.ordinal: row.document_id for row in found}
    share = sampler.share_now(
        sample.need, sample.share, sample.clean_batches, _faulty(connection, sample)
    )
    size = sampler.size(len(ids), share, sample.minimum)
    drawn = sorted(sampler.order(sample.seed, ids)[:size])
    flagged = [row.ordinal for row in found if row.flagged and row.ordinal not in set(drawn)]
    drawing.mark(connection, [ids[ordinal] for ordinal in drawn], "sample")
    drawing.mark(connection, [ids[ordinal] for ordinal in flagged], "flagged")
    fields = {"state": "open", "applied": share, "population": len(ids), "size": size}
    change(connection, sample.batch_id, opened_at=moment, **fields)
    said: Facts = {
        "seed": sample.seed,
        "share": share,
        "population": sorted(ids),
        "size": size,
        "drawn": {str(ordinal): ids[ordinal] for ordinal in drawn},
        "flagged": {str(ordinal): ids[ordinal] for ordinal in flagged},
        "detection": sampler.detections(len(ids), size),
    }
    chains.append(connection, sample.batch_id, moment, chains.Entry(OPENED, said))


def _faulty(connection: sa.Connection, sample: Row) -> list[bool]:
    newest = max(sampler.RECENT, sample.clean_batches)
    values = {"of_tenant": sample.tenant, "of_profile": sample.profile, "newest": newest}
    return [faults > 0 for faults in connection.execute(_HISTORY, values).scalars()]


def _close(connection: sa.Connection, batch_id: str, moment: dt.datetime) -> None:
    change(connection, batch_id, state="passed", closed_at=moment)
    good = sa.select(_member.c.document_id).where(
        _member.c.batch_id == batch_id, _member.c.rule == BEFORE_DELIVERY, _member.c.good == 1
    )
    said = {"judged_good": sorted(connection.execute(good).scalars())}
    chains.append(connection, batch_id, moment, chains.Entry(CLOSED, said))


def change(connection: sa.Connection, batch_id: str, **fields: object) -> None:
    """Set fields of a batch's quality assurance; the caller appends the event that says so."""
    of_batch = _sample.c.batch_id == batch_id
    connection.execute(sa.update(_sample).where(of_batch).values(**fields))


def state_after(kind: str, before: str | None) -> str | None:
    """Return the state of a batch's quality assurance after an event of this kind."""
    return _STATES.get(kind, before)


def hold_back(connection: sa.Connection, document_id: str, text: str, moment: dt.datetime) -> None:
    """Hold a document that was judged bad, and stop its batch."""
    row, _ = openwork.family(connection, document_id)
    if row is None:
        message = f"{document_id} has no open work"
        raise ValueError(message)
    openwork.change(connection, row, Standing.HELD, reason_code=REFUSED, reason=text)
    openwork.mirror(connection, row, Standing.HELD, moment, (REFUSED, text))
    faults = _sample.c.faults + 1
    change(connection, row.batch_id, state="stopped", faults=faults)
    said = {"document": document_id}
    chains.append(connection, row.batch_id, moment, chains.Entry(STOPPED, said))


def forget(connection: sa.Connection, documents: Sequence[str]) -> None:
    """Take away what rows say of documents that are erased; who judged stays, like the events."""
    seen = schema.quality_view
    gone: Facts = {"reason": None, "seen_sha256": None, "flagged": [], "pages": []}
    for document in documents:
        mine = _member.c.document_id == document
        connection.execute(sa.update(_member).where(mine).values(gone))
        connection.execute(sa.delete(seen).where(seen.c.document_id == document))
