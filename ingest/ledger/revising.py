"""A page that separation left out comes back: the document gets a new revision.

Nothing ever goes back: the revision is a document of its own, with the pages of the one it
supersedes and the page among them. It starts where pages are recognised, takes over what has
been recognised, and its delivery replaces the earlier one (`workers.delivery.replacement`).
Recognition under way goes on for the new revision; any other work on the old one ends, and
whoever holds it can record nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import (
    PUT_BACK,
    BatchStage,
    Facts,
    PageRole,
    Stage,
    Standing,
    Step,
    UnitKind,
    left_out,
    new_id,
)
from ingest.errors import UsageError
from ingest.ledger import (
    accepting,
    chains,
    clerks,
    openwork,
    people,
    quality,
    rulescheck,
    schema,
    takeover,
    targets,
)
from ingest.ledger.engine import hold
from ingest.ledger.moves import move
from ingest.ledger.showing import find
from ingest.ledger.takeover import Revision

Row = sa.Row[Any]
_batch, _document, _page, _claim = schema.batch, schema.document, schema.page, schema.claim

#: The event of a document that a later revision has taken the place of.
SUPERSEDED: Final = "superseded"
#: The event of the batch that names the new revision.
PAGE_PUT_BACK: Final = "page_put_back"
_PIECE: Final = 500

_LOCKED_BATCH = sa.select(_batch).where(_batch.c.id == sa.bindparam("unit")).with_for_update()
_DOCUMENTS = (
    sa.select(_document)
    .where(_document.c.batch_id == sa.bindparam("of_batch"))
    .order_by(_document.c.ordinal, _document.c.revision)
)
_SOURCE = sa.select(schema.batch_source).where(
    schema.batch_source.c.batch_id == sa.bindparam("of_batch"),
    schema.batch_source.c.ordinal == sa.bindparam("at_ordinal"),
)


@dataclass(frozen=True, kw_only=True)
class Revised:
    """What came of putting a page back.

    Attributes:
        kind: Why the page had been left out.
        superseded: The document whose place the new one takes.
        document: The new one.
    """

    batch_id: str
    page: int
    kind: str
    superseded: str
    document: str
    revision: int


def put_back(
    connection: sa.Connection,
    unit_id: str,
    page: int,
    *,
    by: str,
    reason: str,
    document: str | None = None,
) -> Revised:
    """Put a left-out page back into a document, as a new revision of it.

    Args:
        connection: In a writing transaction.
        unit_id: The batch, or the document that shall take the page; see `showing.find`.
        page: Arrival page number.
        by: Operator code.
        reason: Goes into events and the note of the new revision.
        document: Which document takes it; None to find it, see `targets.chosen`.

    Raises:
        UsageError: Nobody or nothing of that name, the page was not left out or cannot be
            shown, the document cannot take it, or several could; nothing changed.
    """
    clerks.require(unit_id, by, reason)
    unit = find(connection, unit_id)
    wanted = unit.id if unit.kind is UnitKind.DOCUMENT else None
    if document is not None:
        wanted = find(connection, document).id
    hold(connection, f"revisions of {unit.batch_id}")  # of two persons the second sees the first
    sampled = quality.enter(connection, unit.batch_id)
    old, batch, work, children = _locked(connection, unit.batch_id, page, wanted)
    people.require_known(connection, batch.tenant, by)
    refuse_danger(old, [*children, *([work] if work is not None else [])])
    revision = _revision(connection, batch, old, page, by, reason)
    kept = work.released if work is not None else takeover.released(connection, batch.id, old.id)
    write(connection, revision, kept)
    _take_in(connection, revision)
    takeover.work(connection, revision, work, children, kept)
    _tell(connection, revision)
    if sampled:
        quality.succeed(connection, batch, old.id, revision.id, revision.at)
    return Revised(
        batch_id=batch.id,
        page=page,
        kind=str(revision.entry["kind"]),
        superseded=old.id,
        document=revision.id,
        revision=revision.number,
    )


def _locked(
    connection: sa.Connection, batch_id: str, page: int, wanted: str | None
) -> tuple[Row, Row, Row | None, list[Row]]:
    """Lock and return the document that takes the page, its batch, its work and its pages' work.

    Raises:
        UsageError: As `put_back`, and where the document was replaced or ended meanwhile.
    """
    seen = _target(connection, batch_id, page, wanted)
    work, children = openwork.family(connection, seen.id)
    batch = connection.execute(_LOCKED_BATCH, {"unit": batch_id}).one()
    old = _target(connection, batch_id, page, wanted)
    if old.id != seen.id:
        text = f"Die Einlieferung {batch_id} wird gerade geändert. Bitte noch einmal versuchen."
        raise UsageError(f"{batch_id} changed meanwhile", operator_text=text)
    return old, batch, work, children


def _target(connection: sa.Connection, batch_id: str, page: int, wanted: str | None) -> Row:
    batch = connection.execute(sa.select(_batch).where(_batch.c.id == batch_id)).one()
    documents = connection.execute(_DOCUMENTS, {"of_batch": batch_id}).all()
    _entry(batch, documents, page)
    return targets.chosen(documents, page, left_out(batch.facts), wanted)


def _entry(batch: Row, documents: Sequence[Row], page: int) -> Facts:
    """Return what the batch says of a left-out page.

    Raises:
        UsageError: It was not left out, or nothing is left of the batch.
    """
    if batch.erased_at is not None or batch.stage != BatchStage.CLOSED:
        what = "ist gelöscht" if batch.erased_at is not None else "ist noch nicht getrennt"
        text = f"Einlieferung {batch.id} {what}; es gibt keine ausgelassene Seite."
        raise UsageError(f"batch {batch.id} has no omitted pages", operator_text=text)
    for entry in left_out(batch.facts):
        if entry["page"] == page:
            return entry
    home = [row.id for row in documents if page in row.pages and row.superseded_by is None]
    where = f"Sie gehört zu Dokument {home[0]}." if home else "Es gibt sie nicht."
    text = f"Seite {page} der Einlieferung {batch.id} ist nicht ausgelassen. {where}"
    raise UsageError(f"page {page} of {batch.id} is not omitted", operator_text=text)


def refuse_danger(old: Row, work: Sequence[Row]) -> None:
    """Refuse to replace what the security officer has to decide about first."""
    if any(row.standing == Standing.QUARANTINED for row in (old, *work)):
        text = (
            f"Dokument {old.id} ist in Quarantäne. Zuerst entscheidet die oder der "
            "IT-Sicherheitsbeauftragte."
        )
        raise UsageError(f"document {old.id} is quarantined", operator_text=text)


def _revision(
    connection: sa.Connection, batch: Row, old: Row, page: int, by: str, reason: str
) -> Revision:
    entry = _entry(batch, (), page)
    row = takeover.pages_of(connection, batch.id, [page])[0]
    if undecodable := row.facts.get("examination", {}).get("undecodable"):
        text = f"Seite {page} ist nicht lesbar ({undecodable}) Bitte das Blatt neu scannen."
        raise UsageError(f"page {page} does not decode", operator_text=text)
    if row.source != old.source and _is_electronic(connection, batch.id, row.source, old.source):
        text = (
            f"Seite {page} und Dokument {old.id} stammen aus verschiedenen elektronischen Dateien."
        )
        raise UsageError(f"page {page} is of another file", operator_text=text)
    moment = accepting.now(connection)
    hints: Facts = old.facts.get(Step.SEPARATION, {})
    said = {"page": page, "kind": entry["kind"], "by": by, "reason": reason}
    history = [*hints.get(PUT_BACK, ()), {**said, "at": moment.isoformat()}]
    return Revision(
        id=new_id(),
        at=moment,
        by=by,
        reason=reason,
        batch=batch,
        old=old,
        entry=entry,
        source=old.source,
        pages=targets.placed(old.pages, page, entry),
        facts={Step.SEPARATION: {**hints, PUT_BACK: history}},
    )


def _is_electronic(connection: sa.Connection, batch_id: str, *ordinals: int) -> bool:
    sources = (
        connection.execute(_SOURCE, {"of_batch": batch_id, "at_ordinal": ordinal}).one()
        for ordinal in ordinals
    )
    return any(source.facts.get("electronic") for source in sources)


def write(connection: sa.Connection, revision: Revision, kept: Facts) -> None:
    """Write the revision, and that it takes the place of the old one."""
    old = revision.old
    same = ("tenant", "batch_id", "consignment_id", "ordinal")
    row: Facts = {name: getattr(old, name) for name in (*same, "profile", "profile_sha256")}
    row |= {"id": revision.id, "revision": revision.number, "supersedes": old.id}
    row |= {"stage": Stage.CAPTURED, "standing": Standing.WAITING, "review_open": 0}
    row |= {"source": revision.source, "pages": revision.pages, "facts": revision.facts}
    row |= {"captured_at": revision.at, "changed_at": revision.at}
    connection.execute(sa.insert(_document), row)
    openwork.show(
        connection,
        UnitKind.DOCUMENT,
        old.id,
        revision.at,
        standing=move(old.standing, Standing.SUPERSEDED),
        superseded_by=revision.id,
        reason_code=SUPERSEDED,
        reason=f"Ersetzt durch Fassung {revision.number}, Dokument {revision.id}.",
        review_open=0,
    )
    chains.begin(
        connection,
        revision.id,
        tenant=old.tenant,
        unit_kind=UnitKind.DOCUMENT,
        at=revision.at,
        entries=[chains.Entry("captured", _captured(connection, revision, kept), revision.by)],
    )


def _take_in(connection: sa.Connection, revision: Revision) -> None:
    """Let the page be content, and the batch say that it is no longer left out."""
    batch, page = revision.batch, revision.entry["page"]
    connection.execute(
        sa.update(_page)
        .where(
            _page.c.batch_id == batch.id,
            _page.c.number == page,
            _page.c.role == PageRole.SEPARATOR,
        )
        .values(role=PageRole.CONTENT)
    )
    back = sorted({page, *batch.facts.get(PUT_BACK, {}).get("pages", ())})
    facts = {**batch.facts, PUT_BACK: {"pages": back}}
    openwork.show(connection, UnitKind.BATCH, batch.id, revision.at, facts=facts)


def _captured(connection: sa.Connection, revision: Revision, kept: Facts) -> Facts:
    """Return what the first event of the revision says, what it takes over included."""
    old = revision.old
    at = {"of_batch": revision.batch.id, "at_ordinal": revision.source}
    source = connection.execute(_SOURCE, at).one()
    pages = takeover.pages_of(connection, revision.batch.id, revision.pages)
    said: Facts = {
        "batch": revision.batch.id,
        "pages": revision.pages,
        "source": revision.source,
        "source_sha256": source.sha256,
        "consignment": old.consignment_id,
        "facts_sha256": chains.facts_digest(revision.facts[Step.SEPARATION]),
        "supersedes": old.id,
        "revision": revision.number,
        "reason": revision.reason,
        "settings": clerks.shown(kept),
        "recognised": takeover.recognised(pages),
    }
    if old.profile is not None:
        said |= {"profile": old.profile, "profile_sha256": old.profile_sha256}
        said |= rulescheck.content_named(connection, old.tenant, old.profile_sha256)
    return said


def _tell(connection: sa.Connection, revision: Revision) -> None:
    """Append to the chains of the old document, with the reason, and of the batch, without."""
    page, number, moment = revision.entry["page"], revision.number, revision.at
    by_whom = {"document": revision.id, "revision": number}
    said = {**by_whom, "put_back": page, "reason": revision.reason}
    entry = chains.Entry(SUPERSEDED, said, revision.by)
    chains.append(connection, revision.old.id, moment, entry)
    back = sorted({page, *revision.batch.facts.get(PUT_BACK, {}).get("pages", ())})
    said = {**by_whom, "superseded": revision.old.id, "left_out": dict(revision.entry)}
    said |= {"step": PUT_BACK, "facts_sha256": chains.facts_digest({"pages": back})}
    entry = chains.Entry(PAGE_PUT_BACK, said, revision.by)
    chains.append(connection, revision.batch.id, moment, entry)
