"""The house as a station reaches it: whom it trusts, and what it says when nobody answers."""

from __future__ import annotations

import datetime as dt
import hashlib
import http.server
import ipaddress
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError
from typing_extensions import override

from ingest import clock
from ingest.errors import Misconfigured
from ingest.upload_settings import UploadSettings
from scanners.stack import Refused, Unavailable
from scanners.station.house import HttpHouse, Patience
from scanners.upload import Station, UploadServer
from tests.plugins.servers import free_port
from tests.plugins.stations import House, opening, page, serving

TOKEN = "a-token-of-forty-three-letters-for-nobody-x"


@dataclass(frozen=True)
class Identity:
    """A certificate for 127.0.0.1 that nobody signed but itself, and its key."""

    certificate: Path
    key: Path
    fingerprint: str


def identity(folder: Path, name: str) -> Identity:
    key, now = ec.generate_private_key(ec.SECP256R1()), clock.now()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    certificate, secret = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(made.public_bytes(pem))
    secret.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    digest = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()
    return Identity(certificate, secret, digest)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return identity(tmp_path_factory.mktemp("ours"), "house")


@pytest.fixture(scope="module")
def secure(ours: Identity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """URL of a house behind TLS, and a token."""
    house = House(tmp_path_factory.mktemp("house"))
    with serving(
        house.known,
        house.seen_by,
        house.folder / "upload",
        certificate=ours.certificate,
        key=ours.key,
    ) as url:
        yield url, house.token()
    house.ledger.close()


def test_a_pinned_certificate_or_its_authority_is_trusted(
    secure: tuple[str, str], ours: Identity, tmp_path: Path
) -> None:
    url, token = secure
    said, first = opening(), page(tmp_path, 1)
    pinned = HttpHouse(url, token, fingerprint=ours.fingerprint)
    pinned.open(said)
    assert pinned.append(said.key, first) is True
    colons = ":".join(ours.fingerprint[at : at + 2] for at in range(0, 64, 2)).upper()
    assert HttpHouse(url, token, fingerprint=colons).append(said.key, first) is False
    assert HttpHouse(url, token, ca=ours.certificate).append(said.key, first) is False


def test_another_certificate_gets_neither_token_nor_page(
    secure: tuple[str, str], ours: Identity, tmp_path: Path
) -> None:
    url, token = secure
    others = identity(tmp_path, "another")
    for house in (
        HttpHouse(url, token),
        HttpHouse(url, token, ca=others.certificate),
        HttpHouse(url, token, fingerprint=others.fingerprint),
    ):
        with pytest.raises(Refused) as caught:
            house.profiles()
        assert caught.value.code == "certificate_refused"
        assert "Zertifikat" in caught.value.operator_text


@pytest.mark.parametrize("wrong", ["another's", "missing", "no key at all"])
def test_a_certificate_that_cannot_be_used_stops_the_start(
    ours: Identity, tmp_path: Path, wrong: str
) -> None:
    key = tmp_path / "wrong.key"
    if wrong == "another's":
        key = identity(tmp_path, "another").key
    elif wrong == "no key at all":
        key.write_text("-----BEGIN NOTHING-----")
    settings = UploadSettings(port=free_port(), certificate=ours.certificate, key=key)
    with pytest.raises(Misconfigured) as caught:
        UploadServer(_nobody, settings).start()
    assert "upload.key" in caught.value.operator_text


async def _nobody(scope: object, receive: object, send: object) -> None:
    """Serve nothing."""


@pytest.mark.parametrize(
    "url",
    [
        "http://scanserver.example:8617",
        "ftp://127.0.0.1",
        "127.0.0.1:8617",
        "https://",
        "https://name:word@scanserver.example",
        "https://scanserver.example:none",
        "http://127.0.0.1.example",
    ],
)
def test_a_token_is_not_sent_in_the_clear_nor_to_nowhere(url: str) -> None:
    with pytest.raises(Refused) as caught:
        HttpHouse(url, TOKEN)
    assert caught.value.code == "address_refused"
    assert "https://" in caught.value.operator_text


def test_nobody_there_is_no_reason_to_worry(tmp_path: Path) -> None:
    house = HttpHouse(f"http://127.0.0.1:{free_port()}", TOKEN)
    for asked in (house.profiles, lambda: house.append(opening().key, page(tmp_path, 1))):
        with pytest.raises(Unavailable) as caught:
            asked()
        assert "gesichert" in caught.value.operator_text
        assert TOKEN not in str(caught.value)


class Another(http.server.BaseHTTPRequestHandler):
    """A web server that is no house."""

    answers: tuple[int, bytes] = (200, b"")

    def do_GET(self) -> None:
        status, body = self.answers
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    "answers",
    [
        (200, b"<html>Willkommen</html>"),
        (200, b"[]"),
        (302, b""),
        (404, b"<html>"),
        (502, b"<html>Bad Gateway</html>"),
        (404, b'{"detail": "Not Found"}'),
        (503, b'{"code": 5}'),
    ],
)
def test_somebody_else_at_the_address_is_no_house(
    answers: tuple[int, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Another, "answers", answers)
    with http.server.HTTPServer(("127.0.0.1", 0), Another) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(Unavailable) as caught:
            HttpHouse(f"http://127.0.0.1:{server.server_port}", TOKEN).profiles()
        thread.join()
    assert "etwas anderes" in caught.value.operator_text


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Another) as server:  # accepts, reads nothing
        house = HttpHouse(
            f"http://127.0.0.1:{server.server_port}", TOKEN, patience=Patience(read=0.2)
        )
        with pytest.raises(Unavailable):
            house.profiles()


