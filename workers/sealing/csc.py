"""The questions to a remote signing service: Cloud Signature Consortium API, 1.0.4.0.

`credentials/info` (11.5), `credentials/authorize` (11.6) and `signatures/signHash` (11.9). What
leaves this machine is the digest of what is signed, never a document, and nothing that names
one. Access token, PIN and one-time password come from files, are sent to this service alone, and
are repeated in no message, even where the service repeats them.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509

from ingest.document import Facts
from ingest.errors import AuthorityUnavailable, Misconfigured, ScanstrasseError
from ingest.sealing_settings import RemoteSettings
from workers.asking import Bounds, NotAnswered, Refused, ask
from workers.sealing.offered import Offered

_SHA256: Final = "2.16.840.1.101.3.4.2.1"
_MOST: Final = 256 * 1024
#: RFC 6750, 2.1: anything else would be no header.
_BEARER: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_PIN: Final = re.compile(r"(?<![a-z])pin(?![a-z])")
_UNAUTHORISED: Final = 401
#: Statuses below 500 that mean "later": timeout, too early, too many.
_LATER: Final = frozenset({408, 425, 429})
_REFUSALS: Final = range(400, 500)
_LONGEST_REASON: Final = 160
_WORDS: Final = frozenset(
    {
        *("enabled", "disabled", "valid", "expired", "revoked", "suspended"),
        *("implicit", "explicit", "oauth2code", "true", "false", "optional", "online", "offline"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Credential:
    """What the service says of the key, in words of the specification or `unknown`.

    Attributes:
        key_status: `enabled`, or why it cannot be used.
        certificate_status: `valid`, also where nothing is said; `expired`, `revoked`, `suspended`.
        algorithms: Object identifiers of what the key may sign with.
        mode: How a signature is authorised: `implicit`, `explicit` or `oauth2code`.
        pin: Whether a PIN belongs to that: `true`, `false` or `optional`.
        otp: The same of a one-time password.
        otp_type: `offline`, or `online` where the service sends it to a person.
    """

    certificate: x509.Certificate
    key_status: str
    certificate_status: str
    algorithms: frozenset[str]
    mode: str
    pin: str
    otp: str
    otp_type: str


class Service:
    """One credential of one service."""

    def __init__(self, settings: RemoteSettings, marks: Path) -> None:
        """Remember where it is; nothing is asked yet.

        `marks` is a private folder, in which it is noted which secret was refused.
        """
        self._settings = settings
        self.name = urlsplit(settings.url).hostname
        self._access = Offered(
            settings.access_token_file,
            "sealing.csc.access_token_file",
            marks / "refused-csc-access-token",
        )
        self._pin = _offered(settings.pin_file, "pin_file", marks / "refused-csc-pin")
        self._otp = _offered(settings.otp_file, "otp_file", marks / "spent-csc-otp")

    def info(self) -> Credential:
        """Ask what the key is, and whether it may be used.

        Raises:
            AuthorityUnavailable: No proper answer came, or the access token has ended.
            Misconfigured: The service refuses the credential.
        """
        question = {"certificates": "single", "certInfo": False, "authInfo": True}
        answer = self._ask("credentials/info", question, ())
        try:
            return _credential(answer)
        # What is said may have any shape; whatever is raised, it is no such answer.
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._silent(f"credentials/info: {type(error).__name__}") from error

    def require_secrets(self, *, pin: bool, otp: bool) -> None:
        """Refuse secrets that are missing, readable by others, or were refused before.

        A one-time password that was used is no fault, only one more to wait for.

        Raises:
            Misconfigured: The message names the setting.
        """
        if pin:
            self._read_pin()
        if otp:
            self._require(self._otp, "otp_file", "ein Einmalkennwort").read()

    def authorise(self, digest: bytes, *, pin: bool, otp: bool) -> str:
        """Return signature activation data for one signature, of `digest` and nothing else.

        Args:
            digest: SHA-256 of what will be signed.
            pin: Whether the PIN is sent with it.
            otp: Whether a one-time password is; each is offered once, whatever comes of it.

        Raises:
            AuthorityUnavailable: No proper answer came, or there is no new one-time password.
            Misconfigured: The service refuses; a PIN is then not offered again.
        """
        question: Facts = {"numSignatures": 1, "hash": [_encoded(digest)]}
        if pin:
            question["PIN"] = self._read_pin()
        if otp:
            question["OTP"] = self._spend_otp()
        secrets = [question[name] for name in ("PIN", "OTP") if name in question]
        return self._text(self._ask("credentials/authorize", question, secrets), "SAD")

    def sign(self, digest: bytes, sad: str, algorithm: str) -> bytes:
        """Return the signature of `digest` as the service gave it; nothing is verified here.

        Raises:
            AuthorityUnavailable: No proper answer came.
            Misconfigured: The service refuses.
        """
        question = {
            "SAD": sad,
            "hash": [_encoded(digest)],
            "hashAlgo": _SHA256,
            "signAlgo": algorithm,
        }
        answer = self._ask("signatures/signHash", question, (sad,))
        try:
            (made,) = answer["signatures"]
            return base64.b64decode(made, validate=True)
        except (ValueError, LookupError, TypeError) as error:
            raise self._silent("signatures/signHash: not one signature") from error

    def _ask(self, method: str, question: Facts, secrets: Sequence[str]) -> Facts:
        access = self._read_access()
        headers = {
            "Authorization": f"Bearer {access}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        body = json.dumps({"credentialID": self._settings.credential, **question}).encode()
        bounds = Bounds(seconds=self._settings.timeout_seconds, most=_MOST)
        try:
            content = ask(f"{self._settings.url}/{method}", body, headers, bounds)
        except Refused as error:
            reason = f"{method}: {error}{_stated(error.content, (access, *secrets))}"
            raise self._refusal(error, reason, access, question.get("PIN")) from error
        except NotAnswered as error:
            raise self._silent(f"{method}: {error}") from error
        self._access.accept()
        if "PIN" in question and self._pin is not None:
            self._pin.accept()
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self._silent(f"{method}: answer is not JSON") from error
        if not isinstance(answer, dict):
            raise self._silent(f"{method}: answer is no object")
        return answer

    def _refusal(
        self, error: Refused, reason: str, access: str, pin: str | None
    ) -> ScanstrasseError:
        """Say who has to act on another status than 200."""
        away = error.status in _LATER or error.status not in _REFUSALS
        stale = error.status == _UNAUTHORISED
        # Services name a wrong PIN in many ways, and some lock it after three: so whatever they
        # refuse together with one counts as that, but for what only the access token can be.
        suspected = not (away or stale) or _names_pin(error.content)
        if pin is not None and self._pin is not None and suspected:
            self._pin.refuse(pin)
            return self._wrong_pin(reason)
        if stale:
            self._access.refuse(access)
            return self._stale(reason)
        if away:
            return self._silent(reason)
        text = (
            f"Siegeldienst {self.name} lehnt ab ({reason}). Das Dokument wartet; bitte "
            "[sealing.csc] prüfen und beim Dienst nachsehen, ob der Schlüssel "
            f"„{self._settings.credential}“ diesem Zugang gehört und freigegeben ist."
        )
        return Misconfigured(f"signing service {self.name}: {reason}", operator_text=text)

    def _read_access(self) -> str:
        access = self._access.read().strip()
        if not _BEARER.fullmatch(access):
            text = (
                f"sealing.csc.access_token_file: {self._access.path} enthält kein Zugangstoken "
                "(eine Zeile ohne Leerzeichen). Bitte berichtigen."
            )
            raise Misconfigured("access token is malformed", operator_text=text)
        if self._access.was_refused(access):
            raise self._stale("refused before, not tried again")
        return access

    def _read_pin(self) -> str:
        pin = self._require(self._pin, "pin_file", "eine PIN")
        found = pin.read()
        if pin.was_refused(found):
            raise self._wrong_pin("refused before, not tried again")
        return found

    def _spend_otp(self) -> str:
        otp = self._require(self._otp, "otp_file", "ein Einmalkennwort")
        found = otp.read()
        if otp.was_refused(found):
            text = (
                f"Siegeldienst {self.name}: das Einmalkennwort in {otp.path} ist verbraucht. Das "
                "Dokument wartet, bis dort ein neues steht; bitte eintragen."
            )
            raise AuthorityUnavailable("one-time password is spent", operator_text=text)
        otp.refuse(found)
        return found

    def _require(self, found: Offered | None, key: str, what: str) -> Offered:
        if found is None:
            text = (
                f"Siegeldienst {self.name} verlangt {what} für den Schlüssel "
                f"„{self._settings.credential}“. Bitte sealing.csc.{key} eintragen."
            )
            raise Misconfigured(f"signing service wants {key}", operator_text=text)
        return found

    def _text(self, answer: Facts, name: str) -> str:
        found = answer.get(name)
        if not isinstance(found, str) or not found:
            raise self._silent(f"answer without {name}")
        return found

    def _silent(self, reason: str) -> AuthorityUnavailable:
        text = (
            f"Siegeldienst {self.name}: keine brauchbare Antwort ({reason}). Das Dokument wartet "
            "und wird wieder versucht; bitte Dienst und Verbindung prüfen."
        )
        return AuthorityUnavailable(f"signing service {self.name}: {reason}", operator_text=text)

    def _stale(self, reason: str) -> AuthorityUnavailable:
        """An access token ends by itself and is renewed by a machine, so this is an outage."""
        text = (
            f"Siegeldienst {self.name}: das Zugangstoken in {self._access.path} wurde nicht "
            f"angenommen ({reason}), meist ist es abgelaufen. Es wird nicht noch einmal gesendet, "
            "das Dokument wartet; bitte ein neues in die Datei schreiben."
        )
        message = f"signing service {self.name}: access token not accepted ({reason})"
        return AuthorityUnavailable(message, operator_text=text)

    def _wrong_pin(self, reason: str) -> Misconfigured:
        path = "" if self._pin is None else self._pin.path
        text = (
            f"Siegeldienst {self.name}: die PIN in {path} wurde nicht angenommen ({reason}). Sie "
            "wird nicht noch einmal gesendet, damit der Dienst sie nicht sperrt. Bitte die Datei "
            "berichtigen; war sie richtig, die Ursache beheben und die Datei neu schreiben."
        )
        message = f"signing service {self.name}: PIN not accepted ({reason})"
        return Misconfigured(message, operator_text=text)


def _offered(path: Path | None, key: str, mark: Path) -> Offered | None:
    return None if path is None else Offered(path, f"sealing.csc.{key}", mark)


def _encoded(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


def _credential(answer: Facts) -> Credential:
    key, certificate = answer["key"], answer["cert"]
    pin, otp = answer.get("PIN") or {}, answer.get("OTP") or {}
    der = base64.b64decode(certificate["certificates"][0], validate=True)
    return Credential(
        certificate=x509.load_der_x509_certificate(der),
        key_status=_word(key["status"]),
        certificate_status=_word(certificate.get("status") or "valid"),
        algorithms=frozenset(str(one) for one in key["algo"]),
        mode=_word(answer.get("authMode") or "explicit"),
        pin=_word(pin.get("presence", "false")),
        otp=_word(otp.get("presence", "false")),
        otp_type=_word(otp.get("type") or "offline"),
    )


def _word(value: Any) -> str:
    """Return a word of an answer; some services say true where the string is meant."""
    word = str(value).lower()
    return word if word in _WORDS else "unknown"


def _stated(content: bytes, secrets: Sequence[str]) -> str:
    """Return the reason in a refusal (10.1), nothing where it holds a secret or is none."""
    said = ": ".join(one for one in _reasons(content) if one)
    text = "".join(sign for sign in said if sign.isprintable())
    if not text or any(secret in one for secret in secrets for one in (said, text)):
        return ""
    return f", {text[:_LONGEST_REASON]}"


def _names_pin(content: bytes) -> bool:
    return _PIN.search(_reasons(content)[0].lower()) is not None


def _reasons(content: bytes) -> tuple[str, str]:
    """Return `error` and `error_description` of a refusal, empty where there are none."""
    try:
        answer = json.loads(content)
        return str(answer.get("error") or ""), str(answer.get("error_description") or "")
    except (ValueError, AttributeError, RecursionError):
        return "", ""
