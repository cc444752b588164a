"""`device` and `station`: which scanners are released, and which workstations may hand over."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import click

from console.texts import local_time
from ingest.cli.app import App, print_json, with_app
from ingest.cli.options import code_option, reason_option, tenant_option
from ingest.document import NOT_RECORDED

_BY = code_option("--by", "Leitung der Scanstelle.")
_ADDED_BY = code_option("--by", "Wer es tut (Administration).")


@click.group()
def device() -> None:
    """Geräteliste: Scanner abnehmen, freigeben, Freigaben zurückziehen (A.O.2, A.O.3)."""


@device.command("list")
@tenant_option
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Zeile.")
@with_app
def list_known(app: App, tenant: str | None, *, as_json: bool) -> int:
    """Nennt alle Scanner, die je gesehen wurden, mit ihrer Freigabe."""
    from ingest.ledger import devices

    with app.ledger.reading() as connection:
        known = devices.listed(connection, app.tenant(tenant))
    for record in known:
        if as_json:
            print_json({"message_type": "known_device", **record})
            continue
        firmware = record["firmware"] or NOT_RECORDED
        name = f"{record['vendor']} {record['model']}".strip()
        state = _state(record, app.settings.house.zone)
        click.echo(f"{record['device']:40} {name} (Firmware {firmware}): {state}")
    return 0


def _state(record: dict[str, Any], zone: str) -> str:
    from ingest.ledger.scanning import RELEASED_AS

    if record["released_at"] is None:
        return "nicht freigegeben"
    if record["withdrawn_at"] is not None:
        return "Freigabe zurückgezogen"
    if changed := [of for of in RELEASED_AS if record[f"released_{of}"] != record[of]]:
        was = ", ".join(record[f"released_{of}"] or NOT_RECORDED for of in changed)
        return f"verändert, nicht mehr freigegeben (freigegeben war: {was})"
    at = local_time(record["released_at"].isoformat(), zone)
    return f"freigegeben durch {record['released_by']} am {at}"


@device.command("release")
@click.argument("name", metavar="GERÄT")
@_BY
@click.option("--until", metavar="DATUM", help="Letzter Tag der Freigabe, JJJJ-MM-TT.")
@click.option("--inventory", metavar="NUMMER", help="Inventarnummer des Hauses.")
@click.option(
    "--without-firmware",
    is_flag=True,
    help="Auch wenn das Gerät keine Firmware meldet: ein Wechsel fällt dann nicht auf.",
)
@tenant_option
@with_app
def release(
    app: App, name: str, *, by: str, until: str | None, tenant: str | None, **said: Any
) -> int:
    """Gibt ein Gerät frei, wie es sich zuletzt gemeldet hat.

    Meldet es danach anderen Hersteller, anderes Modell, andere Seriennummer oder Firmware, ist
    es nicht mehr freigegeben.
    """
    from ingest.ledger import devices

    end = None if until is None else _end_of(until, app.settings.house.zone)
    with app.ledger.writing() as connection:
        terms = devices.ReleaseTerms(until=end, **said)
        told = devices.release(connection, app.tenant(tenant), name, by=by, terms=terms)
    product = f"{told['vendor']} {told['model']}".strip()
    serial, firmware = told["serial"] or NOT_RECORDED, told["firmware"] or NOT_RECORDED
    click.echo(f"{name} freigegeben: {product}, Nr. {serial}, Firmware {firmware}.")
    return 0


def _end_of(day: str, zone: str) -> dt.datetime:
    try:
        last = dt.date.fromisoformat(day)
    except ValueError as error:
        message = f"--until: „{day}“ ist kein Datum; bitte JJJJ-MM-TT angeben."
        raise click.UsageError(message) from error
    following = last + dt.timedelta(days=1)
    return dt.datetime.combine(following, dt.time(), ZoneInfo(zone))


@device.command("withdraw")
@click.argument("name", metavar="GERÄT")
@_BY
@reason_option
@tenant_option
@with_app
def withdraw(app: App, name: str, *, by: str, reason: str, tenant: str | None) -> int:
    """Zieht die Freigabe eines Geräts zurück."""
    from ingest.ledger import devices

    with app.ledger.writing() as connection:
        devices.withdraw(connection, app.tenant(tenant), name, by=by, reason=reason)
    click.echo(f"{name}: Freigabe zurückgezogen.")
    return 0


@click.group()
def station() -> None:
    """Scanarbeitsplätze: Zugänge einrichten und beenden; »station run« ist einer."""


@station.command("add")
@click.argument("code", metavar="ARBEITSPLATZ")
@_ADDED_BY
@tenant_option
@with_app
def add(app: App, code: str, *, by: str, tenant: str | None) -> int:
    """Richtet einen Arbeitsplatz ein und zeigt seinen Zugangsschlüssel, nur dieses eine Mal.

    Ein Schlüssel, den er vorher hatte, gilt danach nicht mehr.
    """
    from ingest.ledger import stations

    with app.ledger.writing() as connection:
        token = stations.add(connection, app.tenant(tenant), code, by=by)
    click.echo(token)
    click.echo(
        "Diesen Schlüssel am Arbeitsplatz mit »python -m scanners.station pair« eingeben; er wird "
        "nicht noch einmal gezeigt.",
        err=True,
    )
    return 0


@station.command("revoke")
@click.argument("code", metavar="ARBEITSPLATZ")
@_ADDED_BY
@tenant_option
@with_app
def revoke(app: App, code: str, *, by: str, tenant: str | None) -> int:
    """Beendet den Zugang eines Arbeitsplatzes."""
    from ingest.ledger import stations

    with app.ledger.writing() as connection:
        stations.revoke(connection, app.tenant(tenant), code, by=by)
    click.echo(f"{code}: Zugang beendet.")
    return 0


@station.command("list")
@tenant_option
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Zeile.")
@with_app
def list_stations(app: App, tenant: str | None, *, as_json: bool) -> int:
    """Nennt die Arbeitsplätze, nie ihre Schlüssel."""
    from ingest.ledger import stations

    with app.ledger.reading() as connection:
        known = stations.listed(connection, app.tenant(tenant))
    for record in known:
        if as_json:
            print_json({"message_type": "station", **record})
            continue
        zone, ended = app.settings.house.zone, record["revoked_at"]
        state = f"beendet {local_time(ended.isoformat(), zone)}" if ended else "gültig"
        since = local_time(record["added_at"].isoformat(), zone)
        click.echo(f"{record['code']:16} seit {since}, {state}")
    return 0


@station.command(
    "run",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(arguments: tuple[str, ...]) -> int:
    """Ist selbst Scanarbeitsplatz, wie »python -m scanners.station« (dort --help)."""
    from scanners.station.commands import main

    return main(list(arguments))
