"""The operator's count of consignments and how the sheets of a stack were scanned.

Batches accepted before know neither: both stay empty for them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add both columns, empty."""
    op.add_column("batch", sa.Column("expected_consignments", sa.Integer))
    op.add_column("batch", sa.Column("sides", sa.Text))


def downgrade() -> None:
    """Drop both; what persons counted is lost with them."""
    op.drop_column("batch", "sides")
    op.drop_column("batch", "expected_consignments")
