"""A remote signing service on loopback: three methods of the CSC API 1.0.4.0, over real HTTP.

It is as strict as the specification lets it be: nobody without the access token is heard, a PIN
locks after three wrong ones, a one-time password and each activation count once, and only the
digest that was authorised is signed. `fault` makes it wrong in ways a client must notice.
"""

from __future__ import annotations

import base64
import json
import secrets
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from typing_extensions import override

from tests.plugins.tokens import Key

ACCESS: Final = "zugang.Eins~2026="
PIN: Final = "richtig-4711"
CREDENTIAL: Final = "siegel-2026"
SHA256: Final = "2.16.840.1.101.3.4.2.1"
ECDSA: Final = "1.2.840.10045.4.3.2"
RSA: Final = "1.2.840.113549.1.1.11"
PLAIN_RSA: Final = "1.2.840.113549.1.1.1"
METHODS: Final = ("credentials/info", "credentials/authorize", "signatures/signHash")
#: What may stand behind the name of a method in `Service.fault`, and who has to act.
AWAY: Final = (
    "unavailable",
    "too_many",
    "moved",
    "reset",
    "web_page",
    "nothing",
    "garbage",
    "a_list",
    "empty_object",
    "endless",
)
#: Ends only by the client's patience.
SLOW: Final = "silent"
_SILENCE: Final = 30.0
_RESET: Final = struct.pack("ii", 1, 0)
_MOST_WRONG_PINS: Final = 3
_PREFIX: Final = "/csc/v1/"
_Answer = tuple[int, bytes]


class SigningService:
    """Answers as its `fault` says, "<method> <how>"; None answers properly.

    Attributes:
        asked: Method and body of every request that was heard, in order.
        pin: The PIN; None where the credential wants none.
        otps: One-time passwords that are still good; None where the credential wants none.
        said: What replaces parts of the answer of `credentials/info`.
        access: The access token that is accepted.
        signs_with: The key; the certificate is what it says it is.
    """

    def __init__(self, key: Key, certificate: x509.Certificate) -> None:
        self.url = ""
        self.over = threading.Event()
        self.key, self.certificate = key, certificate
        self.reset()

    def reset(self) -> None:
        """Be sound again, as at the start."""
        self.fault: str | None = None
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.access = ACCESS
        self.pin: str | None = PIN
        self.otps: set[str] | None = None
        self.otp_type = "offline"
        self.mode = "explicit"
        self.said: dict[str, Any] = {}
        self.signs_with, self.named = self.key, self.certificate
        self.wrong_pins = 0
        self._activations: dict[str, str] = {}

    def methods(self) -> list[str]:
        return [method for method, _ in self.asked]

    def answer(self, path: str, bearer: str, body: bytes) -> _Answer:
        """Return HTTP status and body."""
        method = path.removeprefix(_PREFIX)
        if bearer != f"Bearer {self.access}":
            return _refused(401, "invalid_token", "The token is expired")
        question = json.loads(body)
        self.asked.append((method, question))
        wrong, _, how = (self.fault or "").partition(" ")
        if wrong == method and (made := self._wrong(how, question, bearer)) is not None:
            return made
        if question.get("credentialID") != CREDENTIAL:
            return _refused(400, "invalid_request", "Invalid parameter credentialID")
        answers = dict(zip(METHODS, (self._info, self._authorize, self._sign), strict=True))
        return answers[method](question)

    def _wrong(self, how: str, question: dict[str, Any], bearer: str) -> _Answer | None:
        said = " ".join([bearer, *(str(one) for one in question.values())])
        return {
            "unavailable": (503, b""),
            "too_many": (429, b""),
            "moved": (302, b""),
            "web_page": (200, b"<html>Wartungsarbeiten</html>"),
            "nothing": (200, b""),
            "garbage": (200, bytes(range(256))),
            "a_list": (200, b"[]"),
            "empty_object": (200, b"{}"),
            "endless": (200, b" " * 300_000),
            "forbidden": _refused(403, "access_denied", "Not your credential"),
            "refused": _refused(400, "invalid_request", "Invalid parameter credentialID"),
            "repeating": _refused(400, "invalid_request", said),
            "spelling": _refused(400, "invalid_request", "\n".join(said)),
            "terse": (400, b"no"),
            "muddled": _refused(500, "invalid_pin", "The PIN is invalid"),
            "expired": _refused(401, "invalid_token", said),
            "unauthorised_pin": _refused(401, "invalid_pin", "The PIN is invalid"),
            "mapping": _refused(401, "mapping_error", "The token is expired"),
            "two_signatures": _given({"signatures": ["AAAA", "AAAA"]}),
            "no_base64": _given({"signatures": ["****"]}),
            "no_text": _given({"signatures": [7]}),
            "foreign_signature": _given({"signatures": [base64.b64encode(b"0" * 64).decode()]}),
        }.get(how)

    def _info(self, question: dict[str, Any]) -> _Answer:
        assert question["certificates"] in {"single", "chain"}
        assert question["authInfo"] is True
        elliptic = isinstance(self.key, ec.EllipticCurvePrivateKey)
        der = self.named.public_bytes(serialization.Encoding.DER)
        wants_pin, wants_otp = self.pin is not None, self.otps is not None
        answer: dict[str, Any] = {
            "description": "Siegel der Stadt",
            "key": {
                "status": "enabled",
                "algo": [ECDSA] if elliptic else [PLAIN_RSA, RSA],
                "len": self.key.key_size,
            },
            "cert": {"status": "valid", "certificates": [base64.b64encode(der).decode()]},
            "authMode": self.mode,
            "SCAL": "2",
            "PIN": {"presence": str(wants_pin).lower(), "format": "A"},
            "OTP": {"presence": str(wants_otp).lower(), "type": self.otp_type},
            "multisign": 1,
        }
        for name, value in self.said.items():
            part, _, inner = name.partition(".")
            answer[part] = {**answer[part], inner: value} if inner else value
        return _given(answer)

    def _authorize(self, question: dict[str, Any]) -> _Answer:
        if self.wrong_pins >= _MOST_WRONG_PINS:
            return _refused(400, "invalid_pin", "PIN locked")
        if self.mode == "explicit" and question.get("PIN") != self.pin:
            self.wrong_pins += 1
            return _refused(400, "invalid_pin", "The PIN is invalid")
        if self.otps is not None and question.get("OTP") not in self.otps:
            return _refused(400, "invalid_otp", "The OTP is invalid")
        if self.otps is not None:
            self.otps.remove(question["OTP"])
        (digest,) = question["hash"]
        assert question["numSignatures"] == 1
        assert len(base64.b64decode(digest, validate=True)) == 32
        activation = secrets.token_urlsafe(24)
        self._activations[activation] = digest
        return _given({"SAD": activation, "expiresIn": 300})

    def _sign(self, question: dict[str, Any]) -> _Answer:
        if self._activations.pop(question["SAD"], None) not in question["hash"]:
            return _refused(400, "invalid_request", "Hash is not authorized by the SAD")
        assert question["hashAlgo"] == SHA256
        (digest,) = (base64.b64decode(one, validate=True) for one in question["hash"])
        made = self._signature(digest, question["signAlgo"])
        if self.fault == "signatures/signHash plain_numbers":
            made = b"".join(one.to_bytes(32) for one in decode_dss_signature(made))
        if self.fault == "signatures/signHash broken_signature":
            made = made[:-1] + bytes((made[-1] ^ 1,))
        return _given({"signatures": [base64.b64encode(made).decode()]})

    def _signature(self, digest: bytes, algorithm: str) -> bytes:
        already = Prehashed(hashes.SHA256())
        if isinstance(self.signs_with, rsa.RSAPrivateKey):
            assert algorithm in {RSA, PLAIN_RSA}
            return self.signs_with.sign(digest, padding.PKCS1v15(), already)
        assert algorithm == ECDSA
        return self.signs_with.sign(digest, ec.ECDSA(already))


