"""Erasing a batch or document (DESIGN rule 10): what it said goes, that it was here stays.

Removed are payloads of its events, source names, facts, reasons, renditions, which leaves of
evidence trees it was and every digest of its bytes; its open work ends. Ids, times,
operator codes, page numbers and the events themselves stay, with one more event that says
who erased and why. The chains still verify, because they hold only salted digests of what
is gone, and so do the evidence trees, for the reason that `ingest.ledger.evidence` gives.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import (
    ENDS,
    RESCANNED,
    Facts,
    RenditionKind,
    Role,
    Standing,
    Step,
    UnitKind,
    left_out,
    replaced,
)
from ingest.errors import UsageError
from ingest.ledger import (
    accepting,
    chains,
    circumstances,
    clerks,
    deletions,
    evidence,
    paperunits,
    people,
    quality,
    reports,
    schema,
    stacks,
    unreferenced,
    witness,
)
from ingest.ledger.engine import be_patient
from ingest.ledger.integrity import ERASED
from ingest.ledger.moves import move
from ingest.ledger.showing import Unit, find

Row = sa.Row[Any]
_batch, _source, _document, _page = (
    schema.batch,
    schema.batch_source,
    schema.document,
    schema.page,
)
_claim, _rendition, _payload = schema.claim, schema.rendition, schema.event_payload
_GONE: Final = ""
_REASON: Final = "gelöscht"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What has to be known to withdraw the delivery of a document.

    Attributes:
        key: Idempotency key of the delivery.
        facts: What was recorded of it, empty if nothing was.
        digests: Of all that was made of the document, and of its original.
    """

    document: str
    key: str
    facts: Facts
    digests: frozenset[str]


#: Takes away what lies outside, and returns what the deletion record says of it: no names.
Withdraw = Callable[[Delivery], Facts]


def erase(
    connection: sa.Connection, id_: str, by: str, reason: str, withdraw: Withdraw | None = None
) -> list[str]:
    """Erase a batch with all its documents, or one document.

    With a document go all its revisions, and all that lay in its original, theirs included.
    The last document of a batch takes the batch with it. A source shared with a document
    that stays is kept, because it is that document's original.

    Args:
        connection: In a writing transaction. Whoever erases the blobs does so before it
            commits: then nobody can accept the same bytes anew in between, and if the commit
            fails, erasing again ends it.
        id_: See `ingest.ledger.showing.find`.
        by: Operator code.
        reason: Stays in the deletion record; it must not repeat what is erased.
        withdraw: Called for each document before anything of it is erased.

    Returns:
        The digests that no other batch or document of the tenant refers to any more.

    Raises:
        UsageError: Unknown id, erased before, being worked on, no operator code or reason
            given, or `by` is not entrusted with it; nothing changed.
    """
    clerks.require("Löschen", by, reason)
    be_patient(connection)
    unit = find(connection, id_)
    sampled = quality.enter(connection, unit.batch_id)
    locked = _work_locked(connection, unit, _family(connection, unit))
    own = sa.select(_batch).where(_batch.c.id == unit.batch_id)
    batch = connection.execute(own.with_for_update()).one()
    people.require_known(connection, batch.tenant, by, Role.SUPERVISOR)
    of_batch = _document.c.batch_id == batch.id
    documents = list(connection.execute(sa.select(_document).where(of_batch)))
    family = _family(connection, unit)  # with the revisions that came while this waited
    chosen = [row for row in documents if row.erased_at is None and row.id in family]
    rest = [row for row in documents if row.erased_at is None and row not in chosen]
    whole = unit.kind is UnitKind.BATCH or not rest
    _refuse_inside(connection, unit, documents)
    _refuse(unit, batch, chosen)
    _refuse_worked_on(connection, unit, family, locked)
    work = _Erasure(connection, batch, by, reason)
    if withdraw is not None:
        work.withdrawn = {row.id: _taken_back(connection, row, withdraw) for row in chosen}
    paperunits.forget(connection, batch, None if whole else {row.ordinal for row in chosen}, by)
    free = work.all_of(chosen) if whole else work.some_of(chosen, rest)
    if sampled:  # nobody waits for what is gone
        quality.settle(connection, batch.id, accepting.now(connection))
    return free


