"""Accepting an arrival: one transaction after which the source may be removed."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import sqlalchemy as sa

from ingest.document import (
    OUTGOING,
    PLAN,
    SCANNED,
    BatchStage,
    Facts,
    ProfileChoice,
    Queue,
    Source,
    SourceKind,
    Standing,
    Step,
    UnitKind,
    new_id,
)
from ingest.ledger import chains, manifests, needs, rulescheck, schema, witness
from ingest.ledger.admitting import held_if_withdrawn, require_admitted
from ingest.ledger.columns import database_now, from_microseconds
from ingest.ledger.inserting import insert_batch, insert_blob, insert_new
from ingest.ledger.terms import Arrival, Present, Receipt

#: Why an arrival of a class that needs a person's release is held.
RELEASE_NEEDED: Final = "release_needed"
_WORK_KEYS: Final = uuid.UUID("6f1f0cb5-6f0e-5a0b-9d3c-0c7e4f6f9a51")
_batch = schema.batch
_source = schema.batch_source

_BY_KEY = sa.select(_batch.c.id).where(_batch.c.receipt_key == sa.bindparam("key"))
_SOURCES = (
    sa.select(_source)
    .where(_source.c.batch_id == sa.bindparam("batch_id"))
    .order_by(_source.c.ordinal)
)
_NEW_SOURCE = sa.insert(_source)
_NEW_CLAIM = sa.insert(schema.claim).inline()
_NOW = sa.select(database_now())


def now(connection: sa.Connection) -> dt.datetime:
    """Return the database's time."""
    return from_microseconds(connection.execute(_NOW).scalar_one())


def idempotency_key(unit_id: str, step: Step) -> str:
    """Return the key for all attempts at a step of a unit.

    It follows from the two, so a ledger restored from a backup asks the outside world
    under the same key again.
    """
    return str(uuid.uuid5(_WORK_KEYS, f"{unit_id}/{step}"))


def work(unit_kind: UnitKind, unit_id: str, step: Step, **fields: object) -> Facts:
    """Return a row of `claim` for a step of a unit, ready unless `fields` say otherwise."""
    row: Facts = {
        "unit_kind": unit_kind,
        "unit_id": unit_id,
        "step": step,
        "queue": PLAN[unit_kind, step].queue,
        "idempotency_key": idempotency_key(unit_id, step),
        "standing": Standing.READY,
        "document_id": None,
        "parent_id": None,
        "attempts": 0,
        "lost": 0,
        "children_open": 0,
        "released": {},
        "reason_code": None,
        "reason": None,
    }
    return {**row, **fields}


def source_of(row: sa.Row[tuple[object, ...]]) -> Source:
    """Return the source that a row of `batch_source` describes."""
    values = row._mapping  # noqa: SLF001 - the public name of SQLAlchemy's row mapping
    return Source(
        ordinal=values["ordinal"],
        name=values["name"],
        name_base64=values["name_base64"],
        sha256=values["sha256"],
        size=values["size"],
        kind=SourceKind(values["kind"]),
        pages=values["pages"],
        facts=values["facts"],
        enclosure_of=values["enclosure_of"],
        opened_sha256=values["opened_sha256"],
        rescan_of=values["rescan_of"],
    )


def sources(connection: sa.Connection, batch_id: str) -> tuple[Source, ...]:
    """Return the sources of a batch in order."""
    rows = connection.execute(_SOURCES, {"batch_id": batch_id})
    return tuple(source_of(row) for row in rows)


def receipt(connection: sa.Connection, receipt_key: str) -> Receipt | None:
    """Return what was accepted under a key, None if nothing was."""
    batch_id = connection.execute(_BY_KEY, {"key": receipt_key}).scalar()
    if batch_id is None:
        return None
    return Receipt(batch_id=batch_id, created=False, sources=sources(connection, batch_id))


