"""Who uses a device: one at a time, until the lease ends by the database's clock.

A device is one, whoever's papers lie in it: a lease excludes other machines, other workstations,
and other tenants too.
"""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import NOT_RECORDED, Facts
from ingest.errors import UsageError
from ingest.ledger import accepting, schema
from ingest.ledger.engine import hold

_lease = schema.device_lease
#: What the name of a machine begins with where others stand codes of workstations.
MACHINE: Final = "host:"
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
    place: str,
    operator: str | None,
    lease: dt.timedelta,
) -> str:
    """Give the device to whoever asks, and return the token of the lease.

    A workstation lets one process at a time near a device, so what it asks for anew was left
    behind by a process that died: it gets the device, and the lease from before is lost.

    Args:
        connection: In a writing transaction.
        tenant: Whose papers are scanned.
        device: The same name from wherever the device is reached.
        place: Code of the workstation, or `MACHINE` with the name of a machine that scans itself.
        operator: Code, None where nobody has signed on.
        lease: How long it holds unless it is renewed.

    Raises:
        DeviceTaken: Another place or tenant has it; the text says who, as far as it is the
            tenant's own business, and since when.
    """
    hold(connection, f"device {device}")
    moment = accepting.now(connection)
    for held in connection.execute(sa.select(_lease).where(_lease.c.device == device)):
        if held.lease_until > moment and (held.tenant, held.station) != (tenant, place):
            raise _taken(held, tenant, moment)
    connection.execute(sa.delete(_lease).where(_lease.c.device == device))
    token = secrets.token_hex(16)
    row: Facts = {
        "tenant": tenant,
        "device": device,
        "token": token,
        "station": place,
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
            f"Das Gerät {device} war zu lange ohne Lebenszeichen und ist nicht mehr reserviert; "
            "jemand anderes kann es benutzen. Der laufende Scan geht weiter, und beim Stapel wird "
            "das vermerkt. Bitte danach die Seiten mit dem Papier vergleichen."
        )
        raise LeaseEnded(f"lease of {device} ended", operator_text=text)


def give_back(connection: sa.Connection, tenant: str, device: str, token: str) -> None:
    """End a lease; one that ended before is no error."""
    of = {"of_tenant": tenant, "of_device": device}
    connection.execute(sa.delete(_lease).where(_ONE, _lease.c.token == token), of)


def _taken(held: sa.Row[Any], tenant: str, moment: dt.datetime) -> DeviceTaken:
    minutes = int((moment - held.since_at).total_seconds() // 60)
    place = str(held.station)
    if held.tenant != tenant:
        who = "von einem anderen Mandanten"
    elif place.startswith(MACHINE):
        who = f"Rechner {place.removeprefix(MACHINE)}, Kürzel {held.operator or NOT_RECORDED}"
    else:
        who = f"Arbeitsplatz {place}, Kürzel {held.operator or NOT_RECORDED}"
    text = (
        f"Das Gerät {held.device} wird seit {minutes} Minuten benutzt ({who}). Bitte warten, bis "
        "dieser Stapel fertig ist, oder ein anderes Gerät wählen."
    )
    return DeviceTaken(f"device {held.device} is leased", operator_text=text)
