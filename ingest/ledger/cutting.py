"""Cutting a batch into its consignments and documents, all at once or not at all."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from ingest.clock import UTC
from ingest.document import (
    BatchStage,
    Facts,
    Outcome,
    PageRole,
    Part,
    ProfileChoice,
    Stage,
    Standing,
    Step,
    UnitKind,
    new_id,
)
from ingest.errors import ProfileInvalid, Unclear
from ingest.ledger import (
    accepting,
    chains,
    links,
    needs,
    openwork,
    quality,
    rulescheck,
    schema,
)
from ingest.ledger.admitting import require_admitted

Row = sa.Row[Any]

_BATCH = sa.select(schema.batch).where(schema.batch.c.id == sa.bindparam("of_batch"))
_PAGE_IDS = sa.select(schema.page.c.number, schema.page.c.id).where(
    schema.page.c.batch_id == sa.bindparam("of_batch")
)
_SOURCES = sa.select(
    schema.batch_source.c.ordinal,
    schema.batch_source.c.sha256,
    schema.batch_source.c.name,
    schema.batch_source.c.enclosure_of,
).where(schema.batch_source.c.batch_id == sa.bindparam("of_batch"))
#: What a cover's sheet says of the cover alone.
_OWN: Final = frozenset({"anomalies", "as_is", "asn", "expected_sheets", "sheet"})
_LINKS: Final = frozenset({links.COVER, links.ENCLOSED})
#: What `separated` says of pages: roles by number, but for content, and a digest of their places.
ROLES: Final = "roles"
PLACES: Final = "places_sha256"
_NUMBERED = sa.update(schema.page).where(
    schema.page.c.batch_id == sa.bindparam("of_batch"),
    schema.page.c.number == sa.bindparam("at_number"),
)
_PROFILE = sa.select(schema.profile_version.c.content).where(
    schema.profile_version.c.tenant == sa.bindparam("of_tenant"),
    schema.profile_version.c.sha256 == sa.bindparam("of_sha256"),
)
_NEW_CONSIGNMENT = sa.insert(schema.consignment).inline()
_NEW_DOCUMENT = sa.insert(schema.document).inline()
_NEW_CLAIM = sa.insert(schema.claim).inline()
_NEW_PARENT = sa.insert(schema.claim).returning(schema.claim.c.id)


def separation(
    connection: sa.Connection, row: Row, outcome: Outcome, facts: Facts, moment: dt.datetime
) -> None:
    """Close the batch of `row` and create its documents, their pages' work included.

    Raises:
        Unclear: A sheet names a class that is not approved; nothing may be committed.
        ValueError: A part names a page or source that does not exist, or two parts the same
            page; nothing may be committed.
    """
    batch = connection.execute(_BATCH, {"of_batch": row.batch_id}).one()
    page_ids = {number: id_ for number, id_ in connection.execute(_PAGE_IDS, _of(row))}  # noqa: C416 - rows are not pairs to mypy
    found: list[Row] = list(connection.execute(_SOURCES, _of(row)))
    sources = {source.ordinal: source for source in found}
    _check(row, outcome, page_ids, sources)
    _require_classes(connection, batch, outcome.parts)
    own = [needs.of_profile(part.profile.content) for part in outcome.parts if part.profile]
    protection = needs.maximum([batch.protection, *own])
    _describe_pages(connection, row, outcome)
    openwork.finish(connection, row)
    openwork.show(
        connection,
        UnitKind.BATCH,
        row.batch_id,
        moment,
        stage=BatchStage.CLOSED,
        standing=Standing.DONE,
        reason_code=None,
        reason=None,
        closed_at=moment,
        facts=facts,
        protection=protection,
    )
    documents = []
    linked = _linked(outcome.parts, sources)
    for ordinal, new in enumerate(linked, 1):
        part, document_id = new.part, new.document_id
        _document(connection, batch, new, ordinal, moment)
        _begin_chain(connection, row, new, sources[part.source].sha256, moment)
        _begin_work(connection, row, document_id, part, page_ids, moment)
        documents.append({"id": document_id, "pages": list(part.pages), "source": part.source})
    said = {"documents": documents} | ({} if protection is None else {"protection": protection})
    said |= _described(outcome, page_ids)
    _say(connection, row, outcome, said, moment)
    quality.commit(connection, batch, _judged(connection, batch, linked), moment)


def _say(
    connection: sa.Connection, row: Row, outcome: Outcome, said: Facts, moment: dt.datetime
) -> None:
    """Put into the batch's chain what it was separated into."""
    common = {
        "step": row.step,
        "attempt": row.attempts,
        "facts_sha256": chains.facts_digest(outcome.facts),
        "omitted": outcome.facts.get("omitted", []),
    }
    chains.append(connection, row.batch_id, moment, chains.Entry("separated", {**common, **said}))


