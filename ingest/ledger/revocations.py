"""What the issuers said of the certificates of timestamps, kept beside the timestamps.

Years later nobody answers any more, and then only this shows that a certificate was not revoked
when its timestamp was made, or when that was renewed. Roots are timestamped every few minutes;
of their certificates it is enough to ask once a day, and an answer counts for all timestamps
of the same certificate that were made before it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ingest.ledger import accepting, schema

_batch, _revocation = schema.evidence_batch, schema.evidence_revocation
_ENOUGH: Final = 2  #: answers: when it was made, and before it was renewed
_LATER: Final = dt.timedelta(days=1)  #: what comes sooner says nothing more


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
    """Return number and token of timestamps about which nothing is kept, newest first.

    Those over roots are left out: the next one asks about their certificate.
    """
    known = sa.exists().where(_revocation.c.batch_id == _batch.c.id)
    query = sa.select(_batch.c.id, _batch.c.token).where(
        _batch.c.tenant == tenant, _batch.c.over != "roots", ~known
    )
    rows = connection.execute(query.order_by(_batch.c.id.desc()).limit(most))
    return [(row.id, row.token) for row in rows]


def of_tokens(
    connection: sa.Connection, tenant: str, tokens: Collection[bytes]
) -> dict[bytes, list[Kept]]:
    """Return what is kept about some timestamps, by token, oldest answers first.

    Where a timestamp was asked about itself less than twice, the newest answer about its
    certificate is among them, if it came later.
    """
    query = sa.select(_batch).where(_batch.c.tenant == tenant, _batch.c.token.in_(list(tokens)))
    found: dict[bytes, list[Kept]] = {}
    for batch in connection.execute(query).all():
        own = sa.select(_revocation).where(_revocation.c.batch_id == batch.id)
        rows = list(connection.execute(own.order_by(_revocation.c.gathered_at)))
        if len(rows) < _ENOUGH:
            newest = connection.execute(_about(tenant, batch.authority, batch.certificate_ends_at))
            since = rows[-1].gathered_at + _LATER if rows else batch.recorded_at
            rows += [row for row in newest if row.gathered_at >= since]
        if rows:
            found[batch.token] = [Kept(content=r.content, gathered_at=r.gathered_at) for r in rows]
    return found


def asked_at(
    connection: sa.Connection, tenant: str, authority: str, ends_at: dt.datetime
) -> dt.datetime | None:
    """Return when an answer about a certificate, known by name and end, was kept last."""
    row = connection.execute(_about(tenant, authority, ends_at)).first()
    return None if row is None else row.gathered_at


def _about(tenant: str, authority: str, ends_at: dt.datetime) -> sa.Select[Any]:
    """Return the query for the newest answer about a certificate."""
    query = sa.select(_revocation).join(_batch, _batch.c.id == _revocation.c.batch_id)
    query = query.where(
        _batch.c.tenant == tenant,
        _batch.c.authority == authority,
        _batch.c.certificate_ends_at == ends_at,
    )
    return query.order_by(_revocation.c.gathered_at.desc()).limit(1)
