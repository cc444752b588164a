"""What people decide: release, reject, retry, erase, and who is on shift."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ingest.cli import passwords
from ingest.cli.app import App, print_json, with_app
from ingest.cli.asking import require_agreed
from ingest.cli.ending import Here, erase_here, only_here
from ingest.cli.options import operator_option
from ingest.cli.scanning import scanning_home
from ingest.document import NOT_RECORDED, RELEASE_KEYS
from ingest.errors import UsageError

if TYPE_CHECKING:
    from ingest.ledger.erasure import Delivery
    from workers.delivery.withdrawal import Withdrawn

_OPERATOR = operator_option(required=True)
_REASON = click.option("--reason", required=True, help="Grund; er steht im Protokoll.")
_LEFT_IN_LOG = (
    "Im Transaktionsprotokoll der Datenbank können Reste stehen, bis sie es selbst überschreibt "
    "(PostgreSQL: VACUUM, WAL-Archive und eigene Sicherungen; siehe docs/operations.md)."
)

_STILL_SCANNED = (
    "Am Stapel wird auf diesem Rechner gerade gearbeitet; seine Dateien dort löscht der nächste "
    "»scan« oder »run«."
)


def _pairs(
    context: click.Context, option: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    del context, option
    pairs = {}
    for text in value:
        key, equals, content = text.partition("=")
        if not equals or not key:
            message = f"--set erwartet SCHLÜSSEL=WERT, nicht „{text}“."
            raise click.BadParameter(message)
        if key.strip() not in RELEASE_KEYS:
            known = "; ".join(f"{name} ({what})" for name, what in RELEASE_KEYS.items())
            message = f"„{key}“ ist keine Angabe zu einem Klärfall. Möglich sind: {known}."
            raise click.BadParameter(message)
        pairs[key.strip()] = passwords.entered(content) if key.strip() == passwords.KEY else content
    return pairs


@click.command()
@click.argument("identifier", metavar="ID")
@_OPERATOR
@_REASON
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=_pairs,
    metavar="SCHLÜSSEL=WERT",
    help=(
        "Angabe zum Klärfall, z. B. received_at=2026-11-20 oder as_is=yes. Ein Kennwort bitte"
        " mit password=- eingeben: es wird verdeckt abgefragt (oder als erste Zeile von der"
        " Standardeingabe gelesen) und nirgends gespeichert; password=WERT stünde im Verlauf der"
        " Befehlszeile."
    ),
)
@with_app
def release(app: App, identifier: str, operator: str, reason: str, settings: dict[str, str]) -> int:
    """Gibt einen Klärfall frei; ein Fall in Quarantäne wird zum Klärfall."""
    unit = app.unit(identifier)
    password = settings.pop(passwords.KEY, None)
    if password is None:
        app.ledger.release(unit, by=operator, reason=reason, settings=settings)
        click.echo(f"{unit} freigegeben.")
        return 0
    from ingest.cli.unlocking import open_sources
    from ingest.ledger import Decision

    found = open_sources(app, unit, password)
    decision = Decision(
        by=operator,
        reason=reason,
        settings=settings,
        opened=found.opened,
        present=app.store.holds,
    )
    app.ledger.decide(unit, decision)
    click.echo(f"{unit} freigegeben. Geöffnet: {found.names}.")
    if found.locked:
        click.echo(f"Weiter verschlossen, bleibt Klärfall: {found.locked}.")
    return 0


@click.command()
@click.argument("identifier", metavar="ID")
@_OPERATOR
@_REASON
@with_app
def reject(app: App, identifier: str, operator: str, reason: str) -> int:
    """Weist einen Klärfall endgültig zurück. Das Original bleibt gespeichert."""
    unit = app.unit(identifier)
    app.ledger.reject(unit, by=operator, reason=reason)
    click.echo(f"{unit} zurückgewiesen.")
    return 0


@click.command()
@click.argument("identifier", metavar="ID")
@operator_option()
@with_app
def retry(app: App, identifier: str, operator: str | None) -> int:
    """Versucht einen zurückgestellten Vorgang sofort noch einmal."""
    unit = app.unit(identifier)
    app.ledger.retry(unit, by=operator or NOT_RECORDED)
    click.echo(f"{unit} wird erneut versucht.")
    return 0


@click.command("put-back")
@click.argument("identifier", metavar="EINLIEFERUNG|DOKUMENT")
@click.option("--page", type=click.IntRange(min=1), required=True, help="Seite der Einlieferung.")
@click.option(
    "--document",
    metavar="ID",
    help="Dokument, das die Seite aufnimmt (Vorgabe: das, in dem oder hinter dem sie lag).",
)
@_OPERATOR
@_REASON
@with_app
def put_back(
    app: App, identifier: str, page: int, document: str | None, operator: str, reason: str
) -> int:
    """Nimmt eine ausgelassene Seite wieder auf, als neue Fassung ihres Dokuments.

    Die neue Fassung wird zugestellt und tritt an die Stelle der bisherigen. Eine Zustellung, die
    noch niemand abgeholt hat, wird zurückgezogen; was jemand schon hat, bleibt unberührt.
    """
    done = app.ledger.put_back(identifier, page, by=operator, reason=reason, document=document)
    click.echo(
        f"Seite {done.page} wieder aufgenommen: Dokument {done.document}, Fassung "
        f"{done.revision}, ersetzt {done.superseded}."
    )
    return 0


@click.command()
@click.argument("identifier", metavar="ID")
@_OPERATOR
@click.option("--reason", required=True, help="Ergebnis der Prüfung; es steht im Protokoll.")
@with_app
def reviewed(app: App, identifier: str, operator: str, reason: str) -> int:
    """Hält fest, dass jemand ein Dokument angesehen hat, das »list --review« nennt."""
    unit = app.unit(identifier)
    app.ledger.reviewed(unit, by=operator, reason=reason)
    click.echo(f"{unit}: Prüfung festgehalten.")
    return 0


@click.command()
@click.argument("identifier", metavar="ID")
@_OPERATOR
@_REASON
@click.option("--yes", is_flag=True, help="Ohne Rückfrage.")
@with_app
def erase(app: App, identifier: str, operator: str, reason: str, *, yes: bool) -> int:
    """Löscht eine Einlieferung oder ein Dokument; der Löschvermerk bleibt."""
    found = _found(app, identifier)
    if isinstance(found, Here):
        if not yes:
            require_agreed(f"{found.question} Endgültig löschen?")
        erase_here(app, found, operator, reason)
        return 0
    unit = found
    if not yes:
        require_agreed(f"{unit} endgültig löschen?")
    if not _discard(app, unit, operator, reason):
        _erase(app, unit, operator, reason)
    _clear_here(app, unit)
    if not app.ledger.forget_log():
        click.echo(_LEFT_IN_LOG)
    return 0


def _found(app: App, identifier: str) -> str | Here:
    """Return the id of what the ledger has, or a stack that only this machine has.

    Raises:
        UsageError: There is neither.
    """
    try:
        return app.unit(identifier, scanning=True)
    except UsageError:
        here = only_here(app, identifier)
        if here is None:
            raise
        return here


def _discard(app: App, unit: str, operator: str, reason: str) -> bool:
    """Give up a stack that is still scanned; False where it is none."""
    from ingest.ledger import givingup

    with app.ledger.writing() as connection:
        given_up = givingup.discard(connection, unit, operator, reason)
        if given_up is None:
            return False
        for digest in given_up.free:
            app.store.erase(given_up.tenant, digest)
    click.echo(f"{unit} verworfen: {given_up.pages} Seiten, {len(given_up.free)} Dateien gelöscht.")
    if needed := len(given_up.digests) - len(given_up.free):
        click.echo(f"{needed} Dateien bleiben: Andere Einlieferungen haben dieselben Seiten.")
    return True


def _clear_here(app: App, unit: str) -> None:
    """Remove what this machine has of the stack that was erased, or became what was erased."""
    from ingest.ledger import stacks
    from scanners.stack.givingup import give_up

    with app.ledger.reading() as connection:
        row = stacks.of_batch(connection, unit)
    if row is not None and not give_up(scanning_home(app, row.tenant), row.key):
        click.echo(_STILL_SCANNED)


def _erase(app: App, unit: str, operator: str, reason: str) -> None:
    from ingest.ledger.erasure import erase as erase_rows
    from ingest.ledger.showing import show as look_up
    from workers.delivery.withdrawal import withdraw

    found: list[Withdrawn] = []
    with app.ledger.writing() as connection:
        tenant = str(look_up(connection, unit)["tenant"])

        def take_back(delivery: Delivery) -> dict[str, int]:
            one = withdraw(app.settings.outbox(tenant), **dataclasses.asdict(delivery))
            found.append(one)
            kinds = {"withdrawn": one.removed, "taken": one.taken, "altered": one.altered}
            return {kind: len(files) for kind, files in kinds.items()}

        for digest in erase_rows(connection, unit, operator, reason, take_back):
            app.store.erase(tenant, digest)
    click.echo(f"{unit} gelöscht.")
    for text in _told(found):
        click.echo(text)


def _told(found: list[Withdrawn]) -> Iterator[str]:
    """Say what became of delivered files, by name: nobody knows the names afterwards."""
    if removed := sum(len(one.removed) for one in found):
        yield f"Aus dem Ausgang entfernt: {removed} Dateien."
    for one in found:
        for path in one.taken:
            yield f"Schon abgeholt, beim Empfänger zu löschen: {path}"
        for path in one.altered:
            yield f"Verändert und deshalb nicht entfernt, bitte prüfen und löschen: {path}"


@click.group()
def shift() -> None:
    """Schichtanmeldung: wer an welchem Eingangsordner scannt."""


@shift.command("begin")
@_OPERATOR
@click.option(
    "--inbox",
    default="",
    metavar="PROFIL",
    help="Unterordner des Eingangs (Vorgabe: der Eingang selbst).",
)
@click.option("--device", help="Inventarnummer des Scanners.")
@click.option("--tenant", help="Mandant.")
@with_app
def begin(app: App, operator: str, inbox: str, device: str | None, tenant: str | None) -> int:
    """Meldet eine Person an; eine laufende Schicht wird beendet."""
    app.ledger.begin_shift(app.tenant(tenant), inbox, operator, device)
    click.echo(f"Schicht von {operator} begonnen.")
    return 0


@shift.command("end")
@click.option("--inbox", default="", metavar="PROFIL", help="Unterordner des Eingangs.")
@click.option("--tenant", help="Mandant.")
@with_app
def end(app: App, inbox: str, tenant: str | None) -> int:
    """Meldet ab. Danach steht bei neuen Einlieferungen „nicht erfasst“."""
    app.ledger.end_shift(app.tenant(tenant), inbox)
    click.echo("Schicht beendet.")
    return 0


@shift.command("show")
@click.option("--inbox", default="", metavar="PROFIL", help="Unterordner des Eingangs.")
@click.option("--tenant", help="Mandant.")
@click.option("--json", "as_json", is_flag=True)
@with_app
def show_shift(app: App, inbox: str, tenant: str | None, *, as_json: bool) -> int:
    """Zeigt, wer angemeldet ist."""
    current = app.ledger.current_shift(app.tenant(tenant), inbox)
    if as_json:
        print_json(
            {
                "message_type": "shift",
                "operator": current.operator if current else None,
                "device": current.device if current else None,
            }
        )
    else:
        click.echo(current.operator if current else "niemand angemeldet")
    return 0
