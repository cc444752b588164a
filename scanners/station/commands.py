"""The command line of the scan station: `python -m scanners.station`."""

from __future__ import annotations

import argparse
import datetime as dt
import getpass
import io
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from ingest import clock
from ingest.document import OPERATOR_CODE_RULE, is_operator_code
from scanners.device import ScanFault
from scanners.stack import AcceptanceFault, Refused, Unavailable
from scanners.stack.interrupting import EXIT_INTERRUPTED, Interrupted, interruptible, stoppable
from scanners.stack.journal import journals
from scanners.stack.locking import Held
from scanners.stack.run import Order
from scanners.stack.sheets import sheets_named
from scanners.stack.shelf import JournalDamaged
from scanners.stack.transmission import Transmission
from scanners.station import status
from scanners.station.agent import Agent
from scanners.station.connecting import house_of, profile_of, refresh_profiles
from scanners.station.discarding import discard
from scanners.station.faults import HELD, Misconfigured, StationFault, Unusable
from scanners.station.home import TOKEN_VARIABLE, Home
from scanners.station.house import Patience
from scanners.station.options import parser
from scanners.station.picture import Picture
from scanners.station.scanning import (
    Workplace,
    device_of,
    drivers_of,
    report,
    stack_of,
)
from scanners.station.settings import HouseAddress, fingerprint

