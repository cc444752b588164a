"""Intermediate results of confidential documents go once the sealed file was delivered.

TR-03138 V1.5 A.AM.VT.H.3 demands it from confidentiality "high" on; a house may have it for all
classes. Gone are the PDFs before note and seal. The order is fixed: the match is confirmed, the
file sealed, delivered, and only then something deleted. What was scanned stays, because the
checks compare with it (A.NB.2), and so do recognised words, which a later revision takes over;
both inherit the confidentiality of the scan and go when it is erased.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts, RenditionKind, Standing
from ingest.ledger import accepting, chains, schema, unreferenced
from ingest.ledger.replacement import counts_as_replacing

Row = sa.Row[Any]
_document, _batch, _rendition = schema.document, schema.batch, schema.rendition
_version = schema.profile_version

#: The deletion record, in the document's own chain.
REMOVED: Final = "intermediates_removed"
_KINDS: Final = (RenditionKind.COMPOSED, RenditionKind.NOTED)
_CONFIDENTIAL: Final = frozenset({"high", "very_high"})
_FINISHED: Final = sa.text(
    "document.stage IN ('delivered', 'acknowledged') AND document.erased_at IS NULL"
)


def due(connection: sa.Connection, tenant: str, *, every_class: bool, most: int) -> list[str]:
    """Return documents whose intermediate results have to go, oldest first.

    Args:
        connection: In a reading transaction.
        tenant: Whose documents.
        every_class: Not only those of confidential classes.
        most: How many at most.
    """
    rules = _rules(connection, tenant, every_class=every_class)
    if not rules:
        return []
    used = sa.func.coalesce(_document.c.profile_sha256, _batch.c.profile_sha256)
    left = sa.exists().where(_rendition.c.unit_id == _document.c.id, _rendition.c.kind.in_(_KINDS))
    sealed = sa.exists().where(
        _rendition.c.unit_id == _document.c.id, _rendition.c.kind == RenditionKind.PDF
    )
    query = (
        sa.select(_document.c.id, _document.c.facts, used.label("rules"))
        .join(_batch, _batch.c.id == _document.c.batch_id)
        .where(_document.c.tenant == tenant, _FINISHED, used.in_(sorted(rules)), left, sealed)
        .where(_document.c.standing == Standing.DONE)
        .order_by(_document.c.id)
    )
    found = (row.id for row in connection.execute(query) if _confirmed(rules[row.rules], row.facts))
    return [id_ for id_, _ in zip(found, range(most), strict=False)]


def _rules(connection: sa.Connection, tenant: str, *, every_class: bool) -> dict[str, Facts]:
    """Return the profile versions concerned, by digest."""
    query = sa.select(_version.c.sha256, _version.c.content).where(_version.c.tenant == tenant)
    return {
        row.sha256: row.content
        for row in connection.execute(query)
        if every_class
        or (row.content.get("protection") or {}).get("confidentiality") in _CONFIDENTIAL
    }


def _confirmed(rules: Facts, facts: Facts) -> bool:
    return rules.get("treatment") != "replacing" or counts_as_replacing(facts)


def remove(connection: sa.Connection, document_id: str) -> list[str]:
    """Take away a document's intermediate results and record that in its chain.

    Args:
        connection: In a writing transaction.
        document_id: One that `due` named.

    Returns:
        The digests that nobody refers to any more; their bytes go before the commit.
    """
    query = sa.select(_document).where(_document.c.id == document_id).with_for_update()
    row = connection.execute(query).one()
    if row.erased_at is not None or row.standing != Standing.DONE:
        return []
    chosen = sa.and_(_rendition.c.unit_id == document_id, _rendition.c.kind.in_(_KINDS))
    made = sa.select(_rendition.c.kind, _rendition.c.sha256).where(chosen)
    gone = sorted({(made.kind, made.sha256) for made in connection.execute(made)})
    if not gone:
        return []
    connection.execute(sa.delete(_rendition).where(chosen))
    said: Facts = {"gone": [list(one) for one in gone], "method": "aus Verzeichnis und Ablage"}
    chains.append(connection, document_id, accepting.now(connection), chains.Entry(REMOVED, said))
    return unreferenced.forget(connection, row.tenant, {sha256 for _, sha256 in gone})
