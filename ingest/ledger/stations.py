"""Scan stations that may hand stacks over, each by a token of which we keep the digest alone."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from ingest.document import Facts, Role
from ingest.errors import UsageError
from ingest.ledger import accepting, chains, installation, people, schema
from ingest.ledger.persons import require_code

_station = schema.station
#: Events of the tenant's own chain.
ADDED: Final = "station_added"
REVOKED: Final = "station_revoked"
_BY_TOKEN = sa.select(_station.c.tenant, _station.c.code).where(
    _station.c.token_sha256 == sa.bindparam("digest"), _station.c.revoked_at.is_(None)
)


@dataclass(frozen=True, kw_only=True)
class KnownStation:
    """A station that showed a token in force."""

    tenant: str
    code: str


def add(connection: sa.Connection, tenant: str, code: str, *, by: str) -> str:
    """Make a station known, or give it a new token; return the token, which nobody can read again.

    A token that it had before ends with this.

    Raises:
        UsageError: `code` or `by` is no code, or `by` may not do it; nothing changed.
    """
    require_code(code, f"Arbeitsplatz {code}")
    require_code(by, f"Arbeitsplatz {code}")
    people.require_if_given(connection, tenant, by, Role.ADMINISTRATOR)
    token = secrets.token_urlsafe(32)
    of_code = sa.and_(_station.c.tenant == tenant, _station.c.code == code)
    connection.execute(sa.delete(_station).where(of_code))
    row: Facts = {
        "tenant": tenant,
        "code": code,
        "token_sha256": _digest(token),
        "added_by": by,
        "added_at": accepting.now(connection),
    }
    connection.execute(sa.insert(_station), row)
    # of what nobody can guess the digest says nothing, and it shows whose token is in force
    said: Facts = {"station": code, "token_sha256": row["token_sha256"]}
    installation.note(connection, tenant, chains.Entry(ADDED, said, by))
    return token


def revoke(connection: sa.Connection, tenant: str, code: str, *, by: str) -> None:
    """End a station's token.

    Raises:
        UsageError: The station is not known or ended before, or `by` may not do it; nothing
            changed.
    """
    require_code(by, f"Arbeitsplatz {code}")
    people.require_if_given(connection, tenant, by, Role.ADMINISTRATOR)
    chosen = (
        _station.c.tenant == tenant,
        _station.c.code == code,
        _station.c.revoked_at.is_(None),
    )
    moment = accepting.now(connection)
    ended = sa.update(_station).where(*chosen).values(revoked_by=by, revoked_at=moment)
    if connection.execute(ended).rowcount != 1:
        text = f"Es gibt keinen Arbeitsplatz {code} mit gültigem Zugang; siehe »station list«."
        raise UsageError(f"unknown station {code}", operator_text=text)
    installation.note(connection, tenant, chains.Entry(REVOKED, {"station": code}, by))


def by_token(connection: sa.Connection, token: str) -> KnownStation | None:
    """Return whose token it is, None for no token in force.

    It is looked up by its digest, so that the time it takes tells nothing about the token.
    """
    row = connection.execute(_BY_TOKEN, {"digest": _digest(token)}).first()
    return None if row is None else KnownStation(tenant=row.tenant, code=row.code)


def listed(connection: sa.Connection, tenant: str) -> list[Facts]:
    """Return all stations of a tenant, ended ones too, by code; never a token."""
    columns = [column for column in _station.c if column.name != "token_sha256"]
    query = sa.select(*columns).where(_station.c.tenant == tenant).order_by(_station.c.code)
    return [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
