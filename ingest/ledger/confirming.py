"""A clerk's result for a delivered document opens work: its supplementary note (F 5.1).

The document stays delivered; its standing shows how that work stands. The note is written,
sealed and delivered beside the document by steps of their own (`CONFIRMATION`). Whether the
document counts as replacing is asked here: by its own note, or by a supplementary note that
says so and is delivered.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import PLAN, Facts, Standing, Step, UnitKind
from ingest.errors import UsageError
from ingest.ledger import accepting, chains, openwork, schema
from ingest.ledger.moves import move

Row = sa.Row[Any]

#: The event of a document whose match a clerk judged and whose supplementary note is owed.
OWED: Final = "confirmation_owed"
#: The event that ends it.
GIVEN: Final = PLAN[UnitKind.DOCUMENT, Step.CONFIRMATION_DELIVERY].event
_REPLACING: Final = "ersetzend"
_PRIORITY = sa.select(schema.batch.c.priority).where(schema.batch.c.id == sa.bindparam("of_batch"))
_NEW_CLAIM = sa.insert(schema.claim).inline()


def begin(connection: sa.Connection, document: Row, moment: dt.datetime) -> None:
    """Open the work that makes, seals and delivers the supplementary note of a document.

    What the note says, its step reads from the recorded result (`Assignment.quality`), so the
    result is recorded in the same transaction.

    Args:
        connection: In a writing transaction in which the document's row is locked.
        document: Its row of `document`: delivered, done, and the newest revision.
        moment: The database's time.

    Raises:
        UsageError: It is not delivered, is erased or replaced, has its supplementary note, or
            one is being made; nothing changed.
    """
    if document.standing != Standing.DONE or document.erased_at is not None:
        text = f"Dokument {document.id} ist nicht zugestellt, oder es ist gelöscht oder ersetzt."
        raise UsageError(f"{document.id} takes no supplementary note", operator_text=text)
    at_work = sa.select(schema.claim.c.id).where(schema.claim.c.unit_id == document.id)
    if Step.CONFIRMING in document.facts or connection.execute(at_work).first() is not None:
        text = f"Zu Dokument {document.id} gibt es schon einen Ergänzungsvermerk."
        raise UsageError(f"{document.id} has its supplementary note", operator_text=text)
    standing = move(document.standing, Standing.READY)
    priority = connection.execute(_PRIORITY, {"of_batch": document.batch_id}).scalar_one()
    row = accepting.work(
        UnitKind.DOCUMENT,
        document.id,
        Step.CONFIRMING,
        tenant=document.tenant,
        batch_id=document.batch_id,
        document_id=document.id,
        priority=priority,
        since_at=moment,
    )
    connection.execute(_NEW_CLAIM, row)
    openwork.show(connection, UnitKind.DOCUMENT, document.id, moment, standing=standing)
    chains.append(connection, document.id, moment, chains.Entry(OWED))


def counts_as_replacing(facts: Facts) -> bool:
    """Tell whether a document with these facts replaces its paper.

    By its transfer note, or by the supplementary note once that is delivered. Whether the paper
    may go is another question, with conditions of its own.
    """
    if facts.get(Step.NOTE, {}).get("treatment") == _REPLACING:
        return True
    given = Step.CONFIRMATION_DELIVERY in facts
    return given and facts.get(Step.CONFIRMING, {}).get("treatment") == _REPLACING


def delivered(facts: Facts) -> Facts:
    """Return what was recorded of a document's delivery, with what was delivered beside it later.

    The `files` are of both, the second `.ready` file included.
    """
    first: Facts = facts.get(Step.DELIVERY, {})
    later: Facts = facts.get(Step.CONFIRMATION_DELIVERY, {})
    if not later:
        return first
    ready = {f"{later['stem']}.ready": hashlib.sha256().hexdigest()}
    return {**first, "files": {**first.get("files", {}), **later["files"], **ready}}
