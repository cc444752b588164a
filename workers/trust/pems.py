"""Certificates that the configuration names, read from PEM files."""

from __future__ import annotations

from pathlib import Path

from asn1crypto import pem, x509

from ingest.errors import Misconfigured


def from_pem(path: Path | None, key: str) -> list[x509.Certificate]:
    """Read the certificates of a file; none configured gives an empty list.

    Args:
        path: PEM; None where the key is not set.
        key: Of the configuration, as the refusal names it.

    Raises:
        Misconfigured: The file is unreadable or has no certificate.
    """
    if path is None:
        return []
    try:
        found = [
            x509.Certificate.load(der)
            for kind, _, der in pem.unarmor(path.read_bytes(), multiple=True)
            if kind == "CERTIFICATE"
        ]
    except (OSError, ValueError) as error:
        text = f"{key}: {path} ist keine lesbare PEM-Datei ({error})."
        raise Misconfigured(f"{key} {path}: {error}", operator_text=text) from error
    if not found:
        text = f"{key}: {path} enthält kein Zertifikat."
        raise Misconfigured(f"{key} {path}: no certificate", operator_text=text)
    return found
