"""Samples, verdicts and what was looked at; sources that were scanned again.

Batches that are separated already wait for no sample: none of their documents was of a class
that replaces paper, because such a class could not be used before.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = depends_on = None

_UNFINISHED = sa.text("state <> 'passed'")


def _given(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _maybe(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind)


def upgrade() -> None:
    """Make the three tables, empty, and the column of sources that were scanned again."""
    op.add_column("batch_source", sa.Column("rescan_of", sa.Integer))
    _batches()
    _documents()
    op.create_table(
        "quality_view",
        _given("document_id"),
        _given("code"),
        _given("page", sa.Integer),
        _given("tenant"),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name="fk_quality_view_document_id"
        ),
        sa.PrimaryKeyConstraint("document_id", "code", "page", name="pk_quality_view"),
        sqlite_with_rowid=False,
    )


def _batches() -> None:
    op.create_table(
        "quality_batch",
        _given("batch_id"),
        _given("tenant"),
        _given("profile"),
        _given("need"),
        _given("share", sa.Float),
        _given("minimum", sa.Integer),
        _given("clean_batches", sa.Integer),
        _given("seed"),
        _given("seed_sha256"),
        _given("state"),
        _maybe("applied", sa.Float),
        _maybe("population", sa.Integer),
        _maybe("size", sa.Integer),
        _given("faults", sa.Integer),
        _given("committed_at", sa.BigInteger),
        _maybe("opened_at", sa.BigInteger),
        _maybe("closed_at", sa.BigInteger),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name="fk_quality_batch_batch_id"),
        sa.PrimaryKeyConstraint("batch_id", name="pk_quality_batch"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_quality_batch_class", "quality_batch", ["tenant", "profile", "opened_at"])
    op.create_index(
        "ix_quality_batch_unfinished",
        "quality_batch",
        ["tenant", "batch_id"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )


def _documents() -> None:
    op.create_table(
        "quality_document",
        _given("document_id"),
        _given("batch_id"),
        _given("tenant"),
        _given("rule"),
        _given("need"),
        _given("match"),
        _given("selected", sa.Integer),
        _maybe("why"),
        _given("flagged"),
        _maybe("judged_at", sa.BigInteger),
        _maybe("judged_by"),
        _maybe("role"),
        _maybe("visual", sa.Integer),
        _maybe("content", sa.Integer),
        _maybe("good", sa.Integer),
        _given("pages"),
        _maybe("reason"),
        _maybe("seen_sha256"),
        _maybe("apart", sa.Integer),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name="fk_quality_document_document_id"
        ),
        sa.PrimaryKeyConstraint("document_id", name="pk_quality_document"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_quality_document_batch", "quality_document", ["batch_id", "selected"])


def downgrade() -> None:
    """Drop them and the column; what was drawn and judged stays in the events."""
    op.drop_table("quality_view")
    op.drop_table("quality_document")
    op.drop_table("quality_batch")
    op.drop_column("batch_source", "rescan_of")
