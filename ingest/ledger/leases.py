"""Who uses a device: one at a time, until the lease ends by the database's clock."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Final

import sqlalchemy as sa

from ingest.document import NOT_RECORDED, Facts
from ingest.errors import UsageError
from ingest.ledger import accepting, schema
from ingest.ledger.engine import hold

_lease = schema.device_lease
_ONE: Final = sa.and_(
    _lease.c.tenant == sa.bindparam("of_tenant"), _lease.c.device == sa.bindparam("of_device")
)


class DeviceTaken(UsageError):
    """Somebody else uses the device; nothing changed."""

    code = "device_leased"


class LeaseEnded(UsageError):
    """The lease ended before, and may be somebody else's now; nothing changed."""

    code = "lease_lost"


def take(
    connection: sa.Connection,
    tenant: str,
    device: str,
    *,
    station: str | None,
    operator: str | None,
    lease: dt.timedelta,
) -> str:
    """Give the device to whoever asks, and return the token of the lease.

    A workstation lets one process at a time near a device, so what it asks for anew was left
    behind by a process that died: it gets the device, and the lease from before is lost.

    Raises:
        DeviceTaken: Another workstation has it; the text says who and since when.
    """
    hold(connection, f"device {tenant} {device}")
    of = {"of_tenant": tenant, "of_device": device}
    moment = accepting.now(connection)
    held = connection.execute(sa.select(_lease).where(_ONE), of).first()
    if held is not None and held.lease_until > moment and held.station != station:
        minutes = int((moment - held.since_at).total_seconds() // 60)
        text = (
            f"Das Gerät {device} wird seit {minutes} Minuten benutzt (Arbeitsplatz "
            f"{held.station or 'dieses Servers'}, Kürzel {held.operator or NOT_RECORDED}). Bitte "
            "warten, bis dieser Stapel fertig ist, oder ein anderes Gerät wählen."
        )
        raise DeviceTaken(f"device {device} is leased", operator_text=text)
    connection.execute(sa.delete(_lease).where(_ONE), of)
    token = secrets.token_hex(16)
    row: Facts = {
        "tenant": tenant,
        "device": device,
        "token": token,
        "station": station,
        "operator": operator,
        "since_at": moment,
        "lease_until": moment + lease,
    }
    connection.execute(sa.insert(_lease), row)
    return token


def renew(
    connection: sa.Connection, tenant: str, device: str, token: str, lease: dt.timedelta
) -> None:
    """Let the lease end `lease` from now.

    A lease that ran out and that nobody else took meanwhile goes on.

    Raises:
        LeaseEnded: Somebody else has the device, or had it.
    """
    until = accepting.now(connection) + lease
    of = {"of_tenant": tenant, "of_device": device}
    changed = sa.update(_lease).where(_ONE, _lease.c.token == token).values(lease_until=until)
    if connection.execute(changed, of).rowcount != 1:
        text = (
            f"Das Gerät {device} war zu lange ohne Lebenszeichen und ist nicht mehr reserviert. "
            "Bitte den Scan neu beginnen; die bis dahin gescannten Blätter sind gesichert."
        )
        raise LeaseEnded(f"lease of {device} ended", operator_text=text)


def give_back(connection: sa.Connection, tenant: str, device: str, token: str) -> None:
    """End a lease; one that ended before is no error."""
    of = {"of_tenant": tenant, "of_device": device}
    connection.execute(sa.delete(_lease).where(_ONE, _lease.c.token == token), of)
