"""Giving up stacks: what was scanned goes, that it was there stays on record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from ingest.document import Facts
from ingest.ledger import (
    accepting,
    chains,
    clerks,
    installation,
    people,
    schema,
    stacks,
    unreferenced,
)

_stack, _page = schema.stack, schema.stack_page
#: Event of the tenant's own chain.
DISCARDED: Final = "stack_discarded"


@dataclass(frozen=True, kw_only=True)
class GivenUp:
    """A stack that was given up.

    Attributes:
        pages: How many were taken of it, replaced ones too.
        digests: Of its bytes, each once.
        free: Digests of them that nobody else refers to, for whoever erases the bytes before the
            commit.
    """

    tenant: str
    key: str
    pages: int
    digests: list[str]
    free: list[str]


def discard(connection: sa.Connection, id_: str, by: str, reason: str) -> GivenUp | None:
    """Give up a stack that was not closed: its pages go, that it was there stays on record.

    Returns:
        What it was; None where no open stack has this id.

    Raises:
        UsageError: No operator code, no reason, or `by` is not entrusted with it; nothing
            changed.
    """
    query = sa.select(_stack).where(_stack.c.id == id_, stacks.IS_OPEN)
    row = connection.execute(query.with_for_update()).first()
    if row is None:
        return None
    clerks.require("Löschen", by, reason)
    people.require_known(connection, row.tenant, by)
    pages = stacks.pages_of(connection, row.id)
    connection.execute(sa.delete(_page).where(_page.c.stack_id == row.id))
    gone: Facts = {"said": {}, "anomalies": [], "device": "", "discarded_by": by}
    gone["discarded_at"] = accepting.now(connection)
    connection.execute(sa.update(_stack).where(_stack.c.id == row.id).values(gone))
    said: Facts = {"stack": row.id, "pages": len(pages), "reason": reason}
    installation.note(connection, row.tenant, chains.Entry(DISCARDED, said, by))
    digests = sorted({page.sha256 for page in pages})
    return GivenUp(
        tenant=row.tenant,
        key=row.key,
        pages=len(pages),
        digests=digests,
        free=unreferenced.forget(connection, row.tenant, digests),
    )


def note_unknown(
    connection: sa.Connection, tenant: str, key: str, pages: int | None, *, by: str, reason: str
) -> None:
    """Say that pages are erased at their workstation which the ledger never had.

    Raises:
        UsageError: No operator code, no reason, or `by` is no person of the house; nothing
            changed.
    """
    clerks.require("Löschen", by, reason)
    people.require_known(connection, tenant, by)
    said: Facts = {"stack": key, "pages": pages, "reason": reason}
    installation.note(connection, tenant, chains.Entry(DISCARDED, said, by))
