"""The registry of scanners: which are there, and as what each was released.

A device for replacing scanning is accepted and released before its first use and after every
change (BSI TR-03138 V1.5, A.O.2, A.O.3). What tells another vendor, model, serial number or
firmware than was released is not released. Not every device tells its own firmware: see
`scanners.device.Device`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import NOT_RECORDED, Facts, Role
from ingest.errors import UsageError
from ingest.ledger import accepting, chains, installation, people, schema
from ingest.ledger.inserting import insert_new
from ingest.ledger.scanning import RELEASED_AS

Row = sa.Row[Any]
_device = schema.scan_device
_NAMES: Final = MappingProxyType(
    {
        "vendor": "den Hersteller",
        "model": "das Modell",
        "serial": "die Seriennummer",
        "firmware": "die Firmware",
    }
)
#: Events of the tenant's own chain.
RELEASED: Final = "device_released"
WITHDRAWN: Final = "device_withdrawn"
_ONE: Final = sa.and_(
    _device.c.tenant == sa.bindparam("of_tenant"), _device.c.device == sa.bindparam("of_device")
)


class DeviceNotReleased(UsageError):
    """A device may not be used for replacing scanning as it is; nothing changed."""

    code = "device_not_released"


@dataclass(frozen=True, kw_only=True)
class SeenDevice:
    """A device as it told of itself.

    Attributes:
        device: Driver and serial number, or its id where it tells none.
    """

    device: str
    vendor: str
    model: str
    serial: str | None
    firmware: str | None


@dataclass(frozen=True, kw_only=True)
class ReleaseTerms:
    """On which terms a device is released.

    Attributes:
        until: From when on the release has ended, None for no end.
        inventory: Number that the house gave the device.
        without_firmware: It tells none, and somebody looked at it and knows that.
    """

    until: dt.datetime | None = None
    inventory: str | None = None
    without_firmware: bool = False


def see(connection: sa.Connection, tenant: str, seen: SeenDevice) -> Row:
    """Note that a device is there, with the firmware that it tells; return its row."""
    moment = accepting.now(connection)
    told: Facts = {
        "vendor": seen.vendor,
        "model": seen.model,
        "serial": seen.serial,
        "firmware": seen.firmware,
        "seen_at": moment,
    }
    row = {"tenant": tenant, "device": seen.device, "known_at": moment, **told}
    connection.execute(insert_new(_device, connection.dialect.name), row)
    of = {"of_tenant": tenant, "of_device": seen.device}
    connection.execute(sa.update(_device).where(_ONE).values(told), of)
    return connection.execute(sa.select(_device).where(_ONE), of).one()


def objection(connection: sa.Connection, tenant: str, seen: SeenDevice) -> str | None:
    """Say in German why a device is not released as it is, None where it is."""
    of = {"of_tenant": tenant, "of_device": seen.device}
    row = connection.execute(sa.select(_device).where(_ONE), of).first()
    remedy = (
        "Bitte durch die Leitung der Scanstelle abnehmen und freigeben lassen "
        f"(»device release {seen.device} --by KÜRZEL«) oder ein kopierendes Profil wählen und das "
        "Papier aufbewahren."
    )
    name = f"Das Gerät {seen.device} ({seen.vendor} {seen.model})"
    if row is None or row.released_at is None:
        return f"{name} ist für ersetzendes Scannen nicht freigegeben. {remedy}"
    if row.withdrawn_at is not None:
        return f"{name}: Die Freigabe wurde zurückgezogen. {remedy}"
    until = row.released_until_at
    if until is not None and until <= accepting.now(connection):
        return f"{name}: Die Freigabe ist abgelaufen. {remedy}"
    changed = [
        f"{_NAMES[of]} {getattr(seen, of) or NOT_RECORDED}, freigegeben ist "
        f"{released_as(row, of) or NOT_RECORDED}"
        for of in RELEASED_AS
        if getattr(seen, of) != released_as(row, of)
    ]
    if changed:
        return f"{name} meldet {'; '.join(changed)}. {remedy}"
    return None


def released_as(row: Row, of: str) -> str | None:
    """Return the vendor, model, serial number or firmware with which a device was released."""
    value: str | None = row._mapping[f"released_{of}"]  # noqa: SLF001 - SQLAlchemy's public name
    return value


def require_released(connection: sa.Connection, tenant: str, seen: SeenDevice) -> None:
    """Refuse a device that is not released as it is.

    Raises:
        DeviceNotReleased: The text says why, and the remedy.
    """
    text = objection(connection, tenant, seen)
    if text is not None:
        raise DeviceNotReleased(f"device {seen.device} is not released", operator_text=text)


def release(
    connection: sa.Connection,
    tenant: str,
    device: str,
    *,
    by: str,
    terms: ReleaseTerms | None = None,
) -> Facts:
    """Release a device as it told of itself last; return what was released.

    Raises:
        UsageError: It was never seen, tells no firmware and the terms do not say that this is
            known, or `by` is not the head of the scanning office; nothing changed.
    """
    terms = terms or ReleaseTerms()
    people.require_role(connection, tenant, by, Role.SUPERVISOR)
    row = _known(connection, tenant, device)
    if row.firmware is None and not terms.without_firmware:
        raise _no_firmware(row)
    moment = accepting.now(connection)
    told = {of: row._mapping[of] for of in RELEASED_AS}  # noqa: SLF001 - SQLAlchemy's public name
    values: Facts = {
        "released_by": by,
        "released_at": moment,
        **{f"released_{of}": value for of, value in told.items()},
        "released_until_at": terms.until,
        "withdrawn_by": None,
        "withdrawn_at": None,
        "inventory": terms.inventory or row.inventory,
    }
    of = {"of_tenant": tenant, "of_device": device}
    connection.execute(sa.update(_device).where(_ONE).values(values), of)
    said: Facts = {
        "device": device,
        **told,
        "until": terms.until and terms.until.isoformat(),
        "inventory": values["inventory"],
    }
    installation.note(connection, tenant, chains.Entry(RELEASED, said, by))
    return said


def withdraw(connection: sa.Connection, tenant: str, device: str, *, by: str, reason: str) -> None:
    """End the release of a device.

    Raises:
        UsageError: It is not known, or `by` is not the head of the scanning office; nothing
            changed.
    """
    people.require_role(connection, tenant, by, Role.SUPERVISOR)
    _known(connection, tenant, device)
    moment = accepting.now(connection)
    of = {"of_tenant": tenant, "of_device": device}
    ended = sa.update(_device).where(_ONE).values(withdrawn_by=by, withdrawn_at=moment)
    connection.execute(ended, of)
    said: Facts = {"device": device, "reason": reason}
    installation.note(connection, tenant, chains.Entry(WITHDRAWN, said, by))


def inventory_of(connection: sa.Connection, tenant: str, device: str) -> str | None:
    """Return the number that the house gave a device, None where it gave none."""
    of = {"of_tenant": tenant, "of_device": device}
    return connection.execute(sa.select(_device.c.inventory).where(_ONE), of).scalar()


def listed(connection: sa.Connection, tenant: str) -> list[Facts]:
    """Return all devices of a tenant, by name; times in UTC."""
    query = sa.select(_device).where(_device.c.tenant == tenant).order_by(_device.c.device)
    return [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name


def _no_firmware(row: Row) -> UsageError:
    text = (
        f"Das Gerät {row.device} ({row.vendor} {row.model}) meldet keine Firmware; ein Wechsel "
        "fiele nicht auf (TR-03138, A.O.3). Bitte die Firmware am Gerät ablesen, festhalten, "
        "wie ein Wechsel bekannt wird, und mit --without-firmware freigeben."
    )
    return UsageError(f"device {row.device} tells no firmware", operator_text=text)


def _known(connection: sa.Connection, tenant: str, device: str) -> Row:
    of = {"of_tenant": tenant, "of_device": device}
    row = connection.execute(sa.select(_device).where(_ONE).with_for_update(), of).first()
    if row is None:
        text = (
            f"Das Gerät {device} ist nicht bekannt; »device list« zeigt die bekannten. Bitte "
            "einmal darauf zu scannen versuchen: schon der Versuch macht es bekannt."
        )
        raise UsageError(f"unknown device {device}", operator_text=text)
    return row
