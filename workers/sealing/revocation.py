"""Revocation data: what the issuers say today about the certificates in a seal.

For PAdES B-LT every certificate below a root is asked for, by OCSP (RFC 6960) and, where that
is not offered, by CRL (RFC 5280); the answers are validated and then stored in the file. A
service that does not answer is an outage: the document waits.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import asn1crypto.crl
import asn1crypto.ocsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathBuildingError, RevokedError

from ingest import clock
from ingest.errors import AuthorityUnavailable, Misconfigured
from workers.asking import Bounds, NotAnswered, ask
from workers.sealing.signing import as_asn1

#: Codes of what the operator has to act on.
NO_SERVICE: Final = "no_revocation_service"
REVOKED: Final = "certificate_revoked"
_MOST_OCSP: Final = 256 * 1024
_MOST_CRL: Final = 16 * 1024 * 1024
_NONCE_BYTES: Final = 16
#: An answer serves this long for other documents, and never up to its own end.
_KEPT: Final = dt.timedelta(minutes=5)
_BEFORE_END: Final = dt.timedelta(minutes=1)
_NEVER: Final = dt.datetime.max.replace(tzinfo=dt.UTC)
_LONGEST_CHAIN: Final = 8
_Fetch = Callable[[str], tuple[bytes, dt.datetime]]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a verifier needs later to see that nothing was revoked; all in DER.

    Attributes:
        chain: Certificates from the one asked about up to its root.
        good_until: When the first of the answers is out of date.
    """

    chain: tuple[bytes, ...]
    ocsps: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    good_until: dt.datetime


class Revocation:
    """Asks, and remembers answers for a few minutes. One object serves one process."""

    def __init__(self, seconds: float) -> None:
        """Be patient for `seconds` with each service."""
        self._seconds = seconds
        self._kept: dict[tuple[bytes, ...], tuple[dt.datetime, Evidence]] = {}

    def gather(
        self,
        leaf: x509.Certificate,
        others: Sequence[x509.Certificate],
        roots: Sequence[x509.Certificate],
    ) -> Evidence:
        """Return validated revocation data for `leaf` and all between it and one of `roots`.

        Raises:
            AuthorityUnavailable: A service does not answer properly.
            Misconfigured: There is no way to a root, a certificate names no service, or it is
                revoked.
        """
        chain = _chain(leaf, others, roots)
        ders = tuple(one.public_bytes(serialization.Encoding.DER) for one in chain)
        until, kept = self._kept.get(ders, (None, None))
        if until is not None and kept is not None and clock.now() < until:
            return kept
        evidence = self._ask(chain, ders)
        _validate(chain, evidence)
        until = min(clock.now() + _KEPT, evidence.good_until - _BEFORE_END)
        self._kept = {ders: (until, evidence)} | dict(list(self._kept.items())[-7:])
        return evidence

    def _ask(self, chain: list[x509.Certificate], ders: tuple[bytes, ...]) -> Evidence:
        ocsps: list[bytes] = []
        crls: list[bytes] = []
        ends: list[dt.datetime] = []
        for below, above in pairwise(chain):
            if urls := _ocsp_urls(below):
                answer, end = self._first(urls, lambda url: self._ocsp(url, below, above))  # noqa: B023 - called before the loop goes on
                ocsps.append(answer)
            elif urls := _crl_urls(below):
                answer, end = self._first(urls, self._crl)
                crls.append(answer)
            else:
                text = (
                    f"Zertifikat {_name(below)} nennt weder OCSP noch Sperrliste: damit ist kein "
                    "Siegel der Stufe B-LT möglich. Bitte anderes Zertifikat oder Stufe B-T wählen."
                )
                message = f"{_name(below)} names no revocation service"
                raise Misconfigured(message, operator_text=text, code=NO_SERVICE)
            ends.append(end)
        return Evidence(
            chain=ders, ocsps=tuple(ocsps), crls=tuple(crls), good_until=min(ends, default=_NEVER)
        )

    def _first(self, urls: list[str], fetch: _Fetch) -> tuple[bytes, dt.datetime]:
        refused = []
        for url in urls:
            try:
                return fetch(url)
            except NotAnswered as error:
                refused.append(f"{url}: {error}")
        raise _silent("; ".join(refused))

    def _ocsp(
        self, url: str, below: x509.Certificate, above: x509.Certificate
    ) -> tuple[bytes, dt.datetime]:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        request = (
            ocsp.OCSPRequestBuilder()
            # RFC 5019: responders know certificates by SHA-1; it names one and secures nothing.
            .add_certificate(below, above, hashes.SHA1())  # noqa: S303 - as said above
            .add_extension(x509.OCSPNonce(nonce), critical=False)
            .build()
        )
        headers = {
            "Content-Type": "application/ocsp-request",
            "Accept": "application/ocsp-response",
        }
        bounds = Bounds(seconds=self._seconds, most=_MOST_OCSP)
        answer = ask(url, request.public_bytes(serialization.Encoding.DER), headers, bounds)
        try:
            return answer, _end_of_answer(answer, below.serial_number, nonce)
        # asn1crypto raises anything from KeyError to TypeError on what is no such answer.
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise NotAnswered(f"answer is not OCSP: {error}") from error

    def _crl(self, url: str) -> tuple[bytes, dt.datetime]:
        bounds = Bounds(seconds=self._seconds, most=_MOST_CRL)
        answer = ask(url, None, {"Accept": "application/pkix-crl"}, bounds)
        try:
            parsed = asn1crypto.crl.CertificateList.load(answer, strict=True)
            end = parsed["tbs_cert_list"]["next_update"].native
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise NotAnswered(f"answer is no revocation list: {error}") from error
        return answer, end or clock.now()


