"""One batch or document with everything the ledger knows of it, and where its bytes are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Literal

import sqlalchemy as sa

from ingest.document import Facts, RenditionKind, SourceKind, Step, UnitKind
from ingest.errors import UsageError
from ingest.ledger import openstacks, schema, witnessed
from ingest.ledger.reading import describe, has_arrived, moment

Row = sa.Row[Any]
What = Literal[
    "pdf", "composed", "original", "note", "text", "manifest", "supplement", "supplement_seal"
]
_batch, _source, _document, _page = (
    schema.batch,
    schema.batch_source,
    schema.document,
    schema.page,
)
_rendition, _event, _payload = schema.rendition, schema.event, schema.event_payload

SHORTEST_ID: Final = 6
_FULL_ID: Final = 36
_NAMED_AT_MOST: Final = 5
_SUFFIXES: Final = {
    RenditionKind.PDF: ".pdf",
    RenditionKind.COMPOSED: ".pdf",
    RenditionKind.NOTE: ".xml",
    RenditionKind.TEXT: ".txt",
    RenditionKind.SUPPLEMENT: ".ergaenzung.xml",
    RenditionKind.SUPPLEMENT_SEAL: ".ergaenzung.p7s",
}


@dataclass(frozen=True)
class Unit:
    """A batch or a document, found by its id."""

    kind: UnitKind
    id: str
    batch_id: str


@dataclass(frozen=True)
class Located:
    """Bytes in the store, and what to call them outside."""

    tenant: str
    sha256: str
    media_type: str
    filename: str


def find(connection: sa.Connection, id_: str, *, scanning: bool = False) -> Unit:
    """Return the batch or document with this id, or whose id alone begins like this.

    Args:
        connection: In a transaction.
        id_: At least `SHORTEST_ID` characters.
        scanning: A stack that is still scanned will do, too.

    Raises:
        UsageError: There is none, there are several, the beginning is too short, or it is a stack
            that is still scanned: it has neither work nor documents yet.
    """
    wanted = id_.strip().lower()
    if len(wanted) < SHORTEST_ID or not set(wanted) <= set("0123456789abcdef-"):
        message = f"not an id: {id_!r}"
        text = f"„{id_}“ ist keine Kennung: nötig sind mindestens {SHORTEST_ID} ihrer Zeichen."
        raise UsageError(message, operator_text=text)
    stacks = openstacks.beginning_so(connection, wanted)
    found = [
        *(Unit(UnitKind.BATCH, row.id, row.id) for row in _beginning(connection, _batch, wanted)),
        *(
            Unit(UnitKind.DOCUMENT, row.id, row.batch_id)
            for row in _beginning(connection, _document, wanted)
        ),
        *(Unit(UnitKind.BATCH, stack, stack) for stack in stacks),
    ]
    if len(found) == 1:
        if stacks and not scanning:
            raise openstacks.refusal(stacks[0])
        return found[0]
    if not found:
        text = f"Kein Stapel und kein Dokument hat die Kennung {id_}. Bitte mit „list“ nachsehen."
        raise UsageError(f"unknown id {id_}", operator_text=text)
    names = ", ".join(unit.id for unit in found[:_NAMED_AT_MOST])
    text = f"Die Kennung {id_} ist nicht eindeutig ({names} …). Bitte mehr Zeichen angeben."
    raise UsageError(f"ambiguous id {id_}", operator_text=text)


def _beginning(connection: sa.Connection, table: sa.Table, wanted: str) -> list[Row]:
    if len(wanted) == _FULL_ID:
        return list(connection.execute(sa.select(table).where(table.c.id == wanted)))
    # The range lets both databases use the primary key, whatever their collation.
    near = sa.and_(table.c.id >= wanted, table.c.id <= wanted + "g")
    query = sa.select(table).where(near, table.c.id.startswith(wanted)).order_by(table.c.id)
    return list(connection.execute(query.limit(_NAMED_AT_MOST + 1)))


def show(connection: sa.Connection, id_: str, *, scanning: bool = False) -> Facts:
    """Return everything about a batch or document: its record, facts, pages, blobs, history.

    With `scanning` a stack that is still scanned will do, see `openstacks.described`.

    Raises:
        UsageError: See `find`.
    """
    unit = find(connection, id_, scanning=scanning)
    if (scanned := openstacks.described(connection, unit.id)) is not None:
        return scanned
    batch = connection.execute(sa.select(_batch).where(_batch.c.id == unit.batch_id)).one()
    (record,) = (row for row in describe(connection, [batch]) if row["id"] == unit.id)
    pages = _pages(connection, unit)
    details: Facts = {
        "pages_found": pages,
        "renditions": list(_renditions(connection, unit, {page["id"] for page in pages})),
        "open_work": list(_open_work(connection, unit)),
        "receipt_evidence": witnessed.receipt(connection, unit.batch_id),
        "capture_evidence": witnessed.capture(connection, unit.batch_id),
        "rescan_evidence": witnessed.rescans(connection, unit.batch_id, pages),
        "events": list(events(connection, unit.id)),
    }
    if unit.kind is UnitKind.BATCH:
        return record | _of_batch(connection, batch, record) | details
    return record | _of_document(connection, unit, batch) | details


def events(connection: sa.Connection, chain: str) -> Iterator[Facts]:
    """Yield the history of a batch or document; an erased payload is None."""
    query = (
        sa.select(_event, _payload.c.payload)
        .outerjoin(
            _payload, sa.and_(_payload.c.chain == _event.c.chain, _payload.c.seq == _event.c.seq)
        )
        .where(_event.c.chain == chain)
        .order_by(_event.c.seq)
    )
    for row in connection.execute(query):
        yield {
            "seq": row.seq,
            "kind": row.kind,
            "at": moment(row.at),
            "actor": row.actor,
            "payload": row.payload,
            "digest": row.digest,
        }


def _of_batch(connection: sa.Connection, batch: Row, record: Facts) -> Facts:
    sources = connection.execute(
        sa.select(_source).where(_source.c.batch_id == batch.id).order_by(_source.c.ordinal)
    )
    documents = sa.select(_document.c.id).where(_document.c.batch_id == batch.id)
    return {
        "receipt_key": batch.receipt_key,
        "priority": batch.priority,
        "profile_sha256": batch.profile_sha256,
        "scanned_at": moment(batch.scanned_at),
        "device": batch.device,
        "storage_place": batch.storage_place,
        "expected_sheets": batch.expected_sheets,
        "expected_consignments": batch.expected_consignments,
        "sides": batch.sides,
        "protection": batch.protection,
        "closed_at": moment(batch.closed_at),
        "facts": batch.facts,
        **_files(record, list(sources)),
        "documents": list(connection.execute(documents.order_by(_document.c.ordinal)).scalars()),
    }


def _files(record: Facts, sources: list[Row]) -> Facts:
    """Return the batch's files in full: what arrived, and what lay inside."""
    known = {
        row.ordinal: {
            "ordinal": row.ordinal,
            "size": row.size,
            "kind": row.kind,
            "facts": row.facts,
            "opened_sha256": row.opened_sha256,
        }
        for row in sources
    }
    arrived = [row.ordinal for row in sources if has_arrived(row)]
    return {
        "sources": [
            shown | known[ordinal]
            for shown, ordinal in zip(record["sources"], arrived, strict=True)
        ],
        "enclosures": [shown | known[shown["source"]] for shown in record["enclosures"]],
        "rescans": [shown | known[shown["source"]] for shown in record["rescans"]],
    }


