"""What a step is told: everything it may know, read in one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import (
    Assignment,
    Batch,
    BatchStage,
    Cover,
    Document,
    Envelope,
    Facts,
    Page,
    PageRole,
    Rendition,
    RenditionKind,
    Sides,
    Stage,
    Standing,
    Step,
    Superseded,
    UnitKind,
)
from ingest.ledger import confirming, links, reports, samples, schema, vouching, witnessed
from ingest.ledger.accepting import idempotency_key, sources
from ingest.ledger.terms import Claim, ClaimLost

Row = sa.Row[Any]
_PROFILES_KEPT: Final = 64
_ON_ITS_WAY: Final = frozenset(
    {Standing.READY, Standing.CLAIMED, Standing.DEFERRED, Standing.WAITING}
)

#: A page of a document goes under the document's profile, as the document itself.
_OPEN = (
    sa.select(
        schema.batch,
        schema.claim.c.released,
        sa.func.coalesce(schema.document.c.profile_sha256, schema.batch.c.profile_sha256).label(
            "rules_sha256"
        ),
    )
    .select_from(schema.claim)
    .join(schema.batch, schema.batch.c.id == schema.claim.c.batch_id)
    .outerjoin(schema.document, schema.document.c.id == schema.claim.c.document_id)
    .where(
        schema.claim.c.id == sa.bindparam("claim_id"),
        schema.claim.c.token == sa.bindparam("held_token"),
    )
)
_PROFILE = sa.select(schema.profile_version.c.content).where(
    schema.profile_version.c.tenant == sa.bindparam("of_tenant"),
    schema.profile_version.c.sha256 == sa.bindparam("of_sha256"),
)
_PAGE = sa.select(schema.page).where(schema.page.c.id == sa.bindparam("unit"))
_PAGES = (
    sa.select(schema.page)
    .where(schema.page.c.batch_id == sa.bindparam("of_batch"))
    .order_by(schema.page.c.number)
)
_SOME_PAGES = sa.select(schema.page).where(
    schema.page.c.batch_id == sa.bindparam("of_batch"),
    schema.page.c.number.in_(sa.bindparam("numbers", expanding=True)),
)
_DOCUMENT = sa.select(schema.document).where(schema.document.c.id == sa.bindparam("unit"))
_RENDITIONS = (
    sa.select(schema.rendition)
    .where(schema.rendition.c.unit_id == sa.bindparam("unit"))
    .order_by(schema.rendition.c.id)
)


_EARLIER = (
    sa.select(schema.document)
    .where(
        schema.document.c.batch_id == sa.bindparam("of_batch"),
        schema.document.c.ordinal == sa.bindparam("at_ordinal"),
        schema.document.c.revision < sa.bindparam("before"),
    )
    .order_by(schema.document.c.revision.desc())
)
_MADE = sa.union(
    sa.select(schema.rendition.c.sha256).where(schema.rendition.c.unit_id == sa.bindparam("unit")),
    sa.select(schema.batch_source.c.sha256)
    .join(
        schema.document,
        sa.and_(
            schema.document.c.batch_id == schema.batch_source.c.batch_id,
            schema.document.c.source == schema.batch_source.c.ordinal,
        ),
    )
    .where(schema.document.c.id == sa.bindparam("unit")),
    reports.OF_DOCUMENT,
)


class Profiles:
    """Contents of profile versions, which never change, kept after the first reading."""

    def __init__(self) -> None:
        """Start with none."""
        self._kept: dict[tuple[str, str], Facts] = {}

    def content(self, connection: sa.Connection, tenant: str, sha256: str) -> Facts:
        """Return the content of a version of a tenant's profile."""
        kept = self._kept.get((tenant, sha256))
        if kept is not None:
            return kept
        values = {"of_tenant": tenant, "of_sha256": sha256}
        content: Facts = connection.execute(_PROFILE, values).scalar_one()
        if len(self._kept) >= _PROFILES_KEPT:
            self._kept.clear()
        self._kept[tenant, sha256] = content
        return content


def assignment(connection: sa.Connection, claim: Claim, profiles: Profiles) -> Assignment:
    """Return what the step of `claim` is told.

    Raises:
        ClaimLost: The claim is no longer the caller's.
    """
    row = connection.execute(_OPEN, {"claim_id": claim.id, "held_token": claim.token}).first()
    if row is None:
        message = f"claim of {claim.unit_kind} {claim.unit_id} was lost"
        raise ClaimLost(message)
    document, cover = None, None
    captures: tuple[Facts, ...] = ()
    quality: Facts = {}
    content = profiles.content(connection, claim.tenant, row.rules_sha256)
    if claim.unit_kind is UnitKind.DOCUMENT:
        found = connection.execute(_DOCUMENT, {"unit": claim.unit_id}).one()
        document, pages = _document(connection, found)
        cover = _cover(connection, document)
        quality = samples.told(connection, found, content)
        images = {page.number: page.source for page in pages}
        captures = witnessed.captures(connection, claim.batch_id, images)
    elif claim.unit_kind is UnitKind.PAGE:
        pages = _pages(connection.execute(_PAGE, {"unit": claim.unit_id}).all())
    else:
        pages = _pages(connection.execute(_PAGES, {"of_batch": claim.batch_id}).all())
    return Assignment(
        step=claim.step,
        unit_kind=claim.unit_kind,
        unit_id=claim.unit_id,
        tenant=claim.tenant,
        idempotency_key=claim.idempotency_key,
        attempt=claim.attempt,
        profile=content,
        profile_sha256=row.rules_sha256,
        batch=_batch(connection, row),
        pages=pages,
        document=document,
        released=row.released,
        cover=cover,
        quality=quality,
        **vouching.vouched(connection, content, row, document, quality),
        captures=captures,
    )


