"""The units of paper: rows, their events, and which of them an id stands for.

A batch may be put into a box before it was separated. Its documents then take over where it
lies and what holds it, as soon as anybody asks for them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import PAPER_MOVES, PAPER_NAMES, REST, Facts, PaperStage, UnitKind, new_id
from ingest.errors import UsageError
from ingest.ledger import accepting, chains, schema
from ingest.ledger.columns import to_microseconds
from ingest.ledger.engine import hold as alone
from ingest.ledger.integrity import ERASED
from ingest.ledger.showing import find
from ingest.ledger.terms import SYSTEM

Row = sa.Row[Any]
_unit, _hold, _document, _batch = (
    schema.paper_unit,
    schema.paper_hold,
    schema.document,
    schema.batch,
)
_source = schema.batch_source

#: Chains of paper stand beside those of batches and documents; ids sort alike everywhere.
UNIT_KIND: Any = "paper"
_PREFIX: Final = "paper:"

BEGUN: Final = "filed"
HOLD_PLACED: Final = "hold_placed"
HOLD_LIFTED: Final = "hold_lifted"
RESTORE_CONFIRMED: Final = "restore_confirmed"
#: A stage other than destruction ends a release.
_UNRELEASED: Final[Facts] = {"released_document": None, "released_by": None}
#: What an erasure says once more, beside the batch, the time and legal holds.
_RESTATED: Final = (
    "ordinal",
    "stage",
    "place",
    "changed_by",
    "released_document",
    "released_by",
    "destruction",
)


def chain_of(unit_id: str) -> str:
    """Return the id of a unit's chain."""
    return f"{_PREFIX}{unit_id}"


@dataclass(frozen=True, kw_only=True)
class Papers:
    """The units that an id stands for, locked until the transaction ends.

    Attributes:
        rows: In order of their documents; of one document exactly one.
        whole: Whether a batch was named, which stands for whatever of it the act can concern.
    """

    batch: Row
    rows: tuple[Row, ...]
    whole: bool


def locked(connection: sa.Connection, id_: str) -> Papers:
    """Lock and return the units of a document or batch; rows that lack are made.

    Raises:
        UsageError: Unknown id, or nothing of it was ever paper.
    """
    unit = find(connection, id_)
    alone(connection, f"revisions of {unit.batch_id}")  # no new revision comes in between
    query = sa.select(_batch).where(_batch.c.id == unit.batch_id).with_for_update()
    batch = connection.execute(query).one()
    whole = unit.kind is UnitKind.BATCH
    known = _divided(connection, batch)
    if whole:
        ordinals = sorted({REST, *known, *_on_paper(connection, batch.id)})
    else:
        ordinals = [_ordinal_on_paper(connection, batch.id, unit.id, known)]
    for ordinal in ordinals:
        if ordinal not in known:
            known[ordinal] = _begin(connection, batch, ordinal)
    return Papers(batch=batch, rows=tuple(known[o] for o in ordinals), whole=whole)


def _divided(connection: sa.Connection, batch: Row) -> dict[int, Row]:
    """Return the units of a batch; its documents take over what the whole batch's unit has."""
    query = sa.select(_unit).where(_unit.c.batch_id == batch.id).with_for_update()
    known = {row.ordinal: row for row in connection.execute(query.order_by(_unit.c.ordinal))}
    rest = known.get(REST)
    if rest is None:
        return known
    for ordinal in sorted(_on_paper(connection, batch.id) - known.keys()):
        known[ordinal] = _begin(connection, batch, ordinal, rest)
    return known


def _begin(connection: sa.Connection, batch: Row, ordinal: int, rest: Row | None = None) -> Row:
    """Make the unit of a document that has none, with what holds for the whole batch."""
    moment, id_ = accepting.now(connection), new_id()
    stage = PaperStage.SCANNING if rest is None else rest.stage
    place = batch.storage_place if rest is None else rest.place
    by = (batch.operator or SYSTEM) if rest is None else rest.changed_by
    values: Facts = {"id": id_, "tenant": batch.tenant, "batch_id": batch.id, "ordinal": ordinal}
    values |= {"stage": stage, "place": place, "changed_at": moment, "changed_by": by}
    connection.execute(sa.insert(_unit), values)
    said: Facts = {"batch": batch.id, "ordinal": ordinal, "stage": stage, "place": place}
    said["changed_by"] = by
    entries = [chains.Entry(BEGUN, said)]
    holds = [] if rest is None else open_holds(connection, rest.id)
    for number in holds:
        row = {"unit_id": id_, "number": number, "tenant": batch.tenant}
        row |= {"placed_at": moment, "placed_by": by}
        connection.execute(sa.insert(_hold), row)
        told: Facts = {"number": number, "with_batch": True, "placed_by": by}
        told["placed_at"] = to_microseconds(moment)
        entries.append(chains.Entry(HOLD_PLACED, told))
    chains.begin(
        connection,
        chain_of(id_),
        tenant=batch.tenant,
        unit_kind=UNIT_KIND,
        at=moment,
        entries=entries,
    )
    return connection.execute(sa.select(_unit).where(_unit.c.id == id_)).one()


