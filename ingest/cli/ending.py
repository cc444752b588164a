"""`close-stack`: ends a stack whose station cannot end it any more."""

from __future__ import annotations

import click

from ingest.cli.app import App, with_app
from ingest.cli.options import operator_option
from ingest.cli.scanning import scanning_home
from ingest.cli.serving import hints
from ingest.errors import UsageError

EXIT_NEEDS_PERSON = 3


@click.command("close-stack")
@click.argument("identifier", metavar="ID")
@operator_option(required=True)
@click.option("--reason", required=True, help="Grund; er steht im Protokoll.")
@with_app
def close_stack(app: App, identifier: str, operator: str, reason: str) -> int:
    """Schließt einen offenen Stapel mit den angekommenen Seiten ab.

    Nur wenn der Arbeitsplatz es nicht mehr kann: Rechner oder Festplatte verloren, Sicherung
    zurückgespielt. Fehlen Seiten in der Nummernfolge, wird der Stapel zum Klärfall (Rückgabewert
    3). Wer abschloss und warum, steht beim Stapel.
    """
    from scanners.direct.ending import close_by_house

    unit = app.unit(identifier)
    _require_lost(app, unit)
    done = close_by_house(app.ledger, app.store, unit, by=operator, reason=reason, hint=hints(app))
    click.echo(f"{done.batch_id}: {done.pages} Seiten, vom Haus abgeschlossen.")
    if not done.missing:
        return 0
    click.echo("In der Nummernfolge fehlen Seiten; der Stapel ist ein Klärfall.", err=True)
    return EXIT_NEEDS_PERSON


def _require_lost(app: App, unit: str) -> None:
    """Refuse where this machine has the stack: it may have pages that the ledger has not."""
    from ingest.ledger import stacks
    from scanners.stack.journal import Journal
    from scanners.stack.shelf import JournalDamaged

    with app.ledger.reading() as connection:
        row = stacks.of_batch(connection, unit)
    if row is None:
        return  # said in the same words as of any other
    try:
        Journal.open(scanning_home(app, row.tenant), row.key)
    except (FileNotFoundError, JournalDamaged):
        return
    text = f"Der Stapel liegt auf diesem Rechner. Bitte »scan --close {unit}« verwenden."
    raise UsageError(f"stack {unit} is here", operator_text=text)
