"""Under which versions of a profile work may begin.

Replacing classes need an approved version (BSI TR-03138 V1.5, A.SC.6); all others work with
`released = true` in their file alone, and not with a version that was withdrawn. It is asked
inside the transaction that accepts an arrival or records the documents of a class, so that
nothing begins between a withdrawal and its asking.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

import sqlalchemy as sa

from ingest.errors import ProfileInvalid
from ingest.ledger import schema
from ingest.ledger.terms import Arrival

DRAFT: Final = "draft"
TESTED: Final = "tested"
APPROVED: Final = "approved"
WITHDRAWN: Final = "withdrawn"
#: Why something is refused, or held, under a version that may not be worked with.
NOT_RELEASED: Final = "profile_not_released"
#: As people read them.
STAGES: Final = MappingProxyType(
    {
        DRAFT: "Entwurf",
        TESTED: "getestet",
        APPROVED: "freigegeben",
        WITHDRAWN: "zurückgezogen",
    }
)
_STAGE: Final = sa.select(schema.profile_file.c.stage).where(
    schema.profile_file.c.tenant == sa.bindparam("of_tenant"),
    schema.profile_file.c.sha256 == sa.bindparam("of_sha256"),
)
_STAGE_KEPT: Final = _STAGE.with_for_update(read=True)


def require_admitted(
    connection: sa.Connection, tenant: str, name: str, sha256: str, treatment: str
) -> None:
    """Refuse new work under a version that nobody lets into work.

    In a writing transaction the version stays as it is until the end of it.

    Raises:
        ProfileInvalid: `profile_not_released`: a replacing class that is not approved, or any
            that was withdrawn; the text says which remedy there is.
    """
    refusal = _refusal(connection, tenant, name, sha256, treatment)
    if refusal is not None:
        raise refusal


def _refusal(
    connection: sa.Connection, tenant: str, name: str, sha256: str, treatment: str
) -> ProfileInvalid | None:
    writes = connection.get_execution_options().get("writes", False)
    query = _STAGE_KEPT if writes else _STAGE
    stage = connection.execute(query, {"of_tenant": tenant, "of_sha256": sha256}).scalar()
    if stage == APPROVED or (stage != WITHDRAWN and treatment != "replacing"):
        return None
    state = "nicht eingereicht" if stage is None else STAGES[stage]
    text = (
        f"Profil '{name}': Genau diese Fassung ({sha256[:12]}…) ist für diesen Mandanten nicht "
        f"freigegeben (Stand: {state}). Bitte durch die Leitung der Scanstelle freigeben lassen "
        f"(»profile submit {name}«, »profile test«, »profile approve«; Handbuch, „Ersetzend "
        "scannen“) oder ein kopierendes Profil wählen und das Papier aufbewahren."
    )
    message = f"profile {name!r} {sha256} is {stage or 'unknown'}"
    return ProfileInvalid(message, operator_text=text, code=NOT_RELEASED)


def held_if_withdrawn(connection: sa.Connection, arrival: Arrival) -> Arrival:
    """Hold what began under a version that was let in then, and is not any more."""
    name, treatment = arrival.envelope.profile, arrival.profile["treatment"]
    refusal = _refusal(connection, arrival.tenant, name, arrival.profile_sha256, treatment)
    if refusal is None:
        return arrival
    known = "" if arrival.held is None else f"{arrival.held[1]} "
    text = (
        f"{refusal.operator_text} Der Stapel wurde begonnen, als die Fassung noch galt; seine "
        "Seiten sind gesichert. Bitte freigeben oder zurückweisen."
    )
    return replace(arrival, held=(NOT_RELEASED, known + text))
