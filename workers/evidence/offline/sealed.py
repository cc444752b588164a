"""The sealed PDF: its note, its signatures and what the issuers said of their certificates."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

from workers.evidence.offline.findings import Findings
from workers.evidence.offline.notes import Note, read_note
from workers.evidence.offline.openssl import OpenSsl
from workers.evidence.offline.portable import (
    Readable,
    Signature,
    attached_files,
    has_revision,
    pieces_of,
    seal_at,
    signatures,
    stored_streams,
)
from workers.evidence.offline.revocation import Answers, Revocation

#: Where answers lie: in folders of the bundle, and under which key in the PDF.
_BESIDE = {"ocsp": b"OCSPs", "crl": b"CRLs"}


class SealedPdf:
    """The PDF of one bundle.

    Attributes:
        sealer: Certificate with which this document was sealed; None where nothing did.
    """

    def __init__(
        self, folder: Path, subject: dict[str, Any], findings: Findings, openssl: OpenSsl
    ) -> None:
        """Take the bundle's folder and what it says of itself."""
        self._folder = folder
        self._subject = subject
        self._say = findings
        self._openssl = openssl
        self._proven_at: dt.datetime | None = None
        self.sealer: bytes | None = None

    def run(
        self, content: Readable, beside: tuple[Note, bytes] | None, proven_at: dt.datetime | None
    ) -> None:
        """Look at its bytes.

        Args:
            content: The bytes.
            beside: The note that lies beside it, read and as it is; None without one.
            proven_at: Since when the file exists, as the evidence record proves.
        """
        self._proven_at = proven_at
        name = str(self._subject["pdf"])
        if beside is None:
            self._without_note(name, content)
        else:
            self._attached(name, content, *beside)
        self._signatures(name, content)

    def _without_note(self, name: str, content: Readable) -> None:
        """Refuse a note that the PDF carries and the bundle keeps quiet about."""
        for one in attached_files(content):
            if one is not None and _is_note(one):
                self._say.breaks(name, "enthält einen Vermerk, den beweis.json verschweigt")

    def _attached(self, name: str, content: Readable, note: Note, own: bytes) -> None:
        if note.unsealed is not None:
            right = "vor der Sicherung die Datei, die der Vermerk nennt"
            fits = has_revision(content, note.unsealed)
            self._say.judge(name, fits, right, f"nicht {right}")
            return
        found = list(attached_files(content))
        if own in found:
            self._say.holds(name, f"enthält {self._subject['note']} Byte für Byte")
        elif None in found or not found:
            self._say.skips(name, "eingebetteter Vermerk: keiner, der sich hier auspacken lässt")
        else:
            self._say.breaks(name, f"der eingebettete Vermerk ist nicht {self._subject['note']}")

    def _signatures(self, name: str, content: Readable) -> None:
        good: list[Signature] = []
        own = seal_at(content, self._subject["document"])
        sealed = False
        for at, found in signatures(content):
            if not isinstance(found, str):
                good.append(found)
                first = not sealed and own is not None and at >= own and not found.is_stamp
                sealed = sealed or first
                self._take_down(found, is_seal=first)
            elif at < (own or 0):
                # What others signed lost its signatures when the searchable copy was made of it.
                self._say.skips(name, f"Unterschriften von vor der Sicherung: {found}")
            else:
                self._say.breaks(name, found)
        if not good:
            self._say.breaks(name, "keine Signatur, die zu ihren Bytes passt")
            return
        wrong = "trägt keine Signatur, mit der dieses Dokument gesichert worden wäre"
        if self._say.judge(name, sealed, "trägt die Signatur dieses Dokuments", wrong):
            self._say.carries("Signatur der PDF")
        revocation = Revocation(self._say, self._openssl, self._answers(content, good))
        for signature in good:
            self._signature(name, content, signature, revocation)
        self._uncovered(name, content, max(signature.covered for signature in good))

    def _take_down(self, found: Signature, *, is_seal: bool) -> None:
        if is_seal:
            self.sealer = found.container.signer
        if not found.is_stamp:
            what = "Sicherung der PDF" if is_seal else "andere Unterschrift in der PDF"
            self._say.signed_by(found.container.signer, what)
        if found.stamp is not None:
            self._say.signed_by(found.stamp.signer, "Zeitstempel in der PDF")

    def _answers(self, content: Readable, good: list[Signature]) -> Answers:
        """Return what lies in the PDF, and in files beside it."""
        containers = [one.container for one in good] + [one.stamp for one in good if one.stamp]
        held = [one for container in containers for one in container.certificates]
        beside = {kind: (self._folder / "zertifikate" / kind).glob("*.der") for kind in _BESIDE}
        answers = {
            kind: [
                *stored_streams(content, key),
                *(path.read_bytes() for path in sorted(beside[kind])),
            ]
            for kind, key in _BESIDE.items()
        }
        return Answers(
            (*held, *stored_streams(content, b"Certs")),
            tuple(answers["ocsp"]),
            tuple(answers["crl"]),
        )

    def _signature(
        self, name: str, content: Readable, signature: Signature, revocation: Revocation
    ) -> None:
        what = "Dokumentzeitstempel" if signature.is_stamp else "Signatur"
        self._say.holds(name, f"{what}: Bytes 0-{signature.covered} unverändert")
        stamp = signature.stamp
        if stamp is not None:
            when = f"Zeitstempel vom {stamp.at.isoformat(timespec='seconds')}"
            self._openssl.stamped(name, stamp, self._proven_at, when)
            revocation.judge(name, when, stamp.signer, stamp.at)
            self._say.carries("Zeitstempel in der PDF")
        if signature.is_stamp:
            return
        moment = self._proven_at if stamp is None else stamp.at
        self._signed(name, content, signature, moment)
        revocation.judge(name, "Signatur", signature.container.signer, moment)

    def _signed(
        self, name: str, content: Readable, signature: Signature, moment: dt.datetime | None
    ) -> None:
        if not self._openssl.found:
            self._say.skips(name, "Signatur: die Unterschrift selbst, openssl fehlt")
            return
        with tempfile.TemporaryDirectory() as folder:
            signed = Path(folder) / "inhalt"
            with signed.open("wb") as target:
                for piece in pieces_of(content, signature.content):
                    target.write(piece)
            self._openssl.signed(name, signature.encoded, signed, moment, "Signatur")

    def _uncovered(self, name: str, content: Readable, covered: int) -> None:
        """Judge what stands behind the last signature: level B-LT keeps answers there."""
        rest = len(content) - covered
        if rest == 0:
            self._say.holds(name, "keine Bytes hinter der letzten Signatur")
        elif self._proven_at is not None:
            self._say.holds(name, f"{rest} Bytes hinter der letzten Signatur deckt der Nachweis")
        elif content.find(b"/DSS", covered, len(content)) >= 0:
            self._say.skips(name, f"{rest} Bytes (Sperrauskünfte) deckt keine Signatur")
        else:
            self._say.breaks(name, f"{rest} Bytes hinter der letzten Signatur deckt nichts")


def _is_note(content: bytes) -> bool:
    try:
        read_note(content)
    except ValueError:
        return False
    return True