def _of_document(connection: sa.Connection, unit: Unit, batch: Row) -> Facts:
    row = connection.execute(sa.select(_document).where(_document.c.id == unit.id)).one()
    sent = schema.consignment
    consignment = connection.execute(sa.select(sent).where(sent.c.id == row.consignment_id)).one()
    return {
        "profile_sha256": row.profile_sha256 or batch.profile_sha256,
        "captured_at": moment(row.captured_at),
        "changed_at": moment(row.changed_at),
        "facts": row.facts,
        "consignment": {
            "id": consignment.id,
            "channel": consignment.channel,
            "delivery_type": consignment.delivery_type,
            "delivery_number": consignment.delivery_number,
            "received_at": moment(consignment.received_at),
            "received_at_source": consignment.received_at_source,
            "deadline_hint": consignment.deadline_hint,
            "opened": consignment.opened,
            "enclosures": consignment.enclosures,
        },
    }


def _numbers(connection: sa.Connection, unit: Unit) -> list[int]:
    query = sa.select(_document.c.pages).where(_document.c.id == unit.id)
    numbers: list[int] = connection.execute(query).scalar_one()
    return numbers


def _pages(connection: sa.Connection, unit: Unit) -> list[Facts]:
    query = sa.select(_page).where(_page.c.batch_id == unit.batch_id).order_by(_page.c.number)
    wanted = None if unit.kind is UnitKind.BATCH else frozenset(_numbers(connection, unit))
    return [
        {
            "id": row.id,
            "number": row.number,
            "source": row.source,
            "index": row.frame,
            "sheet": row.sheet,
            "side": row.side,
            "sha256": row.sha256 or None,
            "role": row.role,
            "words_sha256": row.words_sha256,
            "facts": row.facts,
        }
        for row in connection.execute(query)
        if wanted is None or row.number in wanted
    ]


