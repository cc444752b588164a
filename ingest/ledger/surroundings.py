"""The rows that belong to a piece of event chains, read with a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ingest.document import UnitKind
from ingest.ledger import chains, outputs, schema
from ingest.ledger.columns import as_kept
from ingest.ledger.outputs import Made
from ingest.ledger.rulescheck import contents

Row = sa.Row[Any]
_batch, _source, _document, _page = (
    schema.batch,
    schema.batch_source,
    schema.document,
    schema.page,
)
_FETCH = 500


@dataclass(frozen=True, slots=True)
class SeenPage:
    """A page row, with digests in place of its facts, so that many fit into memory.

    Attributes:
        blank: Its content was erased.
        found: Digest of what inspection found.
        facts: Digest of its facts by step.
        made: Its renditions.
        role: What it is in its stack.
        place: Its sheet and side, as far as anybody knows.
    """

    blank: bool
    found: str
    words: str | None
    facts: dict[str, str]
    made: frozenset[Made]
    role: str
    place: tuple[int | None, str | None]


class Surroundings:
    """Batches, documents and what belongs to them, of the units with some ids."""

    def __init__(self, connection: sa.Connection, ids: list[str]) -> None:
        """Read everything in one snapshot."""
        self._connection = connection
        self.documents = {row.id: row for row in self._rows(_document, _document.c.id, ids)}
        homes = {row.batch_id for row in self.documents.values()} | set(ids)
        self.batches = {row.id: row for row in self._rows(_batch, _batch.c.id, homes)}
        self.sources = self._by_batch(_source, _source.c.ordinal, self.batches)
        self.cut = self._by_batch(_document, _document.c.ordinal, ids)
        self.pages = self._pages()
        sent = schema.consignment
        wanted = {row.consignment_id for row in self.documents.values()}
        self.consignments = {row.id: row for row in self._rows(sent, sent.c.id, wanted)}
        self.renditions = self._renditions(ids)
        under = [*self.batches.values(), *self.documents.values()]
        self.profiles = contents(connection, [(u.tenant, u.profile_sha256 or "") for u in under])
        self.rules = {key: chains.facts_digest(kept) for key, kept in self.profiles.items()}
        self._judged(ids)
        work = schema.claim
        query = sa.select(work.c.unit_id).where(
            work.c.unit_id.in_(ids), work.c.unit_kind != UnitKind.PAGE
        )
        self.at_work = frozenset(connection.execute(query).scalars())

    def _rows(
        self, table: sa.Table, column: sa.ColumnElement[Any], wanted: Iterable[str]
    ) -> list[Row]:
        query = sa.select(*as_kept(table)).where(column.in_(sorted(wanted)))
        return list(self._connection.execute(query))

    def _by_batch(
        self, table: sa.Table, order: sa.ColumnElement[Any], batches: Iterable[str]
    ) -> dict[str, list[Row]]:
        of_batch = table.c.batch_id.in_(sorted(batches))
        query = sa.select(*as_kept(table)).where(of_batch).order_by(table.c.batch_id, order)
        grouped: dict[str, list[Row]] = {}
        for row in self._connection.execute(query):
            grouped.setdefault(row.batch_id, []).append(row)
        return grouped

    def _pages(self) -> dict[str, dict[int, SeenPage]]:
        of_batch = _page.c.batch_id.in_(sorted(self.batches))
        query = sa.select(*as_kept(_page)).where(of_batch)
        query = query.order_by(_page.c.batch_id, _page.c.number)
        made = self._made_of_pages()
        found: dict[str, dict[int, SeenPage]] = {}
        for row in self._connection.execute(query, execution_options={"yield_per": _FETCH}):
            digests = {step: chains.facts_digest(facts) for step, facts in row.facts.items()}
            seen = chains.page_digest(
                row.source, row.frame, row.sha256, row.facts.get("inspection", {})
            )
            own = frozenset(made.get(row.id, ()))
            page = SeenPage(
                blank=row.sha256 == "",
                found=seen,
                words=row.words_sha256,
                facts=digests,
                made=own,
                role=row.role,
                place=(row.sheet, row.side),
            )
            found.setdefault(row.batch_id, {})[row.number] = page
        return found

    def _judged(self, ids: list[str]) -> None:
        """Read the quality assurance of batches and the verdicts on documents."""
        sample, seen = schema.quality_batch, schema.quality_view
        member = schema.quality_document
        homes = self._rows(sample, sample.c.batch_id, self.batches)
        self.samples = {row.batch_id: row for row in homes}
        found = self._rows(member, member.c.document_id, ids)
        self.members = {row.document_id: row for row in found}
        self.sampled = self._by_batch(member, member.c.document_id, self.samples.keys() & ids)
        self.viewed: dict[str, set[tuple[str, int]]] = {}
        for row in self._rows(seen, seen.c.document_id, self.members):
            self.viewed.setdefault(row.document_id, set()).add((row.code, row.page))

    def _made_of_pages(self) -> dict[str, list[Made]]:
        made = schema.rendition
        query = sa.select(*as_kept(made)).join(_page, _page.c.id == made.c.unit_id)
        return self._grouped(query.where(_page.c.batch_id.in_(sorted(self.batches))))

    def _renditions(self, ids: list[str]) -> dict[str, list[Made]]:
        made = schema.rendition
        return self._grouped(sa.select(*as_kept(made)).where(made.c.unit_id.in_(ids)))

    def _grouped(self, query: sa.Select[Any]) -> dict[str, list[Made]]:
        found: dict[str, list[Made]] = {}
        for row in self._connection.execute(query, execution_options={"yield_per": _FETCH}):
            found.setdefault(row.unit_id, []).append(outputs.of_row(row))
        return found
