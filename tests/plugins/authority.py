"""A timestamp authority on loopback that can be wrong in every way a client must notice."""

from __future__ import annotations

import datetime as dt
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from asn1crypto import core, keys, tsp
from asn1crypto import x509 as asn1_x509
from certomancer.services import TimeStamper
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from typing_extensions import override

FAULTS: Final = (
    "reset",
    "silent",
    "trickling",
    "unavailable",
    "web_page",
    "nothing",
    "garbage",
    "endless",
    "rejection",
    "wrong_imprint",
    "wrong_nonce",
    "no_nonce",
    "broken_signature",
    "wrong_purpose",
    "expired",
    "wrong_time",
)
#: Faults that end only by the client's patience, which tests set to `SHORT_PATIENCE` for them.
SLOW: Final = frozenset({"silent", "trickling"})
SHORT_PATIENCE: Final = 0.3
_BETWEEN_OCTETS: Final = 0.05
_RESET: Final = struct.pack("ii", 1, 0)
_DAY: Final = dt.timedelta(days=1)


class Authority:
    """Answers as its `fault` says; None answers properly.

    Attributes:
        root: The certificate that proper tokens chain to, PEM.
        requests: How many requests came.
    """

    def __init__(self) -> None:
        self.fault: str | None = None
        self.requests = 0
        self.url = ""
        self.over = threading.Event()
        self._root_key = ec.generate_private_key(ec.SECP256R1())
        root = self._certificate("Wurzel", self._root_key.public_key(), issuer=None)
        self.root = root.public_bytes(serialization.Encoding.PEM)
        self._root_name = root.subject
        self._stampers = {
            None: self._stamper([ExtendedKeyUsageOID.TIME_STAMPING], _DAY * 300),
            "wrong_purpose": self._stamper([ExtendedKeyUsageOID.EMAIL_PROTECTION], _DAY * 300),
            "expired": self._stamper([ExtendedKeyUsageOID.TIME_STAMPING], -_DAY),
            "wrong_time": self._stamper(
                [ExtendedKeyUsageOID.TIME_STAMPING], _DAY * 300, shift=-_DAY
            ),
        }

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """Return HTTP status and body."""
        self.requests += 1
        plain = {
            "unavailable": (503, b""),
            "web_page": (200, b"<html>Wartungsarbeiten</html>"),
            "nothing": (200, b""),
            "garbage": (200, bytes.fromhex("3082ffff") + bytes(range(256))),
            # TimeStampResp with nothing but PKIStatusInfo: rejection(2).
            "rejection": (200, bytes.fromhex("30053003020102")),
            "endless": (200, b"\x30" * 300_000),
        }
        if self.fault in plain:
            return plain[self.fault]
        return 200, self._response(tsp.TimeStampReq.load(body))

    def _response(self, request: Any) -> bytes:
        if self.fault == "wrong_imprint":
            request["message_imprint"]["hashed_message"] = b"\x55" * 32
        if self.fault == "wrong_nonce":
            request["nonce"] = core.Integer(request["nonce"].native ^ 1)
        if self.fault == "no_nonce":
            request = tsp.TimeStampReq(
                {"version": 1, "message_imprint": request["message_imprint"], "cert_req": True}
            )
        stamper = self._stampers.get(self.fault, self._stampers[None])
        response = stamper.request_tsa_response(request)
        if self.fault == "broken_signature":
            (signer,) = response["time_stamp_token"]["content"]["signer_infos"]
            value = bytearray(signer["signature"].native)
            value[-1] ^= 1
            signer["signature"] = bytes(value)
        answer: bytes = response.dump(force=True)
        return answer

    def _stamper(
        self, purposes: list[Any], lasts: dt.timedelta, shift: dt.timedelta | None = None
    ) -> Any:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(
            "Zeitstempel", key.public_key(), issuer=self._root_name, purposes=purposes, lasts=lasts
        )
        private = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return TimeStamper(
            asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER)),
            keys.PrivateKeyInfo.load(private),
            fixed_dt=None if shift is None else dt.datetime.now(dt.UTC) + shift,
        )

    def _certificate(
        self,
        name: str,
        public_key: ec.EllipticCurvePublicKey,
        *,
        issuer: x509.Name | None,
        purposes: list[Any] | None = None,
        lasts: dt.timedelta = _DAY * 1000,
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        start = dt.datetime.now(dt.UTC) - 10 * _DAY
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + 10 * _DAY + lasts)
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), True)
        )
        if purposes is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), True)
        return builder.sign(self._root_key, hashes.SHA256())


class _Handler(BaseHTTPRequestHandler):
    """Speaks for the authority of its server."""

    def do_POST(self) -> None:
        """Answer, unless whoever waited too long has hung up."""
        with suppress(OSError):
            self._serve()

    def _serve(self) -> None:
        authority: Authority = self.server.authority  # type: ignore[attr-defined] # set by serving
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, content = authority.answer(body)
        if authority.fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.close_connection = True
            return
        if authority.fault == "silent":
            authority.over.wait()
        self.send_response(status)
        self.end_headers()
        if authority.fault == "trickling":
            for octet in content:
                if authority.over.wait(_BETWEEN_OCTETS):
                    return
                self.wfile.write(bytes((octet,)))
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
def serving() -> Iterator[Authority]:
    """Run an authority until the block ends."""
    authority = Authority()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    vars(server)["authority"] = authority
    authority.url = f"http://127.0.0.1:{server.server_port}/tsa"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield authority
    finally:
        authority.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def root_file(authority: Authority, folder: Path) -> Path:
    """Write the authority's root to a file and return it."""
    path = folder / "tsa-root.pem"
    path.write_bytes(authority.root)
    return path


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    """An authority for the tests of one module, as wrong as the last of them has made it."""
    with serving() as running:
        yield running


@pytest.fixture
def sound(authority: Authority) -> Authority:
    """The same, which answers properly."""
    authority.fault = None
    return authority
