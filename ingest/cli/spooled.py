"""Stacks that were scanned on this machine and that the ledger has not wholly, for lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.cli.scanning import scanning_home
from ingest.document import Facts

if TYPE_CHECKING:
    from ingest.cli.app import App


def spooled(app: App, tenant: str | None = None) -> list[Facts]:
    """Return a record of each, oldest first, as `unaccepted` with the stack's key.

    Ask before the ledger is listed: what is carried meanwhile stands there then. Only this machine
    is looked at; what lies at scan stations they say themselves.

    Args:
        app: The installation.
        tenant: Whose; None for all that are configured.
    """
    wanted = [each for each in app.settings.tenants if tenant in (None, each)]
    return [record for each in wanted for record in _of(app, each)]


def _of(app: App, tenant: str) -> list[Facts]:
    from scanners.stack.shelf import known

    home = scanning_home(app, tenant)
    if not known(home):
        return []
    from console.texts import local_time
    from ingest.ledger.inboxes import unaccepted_record
    from scanners.direct.uncarried import uncarried

    zone = app.settings.house.zone

    records = []
    with app.ledger.reading() as connection:
        for left in uncarried(connection, tenant, home):
            since = None if left.since is None else left.since.isoformat()
            moment = "" if since is None else f" Gescannt ab {local_time(since, zone)}."
            records.append(
                unaccepted_record(
                    batch=left.batch_id,
                    tenant=tenant,
                    source_name=f"Stapel {left.key[:8]}",
                    root=str(left.folder),
                    reason_code=left.code,
                    reason=left.text + moment,
                    first_seen_at=since,
                    pages=left.pages,
                    sheets=left.sheets,
                    stack=left.key,
                )
            )
    return records
