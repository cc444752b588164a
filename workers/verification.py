"""Verifying a finished PDF without ledger, store or network.

For the court or auditor years later: what the file itself can show is checked, and each
statement is made separately. A digest in the sidecar beside the file is compared too, since
only that covers every byte of a timestamped file.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ingest.document import Facts
from workers.noteverifying import judge

if TYPE_CHECKING:
    from asn1crypto.x509 import Certificate

    from workers.sealing.port import Kind
    from workers.sealing.proof import Seal
    from workers.sealing.validation import Validation

    _Trusted = dict[Kind, list[Certificate]]

_CHUNK: Final = 1024 * 1024
_STRANGER: Final = "Nicht mit dem Zertifikat, mit dem dieses Haus das Dokument gesichert hat."
_NEITHER: Final = "Weder Siegel noch Installationssignatur."
_HELD: Final = MappingProxyType(
    {
        "installation": "Installationssignatur (Demo) unversehrt, kein Siegel.",
        "organisation": "Siegel unversehrt.",
    }
)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One statement about the file.

    Attributes:
        required: Whether the file passes only if this holds.
        text: German.
    """

    name: str
    passed: bool
    required: bool
    text: str

    def facts(self) -> Facts:
        """Return the statement as JSON object."""
        return {
            "name": self.name,
            "passed": self.passed,
            "required": self.required,
            "text": self.text,
        }


@dataclass(frozen=True, kw_only=True)
class Verification:
    """All statements about one file.

    Attributes:
        note: Document, batch and digests that the note lists; empty without a note.
    """

    sha256: str
    size: int
    checks: tuple[Check, ...]
    note: Facts

    @property
    def passed(self) -> bool:
        """Whether everything required holds."""
        return all(check.passed for check in self.checks if check.required)

    def facts(self) -> Facts:
        """Return everything as JSON object."""
        return {
            "sha256": self.sha256,
            "size": self.size,
            "passed": self.passed,
            "checks": [check.facts() for check in self.checks],
            "note": self.note,
        }


_OUTGOING: Final = Check(
    name="outgoing",
    passed=True,
    required=False,
    text="Ausgehendes Schreiben: als Ganzes gesiegelt, nicht gescannt, daher ohne Scanvermerk.",
)


def verify_pdf(
    path: Path,
    trust: Path | None,
    tsa_roots: Path | None = None,
    *,
    seal_roots: Path | None = None,
    note: bytes | None = None,
    sealers: Collection[str] | None = None,
) -> Verification:
    """Check seal, timestamp, later changes, PDF/A of the unsealed revision, note and sidecar.

    A letter that left the house says so in its seal: it was not made here, so it has no note
    and is whatever PDF it was.

    Args:
        path: The file as it was delivered.
        trust: PEM file with the installation's certificate; None leaves the signer unknown,
            which the file does not pass.
        tsa_roots: PEM file with the roots of the timestamp authority.
        seal_roots: PEM file with the root above the organisation's certificate; None takes
            `trust` for seals as well.
        note: Of a PDF/A-2b, which has none inside; None looks for it beside the file.
        sealers: Digests (SHA-256) of the certificates of which one must have sealed the file,
            as the house's own records say; None where no such records are asked.

    Raises:
        Misconfigured: A PEM file is unreadable or has no certificate.
        OSError: The file cannot be read.
    """
    from workers.sealing.timestamps import load_roots

    trusted: _Trusted = {
        "installation": load_roots(trust),
        "organisation": _anchors(load_roots(seal_roots or trust)),
    }
    authorities = load_roots(tsa_roots)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    checks, unsealed, outgoing = _seal_checks(path, trusted, authorities, sealers)
    facts: Facts = {}
    if outgoing:
        checks.append(_OUTGOING)
    else:
        checks.append(_pdfa(path, unsealed))
        judged = judge(path, unsealed, note)
        checks.append(_required("note", passed=judged.passed, text=judged.text))
        facts = judged.facts
    checks += _sidecar(path, digest)
    size = path.stat().st_size
    return Verification(sha256=digest, size=size, checks=tuple(checks), note=facts)


def _anchors(certificates: list[Certificate]) -> list[Certificate]:
    """Return the roots among them: what stands below a root is not believed by itself."""
    return [one for one in certificates if one.issuer == one.subject] or certificates


def _seal_checks(
    path: Path,
    trusted: _Trusted,
    authorities: list[Certificate],
    sealers: Collection[str] | None,
) -> tuple[list[Check], int, bool]:
    """Return what is said about the seal, how many bytes lie before it, and if it went out."""
    from workers.sealing.proof import SealBroken, examine
    from workers.sealing.validation import NotValidated, validate

    size = path.stat().st_size
    try:
        seal = examine(path)
        if seal is None:
            return [_required("seal", passed=False, text=_NEITHER)], size, False
        opinion = validate(path, seal.field, trusted[seal.kind], authorities)
    except (SealBroken, NotValidated) as error:
        text = f"Siegel oder Installationssignatur nicht gültig: {error}"
        return [_required("seal", passed=False, text=text)], size, False
    held = _HELD[seal.kind] if opinion.sound else "Die Signatur passt nicht zum Inhalt."
    sound = _required("seal", passed=opinion.sound, text=held)
    checks = [sound, _trust(seal, opinion, sealers), _changes(seal, opinion, size)]
    checks += [_timestamp(seal, opinion), _level(seal, opinion)]
    return checks, opinion.unsealed, seal.outgoing and seal.kind == "organisation"


