"""A certification authority and a token of SoftHSM with an organisation's key in it."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from pkcs11.util.ec import decode_ec_private_key
from pkcs11.util.rsa import decode_rsa_private_key
from pkcs11.util.x509 import decode_x509_certificate

MODULES: Final = tuple(
    Path(folder) / "libsofthsm2.so"
    for folder in (
        "/usr/lib/softhsm",
        "/usr/lib/x86_64-linux-gnu/softhsm",
        "/usr/lib/aarch64-linux-gnu/softhsm",
        "/usr/lib64/pkcs11",
    )
)
PIN: Final = "richtig-4711"
_DAY: Final = dt.timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def softhsm() -> Path:
    """Return the library of SoftHSM; without it the test is skipped, in CI it fails."""
    found = next((path for path in MODULES if path.exists()), None)
    if found is None:
        assert "CI" not in os.environ, "softhsm2 is missing"
        pytest.skip("softhsm2 is not installed")
    return found


def certificate(
    name: str,
    public_key: Any,
    issuer: x509.Name | None,
    issuer_key: Any,
    lasts: dt.timedelta = _DAY * 400,
) -> x509.Certificate:
    """Issue a certificate; without `issuer` it is a root."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Stadt Musterhausen"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    start = dt.datetime.now(dt.UTC) - 2 * _DAY
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + lasts)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), True)
    )
    if issuer is not None:
        usage = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
        builder = builder.add_extension(usage, True)
    return builder.sign(issuer_key, hashes.SHA256())


@dataclass(frozen=True, kw_only=True)
class Card:
    """A token with one key and its certificate, and what the settings must say about it."""

    folder: Path
    settings: dict[str, Any]
    certificate: x509.Certificate
    root: x509.Certificate

    @property
    def pin_file(self) -> Path:
        return Path(self.settings["pin_file"])

    @property
    def objects(self) -> Path:
        """The folder in which SoftHSM keeps the token: without it the token is away."""
        return self.folder / "tokens"

    def open(self, pin: str = PIN) -> Any:
        """Open the token as its owner does, in a library of its own state."""
        return _library(self.settings).get_token(token_label="siegel").open(rw=True, user_pin=pin)


def make_card(
    folder: Path,
    key: Key,
    *,
    lasts: dt.timedelta = _DAY * 400,
    foreign: bool = False,
    issued: tuple[x509.Certificate, tuple[x509.Certificate, ...]] | None = None,
) -> Card:
    """Make a token in `folder`; `foreign` gives it the certificate of another key.

    `issued` is the certificate with its issuers, the root last; without it a root is made.
    """
    module = softhsm()
    (folder / "tokens").mkdir(parents=True)
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\n", "utf-8")
    environment = {"SOFTHSM2_CONF": str(configuration)}
    pins = ["--pin", PIN, "--so-pin", "aufsicht-1"]
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "siegel", *pins],
        check=True,
        capture_output=True,
        env={**os.environ, **environment},
    )
    if issued is None:
        root_key = ec.generate_private_key(ec.SECP256R1())
        root = certificate("Wurzel", root_key.public_key(), None, root_key)
        owner = ec.generate_private_key(ec.SECP256R1()) if foreign else key
        made = certificate("Siegel", owner.public_key(), root.subject, root_key, lasts)
        issued = made, (root,)
    own, issuers = issued
    (folder / "issuers.pem").write_bytes(
        b"".join(one.public_bytes(serialization.Encoding.PEM) for one in issuers)
    )
    pin_file = folder / "pin"
    pin_file.write_text(PIN + "\n", "utf-8")
    pin_file.chmod(0o600)
    settings = {
        "module": str(module),
        "label": "siegel",
        "key_label": "schluessel",
        "certificate_label": "zertifikat",
        "pin_file": str(pin_file),
        "issuers": str(folder / "issuers.pem"),
        "environment": environment,
    }
    card = Card(folder=folder, settings=settings, certificate=own, root=issuers[-1])
    _fill(card, key)
    return card


def _library(settings: dict[str, Any]) -> Any:
    os.environ.update(settings["environment"])
    library = pkcs11.lib(settings["module"])
    library.reinitialize()
    return library


def _fill(card: Card, key: Key) -> None:
    plain = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    elliptic = isinstance(key, ec.EllipticCurvePrivateKey)
    decoded = decode_ec_private_key(plain) if elliptic else decode_rsa_private_key(plain)
    named = decode_x509_certificate(card.certificate.public_bytes(serialization.Encoding.DER))
    with card.open() as session:
        kept = {pkcs11.Attribute.TOKEN: True}
        label = pkcs11.Attribute.LABEL
        session.create_object({**decoded, **kept, label: "schluessel"})
        session.create_object({**named, **kept, label: "zertifikat"})
