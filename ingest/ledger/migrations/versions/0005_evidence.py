"""Evidence batches, the branches of their trees, and which leaf a document is.

Documents that were delivered before wait for evidence like new ones.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = depends_on = None

_FINISHED = sa.text("stage IN ('delivered', 'acknowledged') AND erased_at IS NULL")
_row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _given(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    """Make the tables, empty, and the index by which waiting documents are found."""
    for table in (_batch, _renewal, _branch, _leaf):
        table()
    op.create_index(
        "ix_document_finished",
        "document",
        ["tenant", "id"],
        sqlite_where=_FINISHED,
        postgresql_where=_FINISHED,
    )


def _batch() -> None:
    op.create_table(
        "evidence_batch",
        sa.Column("id", _row_id, autoincrement=True),
        _given("tenant"),
        _given("over"),
        _given("algorithm"),
        _given("root"),
        _given("leaves", sa.Integer),
        _given("token", sa.LargeBinary),
        _given("stamped_at", sa.BigInteger),
        _given("authority"),
        _given("certificate_ends_at", sa.BigInteger),
        _given("renew_before", sa.BigInteger),
        sa.Column("renewed_by", sa.BigInteger),
        _given("recorded_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_evidence_batch"),
    )
    op.create_index("ix_evidence_batch_tenant_over_id", "evidence_batch", ["tenant", "over", "id"])


def _renewal() -> None:
    op.create_table(
        "evidence_renewal",
        _given("batch_id", sa.BigInteger),
        _given("renewed_by", sa.BigInteger),
        _given("tenant"),
        _given("path", sa.LargeBinary),
        sa.PrimaryKeyConstraint("batch_id", "renewed_by", name="pk_evidence_renewal"),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["evidence_batch.id"], name="fk_evidence_renewal_batch_id"
        ),
        sa.ForeignKeyConstraint(
            ["renewed_by"], ["evidence_batch.id"], name="fk_evidence_renewal_renewed_by"
        ),
        sqlite_with_rowid=False,
    )


def _branch() -> None:
    op.create_table(
        "evidence_branch",
        _given("batch_id", sa.BigInteger),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        _given("tenant"),
        _given("leaves", sa.LargeBinary),
        _given("path", sa.LargeBinary),
        sa.PrimaryKeyConstraint("batch_id", "number", name="pk_evidence_branch"),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["evidence_batch.id"], name="fk_evidence_branch_batch_id"
        ),
        sqlite_with_rowid=False,
    )


def _leaf() -> None:
    op.create_table(
        "evidence_leaf",
        _given("document_id"),
        _given("tenant"),
        _given("batch_id", sa.BigInteger),
        _given("branch", sa.Integer),
        _given("place", sa.Integer),
        _given("members", sa.LargeBinary),
        sa.PrimaryKeyConstraint("document_id", name="pk_evidence_leaf"),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name="fk_evidence_leaf_document_id"
        ),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop all; the timestamps are lost with it, so export records first."""
    op.drop_index("ix_document_finished", "document")
    for name in ("evidence_leaf", "evidence_branch", "evidence_renewal", "evidence_batch"):
        op.drop_table(name)
