"""`backup` and `restore`: a consistent copy of ledger and store, proved when it comes back."""

from __future__ import annotations

import json
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
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Mandant statt Text.")
@with_app
def restore(
    app: App, folder: Path, operator: str | None, anchors: Path | None, *, as_json: bool
) -> int:
    """Stellt eine Sicherung in einen leeren Datenordner zurück und vergleicht die Ketten.

    Ist die Sicherung älter als die Anker, ist das Ergebnis da, aber unvollständig: Genannt
    wird, welche Ketten zurückliegen und um wie viele Ereignisse (Rückgabewert 3). Ebenso endet
    es, wo es keine Anker außerhalb der Sicherung gab: Ihre eigenen sagen nicht, ob es eine
    neuere gibt.
    """
    from ingest.cli.copying import read_backup

    counted = read_backup(app, folder, operator or NOT_RECORDED, anchors)
    doubtful = False
    if not as_json:
        click.echo(
            f"Wiederhergestellt: {counted.rows} Zeilen, {counted.blobs} Objekte; alle Ketten "
            "stimmen mit der Sicherung überein."
        )
    for tenant, found in counted.beside.items():
        doubtful |= bool(found.behind or found.back) or not found.elsewhere
        text = f"{_beside_anchors(tenant, found)}{_to_be_erased(found)}"
        click.echo(_facts(tenant, found, text) if as_json else text)
    return 3 if doubtful else 0


def _facts(tenant: str, found: Compared, text: str) -> str:
    facts = {
        "message_type": "restored",
        "tenant": tenant,
        "anchors_compared": found.days,
        "newest_anchor": found.newest,
        "newest_anchor_outside_backup": found.elsewhere,
        "only_own_anchors": found.elsewhere is None,
        "chains_behind": len(found.behind),
        "to_be_erased": sorted(found.back),
        "text": text,
    }
    return json.dumps(facts, ensure_ascii=False)


def _to_be_erased(found: Compared) -> str:
    if not found.back:
        return ""
    return f" Gelöscht und wieder da, bitte erneut löschen (»erase«): {', '.join(found.back)}."


def _beside_anchors(tenant: str, found: Compared) -> str:
    if not found.days:
        return f"Mandant {tenant}: keine Anker zum Vergleich; ob etwas fehlt, ist nicht geprüft."
    if not found.behind and not found.elsewhere:
        return (
            f"Mandant {tenant}: nur mit den Ankern aus der Sicherung selbst verglichen; ob sie die "
            "neueste ist, ist nicht geprüft. Bitte Anker von anderswo mit --anchors angeben."
        )
    if not found.behind:
        return f"Mandant {tenant}: kein Stand ist älter als der Anker vom {found.elsewhere}."
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