def _cover(connection: sa.Connection, document: Document) -> Cover | None:
    link = document.facts.get(Step.SEPARATION, {}).get(links.COVER)
    if link is None:
        return None
    row = connection.execute(_DOCUMENT, {"unit": link["document"]}).one()
    decided = row.facts.get(Step.ROUTING, {})
    return Cover(
        document=row.id,
        department=decided.get("department"),
        case_reference=decided.get("case_reference"),
        on_its_way=row.standing in _ON_ITS_WAY,
    )


def _batch(connection: sa.Connection, row: Row) -> Batch:
    return Batch(
        id=row.id,
        tenant=row.tenant,
        stage=BatchStage(row.stage),
        envelope=envelope_of(row),
        registered_at=row.registered_at,
        sources=sources(connection, row.id),
        facts=row.facts,
    )


def envelope_of(row: Row) -> Envelope:
    """Return the envelope that a row of `batch` holds."""
    return Envelope(
        profile=row.profile,
        channel=row.channel,
        operator=row.operator,
        received_at=row.received_at,
        received_at_source=row.received_at_source,
        scanned_at=row.scanned_at,
        device=row.device,
        storage_place=row.storage_place,
        expected_sheets=row.expected_sheets,
        expected_consignments=row.expected_consignments,
        sides=None if row.sides is None else Sides(row.sides),
    )


def _document(connection: sa.Connection, row: Row) -> tuple[Document, tuple[Page, ...]]:
    found = connection.execute(_RENDITIONS, {"unit": row.id})
    renditions = {RenditionKind(each.kind): _rendition(each) for each in found}
    document = Document(
        id=row.id,
        batch_id=row.batch_id,
        consignment_id=row.consignment_id,
        revision=row.revision,
        ordinal=row.ordinal,
        stage=Stage(row.stage),
        facts=_facts(connection, row),
        renditions=renditions,
        source=row.source,
        supersedes=_superseded(connection, row) if row.revision > 1 else (),
    )
    return document, _ordered(connection, row.batch_id, row.pages)


def _facts(connection: sa.Connection, row: Row) -> Facts:
    """Return a document's facts, links naming the newest revisions of what they lead to."""
    facts: Facts = row.facts
    hints = facts.get(Step.SEPARATION, {})
    if not hints.keys() & {links.COVER, links.ENCLOSED}:
        return facts
    newest = links.successors(connection, [row.batch_id])
    return {**facts, Step.SEPARATION: links.current(hints, newest)}


def _superseded(connection: sa.Connection, row: Row) -> tuple[Superseded, ...]:
    """Return the earlier revisions of a document, newest first."""
    values = {"of_batch": row.batch_id, "at_ordinal": row.ordinal, "before": row.revision}
    return tuple(
        Superseded(
            id=old.id,
            revision=old.revision,
            delivery_key=idempotency_key(old.id, Step.DELIVERY),
            delivery=confirming.delivered(old.facts),
            digests=tuple(sorted(connection.execute(_MADE, {"unit": old.id}).scalars())),
        )
        for old in connection.execute(_EARLIER, values).all()
    )


def _ordered(connection: sa.Connection, batch_id: str, numbers: list[int]) -> tuple[Page, ...]:
    """Return pages in the order of `numbers`, asking in portions that fit a statement."""
    found: dict[int, Page] = {}
    for start in range(0, len(numbers), 500):
        values = {"of_batch": batch_id, "numbers": numbers[start : start + 500]}
        rows = connection.execute(_SOME_PAGES, values).all()
        found.update((page.number, page) for page in _pages(rows))
    return tuple(found[number] for number in numbers)


def _pages(rows: Sequence[Row]) -> tuple[Page, ...]:
    return tuple(
        Page(
            id=row.id,
            number=row.number,
            source=row.source,
            index=row.frame,
            sha256=row.sha256,
            role=PageRole(row.role),
            facts=row.facts,
            words_sha256=row.words_sha256,
        )
        for row in rows
    )


def _rendition(row: Row) -> Rendition:
    return Rendition(
        kind=RenditionKind(row.kind),
        sha256=row.sha256,
        size=row.size,
        media_type=row.media_type,
        parent_sha256=row.parent_sha256,
        tool=row.tool,
        settings=row.settings,
    )