def accept(
    connection: sa.Connection, arrival: Arrival, *, known: bool, begun: bool = False
) -> Receipt:
    """Write batch, sources, blobs, first event and first work of an arrival.

    Args:
        connection: In a writing transaction.
        arrival: What the channel hands over.
        known: The caller knows that tenant and profile version are written already.
        begun: It was let in when it began: if its version was withdrawn meanwhile it is held.

    Returns:
        The receipt; the one given before if the key was accepted before.

    Raises:
        ProfileInvalid: `profile_not_released`: the version of the profile may not be worked
            with, and it has not `begun`; nothing may be committed.
    """
    moment = now(connection)
    arrival = _awaiting_release(arrival)
    if begun:
        arrival = held_if_withdrawn(connection, arrival)
    row = _batch_row(arrival, moment)
    dialect = connection.dialect.name
    if connection.execute(insert_batch(dialect), row).first() is None:
        return _accepted_before(connection, arrival.receipt_key)
    name, treatment = arrival.envelope.profile, arrival.profile["treatment"]
    if not begun:
        require_admitted(connection, arrival.tenant, name, arrival.profile_sha256, treatment)
    if not known:
        _introduce(connection, arrival, moment)
    _keep_sources(connection, arrival, row["id"], moment)
    manifests.keep(connection, arrival, row["id"], moment)
    digests = [file.sha256 for file in (*arrival.sources, *arrival.manifests)]
    root = witness.keep(connection, witness.RECEIPT, row["id"], arrival.tenant, digests, moment)
    rules = rulescheck.content_named(connection, arrival.tenant, arrival.profile_sha256)
    chains.begin(
        connection,
        row["id"],
        tenant=arrival.tenant,
        unit_kind=UnitKind.BATCH,
        at=moment,
        entries=_entries(arrival, root | rules),
    )
    same = ("standing", "reason_code", "reason", "priority", "tenant")
    first = work(UnitKind.BATCH, row["id"], Step.INSPECTION, **{key: row[key] for key in same})
    connection.execute(_NEW_CLAIM, {**first, "batch_id": row["id"], "since_at": moment})
    return Receipt(batch_id=row["id"], created=True, sources=arrival.sources)


def _entries(arrival: Arrival, more: Facts) -> list[chains.Entry]:
    """Return the first events of a batch; `more` is said with its receipt."""
    entries = [chains.Entry("received", _received(arrival) | more)]
    if arrival.scanned is not None:
        digest = chains.facts_digest(arrival.scanned)
        said: Facts = {"scan": arrival.scanned, "step": SCANNED, "facts_sha256": digest}
        entries.append(chains.Entry(SCANNED, said))
    if arrival.held is not None:
        code, text = arrival.held
        entries.append(chains.Entry("held", {"code": code, "operator_text": text}))
    return entries


def _accepted_before(connection: sa.Connection, receipt_key: str) -> Receipt:
    found = receipt(connection, receipt_key)
    if found is None:
        message = f"batch of {receipt_key} was refused although its key is new"
        raise RuntimeError(message)
    return found


def _awaiting_release(arrival: Arrival) -> Arrival:
    """Hold what is on the negative list as "only after release" until a person has decided."""
    if arrival.profile["treatment"] != "only_after_release":
        return arrival
    text = (
        f"Die Klasse „{arrival.envelope.profile}“ wird nur nach Freigabe bearbeitet. Bitte die "
        "Zustimmung der zuständigen Person einholen und mit »release« freigeben oder "
        "zurückweisen."
    )
    known = "" if arrival.held is None else f"{arrival.held[1]} "
    return replace(arrival, held=(RELEASE_NEEDED, known + text))


def _batch_row(arrival: Arrival, moment: dt.datetime) -> Facts:
    code, text = arrival.held or (None, None)
    envelope = arrival.envelope
    return {
        "id": arrival.batch_id or new_id(),
        "tenant": arrival.tenant,
        "receipt_key": arrival.receipt_key,
        "stage": BatchStage.RECEIVED,
        "standing": Standing.HELD if arrival.held else Standing.READY,
        "reason_code": code,
        "reason": text,
        "priority": int(arrival.priority),
        "profile": envelope.profile,
        "profile_sha256": arrival.profile_sha256,
        "channel": envelope.channel,
        "operator": envelope.operator,
        "received_at": envelope.received_at,
        "received_at_source": envelope.received_at_source,
        "scanned_at": envelope.scanned_at,
        "device": envelope.device,
        "storage_place": envelope.storage_place,
        "expected_sheets": envelope.expected_sheets,
        "expected_consignments": envelope.expected_consignments,
        "sides": envelope.sides,
        "registered_at": moment,
        "facts": _facts(arrival),
        "protection": needs.of_profile(arrival.profile),
    }


def _facts(arrival: Arrival) -> Facts:
    known = {OUTGOING: arrival.ordered, SCANNED: arrival.scanned}
    return {name: facts for name, facts in known.items() if facts is not None}


def _introduce(connection: sa.Connection, arrival: Arrival, moment: dt.datetime) -> None:
    dialect = connection.dialect.name
    tenant = arrival.tenant
    connection.execute(insert_new(schema.tenant, dialect), {"code": tenant, "since_at": moment})
    never = from_microseconds(0)
    connection.execute(
        insert_new(schema.turn, dialect),
        [{"queue": queue, "tenant": tenant, "served_at": never} for queue in Queue],
    )
    choice = ProfileChoice(
        name=arrival.envelope.profile,
        sha256=arrival.profile_sha256,
        content=arrival.profile,
        priority=arrival.priority,
    )
    keep_profile(connection, tenant, choice, moment)