def _on_paper(connection: sa.Connection, batch_id: str) -> set[int]:
    """Return the ordinals of a batch's documents that were paper, as far as anybody knows.

    Of what was erased nothing says so any more: then there may be sheets.
    """
    own = sa.and_(
        _source.c.batch_id == _document.c.batch_id, _source.c.ordinal == _document.c.source
    )
    query = (
        sa.select(_document.c.ordinal, _source.c.facts)
        .join(_source, own)
        .where(_document.c.batch_id == batch_id, _source.c.enclosure_of.is_(None))
    )
    return {ordinal for ordinal, facts in connection.execute(query) if not facts.get("electronic")}


def _ordinal_on_paper(
    connection: sa.Connection, batch_id: str, document_id: str, known: Iterable[int]
) -> int:
    query = sa.select(_document.c.ordinal).where(_document.c.id == document_id)
    ordinal: int = connection.execute(query).scalar_one()
    if ordinal not in {*known, *_on_paper(connection, batch_id)}:
        text = f"Dokument {document_id} kam elektronisch; es gibt dazu kein Papier."
        raise UsageError(f"{document_id} was never paper", operator_text=text)
    return ordinal


def movable(papers: Papers, after: PaperStage) -> list[Row]:
    """Return the units that may go to a stage: of a document it has to be its only one.

    Raises:
        UsageError: There is none.
    """
    rows = [row for row in papers.rows if after in PAPER_MOVES[PaperStage(row.stage)]]
    if not rows:
        raise immovable(papers, PAPER_NAMES[after])
    return rows


def immovable(papers: Papers, wish: str) -> UsageError:
    """Return the refusal of a wish that no unit allows."""
    stages = ", ".join(sorted({PAPER_NAMES[PaperStage(row.stage)] for row in papers.rows}))
    text = f"Papier von {papers.batch.id}: jetzt {stages}; kann nicht {wish} werden."
    return UsageError(f"paper of {papers.batch.id}: {stages}", operator_text=text)


def move(
    connection: sa.Connection,
    row: Row,
    after: PaperStage,
    by: str,
    said: Facts,
    **values: object,
) -> None:
    """Write a new stage of a locked unit, and the event of the same name.

    Raises:
        ValueError: That stage may not follow; the transaction has to end without a commit.
    """
    if after not in PAPER_MOVES[PaperStage(row.stage)]:
        message = f"{after} may not follow {row.stage}"
        raise ValueError(message)
    _write(connection, row, after, by, said, **values)


def follow(connection: sa.Connection, rest: Row, by: str, said: Facts, destruction: Facts) -> None:
    """Write that the loose sheets of a batch were destroyed with the last of its documents.

    They have no release of their own: the event says under which of the documents' they went,
    and nobody is made the actor of what they did not do.

    Args:
        connection: In the writing transaction.
        rest: Locked unit of the loose sheets.
        by: Who destroys.
        said: What the event says, the releases among it.
        destruction: How.

    Raises:
        ValueError: It is a document's paper, or not in its box.
    """
    if rest.ordinal != REST or rest.stage != PaperStage.STORED:
        message = f"paper {rest.id} ({rest.stage}) needs a release of its own"
        raise ValueError(message)
    _write(connection, rest, PaperStage.DESTROYED, by, said, destruction=destruction)


def _write(
    connection: sa.Connection,
    row: Row,
    after: PaperStage,
    by: str,
    said: Facts,
    **values: object,
) -> None:
    moment = accepting.now(connection)
    change: Facts = {"stage": after, "changed_at": moment, "changed_by": by, **values}
    if after is not PaperStage.DESTROYED:
        change = {**_UNRELEASED, **change}
    connection.execute(sa.update(_unit).where(_unit.c.id == row.id).values(change))
    tell(connection, row, after, said, by, moment)


def tell(
    connection: sa.Connection,
    row: Row,
    kind: str,
    said: Facts,
    by: str,
    moment: dt.datetime | None = None,
) -> None:
    """Append an event to a unit's chain."""
    at = moment or accepting.now(connection)
    chains.append(connection, chain_of(row.id), at, chains.Entry(str(kind), said, by))


def open_holds(connection: sa.Connection, unit_id: str) -> list[int]:
    """Return the numbers of a unit's legal holds that nobody lifted."""
    query = sa.select(_hold.c.number).where(_hold.c.unit_id == unit_id, _hold.c.lifted_at.is_(None))
    return list(connection.execute(query.order_by(_hold.c.number)).scalars())


