"""Which documents of a batch somebody has to look at, and who steps in for one that is gone.

A sample passes by what was looked at, not by what was drawn: where a drawn document was erased,
rejected or superseded, the next ones in the order of the committed seed are drawn for it (BSI
TR-03138 V1.5, A.SC.8).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts, Stage, Standing
from ingest.ledger import chains, sampler, schema

Row = sa.Row[Any]
_member, _document = schema.quality_document, schema.document

BEFORE_DELIVERY: Final = "before_delivery"
#: The event of a batch of which more is looked at than before.
ADDED: Final = "quality_added"
#: Why a document is looked at that was drawn for one that is gone.
REPLACED: Final = "replaced"
#: Why a document is looked at that nobody chose: these make up the sample.
_BY_LOT: Final = ("sample", REPLACED, "complete", "revised")

#: Documents of a batch that could be drawn and are not, in order.
CHECKED: Final = (
    sa.select(_member.c.document_id, _member.c.flagged, _document.c.ordinal)
    .join(_document, _member.c.document_id == _document.c.id)
    .where(
        _document.c.batch_id == sa.bindparam("of_batch"),
        _document.c.stage == Stage.CHECKED,
        _document.c.standing == Standing.WAITING,
        _member.c.rule == BEFORE_DELIVERY,
        _member.c.selected == 0,
    )
    .order_by(_document.c.ordinal)
)
#: Documents of a batch that are still there, whatever was said of them.
_REMAINING = (
    sa.select(_member.c.why, _member.c.good)
    .join(_document, _member.c.document_id == _document.c.id)
    .where(
        _member.c.batch_id == sa.bindparam("of_batch"),
        _member.c.rule == BEFORE_DELIVERY,
        _document.c.standing.not_in((Standing.REJECTED, Standing.SUPERSEDED)),
        _document.c.erased_at.is_(None),
    )
)


def remaining(connection: sa.Connection, batch_id: str) -> int:
    """Return how many documents of a batch under quality assurance are still there."""
    return len(connection.execute(_REMAINING, {"of_batch": batch_id}).all())


def looked_at(connection: sa.Connection, batch_id: str) -> tuple[int, int]:
    """Return how many of the documents still there were judged good, and how many there are."""
    found = connection.execute(_REMAINING, {"of_batch": batch_id}).all()
    return sum(row.good == 1 for row in found), len(found)


def substitute(connection: sa.Connection, sample: Row, moment: dt.datetime) -> None:
    """Draw the next documents of an open sample for those drawn that are gone.

    Nothing is drawn where as many are drawn as the sample is large, or as there are.
    """
    found = connection.execute(_REMAINING, {"of_batch": sample.batch_id}).all()
    missing = min(sample.size, len(found)) - sum(row.why in _BY_LOT for row in found)
    rest = connection.execute(CHECKED, {"of_batch": sample.batch_id}).all()
    if missing <= 0 or not rest:
        return
    ids = {row.ordinal: row.document_id for row in rest}
    drawn = sorted(sampler.order(sample.seed, ids)[:missing])
    documents = sorted(ids[ordinal] for ordinal in drawn)
    mark(connection, documents, REPLACED)
    said: Facts = {"documents": documents, "why": REPLACED, "drawn": drawn, "rest": sorted(ids)}
    chains.append(connection, sample.batch_id, moment, chains.Entry(ADDED, said))


def select(
    connection: sa.Connection,
    batch_id: str,
    documents: Sequence[str],
    why: str,
    moment: dt.datetime,
) -> None:
    """Let documents be looked at by a person, each that is not yet, and say why."""
    chosen = sa.and_(_member.c.document_id.in_(documents), _member.c.selected == 0)
    new = sorted(connection.execute(sa.select(_member.c.document_id).where(chosen)).scalars())
    if not new:
        return
    mark(connection, new, why)
    said = {"documents": new, "why": why}
    chains.append(connection, batch_id, moment, chains.Entry(ADDED, said))


def mark(connection: sa.Connection, documents: Sequence[str], why: str) -> None:
    """Let documents be looked at; the caller appends the event that says so."""
    for begin in range(0, len(documents), 500):
        chosen = _member.c.document_id.in_(documents[begin : begin + 500])
        connection.execute(sa.update(_member).where(chosen).values(selected=1, why=why))
