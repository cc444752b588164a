"""A page or a whole document is scanned again: a new revision with other digests.

What was scanned first stays, with its digests (BSI TR-03138 V1.5, DRV structure: a page that
was scanned again is an Auffälligkeit; GoBD: both versions are kept). The new file becomes a
further source of the batch, its pages further pages; they are examined and recognised like
all others, under the new revision. Both get roots of their own, which a timestamp proves like
those of the first capture. It works before and after delivery, which then replaces.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import (
    RESCANNED,
    Facts,
    FoundPage,
    PageRole,
    Source,
    Standing,
    Step,
    UnitKind,
    new_id,
    replaced,
)
from ingest.errors import ToolFailed, UsageError
from ingest.ledger import (
    accepting,
    chains,
    clerks,
    covering,
    openwork,
    people,
    quality,
    revising,
    schema,
    takeover,
    witness,
)
from ingest.ledger.engine import hold
from ingest.ledger.moves import move
from ingest.ledger.showing import find
from ingest.ledger.takeover import Revision
from ingest.ledger.terms import Present

Row = sa.Row[Any]
_batch, _document, _page, _source, _claim = (
    schema.batch,
    schema.document,
    schema.page,
    schema.batch_source,
    schema.claim,
)
_OVER: Final = frozenset({Standing.REJECTED, Standing.SUPERSEDED})
_LOCKED_BATCH = sa.select(_batch).where(_batch.c.id == sa.bindparam("unit")).with_for_update()
_LOCKED = sa.select(_document).where(_document.c.id == sa.bindparam("unit")).with_for_update()
_SOURCES = (
    sa.select(_source)
    .where(_source.c.batch_id == sa.bindparam("of_batch"))
    .order_by(_source.c.ordinal)
)
_REVISIONS = sa.select(_document).where(
    _document.c.batch_id == sa.bindparam("of_batch"),
    _document.c.ordinal == sa.bindparam("at_ordinal"),
)
_LAST_PAGE = sa.select(sa.func.max(_page.c.number)).where(
    _page.c.batch_id == sa.bindparam("of_batch")
)


@dataclass(frozen=True, kw_only=True)
class Rescan:
    """A file that was scanned again, inspected and durable in the store.

    Attributes:
        page: Arrival number of the page that it replaces, None for the whole document.
        source: As inspection found it; its ordinal is given here.
        pages: As inspection found them.
        present: Asks the store for the bytes; None to trust the caller.
        device: What scanned it, None where nobody said.
        scanned_at: When it was scanned, None where nobody said; never when it was handed in.
    """

    by: str
    reason: str
    page: int | None
    source: Source
    pages: Sequence[FoundPage]
    present: Present | None = None
    device: str | None = None
    scanned_at: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Rescanned:
    """What came of it.

    Attributes:
        superseded: The document whose place the new one takes.
        created: False where these bytes had replaced that before; then nothing changed.
    """

    document: str
    superseded: str
    revision: int
    pages: tuple[int, ...]
    created: bool


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a rescan is written from."""

    rescan: Rescan
    batch: Row
    old: Row
    moment: dt.datetime
    source: Source
    first: int  #: number of its first page
    gone: list[Row]  #: pages that are replaced

    @property
    def numbers(self) -> list[int]:
        """Of the new pages."""
        return list(range(self.first, self.first + len(self.rescan.pages)))


def rescan(connection: sa.Connection, document_id: str, new: Rescan) -> Rescanned:
    """Replace a page of a document, or all its pages, by what was scanned again.

    Where the document waits for quality assurance the new revision is looked at itself.

    Args:
        connection: In a writing transaction.
        document_id: See `showing.find`.
        new: What was scanned.

    Raises:
        UsageError: No such document or page, it is over, quarantined or electronic, or the file
            has not one page for one; nothing changed.
        ToolFailed: The store does not hold the file; nothing may be committed.
    """
    clerks.require(document_id, new.by, new.reason)
    unit = find(connection, document_id)
    if unit.kind is not UnitKind.DOCUMENT:
        text = f"{unit.id} ist eine Einlieferung. Bitte das Dokument nennen."
        raise UsageError(f"{unit.id} is no document", operator_text=text)
    hold(connection, f"revisions of {unit.batch_id}")
    sampled = quality.enter(connection, unit.batch_id)
    work, children = openwork.family(connection, unit.id)
    batch = connection.execute(_LOCKED_BATCH, {"unit": unit.batch_id}).one()
    people.require_known(connection, batch.tenant, new.by)
    old = connection.execute(_LOCKED, {"unit": unit.id}).one()
    sources = connection.execute(_SOURCES, {"of_batch": batch.id}).all()
    if (known := _known(connection, old, new)) is not None:
        return known
    _require(old, sources, new)
    revising.refuse_danger(old, [work] if work is not None else [])
    found = _found(connection, batch, old, sources, new)
    _keep(connection, found)
    revision = _revision(found)
    kept = work.released if work is not None else takeover.released(connection, batch.id, old.id)
    revising.write(connection, revision, kept)
    rest = _without(connection, children, found.gone)
    takeover.work(connection, revision, work, rest, kept)
    _tell(connection, found, revision)
    if sampled:
        quality.succeed(connection, batch, old.id, revision.id, revision.at)
    return _result(revision.id, old.id, revision.number, found.numbers, created=True)


