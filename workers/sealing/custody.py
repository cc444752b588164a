"""The organisation's key: in a PKCS#11 token, opened once in each process that seals.

The PIN comes from a file that only the service's user can read; it appears in no setting,
log or event. A token that is away is an outage. A wrong PIN is the operator's to repair and
is offered once, see `workers.sealing.offered`: a token locks itself after a few wrong ones.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pkcs11
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ingest.errors import AuthorityUnavailable, Misconfigured, ScanstrasseError, ToolMissing
from ingest.sealing_settings import TokenSettings
from workers.sealing.issuers import issuers_of
from workers.sealing.offered import Offered
from workers.sealing.port import Kind, fits, is_suitable

_SHA256_INFO: Final = bytes.fromhex("3031300d060960864801650304020105000420")
_TRIAL: Final = b"scanstrasse"
_REFUSED_PIN: Final = (
    pkcs11.PinIncorrect,
    pkcs11.PinInvalid,
    pkcs11.PinLenRange,
    pkcs11.PinExpired,
    pkcs11.PinLocked,
    pkcs11.UserPinNotInitialized,
)
_WRONG_SET_UP: Final = (
    pkcs11.NoSuchKey,
    pkcs11.MultipleObjectsReturned,
    pkcs11.MultipleTokensReturned,
    pkcs11.MechanismInvalid,
    pkcs11.KeyTypeInconsistent,
    pkcs11.FunctionNotSupported,
)


@dataclass(frozen=True, kw_only=True)
class TokenKey:
    """The key as long as its session lives; all calls come from one thread."""

    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...]
    kind: Kind = "organisation"
    _private: Any
    _report: Callable[[Exception], ScanstrasseError]

    def sign(self, content: bytes) -> bytes:
        """Return the signature of `content`, see `SigningKey.sign`.

        Raises:
            AuthorityUnavailable: The token is away; the next call opens it anew.
            Misconfigured: The token cannot sign with this key.
        """
        # Raw mechanisms on a digest made here: every token has them, SoftHSM no other for ECDSA.
        digest = hashlib.sha256(content).digest()
        elliptic = isinstance(self.certificate.public_key(), ec.EllipticCurvePublicKey)
        try:
            if not elliptic:
                made: bytes = self._private.sign(
                    _SHA256_INFO + digest, mechanism=pkcs11.Mechanism.RSA_PKCS
                )
                return made
            raw = self._private.sign(digest, mechanism=pkcs11.Mechanism.ECDSA)
        except pkcs11.PKCS11Error as error:
            raise self._report(error) from error
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))


class Token:
    """One token as this process sees it: closed, open, or with a PIN it has refused."""

    def __init__(self, settings: TokenSettings, marks: Path) -> None:
        """Remember where the token is; nothing is opened yet.

        `marks` is a private folder, in which it is noted that a PIN was refused.
        """
        self._settings = settings
        self._pin = Offered(settings.pin_file, "sealing.token.pin_file", marks / "refused-pin")
        self._library: Any = None
        self._key: TokenKey | None = None

    def key(self) -> TokenKey:
        """Return the key, opening the token if need be.

        Raises:
            AuthorityUnavailable: The token is not there, or has no session left.
            Misconfigured: PIN, labels, certificate or module are wrong.
        """
        if self._key is None:
            pin = self._offered()
            try:
                self._key = self._open(pin)
            except _REFUSED_PIN as error:
                self._pin.refuse(pin)
                self._forget()
                raise self._wrong_pin(type(error).__name__) from error
            except pkcs11.PKCS11Error as error:
                raise self._report(error) from error
            self._pin.accept()
        return self._key

    def _offered(self) -> str:
        pin = self._pin.read()
        if self._pin.was_refused(pin):
            raise self._wrong_pin("refused before, not tried again")
        return pin

    def _open(self, pin: str) -> TokenKey:
        os.environ.update(self._settings.environment)
        library = self._load()
        # Whatever an earlier failure left behind: sessions, a login, a token that is gone.
        library.reinitialize()
        token = library.get_token(token_label=self._settings.label)
        if pkcs11.TokenFlag.USER_PIN_FINAL_TRY in token.flags:
            # Even a right PIN is not worth the risk: the file may still hold the wrong one.
            raise self._wrong_pin("one try is left before the token locks itself")
        try:
            session = token.open(user_pin=pin)
        except pkcs11.UserAlreadyLoggedIn:
            session = token.open()
        private = session.get_key(
            object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=self._settings.key_label
        )
        certificate = self._certificate(session)
        key = TokenKey(
            certificate=certificate,
            issuers=issuers_of(certificate, self._settings.issuers, "sealing.token.issuers"),
            _private=private,
            _report=self._report,
        )
        self._try_out(key)
        return key

    def _load(self) -> Any:
        if self._library is None:
            try:
                self._library = pkcs11.lib(str(self._settings.module))
            except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
                text = (
                    f"sealing.token.module: {self._settings.module} lässt sich nicht laden. Bitte "
                    "die PKCS#11-Bibliothek des Herstellers einrichten und den Pfad prüfen."
                )
                message = f"PKCS#11 module {self._settings.module}: {error}"
                raise ToolMissing(message, operator_text=text) from error
        return self._library

    def _certificate(self, session: Any) -> x509.Certificate:
        wanted = {
            pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE,
            pkcs11.Attribute.LABEL: self._settings.certificate_label,
        }
        found = [one[pkcs11.Attribute.VALUE] for one in session.get_objects(wanted)]
        if len(found) != 1:
            raise self._unusable(
                f"{len(found)} Zertifikate mit dem Namen „{self._settings.certificate_label}“"
            )
        try:
            certificate = x509.load_der_x509_certificate(found[0])
            suitable = is_suitable(certificate)
        except ValueError as error:
            raise self._unusable(f"Zertifikat nicht lesbar: {error}") from error
        if not suitable:
            raise self._unusable("der Schlüssel ist weder P-256 noch RSA ab 3000 Bit")
        return certificate

    def _try_out(self, key: TokenKey) -> None:
        """Sign once, so that key and certificate are known to belong together."""
        if not fits(key.certificate, key.sign(_TRIAL), _TRIAL):
            raise self._unusable("Schlüssel und Zertifikat gehören nicht zusammen")

    def _report(self, error: Exception) -> ScanstrasseError:
        """Say who has to act, and open the token anew next time."""
        self._forget()
        if isinstance(error, _WRONG_SET_UP):
            return self._unusable(f"{type(error).__name__} {error}".strip())
        text = (
            f"Siegel-Token „{self._settings.label}“ ist nicht erreichbar ({type(error).__name__}). "
            "Das Dokument wartet und wird wieder versucht; bitte Token, HSM und Verbindung prüfen."
        )
        message = f"token {self._settings.label!r}: {type(error).__name__} {error}".strip()
        return AuthorityUnavailable(message, operator_text=text)

    def _forget(self) -> None:
        self._key = None

    def _unusable(self, reason: str) -> Misconfigured:
        text = (
            f"Siegel-Token „{self._settings.label}“: {reason}. Bitte [sealing.token] und den "
            "Inhalt des Tokens prüfen."
        )
        return Misconfigured(f"token {self._settings.label!r}: {reason}", operator_text=text)

    def _wrong_pin(self, reason: str) -> Misconfigured:
        text = (
            f"Siegel-Token „{self._settings.label}“: die PIN in {self._settings.pin_file} wurde "
            f"nicht angenommen ({reason}). Sie wird nicht noch einmal versucht, damit das Token "
            "nicht sperrt. Bitte die Datei berichtigen."
        )
        message = f"token {self._settings.label!r}: PIN not accepted ({reason})"
        return Misconfigured(message, operator_text=text)


def token_key(settings: TokenSettings, marks: Path) -> TokenKey:
    """Return the organisation's key; the token stays open for the next document.

    Args:
        settings: Where it is.
        marks: The installation's key folder.

    Raises:
        AuthorityUnavailable: The token is away.
        Misconfigured: The set-up is wrong, see `Token.key`.
    """
    return _token(settings.model_dump_json(), marks).key()


# One at a time: opening a token starts the library anew, and handles of another would then
# point anywhere.
@functools.lru_cache(maxsize=1)
def _token(settings: str, marks: Path) -> Token:
    return Token(TokenSettings.model_validate_json(settings), marks)
