"""`scan` and `list-devices`: from the feeder into the ledger, at this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.cli.app import App, print_json, with_app
from ingest.cli.asking import is_agreed
from ingest.cli.options import operator_option, received_moment, tenant_option
from ingest.errors import UsageError

if TYPE_CHECKING:
    from ingest.document import Queue
    from scanners.direct import DirectHouse
    from scanners.drivers import Drivers
    from scanners.stack.desk import Desk, Outcome
    from scanners.stack.journal import Journal
    from scanners.stack.run import Order

_COUNT = click.IntRange(min=0, max=1_000_000)
EXIT_NEEDS_PERSON = 3
_SAMPLE_PROFILE = "stapel-duplex"
DEFAULT_PROFILE = "posteingang"


@click.command("list-devices")
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Zeile.")
@with_app
def list_devices(app: App, *, as_json: bool) -> int:
    """Nennt die Scanner, die dieser Rechner erreicht, und was nicht antwortet."""
    listing = _drivers(app).listed(app.settings.scanners.seconds)
    for name, device in listing.devices.items():
        if as_json:
            print_json({"message_type": "device", "device": name, **asdict(device)})
            continue
        told = f"Nr. {device.serial or 'unbekannt'}, Firmware {device.firmware or 'unbekannt'}"
        click.echo(f"{name:40} {device.vendor} {device.model} ({told})")
    for name, reason in listing.silent.items():
        if as_json:
            print_json({"message_type": "silent", "device": name, "reason": reason})
        else:
            click.echo(f"{name}: {reason}", err=True)
    if not listing.devices and not as_json:
        click.echo("Kein Scanner antwortet. Netzwerkscanner stehen in der Konfiguration unter ")
        click.echo("[scanners.escl.NAME] mit url; siehe docs/operations.md.")
    return 0


@click.command()
@click.option("--device", metavar="GERÄT", help="Bezeichnung aus »list-devices«.")
@click.option("--profile", help=f"Scanprofil; Vorgabe {DEFAULT_PROFILE}.")
@operator_option()
@click.option("--received-at", metavar="DATUM", help="Eingangsdatum JJJJ-MM-TT, auch mit Uhrzeit.")
@click.option("--storage-place", metavar="ORT", help="Wo das Papier danach liegt.")
@click.option("--expected-sheets", type=_COUNT, metavar="ZAHL", help="Gezählte Blätter.")
@click.option("--expected-consignments", type=_COUNT, metavar="ZAHL", help="Gezählte Sendungen.")
@click.option("--keep-open", is_flag=True, help="Der Stapel bleibt offen für weitere Blätter.")
@click.option("--append", metavar="KENNUNG", help="Weitere Blätter in einen offenen Stapel.")
@click.option(
    "--rescan", metavar="BLÄTTER", help="Mit --append: diese Blätter ersetzen, z. B. 3,5-7."
)
@click.option("--close", metavar="KENNUNG", help="Einen offenen Stapel abschließen.")
@click.option(
    "--next-sheet",
    type=click.IntRange(min=1),
    metavar="ZAHL",
    help="Mit --append: Nummer des Blatts, das obenauf liegt; sonst wird gefragt.",
)
@tenant_option
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Zeile.")
@with_app
def scan(app: App, *, as_json: bool, **options: Any) -> int:
    """Scannt einen Stapel; er ist angenommen, wenn der Befehl endet.

    Nach einer Störung bleibt der Stapel offen: »scan --append KENNUNG« setzt ihn nach dem letzten
    vollständigen Blatt fort, »scan --close KENNUNG« schließt ihn ab, »erase KENNUNG« verwirft ihn.
    Strg-C hält an; gescannte Blätter sind gesichert, der Stapel bleibt offen. Rückgabewerte: 3
    etwas braucht eine Person (Störung, Zählung, Ablehnung) · 130 mit Strg-C angehalten.
    """
    from console.scanning import ScanPicture
    from scanners.device import ScanFault
    from scanners.stack import AcceptanceFault
    from scanners.stack.desk import Desk
    from scanners.stack.interrupting import EXIT_INTERRUPTED, Interrupted, interruptible
    from scanners.stack.journal import damaged
    from scanners.stack.locking import Held
    from scanners.stack.shelf import JournalDamaged

    _refuse_contradictions(options)
    tenant = app.tenant(options["tenant"])
    picture = ScanPicture(options["device"] or "", options["expected_sheets"], as_json=as_json)
    house, home = house_of(app, tenant), scanning_home(app, tenant)
    for damage in damaged(home):
        click.echo(damage.operator_text, err=True)
    desk = Desk(home, _drivers(app), house, tell=picture.tell, carried=picture.carried)
    act = _act(app, tenant, desk, house, {**options, "is_asked": not as_json})
    try:
        with picture, interruptible(desk.cancel):
            outcome = act()
    except Interrupted as error:
        _faulty(error.code, error.operator_text, desk, as_json=as_json)
        return EXIT_INTERRUPTED
    except (ScanFault, AcceptanceFault) as error:
        return _faulty(error.code, error.operator_text, desk, as_json=as_json)
    except (Held, JournalDamaged, OSError) as error:
        return _faulty(*_stopped(error), desk, as_json=as_json)
    return _report(outcome, uneven=picture.is_uneven, as_json=as_json)


def _refuse_contradictions(options: dict[str, Any]) -> None:
    """Refuse options that would do nothing: somebody expects that they do."""
    at_begin = ("received_at", "storage_place", "expected_sheets", "expected_consignments")
    begins = not (options["append"] or options["close"])
    wrong = [
        (options["rescan"] and not options["append"], "--rescan gilt nur zusammen mit --append"),
        (options["append"] and options["close"], "--append und --close schließen einander aus"),
        (options["close"] and options["keep_open"], "--close und --keep-open widersprechen sich"),
        (options["next_sheet"] and not options["append"], "--next-sheet gilt nur mit --append"),
        (options["rescan"] and options["next_sheet"], "--next-sheet gilt nicht mit --rescan"),
        (not begins and options["profile"], "--profile gilt nur für einen neuen Stapel"),
        *(
            (
                not begins and options[name] is not None,
                f"--{name.replace('_', '-')} gilt nur für einen neuen Stapel",
            )
            for name in at_begin
        ),
    ]
    said = [text for applies, text in wrong if applies]
    if said:
        raise click.UsageError("; ".join(said) + ".")


def _act(
    app: App, tenant: str, desk: Desk, house: DirectHouse, options: dict[str, Any]
) -> Callable[[], Outcome]:
    """Return what is to be done, everything asked for before a sheet moves."""
    if not (options["append"] or options["close"]):
        name = options["profile"] or DEFAULT_PROFILE
        operator = _operator(app, tenant, options["operator"], name)
        order = _order(app, house, {**options, "operator": operator, "profile": name})
        device = _device(options)
        return lambda: desk.scan(device, order, keep_open=options["keep_open"])
    journal = _open_stack(desk, options["append"] or options["close"])
    operator = _operator(app, tenant, options["operator"], journal.opening.profile)
    if options["close"]:
        return lambda: _closed(desk, journal, operator)
    opened = journal.opening.device
    device = options["device"] or f"{opened.driver}:{opened.id}"
    if options["rescan"]:
        return lambda: _rescanned(desk, journal, options["rescan"], operator, device)
    _require_next_sheet(journal, options["next_sheet"], is_asked=options["is_asked"])
    return lambda: desk.go_on(journal, operator, device, keep_open=options["keep_open"])


def _require_next_sheet(journal: Journal, said: int | None, *, is_asked: bool) -> None:
    """See that whoever feeds knows with which sheet it goes on."""
    from scanners.stack.sheets import whole_sheets

    following = whole_sheets(journal) + 1
    if said is None and is_asked and sys.stdin.isatty():
        question = (
            f"Gesichert sind {following - 1} Blätter. Liegt Blatt {following} obenauf, und keines "
            "davor?"
        )
        if is_agreed(question, default=True):
            return
        wrong = f"Der Stapel geht mit Blatt {following} weiter"
    elif said is not None and said != following:
        wrong = f"Der Stapel geht mit Blatt {following} weiter, nicht mit Blatt {said}"
    else:
        return
    text = (
        f"{wrong}; es wurde kein Blatt eingezogen. Bitte ab Blatt {following} einlegen; frühere "
        "ersetzt --rescan."
    )
    raise UsageError(f"next sheet is {following}", operator_text=text)


def _closed(desk: Desk, journal: Journal, operator: str | None) -> Outcome:
    try:
        return desk.close(journal, operator)
    except ValueError as error:
        text = f"Der Stapel {journal.key} hat keine Seite. Bitte weiterscannen oder »erase«."
        raise UsageError(str(error), operator_text=text) from error


def scan_sample(app: App) -> None:
    """Scan one stack from the first network scanner of the list, where there is one.

    What goes wrong is said and ends nothing.
    """
    from ingest.document import DEFAULT_TENANT
    from scanners.device import ScanFault
    from scanners.stack import AcceptanceFault
    from scanners.stack.desk import Desk

    name = next(iter(app.settings.scanners.escl), None)
    if name is None:
        return
    options = dict.fromkeys(("operator", "received_at", "storage_place"))
    counts = dict.fromkeys(("expected_sheets", "expected_consignments"))
    house = house_of(app, DEFAULT_TENANT)
    desk = Desk(scanning_home(app, DEFAULT_TENANT), _drivers(app), house)
    try:
        order = _order(app, house, {**options, **counts, "profile": _SAMPLE_PROFILE})
        desk.scan(f"escl:{name}", order)
    except (ScanFault, AcceptanceFault, UsageError) as error:
        click.echo(f"Scanner {name}: {error.operator_text}", err=True)


def _rescanned(
    desk: Desk, journal: Journal, wanted: str, operator: str | None, device: str
) -> Outcome:
    try:
        return desk.rescan(journal, _sheets(wanted), operator, device)
    except ValueError as error:
        text = f"--rescan {wanted}: Diese Blätter hat der Stapel nicht."
        raise UsageError(str(error), operator_text=text) from error


def _order(app: App, house: DirectHouse, options: dict[str, Any]) -> Order:
    from scanners.stack.run import Order

    name = options["profile"]
    profile = next((each for each in house.profiles() if each.name == name), None)
    if profile is None:
        known = ", ".join(each.name for each in house.profiles())
        text = f"Unter dem Profil „{name}“ kann hier nicht gescannt werden. Möglich sind: {known}."
        raise UsageError(f"no profile {name} to scan under", operator_text=text)
    said = options["received_at"]
    return Order(
        profile=profile,
        operator=options["operator"],
        received_at=None if said is None else received_moment(said, app.settings.house.zone),
        storage_place=options["storage_place"],
        expected_sheets=options["expected_sheets"],
        expected_consignments=options["expected_consignments"],
    )


def _device(options: dict[str, Any]) -> str:
    if not options["device"]:
        text = "Bitte mit --device den Scanner wählen; »list-devices« nennt die vorhandenen."
        raise UsageError("no device", operator_text=text)
    return str(options["device"])


def _operator(app: App, tenant: str, given: str | None, profile: str) -> str | None:
    """Return who scans: as given, or whoever signed on for this profile or at all."""
    if given is not None:
        return given
    for inbox in (profile, ""):
        shift = app.ledger.current_shift(tenant, inbox)
        if shift is not None:
            return shift.operator
    return None


def _open_stack(desk: Desk, wanted: str) -> Journal:
    journal = desk.stack(wanted.strip().lower())
    if journal is None:
        text = (
            f"Einen offenen Stapel {wanted} gibt es an diesem Rechner nicht, oder die Kennung ist "
            "nicht eindeutig. »list« nennt offene Stapel (Stufe „open“)."
        )
        raise UsageError(f"no open stack {wanted}", operator_text=text)
    return journal


def _sheets(text: str) -> list[int]:
    from scanners.stack.sheets import sheets_named

    try:
        return sheets_named(text)
    except ValueError as error:
        message = f"--rescan: „{text}“ nennt keine Blätter; richtig ist z. B. 3,5-7."
        raise click.UsageError(message) from error


def _drivers(app: App) -> Drivers:
    from scanners.drivers import NetworkScanner, SaneUse, installed

    wanted = app.settings.scanners
    return installed(
        escl={
            name: NetworkScanner(url=each.url, fingerprint=each.fingerprint)
            for name, each in wanted.escl.items()
        },
        discovery=wanted.discovery,
        sane=wanted.sane.enabled,
        sane_config=wanted.sane.config_dir,
        sane_use=SaneUse(program=wanted.sane.program, options=wanted.sane.options),
        twain=wanted.twain.enabled,
    )


def house_of(app: App, tenant: str, hint: Callable[[Queue], None] | None = None) -> DirectHouse:
    """Return the house of a tenant as this machine sees it; `hint` wakes those who work."""
    from scanners.direct import DirectHouse, Workplace

    own: Path | None = app.settings.profiles
    place = Workplace(tenant=tenant)
    return DirectHouse(app.ledger, app.store, place, house_profiles=own, hint=hint)


def scanning_home(app: App, tenant: str) -> Path:
    """Return where stacks of a tenant lie that this machine scans."""
    return app.settings.data / "scanning" / tenant


def _stopped(error: Exception) -> tuple[str, str]:
    """Return code and German text of what stopped at the files of a stack on this machine."""
    from scanners.device import StackTaken
    from scanners.stack.locking import Held
    from scanners.stack.shelf import JournalDamaged

    if isinstance(error, Held):
        return StackTaken.code, StackTaken.hint
    if isinstance(error, JournalDamaged):
        return "journal_damaged", error.operator_text
    if isinstance(error, FileNotFoundError):
        text = (
            "Der Stapel ist hier nicht mehr: ein anderer Vorgang hat ihn abgeschlossen oder "
            "verworfen. »list« zeigt, wie er im Verzeichnis steht."
        )
        return "stack_gone", text
    text = (
        f"Die Festplatte dieses Rechners meldet einen Fehler ({error}). Was als gescannt gezählt "
        "wurde, ist gesichert. Bitte die Betreuung verständigen; danach den Stapel fortsetzen "
        "(»scan --append«) oder abschließen (»scan --close«)."
    )
    return "disk_failed", text


def _faulty(code: str, text: str, desk: Desk, *, as_json: bool) -> int:
    stack = desk.interrupted
    if as_json:
        said = {"code": code, "operator_text": text, "stack": stack}
        print_json({"message_type": "scan", "event": "fault", **said})
    else:
        click.echo(f"Fehler: {text}", err=True)
        if stack is not None:
            click.echo(
                f"Der Stapel {stack} ist offen; weiter mit »scan --append {stack}«.", err=True
            )
    return EXIT_NEEDS_PERSON


def _report(outcome: Outcome, *, uneven: bool, as_json: bool) -> int:
    differs = outcome.expected is not None and outcome.expected != outcome.sheets
    if as_json:
        print_json({"message_type": "scan", "event": "ended", **asdict(outcome)})
    else:
        state = "angenommen" if outcome.is_closed else "offen"
        name = outcome.batch_id or outcome.key
        click.echo(f"{name}: {outcome.sheets} Blätter, {outcome.pages} Seiten, {state}.")
        if differs:
            click.echo(
                f"Gezählt waren {outcome.expected} Blätter. Bitte den Stapel mit dem Papier "
                "vergleichen.",
                err=True,
            )
        if outcome.operator_text:
            click.echo(outcome.operator_text, err=True)
    return EXIT_NEEDS_PERSON if differs or uneven or outcome.operator_text else 0
