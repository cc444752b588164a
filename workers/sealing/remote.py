"""The organisation's key at a remote service, which signs digests that are made here.

Nothing the service says is believed: its certificate must lead to the root that the operator
named, and each signature is verified with that certificate before it is used. What does not fit
is not used, and the document waits.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ingest import clock
from ingest.errors import AuthorityUnavailable, Misconfigured, ScanstrasseError
from ingest.sealing_settings import RemoteSettings
from workers.sealing.csc import Credential, Service
from workers.sealing.issuers import issuers_of
from workers.sealing.port import Kind, fits, is_suitable

#: What the service said of the key counts for so long; after any refusal it is asked anew.
_KNOWN_FOR: Final = dt.timedelta(minutes=10)
#: In order of preference; the last names the digest apart (RFC 8017, A.1 and A.2.4).
_RSA: Final = ("1.2.840.113549.1.1.11", "1.2.840.113549.1.1.1")
_ECDSA: Final = ("1.2.840.10045.4.3.2",)
_ELLIPTIC_BYTES: Final = 64  #: of a P-256 signature that is two numbers side by side


@dataclass(frozen=True, kw_only=True)
class RemoteKey:
    """The key as the service described it; whether it still does shows when it signs.

    Attributes:
        algorithm: Object identifier of what it signs with.
        pin: Whether each signature is authorised with the PIN.
        otp: Whether each signature is authorised with a one-time password.
    """

    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...]
    kind: Kind = "organisation"
    algorithm: str
    pin: bool
    otp: bool
    _remote: Remote

    def sign(self, content: bytes) -> bytes:
        """Return the signature of `content`, see `SigningKey.sign`; only its digest is sent.

        Raises:
            AuthorityUnavailable: The service is away, or what it made is not by this key.
            Misconfigured: It refuses.
        """
        return self._remote.sign(self, content)


class Remote:
    """One credential as this process knows it."""

    def __init__(self, settings: RemoteSettings, marks: Path) -> None:
        """Remember where it is; nothing is asked yet. `marks` as in `Service`."""
        self._settings = settings
        self._service = Service(settings, marks)
        self._known: tuple[dt.datetime, RemoteKey] | None = None

    def key(self) -> RemoteKey:
        """Return the key, asking what it is where that was not asked lately.

        Nothing is signed for this: a service counts, and may charge, each signature.

        Raises:
            AuthorityUnavailable: The service is away.
            Misconfigured: The key must not or cannot be used.
        """
        now = clock.now()
        if self._known is not None and dt.timedelta(0) <= now - self._known[0] < _KNOWN_FOR:
            return self._known[1]
        self._known = None
        found = self._service.info()
        algorithm = self._usable(found)
        issuers = issuers_of(found.certificate, self._settings.issuers, "sealing.csc.issuers")
        pin, otp = self._wanted(found)
        self._service.require_secrets(pin=pin, otp=otp)
        key = RemoteKey(
            certificate=found.certificate,
            issuers=issuers,
            algorithm=algorithm,
            pin=pin,
            otp=otp,
            _remote=self,
        )
        self._known = now, key
        return key

    def sign(self, key: RemoteKey, content: bytes) -> bytes:
        """Have the digest of `content` signed; after any trouble the key is asked for anew.

        Raises:
            AuthorityUnavailable: See `RemoteKey.sign`.
            Misconfigured: See `RemoteKey.sign`.
        """
        digest = hashlib.sha256(content).digest()
        try:
            sad = self._service.authorise(digest, pin=key.pin, otp=key.otp)
            made = self._service.sign(digest, sad, key.algorithm)
            return self._proven(key.certificate, made, content)
        except ScanstrasseError:
            self._known = None
            raise

    def _usable(self, found: Credential) -> str:
        """Return what the key signs with, if it may be used."""
        if found.key_status != "enabled":
            raise self._unusable(f"der Schlüssel ist nicht freigegeben ({found.key_status})")
        if found.certificate_status != "valid":
            raise self._unusable(f"das Zertifikat gilt nicht ({found.certificate_status})")
        if not is_suitable(found.certificate):
            raise self._unusable("der Schlüssel ist weder P-256 noch RSA ab 3000 Bit")
        elliptic = isinstance(found.certificate.public_key(), ec.EllipticCurvePublicKey)
        for one in _ECDSA if elliptic else _RSA:
            if one in found.algorithms:
                return one
        raise self._unusable("der Schlüssel bietet kein ECDSA oder RSA (PKCS #1 v1.5) mit SHA-256")

    def _wanted(self, found: Credential) -> tuple[bool, bool]:
        """Return whether PIN and one-time password are sent."""
        if found.mode == "implicit":
            return False, False
        if found.mode != "explicit":
            raise self._unusable(
                f"jede Unterschrift wäre von einer Person zu erlauben ({found.mode})"
            )
        pin = _is_wanted(found.pin, self._settings.pin_file)
        otp = _is_wanted(found.otp, self._settings.otp_file)
        if otp and found.otp_type == "online":
            raise self._unusable("der Dienst sendet Einmalkennwörter einer Person zu")
        return pin, otp

    def _proven(self, certificate: x509.Certificate, made: bytes, content: bytes) -> bytes:
        if fits(certificate, made, content):
            return made
        elliptic = isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
        if elliptic and len(made) == _ELLIPTIC_BYTES:
            half = _ELLIPTIC_BYTES // 2
            first, second = int.from_bytes(made[:half]), int.from_bytes(made[half:])
            if fits(certificate, joined := encode_dss_signature(first, second), content):
                return joined
        text = (
            f"Siegeldienst {self._service.name}: die Unterschrift passt nicht zum Zertifikat, das "
            "er genannt hat. Es wurde nichts gesiegelt; das Dokument wartet und wird mit neu "
            "erfragtem Zertifikat wieder versucht. Wiederholt es sich, bitte den Dienst fragen."
        )
        message = f"signing service {self._service.name}: signature does not fit"
        raise AuthorityUnavailable(message, operator_text=text)

    def _unusable(self, reason: str) -> Misconfigured:
        name = self._settings.credential
        text = (
            f"Siegeldienst {self._service.name}, Schlüssel „{name}“: {reason}. Bitte [sealing.csc] "
            "und den Schlüssel beim Dienst prüfen."
        )
        message = f"signing service {self._service.name}, {name!r}: {reason}"
        return Misconfigured(message, operator_text=text)


def remote_key(settings: RemoteSettings, marks: Path) -> RemoteKey:
    """Return the organisation's key; what the service said of it is kept for some minutes.

    Args:
        settings: Where it is.
        marks: The installation's key folder.

    Raises:
        AuthorityUnavailable: The service is away.
        Misconfigured: The set-up is wrong, see `Remote.key`.
    """
    return _remote(settings.model_dump_json(), marks).key()


@functools.lru_cache(maxsize=1)
def _remote(settings: str, marks: Path) -> Remote:
    return Remote(RemoteSettings.model_validate_json(settings), marks)


def _is_wanted(presence: str, path: Path | None) -> bool:
    return presence == "true" or (presence != "false" and path is not None)
