"""Prüft ein Beweispaket ohne das System, aus dem es stammt, und ohne Datenbank.

    python3 pruefen.py [--trust ZERTIFIKATE.pem] [ORDNER …]

Endet mit 0, wenn alles stimmt, was sich hier prüfen ließ; mit 1, wenn etwas verletzt ist; mit 2
bei einem Bedienfehler. Was nicht geprüft wurde, steht als „nicht geprüft“ in der Ausgabe.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from workers.evidence.offline.examination import Examination
from workers.evidence.offline.findings import Findings


def main(arguments: list[str]) -> int:
    """Examine the bundle that the arguments name and return the exit code."""
    parser = argparse.ArgumentParser(prog="pruefen.py", description=__doc__, add_help=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("-h", "--help", action="help", help="zeigt diese Hilfe")
    parser.add_argument("--trust", type=Path, metavar="DATEI", help="Zertifikate (PEM), die gelten")
    parser.add_argument(
        "folders", nargs="*", type=Path, metavar="ORDNER", help="die Pakete; sonst der Ordner hier"
    )
    given = parser.parse_args(arguments)
    folders = given.folders or [Path(__file__).parent]
    wrong = [folder for folder in folders if not folder.is_dir()]
    wrong += [file for file in (given.trust,) if file is not None and not file.is_file()]
    if wrong:
        sys.stderr.write(f"{wrong[0]} gibt es nicht.\n")
        return 2
    return max(_examine(folder, given.trust, len(folders) > 1) for folder in folders)


def _examine(folder: Path, trust: Path | None, one_of_several: bool) -> int:
    if one_of_several:
        sys.stdout.write(f"\n{folder.name}\n")
    findings = Findings(sys.stdout.write)
    try:
        Examination(folder, trust, findings).run()
    except Exception as error:  # noqa: BLE001 - whatever a damaged bundle does, it is refused
        findings.breaks("Paket", f"nicht zu Ende prüfbar: {type(error).__name__}: {error}")
    refused = _counted(findings.broken, "Stelle ist", "Stellen sind") + " verletzt"
    verdict = refused if findings.broken else "Alles, was geprüft wurde, stimmt"
    held = _counted(findings.held, "Aussage stimmt", "Aussagen stimmen")
    sys.stdout.write(f"\nErgebnis: {verdict}. {held}.\n")
    if findings.skipped:
        points = _counted(findings.skipped, "Punkt ist", "Punkte sind")
        sys.stdout.write(
            f"ACHTUNG: {points} hier NICHT GEPRÜFT, darüber sagt dieses Ergebnis nichts; oben"
            " stehen sie als „nicht geprüft“.\n"
        )
    return 1 if findings.broken else 0


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.exit(main(sys.argv[1:]))
