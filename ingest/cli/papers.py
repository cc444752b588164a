"""`paper`: where the sheets are, who took them, and how they come to their end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.cli import counting
from ingest.cli.app import App, print_json, with_app
from ingest.cli.options import operator_option
from ingest.document import DIN_66399, PAPER_NAMES, Facts, PaperStage

if TYPE_CHECKING:
    from workers.disposal import Disposal, Listed

_REASON = click.option("--reason", required=True, help="Grund; er steht im Protokoll.")
_ID = click.argument("identifier", metavar="STAPEL|DOKUMENT")
_BY = operator_option(required=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Zeile.")


@click.group()
def paper() -> None:
    """Papier: Ablage, Anforderung, Rückgabe, Freigabe und Vernichtung."""


def _disposal(app: App) -> Disposal:
    from workers.disposal import Disposal

    return Disposal(app.settings, app.ledger, app.store)


@paper.command("store")
@_ID
@click.option("--place", metavar="KARTON", help="Karton oder Regal (Vorgabe: aus batch.json).")
@_BY
@with_app
def store(app: App, identifier: str, place: str | None, operator: str) -> int:
    """Hält fest, wo das Papier liegt; eine Freigabe zur Vernichtung endet damit."""
    from ingest.ledger import paper as acts

    with app.ledger.writing() as connection:
        before = acts.store(connection, identifier, by=operator, place=place)
    ended = before.count(PaperStage.RELEASED)
    text = f" {ended} Freigaben zur Vernichtung sind damit beendet." if ended else ""
    click.echo(f"Abgelegt: {len(before)} Einheiten.{text}")
    return 0


@paper.command("request")
@_ID
@_REASON
@_BY
@with_app
def request(app: App, identifier: str, reason: str, operator: str) -> int:
    """Fordert Papier an (Nachscan, Akteneinsicht); zurück kommt es mit »paper store«."""
    from ingest.ledger import paper as acts

    with app.ledger.writing() as connection:
        pulled = acts.request(connection, identifier, by=operator, reason=reason)
    for document, place in pulled:
        click.echo(f"{document}: aus {place} zu entnehmen.")
    return 0


@paper.command("return")
@_ID
@_REASON
@_BY
@with_app
def give_back(app: App, identifier: str, reason: str, operator: str) -> int:
    """Hält fest, dass das Papier an den Absender zurückging."""
    from ingest.ledger import paper as acts

    with app.ledger.writing() as connection:
        count = acts.give_back(connection, identifier, by=operator, reason=reason)
    click.echo(f"Zurückgegeben: {count} Einheiten.")
    return 0


@paper.command("hold")
@_ID
@_REASON
@_BY
@with_app
def hold(app: App, identifier: str, reason: str, operator: str) -> int:
    """Sperrt Papier gegen Vernichtung und Rückgabe, bis die Sperre aufgehoben wird."""
    from ingest.ledger import paper as acts

    with app.ledger.writing() as connection:
        numbers = acts.hold(connection, identifier, by=operator, reason=reason)
    click.echo(f"Gesperrt: {counting.units(len(numbers))}, Sperre {max(numbers)}.")
    return 0


@paper.command("unhold")
@_ID
@click.option("--number", type=click.IntRange(min=1), help="Welche Sperre, wenn es mehrere gibt.")
@_REASON
@_BY
@with_app
def unhold(app: App, identifier: str, number: int | None, reason: str, operator: str) -> int:
    """Hebt eine Sperre auf; die Wartefrist beginnt neu."""
    from ingest.ledger import paper as acts

    with app.ledger.writing() as connection:
        lifted = acts.unhold(connection, identifier, by=operator, reason=reason, number=number)
    click.echo(f"Sperren aufgehoben: {lifted}.")
    return 0


@paper.command("confirm")
@_ID
@_REASON
@_BY
@with_app
def confirm(app: App, identifier: str, reason: str, operator: str) -> int:
    """Bestätigt nach einer Wiederherstellung, dass zu diesem Papier nichts fehlt."""
    from ingest.ledger import paper as acts

    with app.ledger.writing() as connection:
        count = acts.confirm(connection, identifier, by=operator, reason=reason)
    click.echo(f"Bestätigt: {count} Einheiten.")
    return 0


@paper.command("release")
@click.argument("identifiers", nargs=-1, required=True, metavar="DOKUMENT|STAPEL...")
@_BY
@with_app
def release(app: App, identifiers: tuple[str, ...], operator: str) -> int:
    """Gibt Papier zur Vernichtung frei, wenn jede Bedingung erfüllt ist (»paper show«)."""
    done = _disposal(app).release(identifiers, by=operator)
    for document in done:
        click.echo(f"{document}: Papier zur Vernichtung freigegeben.")
    return 0


@paper.command("destroy")
@click.argument("identifiers", nargs=-1, metavar="DOKUMENT|STAPEL...")
@click.option("--box", metavar="KARTON", help="Alles in diesem Karton, was freigegeben ist.")
@click.option("--method", required=True, help="Verfahren, z. B. „Aktenvernichter im Haus“.")
@click.option(
    "--level",
    required=True,
    type=click.Choice(DIN_66399),
    help="Schutzklasse und Sicherheitsstufe nach DIN 66399.",
)
@click.option("--certificate", help="Nachweis des Dienstleisters (kann folgen: »paper certify«).")
@click.option("--tenant", help="Mandant, zusammen mit --box.")
@_BY
@with_app
def destroy(  # noqa: PLR0913 - one for each option
    app: App,
    identifiers: tuple[str, ...],
    *,
    box: str | None,
    method: str,
    level: str,
    certificate: str | None,
    tenant: str | None,
    operator: str,
) -> int:
    """Hält die Vernichtung fest. Bitte aufrufen, bevor das Papier aus der Hand gegeben wird.

    Was nicht mehr fort darf (Sperre, neue Fassung, Siegel), wird abgewiesen, und dann wird von
    der ganzen Liste nichts festgehalten.
    """
    from ingest.ledger.destruction import Means

    disposal = _disposal(app)
    if (box is None) == (not identifiers):
        message = "Bitte entweder Kennungen oder --box angeben."
        raise click.UsageError(message)
    ids = identifiers if box is None else disposal.in_box(app.tenant(tenant), box)
    means = Means(method=method, level=level, certificate=certificate)
    for document in disposal.destroy(ids, by=operator, means=means):
        click.echo(f"{document}: Papier vernichtet.")
    return 0


@paper.command("certify")
@_ID
@click.option("--certificate", required=True, help="Zeichen des Vernichtungsnachweises.")
@_BY
@with_app
def certify(app: App, identifier: str, certificate: str, operator: str) -> int:
    """Trägt den Nachweis des Dienstleisters zu vernichtetem Papier nach."""
    from ingest.ledger.destruction import certify as add

    with app.ledger.writing() as connection:
        count = add(connection, identifier, by=operator, certificate=certificate)
    click.echo(f"Nachweis eingetragen: {count} Einheiten.")
    return 0


@paper.command("show")
@_ID
@_JSON
@with_app
def show(app: App, identifier: str, *, as_json: bool) -> int:
    """Zeigt, wo das Papier liegt und welche Bedingung der Vernichtung erfüllt ist."""
    from ingest.ledger.boxes import history

    for one in _disposal(app).show(identifier):
        with app.ledger.reading() as connection:
            told = list(history(connection, one.entry["unit"]))
        if as_json:
            print_json({**one.entry, "conditions": _conditions(one), "events": told})
            continue
        where = one.entry["place"] or "Platz nicht erfasst"
        stand = PAPER_NAMES[PaperStage(one.entry["stage"])]
        named = one.entry["document"] or f"Stapel {one.entry['batch']}, Blätter ohne Dokument"
        click.echo(f"{named}: {stand} – {where}")
        for condition in _conditions(one):
            mark = "ja  " if condition["holds"] else "nein"
            lacking = "" if condition["holds"] else f": {condition['missing']}"
            click.echo(f"  {mark} {condition['title']}{lacking}")
    return 0


def _conditions(one: Listed) -> list[Facts]:
    return [
        {
            "name": condition.name,
            "title": condition.title,
            "holds": text is None,
            "missing": text,
        }
        for condition, text in (one.judged.answers if one.judged else ())
    ]


@paper.command("list")
@click.option("--box", metavar="KARTON", help="Nur dieser Karton.")
@click.option(
    "--what",
    type=click.Choice(["pull", "destroy", "stored"]),
    default="stored",
    show_default=True,
    help="pull: zu entnehmen; destroy: zu vernichten; stored: Bestand.",
)
@click.option("--tenant", help="Mandant.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Schreibt die Liste zum Drucken in diese Datei.",
)
@_JSON
@with_app
def list_(
    app: App, box: str | None, what: Any, tenant: str | None, html: Path | None, *, as_json: bool
) -> int:
    """Listet Papier nach Karton. Was auf der Vernichtungsliste nicht fort darf, steht dabei."""
    from console.boxes import lines, page

    entries = [
        {**one.entry, "missing": [c["missing"] for c in _conditions(one) if not c["holds"]]}
        for one in _disposal(app).listed(app.tenant(tenant), what, box)
    ]
    zone = app.settings.house.zone
    if html is not None:
        with html.open("x", encoding="utf-8") as target:
            target.write(page(entries, what, zone))
        click.echo(f"{html} geschrieben: {len(entries)} Einträge.")
    elif as_json:
        for entry in entries:
            print_json(entry)
    else:
        for line in lines(entries, what, zone):
            click.echo(line)
    return 3 if any(entry["missing"] for entry in entries) else 0
