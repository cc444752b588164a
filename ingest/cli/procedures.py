"""`procedure`: the technical annex of the written procedure, and which texts are released."""

from __future__ import annotations

import io
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.texts import local_time
from ingest.cli.app import App, print_json, with_app
from ingest.cli.options import code_option, reason_option, tenant_option
from ingest.errors import ScanstrasseError

if TYPE_CHECKING:
    from ingest.ledger.procedures import Kind

ANNEX = "technische-anlage.md"
_BY = code_option("--by", "Leitung der Scanstelle.")


@click.group(invoke_without_command=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help=f"Datei oder Ordner ({ANNEX}) für die technische Anlage.",
)
@tenant_option
@click.pass_context
def procedure(context: click.Context, output: Path | None, tenant: str | None) -> None:
    """Verfahrensdokumentation: technische Anlage erzeugen, Texte freigeben.

    Ohne Unterbefehl schreibt der Befehl die technische Anlage aus der laufenden Konfiguration,
    dazu die Liste dessen, was Menschen noch schreiben müssen.
    """
    if context.invoked_subcommand is not None:
        return
    app: App = context.obj
    text = _annex(app, app.tenant(tenant))
    if output is None:
        click.echo(text, nl=False)
        return
    path = output / ANNEX if output.is_dir() else output
    path.write_text(text, encoding="utf-8")
    click.echo(f"{path} geschrieben. Freigeben: »procedure release-annex --by KÜRZEL«.")


@procedure.command("release")
@click.argument("path", metavar="DATEI", type=click.Path(path_type=Path, dir_okay=False))
@_BY
@click.option("--name", required=True, help="Wie das Dokument heißt, mit Fassung.")
@tenant_option
@with_app
def release(app: App, path: Path, by: str, name: str, tenant: str | None) -> int:
    """Gibt die geschriebene Verfahrensdokumentation frei und bewahrt sie auf."""
    if not path.is_file():
        message = f"{path}: keine gewöhnliche Datei."
        raise click.UsageError(message)
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    _released(app, path.read_bytes(), app.tenant(tenant), "written", (name, media_type, by))
    return 0


@procedure.command("release-annex")
@_BY
@click.option("--name", default="Technische Anlage", show_default=True, help="Bezeichnung.")
@tenant_option
@with_app
def release_annex(app: App, by: str, name: str, tenant: str | None) -> int:
    """Gibt die technische Anlage frei, wie sie jetzt ist; Vermerke nennen ihre Prüfsumme."""
    content = _annex(app, app.tenant(tenant)).encode("utf-8")
    _released(app, content, app.tenant(tenant), "annex", (name, "text/markdown", by))
    return 0


@procedure.command("list")
@tenant_option
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Zeile.")
@with_app
def list_texts(app: App, tenant: str | None, *, as_json: bool) -> int:
    """Nennt die freigegebenen Texte mit ihrer Prüfsumme."""
    from ingest.ledger import procedures

    with app.ledger.reading() as connection:
        rows = procedures.texts(connection, app.tenant(tenant))
    for row in rows:
        if as_json:
            print_json({"message_type": "procedure", **row._mapping})  # noqa: SLF001 - SQLAlchemy's public name
        else:
            at = local_time(row.released_at.isoformat(), app.settings.house.zone)
            click.echo(f"{row.sha256}  {row.name}, freigegeben {at} von {row.released_by}")
    return 0


@procedure.command("remove")
@click.argument("chosen", metavar="PRÜFSUMME")
@_BY
@reason_option
@tenant_option
@with_app
def remove(app: App, chosen: str, by: str, reason: str, tenant: str | None) -> int:
    """Löscht einen Text, auf den nichts mehr verweist."""
    from ingest.ledger import procedures

    name = app.tenant(tenant)
    with app.ledger.writing() as connection:
        free = procedures.remove(connection, name, chosen, by=by, reason=reason)
        if free is not None:
            app.store.erase(name, free)
    click.echo(f"{chosen} gelöscht.")
    return 0


def outdated_annex(app: App, tenant: str) -> str | None:
    """Say in German where the annex that notes cite is not what is set now; None if it is."""
    from ingest.ledger.procedures import annex

    with app.ledger.reading() as connection:
        cited = annex(connection, tenant)
    if not cited:
        return None
    try:
        present = _annex(app, tenant)
        with app.store.open(tenant, str(cited["annex_sha256"])) as stream:
            released = stream.read().decode("utf-8")
    except ScanstrasseError as error:
        return f"Die freigegebene technische Anlage ist nicht zu vergleichen: {error.operator_text}"
    return None if present == released else _outdated(present, released)


def _outdated(present: str, released: str) -> str:
    changed = sorted(set(present.splitlines()) ^ set(released.splitlines()))
    sections = [line for line in present.splitlines() if line.startswith("## ")]
    named = [one[3:] for one in sections if _section(present, one) != _section(released, one)]
    where = "; ".join(named) or next(iter(changed), "Reihenfolge")
    return (
        "Die freigegebene technische Anlage, die Transfervermerke nennen, beschreibt nicht mehr, "
        f"was jetzt gilt (Einstellungen, Rollen oder Programmfassungen: {where}). Bitte mit "
        "»procedure -o DATEI« ansehen und mit »procedure release-annex« neu freigeben."
    )


def _section(text: str, heading: str) -> str:
    _, _, rest = text.partition(f"{heading}\n")
    return rest.partition("\n## ")[0]


def _annex(app: App, tenant: str) -> str:
    from console.annex import technical_annex

    with app.ledger.reading() as connection:
        return technical_annex(app.settings, connection, tenant)


def _released(
    app: App, content: bytes, tenant: str, kind: Kind, said: tuple[str, str, str]
) -> None:
    from ingest.ledger import procedures

    name, media_type, by = said
    blob = app.store.put(tenant, io.BytesIO(content))
    with app.ledger.writing() as connection:
        procedures.release(
            connection,
            tenant,
            blob,
            kind=kind,
            name=name,
            media_type=media_type,
            by=by,
            present=app.store.holds,
        )
    click.echo(f"{name} freigegeben: {blob.sha256}")
