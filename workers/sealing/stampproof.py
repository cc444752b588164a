"""A timestamp token checked a second way, without the library that asked for it.

Taken apart with asn1crypto, verified with cryptography (RFC 3161, RFC 5652). Whether the
authority is trusted is for the caller: here the token only has to hold.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any, Final

from asn1crypto import cms, tsp  # noqa: F401 - knows the attribute that names the certificate
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

_HASHES: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


class TokenBroken(Exception):
    """The token does not hold; the message says which part of it."""


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """A token that holds: when, and by whose certificate."""

    at: dt.datetime
    certificate: x509.Certificate


def verify_token(token: cms.ContentInfo, digest: bytes) -> Stamp:
    """Verify a token over `digest`: imprint, signature, certificate's purpose and date.

    The digest's length tells which member of SHA-2 made it.

    Raises:
        TokenBroken: It does not hold, or its algorithms are unknown here.
        ValueError: It cannot be read; asn1crypto raises others, such as KeyError, as well.
    """
    signed = token["content"]
    wrapped = signed["encap_content_info"]
    if wrapped["content_type"].native != "tst_info":
        raise TokenBroken("no timestamp token")
    stated = wrapped["content"].parsed
    imprint = stated["message_imprint"]
    algorithm = imprint["hash_algorithm"]["algorithm"].native
    if algorithm not in _HASHES or hashlib.new(algorithm).digest_size != len(digest):
        raise TokenBroken("imprint has another algorithm")
    if imprint["hashed_message"].native != digest:
        raise TokenBroken("imprint differs")
    (signer,) = signed["signer_infos"]
    certificate = _certificate(signed, signer)
    _verify_signature(certificate, signer, wrapped["content"].contents)
    at: dt.datetime = stated["gen_time"].native
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise TokenBroken("certificate was not valid at the time of the token")
    return Stamp(at=at, certificate=certificate)


def _certificate(signed: Any, signer: Any) -> x509.Certificate:
    """Return the certificate that the token was signed for, RFC 5035."""
    values = {a["type"].native: a["values"][0] for a in signer["signed_attrs"]}
    if "signing_certificate_v2" in values:
        (named, *_) = values["signing_certificate_v2"]["certs"]
        algorithm = named["hash_algorithm"]["algorithm"].native
    else:
        (named, *_) = values["signing_certificate"]["certs"]
        algorithm = "sha1"
    embedded = [choice.chosen.dump() for choice in signed["certificates"]]
    wanted = named["cert_hash"].native
    # SHA-1 only where RFC 2634 prescribes it; the key in the certificate has to fit anyway.
    meant = [one for one in embedded if hashlib.new(algorithm, one).digest() == wanted]
    if len(meant) != 1:
        raise TokenBroken("another certificate than the one signed for")
    certificate = x509.load_der_x509_certificate(meant[0])
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    if not purposes.critical or list(purposes.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise TokenBroken("certificate is not meant for timestamps alone")
    return certificate


def _verify_signature(certificate: x509.Certificate, signer: Any, content: bytes) -> None:
    algorithm = signer["digest_algorithm"]["algorithm"].native
    if algorithm not in _HASHES:
        raise TokenBroken(f"digest algorithm {algorithm}")
    values = {a["type"].native: a["values"][0] for a in signer["signed_attrs"]}
    if values["message_digest"].native != hashlib.new(algorithm, content).digest():
        raise TokenBroken("digest of the token's content differs")
    signature, attributes = signer["signature"].native, signer["signed_attrs"].untag().dump()
    digest = _HASHES[algorithm]()
    public = certificate.public_key()
    try:
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, attributes, ec.ECDSA(digest))
        elif isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, attributes, _padding(signer, digest), digest)
        else:
            raise TokenBroken("signature algorithm unknown here")
    except InvalidSignature as error:
        raise TokenBroken("signature does not fit") from error


def _padding(signer: Any, digest: hashes.HashAlgorithm) -> padding.PSS | padding.PKCS1v15:
    if signer["signature_algorithm"].signature_algo == "rsassa_pss":
        return padding.PSS(padding.MGF1(digest), padding.PSS.AUTO)
    return padding.PKCS1v15()