def _end_of_answer(answer: bytes, serial: int, nonce: bytes) -> dt.datetime:
    """Return when an OCSP answer is out of date; raise where it is none to this question."""
    response = asn1crypto.ocsp.OCSPResponse.load(answer, strict=True)
    status = response["response_status"].native
    if status != "successful":
        raise NotAnswered(f"status {status}")
    (single,) = response.response_data["responses"]
    if single["cert_id"]["serial_number"].native != serial:
        raise NotAnswered("answer about another certificate")
    # Many responders leave it out, because they prepare their answers (RFC 5019).
    if response.nonce_value is not None and response.nonce_value.native != nonce:
        raise NotAnswered("nonce differs")
    end: dt.datetime | None = single["next_update"].native
    return end or clock.now()


def _chain(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]
) -> list[x509.Certificate]:
    """Return the way from `leaf` to the first of `roots` on it, which ends it."""
    chain = [leaf]
    while chain[-1] not in roots and len(chain) <= _LONGEST_CHAIN:
        above = next((one for one in (*roots, *others) if _issued(chain[-1], one)), None)
        if above is None or above in chain:
            break
        chain.append(above)
    if chain[-1] not in roots:
        text = (
            f"Zertifikat {_name(leaf)} führt zu keiner angegebenen Wurzel. Bitte sealing.tsa_roots "
            "und die issuers in [sealing.token] oder [sealing.csc] vervollständigen."
        )
        raise Misconfigured(f"no way from {_name(leaf)} to a root", operator_text=text)
    return chain


def _issued(below: x509.Certificate, above: x509.Certificate) -> bool:
    if below.issuer != above.subject:
        return False
    try:
        below.verify_directly_issued_by(above)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _validate(chain: list[x509.Certificate], evidence: Evidence) -> None:
    """See that the answers are their services', are of today, and say that all is well."""
    context = ValidationContext(
        trust_roots=[as_asn1(chain[-1])],
        other_certs=[as_asn1(one) for one in chain],
        ocsps=[asn1crypto.ocsp.OCSPResponse.load(one) for one in evidence.ocsps],
        crls=[asn1crypto.crl.CertificateList.load(one) for one in evidence.crls],
        revocation_mode="require",
        allow_fetching=False,
    )
    validator = CertificateValidator(as_asn1(chain[0]), validation_context=context)
    try:
        validating = validator.async_validate_usage(set())  # type: ignore[no-untyped-call] # annotated in part
        asyncio.run(validating)
    except RevokedError as error:
        text = (
            f"Zertifikat {_name(chain[0])} oder eines seiner Aussteller ist gesperrt: damit wird "
            "nichts gesiegelt. Bitte ein gültiges Zertifikat einrichten."
        )
        raise Misconfigured(f"revoked: {error}", operator_text=text, code=REVOKED) from error
    except PathBuildingError as error:
        text = f"Zertifikat {_name(chain[0])} führt zu keiner Wurzel: {error}. Bitte prüfen."
        raise Misconfigured(f"no path for {_name(chain[0])}", operator_text=text) from error
    # What remains (stale, unsigned, about something else) is the service's, whatever its type.
    except Exception as error:
        raise _silent(f"{type(error).__name__}: {error}") from error


def _ocsp_urls(certificate: x509.Certificate) -> list[str]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess)
    except x509.ExtensionNotFound:
        return []
    return [
        str(one.access_location.value)
        for one in access.value
        if one.access_method == AuthorityInformationAccessOID.OCSP
    ]


def _crl_urls(certificate: x509.Certificate) -> list[str]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints)
    except x509.ExtensionNotFound:
        return []
    return list(_addresses(points.value))


def _addresses(points: x509.CRLDistributionPoints) -> Iterator[str]:
    for point in points:
        for name in point.full_name or ():
            if str(name.value).startswith(("http://", "https://")):
                yield str(name.value)


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()


def _silent(reason: str) -> AuthorityUnavailable:
    text = (
        f"Sperrauskunft: keine brauchbare Antwort ({reason}). Das Dokument wartet und wird wieder "
        "versucht; bitte Verbindung zum Aussteller des Zertifikats prüfen."
    )
    return AuthorityUnavailable(f"revocation service: {reason}", operator_text=text)