#: Somebody stands at the scanner and waits, and a house that is away costs no sheet.
_AT_THE_DEVICE: Final = Patience(connect=5.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code, as `docs/operations.md` lists them."""
    _reconfigure(errors="replace")  # a Windows console may know no »ä«: better a question mark
    options = parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    if options.as_json:
        # Windows writes to pipes and files in the code page of the country; JSON is UTF-8.
        _reconfigure(encoding="utf-8")
    picture = Picture(as_json=options.as_json)
    try:
        code: int = _COMMANDS[options.command](Home(options.home), picture, options)
    except Interrupted as error:
        _fault(error, picture, as_json=options.as_json)
        return EXIT_INTERRUPTED
    except (ScanFault, AcceptanceFault, StationFault) as error:
        return _fault(error, picture, as_json=options.as_json)
    except Held:
        return _fault(StationFault(HELD), picture, as_json=options.as_json)
    except JournalDamaged as error:
        return _fault(StationFault(error.operator_text), picture, as_json=options.as_json)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code


def _reconfigure(**how: str) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(**how)  # type: ignore[arg-type]  # all of these are text


def _fault(
    error: ScanFault | AcceptanceFault | StationFault, picture: Picture, *, as_json: bool
) -> int:
    code = error.exit_code if isinstance(error, StationFault) else StationFault.exit_code
    if as_json:
        name = getattr(error, "code", type(error).__name__.lower())
        picture.say("", message_type="fault", code=name, operator_text=error.operator_text)
    elif sys.stderr is not None:
        sys.stderr.write(f"Fehler: {error.operator_text}\n")
    return code


def _run(home: Home, picture: Picture, options: argparse.Namespace) -> int:
    del options
    agent = Agent(home, house_of(home), picture)
    with stoppable(agent.stop) as exit_code:
        picture.say("Scanplatz läuft; Ende mit Strg-C.", message_type="station", state="running")
        agent.run()
        return exit_code()


def _devices(home: Home, picture: Picture, options: argparse.Namespace) -> int:
    del options
    listing = drivers_of(home).listed(home.settings.seconds)
    for name, device in listing.devices.items():
        told = f"Nr. {device.serial or 'unbekannt'}, Firmware {device.firmware or 'unbekannt'}"
        picture.say(
            f"{name:40} {device.vendor} {device.model} ({told})",
            message_type="device",
            device=name,
            **{key: value for key, value in asdict(device).items() if key != "id"},
        )
    for name, reason in listing.silent.items():
        picture.say(f"{name}: {reason}", message_type="silent", device=name, reason=reason)
    return 0


def _scan(home: Home, picture: Picture, options: argparse.Namespace) -> int:
    house = house_of(home, _AT_THE_DEVICE)
    order = Order(
        profile=profile_of(home, house, options.profile),
        operator=_operator(home, options),
        station=home.settings.code,
        received_at=_received(options.received_at),
        storage_place=options.storage_place,
        expected_sheets=options.expected_sheets,
    )
    workplace = Workplace(home, house, picture)
    with interruptible(workplace.cancel):
        outcome = workplace.scan(options.device, order, keep_open=options.keep_open)
    return report(home, outcome, picture)


def _resume(home: Home, picture: Picture, options: argparse.Namespace) -> int:
    journal = stack_of(home, options.stack)
    workplace = Workplace(home, house_of(home, _AT_THE_DEVICE), picture)
    device = options.device or device_of(journal)
    with interruptible(workplace.cancel):
        outcome = workplace.go_on(
            journal, _operator(home, options), device, keep_open=options.keep_open
        )
    return report(home, outcome, picture)


def _rescan(home: Home, picture: Picture, options: argparse.Namespace) -> int:
    sheets = _sheets(options.sheets)
    journal = stack_of(home, options.stack)
    workplace = Workplace(home, house_of(home, _AT_THE_DEVICE), picture)
    device = options.device or device_of(journal)
    with interruptible(workplace.cancel):
        outcome = workplace.rescan(journal, sheets, _operator(home, options), device)
    return report(home, outcome, picture)


def _close(home: Home, picture: Picture, options: argparse.Namespace) -> int:
    journal = stack_of(home, options.stack)
    workplace = Workplace(home, house_of(home, _AT_THE_DEVICE), picture)
    return report(home, workplace.close(journal, _operator(home, options)), picture)


def _status(home: Home, picture: Picture, options: argparse.Namespace) -> int:
    del options
    return status.show(home, picture)


def _retry(home: Home, picture: Picture, options: argparse.Namespace) -> int:
    house = house_of(home)
    wanted = (options.stack or "").lower()
    refused = [each for each in journals(home.path) if each.set_aside is not None]
    for journal in (each for each in refused if each.key.startswith(wanted)):
        journal.note_retried()
    workplace = Workplace(home, house, picture)
    try:
        Transmission(home.path, house, tell=workplace.carried).carry_all()
    except Unavailable as error:
        picture.say(error.operator_text, message_type="station", state="away")
    return status.show(home, picture)


def _discard(home: Home, picture: Picture, options: argparse.Namespace) -> int:
    return discard(home, house_of(home), options.stack, picture, is_sure=options.yes)


def _sign_on(home: Home, picture: Picture, options: argparse.Namespace) -> int:
    home.sign_on(_code(options.code))
    hours = home.settings.shift_hours
    picture.say(
        f"{options.code} ist angemeldet, bis zur Abmeldung oder für {hours:g} Stunden.",
        message_type="shift",
        operator=options.code,
    )
    return 0


def _sign_off(home: Home, picture: Picture, options: argparse.Namespace) -> int:
    del options
    home.sign_off()
    left = home.by_login
    text = "Niemand ist angemeldet."
    if left is not None:
        text = f"Die Schicht ist beendet; für diese Anmeldung am Rechner gilt weiter {left}."
    picture.say(text, message_type="shift", operator=left)
    return 0


def _pair(home: Home, picture: Picture, options: argparse.Namespace) -> int:
    digest = options.fingerprint
    address = HouseAddress(
        url=options.url,
        fingerprint=None if digest is None else fingerprint(digest, "--fingerprint"),
        ca=options.ca,
    )
    if options.ca is not None and not options.ca.exists():
        raise Misconfigured(f"Die CA-Datei {options.ca} gibt es nicht.")
    token = _token()
    home.pair(address, token)
    try:
        profiles = refresh_profiles(home, house_of(home))
    except Unavailable as error:
        text = f"Gespeichert. {error.operator_text}"
        picture.say(text, message_type="station", state="away", house=options.url)
        return 0
    except Refused as error:
        raise StationFault(error.operator_text) from error
    names = [each.name for each in profiles]
    picture.say(
        f"Verbunden mit {options.url}. Profile: {', '.join(names) or 'keine'}",
        message_type="station",
        state="back",
        house=options.url,
        profiles=names,
    )
    return 0


def _token() -> str:
    """Ask for the token; never an argument, which every process of a computer can read."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token and sys.stdin.isatty():
        token = getpass.getpass("Zugangsschlüssel des Scanplatzes: ")
    elif not token:
        token = sys.stdin.readline()
    if not token.strip():
        raise Unusable(
            f"Es fehlt der Zugangsschlüssel des Scanplatzes: auf der Standardeingabe oder in "
            f"{TOKEN_VARIABLE}."
        )
    return token.strip()


def _operator(home: Home, options: argparse.Namespace) -> str | None:
    return home.operator if options.operator is None else _code(options.operator)


def _code(text: str) -> str:
    if not is_operator_code(text):
        raise Unusable(f"„{text}“ ist kein Kürzel: {OPERATOR_CODE_RULE}.")
    return text


def _received(text: str | None) -> dt.datetime | None:
    """Return the date of receipt; without a zone it is this computer's."""
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        message = f"„{text}“ ist kein Eingangsdatum; bitte JJJJ-MM-TT angeben."
        raise Unusable(message) from error
    if clock.lies_ahead(moment):
        raise Unusable(f"Das Eingangsdatum „{text}“ liegt in der Zukunft.")
    return moment


def _sheets(text: str) -> list[int]:
    try:
        return sheets_named(text)
    except ValueError as error:
        raise Unusable(f"„{text}“ nennt keine Blätter; richtig ist z. B. 3,5-7.") from error


_COMMANDS: Final = {
    "run": _run,
    "scan": _scan,
    "resume": _resume,
    "rescan": _rescan,
    "close": _close,
    "devices": _devices,
    "status": _status,
    "retry": _retry,
    "discard": _discard,
    "sign-on": _sign_on,
    "sign-off": _sign_off,
    "pair": _pair,
}
