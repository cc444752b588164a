"""Which codes are one person, and who is entrusted with what.

Nobody is registered by it: who worked before keeps their codes in the history and is registered
when they next decide something that needs a person.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = depends_on = None

_STILL = sa.text("ended_at IS NULL")
_row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _given(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    """Make both tables, empty."""
    op.create_table(
        "operator",
        _given("tenant"),
        _given("code"),
        _given("person"),
        _given("since_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("tenant", "code", name="pk_operator"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "operator_role",
        sa.Column("id", _row_id, autoincrement=True),
        _given("tenant"),
        _given("code"),
        _given("role"),
        _given("given_at", sa.BigInteger),
        _given("given_by"),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("ended_by", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_operator_role"),
    )
    op.create_index(
        "uq_operator_role_current",
        "operator_role",
        ["tenant", "code", "role"],
        unique=True,
        sqlite_where=_STILL,
        postgresql_where=_STILL,
    )


def downgrade() -> None:
    """Drop both; who had which role stays in the events of the tenant's chain."""
    op.drop_table("operator_role")
    op.drop_table("operator")
