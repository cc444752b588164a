"""The chain of the installation itself, one a tenant: what happened to no single document."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import UnitKind
from ingest.ledger import accepting, chains, schema

#: Chains of the installation itself stand beside those of batches and documents.
INSTALLATION: Final[Any] = "installation"
_PREFIX: Final = "installation:"


def chain_of(tenant: str) -> str:
    """Return the id of a tenant's chain."""
    return f"{_PREFIX}{tenant}"


def note(
    connection: sa.Connection,
    tenant: str,
    *entries: chains.Entry,
    after: dt.datetime | None = None,
) -> None:
    """Append events to the tenant's chain, which is begun where it is missing.

    Args:
        connection: In a writing transaction.
        tenant: Whose chain.
        entries: What happened.
        after: The events are later than that, however coarse the clock.
    """
    chain, at = chain_of(tenant), accepting.now(connection)
    if after is not None:
        at = max(at, after + dt.timedelta(microseconds=1))
    grow(connection, chain, tenant=tenant, unit_kind=INSTALLATION, at=at, entries=entries)


def grow(
    connection: sa.Connection,
    chain: str,
    *,
    tenant: str,
    unit_kind: UnitKind,
    at: dt.datetime,
    entries: Sequence[chains.Entry],
) -> None:
    """Append events to a chain, which is begun where it is missing."""
    known = sa.select(schema.chain.c.id).where(schema.chain.c.id == chain)
    if connection.execute(known).first() is not None:
        chains.append(connection, chain, at, *entries)
        return
    chains.begin(connection, chain, tenant=tenant, unit_kind=unit_kind, at=at, entries=entries)
