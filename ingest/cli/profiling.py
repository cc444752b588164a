"""`profile`: which versions of a profile may be worked with, from draft to withdrawal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.texts import local_time
from ingest.cli.app import App, print_json, with_app
from ingest.cli.options import code_option, reason_option, tenant_option
from ingest.errors import Misconfigured, ScanstrasseError, UsageError

if TYPE_CHECKING:
    from profiles import LoadedProfile

_NEGATIVE = ("not_scanned", "only_after_release")
_ACTS = ("submitted", "tested", "approved", "withdrawn")
_KEYS = (
    *("name", "version", "sha256", "treatment", "stage", "protection", "author", "submitted_at"),
    *("tested_by", "tested_at", "test_result", "test_documents", "approved_by", "approved_at"),
    *("withdrawn_by", "withdrawn_at", "withdrawn_reason"),
)
_TREATMENTS = {
    "copying": "kopierend",
    "replacing": "ersetzend",
    "not_scanned": "Negativliste: wird nicht gescannt",
    "only_after_release": "Negativliste: nur nach Freigabe",
}


@click.group()
def profile() -> None:
    """Dokumentklassen und Scanprofile: einreichen, testen, freigeben, zurückziehen."""


@profile.command("examples")
@with_app
def examples(app: App) -> int:
    """Nennt die Beispielklassen, aus denen eigene werden können."""
    import profiles

    del app
    for name in profiles.example_names():
        shown = profiles.load_example(name).profile
        click.echo(f"{name:20} {shown.title} ({_TREATMENTS[shown.treatment]})")
    return 0


@profile.command("new")
@click.argument("name")
@click.option("--from", "example", required=True, metavar="BEISPIEL", help="Siehe »examples«.")
@with_app
def new(app: App, name: str, example: str) -> int:
    """Schreibt eine Beispielklasse als eigene Vorlage in den Profilordner des Hauses."""
    import profiles

    written = profiles.made_from_example(example, name)
    path = _house(app) / f"{name}.toml"
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(written)
    except FileExistsError as error:
        text = f"{path} gibt es schon; bitte einen anderen Namen wählen."
        raise UsageError(f"{path} exists", operator_text=text) from error
    click.echo(f"{path} angelegt. Bitte vervollständigen, dann »profile submit {name}«.")
    return 0


@profile.command("submit")
@click.argument("name")
@code_option("--author", "Wer diese Fassung verfasst hat.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Künftige Datei (Vorgabe: die im Profilordner).",
)
@tenant_option
@with_app
def submit(app: App, name: str, author: str, path: Path | None, tenant: str | None) -> int:
    """Reicht die Datei eines Profils als Entwurf ein, Byte für Byte."""
    import profiles
    from ingest.ledger import releasing

    loaded: LoadedProfile = (
        profiles.load(name, app.settings.profiles)
        if path is None
        else profiles.load_file(path, name)
    )
    with app.ledger.writing() as connection:
        releasing.submit(connection, app.tenant(tenant), loaded, author=author)
    click.echo(f"{name} {loaded.profile.version} eingereicht: {loaded.sha256}")
    return 0


@profile.command("test")
@click.argument("chosen", metavar="NAME|PRÜFSUMME")
@code_option("--by", "Wer getestet hat.")
@click.option("--result", required=True, help="Ergebnis; es steht im Protokoll und nennt niemand.")
@click.option("--documents", multiple=True, metavar="ID", help="Dokument des Tests; mehrmals.")
@tenant_option
@with_app
def record_test(
    app: App, chosen: str, *, by: str, result: str, documents: tuple[str, ...], tenant: str | None
) -> int:
    """Hält das Ergebnis eines Tests fest."""
    from ingest.ledger import releasing

    trial = releasing.Trial(result=result, documents=tuple(map(app.unit, documents)))
    with app.ledger.writing() as connection:
        releasing.record_trial(connection, app.tenant(tenant), chosen, trial, by=by)
    click.echo(f"{chosen}: Test festgehalten.")
    return 0


@profile.command("approve")
@click.argument("chosen", metavar="NAME|PRÜFSUMME")
@code_option("--by", "Leitung der Scanstelle, nicht die verfassende Person.")
@tenant_option
@with_app
def approve(app: App, chosen: str, by: str, tenant: str | None) -> int:
    """Gibt eine getestete Fassung frei; die bisherige gilt damit als zurückgezogen."""
    from ingest.ledger import releasing

    with app.ledger.writing() as connection:
        before = releasing.approve(
            connection, app.tenant(tenant), chosen, by=by, intact=intact(app)
        )
    click.echo(f"{chosen} freigegeben." + (f" Ersetzt {before[:12]}." if before else ""))
    return 0


@profile.command("withdraw")
@click.argument("chosen", metavar="NAME|PRÜFSUMME")
@code_option("--by", "Leitung der Scanstelle.")
@reason_option
@tenant_option
@with_app
def withdraw(app: App, chosen: str, by: str, reason: str, tenant: str | None) -> int:
    """Zieht eine Fassung zurück. Was unter ihr begonnen ist, läuft weiter."""
    from ingest.ledger import releasing

    with app.ledger.writing() as connection:
        releasing.withdraw(connection, app.tenant(tenant), chosen, by=by, reason=reason)
    click.echo(f"{chosen} zurückgezogen.")
    return 0


@profile.command("list")
@tenant_option
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Zeile.")
@with_app
def list_profiles(app: App, tenant: str | None, *, as_json: bool) -> int:
    """Nennt alle Profile mit ihrem Stand, zuletzt die Negativliste."""
    from ingest.ledger import releasing

    with app.ledger.reading() as connection:
        known = {row.sha256: row for row in releasing.versions(connection, app.tenant(tenant))}
    shown = [*_files(app, known)]
    on_disk = {record["sha256"] for record in shown}
    shown += [_record(row) | {"file": False} for sha, row in known.items() if sha not in on_disk]
    for record in sorted(shown, key=lambda r: (r["treatment"] in _NEGATIVE, r["name"])):
        if as_json:
            print_json({"message_type": "profile", **record})
        else:
            click.echo(_line(record))
    return 0


@profile.command("show")
@click.argument("chosen", metavar="NAME|PRÜFSUMME")
@tenant_option
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt.")
@with_app
def show_profile(app: App, chosen: str, tenant: str | None, *, as_json: bool) -> int:
    """Zeigt eine eingereichte Fassung: wer, wann, und ihre Datei."""
    from ingest.ledger import releasing

    with app.ledger.reading() as connection:
        row = releasing.version(connection, app.tenant(tenant), chosen)
    content = row.content.decode("utf-8")
    if as_json:
        print_json({"message_type": "profile", **_record(row), "content": content})
        return 0
    click.echo(_line(_record(row)))
    for act in _ACTS:
        by = row.author if act == "submitted" else getattr(row, f"{act}_by")
        if by is not None:
            at = local_time(getattr(row, f"{act}_at").isoformat(), app.settings.house.zone)
            click.echo(f"  {_WORDS[act]}: {by}, {at}")
    click.echo(content)
    return 0


@profile.command("diff")
@click.argument("chosen", metavar="NAME|PRÜFSUMME")
@tenant_option
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt.")
@with_app
def diff(app: App, chosen: str, tenant: str | None, *, as_json: bool) -> int:
    """Zeigt, was eine Fassung von der zuletzt freigegebenen unterscheidet."""
    from ingest.ledger import releasing

    with app.ledger.reading() as connection:
        row = releasing.version(connection, app.tenant(tenant), chosen)
        old = releasing.before(connection, row)
    text = releasing.difference(old.content if old else b"", row.content)
    if as_json:
        before = old.sha256 if old else None
        said = {"sha256": row.sha256, "before": before, "difference": text}
        print_json({"message_type": "profile_difference", **said})
    else:
        click.echo(text)
    return 0


_WORDS = {
    "submitted": "verfasst",
    "tested": "getestet",
    "approved": "freigegeben",
    "withdrawn": "zurückgezogen",
}


def intact(app: App) -> Callable[[str, str], bool]:
    """Return what tells whether the store has bytes, after reading them to their end."""

    def reads(tenant: str, sha256: str) -> bool:
        try:
            with app.store.materialise(tenant, sha256):
                return True
        except ScanstrasseError as error:
            click.echo(f"Ablage: {error.operator_text}", err=True)
            return False

    return reads


def _house(app: App) -> Path:
    """Return the house's folder of profiles.

    Raises:
        Misconfigured: There is none.
    """
    folder = app.settings.profiles
    if folder is None or not folder.is_dir():
        text = (
            "Es ist kein Profilordner des Hauses eingerichtet. Bitte in der Konfigurationsdatei "
            '`profiles = "/pfad/zum/ordner"` setzen und den Ordner anlegen.'
        )
        raise Misconfigured("no folder for the house's profiles", operator_text=text)
    return folder


def _files(app: App, known: dict[str, Any]) -> Iterator[dict[str, Any]]:
    import profiles

    for name in profiles.names(app.settings.profiles):
        loaded = profiles.load(name, app.settings.profiles)
        row = known.get(loaded.sha256)
        stage = None if row is None else row.stage
        if stage is None and loaded.profile.treatment != "replacing" and loaded.profile.released:
            stage = "released"
        yield {
            "name": name,
            "version": loaded.profile.version,
            "sha256": loaded.sha256,
            "treatment": loaded.profile.treatment,
            "stage": stage or "template",
            "protection": None if row is None else row.protection,
            "file": True,
        }


def _record(row: Any) -> dict[str, Any]:
    return {key: getattr(row, key) for key in _KEYS}


def _line(record: dict[str, Any]) -> str:
    from ingest.ledger.admitting import STAGES

    words = {**STAGES, "released": "frei (released = true)", "template": "nicht freigegeben"}
    return (
        f"{record['name']:20} {record['version']:8} {record['sha256'][:12]}  "
        f"{words[record['stage']]:24} {_TREATMENTS[record['treatment']]}"
    )
