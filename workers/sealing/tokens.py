"""Verifying a timestamp token on its own, years after it was made."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from asn1crypto import cms, crl, ocsp, x509
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko_certvalidator import CertificateValidator, ValidationContext


def doubt(
    encoded: bytes, imprint: bytes, roots: list[x509.Certificate], moment: dt.datetime
) -> str | None:
    """Return why a token is not to be believed, None if it is.

    Args:
        encoded: The token, a CMS ContentInfo.
        imprint: What it must have been made over.
        roots: What its certificate must chain to; empty means that the certificate in the
            token is believed, so that only its own validity and the signature count.
        moment: When the certificate had to be good: as of the next token that confirmed
            this one, or now. Whether it was revoked, `revoked` tells where that was asked.
    """
    with unlogged():
        try:
            return asyncio.run(_doubt(encoded, imprint, roots, moment))
        # asn1crypto and pyHanko raise anything from KeyError to AttributeError on malformed
        # tokens; every one of them means that this is no timestamp.
        except Exception as error:  # noqa: BLE001 - the reason is the answer
            return f"{type(error).__name__}: {error}"


@contextmanager
def unlogged() -> Iterator[None]:
    """Keep pyHanko's tracebacks about foreign bytes out of the log: they come as a result."""
    loggers = [logging.getLogger(name) for name in ("pyhanko", "pyhanko_certvalidator")]
    levels = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What issuers said of a certificate, DER.

    Attributes:
        chain: The certificate asked about, and those above it.
        moment: When they said it.
    """

    chain: Sequence[bytes]
    ocsps: Sequence[bytes]
    crls: Sequence[bytes]
    moment: dt.datetime


def revoked(encoded: bytes, answers: Answers, roots: list[x509.Certificate]) -> str | None:
    """Return why kept answers do not show that a token's certificate was good, None if they do.

    Args:
        encoded: The token, a CMS ContentInfo.
        answers: Kept when they were given.
        roots: What its certificate must chain to.
    """
    with unlogged():
        try:
            return asyncio.run(_revoked(encoded, answers, roots))
        # As with `doubt`: whatever is raised, the answers show nothing.
        except Exception as error:  # noqa: BLE001 - the reason is the answer
            return f"{type(error).__name__}: {error}"


async def _revoked(encoded: bytes, answers: Answers, roots: list[x509.Certificate]) -> str | None:
    chain = [x509.Certificate.load(one) for one in answers.chain]
    signed: Any = cms.ContentInfo.load(encoded, strict=True)["content"]
    (signer,) = signed["signer_infos"]
    if signer["sid"].chosen["serial_number"].native != chain[0].serial_number:
        return "the answers are about another certificate"
    context = ValidationContext(
        trust_roots=roots,
        other_certs=chain,
        ocsps=[ocsp.OCSPResponse.load(one) for one in answers.ocsps],
        crls=[crl.CertificateList.load(one) for one in answers.crls],
        revocation_mode="require",
        allow_fetching=False,
        moment=answers.moment,
    )
    validator = CertificateValidator(chain[0], validation_context=context)
    await validator.async_validate_usage(set())  # type: ignore[no-untyped-call] # annotated in part
    return None


async def _doubt(
    encoded: bytes, imprint: bytes, roots: list[x509.Certificate], moment: dt.datetime
) -> str | None:
    signed: Any = cms.ContentInfo.load(encoded, strict=True)["content"]
    certificates = [choice.chosen for choice in signed["certificates"]]
    (signer,) = signed["signer_infos"]
    serial = signer["sid"].chosen["serial_number"].native
    (leaf,) = [one for one in certificates if one.serial_number == serial]
    purposes = leaf.extended_key_usage_value
    if purposes is None or "time_stamping" not in purposes.native:
        return "the certificate is not meant for timestamps"
    validity = leaf["tbs_certificate"]["validity"]
    if not validity["not_before"].native <= moment <= validity["not_after"].native:
        return f"the certificate was not valid on {moment:%Y-%m-%d}"
    context = ValidationContext(
        trust_roots=roots or certificates,
        other_certs=certificates,
        allow_fetching=False,
        moment=moment,
    )
    status: dict[str, Any] = await validate_tst_signed_data(signed, context, lambda _: imprint)
    if not (status["valid"] and status["intact"]):
        return "the signature or the imprint does not fit"
    problem = status.get("trust_problem_indic")
    return None if problem is None else f"certificate: {problem}"