def _result(
    document: str, superseded: str, revision: int, pages: Sequence[int], *, created: bool
) -> Rescanned:
    return Rescanned(
        document=document,
        superseded=superseded,
        revision=revision,
        pages=tuple(pages),
        created=created,
    )


def _known(connection: sa.Connection, old: Row, new: Rescan) -> Rescanned | None:
    """Return what came of the same bytes for the same page, of this document or its revisions."""
    at = {"of_batch": old.batch_id, "at_ordinal": old.ordinal}
    for row in sorted(connection.execute(_REVISIONS, at), key=lambda each: int(each.revision)):
        history = row.facts.get(Step.SEPARATION, {}).get(RESCANNED, [])
        same = [
            entry["page"]
            for entry in history
            if (entry["source_sha256"], entry["wanted"]) == (new.source.sha256, new.page)
        ]
        if same and row.supersedes is not None:
            pages = [number for number in same if number is not None]
            return _result(row.id, row.supersedes, row.revision, pages, created=False)
    return None


def _require(old: Row, sources: Sequence[Row], new: Rescan) -> None:
    if old.erased_at is not None or old.standing in _OVER:
        newer = f" Neue Fassung: {old.superseded_by}." if old.superseded_by else ""
        text = f"Dokument {old.id} ist gelöscht, zurückgewiesen oder ersetzt.{newer}"
        raise UsageError(f"{old.id} is over", operator_text=text)
    electronic = next(s.facts.get("electronic") for s in sources if s.ordinal == old.source)
    if electronic or not old.pages or new.source.facts.get("electronic"):
        text = f"Dokument {old.id}: Nur Papier wird neu gescannt, keine elektronische Datei."
        raise UsageError(f"{old.id} or the file is electronic", operator_text=text)
    if new.page is not None and new.page not in old.pages:
        text = f"Dokument {old.id} hat keine Seite {new.page}; es hat {old.pages}."
        raise UsageError(f"{old.id} has no page {new.page}", operator_text=text)
    if not new.pages or (new.page is not None and len(new.pages) != 1):
        text = f"{new.source.name}: {len(new.pages)} Seiten. Für eine Seite bitte genau eine."
        raise UsageError("not one page for one", operator_text=text)


def _found(
    connection: sa.Connection, batch: Row, old: Row, sources: Sequence[Row], new: Rescan
) -> _Found:
    wanted = old.pages if new.page is None else [new.page]
    by_number = {page.number: page for page in takeover.pages_of(connection, batch.id, wanted)}
    gone = [by_number[number] for number in wanted]
    ordinal = max(source.ordinal for source in sources) + 1
    last = connection.execute(_LAST_PAGE, {"of_batch": batch.id}).scalar_one()
    return _Found(
        rescan=new,
        batch=batch,
        old=old,
        moment=accepting.now(connection),
        source=replace(new.source, ordinal=ordinal, rescan_of=gone[0].source),
        first=last + 1,
        gone=gone,
    )


def _keep(connection: sa.Connection, found: _Found) -> None:
    """Write source and pages; their bytes cannot be swept from here on."""
    source, tenant = found.source, found.batch.tenant
    blobs = [(source.sha256, source.size)]
    present = found.rescan.present
    if accepting.keep_blobs(connection, tenant, blobs, found.moment, present):
        text = f"{source.name} liegt nicht in der Ablage. Bitte noch einmal versuchen."
        raise ToolFailed("rescan missing", operator_text=text, code="rendition_missing")
    rows = accepting.source_rows(tenant, found.batch.id, [source])
    connection.execute(sa.insert(_source).inline(), rows)
    same: Facts = {"tenant": tenant, "batch_id": found.batch.id, "source": source.ordinal}
    pages = [
        {
            **same,
            "id": new_id(),
            "number": number,
            "frame": page.index,
            "sha256": page.sha256,
            "role": PageRole.CONTENT,
            "facts": {Step.INSPECTION: page.facts},
        }
        for number, page in zip(found.numbers, found.rescan.pages, strict=True)
    ]
    connection.execute(sa.insert(_page).inline(), pages)


