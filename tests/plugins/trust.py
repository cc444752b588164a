"""A public key infrastructure with authority, OCSP and lists, served over real HTTP.

Certomancer issues and answers. `Trust.fault` makes its services misbehave.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from certomancer.integrations.animator import Animator, AnimatorArchStore
from certomancer.registry import ArchLabel, CertLabel, CertomancerConfig
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typing_extensions import override
from werkzeug.serving import WSGIRequestHandler, make_server

KEYS: Final = (
    "root", "interm", "seal", "revoked", "expired", "ocsp", "tsa", "tsa-root",
    "citizen", "qseal", "qseal-soft",
)  # fmt: skip
#: QcStatements (ETSI EN 319 412-5), DER: QcCompliance and QcType, mostly with QcSSCD between.
_COMPLIANCE: Final = "3008060604008e460101"
_DEVICE: Final = "3008060604008e460104"
_TYPE: Final = "3013060604008e4601063009060704008e460106"
_STATEMENTS: Final = {
    "citizen": f"3029{_COMPLIANCE}{_DEVICE}{_TYPE}01",
    "qseal": f"3029{_COMPLIANCE}{_DEVICE}{_TYPE}02",
    "qseal-soft": f"301f{_COMPLIANCE}{_TYPE}02",
}
#: What `Trust.fault` may be: which service answers how.
FAULTS: Final = (
    "ocsp unavailable",
    "ocsp web_page",
    "ocsp nothing",
    "ocsp try_later",
    "crls unavailable",
    "crls web_page",
)
#: The authority's clock is ahead: less than is refused, more than the responders' answers last.
AHEAD: Final = "tsa ahead"
_AHEAD_BY: Final = dt.timedelta(minutes=8)
_TIME_HEADER: Final = "HTTP_X_CERTOMANCER_FAKE_TIME"
_TRY_LATER: Final = bytes.fromhex("30030a0103")
_PAST: Final = {
    "valid-from": "2024-01-01T00:00:00+0000",
    "valid-to": "2025-01-01T00:00:00+0000",
}
_Respond = Callable[..., Any]


def _certificate(name: str, issuer: str, **more: Any) -> dict[str, Any]:
    return {
        "subject": name,
        "issuer": issuer,
        "subject-key": name,
        "authority-key": issuer,
        "validity": {
            "valid-from": "2024-01-01T00:00:00+0000",
            "valid-to": "2060-01-01T00:00:00+0000",
        },
        **more,
    }


def _extension(name: str, value: Any, *, critical: bool = False, smart: bool = False) -> Any:
    return {"id": name, "critical": critical, "smart-value" if smart else "value": value}


def _usage(*names: str) -> Any:
    value = {"schema": "key-usage", "params": list(names)}
    return _extension("key_usage", value, critical=True, smart=True)


def _lists(repository: str) -> Any:
    value = {"schema": "crl-dist-url", "params": {"crl-repo-names": [repository]}}
    return _extension("crl_distribution_points", value, smart=True)


def _responders(name: str) -> Any:
    value = {"schema": "aia-urls", "params": {"ocsp-responder-names": [name]}}
    return _extension("authority_information_access", value, smart=True)


def _qualified(name: str) -> Any:
    value = {"schema": "der-bytes", "params": _STATEMENTS[name]}
    return _extension("1.3.6.1.5.5.7.1.3", value, smart=True)


def _authority(critical: bool = True) -> list[Any]:
    return [
        _extension("basic_constraints", {"ca": True}, critical=critical),
        _usage("digital_signature", "key_cert_sign", "crl_sign"),
    ]


def _configuration(prefix: str) -> dict[str, Any]:
    keys = {name: {"path": f"{name}.pem"} for name in KEYS}
    signing = [_usage("digital_signature", "non_repudiation"), _responders("interm")]
    stamping = [
        _usage("digital_signature"),
        _extension("extended_key_usage", ["time_stamping"], critical=True),
        _lists("tsa-root"),
    ]
    answering = [
        _usage("digital_signature"),
        _extension("extended_key_usage", ["ocsp_signing"]),
        _extension("ocsp_no_check", None),
    ]
    certificates = {
        "root": _certificate("root", "root", extensions=_authority()),
        "tsa-root": _certificate("tsa-root", "tsa-root", extensions=_authority()),
        "interm": _certificate("interm", "root", extensions=[*_authority(), _lists("root")]),
        "seal": _certificate("seal", "interm", extensions=signing),
        "revoked": _certificate(
            "revoked",
            "interm",
            extensions=signing,
            revocation={"revoked-since": "2025-01-01T00:00:00+0000", "reason": "key_compromise"},
        ),
        **{
            name: _certificate(name, "interm", extensions=[*signing, _qualified(name)])
            for name in _STATEMENTS
        },
        "expired": _certificate("expired", "interm", extensions=signing, validity=_PAST),
        "ocsp": _certificate("ocsp", "interm", extensions=answering),
        "tsa": _certificate("tsa", "tsa-root", extensions=stamping),
    }
    services = {
        "ocsp": {
            "interm": {
                "for-issuer": "interm",
                "responder-cert": "ocsp",
                "validity-period": {"minutes": 5},
            }
        },
        "crl-repo": {
            name: {"for-issuer": name, "signing-key": name, "simulated-update-schedule": "P30D"}
            for name in ("root", "tsa-root")
        },
        "time-stamping": {"tsa": {"signing-cert": "tsa"}},
    }
    return {
        "external-url-prefix": prefix,
        "keysets": {"lab": {"keys": keys}},
        "pki-architectures": {
            "lab": {
                "keyset": "lab",
                "entity-defaults": {
                    "organization-name": "Stadt Musterhausen",
                    "country-name": "DE",
                },
                "entities": {name: {"common-name": name.capitalize()} for name in KEYS},
                "certs": certificates,
                "services": services,
            }
        },
    }


class Trust:
    """The infrastructure; its services answer properly while `fault` is None."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fault: str | None = None
        self.requests: list[str] = []
        self.url = ""
        self.keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in KEYS}
        for name, key in self.keys.items():
            pem = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            (folder / f"{name}.pem").write_bytes(pem)
        self._animator: Any = None
        self._architecture: Any = None

    def open(self, url: str) -> None:
        """Issue everything; the services are at `url`."""
        self.url = url
        configured = CertomancerConfig(
            _configuration(url), key_search_dir=str(self.folder), lazy_load_keys=False
        )
        self._architecture = configured.get_pki_arch(ArchLabel("lab"))
        store = AnimatorArchStore({ArchLabel("lab"): self._architecture})
        self._animator = Animator(store, with_web_ui=False)

    def certificate(self, name: str) -> x509.Certificate:
        return x509.load_der_x509_certificate(self._architecture.get_cert(CertLabel(name)).dump())

    def issued(self, name: str) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
        """Return a certificate of the organisation and those above it, the root last."""
        return self.certificate(name), (self.certificate("interm"), self.certificate("root"))

    @property
    def tsa(self) -> str:
        return f"{self.url}/lab/tsa/tsa"

    def pem(self, *names: str) -> Path:
        """Write certificates to a file."""
        path = self.folder / f"{'-'.join(names)}-certificates.pem"
        path.write_bytes(
            b"".join(
                self.certificate(name).public_bytes(serialization.Encoding.PEM) for name in names
            )
        )
        return path

    def __call__(self, environ: dict[str, Any], respond: _Respond) -> Iterable[bytes]:
        """Answer as WSGI application."""
        path = environ["PATH_INFO"]
        self.requests.append(path)
        service, _, how = (self.fault or "").partition(" ")
        if self.fault == AHEAD and "/tsa/" in path:
            moment = dt.datetime.now(dt.UTC) + _AHEAD_BY
            environ[_TIME_HEADER] = moment.isoformat()
        elif service and f"/{service}/" in path:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            status, content = {
                "unavailable": ("503 Service Unavailable", b""),
                "web_page": ("200 OK", b"<html>Wartungsarbeiten</html>"),
                "nothing": ("200 OK", b""),
                "try_later": ("200 OK", _TRY_LATER),
            }[how]
            respond(status, [("Content-Length", str(len(content)))])
            return [content]
        answer: Iterable[bytes] = self._animator(environ, respond)
        return answer


class _Quiet(WSGIRequestHandler):
    @override
    def log(self, type: str, message: str, *args: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def trusting(folder: Path) -> Iterator[Trust]:
    """Serve an infrastructure until the block ends."""
    trust = Trust(folder)
    server = make_server("127.0.0.1", 0, trust, threaded=True, request_handler=_Quiet)
    trust.open(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield trust
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
