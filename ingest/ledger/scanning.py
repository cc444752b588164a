"""The tables of scanning: open stacks and their pages, devices, who uses them, stations.

`ingest.ledger.stacks`, `devices`, `leases` and `stations` say what they mean; `schema` makes
them part of the whole.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from ingest.ledger.columns import CleanText, Json, Moment

#: What a device tells of itself and has to tell again to be the one that was released.
RELEASED_AS: Final = ("vendor", "model", "serial", "firmware")


def _text(name: str, **kw: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, **kw)


def _act(name: str) -> tuple[sa.Column[Any], sa.Column[Any]]:
    return sa.Column(f"{name}_by", CleanText), sa.Column(f"{name}_at", Moment)


def stacks(metadata: sa.MetaData) -> sa.Table:
    """Return the table of stacks that are or were being scanned."""
    table = sa.Table(
        "stack",
        metadata,
        sa.Column("id", sa.Text, primary_key=True),  #: of the batch that it becomes
        _text("tenant"),
        _text("key", unique=True),  #: receipt key: UUID that the station made
        sa.Column("station", CleanText),  #: NULL: the machine of the ledger itself
        sa.Column("operator", CleanText),
        _text("profile"),
        _text("profile_sha256"),
        sa.Column("device", CleanText, nullable=False),  #: for people
        sa.Column("said", Json, nullable=False),  #: what the station said when it opened
        sa.Column("anomalies", Json, nullable=False),
        sa.Column("opened_at", Moment, nullable=False),
        sa.Column("changed_at", Moment, nullable=False),
        sa.Column("closed_at", Moment),
        *_act("discarded"),
        sqlite_with_rowid=False,
    )
    still = sa.text("closed_at IS NULL AND discarded_at IS NULL")
    sa.Index(
        "ix_stack_open",
        table.c.tenant,
        table.c.id,
        sqlite_where=still,
        postgresql_where=still,
    )
    return table


def pages(metadata: sa.MetaData) -> sa.Table:
    """Return the table of pages of stacks; of each place the highest attempt counts."""
    table = sa.Table(
        "stack_page",
        metadata,
        sa.Column("stack_id", sa.Text, sa.ForeignKey("stack.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),  #: place, from 1
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),  #: from 1
        _text("tenant"),
        _text("sha256"),
        sa.Column("size", sa.BigInteger, nullable=False),
        _text("media_type"),
        sa.Column("facts", Json, nullable=False),  #: empty once the batch's manifest has them
        sa.Column("scanned_by", CleanText),
        sa.Column("taken_at", Moment, nullable=False),
        sqlite_with_rowid=False,
    )
    sa.Index(None, table.c.tenant, table.c.sha256)
    return table


def devices(metadata: sa.MetaData) -> sa.Table:
    """Return the registry of devices (BSI TR-03138 V1.5, A.O.2, A.O.3)."""
    return sa.Table(
        "scan_device",
        metadata,
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("device", sa.Text, primary_key=True),  #: driver and serial number, or its id
        sa.Column("vendor", CleanText, nullable=False),
        sa.Column("model", CleanText, nullable=False),
        sa.Column("serial", CleanText),
        sa.Column("firmware", CleanText),  #: as it told last
        sa.Column("inventory", CleanText),  #: number of the house
        sa.Column("known_at", Moment, nullable=False),
        sa.Column("seen_at", Moment, nullable=False),
        *_act("released"),
        *(sa.Column(f"released_{name}", CleanText) for name in RELEASED_AS),
        sa.Column("released_until_at", Moment),
        *_act("withdrawn"),
        sqlite_with_rowid=False,
    )


def leases(metadata: sa.MetaData) -> sa.Table:
    """Return the table of who uses which device until when."""
    return sa.Table(
        "device_lease",
        metadata,
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("device", sa.Text, primary_key=True),
        _text("token"),
        sa.Column("station", CleanText),  #: or `leases.MACHINE` and a name
        sa.Column("operator", CleanText),
        sa.Column("since_at", Moment, nullable=False),
        sa.Column("lease_until", Moment, nullable=False),
        sqlite_with_rowid=False,
    )


def stations(metadata: sa.MetaData) -> sa.Table:
    """Return the table of scan stations; of a token only the digest is here."""
    return sa.Table(
        "station",
        metadata,
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        _text("token_sha256", unique=True),
        sa.Column("added_by", CleanText, nullable=False),
        sa.Column("added_at", Moment, nullable=False),
        *_act("revoked"),
        sqlite_with_rowid=False,
    )
