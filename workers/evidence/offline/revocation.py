"""Were the certificates revoked when they signed? By the answers that travel with the document.

An answer counts for a moment if it speaks of the certificate, is signed by its issuer or by
whom the issuer let answer, and refers to that moment or to a later one. Nobody is asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import NamedTuple

from workers.evidence.offline.certified import (
    Certified,
    Said,
    Unclear,
    chains_above,
    from_list,
    from_ocsp,
    read_certificate,
)
from workers.evidence.offline.findings import Findings
from workers.evidence.offline.openssl import OpenSsl

#: An answer may be this much older than the timestamp: whoever seals often asks once.
_OLDER = dt.timedelta(minutes=10)


class Answers(NamedTuple):
    """What travels with a document, all DER: certificates, OCSP responses, revocation lists."""

    certificates: tuple[bytes, ...]
    ocsps: tuple[bytes, ...]
    lists: tuple[bytes, ...]


class Revocation:
    """Judges certificates by the answers of one bundle."""

    def __init__(self, findings: Findings, openssl: OpenSsl, answers: Answers) -> None:
        """Take what is at hand."""
        self._say = findings
        self._openssl = openssl
        self._answers = answers
        self._known = tuple(_readable(answers.certificates))
        self._asked: set[tuple[bytes, dt.datetime | None]] = set()

    def judge(self, where: str, name: str, signer: bytes | None, at: dt.datetime | None) -> None:
        """Say of a signer's certificate and all above it whether they were revoked at `at`.

        Args:
            where: What is concerned.
            name: Of the signature, for the reader.
            signer: Certificate of who signed, None where it does not lie in the signature.
            at: The proven moment of the signature; None where there is none.
        """
        if (signer or b"", at) in self._asked:
            return
        self._asked.add((signer or b"", at))
        what = f"{name}, Sperrstatus der Zertifikate"
        chain = self._chain(signer)
        if isinstance(chain, str):
            self._say.skips(where, f"{what}: {chain}")
            return
        if len(chain) == 1:
            self._say.skips(where, f"{what}: selbst ausgestellt, sperren könnte es niemand")
        for subject, issuer in zip(chain, chain[1:]):  # noqa: B905, RUF007 - not in Python 3.9
            self._certificate(where, f"{name}, Sperrstatus von {subject.name}", subject, issuer, at)

    def _chain(self, signer: bytes | None) -> tuple[Certified, ...] | str:
        """Return the way from the signer's certificate to the top, or why there is none."""
        leaf = next(_readable(() if signer is None else (signer,)), None)
        if leaf is None:
            return "das Zertifikat liegt nicht bei"
        if not (self._answers.ocsps or self._answers.lists or leaf.is_own_issuer):
            return "keine Auskunft im Dokument"
        if not self._openssl.found:
            return "openssl fehlt"
        for way in chains_above(leaf, self._known):
            if self._openssl.linked([one.encoded for one in way]):
                return way
        return "die Zertifikate der Aussteller liegen nicht bei"

    def _certificate(
        self,
        where: str,
        what: str,
        subject: Certified,
        issuer: Certified,
        at: dt.datetime | None,
    ) -> None:
        told, refused = self._told(subject, issuer)
        for kind in refused:
            self._say.breaks(where, f"{what}: {kind} ist nicht von deren Aussteller unterschrieben")
        for kind, said in told:
            if said.revoked_at is not None and (at is None or said.revoked_at <= at):
                moment = said.revoked_at.isoformat()
                self._say.breaks(where, f"{what}: gesperrt seit {moment} ({kind})")
                return
        if at is None:
            self._say.skips(where, f"{what}: wann unterschrieben wurde, ist nicht bewiesen")
            return
        for kind, said in told:
            if _counts(said, subject, at):
                later = said.revoked_at
                how = "nicht gesperrt" if later is None else f"erst gesperrt seit {_short(later)}"
                when = f"{kind} vom {_short(said.since)}"
                self._say.holds(where, f"{what}: am {_short(at)} {how} ({when})")
                return
        self._say.skips(where, f"{what}: {_why_not(told)}")

    def _told(
        self, subject: Certified, issuer: Certified
    ) -> tuple[list[tuple[str, Said]], list[str]]:
        """Return what is said of a certificate, and by whom else something is said."""
        told: list[tuple[str, Said]] = []
        refused: list[str] = []
        for kind, said, signed in self._spoken(subject, issuer):
            if signed:
                told.append((kind, said))
            else:
                refused.append(kind)
        return told, refused

    def _spoken(self, subject: Certified, issuer: Certified) -> Iterator[tuple[str, Said, bool]]:
        for encoded in self._answers.ocsps:
            said = _understood(lambda one: from_ocsp(one, subject, issuer), encoded)
            if said is not None:
                whom = (subject.encoded, issuer.encoded, said.since)
                yield "OCSP-Auskunft", said, self._openssl.answered(encoded, *whom)
        for encoded in self._answers.lists:
            said = _understood(lambda one: from_list(one, subject), encoded)
            if said is not None:
                yield "Sperrliste", said, self._openssl.listed(encoded, issuer.encoded)


def _understood(read: Callable[[bytes], Said | None], encoded: bytes) -> Said | None:
    """Return what is said; what is not understood says nothing."""
    try:
        return read(encoded)
    except Unclear:
        return None


def _readable(certificates: tuple[bytes, ...]) -> Iterator[Certified]:
    for one in dict.fromkeys(certificates):
        try:
            yield read_certificate(one)
        except Unclear:
            continue


def _counts(said: Said, subject: Certified, at: dt.datetime) -> bool:
    """Tell whether an answer says something about the certificate at a moment.

    Of a certificate that has ended issuers need not know any more whether it was revoked.
    """
    if not said.known or said.since > subject.until:
        return False
    return said.since + _OLDER >= at or (said.until is not None and at <= said.until)


def _short(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _why_not(told: list[tuple[str, Said]]) -> str:
    if not told:
        return "keine Auskunft im Dokument"
    if not any(said.known for _, said in told):
        return "der Aussteller kennt es nicht"
    return "die Auskunft im Dokument ist nicht aus der Zeit der Unterschrift"
