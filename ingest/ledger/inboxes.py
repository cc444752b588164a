"""What the ledger knows of inboxes: what lies there unaccepted, and who stands there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import sqlalchemy as sa

from ingest.document import Facts
from ingest.ledger import accepting, schema
from ingest.ledger.engine import hold
from ingest.ledger.persons import require_code
from ingest.ledger.terms import Shift, Unaccepted

_unaccepted, _shift = schema.unaccepted, schema.shift
_FETCH: Final = 500

_OF_ROOT = sa.and_(
    _unaccepted.c.tenant == sa.bindparam("of_tenant"),
    _unaccepted.c.root == sa.bindparam("of_root"),
)
_LISTED = sa.select(
    _unaccepted.c.name_base64,
    _unaccepted.c.name,
    _unaccepted.c.reason_code,
    _unaccepted.c.operator_text,
    _unaccepted.c.first_seen_at,
).where(_OF_ROOT)
_CLEAR = sa.delete(_unaccepted).where(_OF_ROOT)
_LIST = sa.insert(_unaccepted)
_CURRENT = sa.select(_shift).where(
    _shift.c.tenant == sa.bindparam("of_tenant"),
    _shift.c.inbox == sa.bindparam("of_inbox"),
    _shift.c.ended_at.is_(None),
)
_END = (
    sa.update(_shift)
    .where(
        _shift.c.tenant == sa.bindparam("of_tenant"),
        _shift.c.inbox == sa.bindparam("of_inbox"),
        _shift.c.ended_at.is_(None),
    )
    .values(ended_at=sa.bindparam("moment"))
)
_BEGIN = sa.insert(_shift).inline()


def unaccepted(connection: sa.Connection, tenant: str, root: str) -> list[Unaccepted]:
    """Return what is listed for an inbox, by name."""
    rows = connection.execute(_LISTED, {"of_tenant": tenant, "of_root": root})
    listed = [Unaccepted(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
    return sorted(listed, key=lambda entry: entry.name)


def replace_unaccepted(
    connection: sa.Connection, tenant: str, root: str, entries: Sequence[Unaccepted]
) -> None:
    """Let the listing of an inbox be exactly `entries`; who was listed keeps its first time."""
    hold(connection, f"unaccepted {tenant} {root}")
    first = {e.name_base64: e.first_seen_at for e in unaccepted(connection, tenant, root)}
    connection.execute(_CLEAR, {"of_tenant": tenant, "of_root": root})
    rows = {
        entry.name_base64: {
            "tenant": tenant,
            "root": root,
            "name_base64": entry.name_base64,
            "name": entry.name,
            "reason_code": entry.reason_code,
            "operator_text": entry.operator_text,
            "first_seen_at": min(
                first.get(entry.name_base64, entry.first_seen_at), entry.first_seen_at
            ),
        }
        for entry in entries
    }
    if rows:
        connection.execute(_LIST, list(rows.values()))


def begin_shift(
    connection: sa.Connection, tenant: str, inbox: str, operator: str, device: str | None
) -> Shift:
    """Note that `operator` (a code) stands at the inbox from now on; ends the shift before.

    Raises:
        UsageError: It is no code; nothing changed.
    """
    require_code(operator, f"Anmeldung am Eingang {inbox}".rstrip())
    hold(connection, f"shift {tenant} {inbox}")
    moment = accepting.now(connection)
    connection.execute(_END, {"of_tenant": tenant, "of_inbox": inbox, "moment": moment})
    row = {"tenant": tenant, "inbox": inbox, "operator": operator, "device": device}
    connection.execute(_BEGIN, {**row, "began_at": moment})
    return Shift(tenant=tenant, inbox=inbox, operator=operator, device=device, began_at=moment)


def end_shift(connection: sa.Connection, tenant: str, inbox: str) -> bool:
    """Note that nobody stands at the inbox any more; False if nobody did."""
    moment = accepting.now(connection)
    values = {"of_tenant": tenant, "of_inbox": inbox, "moment": moment}
    return connection.execute(_END, values).rowcount == 1


def current_shift(connection: sa.Connection, tenant: str, inbox: str) -> Shift | None:
    """Return who stands at the inbox, None if nobody has signed on."""
    row = connection.execute(_CURRENT, {"of_tenant": tenant, "of_inbox": inbox}).first()
    if row is None:
        return None
    return Shift(
        tenant=row.tenant,
        inbox=row.inbox,
        operator=row.operator,
        device=row.device,
        began_at=row.began_at,
    )


def not_accepted(connection: sa.Connection, tenant: str | None) -> Iterator[Facts]:
    """Yield what lies in an inbox and is not taken, with the reason."""
    query = sa.select(_unaccepted).order_by(
        _unaccepted.c.tenant, _unaccepted.c.root, _unaccepted.c.name_base64
    )
    if tenant is not None:
        query = query.where(_unaccepted.c.tenant == tenant)
    for row in connection.execute(query, execution_options={"yield_per": _FETCH}):
        yield unaccepted_record(
            tenant=row.tenant,
            source_name=row.name,
            name_base64=row.name_base64,
            root=row.root,
            reason_code=row.reason_code,
            reason=row.operator_text,
            first_seen_at=row.first_seen_at.isoformat(),
        )


def unaccepted_record(**known: str | int | None) -> Facts:
    """Return the record of something that is not taken, with what is known of it.

    Whoever reads records may rely on every key, wherever the refusal came from.
    """
    return {
        "message_type": "unaccepted",
        "id": None,
        "batch": None,
        "tenant": None,
        "source_name": None,
        "name_base64": None,
        "root": None,
        "sha256": None,
        "stage": None,
        "standing": None,
        "reason_code": None,
        "reason": None,
        "first_seen_at": None,
        "pages": None,
        "source_pages": [],
        "outputs": {},
        **known,
    }