def _trust(seal: Seal, opinion: Validation, sealers: Collection[str] | None) -> Check:
    from workers.sealing.port import fingerprint, introduced

    own = seal.kind == "installation"
    said = {
        None: "Kein Zertifikat der Installation angegeben (--trust): Aussteller unbekannt."
        if own
        else "Keine Wurzel angegeben (--trust): wessen Siegel das ist, bleibt unbekannt.",
        True: "Mit dem Zertifikat der Installation signiert."
        if own
        else "Das Siegelzertifikat führt zu einer angegebenen Wurzel.",
        False: "Nicht mit dem angegebenen Zertifikat signiert, oder dieses gilt nicht mehr."
        if own
        else "Das Siegelzertifikat führt zu keiner angegebenen Wurzel, oder es gilt nicht mehr.",
    }
    text = f"{said[opinion.trusted]} Zertifikat: {introduced(seal.certificate)}."
    passed = opinion.trusted is True
    if sealers is not None and fingerprint(seal.certificate) not in sealers:
        passed, text = False, f"{_STRANGER} Zertifikat: {introduced(seal.certificate)}."
    return _required("signer", passed=passed, text=text)


def _changes(seal: Seal, opinion: Validation, size: int) -> Check:
    after = size - seal.covered
    if after == 0 and not opinion.changed:
        return _required("changes", passed=True, text="Nach der Signatur nichts geändert.")
    if seal.archive is not None and not opinion.changed and opinion.loose == 0:
        text = "Nach der Signatur nur Sperrauskünfte und Archivzeitstempel hinzugefügt."
        return _required("changes", passed=True, text=text)
    text = f"Nach der Signatur wurden {after} Bytes angehängt (Art: {opinion.changed or 'Rest'})."
    return _required("changes", passed=False, text=text)


def _level(seal: Seal, opinion: Validation) -> Check:
    """Compare the level that the file shows with the one that holds with the roots given."""
    if opinion.proven == seal.level:
        text = f"Stufe {seal.level} (PAdES) nachgewiesen."
        return _required("level", passed=True, text=text)
    stamp = opinion.timestamp
    # Without roots nothing above can be shown, and a bad root is already said elsewhere.
    judged = opinion.trusted is True and (stamp is None or stamp.trusted is True)
    found = f"nachgewiesen: {opinion.proven or 'keine'}"
    text = f"Der Form nach Stufe {seal.level} (PAdES), {found}."
    return Check(name="level", passed=False, required=judged, text=text)


def _timestamp(seal: Seal, opinion: Validation) -> Check:
    stamp = opinion.timestamp
    if stamp is None:
        text = "Kein Zeitstempel; der Zeitpunkt der Signatur ist eine Angabe der Installation."
        return Check(name="timestamp", passed=False, required=seal.stamp is not None, text=text)
    when = stamp.at.isoformat(timespec="seconds")
    if not stamp.intact or stamp.trusted is False:
        return _required("timestamp", passed=False, text=f"Zeitstempel {when} ist nicht gültig.")
    issuer = "" if stamp.trusted else "; Aussteller nicht geprüft (keine Wurzel angegeben)"
    return _required("timestamp", passed=True, text=f"Zeitstempel {when} unversehrt{issuer}.")


def _pdfa(path: Path, unsealed: int) -> Check:
    """Validate the file as it was before the seal: no validator here knows form fields."""
    from pikepdf import pdfa

    with tempfile.TemporaryFile() as revision:
        with path.open("rb") as whole:
            _copy(whole, revision, unsealed)
        revision.seek(0)
        flavour = _flavour(revision)
        revision.seek(0)
        report = pdfa.validate_written(revision, flavour)
    if report.passed:
        return _required("pdfa", passed=True, text=f"PDF/A-{flavour} vor der Signatur gültig.")
    first = "; ".join(str(finding) for finding in report.findings[:3])
    return _required("pdfa", passed=False, text=f"Keine gültige PDF/A-{flavour}: {first}")


def _flavour(revision: BinaryIO) -> str:
    """Return what the file claims to be, of the two that are made here."""
    import pikepdf

    try:
        with pikepdf.open(revision) as pdf:
            return "2b" if str(pdf.open_metadata().get("pdfaid:part")) == "2" else "3b"
    except (pikepdf.PdfError, ValueError, RuntimeError, AttributeError, TypeError):
        return "3b"


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    missing = size
    while missing > 0 and (block := source.read(min(missing, _CHUNK))):
        target.write(block)
        missing -= len(block)


def _sidecar(path: Path, digest: str) -> list[Check]:
    """Compare with the sidecar, where one lies beside the file."""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return []
    try:
        said: Any = json.loads(beside.read_text("utf-8"))
        expected = said["outputs"]["pdf"]["sha256"]
    except (OSError, ValueError, LookupError, TypeError):
        text = f"Begleitdatei {beside.name} ist nicht lesbar."
        return [Check(name="sidecar", passed=False, required=False, text=text)]
    if expected == digest:
        text = "Prüfsumme stimmt mit der Begleitdatei überein."
        return [_required("sidecar", passed=True, text=text)]
    text = "Prüfsumme weicht von der Begleitdatei ab."
    return [_required("sidecar", passed=False, text=text)]


def _required(name: str, *, passed: bool, text: str) -> Check:
    return Check(name=name, passed=passed, required=True, text=text)