def newest(connection: sa.Connection, batch_id: str, ordinal: int) -> Row | None:
    """Return the newest revision of the document that a unit is the paper of."""
    query = sa.select(_document).where(
        _document.c.batch_id == batch_id, _document.c.ordinal == ordinal
    )
    return connection.execute(query.order_by(_document.c.revision.desc()).limit(1)).first()


def named(connection: sa.Connection, row: Row) -> str:
    """Return what a unit is called: the document's newest revision, or the batch."""
    document = newest(connection, row.batch_id, row.ordinal)
    return str(row.batch_id) if document is None else str(document.id)


def seen(connection: sa.Connection, id_: str) -> Iterator[Row]:
    """Yield the units of a document or batch as they are, without making any.

    Of paper that nobody put anywhere yet comes a row that is not in the table.

    Raises:
        UsageError: Unknown id, or nothing of it was ever paper.
    """
    unit = find(connection, id_)
    batch = connection.execute(sa.select(_batch).where(_batch.c.id == unit.batch_id)).one()
    query = sa.select(_unit).where(_unit.c.batch_id == batch.id)
    known = {row.ordinal: row for row in connection.execute(query.order_by(_unit.c.ordinal))}
    ordinals = sorted(known.keys() | _on_paper(connection, batch.id))
    if unit.kind is UnitKind.DOCUMENT:
        ordinals = [_ordinal_on_paper(connection, batch.id, unit.id, known)]
    for ordinal in ordinals:
        yield known.get(ordinal) or _not_filed(connection, batch, ordinal, known.get(REST))


def _not_filed(connection: sa.Connection, batch: Row, ordinal: int, rest: Row | None) -> Row:
    values: Facts = {"id": "", "tenant": batch.tenant, "batch_id": batch.id, "ordinal": ordinal}
    values |= {"stage": PaperStage.SCANNING if rest is None else rest.stage}
    values |= {"place": batch.storage_place if rest is None else rest.place}
    values |= {"changed_at": batch.registered_at, "changed_by": batch.operator or SYSTEM}
    columns = [sa.literal(values.get(c.name), c.type).label(c.name) for c in _unit.c]
    return connection.execute(sa.select(*columns)).one()


def forget(
    connection: sa.Connection, batch: Row, ordinals: Collection[int] | None, by: str
) -> None:
    """Take away what was said about the paper of what is erased; where it is stays known.

    The sheets are still there and have to be found, so stage, place, holds and how they were
    destroyed are said once more, without any person's words. A release for destruction ends:
    it was given for a document with a scan.

    Args:
        connection: In the writing transaction that erases, before the batch's row changes.
        batch: Locked.
        ordinals: Of the erased documents; None for the whole batch.
        by: Who erases.
    """
    known = _divided(connection, batch)
    on_paper = _on_paper(connection, batch.id)
    chosen = {REST, *known, *on_paper} if ordinals is None else set(ordinals)
    for ordinal in sorted(chosen):
        if ordinal not in known and batch.storage_place and ordinal in on_paper:
            known[ordinal] = _begin(connection, batch, ordinal)
        if ordinal in known:
            _restate(connection, known[ordinal], by)


def _restate(connection: sa.Connection, row: Row, by: str) -> None:
    if row.stage == PaperStage.RELEASED:
        values = {**_UNRELEASED, "stage": PaperStage.STORED, "changed_by": by}
        values["changed_at"] = accepting.now(connection)
        connection.execute(sa.update(_unit).where(_unit.c.id == row.id).values(values))
    payload = schema.event_payload
    connection.execute(sa.delete(payload).where(payload.c.chain == chain_of(row.id)))
    now = connection.execute(sa.select(_unit).where(_unit.c.id == row.id)).one()
    said: Facts = {name: getattr(now, name) for name in _RESTATED}
    said |= {"batch": row.batch_id, "changed_at": to_microseconds(now.changed_at)}
    said["holds"] = open_holds(connection, row.id)
    placed = sa.select(_hold).where(_hold.c.unit_id == row.id).order_by(_hold.c.number)
    said["placed"] = [hold_said(one) for one in connection.execute(placed)]
    tell(connection, row, ERASED, said, by)


def hold_said(row: Row) -> Facts:
    """Return what an erasure says again of a legal hold: neither why nor for whom it was."""
    lifted = None if row.lifted_at is None else to_microseconds(row.lifted_at)
    return {
        "number": row.number,
        "placed_at": to_microseconds(row.placed_at),
        "placed_by": row.placed_by,
        "lifted_at": lifted,
        "lifted_by": row.lifted_by,
    }
