"""The installation key: made once, at the first start, and kept in one file.

It makes an *Installationssignatur*: it shows that a file left this installation unchanged.
It is neither a seal of the organisation nor a signature of a person, and its certificate
vouches for itself; the subject says so. Key and certificate stand in one file, which appears
under its name at once and complete, so that two processes starting together agree on one.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ingest import clock
from ingest.errors import Misconfigured, StoreUnavailable, UnsafeFolders
from workers.sealing.port import Kind

#: Key and certificate, PEM, readable by the service's user alone.
KEY_FILE: Final = "installation.pem"
#: The certificate alone, for whoever verifies.
CERTIFICATE_FILE: Final = "installation-certificate.pem"
COMMON_NAME: Final = "Scanstraße Installationssignatur (Demo)"
_LIFETIME: Final = dt.timedelta(days=3652)


@dataclass(frozen=True, kw_only=True)
class InstallationKey:
    """The loaded key; hold it no longer than the process that signs."""

    private_key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...] = ()
    kind: Kind = "installation"

    @property
    def certificate_sha256(self) -> str:
        """Digest of the certificate in DER, the fingerprint that people compare."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def sign(self, content: bytes) -> bytes:
        """Return the signature of `content`, see `SigningKey.sign`."""
        return self.private_key.sign(content, ec.ECDSA(hashes.SHA256()))


def ensure_installation_key(folder: Path) -> Path:
    """Return the key file in `folder`, making folder and key if this is the first start.

    Raises:
        UnsafeFolders: Folder or key could be read or replaced by others; nothing was made.
        StoreUnavailable: There is no space or the folder is read-only; nothing is left behind.
    """
    path = folder / KEY_FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_private(folder)
        if not path.exists():
            _publish(folder, _generate(), KEY_FILE, 0o600)
        require_private(path)
        if not (folder / CERTIFICATE_FILE).exists():
            certificate = load_key(path).certificate.public_bytes(serialization.Encoding.PEM)
            _publish(folder, certificate, CERTIFICATE_FILE, 0o644)
    except OSError as error:
        text = f"Schlüsselordner {folder}: {error.strerror}. Bitte Platz und Rechte prüfen."
        raise StoreUnavailable(f"{folder}: {error}", operator_text=text) from error
    return path


def load_key(path: Path) -> InstallationKey:
    """Read the installation key.

    Raises:
        Misconfigured: The file is absent or damaged; nothing can be signed.
    """
    try:
        content = path.read_bytes()
        private_key = serialization.load_pem_private_key(content, password=None)
        certificate = x509.load_pem_x509_certificate(content)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(path, str(error)) from error
    if not isinstance(private_key, ec.EllipticCurvePrivateKey):
        raise _unusable(path, "not an elliptic curve key")
    if private_key.public_key() != certificate.public_key():
        raise _unusable(path, "key and certificate do not belong together")
    return InstallationKey(private_key=private_key, certificate=certificate)


def require_private(path: Path) -> None:
    """Refuse a file or folder that others could read or replace.

    Raises:
        UnsafeFolders: It is shared, a link, or of another user; nothing was read.
        OSError: It is not there.
    """
    found = path.lstat()
    shared = stat.S_IMODE(found.st_mode) & 0o077
    if stat.S_ISLNK(found.st_mode) or shared or found.st_uid != os.geteuid():
        text = (
            f"{path} ist für andere zugänglich, ein Verweis oder gehört einem anderen Benutzer. "
            f"Bitte mit 'chown' und 'chmod go-rwx {path}' auf den Dienstbenutzer beschränken."
        )
        raise UnsafeFolders(f"{path} is not private", operator_text=text)


def _generate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    # No host name: the files travel to citizens and courts.
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, secrets.token_hex(8)),
        ]
    )
    start = clock.now() - dt.timedelta(minutes=5)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _publish(folder: Path, content: bytes, name: str, mode: int) -> None:
    """Make `content` appear under `name`, unless another process was first: then its counts."""
    temporary = folder / f".{name}.{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(temporary, folder / name)
    finally:
        temporary.unlink()
    listing = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(listing)
    finally:
        os.close(listing)


def _unusable(path: Path, reason: str) -> Misconfigured:
    text = (
        f"Installationsschlüssel {path} ist nicht benutzbar ({reason}). Bitte aus der Sicherung "
        "zurückholen; wird er gelöscht, entsteht beim nächsten Start ein neuer."
    )
    return Misconfigured(f"{path}: {reason}", operator_text=text)
