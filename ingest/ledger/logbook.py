"""The log of TR-03138 A.SC.11: four families, each protected like every other history.

`CONFIGURATION` changes of critical settings, of authentication and of authorisation; `USE`
who used the system when and how; `PROCESSING` whether a person changed what the machine had
found; `ERRORS` refused log-ins and failures.

What concerns a document stands in its own chain and is kept and erased with it; reading
gathers it from there. Everything else stands in a chain for each tenant and family, whose
entries expire after the time that the house sets: the payload goes, person and all, and the
digest stays, so that the chain still verifies. Nothing here counts or compares persons.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import NOT_RECORDED, Facts, Family, Role
from ingest.errors import UsageError
from ingest.ledger import accepting, chains, installation, people, schema
from ingest.ledger.engine import be_patient, hold
from ingest.ledger.integrity import EXPIRED, LOG, told
from ingest.ledger.persons import require_code
from ingest.ledger.showing import find

_event, _payload = schema.event, schema.event_payload
#: What has an id that a command may name, with its tenant.
_OF_UNITS: Final = (schema.batch, schema.stack)
_ENTRY: Final = "logged"


#: Events of documents and batches that belong to a family.
_OF_DOCUMENTS: Final[Mapping[Family, Collection[str]]] = {
    Family.PROCESSING: (
        "page_put_back",
        "pages_rescanned",
        "released_by_clerk",
        "released_by_security_officer",
    ),
    Family.ERRORS: ("deferred_for_retry", "held", "quarantined", "lease_expired"),
}
#: Events of the installation that say nothing about configuration or rights.
_MACHINE: Final = ("anchored", "evidence_stamped", "evidence_renewed", "roots_stamped")


def chain_of(tenant: str, family: Family) -> str:
    """Return the id of the chain of a tenant's family."""
    return f"log-{family}:{tenant}"


def write(connection: sa.Connection, tenant: str, family: Family, said: Facts) -> None:
    """Append an entry.

    Args:
        connection: In a writing transaction.
        tenant: Whose log.
        family: Not `PROCESSING`, which follows the documents.
        said: What happened; the person as operator code under `by`. No names, no content.
    """
    hold(connection, f"log {tenant}")
    _append(connection, tenant, family, _ENTRY, said)


def _append(connection: sa.Connection, tenant: str, family: Family, kind: str, said: Facts) -> None:
    entries = [chains.Entry(kind, said)]  # the person stands in what can expire
    at = accepting.now(connection)
    chain = chain_of(tenant, family)
    installation.grow(connection, chain, tenant=tenant, unit_kind=LOG, at=at, entries=entries)


def used(
    connection: sa.Connection,
    *,
    command: str,
    by: str | None,
    unit: str | None,
    outcome: int | str,
) -> None:
    """Say that somebody used a command, and how it ended.

    A ledger into which nothing came has nothing to tell and stays empty.

    Args:
        connection: In a writing transaction.
        command: As on the command line.
        by: Operator code, None where none was given.
        unit: Id of the batch or document concerned, or the beginning of it.
        outcome: Exit code, the code of the error, or `begun`.
    """
    tenant = _tenant_of(connection, unit)
    if tenant is None:
        return
    said = {"command": command, "by": by or NOT_RECORDED, "unit": unit, "outcome": outcome}
    write(connection, tenant, Family.USE, said)


def failed(
    connection: sa.Connection,
    *,
    command: str,
    by: str | None,
    unit: str | None,
    code: str,
) -> None:
    """Say that a command failed or was refused; `code` is that of the error."""
    tenant = _tenant_of(connection, unit)
    if tenant is None:
        return
    said = {"command": command, "by": by or NOT_RECORDED, "unit": unit, "error": code}
    write(connection, tenant, Family.ERRORS, said)


def _tenant_of(connection: sa.Connection, unit: str | None) -> str | None:
    """Return whose unit it is, else the first tenant there is."""
    if unit is not None:
        try:
            batch = find(connection, unit, scanning=True).batch_id
        except UsageError:
            pass
        else:
            own = (sa.select(t.c.tenant).where(t.c.id == batch) for t in _OF_UNITS)
            return str(connection.execute(sa.union(*own)).scalar_one())
    known = sa.select(schema.tenant.c.code).order_by(schema.tenant.c.since_at).limit(1)
    found: str | None = connection.execute(known).scalar()
    return found


