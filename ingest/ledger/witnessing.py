"""The table of roots that a timestamp shall witness; `schema` makes it part of the whole.

What it holds and why it may stay or must go is said in `ingest.ledger.witness`.
"""

from __future__ import annotations

import sqlalchemy as sa

from ingest.ledger.columns import Moment


def roots(metadata: sa.MetaData) -> sa.Table:
    """Return the table of roots, each with its leaves and its place under a timestamp."""
    waits = sa.text("batch_id IS NULL")
    table = sa.Table(
        "witness_root",
        metadata,
        sa.Column("kind", sa.Text, primary_key=True),  #: receipt, capture, heads, supplement
        sa.Column(
            "unit", sa.Text, primary_key=True
        ),  #: id of batch or document, or `tenant/ISO day`
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("leaves", sa.LargeBinary, nullable=False),  #: digests, one after the other
        sa.Column("salts", sa.LargeBinary, nullable=False),  #: one a leaf; zeros: erased
        sa.Column("known_at", Moment, nullable=False),
        sa.Column("batch_id", sa.BigInteger, sa.ForeignKey("evidence_batch.id")),
        sa.Column("branch", sa.Integer),
        sa.Column("place", sa.Integer),  #: in the branch, from 0
        sqlite_with_rowid=False,
    )
    sa.Index(
        "ix_witness_root_waiting",
        table.c.tenant,
        table.c.known_at,
        sqlite_where=waits,
        postgresql_where=waits,
    )
    sa.Index("ix_witness_root_tenant_kind_unit", table.c.tenant, table.c.kind, table.c.unit)
    return table
