"""What turns a B-T seal into B-LT and B-LTA: revocation data, and a timestamp over all of it.

One incremental update more (ETSI EN 319 142-1): the document security store and, for B-LTA, a
document timestamp that covers the store together with everything before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import asn1crypto.crl
import asn1crypto.ocsp
from asn1crypto import x509
from pyhanko.sign.signers.pdf_signer import PdfTimeStamper
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore

from ingest.errors import ScanstrasseError
from workers.sealing.revocation import Evidence
from workers.sealing.signing import NotSignable, QuietWriter

ARCHIVE_PREFIX: Final = "Archivzeitstempel-"
#: Hexadecimal digits kept free for the token, as for that of a seal.
_RESERVED: Final = 32 * 1024


def add_evidence(
    path: Path, evidence: Sequence[Evidence], field: str, stamper: TimeStamper | None
) -> None:
    """Append `evidence` to the sealed file and, with `stamper`, a timestamp in `field`.

    The file is changed in place: after any error it must not be used.

    Raises:
        NotSignable: The structure of the file does not allow it.
        AuthorityUnavailable: The timestamp did not come.
    """
    with path.open("r+b") as stream:
        try:
            _append(QuietWriter(stream, strict=False), evidence, field, stamper)
        except (ScanstrasseError, OSError):
            raise
        # As with the signature: the structure of foreign files defeats pyHanko anywhere.
        except Exception as error:
            raise NotSignable(f"{type(error).__name__}: {error}") from error


def _append(
    writer: QuietWriter, evidence: Sequence[Evidence], field: str, stamper: TimeStamper | None
) -> None:
    ocsps, crls = _once(e.ocsps for e in evidence), _once(e.crls for e in evidence)
    DocumentSecurityStore.supply_dss_in_writer(
        writer,
        None,  # no VRI: ETSI EN 319 142-1, 5.4.2.3 recommends against it
        certs=[x509.Certificate.load(der) for der in _once(e.chain for e in evidence)],
        ocsps=[asn1crypto.ocsp.OCSPResponse.load(der) for der in ocsps],
        crls=[asn1crypto.crl.CertificateList.load(der) for der in crls],
    )
    if stamper is None:
        writer.write_in_place()  # type: ignore[no-untyped-call] # annotated in part
    else:
        PdfTimeStamper(stamper, field_name=field).timestamp_pdf(
            writer, "sha256", bytes_reserved=_RESERVED, in_place=True
        )


def _once(groups: Iterable[Sequence[bytes]]) -> list[bytes]:
    return list(dict.fromkeys(der for group in groups for der in group))
