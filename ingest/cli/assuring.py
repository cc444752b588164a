"""`qa`: quality assurance by persons: what is to be looked at, verdicts, clerks' results."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import click

from ingest.cli.app import App, print_json, with_app
from ingest.cli.options import operator_option

if TYPE_CHECKING:
    from ingest.ledger import Judged

_OPERATOR = operator_option(required=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON statt Text.")
_EXIT_NEEDS_PERSON: Final = 3
_MOST_PAGES: Final = 100_000
_STATES: Final = {
    "committed": "noch nicht gezogen: nicht alle Dokumente sind geprüft",
    "open": "offen",
    "stopped": "angehalten nach einem Mangel",
    "passed": "abgeschlossen",
}
_WHY: Final = {
    "sample": "Stichprobe",
    "flagged": "gekennzeichnete Seiten",
    "late": "kam später",
    "revised": "neue Fassung",
    "complete": "Vollprüfung",
    "named": "von einer Person gewählt",
}


def _pages(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Read page numbers such as `1-3,5`."""
    del context, option
    found: set[int] = set()
    for piece in filter(None, (part.strip() for part in (value or "").split(","))):
        first, dash, last = piece.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            message = f"„{piece}“ ist keine Seite; erwartet wird z. B. 1-3,5."
            raise click.BadParameter(message)
        begin, end = int(first), int(last or first)
        if not 1 <= begin <= end <= _MOST_PAGES:
            message = f"„{piece}“ ist kein Bereich von Seiten."
            raise click.BadParameter(message)
        found.update(range(begin, end + 1))
    return tuple(sorted(found))


def _look_options(function: Any) -> Any:
    """Add what a verdict consists of."""
    for option in (
        click.option(
            "--visual",
            type=click.Choice(["yes", "no"]),
            required=True,
            help="Sieht der Scan aus wie das Papier (bildliche Übereinstimmung)?",
        ),
        click.option(
            "--content",
            type=click.Choice(["yes", "no"]),
            required=True,
            help="Sagt er, was das Papier sagt (inhaltliche Übereinstimmung)?",
        ),
        click.option("--reason", default="", help="Was nicht stimmt; bei „no“ nötig."),
        _OPERATOR,
        _JSON,
    ):
        function = option(function)
    return function


@click.group()
def qa() -> None:
    """Qualitätssicherung: Stichproben ansehen und beurteilen."""


@qa.command("list")
@click.option("--all", "everything", is_flag=True, help="Auch abgeschlossene.")
@click.option("--tenant", help="Mandant (Vorgabe: default).")
@_JSON
@with_app
def list_(app: App, tenant: str | None, *, everything: bool, as_json: bool) -> int:
    """Zeigt Einlieferungen, die auf ihre Stichprobe warten."""
    from ingest.ledger.samples import overview

    with app.ledger.reading() as connection:
        found = list(overview(connection, app.tenant(tenant), everything=everything))
    for each in found:
        if as_json:
            print_json({"message_type": "quality", **each})
        else:
            click.echo(_line(each))
    if not found and not as_json:
        click.echo("Nichts wartet auf die Qualitätssicherung.")
    return 0


@qa.command()
@click.argument("identifier", metavar="EINLIEFERUNG")
@_JSON
@with_app
def show(app: App, identifier: str, *, as_json: bool) -> int:
    """Zeigt die Stichprobe einer Einlieferung mit jedem Dokument und jedem Urteil."""
    from ingest.ledger.samples import show as look_up
    from ingest.ledger.showing import find

    with app.ledger.reading() as connection:
        found = look_up(connection, find(connection, identifier).batch_id)
    if as_json:
        print_json({"message_type": "quality", **found})
        return 0
    click.echo(_line(found))
    if found["seed"]:
        click.echo(f"Startwert {found['seed']} (festgelegt mit SHA-256 {found['seed_sha256']})")
    for each in found["documents"]:
        click.echo(_document_line(each))
    return 0


@qa.command()
@click.argument("identifier", metavar="DOKUMENT")
@click.option("--pages", callback=_pages, help="Beurteilte gekennzeichnete Seiten: 1-3,5.")
@click.option("--seen", metavar="SHA256", help="Angesehene PDF; ohne Angabe nicht erfasst.")
@_look_options
@with_app
def verdict(
    app: App, identifier: str, pages: tuple[int, ...], seen: str | None, **said: Any
) -> int:
    """Beurteilt ein Dokument der Stichprobe. Ein Mangel hält die Einlieferung an."""
    look = _look(said, pages=pages, seen_sha256=seen)
    judged = app.ledger.verdict(app.unit(identifier), look)
    return _print_judged(judged, as_json=said["as_json"])


