"""The tables of what persons released: profiles' files and the written procedure.

`ingest.ledger.releasing` and `ingest.ledger.procedures` say what they mean; `schema` makes
them part of the whole.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ingest.ledger.columns import CleanText, Json, Moment


def _given(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _act(name: str) -> tuple[sa.Column[Any], sa.Column[Any]]:
    return sa.Column(f"{name}_by", CleanText), sa.Column(f"{name}_at", Moment)


def profile_files(metadata: sa.MetaData) -> sa.Table:
    """Return the table of profiles' files, each in the exact bytes that persons decided about."""
    table = sa.Table(
        "profile_file",
        metadata,
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("sha256", sa.Text, primary_key=True),  #: of `content`
        _given("name"),
        sa.Column("version", CleanText, nullable=False),
        _given("treatment"),
        _given("stage"),  #: draft, tested, approved, withdrawn
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("procedure_sha256", sa.Text),  #: of the written procedure it names
        sa.Column("protection", Json),  #: need by aspect
        sa.Column("author", CleanText, nullable=False),
        _given("author_person"),  #: opaque, as `operator.person`
        sa.Column("submitted_at", Moment, nullable=False),
        *_act("tested"),
        sa.Column("test_result", CleanText),
        sa.Column("test_documents", Json, nullable=False),
        *_act("approved"),
        *_act("withdrawn"),
        sa.Column("withdrawn_reason", CleanText),
    )
    approved = sa.text("stage = 'approved'")
    sa.Index(
        "uq_profile_file_approved",
        table.c.tenant,
        table.c.name,
        unique=True,
        sqlite_where=approved,
        postgresql_where=approved,
    )
    return table


def procedure_texts(metadata: sa.MetaData) -> sa.Table:
    """Return the table of released procedure documents, whose bytes the store keeps."""
    return sa.Table(
        "procedure_text",
        metadata,
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("sha256", sa.Text, primary_key=True),
        _given("kind"),  #: written, annex
        sa.Column("name", CleanText, nullable=False),
        _given("media_type"),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("released_by", CleanText, nullable=False),
        sa.Column("released_at", Moment, nullable=False),
    )
