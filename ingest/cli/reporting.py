"""`report`: the auditor's list and the inventory of data fields."""

from __future__ import annotations

from pathlib import Path

import click

from ingest.cli.app import App, print_json, with_app
from ingest.cli.options import tenant_option


@click.command()
@click.option("--anlage-p", "anlage_p", is_flag=True, help="Prüfliste nach TR-03138 V1.5.")
@click.option("--data-fields", is_flag=True, help="Verzeichnis der Datenfelder.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Prüfliste als HTML in diese Datei.",
)
@tenant_option
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Zeile.")
@with_app
def report(
    app: App,
    *,
    anlage_p: bool,
    data_fields: bool,
    output: Path | None,
    tenant: str | None,
    as_json: bool,
) -> int:
    """Berichte für Prüfung und Datenschutz, gelesen aus dem System selbst."""
    if anlage_p == data_fields:
        message = "Bitte genau einen Bericht wählen: --anlage-p oder --data-fields."
        raise click.UsageError(message)
    if data_fields:
        _fields(as_json=as_json)
    else:
        _list(app, output, app.tenant(tenant), as_json=as_json)
    return 0


def _fields(*, as_json: bool) -> None:
    from console.reports import fields

    for field in fields.inventory():
        if as_json:
            print_json({"message_type": "data_field", **field.record()})
        else:
            personal = "personenbezogen" if field.personal else "-"
            click.echo(
                f"{field.table}.{field.name}\t{field.purpose}\t{personal}\t{field.retention}\t"
                f"{field.legal_basis}"
            )


def _list(app: App, output: Path | None, tenant: str, *, as_json: bool) -> None:
    from console.reports import anlage_p

    with app.ledger.reading() as connection:
        found = anlage_p.items(app.settings, connection, tenant)
    if output is not None:
        output.write_text(anlage_p.page(found, app.settings.house.organisation), encoding="utf-8")
        click.echo(f"{output} geschrieben.")
        return
    if not as_json:
        click.echo(anlage_p.NOTICE)
    for one in found:
        if as_json:
            print_json({"message_type": "anlage_p", **one.record()})
        else:
            click.echo(f"\n{one.number:2} {one.clause:14} {one.title} [{one.answered_by}]")
            for line in anlage_p.shown(one):
                click.echo(f"   {line}")
