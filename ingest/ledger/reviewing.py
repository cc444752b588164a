"""Documents that wait for a person's look: asked for by checking, ended by a named person.

The look stops nothing. `document.review_open` says that one is owed; it follows from the
facts of checking and the events of the document, and a partial index makes it cheap to ask.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts, Role, Step
from ingest.errors import UsageError
from ingest.ledger import accepting, chains, people, schema
from ingest.ledger.columns import clean_text
from ingest.ledger.persons import require_code

Row = sa.Row[Any]
_document = schema.document

#: The event with which a person says that they looked.
REVIEWED: Final = "reviewed"
#: A literal, not a parameter: only that lets the planner use the partial index.
IS_OPEN: Final = _document.c.review_open == sa.literal_column("1")

_LOCKED = sa.select(_document).where(_document.c.id == sa.bindparam("unit")).with_for_update()
_CLOSE = (
    sa.update(_document)
    .where(_document.c.id == sa.bindparam("unit"))
    .values(review_open=0, changed_at=sa.bindparam("moment"))
)


def reasons(facts: Facts) -> list[Facts]:
    """Return why checking asks for a look at a document with these facts, nothing if it does not.

    Each is `{"code", "pages", "text"}`, see `workers.review`.
    """
    found: list[Facts] = facts.get(Step.CHECKING, {}).get("review", [])
    return found


def flagged(facts: Facts) -> list[int]:
    """Return the pages of a document that checking flagged, by arrival number."""
    return sorted({page for why in reasons(facts) for page in why["pages"]})


def reviewed(connection: sa.Connection, document_id: str, by: str, reason: str) -> None:
    """Note that a person looked at a document; what they found is their `reason`.

    Raises:
        UsageError: There is no such document, nobody asked for a look or somebody has looked,
            or `by` is no operator code, or no checker where there are any; nothing changed.
    """
    require_code(by, document_id)
    if not reason.strip():
        text = f"{document_id}: Es fehlt die Angabe --reason (Ergebnis der Prüfung)."
        raise UsageError(f"no reason for {document_id}", operator_text=text)
    row = connection.execute(_LOCKED, {"unit": clean_text(document_id)}).first()
    if row is None:
        text = f"{document_id} ist kein Dokument. Bitte mit »list --review« nachsehen."
        raise UsageError(f"{document_id} is no document", operator_text=text)
    if not row.review_open:
        text = f"Dokument {document_id} wartet auf keine Prüfung durch eine Person."
        raise UsageError(f"{document_id} waits for no review", operator_text=text)
    people.require_if_given(connection, row.tenant, by, Role.CHECKER)
    moment = accepting.now(connection)
    connection.execute(_CLOSE, {"unit": row.id, "moment": moment})
    said = {"reason": reason, "codes": [entry["code"] for entry in reasons(row.facts)]}
    chains.append(connection, row.id, moment, chains.Entry(REVIEWED, said, by))
