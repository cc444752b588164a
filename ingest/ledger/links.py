"""What lay inside what, as it stands now.

A document's facts keep its links as it was cut: their digest is in its chain, and they are
never rewritten. Where a later revision has taken the place of a linked document, whoever reads
the links is shown the newest one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import sqlalchemy as sa

from ingest.document import Facts
from ingest.ledger import schema

_document = schema.document
#: The hint of a document that lay in another one's original: `document`, `source`.
COVER: Final = "enclosure_of"
#: The hint of that other one: `document`, `name`, `sha256` of each that lay inside.
ENCLOSED: Final = "enclosed"


def successors(connection: sa.Connection, batches: Collection[str]) -> dict[str, str]:
    """Return the newest revision of every superseded document of `batches`, by its id."""
    query = sa.select(_document.c.id, _document.c.superseded_by).where(
        _document.c.batch_id.in_(batches), _document.c.superseded_by.is_not(None)
    )
    following = {row.id: row.superseded_by for row in connection.execute(query)}
    return {id_: _last(id_, following) for id_ in following}


def _last(id_: str, following: Mapping[str, str]) -> str:
    while id_ in following:
        id_ = following[id_]
    return id_


def current(hints: Facts, newest: Mapping[str, str]) -> Facts:
    """Return what separation said of a document, its links naming the newest revisions."""
    changed: Facts = {}
    if link := hints.get(COVER):
        changed[COVER] = _renewed(link, newest)
    if enclosed := hints.get(ENCLOSED):
        changed[ENCLOSED] = [_renewed(entry, newest) for entry in enclosed]
    return {**hints, **changed}


def _renewed(link: Facts, newest: Mapping[str, str]) -> Facts:
    return {**link, "document": newest.get(link["document"], link["document"])}
