"""What stands above the organisation's certificate: named by the operator, proven here."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from ingest.errors import Misconfigured
from workers.sealing.proof import SealBroken, verify_chain


def issuers_of(
    certificate: x509.Certificate, path: Path | None, key: str
) -> tuple[x509.Certificate, ...]:
    """Return the certificates above `certificate` up to the root; none configured gives none.

    Args:
        certificate: Of the organisation's key.
        path: PEM file with them.
        key: The setting that names it, for messages.

    Raises:
        Misconfigured: The file is unreadable, has no certificate, one that does not belong there,
            or no way to a root.
    """
    if path is None:
        return ()
    try:
        issuers = tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as error:
        text = f"{key}: {path} ist keine lesbare PEM-Datei ({error})."
        raise Misconfigured(f"issuers {path}: {error}", operator_text=text) from error
    try:
        verify_chain(certificate, issuers)
    except (SealBroken, InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError) as error:
        reason = str(error) or type(error).__name__
        text = (
            f"{key}: {path} führt nicht vom Siegelzertifikat "
            f"({certificate.subject.rfc4514_string()}) bis zur Wurzel ({reason}). Bitte genau die "
            "Zertifikate darüber eintragen, die Wurzel eingeschlossen."
        )
        message = f"{key}: no way from the seal's certificate to a root ({reason})"
        raise Misconfigured(message, operator_text=text) from error
    return issuers
