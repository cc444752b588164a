"""Under which versions of a profile work may begin.

Replacing classes need an approved version (BSI TR-03138 V1.5, A.SC.6); all others work with
`released = true` in their file alone, and not with a version that was withdrawn. It is asked
inside the transaction that accepts an arrival or records the documents of a class, so that
nothing begins between a withdrawal and its asking.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import sqlalchemy as sa

from ingest.errors import ProfileInvalid
from ingest.ledger import schema

DRAFT: Final = "draft"
TESTED: Final = "tested"
APPROVED: Final = "approved"
WITHDRAWN: Final = "withdrawn"
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
    writes = connection.get_execution_options().get("writes", False)
    query = _STAGE_KEPT if writes else _STAGE
    stage = connection.execute(query, {"of_tenant": tenant, "of_sha256": sha256}).scalar()
    if stage == APPROVED or (stage != WITHDRAWN and treatment != "replacing"):
        return
    state = "nicht eingereicht" if stage is None else STAGES[stage]
    text = (
        f"Profil '{name}': Genau diese Fassung ({sha256[:12]}…) ist für diesen Mandanten nicht "
        f"freigegeben (Stand: {state}). Bitte durch die Leitung der Scanstelle freigeben lassen "
        f"(»profile submit {name}«, »profile test«, »profile approve«; Handbuch, „Ersetzend "
        "scannen“) oder ein kopierendes Profil wählen und das Papier aufbewahren."
    )
    message = f"profile {name!r} {sha256} is {stage or 'unknown'}"
    raise ProfileInvalid(message, operator_text=text, code="profile_not_released")
