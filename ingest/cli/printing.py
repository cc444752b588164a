"""`sheets`: separator sheets to print and lay between the letters of a stack."""

from __future__ import annotations

from pathlib import Path

import click

from ingest.cli.app import App, with_app
from ingest.cli.options import operator_option


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="PDF-Datei; eine vorhandene wird nicht überschrieben.",
)
@click.option("--department", help="Zuständige Stelle für den Brief hinter dem Blatt.")
@click.option("--received-at", metavar="DATUM", help="Eingangsdatum JJJJ-MM-TT.")
@click.option("--case-reference", help="Aktenzeichen.")
@operator_option()
@click.option("--device", help="Scanner, z. B. Inventarnummer.")
@click.option("--storage-place", help="Aufbewahrungsort des Papiers.")
@with_app
def sheets(app: App, output: Path, **said: str | None) -> int:
    """Druckt ein Trennblatt. Ohne weitere Angaben trennt es nur."""
    del app
    import datetime as dt

    from profiles import is_department
    from workers.separation.sheets import render_pdf

    if output.exists():
        message = f"{output} gibt es schon; bitte einen anderen Namen angeben."
        raise click.UsageError(message)
    if said["received_at"]:
        try:
            dt.date.fromisoformat(said["received_at"])
        except ValueError as error:
            message = f"--received-at: „{said['received_at']}“ ist kein Datum (JJJJ-MM-TT)."
            raise click.UsageError(message) from error
    if said["department"] and not is_department(said["department"]):
        message = f"--department: „{said['department']}“ ist als Name einer Stelle nicht zulässig."
        raise click.UsageError(message)
    keys = {
        "DEP": said["department"],
        "REC": said["received_at"],
        "CASE": said["case_reference"],
        "OP": said["operator"],
        "DEV": said["device"],
        "LOC": said["storage_place"],
    }
    content = render_pdf({key: value for key, value in keys.items() if value})
    output.write_bytes(content)
    click.echo(f"{output} geschrieben. Bitte in Originalgröße (100 %) drucken.")
    return 0
