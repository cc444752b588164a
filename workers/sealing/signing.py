"""The seal itself: one PAdES signature in one incremental update, nothing else changed.

pyHanko would also rewrite XMP and information dictionary and raise the PDF version, which
breaks PDF/A; the writer below leaves both alone. It is internal interface of pyHanko, so a
test compares the bytes of the XMP packet before and after.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cryptography.x509
from asn1crypto import x509
from cryptography.hazmat.primitives import serialization
from pyhanko.pdf_utils.extensions import DeveloperExtension
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner
from pyhanko.sign.signers.pdf_cms import Signer as PyHankoSigner
from pyhanko.sign.timestamps import TimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore
from typing_extensions import override

from ingest.errors import ScanstrasseError
from workers.sealing.port import REASONS, SigningKey

if TYPE_CHECKING:
    from workers.sealing.appearance import Appearance

_ALGORITHM: Final = "sha256"
#: Hexadecimal digits kept free for the signature; without them pyHanko signs twice to find out.
_RESERVED: Final = 8 * 1024
_RESERVED_WITH_TIMESTAMP: Final = 32 * 1024


@dataclass(frozen=True, kw_only=True)
class Presentation:
    """How a seal presents itself.

    Attributes:
        reason: Shown by viewers beside the signature, and sealed with the file.
        look: What is drawn on a page; None leaves it invisible.
    """

    reason: str
    look: Appearance | None = None


class NotSignable(Exception):
    """The file has a structure that cannot take a signature; no output exists."""


class QuietWriter(IncrementalPdfFileWriter):
    """Adds the signature and leaves metadata and version as they are."""

    @override
    def _update_meta(self) -> None:
        """Keep XMP and information dictionary byte for byte."""

    @override
    def ensure_output_version(self, version: tuple[int, int]) -> None:
        """Keep the version: PDF/A-3 is PDF 1.7, and the elliptic curve would make it 2.0."""

    @override
    def register_extension(self, ext: DeveloperExtension) -> None:
        """Declare only extensions of PDF 1.7."""
        if not str(ext.base_version).endswith("2.0"):
            super().register_extension(ext)


class _Signer(PyHankoSigner):
    """Signs with a key that is loaded once: loading costs more than signing."""

    def __init__(self, key: SigningKey) -> None:
        registry = SimpleCertificateStore()  # type: ignore[no-untyped-call] # annotated in part
        for issuer in key.issuers:
            registry.register(as_asn1(issuer))
        super().__init__(signing_cert=as_asn1(key.certificate), cert_registry=registry)
        self._key = key

    @override
    async def async_sign_raw(
        self, data: bytes, digest_algorithm: str, dry_run: bool = False
    ) -> bytes:
        if digest_algorithm != _ALGORITHM:
            message = f"unexpected digest algorithm {digest_algorithm}"
            raise ValueError(message)
        return self._key.sign(data)


def cms_signer(key: SigningKey) -> PyHankoSigner:
    """Return what pyHanko signs with."""
    return _Signer(key)


def as_asn1(certificate: cryptography.x509.Certificate) -> x509.Certificate:
    """Return the certificate as pyHanko wants it."""
    return x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def sign(
    source: Path,
    target: Path,
    key: SigningKey,
    field: str,
    stamper: TimeStamper | None,
    presentation: Presentation | None = None,
) -> None:
    """Write `source` with a signature in `field` to `target`, by default an invisible one.

    Raises:
        NotSignable: The structure of the file does not allow it.
        AuthorityUnavailable: The timestamp did not come or the key is away; there is no lower
            level instead.
    """
    metadata = PdfSignatureMetadata(
        field_name=field,
        md_algorithm=_ALGORITHM,
        subfilter=SigSeedSubFilter.PADES,
        reason=REASONS[key.kind] if presentation is None else presentation.reason,
    )
    look = None if presentation is None else presentation.look
    signer = PdfSigner(
        metadata,
        signer=_Signer(key),
        timestamper=stamper,
        stamp_style=None if look is None else look.style,
        new_field_spec=None if look is None else look.field(field),
    )
    reserved = _RESERVED if stamper is None else _RESERVED_WITH_TIMESTAMP
    for one in (key.certificate, *key.issuers):
        reserved += 2 * len(one.public_bytes(serialization.Encoding.DER))
    with source.open("rb") as unsigned, target.open("w+b") as signed:
        _sign(signer, _writer(unsigned), signed, reserved)


def _writer(stream: Any) -> QuietWriter:
    try:
        return QuietWriter(stream, strict=False)
    # On a damaged file pyHanko raises anything from KeyError to RecursionError.
    except Exception as error:
        raise NotSignable(f"{type(error).__name__}: {error}") from error


def _sign(signer: PdfSigner, writer: QuietWriter, output: Any, reserved: int) -> None:
    try:
        signer.sign_pdf(writer, output=output, bytes_reserved=reserved)
    except (ScanstrasseError, OSError):
        raise
    # As above: forms, permissions and cross references of foreign files defeat it anywhere.
    except Exception as error:
        raise NotSignable(f"{type(error).__name__}: {error}") from error