def _renditions(connection: sa.Connection, unit: Unit, pages: set[str]) -> Iterator[Facts]:
    units = sa.union_all(
        sa.select(sa.literal(unit.id)),
        sa.select(_page.c.id).where(_page.c.batch_id == unit.batch_id),
    )
    query = sa.select(_rendition).where(_rendition.c.unit_id.in_(units))
    for row in connection.execute(query.order_by(_rendition.c.id)):
        if row.unit_id != unit.id and row.unit_id not in pages:
            continue
        yield {
            "unit": row.unit_id,
            "kind": row.kind,
            "sha256": row.sha256,
            "size": row.size,
            "media_type": row.media_type,
            "parent_sha256": row.parent_sha256,
            "tool": row.tool,
            "settings": row.settings,
            "recorded_at": moment(row.recorded_at),
        }


def _open_work(connection: sa.Connection, unit: Unit) -> Iterator[Facts]:
    work = schema.claim
    column = work.c.batch_id if unit.kind is UnitKind.BATCH else work.c.document_id
    for row in connection.execute(sa.select(work).where(column == unit.id).order_by(work.c.id)):
        yield {
            "unit_kind": row.unit_kind,
            "unit": row.unit_id,
            "step": row.step,
            "standing": row.standing,
            "attempts": row.attempts,
            "worker": row.worker,
            "due_at": moment(row.due_at),
            "reason_code": row.reason_code,
            "reason": row.reason,
        }


def locate(connection: sa.Connection, id_: str, what: What, number: int | None = None) -> Located:
    """Return where the bytes of an output are, for `export`.

    A batch stands for its only document or its only source.

    Args:
        connection: In a reading transaction.
        id_: See `find`.
        what: Which output.
        number: Which of a batch's sources, from 1, where `what` is the original.

    Raises:
        UsageError: See `find`; or this output does not exist, not yet, or no longer. Where a
            batch has several sources, the text names them with their numbers.
    """
    unit = find(connection, id_)
    if what == "original":
        return _original(connection, unit, number)
    if number is not None:
        text = "--source wählt eine Originaldatei und gilt nur zusammen mit --what original."
        raise UsageError(f"{what} of {unit.id} has no source number", operator_text=text)
    if what == "manifest":
        return _manifest(connection, unit)
    document = only_document(connection, unit)
    kind = RenditionKind(what)
    query = sa.select(_rendition).where(
        _rendition.c.unit_id == document.id, _rendition.c.kind == kind
    )
    made = connection.execute(query.order_by(_rendition.c.id.desc()).limit(1)).first()
    if made is None:
        text = (
            f"Dokument {document.id} hat (noch) keine Ausgabe „{what}“; es steht bei "
            f"{document.stage}/{document.standing}. Bitte mit „show“ nachsehen."
        )
        raise UsageError(f"document {document.id} has no {what}", operator_text=text)
    source = connection.execute(_source_at(document.batch_id, document.source)).one()
    stem = PurePosixPath(source.name).stem or document.id
    name = f"{stem}_{document.ordinal:03}{_SUFFIXES[kind]}"
    return Located(document.tenant, made.sha256, made.media_type, name)


