"""Do the rows of consignments still say what envelope and sheets said? Part of `agreement`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ingest.ledger import cutting
from ingest.ledger.columns import clean_text
from ingest.ledger.surroundings import Surroundings
from ingest.ledger.testimony import Testimony

Row = sa.Row[Any]


def of_document(row: Row, heard: Testimony, around: Surroundings) -> Iterator[str]:
    """Yield what a document's consignment, and with it the date of receipt, says otherwise.

    A consignment outlives what it says of its sender, so its row is there always.
    """
    sent = around.consignments.get(row.consignment_id)
    if sent is None:
        yield "Sendung: der Eintrag fehlt"
        return
    if (sent.tenant, sent.batch_id) != (row.tenant, row.batch_id):
        yield "Sendung: gehört zu einer anderen Einlieferung"
    batch, captured = around.batches.get(row.batch_id), heard.said.get("captured")
    if captured is None or row.erased_at is not None or batch is None:
        return
    if captured.get("consignment", row.consignment_id) != row.consignment_id:
        yield "Sendung: nicht die, mit der erfasst wurde"
    if batch.erased_at is not None:
        return
    hints = row.facts.get("separation", {})
    for name, value in cutting.consignment_of(batch, hints, row.consignment_id).items():
        if getattr(sent, name) != (clean_text(value) if isinstance(value, str) else value):
            yield f"Sendung, {name}: nicht, was Umschlag und Trennblatt sagen"
