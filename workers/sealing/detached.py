"""A detached signature over any file (CMS, RFC 5652; CAdES-B-B by its attributes).

For what is no PDF: the list of a bundle's files. It holds nothing that a reader could not look
at: content type, digest, the moment as this installation says it, and which certificate.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING, Any

from asn1crypto import algos, cms, core, tsp
from cryptography.hazmat.primitives.asymmetric import ec

from ingest.errors import Misconfigured
from workers.sealing.keys import ensure_installation_key, load_key
from workers.sealing.port import Kind, SigningKey
from workers.sealing.signing import as_asn1

if TYPE_CHECKING:
    from ingest.settings import Settings

_ALGORITHM = "sha256"


def key_of(kind: Kind, settings: Settings) -> SigningKey:
    """Return the installation's key, or the organisation's in its token.

    Raises:
        Misconfigured: There is no token, or the key cannot be used.
        AuthorityUnavailable: The token is away.
    """
    if kind == "installation":
        return load_key(ensure_installation_key(settings.keys))
    if settings.sealing.token is None:
        text = (
            "Für das Siegel der Organisation fehlt [sealing.token]. Bitte Token eintragen oder "
            "--seal installation angeben."
        )
        raise Misconfigured("no token for the organisation's seal", operator_text=text)
    from workers.sealing.custody import organisation_key

    return organisation_key(settings.sealing.token, settings.keys)


def sign_detached(content: bytes, key: SigningKey, signed_at: dt.datetime) -> bytes:
    """Return the signature of `content` as CMS ContentInfo, DER, certificates included.

    Raises:
        AuthorityUnavailable: The key cannot be reached now.
    """
    own = as_asn1(key.certificate)
    attributes = cms.CMSAttributes(
        [
            _attribute("content_type", "data"),
            _attribute("signing_time", cms.Time({"utc_time": core.UTCTime(signed_at)})),
            _attribute("message_digest", hashlib.sha256(content).digest()),
            _attribute(
                "signing_certificate_v2",
                tsp.SigningCertificateV2(
                    {"certs": [tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(own.dump()).digest()})]}
                ),
            ),
        ]
    )
    # RFC 5652, section 5.4: signed is the encoding as SET, written is the implicit tag.
    signature = key.sign(attributes.dump())
    elliptic = isinstance(key.certificate.public_key(), ec.EllipticCurvePublicKey)
    signer: dict[str, Any] = {
        "version": "v1",
        "sid": cms.SignerIdentifier(
            {
                "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                    {"issuer": own.issuer, "serial_number": own.serial_number}
                )
            }
        ),
        "digest_algorithm": algos.DigestAlgorithm({"algorithm": _ALGORITHM}),
        "signed_attrs": attributes,
        "signature_algorithm": algos.SignedDigestAlgorithm(
            {"algorithm": "sha256_ecdsa" if elliptic else "sha256_rsa"}
        ),
        "signature": signature,
    }
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [algos.DigestAlgorithm({"algorithm": _ALGORITHM})],
            "encap_content_info": {"content_type": "data"},
            "certificates": [own, *(as_asn1(issuer) for issuer in key.issuers)],
            "signer_infos": [cms.SignerInfo(signer)],
        }
    )
    encoded: bytes = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
    return encoded


def _attribute(name: str, value: object) -> cms.CMSAttribute:
    return cms.CMSAttribute({"type": name, "values": (value,)})
