"""`log`: the four families of the log, read by somebody who may."""

from __future__ import annotations

import json

import click

from console.texts import local_time
from ingest.cli.app import App, print_json, with_app
from ingest.cli.options import operator_option
from ingest.document import Facts, Family


@click.command("log")
@click.option(
    "--family",
    "families",
    multiple=True,
    type=click.Choice([str(family) for family in Family]),
    help="configuration: Konfiguration und Rechte; use: Nutzung; processing: Eingriffe von Hand; "
    "errors: Fehler und abgewiesene Anmeldungen. Mehrfach möglich; Vorgabe: alle.",
)
@click.option("--tenant", help="Mandant (Vorgabe: default).")
@operator_option(required=True)
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Eintrag.")
@with_app
def log_(
    app: App, families: tuple[str, ...], tenant: str | None, operator: str, *, as_json: bool
) -> int:
    """Zeigt das Protokoll; auch das Lesen wird protokolliert.

    Sobald jemand die Rolle Revision hat, darf nur lesen, wer sie hat.
    """
    from ingest.ledger.logbook import read

    wanted = tuple(Family(name) for name in families) or tuple(Family)
    with app.ledger.writing() as connection:
        entries = list(read(connection, app.tenant(tenant), operator, wanted))
    for entry in entries:
        if as_json:
            print_json({"message_type": "log", **entry})
        else:
            click.echo(_line(entry, app.settings.house.zone))
    return 0


def _line(entry: Facts, zone: str) -> str:
    said = json.dumps(entry["said"], ensure_ascii=False, sort_keys=True)
    when, unit = local_time(entry["at"], zone), entry["unit"] or "-"
    return f"{when}  {entry['family']:13} {entry['kind']}  {entry['by']}  {unit}  {said}"
