"""The evening account: what came in on a day, and where each sheet and file of it is.

Counts are made apart from each other and compared. Files: what the event of acceptance
named, against where each is now: delivered, open with work that goes on, or ended. Pages:
what inspection counted in the files, against what documents, omissions and the page rows of
stacks not cut yet can place. Sheets: what a person counted, against the pages of the same
stacks. The difference has to be zero.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ingest.document import (
    ENDS,
    OUTGOING,
    BatchStage,
    Stage,
    Standing,
    UnitKind,
    left_out,
    replaced,
)
from ingest.ledger import schema
from ingest.ledger.reading import describe, has_arrived

Row = sa.Row[Any]
_batch, _source, _document, _page = (
    schema.batch,
    schema.batch_source,
    schema.document,
    schema.page,
)
_PIECE: Final = 200
_ARRIVED: Final = frozenset({Stage.DELIVERED, Stage.ACKNOWLEDGED})


@dataclass(frozen=True, kw_only=True)
class OpenUnit:
    """A batch or document that has not reached its end, by name."""

    kind: str
    id: str
    source_name: str | None
    stage: str
    standing: str
    reason: str | None


@dataclass(kw_only=True)
class DayAccount:
    """One tenant's day.

    Attributes:
        day: In the zone of the house.
        in_inbox: Files that lie in the inbox and are not accepted, None if nobody counted.
        files: Counted at acceptance, as its event says.
        files_delivered: All their documents are at an end, at least one at its target.
        files_open: Somebody or something still works on them.
        files_ended: Rejected, superseded, erased, or nothing but separator sheets.
        sheets_expected: Sum of what operators counted; None if nobody did.
        sheets_pages: Pages of the stacks whose sheets were counted, where inspected.
        sheets_missing: Counted sheets without any page, which no clerk has accepted.
        pages: Counted at inspection; of files not inspected yet there is no count.
        pages_delivered: In documents that reached their target.
        pages_open: In documents that are on their way or wait for somebody.
        pages_ended: In documents that were rejected, or superseded without successor.
        pages_erased: In documents that were erased, delivered before or not.
        pages_omitted: Separator sheets, blank pages and pages scanned again, all recorded.
        pages_uncut: In batches without documents: on their way, held, rejected, erased.
        open: Every batch and document that is not at its end.
        misplaced: What makes the difference: names of files and pages with no place, or two.
    """

    tenant: str
    day: dt.date
    in_inbox: int | None = None
    batches: int = 0
    batches_held: int = 0
    batches_rejected: int = 0
    files: int = 0
    files_delivered: int = 0
    files_open: int = 0
    files_ended: int = 0
    sheets_expected: int | None = None
    sheets_pages: int = 0
    sheets_missing: int = 0
    pages: int = 0
    pages_delivered: int = 0
    pages_open: int = 0
    pages_ended: int = 0
    pages_erased: int = 0
    pages_omitted: int = 0
    pages_uncut: int = 0
    documents: int = 0
    documents_delivered: int = 0
    documents_rejected: int = 0
    documents_erased: int = 0
    open: list[OpenUnit] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)

    @property
    def files_placed(self) -> int:
        """Files whose place is known."""
        return self.files_delivered + self.files_open + self.files_ended

    @property
    def pages_placed(self) -> int:
        """Pages whose place is known."""
        return (
            self.pages_delivered
            + self.pages_open
            + self.pages_ended
            + self.pages_erased
            + self.pages_omitted
            + self.pages_uncut
        )

    @property
    def difference(self) -> int:
        """Files, pages and sheets with no place, or with two; an evening has to show zero."""
        return (
            abs(self.files - self.files_placed)
            + abs(self.pages - self.pages_placed)
            + self.sheets_missing
            + len(self.misplaced)
        )


def day_account(
    connection: sa.Connection,
    tenant: str,
    day: dt.date,
    zone: str,
    *,
    in_inbox: int | None = None,
) -> DayAccount:
    """Account for what was registered on `day`, a day in the house's `zone`, as it is now."""
    account = DayAccount(tenant=tenant, day=day, in_inbox=in_inbox)
    for piece in _batches(connection, tenant, day, ZoneInfo(zone)):
        ids = [row.id for row in piece]
        sources = _by_batch(connection, _source, ids, _source.c.ordinal)
        documents = _by_batch(connection, _document, ids, _document.c.ordinal)
        uncut = [row.id for row in piece if row.stage != BatchStage.CLOSED]
        found = _by_batch(connection, _page, uncut, _page.c.number)
        known = _Known(connection, ids)
        for row in piece:
            own = sources.get(row.id, [])
            _count_batch(account, row, own, known)
            if row.stage == BatchStage.CLOSED:
                _place(account, row, own, documents.get(row.id, []), known)
            else:
                files = sum(1 for source in own if source.enclosure_of is None)
                _place_uncut(account, row, files, known)
                account.pages_uncut += len(found.get(row.id, []))
        _name_open(connection, account, piece)
    return account


