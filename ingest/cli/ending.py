"""Stacks that end otherwise: by the house, or before the ledger ever had them."""

from __future__ import annotations

from dataclasses import dataclass

import click

from ingest.cli.app import App, with_app
from ingest.cli.options import operator_option
from ingest.cli.scanning import scanning_home
from ingest.cli.serving import hints
from ingest.errors import UsageError

EXIT_NEEDS_PERSON = 3
_LEAST_LETTERS = 8  #: of a key that nothing else confirms


@dataclass(frozen=True, kw_only=True)
class Here:
    """A stack that this machine has and the ledger does not know.

    Attributes:
        pages: None where its journal cannot be read.
    """

    tenant: str
    key: str
    pages: int | None

    @property
    def question(self) -> str:
        """What it is, in German."""
        pages = "unbekannt viele" if self.pages is None else self.pages
        return (
            f"Stapel {self.key}: {pages} Seiten, nur auf diesem Rechner; das Verzeichnis kennt "
            "ihn nicht."
        )


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

    unit = app.unit(identifier, scanning=True)
    require_lost(app, unit)
    done = close_by_house(app.ledger, app.store, unit, by=operator, reason=reason, hint=hints(app))
    click.echo(f"{done.batch_id}: {done.pages} Seiten, vom Haus abgeschlossen.")
    if not done.missing:
        return 0
    click.echo("In der Nummernfolge fehlen Seiten; der Stapel ist ein Klärfall.", err=True)
    return EXIT_NEEDS_PERSON


def require_lost(app: App, unit: str) -> None:
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


def only_here(app: App, identifier: str) -> Here | None:
    """Return the stack of this machine whose key begins so, if the ledger does not know it."""
    from ingest.ledger import stacks
    from scanners.stack.journal import Journal
    from scanners.stack.shelf import JournalDamaged, known

    beginning = identifier.strip().lower()
    if len(beginning) < _LEAST_LETTERS:
        return None
    found = [
        (tenant, folder.name)
        for tenant in app.settings.tenants
        for _, folder in known(scanning_home(app, tenant))
        if folder.name.startswith(beginning)
    ]
    if len(found) != 1:
        return None
    ((tenant, key),) = found
    with app.ledger.reading() as connection:
        if stacks.known(connection, tenant, key) is not None:
            return None
    try:
        pages: int | None = len(Journal.open(scanning_home(app, tenant), key).pages)
    except (JournalDamaged, FileNotFoundError):
        pages = None
    return Here(tenant=tenant, key=key, pages=pages)


def erase_here(app: App, here: Here, operator: str, reason: str) -> None:
    """Remove a stack from this machine; that it was there stays on record.

    Raises:
        UsageError: No code, no reason, or somebody is at work on it; nothing changed.
    """
    from ingest.ledger import givingup
    from scanners.stack.givingup import give_up

    def note() -> None:
        said = here.tenant, here.key, here.pages
        with app.ledger.writing() as connection:
            givingup.note_unknown(connection, *said, by=operator, reason=reason)

    if not give_up(scanning_home(app, here.tenant), here.key, note):
        text = (
            f"Am Stapel {here.key} wird auf diesem Rechner gerade gearbeitet; er ist noch da. "
            "Bitte in einem Augenblick wiederholen."
        )
        raise UsageError(f"stack {here.key} is at work", operator_text=text)
    click.echo(f"{here.key} auf diesem Rechner gelöscht.")