def keep_profile(
    connection: sa.Connection, tenant: str, choice: ProfileChoice, moment: dt.datetime
) -> None:
    """Keep a version of a profile, unless it was used before."""
    row: Facts = {
        "tenant": tenant,
        "sha256": choice.sha256,
        "name": choice.name,
        "content": choice.content,
        "first_used_at": moment,
    }
    connection.execute(insert_new(schema.profile_version, connection.dialect.name), row)


def _keep_sources(
    connection: sa.Connection, arrival: Arrival, batch_id: str, moment: dt.datetime
) -> None:
    if arrival.sources:
        connection.execute(_NEW_SOURCE, source_rows(arrival.tenant, batch_id, arrival.sources))
    files = (*arrival.sources, *arrival.manifests)
    if files:
        keep_blobs(connection, arrival.tenant, [(f.sha256, f.size) for f in files], moment)


def source_rows(tenant: str, batch_id: str, sources: Iterable[Source]) -> list[Facts]:
    """Return rows of `batch_source` for files that arrived, or lay inside one that did."""
    return [
        {
            "batch_id": batch_id,
            "tenant": tenant,
            "ordinal": source.ordinal,
            "name": source.name,
            "name_base64": source.name_base64,
            "sha256": source.sha256,
            "size": source.size,
            "kind": source.kind,
            "pages": source.pages,
            "facts": source.facts,
            "enclosure_of": source.enclosure_of,
            "opened_sha256": source.opened_sha256,
            "rescan_of": source.rescan_of,
        }
        for source in sources
    ]


def keep_blobs(
    connection: sa.Connection,
    tenant: str,
    blobs: list[tuple[str, int]],
    moment: dt.datetime,
    present: Present | None = None,
) -> list[str]:
    """Note that the store holds `blobs` (digest, size); the same bytes are noted once.

    From here until the transaction ends nobody erases them: erasing locks the same rows
    before it looks who refers to them, and removes the bytes before it commits. So the
    store is asked now, not before, when its answer could be overtaken.

    Args:
        connection: In a writing transaction.
        tenant: Whose blobs.
        blobs: Digest and size of each.
        moment: Now.
        present: Asks the store; None where the caller looks after the commit.

    Returns:
        The digests that `present` denies: the caller must not commit.
    """
    rows: list[Facts] = [
        {"tenant": tenant, "sha256": sha256, "size": size, "stored_at": moment}
        for sha256, size in sorted(set(blobs))  # one order, or two writers may lock crosswise
    ]
    connection.execute(insert_blob(connection.dialect.name), rows)
    if present is None:
        return []
    return [row["sha256"] for row in rows if not present(tenant, str(row["sha256"]))]


def _received(arrival: Arrival) -> Facts:
    envelope = arrival.envelope
    received_at, scanned_at = envelope.received_at, envelope.scanned_at
    said: Facts = {
        "channel": envelope.channel,
        "profile": envelope.profile,
        "profile_sha256": arrival.profile_sha256,
        "operator": envelope.operator,
        "received_at": received_at.isoformat() if received_at else None,
        "received_at_source": envelope.received_at_source,
        "scanned_at": scanned_at.isoformat() if scanned_at else None,
        "device": envelope.device,
        "storage_place": envelope.storage_place,
        "expected_sheets": envelope.expected_sheets,
        "expected_consignments": envelope.expected_consignments,
        "sides": envelope.sides,
        "sources": [_named(source) for source in arrival.sources],
    }
    if (protection := needs.of_profile(arrival.profile)) is not None:
        said["protection"] = protection
    if arrival.manifests:
        said["manifests"] = [
            _named(manifest) | manifests.row_named(arrival, manifest)
            for manifest in arrival.manifests
        ]
    if arrival.ordered is not None:
        ordered = chains.facts_digest(arrival.ordered)
        said |= {**arrival.ordered, "step": OUTGOING, "facts_sha256": ordered}
    return said


def named_enclosure(source: Source) -> Facts:
    """Return what an event says of a file that lay inside another."""
    return {
        "ordinal": source.ordinal,
        **_named(source),
        "enclosure_of": source.enclosure_of,
    }


def _named(source: Source) -> Facts:
    names = ("name", "name_base64", "sha256", "size")
    return {name: getattr(source, name) for name in names}