def _batches(
    connection: sa.Connection, tenant: str, day: dt.date, zone: ZoneInfo
) -> Iterator[list[Row]]:
    begin = dt.datetime.combine(day, dt.time(), zone)
    end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zone)
    last = ""
    while True:
        query = sa.select(_batch).where(
            _batch.c.tenant == tenant,
            _batch.c.registered_at >= begin,
            _batch.c.registered_at < end,
            _batch.c.channel != OUTGOING,  # what leaves did not come in
            _batch.c.id > last,
        )
        piece = list(connection.execute(query.order_by(_batch.c.id).limit(_PIECE)))
        if not piece:
            return
        yield piece
        last = piece[-1].id


def _by_batch(
    connection: sa.Connection, table: sa.Table, ids: list[str], order: sa.ColumnElement[Any]
) -> dict[str, list[Row]]:
    columns = [column for column in table.c if table is not _page or column.name == "batch_id"]
    query = sa.select(*columns).where(table.c.batch_id.in_(ids)).order_by(table.c.batch_id, order)
    grouped: dict[str, list[Row]] = {}
    for row in connection.execute(query):
        grouped.setdefault(row.batch_id, []).append(row)
    return grouped


class _Known:
    """What other tables than those of the units say about some batches."""

    def __init__(self, connection: sa.Connection, ids: list[str]) -> None:
        work, event, payload = schema.claim, schema.event, schema.event_payload
        open_ = sa.select(work.c.unit_id).where(
            work.c.batch_id.in_(ids), work.c.unit_kind != UnitKind.PAGE
        )
        self.at_work = frozenset(connection.execute(open_).scalars())
        first = sa.select(payload.c.chain, payload.c.payload).where(
            payload.c.chain.in_(ids), payload.c.seq == 1
        )
        self.files = {
            row.chain: len(row.payload.get("sources", [])) for row in connection.execute(first)
        }
        accepted = sa.select(event.c.chain).where(
            event.c.chain.in_(ids), event.c.kind == "released_by_clerk"
        )
        self.accepted = frozenset(connection.execute(accepted).scalars())


def _count_batch(account: DayAccount, batch: Row, sources: list[Row], known: _Known) -> None:
    account.batches += 1
    account.batches_held += batch.standing == Standing.HELD
    account.batches_rejected += batch.standing == Standing.REJECTED
    arrived = [source for source in sources if has_arrived(source)]
    account.files += known.files.get(batch.id, len(arrived))
    account.pages += sum(source.pages or 0 for source in sources)
    pages = sum(source.pages or 0 for source in arrived)
    if batch.expected_sheets is None:
        return
    account.sheets_expected = (account.sheets_expected or 0) + batch.expected_sheets
    if all(source.pages is not None for source in arrived):
        account.sheets_pages += pages
        missing = max(0, batch.expected_sheets - pages)
        if missing and batch.stage == BatchStage.CLOSED and batch.id not in known.accepted:
            account.sheets_missing += missing
            account.misplaced.append(
                f"{batch.id}: {batch.expected_sheets} Blätter gezählt, {pages} Seiten gescannt"
            )


