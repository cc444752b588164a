"""Event chains: what happened to a batch or a document, so that nobody can change it unseen.

Each event holds the digest of the one before it and a *salted digest* of its payload. The
payload stands in another table and can be erased (DESIGN rule 10): the chain still
verifies, and without the salt nobody can guess what it said.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import sqlalchemy as sa

from ingest.document import Facts, UnitKind
from ingest.ledger import schema
from ingest.ledger.columns import canonical, clean_text, to_microseconds
from ingest.ledger.terms import SYSTEM

#: What the first event of a chain names as the one before.
GENESIS: Final = "0" * 64

_chain = schema.chain
_HEAD = sa.select(_chain.c.length, _chain.c.head, _chain.c.tenant).where(
    _chain.c.id == sa.bindparam("chain_id")
)
_LOCKED_HEAD = _HEAD.with_for_update()
_ADVANCE = (
    sa.update(_chain)
    .where(_chain.c.id == sa.bindparam("chain_id"))
    .values(
        length=sa.bindparam("new_length"),
        head=sa.bindparam("new_head"),
        changed_at=sa.bindparam("new_at"),
    )
)
_NEW_CHAIN = sa.insert(_chain)
_NEW_EVENT = sa.insert(schema.event)
_NEW_PAYLOAD = sa.insert(schema.event_payload)


class Found(Protocol):
    """What inspection finds out about a source; the rows have the same names."""

    @property
    def kind(self) -> str:
        """See `ingest.document.Source`, as the others."""
        ...

    @property
    def pages(self) -> int | None:
        """How many, None if it has none."""
        ...

    @property
    def facts(self) -> Facts:
        """By agreed keys."""
        ...


@dataclass(frozen=True)
class Entry:
    """An event to be appended.

    Attributes:
        kind: Named after the transition, a participle.
        payload: Everything else; keys are text. It may hold personal text.
        actor: Operator code, or `system`.
    """

    kind: str
    payload: Facts = field(default_factory=dict)
    actor: str = SYSTEM


def payload_digest(salt: str, payload: Facts) -> str:
    """Return the digest under which a payload is known to its event."""
    return hashlib.sha256((salt + canonical(payload)).encode()).hexdigest()


def facts_digest(facts: Facts) -> str:
    """Return the digest of facts as they will be read back."""
    return hashlib.sha256(canonical(json.loads(canonical(facts))).encode()).hexdigest()


def page_digest(source: int, index: int, sha256: str, facts: Facts) -> str:
    """Return the digest of a page as inspection found it."""
    return facts_digest({"source": source, "index": index, "sha256": sha256, "facts": facts})


def source_digest(source: Found) -> str:
    """Return the digest of what inspection found out about a source, or of its row."""
    return facts_digest({"kind": source.kind, "pages": source.pages, "facts": source.facts})


def event_digest(  # noqa: PLR0913 - the fields an event is made of
    *,
    chain: str,
    seq: int,
    kind: str,
    at: dt.datetime,
    actor: str,
    payload_digest: str,
    previous: str,
) -> str:
    """Return the digest of an event: SHA-256 of the JSON list of its fields, in this order."""
    fields = [chain, seq, kind, to_microseconds(at), actor, payload_digest, previous]
    return hashlib.sha256(canonical(fields).encode()).hexdigest()


def begin(
    connection: sa.Connection,
    chain: str,
    *,
    tenant: str,
    unit_kind: UnitKind,
    at: dt.datetime,
    entries: Sequence[Entry],
) -> None:
    """Start the chain of a new batch or document with its first events."""
    rows = _link(chain, tenant, 0, GENESIS, at, entries)
    head = rows[0][-1]["digest"]
    values = {"id": chain, "tenant": tenant, "unit_kind": unit_kind, "length": len(entries)}
    connection.execute(_NEW_CHAIN, {**values, "head": head, "changed_at": at})
    _insert(connection, rows)


def append(connection: sa.Connection, chain: str, at: dt.datetime, *entries: Entry) -> None:
    """Append events; the chain's head is locked until the transaction ends."""
    length, head, tenant = connection.execute(_LOCKED_HEAD, {"chain_id": chain}).one()
    rows = _link(chain, tenant, length, head, at, entries)
    values = {"new_length": length + len(entries), "new_head": rows[0][-1]["digest"]}
    connection.execute(_ADVANCE, {"chain_id": chain, "new_at": at, **values})
    _insert(connection, rows)


_Rows = tuple[list[Facts], list[Facts]]


def _link(
    chain: str,
    tenant: str,
    length: int,
    head: str,
    at: dt.datetime,
    entries: Sequence[Entry],
) -> _Rows:
    events: list[Facts] = []
    payloads: list[Facts] = []
    for seq, entry in enumerate(entries, length + 1):
        salt = os.urandom(16).hex()
        fields: Facts = {
            "chain": chain,
            "seq": seq,
            "kind": entry.kind,
            "at": at,
            "actor": clean_text(entry.actor),
            "payload_digest": payload_digest(salt, entry.payload),
            "previous": head,
        }
        head = event_digest(**fields)
        events.append({**fields, "tenant": tenant, "digest": head})
        place = {"chain": chain, "seq": seq, "tenant": tenant}
        payloads.append({**place, "salt": salt, "payload": entry.payload})
    return events, payloads


def _insert(connection: sa.Connection, rows: _Rows) -> None:
    events, payloads = rows
    connection.execute(_NEW_EVENT, events if len(events) > 1 else events[0])
    connection.execute(_NEW_PAYLOAD, payloads if len(payloads) > 1 else payloads[0])
