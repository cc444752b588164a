"""What signs: a port, behind which a key lies in a file, in a token or at a remote service.

Whoever holds the key decides what its signature is called. The installation's own key makes
an *Installationssignatur*; only an organisation's key makes a seal (*Siegel*).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, Literal, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

Kind = Literal["installation", "organisation"]

#: How the signature field begins; the document's id follows.
FIELD_PREFIXES: Final = MappingProxyType(
    {"installation": "Installationssignatur-", "organisation": "Siegel-"}
)
#: Shown by viewers beside the signature.
REASONS: Final = MappingProxyType(
    {
        "installation": "Installationssignatur (Demo) – kein Siegel",
        "organisation": "Siegel der Organisation – keine Unterschrift einer Person",
    }
)
#: The same of a letter that leaves the house: it was never scanned, so it has no note.
OUTGOING_REASON: Final = (
    "Siegel der Organisation auf ausgehendem Schreiben – keine Unterschrift einer Person"
)
#: BSI TR-02102-1: RSA keys below 3000 bits are no longer recommended.
_MINIMUM_RSA: Final = 3000


class SigningKey(Protocol):
    """A private key that can be used and not read."""

    @property
    def kind(self) -> Kind:
        """Whose key this is."""

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate of the key."""

    @property
    def issuers(self) -> tuple[x509.Certificate, ...]:
        """Certificates up to the root, embedded beside it; empty where it vouches for itself."""

    def sign(self, content: bytes) -> bytes:
        """Return the signature of `content` with SHA-256: ECDSA in DER, or RSA PKCS#1 v1.5.

        Raises:
            AuthorityUnavailable: The key cannot be reached now.
            Misconfigured: It cannot be used before the operator has acted.
        """


def is_suitable(certificate: x509.Certificate) -> bool:
    """Tell whether seals can be made and verified with this kind of key: P-256, RSA from 3000."""
    try:
        public = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return False
    if isinstance(public, ec.EllipticCurvePublicKey):
        return isinstance(public.curve, ec.SECP256R1)
    return isinstance(public, rsa.RSAPublicKey) and public.key_size >= _MINIMUM_RSA


def fits(certificate: x509.Certificate, signature: bytes, content: bytes) -> bool:
    """Tell whether `signature` is what `SigningKey.sign` makes of `content` with this key."""
    public = certificate.public_key()
    try:
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, content, ec.ECDSA(hashes.SHA256()))
        elif isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, content, padding.PKCS1v15(), hashes.SHA256())
        else:
            return False
    except InvalidSignature:
        return False
    return True


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the digest (SHA-256) by which people and records know a certificate."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def introduced(certificate: x509.Certificate) -> str:
    """Return whose certificate it is, for readers: subject, number, digest."""
    subject = certificate.subject.rfc4514_string()
    number = f"{certificate.serial_number:x}"
    return f"{subject}, Seriennummer {number}, SHA-256 {fingerprint(certificate)}"


def kind_of(certificate: x509.Certificate) -> Kind:
    """Return whose certificate it is: one that vouches for itself is an installation's.

    A field's name is written by whoever writes the file, so it decides nothing.
    """
    return "installation" if certificate.issuer == certificate.subject else "organisation"