def _revision(found: _Found) -> Revision:
    new, old = found.rescan, found.old
    whole = new.page is None
    pages = list(found.numbers)
    if not whole:
        pages = [found.first if number == new.page else number for number in old.pages]
    hints: Facts = old.facts.get(Step.SEPARATION, {})
    entries = [
        {
            "page": number,
            "by": new.by,
            "at": found.moment.isoformat(),
            "device": new.device,
            "scanned_at": None if new.scanned_at is None else new.scanned_at.isoformat(),
            "reason": new.reason,
            "replaced_page": None if gone is None else gone.number,
            "replaced_sha256": None if gone is None else gone.sha256,
            "source_sha256": found.source.sha256,
            "wanted": new.page,
        }
        for number, gone in zip_longest(found.numbers, found.gone)
    ]
    told = [
        {"code": "rescanned", "page": number, "text": "neu gescannt"} for number in found.numbers
    ]
    said = {
        RESCANNED: [*hints.get(RESCANNED, ()), *entries],
        "anomalies": [*hints.get("anomalies", ()), *told],
    }
    return Revision(
        id=new_id(),
        at=found.moment,
        by=new.by,
        reason=new.reason,
        batch=found.batch,
        old=old,
        entry={},
        source=found.source.ordinal if whole else old.source,
        pages=pages,
        facts={Step.SEPARATION: {**hints, **said}},
    )


def _without(connection: sa.Connection, children: Sequence[Row], gone: Sequence[Row]) -> list[Row]:
    """End the work on pages that are replaced, whoever holds it; return the other work."""
    ended = {page.id for page in gone}
    for child in children:
        if child.unit_id in ended:
            move(child.standing, Standing.SUPERSEDED)
            connection.execute(sa.delete(_claim).where(_claim.c.id == child.id))
    return [child for child in children if child.unit_id not in ended]


def _tell(connection: sa.Connection, found: _Found, revision: Revision) -> None:
    """Say old and new digests: with the reason in the document's chain, without in the batch's."""
    source, batch = found.source, found.batch
    gone = sorted({*replaced(batch.facts), *(page.number for page in found.gone)})
    facts = {**batch.facts, RESCANNED: {"replaced": gone}}
    openwork.show(connection, UnitKind.BATCH, batch.id, found.moment, facts=facts)
    told: Facts = {
        "document": revision.id,
        "revision": revision.number,
        "replaced": [{"page": page.number, "sha256": page.sha256} for page in found.gone],
        "found": [
            {
                "page": number,
                "sha256": page.sha256,
                "digest": chains.page_digest(source.ordinal, page.index, page.sha256, page.facts),
            }
            for number, page in zip(found.numbers, found.rescan.pages, strict=True)
        ],
    }
    said = {**told, "reason": revision.reason}
    entry = chains.Entry(revising.SUPERSEDED, said, revision.by)
    chains.append(connection, found.old.id, found.moment, entry)
    told_of_file = ("ordinal", "name", "name_base64", "sha256", "size")
    file = {name: getattr(source, name) for name in told_of_file}
    file |= {"rescan_of": source.rescan_of, "found_sha256": chains.source_digest(source)}
    said = {**told, "superseded": found.old.id, "source": file, "step": RESCANNED}
    said["facts_sha256"] = chains.facts_digest(facts[RESCANNED])
    said |= _witnessed(connection, found)
    entry = chains.Entry(covering.PAGES_RESCANNED, said, revision.by)
    chains.append(connection, batch.id, found.moment, entry)


def _witnessed(connection: sa.Connection, found: _Found) -> Facts:
    """Keep the roots of the new file and of its images; return what the event says of them."""
    unit = covering.unit_of(found.batch.id, found.source.ordinal)
    images = [page.sha256 for page in found.rescan.pages]
    said: Facts = {}
    for kind, digests in ((witness.RECEIPT, [found.source.sha256]), (witness.CAPTURE, images)):
        said |= witness.keep(connection, kind, unit, found.batch.tenant, digests, found.moment)
    return said
