"""`check` and `verify`: what the installation and its results can show."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import click
import structlog

from ingest import clock
from ingest.cli.app import App, print_json, with_app
from ingest.errors import (
    AuthorityUnavailable,
    Misconfigured,
    Outage,
    ScanstrasseError,
    ToolMissing,
    UnsafeFolders,
)

log = structlog.get_logger(__name__)

_TOKEN_SECONDS = 60.0  #: an HSM far away takes its time
_LONGEST_WAIT = 30.0  #: seconds between two looks at something that is away


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Prüfung.")
@with_app
def check(app: App, *, as_json: bool) -> int:
    """Prüft Konfiguration, Werkzeuge, Ordner, Ledger, Ablage und ob Nachweise überfällig sind.

    Rückgabewert 0: alles in Ordnung, 9: der Start würde verweigert, 3: eine Person muss handeln.
    """
    found = findings(app)
    failed = any(problem is not None for _, problem in found)
    late = [] if failed else _owed(app)
    for name, problem in (*found, *late):
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
    if failed:
        return 9
    return 3 if any(problem is not None for _, problem in late) else 0


def _owed(app: App) -> list[tuple[str, str | None]]:
    """Return what a person has to see to and what is no reason not to start.

    Names that are missing, timestamps and renewals that are late: running makes up for these.
    """
    from ingest.cli.attesting import overdue_findings
    from ingest.cli.evidencing import overdue
    from ingest.cli.procedures import outdated_annex

    found = [("Namen", missing_names(app)), *overdue_findings(app)]
    for tenant in app.settings.tenants:
        problem = overdue(app, tenant)
        if problem is not None:
            log.error("alarm_renewal_overdue", tenant=tenant)
        found.append((f"Beweissicherung {tenant}", problem))
        found.append((f"Technische Anlage {tenant}", outdated_annex(app, tenant)))
    return found


def findings(app: App, *, sealing: bool = True) -> list[tuple[str, str | None]]:
    """Return every check by name with its problem in German, or None where all is well."""
    found = [
        (name, None if error is None else error.operator_text)
        for name, error in _results(app, sealing=sealing)
    ]
    if "settings" in app.__dict__ and app.settings.validation.has_anchors:
        found.append(("Vertrauensanker", _untrusted(app)))
    return found


def _untrusted(app: App) -> str | None:
    """Return what is wrong with roots and trusted lists; it stops no start, only judgements."""
    from workers.trust.anchors import require_current

    try:
        require_current(app.settings.validation, clock.now())
    except ScanstrasseError as error:
        return error.operator_text
    return None


def missing_names(app: App) -> str | None:
    """Say in German how many names the ledger counts on and the store of names lacks.

    Work goes on without them, so a start does not ask.
    """
    from ingest.ledger.pseudonyms import named_persons

    with app.ledger.reading() as connection:
        wanted = {tenant: named_persons(connection, tenant) for tenant in app.settings.tenants}
    lost = sum(len(wanted[t] - app.names.persons(t)) for t in wanted if wanted[t])
    if not lost:
        return None
    return (
        f"Im Speicher der Namen fehlen {lost} Personen, deren Kürzel als auflösbar gelten. Bitte "
        "aus dessen Sicherung zurückholen oder mit »people name« neu eintragen."
    )


def _results(app: App, *, sealing: bool) -> list[tuple[str, ScanstrasseError | None]]:
    checks: list[tuple[str, Callable[[], object]]] = [
        ("Konfiguration", lambda: app.settings),
        ("Profile", lambda: _check_profiles(app)),
        ("Werkzeuge", lambda: _check_tools(app)),
        ("Ordner", lambda: _check_folders(app)),
        ("Ledger", lambda: app.ledger.backlog()),  # noqa: PLW0108 - opening it is the check
        ("Ablage", lambda: list(app.store.tenants())),
        ("Zugang der Arbeitsplätze", lambda: _check_upload(app)),
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
    """Return what keeps from starting: a key that is away makes only its own documents wait."""
    results = _results(app, sealing=sealing)
    for _, error in results:
        if isinstance(error, AuthorityUnavailable):
            log.warning("seal_unavailable", error=str(error))
            click.echo(error.operator_text, err=True)
    return [
        (name, error)
        for name, error in results
        if error is not None and not isinstance(error, AuthorityUnavailable)
    ]


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


def _check_upload(app: App) -> None:
    if app.settings.upload is not None:
        from scanners.upload import require_usable

        require_usable(app.settings.upload)


def _check_key(app: App) -> None:
    """Check the key where there is one; the first start makes it, a check does not."""
    from workers.sealing.keys import KEY_FILE, load_key

    path = app.settings.keys / KEY_FILE
    if path.exists():
        load_key(path)


def _check_seal(app: App) -> None:
    """Check that what released profiles demand is there, and that the key can be used."""
    import profiles
    from workers.sealing.levels import require_means

    sealing = app.settings.sealing
    for name in profiles.names(app.settings.profiles):
        loaded = profiles.load(name, app.settings.profiles)
        if loaded.profile.released:
            require_means(loaded.facts(), sealing)
    if not sealing.has_organisation:
        return
    from ingest.sandbox import Child, Limits

    keys = str(app.settings.keys)
    setup = {"sealing": sealing.model_dump(mode="json"), "marks": keys}
    limits = Limits(memory_bytes=app.settings.workers.memory_bytes)
    child = Child("workers.sealing.organisation:attend", setup, limits)
    try:
        child.call({}, _TOKEN_SECONDS, lambda: True)
    finally:
        child.close()


@click.command()
@click.argument("subject", metavar="[ID|DATEI]", required=False)
@click.option(
    "--trust",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Zertifikat (PEM), dem das Siegel vertrauen soll.",
)
@click.option(
    "--evidence",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Beweisnachweis (.er) zur DATEI; ohne Angabe zählt einer, der mit ihrem Namen daneben "
    "liegt.",
)
@click.option(
    "--all-timestamps",
    is_flag=True,
    help="Ohne ID und DATEI: prüft die Signaturen aller Zeitstempel, nicht nur der neuesten 500 "
    "jedes Mandanten.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON statt Text.")
@with_app
def verify(
    app: App,
    subject: str | None,
    trust: Path | None,
    evidence: Path | None,
    *,
    all_timestamps: bool,
    as_json: bool,
) -> int:
    """Prüft eine Datei, ein Dokument oder, ohne Angabe, alle Ketten und Prüfsummen."""
    from ingest.cli.attesting import SIGNATURES
    from ingest.cli.verifying import verify_all, verify_file, verify_unit

    if evidence is not None and (subject is None or not Path(subject).is_file()):
        message = "--evidence gehört zu einer DATEI; zu Dokumenten ist der Nachweis im Ledger."
        raise click.UsageError(message)
    if all_timestamps and subject is not None:
        message = "--all-timestamps gilt ohne ID und DATEI: dann werden alle Zeitstempel geprüft."
        raise click.UsageError(message)
    if subject is None:
        results = verify_all(app, None if all_timestamps else SIGNATURES)
    elif Path(subject).is_file():
        results = verify_file(app, Path(subject), trust, evidence)
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
