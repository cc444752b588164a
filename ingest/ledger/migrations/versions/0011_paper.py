"""Where each document's paper is, and what keeps it from being destroyed.

The table that the first schema had for this was never written, so nothing is carried over:
paper of which nobody said where it was put needs no row.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"
branch_labels = depends_on = None


def _given(name: str, kind: Any = sa.Text, *extra: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, *extra, nullable=False)


def upgrade() -> None:
    """Make both tables, empty."""
    op.drop_table("paper_unit")
    op.create_table(
        "paper_unit",
        sa.Column("id", sa.Text),
        _given("tenant"),
        _given("batch_id"),
        _given("ordinal", sa.Integer),
        _given("stage"),
        sa.Column("place", sa.Text),
        _given("changed_at", sa.BigInteger),
        _given("changed_by"),
        sa.Column("free_since_at", sa.BigInteger),
        sa.Column("released_document", sa.Text),
        sa.Column("released_by", sa.Text),
        sa.Column("destruction", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_paper_unit"),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name="fk_paper_unit_batch_id"),
    )
    op.create_index("uq_paper_unit_ordinal", "paper_unit", ["batch_id", "ordinal"], unique=True)
    op.create_index("ix_paper_unit_place", "paper_unit", ["tenant", "place"])
    op.create_table(
        "paper_hold",
        sa.Column("unit_id", sa.Text),
        sa.Column("number", sa.Integer, autoincrement=False),
        _given("tenant"),
        _given("placed_at", sa.BigInteger),
        _given("placed_by"),
        sa.Column("lifted_at", sa.BigInteger),
        sa.Column("lifted_by", sa.Text),
        sa.PrimaryKeyConstraint("unit_id", "number", name="pk_paper_hold"),
        sa.ForeignKeyConstraint(["unit_id"], ["paper_unit.id"], name="fk_paper_hold_unit_id"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Make the table of the first schema again, empty; what was done stays in the events."""
    op.drop_table("paper_hold")
    op.drop_table("paper_unit")
    op.create_table(
        "paper_unit",
        sa.Column("id", sa.Text),
        _given("tenant"),
        _given("batch_id"),
        _given("stage"),
        sa.Column("place", sa.Text),
        _given("changed_at", sa.BigInteger),
        sa.Column("changed_by", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_paper_unit"),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name="fk_paper_unit_batch_id"),
    )
    op.create_index("ix_paper_unit_batch_id", "paper_unit", ["batch_id"])
