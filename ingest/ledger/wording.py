"""Which recognised words belong to a document, page by page."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from ingest.document import Step
from ingest.errors import UsageError
from ingest.ledger import schema
from ingest.ledger.showing import find, only_document


@dataclass(frozen=True, kw_only=True)
class WordedPage:
    """A page of a document.

    Attributes:
        sha256: Of its image.
        words_sha256: Blob of its words, None where nothing was recognised.
        engine: Name and version of what read it.
    """

    sha256: str
    words_sha256: str | None
    engine: str | None


def worded_pages(connection: sa.Connection, id_: str) -> tuple[str, list[WordedPage]]:
    """Return the tenant and the pages, in the document's order.

    Args:
        connection: In a reading transaction.
        id_: Of a document, or of a batch with one document; see `showing.find`.

    Raises:
        UsageError: There is no such document, it has no pages, or was erased.
    """
    document = only_document(connection, find(connection, id_))
    if document.erased_at is not None or not document.pages:
        text = f"Dokument {document.id} hat keine Seiten mit erkannten Wörtern, oder ist gelöscht."
        raise UsageError(f"document {document.id} has no pages", operator_text=text)
    page = schema.page
    query = sa.select(page).where(page.c.batch_id == document.batch_id)
    found = {row.number: row for row in connection.execute(query)}
    pages = [
        WordedPage(
            sha256=row.sha256,
            words_sha256=row.words_sha256,
            engine=row.facts.get(Step.RECOGNITION, {}).get("engine"),
        )
        for row in (found[number] for number in document.pages)
    ]
    return str(document.tenant), pages
