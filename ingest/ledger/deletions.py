"""The deletion record (Löschprotokoll): what is kept instead of the scan.

It is the payload of the event that ends the chain of what was erased, so nobody can change it
unseen. It says who, when, why, what was removed where, and which bytes those were: as digests
of the digests, salted. Whoever holds a file can show that it is the one; nobody who has the
ledger alone can look a digest up, and none of the erased ones is left in any table.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts, RenditionKind
from ingest.errors import UsageError
from ingest.ledger import schema
from ingest.ledger.integrity import ERASED
from ingest.ledger.paperunits import seen
from ingest.ledger.reading import moment
from ingest.ledger.showing import find

Row = sa.Row[Any]
_event, _payload = schema.event, schema.event_payload
FORMAT: Final = "scanstrasse-loeschprotokoll/1"
RULE: Final = "SHA-256(salt + SHA-256 der Datei in Hexadezimalschreibweise)"
ORIGINAL: Final = "original"
#: Of these it may be asked later whether a file is the erased one; others are only counted.
_TOLD: Final = frozenset(
    {ORIGINAL, RenditionKind.PDF, RenditionKind.NOTE, RenditionKind.OPENED, RenditionKind.MANIFEST}
)


@dataclass
class Removed:
    """What went with one unit.

    Attributes:
        digests: Kind and digest of each object that the ledger no longer names for it.
    """

    digests: list[tuple[str, str]] = field(default_factory=list)

    def add(self, kind: str, digests: Iterable[str]) -> None:
        """Note objects of a kind."""
        self.digests += [(kind, sha256) for sha256 in digests if sha256]

    def account(self, free: Collection[str], payloads: int) -> Facts:
        """Return what the record says of the removal.

        Args:
            free: Digests that nobody refers to any more, whose bytes leave the store.
            payloads: How many events of the chain lost what they said.
        """
        salt = os.urandom(16).hex()
        own = {sha256 for _, sha256 in self.digests}
        kinds = Counter(kind for kind, _ in self.digests)
        gone = own & set(free)
        told = {
            kind: sorted(salted(salt, sha) for of, sha in set(self.digests) if of == kind)
            for kind in sorted(_TOLD & kinds.keys())
        }
        return {
            "removed": {
                "events": payloads,
                "objects": dict(sorted(kinds.items())),
                "store": {"removed": len(gone), "shared": len(own - gone)},
            },
            "salt": salt,
            "digests": told,
        }


def salted(salt: str, sha256: str) -> str:
    """Return under what a digest stands in a record."""
    return hashlib.sha256((salt + sha256).encode()).hexdigest()


def record(connection: sa.Connection, id_: str) -> Facts:
    """Return the deletion record of a batch or document, for export.

    Args:
        connection: In a reading transaction.
        id_: See `ingest.ledger.showing.find`.

    Raises:
        UsageError: Unknown id, or it was not erased.
    """
    unit = find(connection, id_)
    own = sa.and_(_payload.c.chain == _event.c.chain, _payload.c.seq == _event.c.seq)
    query = sa.select(_event, _payload.c.salt, _payload.c.payload).outerjoin(_payload, own)
    events = list(connection.execute(query.where(_event.c.chain == unit.id).order_by(_event.c.seq)))
    erasures = [row for row in events if row.kind == ERASED and row.payload is not None]
    if not erasures:
        text = f"{unit.id} ist nicht gelöscht; es gibt kein Löschprotokoll."
        raise UsageError(f"{unit.id} was not erased", operator_text=text)
    last = erasures[-1]
    return {
        "format": FORMAT,
        "id": unit.id,
        "kind": unit.kind,
        "batch": unit.batch_id,
        "tenant": last.tenant,
        "erased_at": moment(last.at),
        "erased_by": last.actor,
        "record": last.payload,
        "digest_rule": RULE,
        "chain": {
            "payload_salt": last.salt,
            "events": [_of_chain(row) for row in events],
        },
        "paper": _paper(connection, unit.id),
    }


def _of_chain(row: Row) -> Facts:
    names = ("seq", "kind", "actor", "payload_digest", "previous", "digest")
    return {**{name: getattr(row, name) for name in names}, "at": moment(row.at)}


def _paper(connection: sa.Connection, id_: str) -> list[Facts]:
    try:
        units = list(seen(connection, id_))
    except UsageError:
        return []  # it came electronically
    names = ("ordinal", "stage", "place", "destruction")
    return [{name: getattr(row, name) for name in names} for row in units]
