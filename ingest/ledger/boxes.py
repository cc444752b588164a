"""What lies in which box: lists to pull sheets, to destroy them, or to take stock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

import sqlalchemy as sa

from ingest.document import REST, Facts, PaperStage
from ingest.ledger import schema
from ingest.ledger.paperunits import chain_of, newest, open_holds
from ingest.ledger.reading import moment

Row = sa.Row[Any]
List = Literal["pull", "destroy", "stored"]
_unit, _batch, _page, _source = (
    schema.paper_unit,
    schema.batch,
    schema.page,
    schema.batch_source,
)
_event, _payload = schema.event, schema.event_payload
_STAGES: Final = {
    "pull": PaperStage.REQUESTED,
    "destroy": PaperStage.RELEASED,
    "stored": PaperStage.STORED,
}


def units(connection: sa.Connection, tenant: str, what: List, box: str | None = None) -> list[Row]:
    """Return the units of a list, by box and as they lie in it: by batch and document.

    Args:
        connection: In a reading transaction.
        tenant: Whose paper.
        what: To be pulled out, to be destroyed, or all that is stored.
        box: None for all.
    """
    query = sa.select(_unit).where(_unit.c.tenant == tenant, _unit.c.stage == _STAGES[what])
    if box is not None:
        query = query.where(_unit.c.place == box)
    order = (_unit.c.place, _unit.c.batch_id, _unit.c.ordinal)
    return list(connection.execute(query.order_by(*order)))


def entry(connection: sa.Connection, unit: Row) -> Facts:
    """Return what a list says of a unit, so that its sheets can be found among others."""
    batch = connection.execute(sa.select(_batch).where(_batch.c.id == unit.batch_id)).one()
    document = newest(connection, unit.batch_id, unit.ordinal)
    return {
        "message_type": "paper",
        "unit": unit.id,
        "document": None if document is None else document.id,
        "batch": batch.id,
        "tenant": unit.tenant,
        "ordinal": unit.ordinal,
        "loose_sheets": unit.ordinal == REST,
        "stage": unit.stage,
        "place": unit.place,
        "changed_at": moment(unit.changed_at),
        "changed_by": unit.changed_by,
        "holds": open_holds(connection, unit.id),
        "released_by": unit.released_by,
        "destruction": unit.destruction,
        "registered_at": moment(batch.registered_at),
        "received_at": moment(batch.received_at),
        "erased_at": None if document is None else moment(document.erased_at),
        "source_name": None if document is None else _source_name(connection, document),
        "pages": [] if document is None else document.pages,
        "sheets": [] if document is None else _sheets(connection, document),
    }


def _source_name(connection: sa.Connection, document: Row) -> str | None:
    query = sa.select(_source.c.name).where(
        _source.c.batch_id == document.batch_id, _source.c.ordinal == document.source
    )
    return connection.execute(query).scalar() or None


def _sheets(connection: sa.Connection, document: Row) -> list[int]:
    query = sa.select(_page.c.number, _page.c.sheet).where(
        _page.c.batch_id == document.batch_id, _page.c.sheet.is_not(None)
    )
    numbers = set(document.pages)
    return sorted({row.sheet for row in connection.execute(query) if row.number in numbers})


def history(connection: sa.Connection, unit_id: str) -> Iterator[Facts]:
    """Yield what happened to a unit; an erased payload is None."""
    own = sa.and_(_payload.c.chain == _event.c.chain, _payload.c.seq == _event.c.seq)
    query = sa.select(_event, _payload.c.payload).outerjoin(_payload, own)
    query = query.where(_event.c.chain == chain_of(unit_id)).order_by(_event.c.seq)
    for row in connection.execute(query):
        yield {
            "seq": row.seq,
            "kind": row.kind,
            "at": moment(row.at),
            "actor": row.actor,
            "payload": row.payload,
        }