def _judged(
    connection: sa.Connection, batch: Row, documents: Sequence[_New]
) -> dict[str, quality.Rules]:
    """Return what the classes of the documents ask of quality assurance, where they do."""
    values = {"of_tenant": batch.tenant, "of_sha256": batch.profile_sha256}
    own = quality.rules_of(connection.execute(_PROFILE, values).scalar_one())
    asked = {
        new.document_id: own
        if new.part.profile is None
        else quality.rules_of(new.part.profile.content)
        for new in documents
    }
    return {document: rules for document, rules in asked.items() if rules is not None}


def _require_classes(connection: sa.Connection, batch: Row, parts: Sequence[Part]) -> None:
    """Refuse classes that nobody let into work, as an arrival under them would be."""
    for part in parts:
        if part.profile is None:
            continue
        name, treatment = part.profile.name, part.profile.content["treatment"]
        try:
            require_admitted(connection, batch.tenant, name, part.profile.sha256, treatment)
        except ProfileInvalid as error:
            text = (
                f"Ab Seite {min(part.pages, default=1)} verlangt ein Trennblatt die Dokumentklasse"
                f" „{name}“. {error.operator_text} Danach den Stapel freigeben; mit"
                " 'profile=stack' gilt statt dessen das Profil des Stapels."
            )
            message = f"class {name!r} is not approved"
            raise Unclear(message, operator_text=text, code=error.code) from error


def _describe_pages(connection: sa.Connection, row: Row, outcome: Outcome) -> None:
    """Write role, sheet and side of the pages, as far as the outcome knows them."""
    roles = [{**_of(row), "at_number": n, "role": role} for n, role in outcome.roles.items()]
    if roles:
        connection.execute(_NUMBERED, roles)
    places = [
        {**_of(row), "at_number": n, "sheet": sheet, "side": side}
        for n, (sheet, side) in outcome.places.items()
    ]
    if places:
        connection.execute(_NUMBERED, places)


def _described(outcome: Outcome, pages: Iterable[int]) -> Facts:
    """Return what the event says of role, sheet and side of the batch's pages."""
    numbers = sorted(pages)
    if not numbers:
        return {}
    own = ((number, outcome.roles.get(number, PageRole.CONTENT)) for number in numbers)
    roles = {str(number): role for number, role in own if role != PageRole.CONTENT}
    places = [[number, *outcome.places.get(number, (None, None))] for number in numbers]
    return {ROLES: roles, PLACES: chains.facts_digest({"places": places})}


def _of(row: Row) -> Facts:
    return {"of_batch": row.batch_id}


def _check(
    row: Row, outcome: Outcome, page_ids: Mapping[int, str], sources: Mapping[int, Row]
) -> None:
    named = Counter(number for part in outcome.parts for number in part.pages)
    wrong = {number for number, times in named.items() if number not in page_ids or times > 1}
    wrong |= {part.source for part in outcome.parts if part.source not in sources}
    if wrong:
        message = f"batch {row.batch_id}: parts name {sorted(wrong)} twice or without their being"
        raise ValueError(message)


@dataclass(kw_only=True)
class _New:
    """A document to be made.

    Attributes:
        cover: The document in whose original its own one lay.
    """

    part: Part
    document_id: str
    consignment_id: str
    cover: _New | None = None


def _linked(parts: Sequence[Part], sources: Mapping[int, Row]) -> list[_New]:
    """Link what lay inside a file with the document of that file, in both directions.

    An enclosure belongs to its cover's consignment, and what sheet and label say of the cover
    (department, date of receipt, reference) holds for it as well. Covers stand before their
    enclosures, because sources do.
    """
    made: list[_New] = []
    by_source: dict[int, _New] = {}
    for part in parts:
        new = _New(part=part, document_id=new_id(), consignment_id=new_id())
        source = sources[part.source]
        cover = None if source.enclosure_of is None else by_source.get(source.enclosure_of)
        if cover is not None:
            _enclose(new, cover, source)
        made.append(new)
        by_source.setdefault(part.source, new)
    return made


