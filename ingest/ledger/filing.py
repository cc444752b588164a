"""The tables of paper; `schema` makes them part of the whole.

A row says where paper is now; how it came there stands in the events of its own chain. No row
is needed for paper that nobody put anywhere yet.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ingest.ledger.columns import CleanText, Json, Moment


def _text(name: str, *extra: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, *extra, nullable=False)


def units(metadata: sa.MetaData) -> sa.Table:
    """Return the table of where the paper of each document is and what may happen to it."""
    table = sa.Table(
        "paper_unit",
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        _text("tenant"),
        _text("batch_id", sa.ForeignKey("batch.id")),
        sa.Column("ordinal", sa.Integer, nullable=False),  #: of its document; 0: see `REST`
        _text("stage"),  #: `ingest.document.PaperStage`
        sa.Column("place", CleanText),  #: box, shelf
        sa.Column("changed_at", Moment, nullable=False),
        sa.Column("changed_by", CleanText, nullable=False),
        sa.Column("free_since_at", Moment),  #: when the last legal hold was lifted
        sa.Column("released_document", sa.Text),  #: the revision that the release is for
        sa.Column("released_by", CleanText),
        sa.Column("destruction", Json),  #: method, DIN 66399 level, certificate
    )
    sa.Index("uq_paper_unit_ordinal", table.c.batch_id, table.c.ordinal, unique=True)
    sa.Index("ix_paper_unit_place", table.c.tenant, table.c.place)
    return table


def holds(metadata: sa.MetaData) -> sa.Table:
    """Return the table of legal holds, lifted ones too; why they are is in the events."""
    return sa.Table(
        "paper_hold",
        metadata,
        sa.Column("unit_id", sa.Text, sa.ForeignKey("paper_unit.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        _text("tenant"),
        sa.Column("placed_at", Moment, nullable=False),
        sa.Column("placed_by", CleanText, nullable=False),
        sa.Column("lifted_at", Moment),
        sa.Column("lifted_by", CleanText),
        sqlite_with_rowid=False,
    )
