"""`backup` and `restore`: a consistent copy of ledger and store, proved when it comes back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ingest.cli.app import App, with_app
from ingest.cli.options import operator_option
from ingest.document import NOT_RECORDED

if TYPE_CHECKING:
    from ingest.ledger.anchors import Compared

_NAMED: Final = 10


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
@operator_option()
@click.option(
    "--anchors",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="ORDNER",
    help="Weitere Anker zum Vergleich, etwa eine Kopie von anderswo.",
)
@with_app
def restore(app: App, folder: Path, operator: str | None, anchors: Path | None) -> int:
    """Stellt eine Sicherung in einen leeren Datenordner zurück und vergleicht die Ketten.

    Ist die Sicherung älter als die Anker, ist das Ergebnis da, aber unvollständig: Genannt
    wird, welche Ketten zurückliegen und um wie viele Ereignisse (Rückgabewert 3).
    """
    from ingest.cli.copying import read_backup

    counted = read_backup(app, folder, operator or NOT_RECORDED, anchors)
    behind = False
    click.echo(
        f"Wiederhergestellt: {counted.rows} Zeilen, {counted.blobs} Objekte; alle Ketten stimmen "
        "mit der Sicherung überein."
    )
    for tenant, found in counted.beside.items():
        behind |= bool(found.behind)
        click.echo(_beside_anchors(tenant, found))
    return 3 if behind else 0


def _beside_anchors(tenant: str, found: Compared) -> str:
    if not found.days:
        return f"Mandant {tenant}: keine Anker zum Vergleich; ob etwas fehlt, ist nicht geprüft."
    if not found.behind:
        return f"Mandant {tenant}: kein Stand ist älter als der Anker vom {found.newest}."
    missing = sum(one.events for one in found.behind)
    whole = sum(1 for one in found.behind if not one.kept)
    named = "; ".join(f"{one.chain}: {one.events}" for one in found.behind[:_NAMED])
    more = " …" if len(found.behind) > _NAMED else ""
    return (
        f"Mandant {tenant}: Die Sicherung ist älter als der Anker vom {found.newest}. "
        f"{len(found.behind)} Ketten liegen zurück, {whole} davon fehlen ganz; es fehlen "
        f"mindestens {missing} Ereignisse ({named}{more}). Bitte eine neuere Sicherung suchen "
        "oder nachholen, was danach geschah; das Protokoll hält die Lücke fest."
    )