@qa.command()
@click.argument("identifier", metavar="DOKUMENT")
@click.option("--pages", callback=_pages, required=True, help="Angesehene Seiten, z. B. 1-3,5.")
@_OPERATOR
@with_app
def view(app: App, identifier: str, pages: tuple[int, ...], operator: str) -> int:
    """Hält fest, welche Seiten angesehen wurden (nur Schutzbedarf very_high)."""
    new = app.ledger.view(app.unit(identifier), pages, operator)
    click.echo(f"{new} Seiten festgehalten.")
    return 0


@qa.command()
@click.argument("identifier", metavar="EINLIEFERUNG")
@click.option(
    "--full/--sample",
    "full",
    default=True,
    help="Alles prüfen (Vorgabe) oder eine größere Stichprobe (nur Schutzbedarf normal).",
)
@click.option("--reason", required=True, help="Grund; er steht im Protokoll.")
@_OPERATOR
@with_app
def resume(app: App, identifier: str, operator: str, reason: str, *, full: bool) -> int:
    """Führt eine angehaltene Einlieferung fort; entscheidet die Leitung der Scanstelle."""
    batch = app.unit(identifier)
    state = app.ledger.resume_quality(batch, operator, reason, full=full)
    click.echo(f"{batch}: Qualitätssicherung {_STATES[state]}.")
    return 0


@qa.command()
@click.argument("identifier", metavar="DOKUMENT")
@click.option("--pages", callback=_pages, help="Beurteilte gekennzeichnete Seiten: 1-3,5.")
@_look_options
@with_app
def result(app: App, identifier: str, pages: tuple[int, ...], **said: Any) -> int:
    """Hält das Ergebnis der Sachbearbeitung zu einem zugestellten Dokument fest."""
    judged = app.ledger.clerk_result(app.unit(identifier), _look(said, pages=pages))
    return _print_judged(judged, as_json=said["as_json"])


def _look(said: dict[str, Any], **more: Any) -> Any:
    from ingest.ledger import Look

    return Look(
        by=said["operator"],
        visual=said["visual"] == "yes",
        content=said["content"] == "yes",
        reason=said["reason"],
        **more,
    )


def _print_judged(judged: Judged, *, as_json: bool) -> int:
    """Print what came of a verdict; a fault needs a person."""
    if as_json:
        print_json({"message_type": "verdict", **dataclasses.asdict(judged)})
    else:
        click.echo(f"{judged.document}: {'stimmt überein' if judged.good else 'Mangel'}.")
        if judged.warning is not None:
            click.echo(f"Hinweis: {judged.warning}")
        if judged.state in _STATES:
            click.echo(f"Qualitätssicherung der Einlieferung: {_STATES[judged.state]}.")
    return 0 if judged.good else _EXIT_NEEDS_PERSON


def _line(found: dict[str, Any]) -> str:
    line = f"{found['batch']}  {_STATES[found['state']]}, Schutzbedarf {found['need']}"
    if found["size"] is not None:
        line += f", Stichprobe {found['size']} von {found['population']} Dokumenten"
    if found["detection"]:
        shares = (
            f"{float(share):.0%} Mängel: {probability:.1%}"
            for share, probability in found["detection"].items()
        )
        line += f" (entdeckt mindestens einen bei {', '.join(shares)})"
    if found["owed"]:
        line += f"; noch anzusehen {len(found['owed'])}: {', '.join(found['owed'][:5])}"
    pages = sum(len(each) for each in found["flagged_pages"].values())
    return line + (f"; gekennzeichnete Seiten {pages}" if pages else "")


def _document_line(each: dict[str, Any]) -> str:
    what = _WHY.get(each["why"], each["why"]) if each["selected"] else "nicht gezogen"
    line = f"  {each['ordinal']:>4}  {each['document']}  {each['standing']:<10} {what}"
    if each["flagged"]:
        line += f", Seiten {', '.join(map(str, each['flagged']))}"
    if said := each["verdict"]:
        line += f": {'gut' if said['good'] else 'Mangel'} ({said['by']})"
    return line
