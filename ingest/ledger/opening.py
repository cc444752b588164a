"""Copies of locked sources that a person opened with a password: recorded with the release.

The password itself never comes here. What was opened belongs to its source like the
original: erasing, verifying and copying the ledger know the blob by the source's row and by
a rendition that names what it was made from.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts, Rendition, RenditionKind, Step, UnitKind
from ingest.errors import ToolFailed, UsageError
from ingest.ledger import accepting, outputs, schema
from ingest.ledger.terms import Opened, Present

Row = sa.Row[Any]
_source = schema.batch_source

_LOCKED: Final = sa.select(_source.c.ordinal, _source.c.sha256).where(
    _source.c.batch_id == sa.bindparam("of_batch")
)
_OPEN: Final = sa.update(_source).where(
    _source.c.batch_id == sa.bindparam("of_batch"),
    _source.c.ordinal == sa.bindparam("at_ordinal"),
)
_NEW_RENDITION: Final = sa.insert(schema.rendition).inline()


def keep(
    connection: sa.Connection,
    row: Row,
    opened: Sequence[Opened],
    moment: dt.datetime,
    present: Present | None,
) -> Facts:
    """Give the sources of held work their opened copies; return what its event says of them.

    Args:
        connection: In the transaction that releases the work.
        row: The work, of a batch that is not inspected yet.
        opened: The copies, nothing for a release without a password.
        moment: Now.
        present: Asks the store, see `accepting.keep_blobs`.

    Raises:
        UsageError: The work is past inspection, or there is no such source.
        ToolFailed: The store does not hold a copy.
    """
    if not opened:
        return {}
    sources = {ordinal: sha for ordinal, sha in connection.execute(_LOCKED, _of(row))}  # noqa: C416 - rows are not pairs to mypy
    if row.step != Step.INSPECTION or any(copy.ordinal not in sources for copy in opened):
        text = "Hier ist nichts mehr mit einem Kennwort zu öffnen. Bitte mit „show“ nachsehen."
        raise UsageError(f"nothing to open at {row.step}", operator_text=text)
    blobs = [(copy.sha256, copy.size) for copy in opened]
    if missing := accepting.keep_blobs(connection, row.tenant, blobs, moment, present):
        text = "Die geöffnete Fassung liegt nicht in der Ablage. Bitte noch einmal freigeben."
        message = f"opened copy missing: {', '.join(missing[:3])}"
        raise ToolFailed(message, operator_text=text, code="rendition_missing")
    places = [
        {**_of(row), "at_ordinal": copy.ordinal, "opened_sha256": copy.sha256} for copy in opened
    ]
    connection.execute(_OPEN, places)
    made = [_rendition(copy, sources[copy.ordinal]) for copy in opened]
    same = {"tenant": row.tenant, "unit_kind": UnitKind.BATCH, "unit_id": row.batch_id}
    connection.execute(
        _NEW_RENDITION, [{**same, **vars(one), "recorded_at": moment} for one in made]
    )
    rows = {
        str(copy.ordinal): outputs.row_digest(row.tenant, UnitKind.BATCH, one)
        for copy, one in zip(opened, made, strict=True)
    }
    return {"opened": {str(copy.ordinal): copy.sha256 for copy in opened}, outputs.ROWS: rows}


def _of(row: Row) -> Facts:
    return {"of_batch": row.batch_id}


def _rendition(copy: Opened, parent: str) -> Rendition:
    return Rendition(
        kind=RenditionKind.OPENED,
        sha256=copy.sha256,
        size=copy.size,
        media_type="application/pdf",
        parent_sha256=parent,
        tool=copy.tool,
        settings={"source": copy.ordinal},
    )
