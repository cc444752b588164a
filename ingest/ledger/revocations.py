"""What the issuers said of the certificates of timestamps, kept beside the timestamps.

Years later nobody answers any more, and then only this shows that a certificate was not revoked
when its timestamp was made, or when that was renewed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from ingest.ledger import accepting, schema

_batch, _revocation = schema.evidence_batch, schema.evidence_revocation


@dataclass(frozen=True, kw_only=True)
class Said:
    """Answers about one certificate and those above it.

    Attributes:
        content: DER: a sequence of the sequences of certificates, OCSP responses and lists.
        good_until: When the first of the answers is out of date.
    """

    content: bytes
    good_until: dt.datetime


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Answers as they are kept, with the database's time of asking."""

    content: bytes
    gathered_at: dt.datetime


def keep(connection: sa.Connection, tenant: str, number: int, said: Said) -> None:
    """Keep answers about the timestamp of a batch, beside those that are there."""
    row = {"batch_id": number, "tenant": tenant, "gathered_at": accepting.now(connection)}
    row |= {"good_until": said.good_until, "content": said.content}
    connection.execute(sa.insert(_revocation), row)


def missing(connection: sa.Connection, tenant: str, most: int) -> list[tuple[int, bytes]]:
    """Return number and token of timestamps about which nothing is kept, newest first."""
    known = sa.exists().where(_revocation.c.batch_id == _batch.c.id)
    query = sa.select(_batch.c.id, _batch.c.token).where(_batch.c.tenant == tenant, ~known)
    rows = connection.execute(query.order_by(_batch.c.id.desc()).limit(most))
    return [(row.id, row.token) for row in rows]


def of_tokens(
    connection: sa.Connection, tenant: str, tokens: Collection[bytes]
) -> dict[bytes, list[Kept]]:
    """Return what is kept about some timestamps, by token, oldest answers first."""
    query = sa.select(
        _batch.c.token,
        _revocation.c.gathered_at,
        _revocation.c.content,
    ).join(_batch, _batch.c.id == _revocation.c.batch_id)
    query = query.where(_batch.c.tenant == tenant, _batch.c.token.in_(list(tokens)))
    found: dict[bytes, list[Kept]] = {}
    for row in connection.execute(query.order_by(_revocation.c.gathered_at)):
        kept = Kept(content=row.content, gathered_at=row.gathered_at)
        found.setdefault(row.token, []).append(kept)
    return found