def _manifest(connection: sa.Connection, unit: Unit) -> Located:
    query = sa.select(_rendition).where(
        _rendition.c.unit_id == unit.batch_id, _rendition.c.kind == RenditionKind.MANIFEST
    )
    kept = connection.execute(query.order_by(_rendition.c.id).limit(1)).first()
    if kept is None:
        text = f"Zu {unit.id} kam keine Begleitdatei, oder sie ist gelöscht."
        raise UsageError(f"{unit.id} has no manifest", operator_text=text)
    name = PurePosixPath(kept.settings["name"]).name or kept.sha256
    return Located(kept.tenant, kept.sha256, kept.media_type, name)


def only_document(connection: sa.Connection, unit: Unit) -> Row:
    """Return the row of a document, or of a batch's only one that is not superseded.

    Raises:
        UsageError: The batch has none or several.
    """
    column = _document.c.id if unit.kind is UnitKind.DOCUMENT else _document.c.batch_id
    query = sa.select(_document).where(
        column == unit.id, _document.c.superseded_by.is_(None) | (_document.c.id == unit.id)
    )
    found = list(connection.execute(query))
    if unit.kind is UnitKind.BATCH:
        found = [row for row in found if "enclosure_of" not in row.facts.get(Step.SEPARATION, {})]
    if len(found) != 1:
        text = f"Stapel {unit.id} hat kein oder mehrere Dokumente. Bitte ein Dokument angeben."
        raise UsageError(f"batch {unit.id} is not one document", operator_text=text)
    return found[0]


def _source_at(batch_id: str, ordinal: int) -> sa.Select[Any]:
    return sa.select(_source).where(_source.c.batch_id == batch_id, _source.c.ordinal == ordinal)


def _original(connection: sa.Connection, unit: Unit, number: int | None) -> Located:
    if unit.kind is UnitKind.DOCUMENT:
        document = only_document(connection, unit)
        query = _source_at(document.batch_id, document.source)
    else:
        query = sa.select(_source).where(_source.c.batch_id == unit.id).order_by(_source.c.ordinal)
    sources = list(connection.execute(query))
    found = [row for row in sources if number == row.ordinal]
    if number is None:
        of_batch = unit.kind is UnitKind.BATCH
        found = [row for row in sources if not of_batch or row.enclosure_of is None]
    if len(found) != 1:
        raise _not_one(unit, sources, number)
    source = found[0]
    if not source.sha256:
        text = f"Die Originaldatei von {unit.id} ist gelöscht."
        raise UsageError(f"the original of {unit.id} was erased", operator_text=text)
    media_type = SourceKind(source.kind).media_type
    name = PurePosixPath(source.name).name or source.sha256
    return Located(source.tenant, source.sha256, media_type, name)


def _not_one(unit: Unit, sources: list[Row], number: int | None) -> UsageError:
    listed = "; ".join(f"{row.ordinal}: {row.name or 'gelöscht'}" for row in sources)
    wish = "mehrere Originaldateien" if number is None else f"keine Originaldatei Nr. {number}"
    text = f"{unit.id} hat {wish}. Bitte mit --source eine wählen: {listed or 'keine vorhanden'}."
    return UsageError(f"{unit.id} is not one original", operator_text=text)
