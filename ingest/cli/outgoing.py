"""`seal-outgoing`: a letter leaves the house under its seal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.texts import in_zone, local_time
from ingest.cli.app import App, print_json, with_app
from ingest.cli.options import operator_code
from ingest.cli.waiting import await_end, rows_of_batch
from ingest.document import Facts

_PATIENCE_SECONDS = 20.0  #: for a timestamp authority or a token that is away
_EXIT_PERSON = 3
_EXIT_AGAIN = 75


@click.command("seal-outgoing")
@click.argument("file", type=click.Path(path_type=Path), metavar="DATEI")
@click.option(
    "--class", "class_", required=True, metavar="PROFIL", help="Klasse des Schreibens (Profil)."
)
@click.option(
    "--released-by",
    required=True,
    metavar="KÜRZEL",
    callback=operator_code,
    help="Kürzel der Person, die das Schreiben freigibt.",
)
@click.option("--visible", is_flag=True, help="Das Siegel auch sichtbar auf eine Seite setzen.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Gesiegelte Datei."
)
@click.option("--tenant", help="Mandant.")
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Zeile.")
@with_app
def seal_outgoing(  # noqa: PLR0913 - one parameter per option of the command
    app: App,
    file: Path,
    *,
    class_: str,
    released_by: str,
    visible: bool,
    output: Path | None,
    tenant: str | None,
    as_json: bool,
) -> int:
    """Siegelt ein ausgehendes Schreiben mit dem Siegel der Organisation.

    Wartet, bis es gesiegelt ist, und arbeitet selbst, wenn niemand da ist. Wird derselbe Befehl
    wiederholt, entsteht kein zweites Siegel. Rückgabewert 0: gesiegelt, 3: eine Person muss
    entscheiden, 75: Token oder Dienst nicht erreichbar, später wiederholen.
    """
    from workers.outgoing import Order, hand_out, place

    if file.is_symlink() or not file.is_file():
        message = f"{file}: keine gewöhnliche Datei; bitte eine vorhandene Datei angeben."
        raise click.UsageError(message)
    if output is not None:
        _require_folder(output)
    order = Order(
        path=file,
        profile=class_,
        released_by=released_by,
        visible=visible,
        tenant=app.tenant(tenant),
    )
    receipt = place(order, app.settings, app.ledger, app.store)
    found = _await(app, receipt.batch_id)
    if found is not None and output is not None:
        hand_out(app.store, order.tenant, str(found["sha256"]), output)
    rows = rows_of_batch(app, receipt.batch_id)
    if found is None:
        return _unfinished(app, rows, as_json=as_json)
    _report(app, rows, {**found, "path": None if output is None else str(output)}, as_json=as_json)
    return 0


def _require_folder(output: Path) -> None:
    if not output.absolute().parent.is_dir():
        message = f"Den Ordner von {output} gibt es nicht."
        raise click.UsageError(message)


def _await(app: App, batch: str) -> Facts | None:
    from ingest.ledger.outgoing import sealed

    with app.ledger.reading() as connection:
        found = sealed(connection, batch)
    if found is None:
        await_end(app, [batch], patience=_PATIENCE_SECONDS)
        with app.ledger.reading() as connection:
            found = sealed(connection, batch)
    return found


def _report(app: App, rows: list[dict[str, Any]], found: Facts, *, as_json: bool) -> None:
    zone = app.settings.house.zone
    if as_json:
        for row in rows:
            print_json(in_zone(row, zone))
        print_json({"message_type": "outgoing", **found})
        return
    when = local_time(found["timestamp_at"], zone)
    click.echo(
        f"Gesiegelt: Dokument {found['document']}, Stufe {found['level']}, Zeitstempel {when}, "
        f"Siegel von {found['subject']}."
    )
    click.echo(f"SHA-256 {found['sha256']}" + (f", {found['path']}" if found["path"] else ""))


def _unfinished(app: App, rows: list[dict[str, Any]], *, as_json: bool) -> int:
    """Say why there is no seal yet: a person has to decide, or something is away."""
    code = _EXIT_PERSON
    for row in rows:
        if as_json:
            print_json(in_zone(row, app.settings.house.zone))
        elif row["reason"]:
            click.echo(f"{row['source_name']}: {row['reason']}", err=True)
        if row["standing"] in {"deferred", "ready", "claimed"}:
            code = _EXIT_AGAIN
    if code == _EXIT_AGAIN:
        click.echo(
            "Der Auftrag ist angenommen und wartet. Derselbe Befehl liefert später das Ergebnis.",
            err=True,
        )
    return code
