"""Stacks that are being scanned, the registry of devices, who uses them, scan stations."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = depends_on = None

_OPEN = sa.text("closed_at IS NULL AND discarded_at IS NULL")


def _given(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _maybe(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text) for name in names]


def _act(name: str) -> tuple[sa.Column[Any], sa.Column[Any]]:
    return sa.Column(f"{name}_by", sa.Text), sa.Column(f"{name}_at", sa.BigInteger)


def upgrade() -> None:
    """Make the tables; what was accepted before came from no stack."""
    _stacks()
    _pages()
    op.create_table(
        "scan_device",
        _given("tenant"),
        _given("device"),
        _given("vendor"),
        _given("model"),
        *_maybe("serial", "firmware", "inventory"),
        _given("known_at", sa.BigInteger),
        _given("seen_at", sa.BigInteger),
        *_act("released"),
        *_maybe("released_vendor", "released_model", "released_serial", "released_firmware"),
        sa.Column("released_until_at", sa.BigInteger),
        *_act("withdrawn"),
        sa.PrimaryKeyConstraint("tenant", "device", name="pk_scan_device"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "device_lease",
        _given("tenant"),
        _given("device"),
        _given("token"),
        *_maybe("station", "operator"),
        _given("since_at", sa.BigInteger),
        _given("lease_until", sa.BigInteger),
        sa.PrimaryKeyConstraint("tenant", "device", name="pk_device_lease"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "station",
        _given("tenant"),
        _given("code"),
        _given("token_sha256"),
        _given("added_by"),
        _given("added_at", sa.BigInteger),
        *_act("revoked"),
        sa.PrimaryKeyConstraint("tenant", "code", name="pk_station"),
        sa.UniqueConstraint("token_sha256", name="uq_station_token_sha256"),
        sqlite_with_rowid=False,
    )


def _stacks() -> None:
    op.create_table(
        "stack",
        _given("id"),
        _given("tenant"),
        _given("key"),
        *_maybe("station", "operator"),
        _given("profile"),
        _given("profile_sha256"),
        _given("device"),
        _given("said"),
        _given("anomalies"),
        _given("opened_at", sa.BigInteger),
        _given("changed_at", sa.BigInteger),
        sa.Column("closed_at", sa.BigInteger),
        *_act("discarded"),
        sa.PrimaryKeyConstraint("id", name="pk_stack"),
        sa.UniqueConstraint("key", name="uq_stack_key"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_stack_open",
        "stack",
        ["tenant", "id"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def _pages() -> None:
    op.create_table(
        "stack_page",
        _given("stack_id"),
        _given("number", sa.Integer),
        _given("attempt", sa.Integer),
        _given("tenant"),
        _given("sha256"),
        _given("size", sa.BigInteger),
        _given("media_type"),
        _given("facts"),
        sa.Column("scanned_by", sa.Text),
        _given("taken_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("stack_id", "number", "attempt", name="pk_stack_page"),
        sa.ForeignKeyConstraint(["stack_id"], ["stack.id"], name="fk_stack_page_stack_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_stack_page_tenant_stack_page_sha256", "stack_page", ["tenant", "sha256"])


def downgrade() -> None:
    """Drop all; pages of stacks that were not closed are no longer known."""
    for table in ("stack_page", "stack", "scan_device", "device_lease", "station"):
        op.drop_table(table)
