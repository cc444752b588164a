"""What the ledger tells: every arrival and document as one record each.

The shape of `rows` is the contract of `scanstrasse list --json`. A listing goes through the
ledger in pieces of a few hundred batches, each with a fixed number of queries, so a million
documents need no more memory than a hundred.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import (
    Facts,
    RenditionKind,
    Standing,
    Step,
    UnitKind,
    left_out,
    report_sha256,
    signatures,
)
from ingest.ledger import links, openstacks, reviewing, schema
from ingest.ledger.confirming import delivered
from ingest.ledger.inboxes import not_accepted

Row = sa.Row[Any]
_batch, _source, _document = schema.batch, schema.batch_source, schema.document
_claim, _rendition, _unaccepted = schema.claim, schema.rendition, schema.unaccepted
_consignment = schema.consignment

_PIECE: Final = 200
_FETCH: Final = 500
#: What of a document is shown as its outputs, besides the original.
OUTPUTS: Final = (
    RenditionKind.PDF,
    RenditionKind.NOTE,
    RenditionKind.TEXT,
    RenditionKind.SUPPLEMENT,
    RenditionKind.SUPPLEMENT_SEAL,
)


def rows(connection: sa.Connection, tenant: str | None = None) -> Generator[Facts, None, None]:
    """Yield every batch, followed by its documents, then open stacks and what was not accepted.

    Oldest first. Nothing is left out: what is erased is shown without its content.

    Args:
        connection: In one reading transaction, so that the listing is of one moment.
        tenant: None for all tenants, which only the operator of the installation may ask.
    """
    last = ""
    while piece := _batches(connection, tenant, last):
        last = piece[-1].id
        yield from describe(connection, piece)
    yield from openstacks.records(connection, tenant)
    yield from not_accepted(connection, tenant)


def describe(connection: sa.Connection, batches: Iterable[Row]) -> Iterator[Facts]:
    """Yield the records of some batches, given in order of id, and of their documents."""
    batches = list(batches)
    around = _Surroundings(connection, batches)
    documents = groupby(_documents(connection, around), key=lambda row: row["batch"])
    following = next(documents, None)
    for batch in batches:
        yield around.batch(batch)
        if following is not None and following[0] == batch.id:
            yield from following[1]
            following = next(documents, None)


def _batches(connection: sa.Connection, tenant: str | None, after: str) -> list[Row]:
    query = sa.select(_batch).where(_batch.c.id > after).order_by(_batch.c.id).limit(_PIECE)
    if tenant is not None:
        query = query.where(_batch.c.tenant == tenant)
    return list(connection.execute(query))


def tenants(connection: sa.Connection) -> list[str]:
    """Return every tenant of which the ledger has anything, in order.

    Chains count as well as the list: who takes a row out of that hides no chain.
    """
    listed, chained = sa.select(schema.tenant.c.code), sa.select(schema.chain.c.tenant)
    return sorted(connection.execute(sa.union(listed, chained)).scalars())


def to_review(connection: sa.Connection, tenant: str | None = None) -> Generator[Facts, None, None]:
    """Yield the record of every document that a person has to look at, tenants apart.

    However many documents there are, only those that wait are read.
    """
    tenants = sa.select(schema.tenant.c.code).order_by(schema.tenant.c.code)
    for code in list(connection.execute(tenants).scalars()) if tenant is None else [tenant]:
        last = ""
        while piece := _waiting_for_a_look(connection, code, last):
            last = piece[-1].id
            chosen = sorted({row.batch_id for row in piece})
            batches = connection.execute(sa.select(_batch).where(_batch.c.id.in_(chosen)))
            around = _Surroundings(connection, list(batches))
            yield from _documents(connection, around, _document.c.id.in_([d.id for d in piece]))


def _waiting_for_a_look(connection: sa.Connection, tenant: str, after: str) -> list[Row]:
    query = sa.select(_document.c.id, _document.c.batch_id).where(
        reviewing.IS_OPEN, _document.c.tenant == tenant, _document.c.id > after
    )
    return list(connection.execute(query.order_by(_document.c.id).limit(_PIECE)))


def _documents(
    connection: sa.Connection, around: _Surroundings, chosen: sa.ColumnElement[bool] | None = None
) -> Iterator[Facts]:
    wanted = _document.c.batch_id.in_(around.ids) if chosen is None else chosen
    query = (
        sa.select(_document, _consignment.c.received_at, _consignment.c.received_at_source)
        .join(_consignment, _consignment.c.id == _document.c.consignment_id)
        .where(wanted)
        .order_by(_document.c.batch_id, _document.c.ordinal, _document.c.id)
    )
    with connection.execute(query, execution_options={"yield_per": _FETCH}) as found:
        for piece in found.partitions():
            outputs = renditions(connection, [row.id for row in piece])
            for row in piece:
                yield around.document(row, outputs.get(row.id, {}))


def renditions(connection: sa.Connection, units: list[str]) -> dict[str, dict[str, Row]]:
    """Return the newest rendition of each kind for each unit."""
    query = sa.select(_rendition).where(_rendition.c.unit_id.in_(units)).order_by(_rendition.c.id)
    found: dict[str, dict[str, Row]] = {}
    for row in connection.execute(query):
        found.setdefault(row.unit_id, {})[row.kind] = row
    return found


class _Surroundings:
    """Sources and open work of some batches, read once for all their records."""

    def __init__(self, connection: sa.Connection, batches: list[Row]) -> None:
        self.ids = ids = [batch.id for batch in batches]
        self._sources: dict[str, list[Row]] = {id_: [] for id_ in ids}
        query = sa.select(_source).where(_source.c.batch_id.in_(ids))
        for row in connection.execute(query.order_by(_source.c.batch_id, _source.c.ordinal)):
            self._sources[row.batch_id].append(row)
        self._batches: dict[str, Row] = {batch.id: batch for batch in batches}
        self._claimed = self._units_claimed(connection)
        self._open = self._pages_open(connection)
        self._newest = links.successors(connection, ids)

    def _units_claimed(self, connection: sa.Connection) -> frozenset[str]:
        query = sa.select(_claim.c.unit_id).where(
            _claim.c.batch_id.in_(self.ids),
            _claim.c.standing == Standing.CLAIMED,
            _claim.c.unit_kind != UnitKind.PAGE,
        )
        return frozenset(connection.execute(query).scalars())

    def _pages_open(self, connection: sa.Connection) -> dict[str, int]:
        owner = sa.func.coalesce(_claim.c.document_id, _claim.c.batch_id).label("owner")
        query = (
            sa.select(owner, sa.func.count().label("pages"))
            .where(_claim.c.batch_id.in_(self.ids), _claim.c.unit_kind == UnitKind.PAGE)
            .group_by(owner)
        )
        return {row.owner: row.pages for row in connection.execute(query)}

    def batch(self, row: Row) -> Facts:
        """Return the record of a batch."""
        sources = self._arrived_at(row.id)
        counted = [source.pages for source in sources if source.pages is not None]
        pages = sum(counted) if counted else None
        return {
            "message_type": "batch",
            "id": row.id,
            "batch": row.id,
            "tenant": row.tenant,
            "source_name": sources[0].name if sources else None,
            "sha256": self._arrived(row.id),
            **self._state(row),
            "profile": row.profile,
            "channel": row.channel,
            "operator": row.operator,
            "received_at": moment(row.received_at),
            "received_at_source": row.received_at_source,
            "registered_at": moment(row.registered_at),
            "pages": pages,
            "source_pages": list(range(1, (pages or 0) + 1)),
            "progress": self._progress(row.id, pages or 0),
            "sources": [
                {"name": source.name, "sha256": source.sha256 or None, "pages": source.pages}
                for source in sources
            ],
            "enclosures": [
                {
                    "name": source.name,
                    "sha256": source.sha256 or None,
                    "pages": source.pages,
                    "source": source.ordinal,
                    "enclosure_of": source.enclosure_of,
                }
                for source in self._sources[row.id]
                if source.enclosure_of is not None
            ],
            "rescans": self._rescans(row.id),
            "omitted": left_out(row.facts),
            "outputs": {},
        }

    def document(self, row: Row, made: dict[str, Row]) -> Facts:
        """Return the record of a document."""
        batch = self._batches[row.batch_id]
        source = self._sources[row.batch_id][row.source - 1]
        return {
            "message_type": "document",
            "id": row.id,
            "batch": row.batch_id,
            "tenant": row.tenant,
            "source_name": source.name,
            "source": row.source,
            "source_sha256": source.sha256 or None,
            "sha256": self._arrived(row.batch_id),
            **self._state(row),
            "ordinal": row.ordinal,
            "revision": row.revision,
            "supersedes": row.supersedes,
            "superseded_by": row.superseded_by,
            "profile": row.profile or batch.profile,
            "received_at": moment(row.received_at),
            "received_at_source": row.received_at_source,
            "registered_at": moment(batch.registered_at),
            "department": row.facts.get(Step.ROUTING, {}).get("department"),
            "pages": len(row.pages),
            **self._places(row),
            "progress": self._progress(row.id, len(row.pages)),
            "review_open": bool(row.review_open),
            "review": reviewing.reasons(row.facts),
            "signatures": [_signature(one) for one in signatures(source.facts)],
            "outputs": _outputs(row, made, source),
        }

    def _places(self, row: Row) -> Facts:
        """Return which pages of the arrival a document has, and what lay inside what.

        Pages of an enclosure are pages of a file inside the arrival, none of the arrival itself.
        """
        hints = links.current(row.facts.get(Step.SEPARATION, {}), self._newest)
        found = {
            "enclosure_of": hints.get(links.COVER, {}).get("document"),
            "enclosures": [entry["document"] for entry in hints.get(links.ENCLOSED, [])],
        }
        if self._sources[row.batch_id][row.source - 1].enclosure_of is None:
            return {"source_pages": row.pages, **found}
        before = sum(source.pages or 0 for source in self._sources[row.batch_id][: row.source - 1])
        own = [number - before for number in row.pages]
        return {"source_pages": [], "enclosure_pages": own, **found}

    def _rescans(self, batch_id: str) -> list[Facts]:
        return [
            {
                "name": source.name,
                "sha256": source.sha256 or None,
                "pages": source.pages,
                "source": source.ordinal,
                "rescan_of": source.rescan_of,
            }
            for source in self._sources[batch_id]
            if source.rescan_of is not None
        ]

    def _arrived_at(self, batch_id: str) -> list[Row]:
        return [source for source in self._sources[batch_id] if has_arrived(source)]

    def _arrived(self, batch_id: str) -> str | None:
        sources = self._arrived_at(batch_id)
        return (sources[0].sha256 or None) if len(sources) == 1 else None

    def _state(self, row: Row) -> Facts:
        return {
            "stage": row.stage,
            "standing": Standing.CLAIMED.value if row.id in self._claimed else row.standing,
            "reason_code": row.reason_code,
            "reason": row.reason,
            "erased_at": moment(row.erased_at),
        }

    def _progress(self, unit: str, pages: int) -> Facts:
        return {"pages_done": max(0, pages - self._open.get(unit, 0)), "pages": pages}


def _signature(found: Facts) -> Facts:
    """Return of a signature what a list shows; all of it is in the facts of the source."""
    shown = {name: found[name] for name in ("indication", "subindication", "look", "text")}
    return {**shown, "qualified": found["qualified"]["answer"]}


def _outputs(row: Row, made: dict[str, Row], source: Row) -> Facts:
    found = {kind.value: made[kind].sha256 for kind in OUTPUTS if kind in made}
    if source.sha256:
        found["original"] = source.sha256
    if report := report_sha256(source.facts):
        found["validation"] = report
    # where a later revision was delivered, the files of this one may have been withdrawn
    places = {} if row.superseded_by else _delivered(delivered(row.facts))
    return {
        kind: {"sha256": sha256} | ({"path": places[sha256]} if sha256 in places else {})
        for kind, sha256 in found.items()
    }


def _delivered(facts: Facts) -> dict[str, str]:
    """Return where each blob was delivered: the path is of the folder or of its first file."""
    files: dict[str, str] = facts.get("files", {})
    place = PurePosixPath(facts.get("path", ""))
    folder = place.parent if place.name in files else place
    return {sha256: str(folder / name) for name, sha256 in files.items()}


def has_arrived(source: Row) -> bool:
    """Tell whether a source came with the arrival: not inside another one, and not later."""
    return source.enclosure_of is None and source.rescan_of is None


def moment(value: dt.datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC, None where it was not recorded."""
    return None if value is None else value.isoformat()


