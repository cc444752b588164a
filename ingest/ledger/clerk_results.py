"""What the clerk found who works with a delivered document: quality assurance afterwards.

The document was delivered as copying ("Übereinstimmung noch nicht bestätigt"). The result flows
back (BSI TR-03138 V1.5, A.NB.3); only then does it count as replacing (F 5.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ingest.document import Role, Stage
from ingest.errors import UsageError
from ingest.ledger import accepting, confirming, judgement, people, quality, reviewing, schema
from ingest.ledger.judgement import Judged, Look
from profiles.protection import highest

Row = sa.Row[Any]
_member, _document = schema.quality_document, schema.document

_BATCH = sa.select(schema.batch).where(schema.batch.c.id == sa.bindparam("of_batch"))
_ONE = sa.select(_document).where(_document.c.id == sa.bindparam("unit")).with_for_update()
_MEMBER = sa.select(_member).where(_member.c.document_id == sa.bindparam("unit"))
_PROFILE = sa.select(schema.profile_version.c.content).where(
    schema.profile_version.c.tenant == sa.bindparam("of_tenant"),
    schema.profile_version.c.sha256 == sa.bindparam("of_sha256"),
)


def clerk_result(connection: sa.Connection, document_id: str, look: Look) -> Judged:
    """Record what the clerk found who works with a delivered document (`by_clerk`).

    A supplementary note that says so is begun either way (`confirming.begin`). Where it matches,
    the document counts as replacing once that is delivered; where not, it stays copying and its
    paper is kept.

    Raises:
        UsageError: Another class, not delivered, judged before, not a clerk or (need "very
            high" of the batch) whoever scanned, a page the document does not have, a flagged
            page without verdict, or no reason for a mismatch; nothing changed.
    """
    unit = judgement.document_of(connection, document_id)
    row = connection.execute(_ONE, {"unit": unit.id}).one()
    batch = connection.execute(_BATCH, {"of_batch": row.batch_id}).one()
    values = {"of_tenant": row.tenant, "of_sha256": row.profile_sha256 or batch.profile_sha256}
    rules = quality.rules_of(connection.execute(_PROFILE, values).scalar_one())
    if rules is None or rules.quality.check != quality.BY_CLERK:
        text = f"Dokument {unit.id}: Seine Klasse sieht kein Ergebnis der Sachbearbeitung vor."
        raise UsageError(f"{unit.id} is not checked by clerks", operator_text=text)
    _require_delivered(row)
    if connection.execute(_MEMBER, {"unit": unit.id}).first() is not None:
        text = f"Zu Dokument {unit.id} liegt das Ergebnis schon vor."
        raise UsageError(f"{unit.id} has its result", operator_text=text)
    people.require_role(connection, row.tenant, look.by, Role.CLERK)
    need = highest(iter([rules.need, (batch.protection or {}).get("integrity", rules.need)]))
    apart = judgement.apart_of(connection, row, look.by, need)
    good = judgement.is_good(look, rules.quality.match)
    flagged = reviewing.flagged(row.facts)
    _require_whole(row, flagged, look, good=good)
    moment = accepting.now(connection)
    member = {"document_id": unit.id, "batch_id": row.batch_id, "tenant": row.tenant}
    member |= {"rule": quality.BY_CLERK, "need": need, "match": rules.quality.match}
    member |= {"selected": 1, "why": "clerk", "flagged": flagged, "pages": []}
    connection.execute(sa.insert(_member), member)
    said = judgement.account_of(connection, row, look, good, apart)
    judgement.write(connection, row, look, {**said, "role": Role.CLERK}, moment)
    confirming.begin(connection, row, moment)
    state = "confirmed" if good else "refused"
    warning = judgement.warning(need, apart=apart)
    return Judged(document=unit.id, good=good, state=state, warning=warning)


def _require_whole(row: Row, flagged: Sequence[int], look: Look, *, good: bool) -> None:
    judgement.require_pages(row.id, look.pages, row.pages)
    if good:
        judgement.require_flagged(row.id, flagged, look.pages)
    else:
        judgement.require_reason(row.id, look.reason)


def _require_delivered(row: Row) -> None:
    if row.erased_at is not None or row.superseded_by is not None:
        text = f"Dokument {row.id} ist gelöscht oder ersetzt; ein Ergebnis gilt der neuen Fassung."
        raise UsageError(f"{row.id} is over", operator_text=text)
    if row.stage not in (Stage.DELIVERED, Stage.ACKNOWLEDGED):
        text = f"Dokument {row.id} ist noch nicht zugestellt (Stufe {row.stage})."
        raise UsageError(f"{row.id} is not delivered", operator_text=text)
