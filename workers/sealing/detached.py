"""A seal that lies beside what it seals: CAdES baseline B or T (ETSI EN 319 122-1), detached.

Whoever has both files needs no product of ours: `openssl cms -verify -binary -inform DER`.
"""

from __future__ import annotations

import asyncio
import hashlib

from pyhanko.sign.ades.api import CAdESSignedAttrSpec
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes

from ingest import clock
from ingest.errors import ScanstrasseError
from profiles.sealing import Level
from workers.sealing.levels import Means
from workers.sealing.proof import SealBroken, verify_container
from workers.sealing.signing import NotSignable, cms_signer


def seal_beside(content: bytes, means: Means) -> bytes:
    """Return the detached seal of `content`, DER: with a timestamp where the level has one.

    Levels above B-T are made of PDFs only; beside a file B-T is the highest.

    Raises:
        AuthorityUnavailable: The timestamp did not come or the key is away.
        NotSignable: pyHanko could not make it.
    """
    attributes = PdfCMSSignedAttributes(
        signing_time=clock.now(), cades_signed_attrs=CAdESSignedAttrSpec()
    )
    try:
        made = asyncio.run(
            cms_signer(means.key).async_sign_general_data(
                content,
                "sha256",
                detached=True,
                use_cades=True,
                timestamper=means.stamper,
                signed_attr_settings=attributes,
            )
        )
    except (ScanstrasseError, OSError):
        raise
    # pyHanko raises whatever its ASN.1 library does.
    except Exception as error:
        raise NotSignable(f"{type(error).__name__}: {error}") from error
    der: bytes = made.dump()
    return der


def prove_beside(content: bytes, seal: bytes, means: Means) -> Level:
    """Check a fresh detached seal by the path that did not make it; return its level.

    Raises:
        SealBroken: It must not be used.
    """
    try:
        certificate, stamp = verify_container(seal, hashlib.sha256(content).digest())
    except SealBroken:
        raise
    # asn1crypto and cryptography raise anything on a container that is none.
    except Exception as error:
        raise SealBroken(f"{type(error).__name__}: {error}") from error
    if certificate != means.key.certificate:
        message = "sealed with another key"
        raise SealBroken(message)
    if (stamp is None) != (means.stamper is None):
        message = "a timestamp is missing or too many"
        raise SealBroken(message)
    return "B-B" if stamp is None else "B-T"
