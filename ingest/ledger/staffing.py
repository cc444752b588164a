"""The tables of people: who stands at an inbox, which codes are one person, who may do what.

No name is in any of them. What makes two codes the same person is an opaque id, so that four
eyes can be demanded without knowing whose they are.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ingest.ledger.columns import CleanText, Moment


def _text(name: str, **kw: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, **kw)


def _row_id() -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, primary_key=True, autoincrement=True)


def shifts(metadata: sa.MetaData) -> sa.Table:
    """Return the table of who stands at an inbox; at most one open row for each."""
    table = sa.Table(
        "shift",
        metadata,
        _row_id(),
        _text("tenant"),
        sa.Column("inbox", CleanText, nullable=False),
        sa.Column("operator", CleanText, nullable=False),
        sa.Column("device", CleanText),
        sa.Column("began_at", Moment, nullable=False),
        sa.Column("ended_at", Moment),
    )
    still = sa.text("ended_at IS NULL")
    sa.Index(
        "uq_shift_current",
        table.c.tenant,
        table.c.inbox,
        unique=True,
        sqlite_where=still,
        postgresql_where=still,
    )
    return table


def names(metadata: sa.MetaData) -> sa.Table:
    """Return the table of names of persons; they are nowhere else in the ledger."""
    return sa.Table(
        "operator_name",
        metadata,
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("name", CleanText, nullable=False),
    )


def operators(metadata: sa.MetaData) -> sa.Table:
    """Return the table that says which person each code stands for."""
    return sa.Table(
        "operator",
        metadata,
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        _text("person"),  #: opaque; codes with the same one are one person
        sa.Column("since_at", Moment, nullable=False),
        sa.Column("ended_at", Moment),
        sqlite_with_rowid=False,
    )


def roles(metadata: sa.MetaData) -> sa.Table:
    """Return the table of who was given which role when and by whom, ended ones too."""
    table = sa.Table(
        "operator_role",
        metadata,
        _row_id(),
        _text("tenant"),
        _text("code"),
        _text("role"),  #: `ingest.document.Role`
        sa.Column("given_at", Moment, nullable=False),
        _text("given_by"),
        sa.Column("ended_at", Moment),
        sa.Column("ended_by", sa.Text),
    )
    still = sa.text("ended_at IS NULL")
    sa.Index(
        "uq_operator_role_current",
        table.c.tenant,
        table.c.code,
        table.c.role,
        unique=True,
        sqlite_where=still,
        postgresql_where=still,
    )
    return table
