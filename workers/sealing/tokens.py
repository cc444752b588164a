"""Verifying a timestamp token on its own, years after it was made."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from typing import Any

from asn1crypto import cms, x509
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko_certvalidator import ValidationContext


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
            this one, or now. Whether it was revoked is not asked: no revocation data is kept.
    """
    loggers = [logging.getLogger(name) for name in ("pyhanko", "pyhanko_certvalidator")]
    levels = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        return asyncio.run(_doubt(encoded, imprint, roots, moment))
    # asn1crypto and pyHanko raise anything from KeyError to AttributeError on malformed
    # tokens; every one of them means that this is no timestamp.
    except Exception as error:  # noqa: BLE001 - the reason is the answer
        return f"{type(error).__name__}: {error}"
    finally:
        for logger, level in levels:
            logger.setLevel(level)


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
