"""Validation reports of signed files: which there is, and where its bytes are.

A report belongs to the batch and names its file as parent; a document has that of its source.
"""

from __future__ import annotations

from pathlib import PurePosixPath

import sqlalchemy as sa

from ingest.document import RenditionKind, UnitKind, report_sha256
from ingest.errors import UsageError
from ingest.ledger import schema, showing

_document, _source, _rendition = schema.document, schema.batch_source, schema.rendition

#: Digests of the reports about the file that is a document's original, as bound to `unit`.
OF_DOCUMENT = (
    sa.select(_rendition.c.sha256)
    .join(_document, _document.c.batch_id == _rendition.c.unit_id)
    .join(
        _source,
        sa.and_(
            _source.c.batch_id == _document.c.batch_id,
            _source.c.ordinal == _document.c.source,
            _source.c.sha256 == _rendition.c.parent_sha256,
        ),
    )
    .where(
        _document.c.id == sa.bindparam("unit"),
        _rendition.c.kind == RenditionKind.VALIDATION_REPORT,
    )
)


def locate_report(
    connection: sa.Connection, id_: str, number: int | None = None
) -> showing.Located:
    """Return where the validation report of a document's original is, for `export`.

    Args:
        connection: In a reading transaction.
        id_: Of a document, or of a batch with `number`.
        number: Which of the batch's sources, from 1.

    Raises:
        UsageError: There is no such unit, no such source, or nothing of it was validated.
    """
    unit = showing.find(connection, id_)
    if unit.kind is UnitKind.DOCUMENT or number is None:
        number = showing.only_document(connection, unit).source
    query = sa.select(_source).where(
        _source.c.batch_id == unit.batch_id, _source.c.ordinal == number
    )
    row = connection.execute(query).first()
    sha256 = None if row is None else report_sha256(row.facts)
    if row is None or sha256 is None:
        text = f"Zu {unit.id} gibt es keinen Prüfbericht über Signaturen. Bitte mit „show“ ansehen."
        raise UsageError(f"{unit.id} has no validation report", operator_text=text)
    stem = PurePosixPath(row.name).stem or unit.id
    return showing.Located(row.tenant, sha256, "application/xml", f"{stem}.pruefbericht.xml")
