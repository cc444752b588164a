"""`rescan`: paper is scanned again and takes the place of what was scanned before."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from ingest.cli.app import App, print_json, with_app
from ingest.cli.options import operator_option, received_moment


@click.command()
@click.argument("identifier", metavar="EINLIEFERUNG|DOKUMENT")
@click.argument(
    "files",
    metavar="DATEI...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option("--page", type=click.IntRange(min=1), help="Nur diese Seite der Einlieferung.")
@click.option("--reason", required=True, help="Grund; er steht im Protokoll.")
@click.option("--device", help="Womit neu gescannt wurde; es steht im Vermerk.")
@click.option("--scanned-at", metavar="ZEIT", help="Wann, z. B. 2026-03-02T08:15.")
@operator_option(required=True)
@click.option("--json", "as_json", is_flag=True, help="JSON statt Text.")
@with_app
def rescan(
    app: App, identifier: str, files: tuple[Path, ...], *, as_json: bool, **said: Any
) -> int:
    """Ersetzt eine Seite, ein Dokument oder alle Dokumente durch neu Gescanntes.

    Für jedes Dokument eine Datei, in der Reihenfolge der Dokumente. Es entsteht eine neue
    Fassung, die zugestellt wird; was zuerst gescannt war, bleibt mit seiner Prüfsumme erhalten.
    """
    from workers.rescanning import Wish
    from workers.rescanning import rescan as replace

    when, zone = said["scanned_at"], app.settings.house.zone
    wish = Wish(
        unit_id=app.unit(identifier),
        page=said["page"],
        files=files,
        by=said["operator"],
        reason=said["reason"],
        device=said["device"],
        scanned_at=None if when is None else received_moment(when, zone, "--scanned-at"),
    )
    for done in replace(app.ledger, app.store, app.settings, wish):
        if as_json:
            print_json({"message_type": "rescan", **dataclasses.asdict(done)})
            continue
        what = "" if done.created else " (lag schon vor)"
        pages = ", ".join(map(str, done.pages))
        click.echo(
            f"Dokument {done.document}, Fassung {done.revision}, ersetzt {done.superseded}: "
            f"neue Seiten {pages}{what}."
        )
    return 0