def _given(answer: dict[str, Any]) -> _Answer:
    return 200, json.dumps(answer).encode()


def _refused(status: int, error: str, description: str) -> _Answer:
    return status, json.dumps({"error": error, "error_description": description}).encode()


class _Handler(BaseHTTPRequestHandler):
    """Speaks for the service of its server."""

    def do_POST(self) -> None:
        """Answer, unless whoever waited too long has hung up."""
        with suppress(OSError):
            self._serve()

    def _serve(self) -> None:
        service: SigningService = self.server.service  # type: ignore[attr-defined] # set by serving
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, content = service.answer(self.path, self.headers["Authorization"], body)
        method, _, how = (service.fault or "").partition(" ")
        if how in {"reset", SLOW} and self.path.endswith(method):
            if how == SLOW:
                service.over.wait(_SILENCE)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if how == "moved":
            self.send_header("Location", f"{service.url}/elsewhere")
        self.end_headers()
        self.wfile.write(content)

    @override
    def finish(self) -> None:
        """End quietly, as above."""
        with suppress(OSError):
            super().finish()

    @override
    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def serving(
    key: Key, certificate: x509.Certificate, tls: ssl.SSLContext | None = None
) -> Iterator[SigningService]:
    """Run a service until the block ends."""
    service = SigningService(key, certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    vars(server)["service"] = service
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    service.url = f"{scheme}://127.0.0.1:{server.server_port}{_PREFIX.rstrip('/')}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        service.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def configured(service: SigningService, folder: Path, issuers: Path, **more: Any) -> dict[str, Any]:
    """Write the secrets to files and return what `[sealing.csc]` must say."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"access_token_file": ACCESS, "pin_file": PIN}
    for name, secret in files.items():
        write_secret(folder / name, secret)
    return {
        "url": service.url,
        "credential": CREDENTIAL,
        "issuers": str(issuers),
        "timeout_seconds": 5.0,
        **{name: str(folder / name) for name in files},
        **more,
    }


def write_secret(path: Path, secret: str) -> None:
    """Put a file with `secret` in the place of what is there, as whoever renews it does."""
    fresh = path.with_name(f".{path.name}")
    fresh.write_text(secret + "\n", "utf-8")
    fresh.chmod(0o600)
    fresh.replace(path)
