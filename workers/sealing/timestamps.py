"""A timestamp client that believes nothing.

pyHanko checks status and nonce of a timestamp authority's answer only: a wrong imprint, a
broken token signature or an expired certificate would be embedded without a word. Here the
answer is verified as a whole before it is used, and any doubt is an outage: the document
waits, it is never sealed at a lower level instead. Where several authorities are configured,
the next one is asked first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from asn1crypto import cms, tsp, x509
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko_certvalidator import ValidationContext
from typing_extensions import override

from ingest import clock
from ingest.errors import AuthorityUnavailable, Misconfigured
from workers.asking import Bounds, NotAnswered, ask
from workers.sealing.stampproof import verify_token
from workers.trust.pems import from_pem

_MAX_ANSWER: Final = 64 * 1024
#: What the authority's clock may differ from ours: beyond that one of them is wrong.
_TOLERANCE: Final = dt.timedelta(minutes=10)


class TimestampAuthorities(TimeStamper):
    """Authorities asked in order until one answers properly.

    Attributes:
        used: The address whose token came last; None before the first.
        token: That token.
        passed_over: What was wrong with the authorities asked before it, newest last.
        refuse: Raises `AuthorityUnavailable` for a token that a class does not take.
    """

    def __init__(
        self, urls: Sequence[str], roots: list[x509.Certificate], timeout_seconds: float
    ) -> None:
        """Ask `urls` in order; `roots` and time apply to each as in `VerifyingTimeStamper`."""
        super().__init__()  # type: ignore[no-untyped-call] # pyHanko annotates in part
        self._stampers = {url: VerifyingTimeStamper(url, roots, timeout_seconds) for url in urls}
        self.used: str | None = None
        self.token: cms.ContentInfo | None = None
        self.passed_over: list[str] = []
        self.refuse: Callable[[cms.ContentInfo], None] | None = None

    @override
    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        """Refuse: an answer counts only together with its verification."""
        message = "ask for a token, not for an answer"
        raise TypeError(message)

    @override
    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        """Return a verified token over `message_digest` from the first that gives one.

        Raises:
            AuthorityUnavailable: None of them does; the text names what is wrong with each.
        """
        refused: list[AuthorityUnavailable] = []
        for url, stamper in self._stampers.items():
            try:
                token = await stamper.async_timestamp(message_digest, md_algorithm)
                if self.refuse is not None:
                    self.refuse(token)
            except AuthorityUnavailable as error:
                refused.append(error)
            else:
                self.used, self.token = url, token
                self.passed_over += [str(error) for error in refused]
                return token
        raise AuthorityUnavailable(
            "; ".join(str(error) for error in refused),
            operator_text=" ".join(error.operator_text for error in refused),
        )


class VerifyingTimeStamper(TimeStamper):
    """RFC 3161 over HTTP; a token comes back only if all of it is right.

    Verified are imprint, nonce, signature, the certificate's purpose and validity and, where
    roots are configured, its chain to one of them.
    """

    def __init__(self, url: str, roots: list[x509.Certificate], timeout_seconds: float) -> None:
        """Ask `url`; empty `roots` means that the token's own certificate is believed."""
        super().__init__()  # type: ignore[no-untyped-call] # pyHanko annotates in part
        if urlsplit(url).scheme not in ("http", "https"):
            text = (
                f"sealing.tsa_urls: '{url}' ist keine http- oder https-Adresse. Bitte berichtigen."
            )
            raise Misconfigured(f"tsa_urls: {url!r} is not http", operator_text=text)
        self._url = url
        self._roots = roots
        self._timeout_seconds = timeout_seconds

    @override
    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        """Send the request; raise `AuthorityUnavailable` if no DER answer comes back."""
        # Blocking: a sealing child works at one document only.
        answer = self._post(req.dump())
        try:
            return tsp.TimeStampResp.load(answer, strict=True)
        except ValueError as error:
            raise self._refuse(f"answer is not ASN.1: {error}") from error

    @override
    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        """Return a verified token over `message_digest`.

        Raises:
            AuthorityUnavailable: The authority is down, or its answer is wrong in any way.
        """
        nonce, request = self.request_cms(  # type: ignore[no-untyped-call] # as above
            message_digest, md_algorithm
        )
        response = await self.async_request_tsa_response(request)
        try:
            token = await self._verified(response, nonce, message_digest, md_algorithm)
        except AuthorityUnavailable:
            raise
        # asn1crypto and pyHanko raise anything from KeyError to AttributeError on malformed
        # answers; every one of them means that this answer is no timestamp.
        except Exception as error:
            raise self._refuse(f"{type(error).__name__}: {error}") from error
        return token

    async def _verified(
        self, response: tsp.TimeStampResp, nonce: int, digest: bytes, algorithm: str
    ) -> cms.ContentInfo:
        status = response["status"]["status"].native
        if status not in ("granted", "granted_with_mods"):
            raise self._refuse(f"status {status}")
        token = response["time_stamp_token"]
        signed = token["content"]
        info = signed["encap_content_info"]["content"].parsed
        if info["nonce"].native != nonce:
            raise self._refuse("nonce mismatch")
        imprint = info["message_imprint"]
        if imprint["hash_algorithm"]["algorithm"].native != algorithm:
            raise self._refuse("imprint has another algorithm")
        if imprint["hashed_message"].native != digest:
            raise self._refuse("imprint mismatch")
        if abs(info["gen_time"].native - clock.now()) > _TOLERANCE:
            raise self._refuse("time of the token differs from the clock of this machine")
        self._verify_purpose(signed, info["gen_time"].native)
        await self._verify_signature(signed, digest)
        # What the second path would refuse in the finished file is refused here already.
        verify_token(token, digest)
        return token

    def _verify_purpose(self, signed: cms.SignedData, moment: dt.datetime) -> None:
        # A certificate that is its own root passes path validation with any purpose and date.
        (signer,) = signed["signer_infos"]
        serial = signer["sid"].chosen["serial_number"].native
        candidates = [choice.chosen for choice in signed["certificates"]]
        (leaf,) = [one for one in candidates if one.serial_number == serial]
        purposes = leaf.extended_key_usage_value
        if purposes is None or "time_stamping" not in purposes.native:
            raise self._refuse("certificate is not meant for timestamps")
        validity = leaf["tbs_certificate"]["validity"]
        if not validity["not_before"].native <= moment <= validity["not_after"].native:
            raise self._refuse("certificate is not valid at the time of the token")

    async def _verify_signature(self, signed: cms.SignedData, digest: bytes) -> None:
        certificates = [choice.chosen for choice in signed["certificates"]]
        context = ValidationContext(
            trust_roots=self._roots or certificates,
            other_certs=certificates,
            allow_fetching=False,
        )
        status: dict[str, Any] = await validate_tst_signed_data(signed, context, lambda _: digest)
        if not (status["valid"] and status["intact"]):
            raise self._refuse("token signature is not valid")
        if status.get("trust_problem_indic") is not None:
            raise self._refuse(f"certificate: {status['trust_problem_indic']}")

    def _post(self, body: bytes) -> bytes:
        headers = {
            "Content-Type": "application/timestamp-query",
            "Accept": "application/timestamp-reply",
        }
        bounds = Bounds(seconds=self._timeout_seconds, most=_MAX_ANSWER)
        try:
            return ask(self._url, body, headers, bounds)
        except NotAnswered as error:
            raise self._refuse(str(error)) from error

    def _refuse(self, reason: str) -> AuthorityUnavailable:
        where = urlsplit(self._url).hostname
        text = (
            f"Zeitstempeldienst {where}: keine brauchbare Antwort ({reason}). Das Dokument "
            "wartet und wird wieder versucht; bitte Dienst und sealing.tsa_* prüfen."
        )
        return AuthorityUnavailable(f"timestamp authority {where}: {reason}", operator_text=text)


def load_roots(path: Path | None) -> list[x509.Certificate]:
    """Read the roots that tokens must chain to; none configured gives an empty list.

    Raises:
        Misconfigured: The file is unreadable or has no certificate.
    """
    return from_pem(path, "sealing.tsa_roots")
