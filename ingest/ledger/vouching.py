"""What of a replacing document's making persons vouch for, as its note has to say it.

Which of its operator codes can be resolved to a person (BSI TR-03138 V1.5, A.NB.4a), and
which technical annex of the written procedure somebody released (A.G.1). Nothing of it is
asked for other documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ingest.document import SCANNED, Document, Facts, Step
from ingest.ledger import procedures, pseudonyms

Row = sa.Row[Any]


def vouched(
    connection: sa.Connection, rules: Facts, batch: Row, document: Document | None, quality: Facts
) -> Facts:
    """Return `procedure` and `registered` of an assignment, empty unless it replaces paper.

    Args:
        connection: In the assignment's snapshot.
        rules: Content of the document's profile.
        batch: Its row of `batch`.
        document: None for steps of a batch or page.
        quality: As `Assignment.quality`; who judged is among the codes.
    """
    if document is None or rules["treatment"] != "replacing":
        return {}
    codes = {code for code in _codes(batch, document, quality) if code}
    known = pseudonyms.resolvable(connection, batch.tenant, codes, batch.registered_at)
    return {"procedure": procedures.annex(connection, batch.tenant), "registered": known}


def _codes(batch: Row, document: Document, quality: Facts) -> Iterator[str | None]:
    yield batch.operator
    yield from batch.facts.get(SCANNED, {}).get("operators", ())
    yield document.facts.get(Step.SEPARATION, {}).get("operator")
    yield from quality.get("checked_by", ())
    yield (quality.get("verdict") or {}).get("by")
    for rescan in quality.get("rescanned", ()):
        yield rescan.get("by")
