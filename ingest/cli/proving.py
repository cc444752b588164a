"""`check`, `verify` and `export`: what the installation and its results can show."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import click
import structlog

from ingest.cli.app import App, print_json, with_app
from ingest.errors import Misconfigured, Outage, ScanstrasseError, ToolMissing, UnsafeFolders

log = structlog.get_logger(__name__)

_TOKEN_SECONDS = 60.0  #: an HSM far away takes its time
_LONGEST_WAIT = 30.0  #: seconds between two looks at something that is away


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Prüfung.")
@with_app
def check(app: App, *, as_json: bool) -> int:
    """Prüft Konfiguration, Werkzeuge, Ordner, Ledger und Ablage."""
    failed = False
    for name, problem in findings(app):
        failed |= problem is not None
        if as_json:
            print_json(
                {
                    "message_type": "check",
                    "name": name,
                    "passed": problem is None,
                    "reason": problem,
                }
            )
        else:
            click.echo(
                f"{'FEHLER' if problem else 'ok':7} {name}" + (f": {problem}" if problem else "")
            )
    return 9 if failed else 0


def findings(app: App, *, sealing: bool = True) -> list[tuple[str, str | None]]:
    """Return every check by name with its problem in German, or None where all is well."""
    return [
        (name, None if error is None else error.operator_text)
        for name, error in _results(app, sealing=sealing)
    ]


def _results(app: App, *, sealing: bool) -> list[tuple[str, ScanstrasseError | None]]:
    checks: list[tuple[str, Callable[[], object]]] = [
        ("Konfiguration", lambda: app.settings),
        ("Profile", lambda: _check_profiles(app)),
        ("Werkzeuge", lambda: _check_tools(app)),
        ("Ordner", lambda: _check_folders(app)),
        ("Ledger", lambda: app.ledger.backlog()),  # noqa: PLW0108 - opening it is the check
        ("Ablage", lambda: list(app.store.tenants())),
    ]
    if sealing:
        checks.append(("Installationsschlüssel", lambda: _check_key(app)))
        checks.append(("Siegel", lambda: _check_seal(app)))
    found: list[tuple[str, ScanstrasseError | None]] = []
    for name, action in checks:
        try:
            action()
        except ScanstrasseError as error:
            found.append((name, error))
            if "settings" not in app.__dict__:
                break  # nothing else can be checked without a configuration
        else:
            found.append((name, None))
    return found


def require_ready(app: App, stop: threading.Event, *, sealing: bool = True) -> None:
    """Refuse to start with anything wrong, and wait for what is only away.

    A machine that is switched on before its database must not need a person, so an outage
    is waited for; `stop` ends the wait and with it the command.

    Raises:
        Misconfigured: Names every failed check; nothing was started.
    """
    pause = 1.0
    while errors := _failed(app, sealing=sealing):
        problems = [f"{name}: {error.operator_text}" for name, error in errors]
        if not all(isinstance(error, Outage) for _, error in errors):
            message = "start-up checks failed"
            raise Misconfigured(
                message, operator_text="\n  ".join(["Start verweigert.", *problems])
            )
        log.warning("waiting_for_outage", problems=[str(error) for _, error in errors], pause=pause)
        click.echo("\n  ".join(["Der Start wartet.", *problems]), err=True)
        if stop.wait(pause):
            raise click.exceptions.Exit(0)
        pause = min(pause * 2, _LONGEST_WAIT)
    if sealing:
        from workers.sealing import ensure_installation_key

        ensure_installation_key(app.settings.keys)


def _failed(app: App, *, sealing: bool) -> list[tuple[str, ScanstrasseError]]:
    results = _results(app, sealing=sealing)
    return [(name, error) for name, error in results if error is not None]


def _check_profiles(app: App) -> None:
    import profiles

    for name in profiles.names(app.settings.profiles):
        loaded = profiles.load(name, app.settings.profiles)
        profiles.check_classes(loaded, app.settings.profiles)


def _check_tools(app: App) -> None:
    import profiles
    from workers.recognition.engine import tessdata

    present = {path.stem for path in tessdata().glob("*.traineddata")}
    standard = profiles.load("posteingang", app.settings.profiles).profile
    missing = [name for name in standard.recognition.languages if name not in present]
    if missing:
        packages = " ".join(f"tesseract-ocr-{name}" for name in missing)
        message = f"tesseract models missing: {missing}"
        raise ToolMissing(
            message,
            operator_text=f"Sprachmodelle fehlen: {', '.join(missing)}. "
            f"Abhilfe: apt-get install {packages}",
        )


def _check_folders(app: App) -> None:
    from scanners.folder.folders import check_folders

    for tenant in app.settings.tenants:
        for folder in (app.settings.inbox(tenant), app.settings.outbox(tenant)):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o770)
            except OSError as error:
                message = f"cannot make {folder}: {error}"
                raise UnsafeFolders(
                    message, operator_text=f"Ordner {folder} lässt sich nicht anlegen: {error}"
                ) from error
    check_folders(app.settings)


def _check_key(app: App) -> None:
    """Check the key where there is one; the first start makes it, a check does not."""
    from workers.sealing.keys import KEY_FILE, load_key

    path = app.settings.keys / KEY_FILE
    if path.exists():
        load_key(path)


def _check_seal(app: App) -> None:
    """Check that what released profiles demand is there, and that the token opens."""
    import profiles
    from workers.sealing.levels import require_means

    sealing = app.settings.sealing
    for name in profiles.names(app.settings.profiles):
        loaded = profiles.load(name, app.settings.profiles)
        if loaded.profile.released:
            require_means(loaded.facts(), sealing)
    if sealing.token is None:
        return
    from ingest.sandbox import Child, Limits

    keys = str(app.settings.keys)
    setup = {"token": sealing.token.model_dump(mode="json"), "marks": keys}
    limits = Limits(memory_bytes=app.settings.workers.memory_bytes)
    child = Child("workers.sealing.custody:attend", setup, limits)
    try:
        child.call({}, _TOKEN_SECONDS, lambda: True)
    finally:
        child.close()


@click.command()
@click.argument("identifier", metavar="ID")
@click.option(
    "--what",
    type=click.Choice(
        ["pdf", "original", "note", "text", "alto", "manifest", "evidence", "erasure"]
    ),
    default="pdf",
    show_default=True,
    help="Welche Ausgabe; alto: erkannte Wörter mit Ort; evidence: Beweisnachweis nach RFC 4998; "
    "erasure: Löschprotokoll (JSON, bei Endung .html als Seite).",
)
@click.option(
    "--source",
    type=click.IntRange(min=1),
    metavar="N",
    help="Welche Datei eines Stapels (ab 1), zusammen mit --what original.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Zieldatei; eine vorhandene wird nicht überschrieben.",
)
@with_app
def export(app: App, identifier: str, what: str, source: int | None, output: Path) -> int:
    """Schreibt eine Ausgabe eines Dokuments oder ein Original in eine Datei."""
    if output.exists():
        message = f"{output} gibt es schon; bitte einen anderen Namen angeben."
        raise click.UsageError(message)
    if what == "alto":
        from ingest.cli.layouts import write_alto

        write_alto(app, identifier, output)
        click.echo(f"{output} geschrieben.")
        return 0
    if what == "evidence":
        from ingest.cli.evidencing import write_record

        write_record(app, identifier, output)
        click.echo(f"{output} geschrieben.")
        return 0
    if what == "erasure":
        from ingest.cli.deleting import write_deletion

        write_deletion(app, identifier, output)
        click.echo(f"{output} geschrieben.")
        return 0
    from ingest.ledger.showing import locate

    with app.ledger.reading() as connection:
        found = locate(connection, identifier, what, source)  # type: ignore[arg-type]  # click.Choice
    tenant, digest = found.tenant, found.sha256
    with app.store.open(tenant, digest) as stream, output.open("xb") as target:
        shutil.copyfileobj(stream, target)
    click.echo(f"{output} geschrieben, SHA-256 {digest}.")
    return 0


@click.command()
@click.argument("subject", metavar="[ID|DATEI]", required=False)
@click.option(
    "--trust",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Zertifikat (PEM), dem das Siegel vertrauen soll.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON statt Text.")
@with_app
def verify(app: App, subject: str | None, trust: Path | None, *, as_json: bool) -> int:
    """Prüft eine Datei, ein Dokument oder, ohne Angabe, alle Ketten und Prüfsummen."""
    from ingest.cli.verifying import verify_all, verify_file, verify_unit

    if subject is None:
        results = verify_all(app)
    elif Path(subject).is_file():
        results = verify_file(app, Path(subject), trust)
    else:
        results = verify_unit(app, subject, trust)
    failed = False
    for result in results:
        failed |= result["required"] and not result["passed"]
        if as_json:
            print_json({"message_type": "verification", **result})
        else:
            mark = "ok" if result["passed"] else ("FEHLER" if result["required"] else "Hinweis")
            click.echo(f"{mark:8}{result['name']}: {result['text']}")
    return 3 if failed else 0