def _place_uncut(account: DayAccount, batch: Row, files: int, known: _Known) -> None:
    """Place the files of a batch without documents: it is ended, or there is work to do on it."""
    if batch.standing in ENDS:
        account.files_ended += files
    elif batch.id in known.at_work:
        account.files_open += files
    else:
        account.misplaced.append(f"{batch.id}: offen, aber niemand arbeitet daran")


def _place(
    account: DayAccount, batch: Row, sources: list[Row], documents: list[Row], known: _Known
) -> None:
    """Find the place of each file and page of a batch that was cut into documents."""
    current = [row for row in documents if row.superseded_by is None]
    places: Counter[int] = Counter()
    for document in current:
        places.update(document.pages)
        _count_document(account, document, known)
    omitted = [entry["page"] for entry in left_out(batch.facts)] + replaced(batch.facts)
    places.update(omitted)
    account.pages_omitted += len(omitted)
    first = 1
    made_of: dict[int, list[Row]] = {}
    for source in sources:
        numbers = range(first, first + (source.pages or 0))
        first = numbers.stop
        wrong = [number for number in numbers if places[number] != 1]
        account.misplaced += [f"{batch.id}: Seite {number}" for number in wrong]
        own = [
            row
            for row in current
            if row.source == source.ordinal or any(number in numbers for number in row.pages)
        ]
        if not own and (len(numbers) == 0 or wrong):
            account.misplaced.append(f"{batch.id}: Datei {source.name}")
        elif source.rescan_of is not None:
            made_of.setdefault(_arrived_in(sources, source), []).extend(own)
        elif source.enclosure_of is None:
            made_of[source.ordinal] = own
        else:
            made_of.setdefault(_arrived_in(sources, source), []).extend(own)
    for own in made_of.values():
        _count_file(account, own)


def _arrived_in(sources: list[Row], source: Row) -> int:
    """Return the ordinal of the file that arrived with `source` inside, or scanned first."""
    while not has_arrived(source):
        source = sources[(source.enclosure_of or source.rescan_of) - 1]
    return int(source.ordinal)


def _count_file(account: DayAccount, documents: list[Row]) -> None:
    """Count a file where the documents made of it are; of separator sheets only there is none."""
    if any(row.standing not in ENDS for row in documents):
        account.files_open += 1
    elif any(_has_arrived(row) for row in documents):
        account.files_delivered += 1
    else:
        account.files_ended += 1


def _has_arrived(document: Row) -> bool:
    reached = document.standing == Standing.DONE and document.stage in _ARRIVED
    return bool(reached and document.erased_at is None)


def _count_document(account: DayAccount, document: Row, known: _Known) -> None:
    account.documents += 1
    if document.erased_at is not None:
        account.documents_erased += 1
        account.pages_erased += len(document.pages)
        return
    account.documents_rejected += document.standing == Standing.REJECTED
    if document.standing not in ENDS and document.id not in known.at_work:
        account.misplaced.append(f"{document.id}: offen, aber niemand arbeitet daran")
    if _has_arrived(document):
        account.documents_delivered += 1
        account.pages_delivered += len(document.pages)
    elif document.standing in ENDS:
        account.pages_ended += len(document.pages)
    else:
        account.pages_open += len(document.pages)


def _name_open(connection: sa.Connection, account: DayAccount, piece: list[Row]) -> None:
    for record in describe(connection, piece):
        if record["standing"] not in ENDS:
            account.open.append(
                OpenUnit(
                    kind=record["message_type"],
                    id=record["id"],
                    source_name=record["source_name"],
                    stage=record["stage"],
                    standing=record["standing"],
                    reason=record["reason"],
                )
            )
