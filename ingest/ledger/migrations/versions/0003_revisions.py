"""Documents under a profile of their own, documents that wait for a look, lost leases.

A frozen copy, as every migration. Rows that exist follow their batch's profile, wait for
nobody's look and have lost no lease.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = depends_on = None

_TO_REVIEW = sa.text("review_open = 1")


def _counted(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, server_default="0")


def upgrade() -> None:
    """Add the columns; no row is rewritten."""
    op.add_column("document", sa.Column("profile", sa.Text))
    op.add_column("document", sa.Column("profile_sha256", sa.Text))
    op.add_column("document", _counted("review_open"))
    op.create_index(
        "ix_document_review",
        "document",
        ["tenant", "id"],
        sqlite_where=_TO_REVIEW,
        postgresql_where=_TO_REVIEW,
    )
    op.add_column("claim", _counted("lost"))


def downgrade() -> None:
    """Drop what was added; which profile a document had of its own is lost with it."""
    op.drop_column("claim", "lost")
    op.drop_index("ix_document_review", "document")
    for name in ("review_open", "profile_sha256", "profile"):
        op.drop_column("document", name)
