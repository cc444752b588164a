"""Sources that lay inside others, and copies that were opened with a password.

What is recorded already arrived by itself and was opened by nobody.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add the two columns, empty."""
    op.add_column("batch_source", sa.Column("enclosure_of", sa.Integer))
    op.add_column("batch_source", sa.Column("opened_sha256", sa.Text))


def downgrade() -> None:
    """Drop both; what lay inside what, and opened copies, are lost with them."""
    op.drop_column("batch_source", "opened_sha256")
    op.drop_column("batch_source", "enclosure_of")
