"""Whose certificate sealed a document here: what its event chain says.

A certificate of the same authority is no seal of the house, so who judges a seal asks which one
the house used then. Tokens are renewed and exchanged; the event stays.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from ingest.document import Facts
from ingest.ledger import chains, schema
from ingest.ledger.integrity import events_of, is_genuine

#: Under which name facts and events have the digest of the certificate.
CERTIFICATE: Final = "certificate_sha256"
SEALED: Final = "sealed"
SUPPLEMENT_SEALED: Final = "confirmation_sealed"


def sealers_of(connection: sa.Connection, document: str, kind: str = SEALED) -> frozenset[str]:
    """Return the digest (SHA-256) of the certificate that the last sealing of a document used.

    Events of before did not name it; they bind the facts in which it stands by a digest.

    Args:
        connection: In a transaction.
        document: Its whole id.
        kind: Which seal: that of the PDF, or of the supplementary note.

    Returns:
        One digest; none where no genuine event says any, which no certificate fits.
    """
    found = [event for event in events_of(connection, [document]) if event.kind == kind]
    if not found or found[-1].salt is None or not is_genuine(found[-1]):
        return frozenset()
    said: Facts = found[-1].payload
    used = said.get(CERTIFICATE) or _bound(connection, document, said)
    return frozenset() if used is None else frozenset({str(used)})


def _bound(connection: sa.Connection, document: str, said: Facts) -> str | None:
    query = sa.select(schema.document.c.facts).where(schema.document.c.id == document)
    facts: Facts = (connection.execute(query).scalar() or {}).get(said.get("step"), {})
    facts = {key: value for key, value in facts.items() if key != "recorded_at"}
    if chains.facts_digest(facts) != said.get("facts_sha256"):
        return None
    used: str | None = facts.get(CERTIFICATE)
    return used
