"""Certificates and revocation answers of everything signed in a bundle, as files of their own.

They lie in the PDF and in the timestamps anyway; apart they can be looked at with `openssl`.
`wurzeln.pem` holds what stands at the top. That a certificate lies in a bundle makes nobody
trust it: the reader is told to compare it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pikepdf
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from workers.evidence.record import NotARecord, read_sequence

if TYPE_CHECKING:
    from workers.evidence.bundle.pieces import Pieces

FOLDER: Final = "zertifikate"
_ANSWERS: Final = {"/OCSPs": "ocsp", "/CRLs": "crl"}
_SHORT: Final = 16


def collect(
    pieces: Pieces, pdf: Path | None, records: Iterable[bytes], roots: Iterable[Path]
) -> None:
    """Add all certificates and revocation answers, each once, named by its digest.

    Args:
        pieces: Where they go.
        pdf: The sealed file, if there is one.
        records: The evidence records.
        roots: PEM files with the roots that the house trusts.
    """
    found: dict[str, x509.Certificate] = {}
    if pdf is not None:
        with pikepdf.open(pdf) as opened:
            _keep(found, _of_pdf(opened))
            _keep(found, _stored(opened))
            for kind, encoded in _answers(opened):
                name = hashlib.sha256(encoded).hexdigest()[:_SHORT]
                pieces.add(f"{FOLDER}/{kind}/{name}.der", encoded)
    for record in records:
        _keep(found, _of_record(record))
    for path in roots:
        for one in x509.load_pem_x509_certificates(path.read_bytes()):
            found[_fingerprint(one.public_bytes(Encoding.DER))] = one
    tops = b""
    for name, one in sorted(found.items()):
        pem = one.public_bytes(Encoding.PEM)
        pieces.add(f"{FOLDER}/{name[:_SHORT]}.pem", pem)
        tops += pem if one.issuer == one.subject else b""
    if tops:
        pieces.add(f"{FOLDER}/wurzeln.pem", tops)


def _keep(found: dict[str, x509.Certificate], encoded: Iterable[bytes]) -> None:
    for one in encoded:
        with suppress(ValueError):  # others' certificates need not be well made
            found[_fingerprint(one)] = x509.load_der_x509_certificate(one)


def _fingerprint(encoded: bytes) -> str:
    return hashlib.sha256(encoded).hexdigest()


def _of_pdf(pdf: pikepdf.Pdf) -> Iterator[bytes]:
    if "/AcroForm" not in pdf.Root:
        return
    for field in pdf.Root.AcroForm.get("/Fields", pikepdf.Array()).as_list():
        if "/V" not in field or "/ByteRange" not in field.V:
            continue
        with suppress(ValueError, TypeError, KeyError):  # one that others left behind, not ours
            yield from list(_of_container(bytes(field.V.Contents)))


def _of_container(encoded: bytes) -> Iterator[bytes]:
    signed: Any = cms.ContentInfo.load(encoded)["content"]
    for choice in signed["certificates"]:
        yield choice.chosen.dump()
    for signer in signed["signer_infos"]:
        for attribute in signer["unsigned_attrs"] or ():
            if attribute["type"].native == "signature_time_stamp_token":
                for token in attribute["values"]:
                    yield from _of_container(token.dump())


def _stored(pdf: pikepdf.Pdf) -> Iterator[bytes]:
    if "/DSS" in pdf.Root:
        for stream in pdf.Root.DSS.get("/Certs", pikepdf.Array()).as_list():
            yield stream.read_bytes()


def _answers(pdf: pikepdf.Pdf) -> Iterator[tuple[str, bytes]]:
    if "/DSS" in pdf.Root:
        for key, kind in _ANSWERS.items():
            for stream in pdf.Root.DSS.get(key, pikepdf.Array()).as_list():
                yield kind, stream.read_bytes()


def _of_record(record: bytes) -> Iterator[bytes]:
    try:
        chains, _ = read_sequence(record)
    except NotARecord:
        return
    for stamp in (one for chain in chains for one in chain):
        yield from _of_container(stamp.token)
