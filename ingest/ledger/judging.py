"""The tables of quality assurance: what a batch has to show, and what persons judged.

No row says when somebody looked, or for how long: there is no figure about a person.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ingest.ledger.columns import CleanText, Json, Moment


def _text(name: str, **kw: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, **kw)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def batches(metadata: sa.MetaData) -> sa.Table:
    """Return the table of batches with documents that wait for a sample."""
    table = sa.Table(
        "quality_batch",
        metadata,
        sa.Column("batch_id", sa.Text, sa.ForeignKey("batch.id"), primary_key=True),
        _text("tenant"),
        _text("profile"),  #: its class, for which faults are counted
        _text("need"),  #: the highest of its documents
        sa.Column("share", sa.Float, nullable=False),  #: before recent faults raise it
        _number("minimum"),
        _number("clean_batches"),
        _text("seed"),  #: 32 bytes, hexadecimal; nobody is told before the check opens
        _text("seed_sha256"),  #: what was committed
        _text("state"),  #: committed, open, stopped, passed
        sa.Column("applied", sa.Float),  #: the share with which the sample was drawn
        sa.Column("population", sa.Integer),
        sa.Column("size", sa.Integer),
        _number("faults"),
        sa.Column("committed_at", Moment, nullable=False),
        sa.Column("opened_at", Moment),
        sa.Column("closed_at", Moment),
        sqlite_with_rowid=False,
    )
    unfinished = sa.text("state <> 'passed'")
    sa.Index("ix_quality_batch_class", table.c.tenant, table.c.profile, table.c.opened_at)
    sa.Index(
        "ix_quality_batch_unfinished",
        table.c.tenant,
        table.c.batch_id,
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    return table


def documents(metadata: sa.MetaData) -> sa.Table:
    """Return the table of documents under quality assurance, with the last verdict on each."""
    table = sa.Table(
        "quality_document",
        metadata,
        sa.Column("document_id", sa.Text, sa.ForeignKey("document.id"), primary_key=True),
        _text("batch_id"),
        _text("tenant"),
        _text("rule"),  #: before_delivery, by_clerk
        _text("need"),
        _text("match"),  #: both, content
        _number("selected"),  #: 1: a person has to look at it
        sa.Column("why", sa.Text),  #: sample, flagged, late, revised, complete, named, clerk
        sa.Column("flagged", Json, nullable=False),  #: pages that need a verdict of their own
        sa.Column("judged_at", Moment),
        sa.Column("judged_by", sa.Text),
        sa.Column("role", sa.Text),
        sa.Column("visual", sa.Integer),
        sa.Column("content", sa.Integer),
        sa.Column("good", sa.Integer),  #: what both mean under `match`
        sa.Column("pages", Json, nullable=False),  #: flagged pages that were judged
        sa.Column("reason", CleanText),
        sa.Column("seen_sha256", sa.Text),  #: of the PDF looked at, where it was named
        sa.Column("apart", sa.Integer),  #: 1: not who scanned, 0: the same, NULL: not known
        sqlite_with_rowid=False,
    )
    sa.Index("ix_quality_document_batch", table.c.batch_id, table.c.selected)
    return table


def views(metadata: sa.MetaData) -> sa.Table:
    """Return the table of pages that somebody looked at: yes or no, and nothing else."""
    return sa.Table(
        "quality_view",
        metadata,
        sa.Column("document_id", sa.Text, sa.ForeignKey("document.id"), primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("page", sa.Integer, primary_key=True, autoincrement=False),
        _text("tenant"),
        sqlite_with_rowid=False,
    )