def referenced(connection: sa.Connection, tenant: str) -> Iterator[str]:
    """Yield every digest that the ledger knows of and that the store has to keep."""
    query = sa.select(schema.blob.c.sha256).where(schema.blob.c.tenant == tenant)
    yield from connection.execute(query, execution_options={"yield_per": _FETCH}).scalars()


def unknown(connection: sa.Connection, tenant: str, digests: Sequence[str]) -> list[str]:
    """Return which of some digests, a few hundred, the ledger does not know of."""
    of = sa.and_(schema.blob.c.tenant == tenant, schema.blob.c.sha256.in_(digests))
    known = set(connection.execute(sa.select(schema.blob.c.sha256).where(of)).scalars())
    return [sha256 for sha256 in digests if sha256 not in known]


def has_batches(connection: sa.Connection, tenant: str) -> bool:
    """Tell whether anything was ever accepted for a tenant."""
    found = sa.select(_batch.c.id).where(_batch.c.tenant == tenant).limit(1)
    return connection.execute(found).first() is not None


def counts(connection: sa.Connection, tenant: str | None = None) -> Facts:
    """Count batches and documents by stage and standing, and what nobody took or looked at."""
    found: Facts = {}
    for name, table in (("batches", _batch), ("documents", _document)):
        query = sa.select(table.c.stage, table.c.standing, sa.func.count().label("number"))
        if tenant is not None:
            query = query.where(table.c.tenant == tenant)
        answer = connection.execute(query.group_by(table.c.stage, table.c.standing))
        found[name] = [
            {"stage": row.stage, "standing": row.standing, "number": row.number} for row in answer
        ]
    waiting = sa.select(sa.func.count()).select_from(_unaccepted)
    if tenant is not None:
        waiting = waiting.where(_unaccepted.c.tenant == tenant)
    found["unaccepted"] = connection.execute(waiting).scalar_one()
    owed = sa.select(sa.func.count()).select_from(_document).where(reviewing.IS_OPEN)
    if tenant is not None:
        owed = owed.where(_document.c.tenant == tenant)
    found["open_stacks"] = sum(1 for _ in openstacks.open_stacks(connection, tenant))
    found["to_review"] = connection.execute(owed).scalar_one()
    return found
