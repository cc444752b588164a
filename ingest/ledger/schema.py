"""The ledger's tables.

One table a thing of the design's "What is stored". The tenant is on every record from the
first migration. `claim` holds open work only, one row a unit, so that choosing the next
piece of work costs the same with a thousand documents as with a million; `batch` and
`document` repeat stage and standing for whoever reads. Personal text (messages, names,
tracebacks) is in `event_payload`, which can be erased without breaking a chain; names of
operators are not here at all (`ingest.ledger.namebook`).

A change here needs a migration in `migrations/versions`; a test compares the two.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ingest.ledger import evidencing, filing, judging, rulebook, scanning, staffing, witnessing
from ingest.ledger.columns import CleanText, Json, Moment

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ENDED = "('done', 'rejected', 'superseded')"
_row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _where(condition: str) -> dict[str, Any]:
    clause = sa.text(condition)
    return {"sqlite_where": clause, "postgresql_where": clause}


def _text(name: str, *extra: Any, **kw: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, *extra, nullable=False, **kw)


def _maybe(name: str) -> sa.Column[str | None]:
    return sa.Column(name, CleanText)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def _facts(name: str = "facts") -> sa.Column[Any]:
    return sa.Column(name, Json, nullable=False)


def _at(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Moment, nullable=nullable)


def _of_batch() -> sa.Column[str]:
    return sa.Column("batch_id", sa.Text, sa.ForeignKey("batch.id"), nullable=False)


tenant = sa.Table("tenant", metadata, sa.Column("code", sa.Text, primary_key=True), _at("since_at"))

#: When each queue last served each tenant: what makes claims fair.
turn = sa.Table(
    "turn",
    metadata,
    sa.Column("queue", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("served_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

profile_version = sa.Table(
    "profile_version",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, primary_key=True),
    _text("name"),
    _facts("content"),
    _at("first_used_at"),
)

batch = sa.Table(
    "batch",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _text("tenant"),
    _text("receipt_key", unique=True),
    _text("stage"),
    _text("standing"),
    _maybe("reason_code"),
    _maybe("reason"),  #: German, for operators
    _number("priority"),
    _text("profile"),
    _text("profile_sha256"),
    _text("channel"),
    _maybe("operator"),
    _at("received_at", nullable=True),
    _maybe("received_at_source"),
    _at("scanned_at", nullable=True),
    _maybe("device"),
    _maybe("storage_place"),
    sa.Column("expected_sheets", sa.Integer),
    _at("registered_at"),
    _at("closed_at", nullable=True),
    _at("erased_at", nullable=True),
    _facts(),
    sa.Column("expected_consignments", sa.Integer),
    _maybe("sides"),  #: simplex, duplex, fronts_then_backs; NULL: the profile says
    sa.Column("protection", Json),  #: see `needs`; NULL: no class in it says anything
)
sa.Index(None, batch.c.tenant, batch.c.registered_at)
sa.Index(
    "ix_batch_open",
    batch.c.tenant,
    batch.c.standing,
    **_where(f"standing NOT IN {_ENDED}"),
)

batch_source = sa.Table(
    "batch_source",
    metadata,
    sa.Column("batch_id", sa.Text, sa.ForeignKey("batch.id"), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    _text("tenant"),
    sa.Column("name", CleanText, nullable=False),
    _text("name_base64"),
    _text("sha256"),
    sa.Column("size", sa.BigInteger, nullable=False),
    _text("kind"),
    sa.Column("pages", sa.Integer),
    _facts(),
    sa.Column("enclosure_of", sa.Integer),  #: ordinal of the source it lay in
    sa.Column("opened_sha256", sa.Text),  #: the copy that was opened with a password
    sa.Column("rescan_of", sa.Integer),  #: ordinal of the source whose pages it replaces
    sqlite_with_rowid=False,
)
sa.Index(None, batch_source.c.tenant, batch_source.c.sha256)

consignment = sa.Table(
    "consignment",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _text("tenant"),
    _of_batch(),
    sa.Column("channel", CleanText, nullable=False),  #: post, courier, fax, mail, form, folder …
    _maybe("delivery_type"),  #: Einschreiben, Zustellungsurkunde
    _maybe("delivery_number"),
    _at("received_at", nullable=True),
    _maybe("received_at_source"),
    _at("registered_at"),
    _maybe("deadline_hint"),
    _maybe("opened"),  #: opened, unopened, opened_by_mistake; NULL: not recorded
    _facts("enclosures"),  #: unscanned ones: kind, place, receipt
)
sa.Index(None, consignment.c.batch_id)

document = sa.Table(
    "document",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _text("tenant"),
    _of_batch(),
    sa.Column("consignment_id", sa.Text, sa.ForeignKey("consignment.id"), nullable=False),
    _number("ordinal"),
    _number("revision"),
    _maybe("supersedes"),
    _maybe("superseded_by"),
    _text("stage"),
    _text("standing"),
    _maybe("reason_code"),
    _maybe("reason"),  #: German, for operators
    _number("source"),  #: ordinal of the source that is its original
    _facts("pages"),  #: arrival page numbers in reading order
    _maybe("profile"),  #: its own document class; NULL: that of its batch
    _maybe("profile_sha256"),
    _number("review_open"),  #: 1: checking asks for a look and nobody has looked yet
    _facts(),
    _at("captured_at"),
    _at("changed_at"),
    _at("erased_at", nullable=True),
)
sa.Index(None, document.c.batch_id, document.c.ordinal)
sa.Index(
    "ix_document_open",
    document.c.tenant,
    document.c.standing,
    **_where(f"standing NOT IN {_ENDED}"),
)
sa.Index("ix_document_review", document.c.tenant, document.c.id, **_where("review_open = 1"))
sa.Index(
    "ix_document_finished",
    document.c.tenant,
    document.c.id,
    **_where("stage IN ('delivered', 'acknowledged') AND erased_at IS NULL"),
)

page = sa.Table(
    "page",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _text("tenant"),
    _of_batch(),
    _number("number"),
    _number("source"),
    sa.Column("frame", sa.Integer, nullable=False),  #: `Page.index`: 0-based inside its source
    sa.Column("sheet", sa.Integer),
    sa.Column("side", sa.Text),  #: front, back
    _text("sha256"),
    _text("role"),
    sa.Column("words_sha256", sa.Text),
    _facts(),
)
sa.Index("uq_page_number", page.c.batch_id, page.c.number, unique=True)

paper_unit = filing.units(metadata)
paper_hold = filing.holds(metadata)

blob = sa.Table(
    "blob",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    _at("stored_at"),
    _at("erased_at", nullable=True),
    sqlite_with_rowid=False,
)

rendition = sa.Table(
    "rendition",
    metadata,
    sa.Column("id", _row_id, primary_key=True, autoincrement=True),
    _text("tenant"),
    _text("unit_kind"),
    _text("unit_id"),
    _text("kind"),
    _text("sha256"),
    sa.Column("size", sa.BigInteger, nullable=False),
    _text("media_type"),
    _text("parent_sha256"),
    _text("tool"),
    _facts("settings"),
    _at("recorded_at"),
)
sa.Index(None, rendition.c.unit_id, rendition.c.kind)

#: The head of each event chain; locked while an event is appended.
chain = sa.Table(
    "chain",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  #: of the batch or document
    _text("tenant"),
    _text("unit_kind"),
    _number("length"),
    _text("head"),  #: digest of the last event
    _at("changed_at"),
    sqlite_with_rowid=False,
)
sa.Index(None, chain.c.tenant, chain.c.id)

event = sa.Table(
    "event",
    metadata,
    sa.Column("chain", sa.Text, sa.ForeignKey("chain.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),  #: from 1
    _text("tenant"),
    _text("kind"),
    _at("at"),
    sa.Column("actor", CleanText, nullable=False),  #: operator code, or `system`
    _text("payload_digest"),
    _text("previous"),  #: digest of the event before; of the first: 64 zeros
    _text("digest"),
    sqlite_with_rowid=False,
)

#: What an event says. Rows can be erased: the chain holds only a salted digest of them.
event_payload = sa.Table(
    "event_payload",
    metadata,
    sa.Column("chain", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    _text("tenant"),
    _text("salt"),
    _facts("payload"),
    sqlite_with_rowid=False,
)

merkle_root = sa.Table(
    "merkle_root",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("day", sa.Text, primary_key=True),  #: ISO date, in UTC
    _text("root"),
    sa.Column("heads", sa.BigInteger, nullable=False),
    _at("anchored_at"),
)

evidence_batch = evidencing.batches(metadata)
evidence_renewal = evidencing.renewals(metadata)
evidence_branch = evidencing.branches(metadata)
evidence_leaf = evidencing.leaves(metadata)
witness_root = witnessing.roots(metadata)
evidence_earlier = evidencing.earlier_leaves(metadata)
evidence_revocation = evidencing.revocations(metadata)

#: Open work: one row a unit, moved from step to step and removed at the end.
claim = sa.Table(
    "claim",
    metadata,
    sa.Column("id", _row_id, primary_key=True, autoincrement=True),
    _text("tenant"),
    _text("unit_kind"),
    _text("unit_id", unique=True),
    _text("batch_id"),
    sa.Column("document_id", sa.Text),
    sa.Column("parent_id", sa.BigInteger),  #: the row that waits for this one
    _text("step"),
    _text("queue"),
    _text("standing"),
    _number("priority"),
    _number("attempts"),
    _number("lost"),  #: leases of this step that ended without a word from their worker
    _text("idempotency_key"),
    sa.Column("token", sa.Text),
    sa.Column("worker", sa.Text),
    _at("lease_until", nullable=True),
    _at("due_at", nullable=True),
    _number("children_open"),
    _facts("released"),
    _maybe("reason_code"),
    _maybe("reason"),
    _at("since_at"),  #: when this step of this unit was opened
)
sa.Index(
    "ix_claim_ready",
    claim.c.queue,
    claim.c.tenant,
    claim.c.priority,
    claim.c.batch_id,
    claim.c.id,
    **_where("standing = 'ready'"),
)
sa.Index("ix_claim_lease", claim.c.lease_until, **_where("standing = 'claimed'"))
sa.Index("ix_claim_due", claim.c.due_at, **_where("due_at IS NOT NULL"))
sa.Index("ix_claim_parent", claim.c.parent_id, **_where("parent_id IS NOT NULL"))
sa.Index(None, claim.c.batch_id)

#: What lies in an inbox and is not accepted, replaced whole with every listing.
unaccepted = sa.Table(
    "unaccepted",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("root", CleanText, primary_key=True),
    sa.Column("name_base64", sa.Text, primary_key=True),
    sa.Column("name", CleanText, nullable=False),
    _text("reason_code"),
    sa.Column("operator_text", CleanText, nullable=False),
    _at("first_seen_at"),
)

shift = staffing.shifts(metadata)
profile_file = rulebook.profile_files(metadata)
procedure_text = rulebook.procedure_texts(metadata)
named_person = staffing.named_persons(metadata)
operator = staffing.operators(metadata)
operator_role = staffing.roles(metadata)

quality_batch = judging.batches(metadata)
quality_document = judging.documents(metadata)
quality_view = judging.views(metadata)

stack = scanning.stacks(metadata)
stack_page = scanning.pages(metadata)
scan_device = scanning.devices(metadata)
device_lease = scanning.leases(metadata)
station = scanning.stations(metadata)
