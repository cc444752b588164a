"""Who signed: named from the certificates, and held against who sealed the document.

That a certificate leads to a root says only that it is somebody's: many have one of the same
authority. Who seals a document answers for its bundle; anybody else has to be named by whoever
examines it. What a bundle says of its own signer is no proof.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator

from workers.evidence.offline.certified import Certified, Unclear, read_certificate
from workers.evidence.offline.findings import Findings, harmless
from workers.evidence.offline.notes import Note

_BUNDLE, _PAGE, _ADDED_BY = "manifest.p7s", "scanprodukt.pdf", "ergaenzungsvermerk.p7s"
_UNKNOWN_NAME = "nicht erfasst"


class Signers:
    """The house's signers of one bundle: of the PDF, of the supplementary note, of the list."""

    def __init__(self, findings: Findings, named: frozenset[str]) -> None:
        """Take the digests (SHA-256) of the certificates that the reader names as the house's."""
        self._say = findings
        self._named = named

    def judge(
        self,
        sealer: bytes | None,
        bundler: tuple[bytes | None] | None,
        added: tuple[bytes | None] | None,
    ) -> None:
        """Compare who signed with who sealed the PDF.

        Args:
            sealer: Certificate of who sealed the PDF; None without one.
            bundler: Of who signed the list of files, None in it where it does not lie there;
                None where nobody signed.
            added: Of who sealed the supplementary note; likewise.
        """
        if sealer is not None:
            self._say.remarks.append(f"Gesichert hat das Dokument: {whose(sealer)}.")
        own = frozenset({digest_of_signer(sealer)}) - {""}
        answers = self._named or own
        if bundler is not None:
            self._bundler(bundler[0], answers)
        elif self._named and sealer is not None:
            self._answers_for(_PAGE, "Sicherung der PDF", sealer, answers)
        if bundler is not None and digest_of_signer(bundler[0]) in answers:
            answers |= own  # it signed for the PDF as well
        if added is not None:
            self._answers_for(_ADDED_BY, "Siegel des Ergänzungsvermerks", added[0], answers)
        if self._named and sealer is not None and digest_of_signer(sealer) not in self._named:
            self._say.hints(_PAGE, f"gesichert von {whose(sealer)}; mit --signer nicht genannt")

    def _bundler(self, bundler: bytes | None, answers: frozenset[str]) -> None:
        what = "Unterschrift des Pakets"
        if not answers:
            text = f"{what} von {whose(bundler)}; ob das die zuständige Stelle ist, belegt hier"
            self._say.doubts(_BUNDLE, f"{text} nichts (--signer)")
        elif self._answers_for(_BUNDLE, what, bundler, answers):
            self._say.carries(what)
        elif not self._named:
            self._say.remarks.append(
                f"{what} von {whose(bundler)}, nicht von der Stelle, die das Dokument gesiegelt"
                " hat. Gehört das Zertifikat dieser Stelle, etwa nach einem Wechsel, mit --signer"
                f" angeben: SHA-256 {digest_of_signer(bundler)}."
            )

    def _answers_for(
        self, where: str, what: str, signer: bytes | None, answers: frozenset[str]
    ) -> bool:
        by = f"{what} von {whose(signer)}"
        if self._named:
            right, wrong = "mit --signer genannt", "mit --signer nicht genannt"
        else:
            right = "der Stelle, die das Dokument gesiegelt hat"
            wrong = "nicht von der Stelle, die das Dokument gesiegelt hat"
        passed = signer is not None and digest_of_signer(signer) in answers
        return self._say.judge(where, passed, f"{by}, {right}", f"{by}, {wrong}")

    def compare_recorded(self, sealer: bytes | None, recorded: str | None) -> None:
        """Hold the certificate of the seal against the one that the event of sealing names."""
        if sealer is not None and recorded is not None:
            self._say.judge(
                _PAGE,
                digest_of_signer(sealer) == recorded,
                "gesichert mit dem Zertifikat, das das Ereignis „sealed“ nennt",
                "gesichert mit einem anderen Zertifikat, als das Ereignis „sealed“ nennt",
            )

    def compare_house(self, sealer: bytes | None, note: Note | None) -> None:
        """Say where the organisation in the certificate is not the one that the note names."""
        known = read_signer(sealer)
        if known is None or note is None or note.house in (None, "None", _UNKNOWN_NAME):
            return
        if known.organisation is None:
            if not known.is_own_issuer:  # an installation's own key belongs to no organisation
                text = f"das Zertifikat nennt keine Organisation, der Vermerk „{note.house}“"
                self._say.hints(_PAGE, text)
        elif _alike(known.organisation) != _alike(str(note.house)):
            text = f"das Zertifikat nennt „{known.organisation}“, der Vermerk „{note.house}“"
            self._say.hints(_PAGE, f"{text}; bitte klären, ob das dieselbe Stelle ist")


def _alike(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def read_signer(certificate: bytes | None) -> Certified | None:
    """Return a signer's certificate, None where it is none or does not lie there."""
    try:
        return None if certificate is None else read_certificate(certificate)
    except Unclear:
        return None


def digest_of_signer(certificate: bytes | None) -> str:
    """Return the digest (SHA-256) by which a certificate is known, empty for none."""
    return "" if certificate is None else hashlib.sha256(certificate).hexdigest()


def whose(certificate: bytes | None) -> str:
    """Return the subject of a certificate, for readers."""
    known = read_signer(certificate)
    return "unbekannt (das Zertifikat liegt nicht bei)" if known is None else known.title


def signer_lines(findings: Findings) -> Iterator[str]:
    """Yield a line for each certificate that signed: subject, number, digest, and what."""
    for certificate, what in findings.signers.items():
        known = read_signer(certificate)
        text = f"{', '.join(what)}: {whose(certificate)}"
        if known is not None:
            number = known.serial.hex().lstrip("0") or "0"
            text += f"; Seriennummer {number}; SHA-256 {digest_of_signer(certificate)}"
        yield harmless(f"  {text}")