def _family(connection: sa.Connection, unit: Unit) -> frozenset[str]:
    """Return the documents of a batch, or one with its revisions and what lay in its original."""
    chosen = sa.select(_document.c.id, _document.c.ordinal, _document.c.source).where(
        _document.c.batch_id == unit.batch_id
    )
    documents = list(connection.execute(chosen))
    if unit.kind is UnitKind.BATCH:
        return frozenset(row.id for row in documents)
    inside = _enclosed(connection, unit.batch_id)
    one = next(row for row in documents if row.id == unit.id)
    revisions = {row.id for row in documents if row.ordinal == one.ordinal}
    sources = {one.source}
    for ordinal, cover in sorted(inside.items()):
        if cover in sources:
            sources.add(ordinal)
    lying = {row.id for row in documents if row.source in sources and row.source in inside}
    return frozenset(lying | revisions)


def _enclosed(connection: sa.Connection, batch_id: str) -> dict[int, int]:
    """Return in which source each enclosure of a batch lay, both as ordinals."""
    query = sa.select(_source.c.ordinal, _source.c.enclosure_of).where(
        _source.c.batch_id == batch_id, _source.c.enclosure_of.is_not(None)
    )
    return {row.ordinal: row.enclosure_of for row in connection.execute(query)}


def _refuse_inside(connection: sa.Connection, unit: Unit, documents: list[Row]) -> None:
    """Refuse an enclosure alone: the original of its cover stays and would still hold it."""
    inside = _enclosed(connection, unit.batch_id)
    cover = next((inside.get(row.source) for row in documents if row.id == unit.id), None)
    covers = [row for row in documents if row.source == cover and row.superseded_by is None]
    for row in covers:
        if row.erased_at is None:
            text = (
                f"{unit.id} ist eine Anlage und steckt auch in der Originaldatei von Dokument"
                f" {row.id}. Bitte dieses löschen; die Anlage wird dann mitgelöscht."
            )
            raise UsageError(f"{unit.id} lies inside {row.id}", operator_text=text)


def _work_of(unit: Unit, family: Collection[str]) -> sa.Select[Any]:
    query = sa.select(_claim.c.id, _claim.c.standing).where(_claim.c.batch_id == unit.batch_id)
    if unit.kind is UnitKind.DOCUMENT:
        query = query.where(_claim.c.document_id.in_(family))
    return query


def _work_locked(connection: sa.Connection, unit: Unit, family: Collection[str]) -> set[int]:
    """Lock the open work before the batch, children first, as everybody does."""
    query = _work_of(unit, family).order_by(_claim.c.id.desc()).with_for_update()
    return set(connection.execute(query).scalars())


def _refuse(unit: Unit, batch: Row, chosen: list[Row]) -> None:
    gone = unit.kind is UnitKind.DOCUMENT and unit.id not in {row.id for row in chosen}
    if batch.erased_at is not None or gone:
        text = f"{unit.id} ist bereits gelöscht."
        raise UsageError(f"{unit.id} was erased before", operator_text=text)


def _refuse_worked_on(
    connection: sa.Connection, unit: Unit, family: Collection[str], locked: set[int]
) -> None:
    # work that began while this waited for its locks is somebody's work as well
    rows = connection.execute(_work_of(unit, family))
    if any(row.standing == Standing.CLAIMED or row.id not in locked for row in rows):
        text = f"{unit.id} wird gerade bearbeitet. Bitte gleich noch einmal versuchen."
        raise UsageError(f"{unit.id} is being worked on", operator_text=text)


def _taken_back(connection: sa.Connection, row: Row, withdraw: Withdraw) -> Facts:
    """Withdraw a document and what was delivered beside it later; return the sums."""
    steps = [Step.DELIVERY]
    if Step.CONFIRMING in row.facts:
        steps.append(Step.CONFIRMATION_DELIVERY)
    said: Counter[str] = Counter()
    for step in steps:
        said.update(withdraw(_delivery(connection, row, step)))
    return dict(said)


def _delivery(connection: sa.Connection, row: Row, step: Step) -> Delivery:
    of_source = sa.and_(_source.c.batch_id == row.batch_id, _source.c.ordinal == row.source)
    digests = sa.union(
        sa.select(_rendition.c.sha256).where(_rendition.c.unit_id == row.id),
        sa.select(_source.c.sha256).where(of_source),
        reports.OF_DOCUMENT,
    )
    return Delivery(
        document=row.id,
        key=accepting.idempotency_key(row.id, step),
        facts=row.facts.get(step, {}),
        digests=frozenset(connection.execute(digests, {"unit": row.id}).scalars()),
    )


