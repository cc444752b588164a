"""Held work that only the head of the scanning office lets go on, and nobody who scanned it.

Whoever scanned on a device that nobody released, or without being known, must not be the one who
lets it pass (Vier-Augen-Prinzip; BSI TR-03138 V1.5, A.O.1e-g, A.O.2, A.AM.IN.SH.1). Trying again
decides nothing, so it does not help here.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Role
from ingest.errors import UsageError
from ingest.ledger import people, schema
from ingest.ledger.makers import scanned_by

Row = sa.Row[Any]
_batch, _document = schema.batch, schema.document

#: Codes of a scan whose makers are not known, of several devices, made otherwise than its profile
#: asks, of a sheet without its back, and of a stack that the house ended with gaps.
OPERATOR_UNKNOWN: Final = "operator_unknown"
OTHER_DEVICE: Final = "other_device"
SETTINGS_DIFFER: Final = "settings_differ"
BACK_MISSING: Final = "back_missing"
PAGES_MISSING: Final = "pages_missing"
#: What is wrong with the work, by the code that it is held with.
_RESERVED: Final = MappingProxyType(
    {
        "device_not_released": "wurde auf einem nicht freigegebenen Gerät gescannt",
        "profile_not_released": "braucht ein Profil, das nicht freigegeben ist",
        OPERATOR_UNKNOWN: "wurde nicht durchweg von gemeldeten Personen gescannt",
        OTHER_DEVICE: "wurde nicht durchweg auf einem Gerät gescannt",
        SETTINGS_DIFFER: "wurde mit anderen Einstellungen gescannt, als das Profil verlangt",
        BACK_MISSING: "enthält ein Blatt ohne Rückseite",
        PAGES_MISSING: "wurde abgeschlossen, obwohl Seiten fehlen",
    }
)
_MADE: Final = sa.select(_batch.c.operator, _batch.c.facts).where(
    _batch.c.id == sa.bindparam("of_batch")
)
_FACTS: Final = sa.select(_document.c.facts).where(_document.c.id == sa.bindparam("of_document"))


def refuse_retry(row: Row) -> None:
    """Refuse to try work again that waits for the head of the scanning office.

    Args:
        row: Of the open work.

    Raises:
        UsageError: It does; the text says what is wrong and what to do.
    """
    if (what := _RESERVED.get(str(row.reason_code))) is None:
        return
    text = (
        f"{row.unit_id} {what}; ein neuer Versuch ändert daran nichts. Bitte die Leitung der "
        f"Scanstelle entscheiden lassen: »release {row.unit_id} --operator KÜRZEL --reason GRUND« "
        "durch eine Person, die nicht daran gescannt hat, oder »reject«."
    )
    raise UsageError(f"{row.unit_id} needs a supervisor's release", operator_text=text)


def require_entitled(connection: sa.Connection, row: Row, by: str) -> None:
    """Refuse the release of such work by anybody but a supervisor who did not scan it.

    Args:
        connection: Of the release.
        row: Of the open work that is released.
        by: Operator code.

    Raises:
        UsageError: `by` is no supervisor, or is among those who scanned.
    """
    if str(row.reason_code) not in _RESERVED:
        return
    people.require_role(connection, row.tenant, by, Role.SUPERVISOR)
    made = connection.execute(_MADE, {"of_batch": row.batch_id}).one()
    document = connection.execute(_FACTS, {"of_document": row.document_id}).scalar() or {}
    for code in scanned_by(made.operator, document, made.facts):
        if code is not None:
            done = {"Scannen": code}
            people.require_apart(connection, row.tenant, {"Freigabe": by}, done=done)
