"""What a new revision takes over from the one it supersedes: nothing is recognised twice.

Recognition under way goes on for the new revision, whoever holds it: its row of work gets
another parent. What persons had set for the old one holds for the new one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts, Priority, Standing, Step, UnitKind
from ingest.ledger import accepting, chains, openwork, schema
from ingest.ledger.moves import move

Row = sa.Row[Any]
_page, _claim = schema.page, schema.claim
_PIECE: Final = 500

_TAKEN_OVER = sa.update(_claim).where(_claim.c.parent_id == sa.bindparam("of_parent"))
_DECIDED = (
    sa.select(schema.event.c.kind, schema.event_payload.c.payload)
    .join(
        schema.event_payload,
        sa.and_(
            schema.event_payload.c.chain == schema.event.c.chain,
            schema.event_payload.c.seq == schema.event.c.seq,
        ),
    )
    .where(
        schema.event.c.chain == sa.bindparam("of_chain"),
        schema.event.c.kind.in_(("released_by_clerk", "captured")),
    )
    .order_by(schema.event.c.seq)
)


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A revision to be written."""

    id: str
    at: dt.datetime
    by: str
    reason: str
    batch: Row
    old: Row
    entry: Facts  #: what was left out: page, kind; empty where pages were scanned again
    source: int  #: ordinal of the source that is its original
    pages: list[int]
    facts: Facts

    @property
    def number(self) -> int:
        """Of the revision."""
        return int(self.old.revision) + 1


def released(connection: sa.Connection, batch_id: str, document_id: str) -> dict[str, str]:
    """Return what persons set for the batch and for the document, secrets left out.

    Work that is done is gone with what was set for it; the events still say it.
    """
    found: dict[str, str] = {}
    for chain in (batch_id, document_id):
        for event in connection.execute(_DECIDED, {"of_chain": chain}):
            found |= event.payload.get("settings", {})
    return found


def recognised(pages: Sequence[Row]) -> list[Facts]:
    """Return what the first event of the revision says of pages that are recognised already."""
    return [
        {
            "page": page.number,
            "facts_sha256": chains.facts_digest(page.facts[Step.RECOGNITION]),
            "words_sha256": page.words_sha256,
        }
        for page in pages
        if Step.RECOGNITION in page.facts
    ]


def work(
    connection: sa.Connection,
    revision: Revision,
    held: Row | None,
    children: list[Row],
    kept: Facts,
) -> None:
    """Let recognition under way serve the revision, begin what is missing, end the rest."""
    begun = {child.unit_id for child in children}
    pages = pages_of(connection, revision.batch.id, revision.pages)
    missing = [p for p in pages if Step.RECOGNITION not in p.facts and p.id not in begun]
    same: Facts = {
        "tenant": revision.old.tenant,
        "batch_id": revision.batch.id,
        "document_id": revision.id,
        "priority": held.priority if held is not None else _priority(connection, revision),
        "released": kept,
        "since_at": revision.at,
    }
    waits_for = len(children) + len(missing)
    standing = Standing.WAITING if waits_for else Standing.READY
    composition = accepting.work(UnitKind.DOCUMENT, revision.id, Step.COMPOSITION, **same)
    composition |= {"standing": standing, "children_open": waits_for}
    parent = connection.execute(sa.insert(_claim).returning(_claim.c.id), composition).scalar_one()
    if held is not None:
        taken_over = {"document_id": revision.id, "parent_id": parent}
        connection.execute(_TAKEN_OVER, {"of_parent": held.id, **taken_over})
        move(held.standing, Standing.SUPERSEDED)
        openwork.end(connection, held)
    if missing:
        same["parent_id"] = parent
        connection.execute(
            sa.insert(_claim).inline(),
            [accepting.work(UnitKind.PAGE, p.id, _first_step(p), **same) for p in missing],
        )
    openwork.mirror_work(connection, parent, revision.at)


def _first_step(page: Row) -> Step:
    """Return where a page begins: one that was scanned again is examined first."""
    return Step.RECOGNITION if Step.EXAMINATION in page.facts else Step.EXAMINATION


def _priority(connection: sa.Connection, revision: Revision) -> int:
    """Return the priority of the document's class; that of the batch where it has none."""
    kept = schema.profile_version
    query = sa.select(kept.c.content).where(
        kept.c.tenant == revision.old.tenant, kept.c.sha256 == revision.old.profile_sha256
    )
    content: Facts = connection.execute(query).scalar() or {}
    name = str(content.get("priority", "")).upper()
    return int(Priority[name]) if name in Priority.__members__ else int(revision.batch.priority)


def pages_of(connection: sa.Connection, batch_id: str, numbers: list[int]) -> list[Row]:
    """Return pages of a batch in order of number, asked for in portions that fit a statement."""
    found: list[Row] = []
    for begin in range(0, len(numbers), _PIECE):
        chosen = _page.c.number.in_(numbers[begin : begin + _PIECE])
        query = sa.select(_page).where(_page.c.batch_id == batch_id, chosen)
        found += connection.execute(query.order_by(_page.c.number)).all()
    return found