class _Erasure:
    def __init__(self, connection: sa.Connection, batch: Row, by: str, reason: str) -> None:
        self._connection = connection
        self._batch = batch
        self._by = by
        self._reason = reason
        self._at: dt.datetime = accepting.now(connection)
        #: What the deletion record of each document says of its delivery.
        self.withdrawn: dict[str, Facts] = {}
        self._ended: list[tuple[str, Facts, deletions.Removed]] = []

    def all_of(self, documents: list[Row]) -> list[str]:
        """Erase the batch with what is left of its documents."""
        batch_id, removed = self._batch.id, deletions.Removed()
        self._salts_gone(witness.RECEIPT, None)
        self._salts_gone(witness.CAPTURE, None)
        originals = {row.id: self._originals(row) for row in documents}
        digests = self._sources_gone(_source.c.batch_id == batch_id)
        digests |= stacks.forget_pages(self._connection, batch_id)
        removed.add(deletions.ORIGINAL, digests)
        digests |= self._pages_gone(_page.c.batch_id == batch_id, removed)
        digests |= self._renditions_gone([batch_id], removed)
        for row in documents:
            digests |= self._document_gone(row, originals[row.id])
        self._run(sa.delete(_claim).where(_claim.c.batch_id == batch_id))
        gone = {"device": None, "storage_place": None}
        self._unit_gone(_batch, self._batch, **gone)
        self._ended.append((batch_id, {"documents": [row.id for row in documents]}, removed))
        return self._concluded(digests)

    def some_of(self, documents: list[Row], rest: list[Row]) -> list[str]:
        """Erase some documents, and what of their batch belongs to nobody else."""
        numbers = {number for row in documents for number in row.pages}
        numbers -= {number for row in rest for number in row.pages}
        of_batch = _page.c.batch_id == self._batch.id
        pages = self._run(sa.select(_page.c.number, _page.c.source).where(of_batch)).all()
        kept = {row.source for row in rest}
        kept |= {page.source for page in pages if page.number not in numbers}
        gone = {page.source for page in pages if page.number in numbers}
        gone = (gone | {row.source for row in documents}) - kept
        digests: set[str] = set()
        order = sorted(page.number for page in pages)
        self._salts_gone(witness.CAPTURE, {order.index(number) for number in numbers})
        originals = {row.id: self._originals(row) for row in documents}
        lost, removed = deletions.Removed(), deletions.Removed()
        for number in sorted(numbers):
            digests |= self._pages_gone(sa.and_(of_batch, _page.c.number == number), lost)
        if gone:
            of_source = _source.c.batch_id == self._batch.id
            places = witness.places_of_sources(self._connection, self._batch.id, gone)
            self._salts_gone(witness.RECEIPT, places)
            digests |= self._sources_gone(sa.and_(of_source, _source.c.ordinal.in_(sorted(gone))))
            digests |= stacks.forget_pages(self._connection, self._batch.id, digests)
            removed.add(deletions.ORIGINAL, digests)
            # What the batch's history and its manifest say names its sources.
            digests |= self._of_batch_gone(digests, removed)
            said = {"documents": [row.id for row in documents], "sources": sorted(gone)}
            self._ended.append((self._batch.id, said, removed))
        for row in documents:
            digests |= self._document_gone(row, originals[row.id])
        return self._concluded(digests)

    def _salts_gone(self, kind: str, places: Collection[int] | None) -> None:
        """Take which files or images the leaves of the batch's tree were."""
        evidence.alone(self._connection, self._batch.tenant)  # before its rows are locked
        witness.forget(self._connection, kind, self._batch.id, places)

    def _originals(self, row: Row) -> list[str]:
        """Return the digest of a document's original, before it goes."""
        chosen = sa.and_(_source.c.batch_id == self._batch.id, _source.c.ordinal == row.source)
        return list(self._run(sa.select(_source.c.sha256).where(chosen)).scalars())

    def _document_gone(self, row: Row, originals: list[str]) -> set[str]:
        removed = deletions.Removed()
        removed.add(deletions.ORIGINAL, originals)
        kept = circumstances.outliving(self._connection, self._batch, row)
        evidence.forget(self._connection, row.tenant, [row.id])
        quality.forget(self._connection, [row.id])
        self._run(sa.delete(_claim).where(_claim.c.document_id == row.id))
        self._unit_gone(_document, row, changed_at=self._at, review_open=0)
        self._consignment_gone(row.consignment_id)
        self._ended.append((row.id, {**self.withdrawn.get(row.id, {}), **kept}, removed))
        return self._renditions_gone([row.id], removed)

    def _unit_gone(self, table: sa.Table, row: Row, **gone: object) -> None:
        standing = row.standing
        if standing not in ENDS:
            held = standing == Standing.HELD
            standing = move(standing, Standing.REJECTED if held else Standing.SUPERSEDED)
        facts: Facts = {}
        if table is _batch and (omitted := left_out(row.facts)):
            # Page numbers say nothing about anybody, and the day's account needs them.
            numbers = [{"page": entry["page"], "kind": entry["kind"]} for entry in omitted]
            facts = {Step.SEPARATION: {"omitted": numbers}}
        if table is _batch and (scanned_again := replaced(row.facts)):
            facts[RESCANNED] = {"replaced": scanned_again}
        values = {"standing": standing, "reason_code": ERASED, "reason": _REASON, "facts": facts}
        values |= {"erased_at": self._at, **gone}
        self._run(sa.update(table).where(table.c.id == row.id).values(values))

    def _consignment_gone(self, consignment_id: str) -> None:
        sent = schema.consignment
        others = sa.select(_document.c.id).where(
            _document.c.batch_id == self._batch.id,
            _document.c.consignment_id == consignment_id,
            _document.c.erased_at.is_(None),
        )
        if self._run(others).first() is None:
            gone: Facts = {"delivery_number": None, "deadline_hint": None, "enclosures": []}
            self._run(sa.update(sent).where(sent.c.id == consignment_id).values(gone))

    def _sources_gone(self, chosen: sa.ColumnElement[bool]) -> set[str]:
        rows = self._run(sa.select(_source.c.sha256, _source.c.opened_sha256).where(chosen))
        digests = {sha256 for row in rows for sha256 in row if sha256}
        gone: Facts = {"name": _GONE, "name_base64": _GONE, "sha256": _GONE, "facts": {}}
        gone["opened_sha256"] = None
        self._run(sa.update(_source).where(chosen).values(gone))
        return digests

    def _pages_gone(self, chosen: sa.ColumnElement[bool], removed: deletions.Removed) -> set[str]:
        units = list(self._run(sa.select(_page.c.id).where(chosen)).scalars())
        gone: Facts = {"sha256": _GONE, "words_sha256": None, "facts": {}}
        self._run(sa.update(_page).where(chosen).values(gone))
        return self._renditions_gone(units, removed)

    def _renditions_gone(self, units: list[str], removed: deletions.Removed) -> set[str]:
        digests: set[str] = set()
        for begin in range(0, len(units), 500):
            some = units[begin : begin + 500]
            digests |= self._made_gone(_rendition.c.unit_id.in_(some), removed)
        return digests

    def _made_gone(self, chosen: sa.ColumnElement[bool], removed: deletions.Removed) -> set[str]:
        made = self._run(sa.select(_rendition.c.kind, _rendition.c.sha256).where(chosen)).all()
        self._run(sa.delete(_rendition).where(chosen))
        for row in made:
            removed.add(row.kind, [row.sha256])
        return {row.sha256 for row in made}

    def _of_batch_gone(self, sources: Collection[str], removed: deletions.Removed) -> set[str]:
        """Take the batch's renditions, but no copy of and no report about a source that stays."""
        of_batch = _rendition.c.unit_id == self._batch.id
        stays = sa.and_(
            _rendition.c.kind.in_((RenditionKind.OPENED, RenditionKind.VALIDATION_REPORT)),
            _rendition.c.parent_sha256.not_in(sorted(sources)),
        )
        return self._made_gone(sa.and_(of_batch, sa.not_(stays)), removed)

    def _concluded(self, digests: Collection[str]) -> list[str]:
        """Take away what the events say, and say by whom, why and what went where."""
        free = unreferenced.forget(self._connection, self._batch.tenant, digests)
        for chain, said, removed in self._ended:
            gone = self._run(sa.delete(_payload).where(_payload.c.chain == chain)).rowcount
            told = {**said, **removed.account(free, gone), "reason": self._reason}
            entry = chains.Entry(ERASED, told, self._by)
            chains.append(self._connection, chain, self._at, entry)
        return free

    def _run(self, statement: sa.Executable) -> sa.CursorResult[Any]:
        return self._connection.execute(statement)
