"""What can be asked of the scan station, with the German help for it."""

from __future__ import annotations

import argparse
from pathlib import Path

from scanners.stack.terms import LONGEST_PLACE, MOST_COUNTED
from scanners.station.home import HOME_VARIABLE, TOKEN_VARIABLE, default_home

_ABOUT = (
    "Der Scanplatz: scannt an diesem Rechner und überträgt die Stapel an das Haus. Antwortet das "
    "Haus nicht, wird weiter gescannt; die Stapel gehen später in ihrer Reihenfolge hinüber."
)
_CODES = (
    "Rückgabewerte: 0 erledigt · 2 falsch aufgerufen · 3 etwas braucht eine Person · "
    "9 Einrichtung · 130 mit Strg-C abgebrochen (»run« nach SIGTERM: 0)"
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="python -m scanners.station", description=_ABOUT, epilog=_CODES
    )
    top.add_argument(
        "--home",
        type=Path,
        default=default_home(),
        metavar="ORDNER",
        help=f"Ordner des Scanplatzes mit station.toml und den Stapeln (oder {HOME_VARIABLE}).",
    )
    top.add_argument(
        "--json", dest="as_json", action="store_true", help="Ein JSON-Objekt je Zeile."
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="BEFEHL")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument(
            "--json",
            dest="as_json",
            action="store_true",
            default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )
        return added

    command("run", "Läuft als Dienst: überträgt Stapel, achtet auf Tasten der Scanner.")
    _scan(command("scan", "Scannt einen neuen Stapel und schließt ihn ab."))
    resume = command("resume", "Setzt einen offenen Stapel nach dem letzten ganzen Blatt fort.")
    _at_a_stack(resume)
    _keeping_open(resume)
    rescan = command("rescan", "Scannt einzelne Blätter neu; sie ersetzen die bisherigen.")
    rescan.add_argument("sheets", metavar="BLÄTTER", help="Nummern der Blätter, z. B. 3,5-7.")
    _at_a_stack(rescan)
    _at_a_stack(command("close", "Schließt einen offenen Stapel ab."))
    command("devices", "Nennt die Scanner, die dieser Rechner erreicht.")
    command("status", "Zeigt Haus, Anmeldung, wartende und abgelehnte Stapel.")
    retry = command("retry", "Überträgt abgelehnte Stapel erneut, wenn der Grund behoben ist.")
    retry.add_argument("stack", nargs="?", metavar="STAPEL", help="Anfang der Kennung; sonst alle.")
    _discard(command("discard", "Löscht einen Stapel von hier, den das Haus nicht (mehr) nimmt."))
    sign_on = command("sign-on", "Meldet eine Person für diese Schicht an.")
    sign_on.add_argument("code", metavar="KÜRZEL", help="Kürzel der Person, kein Name.")
    command("sign-off", "Meldet die Person ab.")
    _pair(command("pair", "Verbindet den Scanplatz mit dem Haus."))
    return top


def _scan(scan: argparse.ArgumentParser) -> None:
    scan.add_argument("--device", required=True, metavar="GERÄT", help="Wie »devices« es nennt.")
    scan.add_argument("--profile", default="posteingang", help="Scanprofil (posteingang).")
    _operator(scan)
    scan.add_argument(
        "--received-at", metavar="DATUM", help="Eingangsdatum JJJJ-MM-TT, auch mit Uhrzeit."
    )
    scan.add_argument(
        "--storage-place", type=_place, metavar="ORT", help="Wo das Papier danach liegt."
    )
    scan.add_argument("--expected-sheets", type=_count, metavar="ZAHL", help="Gezählte Blätter.")
    _keeping_open(scan)


def _at_a_stack(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--stack", metavar="STAPEL", help="Anfang der Kennung; sonst der einzige offene."
    )
    command.add_argument("--device", metavar="GERÄT", help="Sonst das bisherige.")
    _operator(command)


def _operator(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--operator", metavar="KÜRZEL", help="Wer scannt; sonst, wer angemeldet ist."
    )


def _keeping_open(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--keep-open", action="store_true", help="Der Stapel bleibt offen für weitere Blätter."
    )


def _pair(pair: argparse.ArgumentParser) -> None:
    pair.description = (
        "Verbindet den Scanplatz mit dem Haus. Sein Zugangsschlüssel wird abgefragt, von der "
        f"Standardeingabe gelesen oder aus {TOKEN_VARIABLE} genommen; er steht nie in der "
        "Befehlszeile."
    )
    pair.add_argument("url", metavar="ADRESSE", help="https://rechner:port")
    trust = pair.add_mutually_exclusive_group()
    trust.add_argument("--fingerprint", metavar="SHA256", help="Des Zertifikats des Hauses.")
    trust.add_argument("--ca", type=Path, metavar="DATEI", help="Zertifikat der eigenen CA, PEM.")


def _discard(discard: argparse.ArgumentParser) -> None:
    discard.add_argument("stack", metavar="STAPEL", help="Anfang der Kennung; siehe »status«.")
    discard.add_argument("--yes", action="store_true", help="Ohne Rückfrage.")


def _count(text: str) -> int:
    number = int(text)
    if not 0 <= number <= MOST_COUNTED:
        raise argparse.ArgumentTypeError(f"keine Anzahl von Blättern (höchstens {MOST_COUNTED})")
    return number


def _place(text: str) -> str:
    if len(text) > LONGEST_PLACE:
        raise argparse.ArgumentTypeError(f"länger als {LONGEST_PLACE} Zeichen")
    return text
