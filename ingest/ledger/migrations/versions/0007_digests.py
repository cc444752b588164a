"""Evidence in newer digests beside the older, and what was said of timestamps' certificates.

Evidence that is there stays as it is: of its timestamps revocation data is gathered when they are
renewed, and its digests are renewed when the house's table says so.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = depends_on = None


def _given(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _foreign(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}")


def upgrade() -> None:
    """Make both tables, empty, and the column that no batch needs yet."""
    op.create_table(
        "evidence_earlier",
        _given("document_id"),
        _given("batch_id", sa.BigInteger),
        _given("tenant"),
        _given("branch", sa.Integer),
        _given("place", sa.Integer),
        _given("members", sa.LargeBinary),
        sa.PrimaryKeyConstraint("document_id", "batch_id", name="pk_evidence_earlier"),
        _foreign("evidence_earlier", "document_id", "document"),
        _foreign("evidence_earlier", "batch_id", "evidence_batch"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "evidence_revocation",
        _given("batch_id", sa.BigInteger),
        _given("gathered_at", sa.BigInteger),
        _given("tenant"),
        _given("good_until", sa.BigInteger),
        _given("content", sa.LargeBinary),
        sa.PrimaryKeyConstraint("batch_id", "gathered_at", name="pk_evidence_revocation"),
        _foreign("evidence_revocation", "batch_id", "evidence_batch"),
        sqlite_with_rowid=False,
    )
    op.add_column("evidence_batch", sa.Column("rehashed_by", sa.BigInteger))


def downgrade() -> None:
    """Drop all; records in newer digests are lost with it, so export them first."""
    op.drop_column("evidence_batch", "rehashed_by")
    op.drop_table("evidence_revocation")
    op.drop_table("evidence_earlier")