def _enclose(new: _New, cover: _New, source: Row) -> None:
    said = {key: value for key, value in cover.part.hints.items() if key not in _OWN | _LINKS}
    link = {"document": cover.document_id, "source": source.enclosure_of}
    new.cover, new.consignment_id = cover, cover.consignment_id
    new.part = replace(new.part, hints={**said, **new.part.hints, links.COVER: link})
    entry = {"document": new.document_id, "name": source.name, "sha256": source.sha256}
    known = cover.part.hints.get(links.ENCLOSED, [])
    hints = {**cover.part.hints, links.ENCLOSED: [*known, entry]}
    cover.part = replace(cover.part, hints=hints)


def _document(
    connection: sa.Connection, batch: Row, new: _New, ordinal: int, moment: dt.datetime
) -> None:
    part = new.part
    if new.cover is None:
        consignment = consignment_of(batch, part.hints, new.consignment_id)
        connection.execute(_NEW_CONSIGNMENT, consignment)
    row: Facts = {
        "id": new.document_id,
        "tenant": batch.tenant,
        "batch_id": batch.id,
        "consignment_id": new.consignment_id,
        "ordinal": ordinal,
        "revision": 1,
        "stage": Stage.CAPTURED,
        "standing": Standing.WAITING if part.pages else Standing.READY,
        "source": part.source,
        "pages": list(part.pages),
        "review_open": 0,
        "facts": {Step.SEPARATION: part.hints},
        "captured_at": moment,
        "changed_at": moment,
    }
    if part.profile is not None:
        accepting.keep_profile(connection, batch.tenant, part.profile, moment)
        row |= _named(part.profile)
    connection.execute(_NEW_DOCUMENT, row)


def _named(choice: ProfileChoice) -> Facts:
    return {"profile": choice.name, "profile_sha256": choice.sha256}


def consignment_of(batch: Row, hints: Facts, consignment_id: str) -> Facts:
    """Return the row of a consignment: what sheets did not say is the envelope's."""
    received_at, source = batch.received_at, batch.received_at_source
    if hints.get("received_at"):
        received_at = moment_of(hints["received_at"])
        source = hints.get("received_at_source", "separator")
    return {
        "id": consignment_id,
        "tenant": batch.tenant,
        "batch_id": batch.id,
        "channel": hints.get("channel", batch.channel),
        "delivery_type": hints.get("delivery_type"),
        "delivery_number": hints.get("delivery_number"),
        "received_at": received_at,
        "received_at_source": source,
        "registered_at": batch.registered_at,
        "deadline_hint": hints.get("deadline_hint"),
        "opened": hints.get("opened"),
        "enclosures": hints.get("enclosures", []),
    }


def moment_of(text: str) -> dt.datetime:
    """Read an ISO time; one without a zone is a bare date, the same day in UTC as at home."""
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _begin_chain(
    connection: sa.Connection,
    row: Row,
    new: _New,
    source_sha256: str,
    moment: dt.datetime,
) -> None:
    part = new.part
    said = {
        "batch": row.batch_id,
        "pages": list(part.pages),
        "source": part.source,
        "source_sha256": source_sha256,
        "consignment": new.consignment_id,
        "facts_sha256": chains.facts_digest(part.hints),
    }
    if part.profile is not None:
        said |= _named(part.profile)
        said |= rulescheck.content_named(connection, row.tenant, part.profile.sha256)
    chains.begin(
        connection,
        new.document_id,
        tenant=row.tenant,
        unit_kind=UnitKind.DOCUMENT,
        at=moment,
        entries=[chains.Entry("captured", said)],
    )


def _begin_work(
    connection: sa.Connection,
    row: Row,
    document_id: str,
    part: Part,
    page_ids: Mapping[int, str],
    moment: dt.datetime,
) -> None:
    pages = [page_ids[number] for number in part.pages]
    same: Facts = {
        "tenant": row.tenant,
        "batch_id": row.batch_id,
        "document_id": document_id,
        "priority": row.priority if part.profile is None else part.profile.priority,
        "released": row.released,
        "since_at": moment,
    }
    standing = Standing.WAITING if pages else Standing.READY
    waiting = {"standing": standing, "children_open": len(pages)}
    first = accepting.work(UnitKind.DOCUMENT, document_id, part.begins, **same, **waiting)
    parent_id = connection.execute(_NEW_PARENT, first).scalar_one()
    if pages:
        same["parent_id"] = parent_id
        connection.execute(
            _NEW_CLAIM,
            [accepting.work(UnitKind.PAGE, page, Step.RECOGNITION, **same) for page in pages],
        )
