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
    """A stack of which this machine has what the ledger has not, and will not take.

    Attributes:
        pages: That the ledger has not; None where its journal cannot be read.
        ended: Id of what it is in the ledger, which ended without these pages; None where the
            ledger does not know it.
    """

    tenant: str
    key: str
    pages: int | None
    ended: str | None = None

    @property
    def question(self) -> str:
        """What it is, in German."""
        pages = "unbekannt viele" if self.pages is None else self.pages
        known = (
            "das Verzeichnis kennt ihn nicht"
            if self.ended is None
            else f"{self.ended} ist im Verzeichnis ohne sie beendet und bleibt, wie es ist"
        )
        return f"Stapel {self.key}: {pages} Seiten, nur auf diesem Rechner; {known}."


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
    """Return the stack of this machine whose key begins so, if the ledger will not take it.

    It does not know it, or ended it without pages that are here.
    """
    from scanners.stack.shelf import known

    beginning = identifier.strip().lower()
    if len(beginning) < _LEAST_LETTERS:
        return None
    found = [
        (tenant, folder.name)
        for tenant in app.settings.tenants
        for _, folder in known(scanning_home(app, tenant))
        if folder.name.startswith(beginning)
    ]
    return _here(app, *found[0]) if len(found) == 1 else None


def _here(app: App, tenant: str, key: str) -> Here | None:
    from ingest.ledger import stacks
    from scanners.direct.house import state_of
    from scanners.stack.journal import Journal
    from scanners.stack.lacking import lacking
    from scanners.stack.shelf import JournalDamaged

    with app.ledger.reading() as connection:
        row = stacks.known(connection, tenant, key)
        state = None if row is None else state_of(row, stacks.pages_of(connection, row.id))
    if state is not None and not (state.is_closed or state.is_discarded):
        return None
    ended = None if state is None else state.batch_id
    try:
        journal = Journal.open(scanning_home(app, tenant), key)
        left = len(journal.pages if state is None else lacking(journal, state))
    except (JournalDamaged, FileNotFoundError):
        return Here(tenant=tenant, key=key, pages=None, ended=ended)
    return Here(tenant=tenant, key=key, pages=left, ended=ended) if left or not ended else None


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
