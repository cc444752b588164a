"""Reading commands: every arrival and document, where each is, and the evening account."""

from __future__ import annotations

import dataclasses
import datetime as dt
from contextlib import closing
from itertools import chain
from zoneinfo import ZoneInfo

import click

from console.texts import in_zone
from ingest import clock
from ingest.cli import attesting
from ingest.cli.app import App, print_json, with_app
from ingest.cli.evidencing import print_standing, standing
from ingest.cli.spooled import spooled
from ingest.document import BatchStage, Facts


@click.command("list")
@click.option("--tenant", help="Nur dieser Mandant.")
@click.option("--review", is_flag=True, help="Nur Dokumente, die jemand ansehen soll.")
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Zeile.")
@with_app
def list_(app: App, tenant: str | None, *, review: bool, as_json: bool) -> int:
    """Zeigt alle Einlieferungen, Dokumente und was noch nicht angenommen ist.

    Nicht angenommen sind Dateien im Eingang und Seiten, die an diesem Rechner gescannt wurden.
    """
    from console.tables import print_rows
    from ingest.ledger.reading import rows, to_review

    wanted = to_review if review else rows
    here = [] if review else spooled(app, tenant)
    with app.ledger.reading() as connection, closing(wanted(connection, tenant)) as found:
        everything = chain(found, here)
        if not as_json:
            print_rows(everything)
            return 0
        for row in everything:
            print_json(in_zone(row, app.settings.house.zone))
    return 0


@click.command()
@click.argument("identifier", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt.")
@with_app
def show(app: App, identifier: str, *, as_json: bool) -> int:
    """Zeigt eine Einlieferung, einen offenen Stapel oder ein Dokument mit seiner Geschichte."""
    from console.openstack import print_stack
    from console.tables import print_record
    from ingest.ledger import showing

    with app.ledger.reading() as connection:
        record = showing.show(connection, identifier, scanning=True)
    if as_json:
        print_json(in_zone(record, app.settings.house.zone))
    elif record.get("stage") == BatchStage.OPEN:
        print_stack(record, app.settings.house.zone)
    else:
        print_record(record, app.settings.house.zone)
    return 0


@click.command()
@click.option(
    "--day",
    "day",
    is_flag=False,
    flag_value="today",
    metavar="[DATUM]",
    help="Abendabrechnung des Tages (JJJJ-MM-TT, Vorgabe heute).",
)
@click.option("--tenant", help="Mandant (Vorgabe: default).")
@click.option("--json", "as_json", is_flag=True, help="JSON statt Tabelle.")
@with_app
def status(app: App, day: str | None, tenant: str | None, *, as_json: bool) -> int:
    """Zeigt den Stand der Arbeit; mit --day die Abendabrechnung.

    Die Abendabrechnung vergleicht, was gezählt wurde, mit dem, was zugestellt oder noch
    offen ist. Eine Differenz ungleich null führt zu Rückgabewert 3.
    """
    from console.tables import print_account, print_counts
    from ingest.ledger.account import day_account

    name = app.tenant(tenant)
    if day is None:
        counted = _counted(app, name)
        if as_json:
            print_json({"message_type": "status", "tenant": name, **counted})
        else:
            print_counts(counted)
            print_standing(counted["evidence"], app.settings.house.zone)
            attesting.print_standing(counted["timestamps"], app.settings.house.zone)
        return 0
    zone = app.settings.house.zone
    waiting, here = _waiting_files(app, name), spooled(app, name)
    with app.ledger.reading() as connection:
        account = day_account(connection, name, _day(day, zone), zone, in_inbox=len(waiting))
    if as_json:
        record = dataclasses.asdict(account)
        print_json(
            {
                "message_type": "day_account",
                **record,
                "difference": account.difference,
                "files_in_inbox": waiting,
                "scanned_here": here,
            }
        )
    else:
        print_account(account, waiting, [str(each["reason"]) for each in here])
    return 3 if account.difference else 0


def _counted(app: App, tenant: str) -> Facts:
    """Count what is where, and name the documents that wait for a person's look."""
    from ingest.ledger.reading import counts, to_review

    here = spooled(app, tenant)
    with app.ledger.reading() as connection:
        counted = counts(connection, tenant)
        counted["evidence"] = standing(app, connection, tenant)
        counted["timestamps"] = attesting.standing(app, connection, tenant)
        counted["review"] = [
            {"id": row["id"], "source_name": row["source_name"], "reasons": row["review"]}
            for row in to_review(connection, tenant)
        ]
    counted["scanned_here"] = here
    return counted


def _day(text: str, zone: str) -> dt.date:
    if text == "today":
        return clock.now().astimezone(ZoneInfo(zone)).date()
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        message = f"--day: „{text}“ ist kein Datum; bitte JJJJ-MM-TT angeben."
        raise click.UsageError(message) from error


def _waiting_files(app: App, tenant: str) -> list[str]:
    """Name what lies in the inbox and is not yet accepted."""
    inbox = app.settings.inbox(tenant)
    if not inbox.is_dir():
        return []
    return sorted(
        str(path.relative_to(inbox)).encode("utf-8", "replace").decode()
        for path in inbox.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    )
