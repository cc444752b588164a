"""The tables of evidence; `schema` makes them part of the whole.

What they hold and why it may stay or must go is said in `ingest.ledger.evidence`.
"""

from __future__ import annotations

import sqlalchemy as sa

from ingest.ledger.columns import CleanText, Moment


def batches(metadata: sa.MetaData) -> sa.Table:
    """Return the table of timestamps: each over documents, or over timestamps it renews."""
    table = sa.Table(
        "evidence_batch",
        metadata,
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("over", sa.Text, nullable=False),  #: documents, timestamps
        sa.Column("algorithm", sa.Text, nullable=False),  #: of the tree
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("leaves", sa.Integer, nullable=False),
        sa.Column("token", sa.LargeBinary, nullable=False),  #: RFC 3161, CMS ContentInfo
        sa.Column("stamped_at", Moment, nullable=False),  #: as the authority says
        sa.Column("authority", CleanText, nullable=False),
        sa.Column("certificate_ends_at", Moment, nullable=False),
        sa.Column("renew_before", Moment, nullable=False),
        sa.Column("renewed_by", sa.BigInteger),  #: the newest timestamp over that of documents
        sa.Column("rehashed_by", sa.BigInteger),  #: all its documents have a newer digest by then
        sa.Column("recorded_at", Moment, nullable=False),
    )
    sa.Index("ix_evidence_batch_tenant_over_id", table.c.tenant, table.c.over, table.c.id)
    return table


def renewals(metadata: sa.MetaData) -> sa.Table:
    """Return the table that says which later timestamps are over those of a batch so far."""
    return sa.Table(
        "evidence_renewal",
        metadata,
        _of_batch("batch_id"),
        _of_batch("renewed_by"),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),  #: from those timestamps to the root
        sqlite_with_rowid=False,
    )


def branches(metadata: sa.MetaData) -> sa.Table:
    """Return the table of the pieces of trees: neighbouring leaves and their way to the root."""
    return sa.Table(
        "evidence_branch",
        metadata,
        _of_batch("batch_id"),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("leaves", sa.LargeBinary, nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def leaves(metadata: sa.MetaData) -> sa.Table:
    """Return the table that says which leaf a document is; without it no leaf says whose."""
    return sa.Table(
        "evidence_leaf",
        metadata,
        sa.Column("document_id", sa.Text, sa.ForeignKey("document.id"), primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("batch_id", sa.BigInteger, nullable=False),
        sa.Column("branch", sa.Integer, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),  #: in the branch, from 0
        sa.Column("members", sa.LargeBinary, nullable=False),  #: digests of the data group
        sqlite_with_rowid=False,
    )


def earlier_leaves(metadata: sa.MetaData) -> sa.Table:
    """Return the table of leaves in trees of an older digest, oldest batch first."""
    return sa.Table(
        "evidence_earlier",
        metadata,
        sa.Column("document_id", sa.Text, sa.ForeignKey("document.id"), primary_key=True),
        _of_batch("batch_id"),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("branch", sa.Integer, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("members", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def revocations(metadata: sa.MetaData) -> sa.Table:
    """Return the table of what was said, and when, of the certificates of a timestamp."""
    return sa.Table(
        "evidence_revocation",
        metadata,
        _of_batch("batch_id"),
        sa.Column("gathered_at", Moment, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("good_until", Moment, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),  #: certificates, OCSP, CRL; DER
        sqlite_with_rowid=False,
    )


def _of_batch(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey("evidence_batch.id"), primary_key=True)
