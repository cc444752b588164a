"""What leaves the house under its seal: who may release it, and one order for one letter.

An outgoing document is a batch like any other, with a chain of its own. What makes an order
the same order is the file, the class, who released it and whether the seal is to be seen.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from ingest.document import OUTGOING, Facts, RenditionKind, Role, Standing, Step
from ingest.errors import UsageError
from ingest.ledger import people, schema
from ingest.ledger.columns import canonical
from ingest.ledger.persons import require_code

if TYPE_CHECKING:
    from ingest.ledger.terms import Arrival

_ORDERS: Final = uuid.UUID("0f8c5f0e-7d3a-5c6b-9c55-3b3f0b9d2a17")
_batch, _document, _rendition = schema.batch, schema.document, schema.rendition
_ENDED_BY_A_PERSON: Final = frozenset({Standing.REJECTED, Standing.SUPERSEDED})


def order_key(connection: sa.Connection, tenant: str, sha256: str, ordered: Facts) -> str:
    """Return the receipt key of an order; the same for the same, however often it is given.

    One that a person rejected or erased is over: after it the same words are a new order.

    Args:
        connection: In a reading transaction.
        tenant: Of the authority.
        sha256: Of the file.
        ordered: Everything else that was ordered.
    """
    name = canonical({"tenant": tenant, "sha256": sha256, **ordered})
    number = 0
    while True:
        key = str(uuid.uuid5(_ORDERS, f"{number} {name}"))
        query = sa.select(_batch.c.id).where(_batch.c.receipt_key == key)
        batch_id = connection.execute(query).scalar()
        if batch_id is None or not _is_over(connection, batch_id):
            return key
        number += 1


def _is_over(connection: sa.Connection, batch_id: str) -> bool:
    units = sa.union_all(
        sa.select(_batch.c.standing, _batch.c.erased_at).where(_batch.c.id == batch_id),
        sa.select(_document.c.standing, _document.c.erased_at).where(
            _document.c.batch_id == batch_id
        ),
    )
    return any(
        unit.erased_at is not None or unit.standing in _ENDED_BY_A_PERSON
        for unit in connection.execute(units)
    )


def require_releaser(connection: sa.Connection, arrival: Arrival) -> None:
    """Refuse an outgoing arrival that nobody entitled has released.

    What gets the organisation's seal only a person entrusted with its seals releases
    (`Role.SEAL_OFFICER`). Under an installation's signature any operator code is recorded until
    the tenant has entrusted somebody; then nobody else may release that either.

    Raises:
        UsageError: There is no operator code, or its person is not entrusted; nothing changed.
    """
    code = arrival.envelope.operator
    if code is None:
        text = "Ein ausgehendes Schreiben braucht das Kürzel der Person, die es freigibt."
        raise UsageError("nobody released it", operator_text=text)
    require_code(code, code)
    of_house = arrival.profile.get("sealing", {}).get("key") == "organisation"
    if of_house or people.is_given(connection, arrival.tenant, Role.SEAL_OFFICER):
        people.require_role(connection, arrival.tenant, code, Role.SEAL_OFFICER)


def sealed(connection: sa.Connection, batch_id: str) -> Facts | None:
    """Return what is known of an outgoing document's seal, None while it has none.

    Returns:
        The facts of sealing with `document`, `batch`, `sha256_before` and `sha256`.
    """
    query = (
        sa.select(_document.c.id, _document.c.facts, _rendition.c.sha256)
        .add_columns(_rendition.c.parent_sha256)
        .join(_rendition, _rendition.c.unit_id == _document.c.id)
        .join(_batch, _batch.c.id == _document.c.batch_id)
        .where(
            _batch.c.id == batch_id,
            _batch.c.channel == OUTGOING,
            _document.c.standing == Standing.DONE,
            _document.c.erased_at.is_(None),
            _rendition.c.kind == RenditionKind.PDF,
        )
    )
    found = connection.execute(query.order_by(_rendition.c.id.desc()).limit(1)).first()
    if found is None:
        return None
    return {
        "document": found.id,
        "batch": batch_id,
        "sha256_before": found.parent_sha256,
        "sha256": found.sha256,
        **found.facts[Step.SEALING],
    }
