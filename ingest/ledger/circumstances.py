"""Reading what the conditions for paper ask about, in the transaction that decides."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import ENDS, Facts, PaperStage, RenditionKind, Stage, Standing
from ingest.ledger import accepting, backup, installation, people, samples, schema
from ingest.ledger.anchors import RESTORED
from ingest.ledger.conditions import AT_ERASURE, Circumstances, Proof
from ingest.ledger.integrity import ERASED
from ingest.ledger.makers import scanned_by
from ingest.ledger.paperunits import RESTORE_CONFIRMED, chain_of, newest, open_holds
from ingest.ledger.replacement import REPLACED, SCANNED_BY
from ingest.ledger.sealers import sealers_of

Row = sa.Row[Any]
_document, _batch, _page = schema.document, schema.batch, schema.page
_event = schema.event
_DELIVERIES: Final = (Stage.DELIVERED, "confirmation_delivered")
_FINISHED: Final = frozenset({Stage.DELIVERED, Stage.ACKNOWLEDGED})


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was found out outside the ledger, just before it is asked.

    Attributes:
        zone: Of the house.
        proofs: Of the sealed PDF of each document, by id.
        rules: Present content of profiles, by name.
    """

    zone: dt.tzinfo
    proofs: Mapping[str, Proof] = field(default_factory=dict)
    rules: Mapping[str, Facts] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A document's sealed PDF and the profile of its class, for whoever checks beforehand.

    Attributes:
        note_sha256: Of the note where it stands beside the PDF; None where it is inside.
        sealers: Digests of the certificates with which the house sealed it, see `sealers`.
    """

    tenant: str
    document: str
    profile: str
    pdf_sha256: str | None
    note_sha256: str | None = None
    sealers: frozenset[str] = frozenset()


def sealed(connection: sa.Connection, unit: Row) -> Sealed | None:
    """Return what has to be checked before a unit is asked about; None without a document."""
    document = newest(connection, unit.batch_id, unit.ordinal)
    if document is None:
        return None
    batch = _batch_of(connection, unit)
    return Sealed(
        tenant=unit.tenant,
        document=document.id,
        profile=document.profile or batch.profile,
        pdf_sha256=_made(connection, document.id, RenditionKind.PDF),
        note_sha256=_made(connection, document.id, RenditionKind.NOTE),
        sealers=sealers_of(connection, document.id),
    )


def gather(
    connection: sa.Connection, unit: Row, wanted: PaperStage, checked: Checked
) -> Circumstances | None:
    """Return the circumstances of a unit, None where it is of no document.

    Args:
        connection: Of the transaction in which the unit is locked, or a reading one.
        unit: Row of `paper_unit`.
        wanted: The stage it has to be in.
        checked: What was found out beforehand.
    """
    document = newest(connection, unit.batch_id, unit.ordinal)
    if document is None:
        return None
    batch = _batch_of(connection, unit)
    case = _of_document(connection, batch, document, checked)
    return replace(
        case,
        stage=PaperStage(unit.stage),
        wanted=wanted,
        place=unit.place,
        holds=tuple(open_holds(connection, unit.id)),
        free_since_at=unit.free_since_at,
        restored_at=_restored_at(connection, batch, unit),
    )


def _restored_at(connection: sa.Connection, batch: Row, unit: Row) -> dt.datetime | None:
    """Return when a copy was put back that may lack what was said of the paper.

    Anchors tell of whole days, so what was last said before the loss nobody can know but a
    person: what came after counts, or who confirmed since.
    """
    chain = installation.chain_of(unit.tenant)
    at = _last(connection, chain, RESTORED)
    if at is None or batch.registered_at > at:
        return None
    confirmed_at = _last(connection, chain_of(unit.id), RESTORE_CONFIRMED)
    return at if confirmed_at is None or confirmed_at < at else None


def _last(connection: sa.Connection, chain: str, kind: str) -> dt.datetime | None:
    chosen = sa.and_(_event.c.chain == chain, _event.c.kind == kind)
    query = sa.select(_event.c.at).where(chosen).order_by(_event.c.seq.desc()).limit(1)
    at: dt.datetime | None = connection.execute(query).scalar()
    return at


def _of_document(
    connection: sa.Connection, batch: Row, document: Row, checked: Checked
) -> Circumstances:
    """Return what is asked of a document, as if its paper lay where it should."""
    gone = _Erasure.of(connection, document)
    makers = gone.scanned_by or scanned_by(batch.operator, document.facts, batch.facts)
    rules = _rules(connection, batch, document)
    return Circumstances(
        stage=PaperStage.STORED,
        wanted=PaperStage.STORED,
        place="",
        holds=(),
        free_since_at=None,
        document=document.id,
        facts=document.facts,
        rules=rules,
        present_rules=checked.rules.get(document.profile or batch.profile),
        standing=document.standing,
        delivered=document.stage in _FINISHED and document.standing == Standing.DONE,
        superseded=document.superseded_by is not None,
        review_open=bool(document.review_open),
        erased_at=document.erased_at,
        opened=_opened(connection, document),
        pdf_sha256=_made(connection, document.id, RenditionKind.PDF),
        proof=checked.proofs.get(document.id),
        delivered_at=_delivered_at(connection, document),
        backed_up_at=backup.backed_up_at(connection, batch.tenant),
        under_way=_under_way(connection, document),
        has_evidence=_has_evidence(connection, document.id),
        shares_sheets_with=_neighbours(connection, document),
        scanned_by=makers,
        unknown_scanners=_nobodys(connection, batch.tenant, makers),
        now=accepting.now(connection),
        zone=checked.zone,
        quality=samples.told(connection, document, rules),
        replaced=gone.replaced,
        erased_by=gone.by,
        unknown_erasers=_nobodys(connection, batch.tenant, gone.by),
    )


def outliving(connection: sa.Connection, batch: Row, document: Row) -> Facts:
    """Return what the event of a document's erasure says about its paper, for good.

    Args:
        connection: Of the transaction that erases, before anything of the document is gone.
        batch: Row of its batch.
        document: Its row.
    """
    case = _of_document(connection, batch, document, Checked(zone=dt.UTC))
    is_sealed = document.facts.get("sealing", {}).get("kind") == "organisation"
    if not is_sealed or any(condition.missing(case) for condition in AT_ERASURE):
        return {REPLACED: False}
    return {REPLACED: True, SCANNED_BY: list(case.scanned_by)}


@dataclass(frozen=True, kw_only=True)
class _Erasure:
    """What the last event of an erased document says; of one that is not erased, nothing."""

    by: tuple[str, ...] = ()
    replaced: bool = False
    scanned_by: tuple[str, ...] = ()

    @classmethod
    def of(cls, connection: sa.Connection, document: Row) -> _Erasure:
        if document.erased_at is None:
            return cls()
        said = schema.event_payload
        own = sa.and_(said.c.chain == _event.c.chain, said.c.seq == _event.c.seq)
        chosen = sa.and_(_event.c.chain == document.id, _event.c.kind == ERASED)
        query = sa.select(_event.c.actor, said.c.payload).outerjoin(said, own).where(chosen)
        rows = connection.execute(query.order_by(_event.c.seq)).all()
        # Before events said it, only the row did.
        told: Facts = {REPLACED: document.facts.get(REPLACED, False)}
        told |= (rows[-1].payload or {}) if rows else {}
        return cls(
            by=tuple(dict.fromkeys(row.actor for row in rows)),
            replaced=told[REPLACED] is True,
            scanned_by=tuple(told.get(SCANNED_BY, ())),
        )


def _batch_of(connection: sa.Connection, unit: Row) -> Row:
    return connection.execute(sa.select(_batch).where(_batch.c.id == unit.batch_id)).one()


def _rules(connection: sa.Connection, batch: Row, document: Row) -> Facts:
    version = schema.profile_version
    sha256 = document.profile_sha256 or batch.profile_sha256
    chosen = sa.and_(version.c.tenant == batch.tenant, version.c.sha256 == sha256)
    found: Facts = connection.execute(sa.select(version.c.content).where(chosen)).scalar_one()
    return found


def _nobodys(
    connection: sa.Connection, tenant: str, codes: tuple[str | None, ...]
) -> tuple[str, ...]:
    """Return the codes that stand for no person."""
    known = {c: people.person_behind(connection, tenant, c) for c in codes if c}
    return tuple(code for code, person in known.items() if person is None)


def _opened(connection: sa.Connection, document: Row) -> str | None:
    sent = schema.consignment
    query = sa.select(sent.c.opened).where(sent.c.id == document.consignment_id)
    opened: str | None = connection.execute(query).scalar_one()
    return opened


def _made(connection: sa.Connection, document_id: str, kind: RenditionKind) -> str | None:
    made = schema.rendition
    chosen = sa.and_(made.c.unit_id == document_id, made.c.kind == kind)
    query = sa.select(made.c.sha256).where(chosen).order_by(made.c.id.desc()).limit(1)
    return connection.execute(query).scalar()


def _delivered_at(connection: sa.Connection, document: Row) -> dt.datetime | None:
    """Return when all of a document was delivered, a clerk's supplementary note included.

    The latest of what events and receipts say.
    """
    chosen = sa.and_(_event.c.chain == document.id, _event.c.kind.in_(_DELIVERIES))
    query = sa.select(_event.c.at).where(chosen).order_by(_event.c.seq.desc()).limit(1)
    recorded: dt.datetime | None = connection.execute(query).scalar()
    receipts = (document.facts.get(step, {}) for step in ("delivery", "confirmation_delivery"))
    said = [dt.datetime.fromisoformat(r["delivered_at"]) for r in receipts if r.get("delivered_at")]
    return None if recorded is None else max([recorded, *said])


def _under_way(connection: sa.Connection, document: Row) -> tuple[str, ...]:
    """Return the revisions of a document that are open, or have open work."""
    family = sa.and_(
        _document.c.batch_id == document.batch_id, _document.c.ordinal == document.ordinal
    )
    work = schema.claim
    busy = sa.exists().where(work.c.document_id == _document.c.id)
    query = sa.select(_document.c.id).where(family, sa.or_(_document.c.standing.not_in(ENDS), busy))
    return tuple(connection.execute(query.order_by(_document.c.revision)).scalars())


def _has_evidence(connection: sa.Connection, document_id: str) -> bool:
    leaf = schema.evidence_leaf
    query = sa.select(leaf.c.document_id).where(leaf.c.document_id == document_id)
    return connection.execute(query).first() is not None


def _neighbours(connection: sa.Connection, document: Row) -> tuple[str, ...]:
    """Return other documents with pages on sheets that this one has pages on."""
    query = sa.select(_page.c.number, _page.c.sheet).where(
        _page.c.batch_id == document.batch_id, _page.c.sheet.is_not(None)
    )
    sheets: dict[int, int] = {row.number: row.sheet for row in connection.execute(query)}
    own = {sheets[number] for number in document.pages if number in sheets}
    others = sa.select(_document.c.id, _document.c.pages).where(
        _document.c.batch_id == document.batch_id,
        _document.c.ordinal != document.ordinal,
        _document.c.superseded_by.is_(None),
    )
    rows = connection.execute(others.order_by(_document.c.ordinal))
    return tuple(id_ for id_, pages in rows if own & {sheets.get(number) for number in pages})
