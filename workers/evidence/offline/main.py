"""Prüft ein Beweispaket ohne das System, aus dem es stammt, und ohne Datenbank.

    python3 pruefen.py [--trust ZERTIFIKATE.pem] [--signer ZERTIFIKAT …] [ORDNER …]

Das Paket muss von der Stelle unterschrieben sein, die das Dokument gesiegelt hat, mit demselben
Zertifikat. Andere Zertifikate dieser Stelle, etwa nach einem Wechsel, nennt --signer: eine Datei
(PEM) oder die Prüfsumme (SHA-256). Mit --signer gelten nur die genannten.

Endet mit 0, wenn alles stimmt, was sich hier prüfen ließ; mit 1, wenn etwas verletzt ist; mit 2
bei einem Bedienfehler; mit 3, wenn nichts verletzt ist, das Paket aber weder Siegel noch
Zeitstempel trägt und deshalb nichts über Unverändertheit beweist. Was nicht geprüft wurde, steht
als „nicht geprüft“ in der Ausgabe.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import sys
from pathlib import Path

from workers.evidence.offline.examination import Examination
from workers.evidence.offline.findings import Findings, harmless
from workers.evidence.offline.signers import signer_lines

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_HOLDING, _BROKEN, _WRONG_CALL, _PROVES_NOTHING = range(4)


def main(arguments: list[str]) -> int:
    """Examine the bundle that the arguments name and return the exit code."""
    parser = argparse.ArgumentParser(prog="pruefen.py", description=__doc__, add_help=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("-h", "--help", action="help", help="zeigt diese Hilfe")
    parser.add_argument("--trust", type=Path, metavar="DATEI", help="Zertifikate (PEM), die gelten")
    parser.add_argument(
        "--signer",
        action="append",
        default=[],
        metavar="ZERTIFIKAT",
        help="Zertifikat der Stelle, die unterschreibt: Datei (PEM) oder SHA-256; mehrfach möglich",
    )
    parser.add_argument(
        "folders", nargs="*", type=Path, metavar="ORDNER", help="die Pakete; sonst der Ordner hier"
    )
    given = parser.parse_args(arguments)
    folders = given.folders or [Path(__file__).parent]
    wrong = [folder for folder in folders if not folder.is_dir()]
    wrong += [file for file in (given.trust,) if file is not None and not file.is_file()]
    if wrong:
        sys.stderr.write(f"{wrong[0]} gibt es nicht.\n")
        return _WRONG_CALL
    try:
        named = frozenset(digest for one in given.signer for digest in _named_signers(one))
    except (OSError, ValueError):
        sys.stderr.write("--signer ist weder eine PEM-Datei noch eine Prüfsumme (SHA-256).\n")
        return _WRONG_CALL
    several = len(folders) > 1
    codes = [_examine(folder, given.trust, named, several) for folder in folders]
    return _BROKEN if _BROKEN in codes else max(codes)


def _named_signers(text: str) -> list[str]:
    """Return the digests of the certificates that an argument names.

    Raises:
        OSError: It is no digest, and no file that can be read.
        ValueError: The file has no certificate.
    """
    digest = text.replace(":", "").replace(" ", "").lower()
    if re.fullmatch("[0-9a-f]{64}", digest):
        return [digest]
    pieces = _PEM.findall(Path(text).read_bytes())
    if not pieces:
        raise ValueError(text)
    return [hashlib.sha256(base64.b64decode(one)).hexdigest() for one in pieces]


def _examine(folder: Path, trust: Path | None, named: frozenset[str], one_of_several: bool) -> int:
    if one_of_several:
        sys.stdout.write(f"\n{folder.name}\n")
    findings = Findings(sys.stdout.write)
    try:
        Examination(folder, trust, findings, named).run()
    except Exception as error:  # noqa: BLE001 - whatever a damaged bundle does, it is refused
        findings.breaks("Paket", f"nicht zu Ende prüfbar: {type(error).__name__}: {error}")
    lines = list(signer_lines(findings))
    if lines:
        head = "Wer unterschrieben hat, nach den beiliegenden Zertifikaten:"
        sys.stdout.write("\n".join(["", head, *lines, ""]))
    code, verdict = _verdict(findings)
    held = _counted(findings.held, "Aussage stimmt", "Aussagen stimmen")
    sys.stdout.write(f"\nErgebnis: {verdict} {held}.\n")
    if findings.skipped:
        points = _counted(findings.skipped, "Punkt ist", "Punkte sind")
        sys.stdout.write(
            f"ACHTUNG: {points} hier NICHT GEPRÜFT, darüber sagt dieses Ergebnis nichts; oben"
            " stehen sie als „nicht geprüft“.\n"
        )
    return code


def _verdict(findings: Findings) -> tuple[int, str]:
    """Return the exit code and the sentences that go with it."""
    remarks = [harmless(one) for one in findings.remarks]
    if findings.broken:
        several = _counted(findings.broken, "Stelle ist", "Stellen sind")
        return _BROKEN, " ".join([f"{several} verletzt.", *remarks])
    if findings.unproven:
        vouched = "Unterschrift des Pakets" in findings.carried
        by = "kein Ereignis, nur die Unterschrift des Pakets" if vouched else "nichts"
        names = ", ".join(findings.unproven)
        remarks.append(harmless(f"Was als nicht belegt genannt ist, belegt {by}: {names}."))
    if not findings.carried:
        text = (
            "Das Paket beweist nichts über Unverändertheit: Es trägt weder Siegel noch Zeitstempel."
        )
        return _PROVES_NOTHING, " ".join([text, *remarks])
    carried = ", ".join(findings.carried)
    text = f"Alles, was geprüft wurde, stimmt. Veränderungen zeigen: {carried}."
    return _HOLDING, " ".join([text, *remarks])


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.exit(main(sys.argv[1:]))