def configured(connection: sa.Connection, tenant: str, settings: Facts) -> Facts:
    """Record how settings differ from those recorded last; return the difference.

    Args:
        connection: In a writing transaction.
        tenant: Whose log.
        settings: All that is in force, flat, without secrets.

    Returns:
        By key the value before and now; empty if nothing changed, and nothing is recorded.
    """
    be_patient(connection)
    hold(connection, f"log {tenant}")
    before: Facts = {}
    for row in _entries(connection, tenant, Family.CONFIGURATION):
        before = row.payload.get("settings", before)
    keys = sorted(before.keys() | settings.keys())
    changed = {
        key: [before.get(key), settings.get(key)]
        for key in keys
        if before.get(key) != settings.get(key)
    }
    if changed:
        said = {"by": NOT_RECORDED, "changed": changed, "settings": settings}
        _append(connection, tenant, Family.CONFIGURATION, _ENTRY, said)
    return changed


def read(
    connection: sa.Connection, tenant: str, by: str, families: Collection[Family]
) -> Iterator[Facts]:
    """Record who reads, then yield the entries of some families, each oldest first.

    Args:
        connection: In a writing transaction: reading is an entry itself.
        tenant: Whose log.
        by: Operator code; once anybody has the role of the auditor, of somebody who has it.
        families: Which.

    Raises:
        UsageError: `by` is no code or may not read; nothing was recorded.
    """
    require_code(by, "Protokoll")
    if people.is_given(connection, tenant, Role.AUDITOR):
        people.require_role(connection, tenant, by, Role.AUDITOR)
    said = {"command": "log", "by": by, "families": sorted(families), "unit": None}
    write(connection, tenant, Family.USE, said)
    return _read(connection, tenant, families)


def _read(connection: sa.Connection, tenant: str, families: Collection[Family]) -> Iterator[Facts]:
    for family in Family:
        if family in families:
            rows = [*_entries(connection, tenant, family), *_follow(connection, tenant, family)]
            for row in sorted(rows, key=lambda row: (row.at, row.chain, row.seq)):
                yield _shown(family, row)


def _shown(family: Family, row: Any) -> Facts:
    said: Facts = row.payload
    own = row.chain.startswith("log-")
    by = said.get("by", NOT_RECORDED) if own else row.actor
    kept = {key: value for key, value in said.items() if key not in {"by", "settings"}}
    return {
        "family": str(family),
        "at": row.at.isoformat(),
        "by": by,
        "kind": row.kind,
        "unit": said.get("unit") if own else row.chain,
        "said": kept if own else _of_document(said),
        "chain": row.chain,
        "seq": row.seq,
    }


def _of_document(said: Facts) -> Facts:
    """Return of a document's event what says what happened, not what was in the document."""
    names = ("code", "page", "step", "attempt", "standing", "document")
    found = {name: said[name] for name in names if name in said}
    if said.get("settings"):
        found["settings"] = sorted(said["settings"])
    return found


def _entries(connection: sa.Connection, tenant: str, family: Family) -> Iterator[Any]:
    return told(connection, _event.c.chain == chain_of(tenant, family), _event.c.kind == _ENTRY)


def _follow(connection: sa.Connection, tenant: str, family: Family) -> Iterator[Any]:
    """Yield what stands in other chains: those of documents, and of the installation."""
    if kinds := _OF_DOCUMENTS.get(family):
        for row in told(connection, _event.c.tenant == tenant, _event.c.kind.in_(kinds)):
            if not row.kind.startswith("released") or row.payload.get("settings"):
                yield row  # a release that set nothing changed nothing
    if family is Family.CONFIGURATION:
        chain = installation.chain_of(tenant)
        yield from told(connection, _event.c.chain == chain, _event.c.kind.not_in(_MACHINE))


def expire(
    connection: sa.Connection, tenant: str, kept: Mapping[Family, dt.timedelta]
) -> dict[Family, int]:
    """Take away what is older than its family is kept; return how many entries went.

    The chain says up to which entry: whatever else is missing was taken by nobody entitled.

    Args:
        connection: In a writing transaction.
        tenant: Whose log.
        kept: How long, by family; one that is not named is kept.
    """
    be_patient(connection)
    hold(connection, f"log {tenant}")
    moment = accepting.now(connection)
    gone = {
        family: _expire(connection, tenant, family, moment - age) for family, age in kept.items()
    }
    return {family: count for family, count in gone.items() if count}


def _expire(connection: sa.Connection, tenant: str, family: Family, before: dt.datetime) -> int:
    chain = chain_of(tenant, family)
    own = sa.and_(_payload.c.chain == _event.c.chain, _payload.c.seq == _event.c.seq)
    query = sa.select(sa.func.max(_event.c.seq)).join(_payload, own)
    query = query.where(_event.c.chain == chain, _event.c.kind == _ENTRY, _event.c.at < before)
    last: int | None = connection.execute(query).scalar()
    if last is None:
        return 0
    taken = sa.delete(_payload).where(_payload.c.chain == chain, _payload.c.seq <= last)
    count = connection.execute(taken).rowcount
    _append(connection, tenant, family, EXPIRED, {"up_to": last})
    return count
