"""`backup` and `restore`: a consistent copy of ledger and store, proved when it comes back."""

from __future__ import annotations

from pathlib import Path

import click

from ingest.cli.app import App, with_app


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="ORDNER")
@with_app
def backup(app: App, folder: Path) -> int:
    """Schreibt eine in sich stimmige Kopie von Ledger und Ablage in einen Ordner."""
    from ingest.cli.copying import write_backup

    counted = write_backup(app, folder)
    click.echo(f"Sicherung in {folder}: {counted.rows} Zeilen, {counted.blobs} Objekte.")
    return 0


@click.command()
@click.argument(
    "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="ORDNER"
)
@with_app
def restore(app: App, folder: Path) -> int:
    """Stellt eine Sicherung in einen leeren Datenordner zurück und vergleicht die Ketten."""
    from ingest.cli.copying import read_backup

    counted = read_backup(app, folder)
    click.echo(
        f"Wiederhergestellt: {counted.rows} Zeilen, {counted.blobs} Objekte; alle Ketten stimmen."
    )
    return 0