def test_no_proxy_is_taken_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    whole = House(tmp_path / "house")
    with serving(whole.known, whole.seen_by, tmp_path / "upload") as url:
        assert HttpHouse(url, whole.token()).profiles()
    whole.ledger.close()


def test_a_page_whose_file_is_gone_or_shorter_is_not_sent(tmp_path: Path) -> None:
    house = HttpHouse(f"http://127.0.0.1:{free_port()}", TOKEN)
    gone, shorter = page(tmp_path, 1), page(tmp_path, 2)
    gone.page.path.unlink()
    with pytest.raises(FileNotFoundError):
        house.append(opening().key, gone)
    shorter.page.path.write_bytes(b"II")
    with pytest.raises(Refused) as caught:
        house.append(opening().key, shorter)
    assert caught.value.code == "page_disagrees"
    assert "Seite 2" in caught.value.operator_text


def test_a_fault_of_a_later_version_keeps_its_text(tmp_path: Path) -> None:
    known = Station(code="platz-3", tenant="default")

    class Later:
        """A house that refuses for a reason that nobody knew before."""

        def state(self, key: str) -> None:
            text = "Der Drucker brennt. Bitte löschen."
            raise Refused(key, operator_text=text, code="printer_on_fire")

    with (
        serving(lambda _: known, lambda _: Later(), tmp_path) as url,  # type: ignore[arg-type,return-value] # asked for this only
        pytest.raises(Refused) as caught,
    ):
        HttpHouse(url, TOKEN).state(opening().key)
    assert (caught.value.code, "brennt" in caught.value.operator_text) == ("printer_on_fire", True)


@pytest.mark.parametrize(
    "said",
    [
        {"host": "192.0.2.7"},
        {"host": "scanserver.example"},
        {"certificate": Path("/etc/house.pem")},
        {"key": Path("/etc/house.key")},
        {"port": 0},
        {"uploads": 0},
        {"prot": 8617},
    ],
)
def test_settings_that_would_be_unsafe_or_unknown_are_refused(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        UploadSettings.model_validate(said)


def test_a_proxy_in_front_may_end_tls() -> None:
    behind = UploadSettings(host="192.0.2.7", tls_elsewhere=True)
    assert behind.certificate is None
    assert UploadSettings(host="::1").host == "::1"
