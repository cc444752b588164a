"""What a timestamp token says. Whether it may say so, `workers.sealing` verifies."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from asn1crypto import cms, tsp

_FAMILIES: Final = {"ec": "ecdsa", "rsassa_pss": "rsa"}


class NotAToken(ValueError):
    """The bytes are no RFC 3161 timestamp token with its certificate."""


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token as it was read.

    Attributes:
        imprint: What was timestamped.
        algorithm: Of the imprint, as `hashlib` names it.
        stamped_at: The authority's time.
        authority: Name of the signer's certificate.
        ends_at: End of that certificate.
        algorithms: All that the token stands on: digests, and the key as `rsa-3072` or `ecdsa-256`.
    """

    imprint: bytes
    algorithm: str
    stamped_at: dt.datetime
    authority: str
    ends_at: dt.datetime
    algorithms: frozenset[str]


def read(encoded: bytes) -> Token:
    """Return what a token says; nothing of it is verified.

    Raises:
        NotAToken: It cannot be read.
    """
    try:
        return _read(encoded)
    # asn1crypto raises anything from KeyError to AttributeError on malformed structures.
    except Exception as error:
        raise NotAToken(f"not a timestamp token: {type(error).__name__}: {error}") from error


def _read(encoded: bytes) -> Token:
    signed: Any = cms.ContentInfo.load(encoded, strict=True)["content"]
    info = signed["encap_content_info"]["content"].parsed
    if not isinstance(info, tsp.TSTInfo):
        message = "the content is no TSTInfo"
        raise NotAToken(message)
    (signer,) = signed["signer_infos"]
    serial = signer["sid"].chosen["serial_number"].native
    (certificate,) = [
        choice.chosen for choice in signed["certificates"] if choice.chosen.serial_number == serial
    ]
    imprint = info["message_imprint"]
    algorithm = imprint["hash_algorithm"]["algorithm"].native
    key = certificate.public_key
    family = _FAMILIES.get(key.algorithm, key.algorithm)
    return Token(
        imprint=imprint["hashed_message"].native,
        algorithm=algorithm,
        stamped_at=info["gen_time"].native,
        authority=certificate.subject.human_friendly,
        ends_at=certificate["tbs_certificate"]["validity"]["not_after"].native,
        algorithms=frozenset(
            (algorithm, signer["digest_algorithm"]["algorithm"].native, f"{family}-{key.bit_size}")
        ),
    )
