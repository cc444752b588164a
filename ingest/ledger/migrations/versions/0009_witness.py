"""Roots over arrivals, images and heads, which a timestamp shall witness.

What arrived before gets its roots when securing begins (`ingest.ledger.witnessed`): their
salts are random, and events say that it was then.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = depends_on = None

_WAITING = sa.text("batch_id IS NULL")


def _given(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    """Make the table, empty."""
    op.create_table(
        "witness_root",
        _given("kind"),
        _given("unit"),
        _given("tenant"),
        _given("root"),
        _given("leaves", sa.LargeBinary),
        _given("salts", sa.LargeBinary),
        _given("known_at", sa.BigInteger),
        sa.Column("batch_id", sa.BigInteger),
        sa.Column("branch", sa.Integer),
        sa.Column("place", sa.Integer),
        sa.PrimaryKeyConstraint("kind", "unit", name="pk_witness_root"),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["evidence_batch.id"], name="fk_witness_root_batch_id"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_witness_root_waiting",
        "witness_root",
        ["tenant", "known_at"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.create_index("ix_witness_root_tenant_kind_unit", "witness_root", ["tenant", "kind", "unit"])


def downgrade() -> None:
    """Drop it; which leaf was whose is lost with it, so export records first."""
    op.drop_table("witness_root")
