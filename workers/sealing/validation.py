"""What pyHanko says about a sealed file: trust, timestamp, and changes after the seal.

Whether the bytes hold is shown by `proof`; this looks at the certificate's way to a trusted
root and at what later updates of the file would do to the sealed content.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from asn1crypto import cms, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature, async_validate_pdf_timestamp
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import ValidationInfoReadingError
from pyhanko.sign.validation.generic_cms import async_validate_detached_cms
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from profiles.sealing import Level

_MARK: Final = b"%%EOF"
_SEARCHED: Final = 1024 * 1024
#: Kinds of updates that add revocation data and timestamps and nothing else.
_HARMLESS: Final = frozenset({"NONE", "LTA_UPDATES"})
_Said = TypeVar("_Said")
_Roots = tuple[list[x509.Certificate], list[x509.Certificate]]


@dataclass(frozen=True, kw_only=True)
class Timestamp:
    """The embedded timestamp; `trusted` is None where no roots were given."""

    at: dt.datetime
    intact: bool
    trusted: bool | None


@dataclass(frozen=True, kw_only=True)
class Validation:
    """The second opinion about one seal.

    Attributes:
        sound: Digest and signature fit.
        trusted: The certificate chains to a given root; None where none was given.
        changed: What was appended after the seal; empty where nothing was but revocation data
            and timestamps.
        loose: Bytes after the last update, which nothing speaks about.
        unsealed: Bytes of the file before the update that holds the seal.
        proven: The PAdES level that holds with the roots given and without network; None where
            not even the signature does, or its root was not given.
    """

    sound: bool
    trusted: bool | None
    changed: str
    timestamp: Timestamp | None
    loose: int
    unsealed: int
    proven: Level | None


@dataclass(frozen=True, kw_only=True)
class Beside:
    """The opinion on a detached seal.

    Attributes:
        sound: The signature fits the content.
        trusted: The certificate chains to a root that was given; None if none was.
        timestamp: None without one.
    """

    sound: bool
    trusted: bool | None
    timestamp: Timestamp | None


class NotValidated(Exception):
    """The file defeats the validator; nothing is known about its seal."""


def validate(
    path: Path, field: str, roots: list[x509.Certificate], tsa_roots: list[x509.Certificate]
) -> Validation:
    """Validate the signature in `field` without network.

    Raises:
        NotValidated: The message says where it failed.
    """
    return _quietly(_validate_file(path, field, (roots, tsa_roots)))


def validate_beside(
    content: bytes,
    seal: bytes,
    roots: list[x509.Certificate],
    tsa_roots: list[x509.Certificate],
) -> Beside:
    """Validate a detached seal of `content` without network.

    Raises:
        NotValidated: The message says where it failed.
    """
    return _quietly(_validate_beside(content, seal, roots, tsa_roots))


def _quietly(work: Coroutine[Any, Any, _Said]) -> _Said:
    # On hostile files pyHanko logs tracebacks; what matters comes back as a result.
    loggers = [logging.getLogger(name) for name in ("pyhanko", "pyhanko_certvalidator")]
    levels = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        return asyncio.run(work)
    # Parser and ASN.1 library raise anything from KeyError to AttributeError here.
    except Exception as error:
        raise NotValidated(f"{type(error).__name__}: {error}") from error
    finally:
        for logger, level in levels:
            logger.setLevel(level)


async def _validate_file(path: Path, field: str, roots: _Roots) -> Validation:
    with path.open("rb") as stream:
        return await _validate(stream, field, *roots)


async def _validate_beside(
    content: bytes,
    seal: bytes,
    roots: list[x509.Certificate],
    tsa_roots: list[x509.Certificate],
) -> Beside:
    status = await async_validate_detached_cms(
        content,
        cms.ContentInfo.load(seal, strict=True)["content"],
        signer_validation_context=ValidationContext(trust_roots=roots, allow_fetching=False),
        ts_validation_context=ValidationContext(trust_roots=tsa_roots, allow_fetching=False),
    )
    return Beside(
        sound=bool(status.intact and status.valid),
        trusted=bool(status.trusted) if roots else None,
        timestamp=_timestamp(status.timestamp_validity, tsa_roots),
    )


def _timestamp(stamped: Any, tsa_roots: list[x509.Certificate]) -> Timestamp | None:
    if stamped is None:
        return None
    return Timestamp(
        at=stamped.timestamp,
        intact=bool(stamped.valid and stamped.intact),
        trusted=bool(stamped.trusted) if tsa_roots else None,
    )


async def _validate(
    stream: Any, field: str, roots: list[x509.Certificate], tsa_roots: list[x509.Certificate]
) -> Validation:
    reader = PdfFileReader(stream, strict=False)
    (signature,) = [one for one in reader.embedded_signatures if one.field_name == field]
    status = await async_validate_pdf_signature(
        signature,
        signer_validation_context=ValidationContext(trust_roots=roots, allow_fetching=False),
        ts_validation_context=ValidationContext(trust_roots=tsa_roots, allow_fetching=False),
    )
    timestamp = _timestamp(status.timestamp_validity, tsa_roots)
    whole = signature.signed_revision == reader.xrefs.total_revisions - 1
    level = getattr(status.modification_level, "name", "OTHER")
    end = _end_of_revision(reader, stream, reader.xrefs.total_revisions - 1)
    return Validation(
        sound=bool(status.intact and status.valid),
        trusted=bool(status.trusted) if roots else None,
        changed="" if whole or level in _HARMLESS else level,
        timestamp=timestamp,
        loose=stream.seek(0, os.SEEK_END) - end,
        unsealed=_end_of_revision(reader, stream, signature.signed_revision - 1),
        proven=await _proven(reader, signature, status, (roots, tsa_roots)),
    )


async def _proven(reader: Any, signature: Any, status: Any, roots: _Roots) -> Level | None:
    """Climb from level to level as long as each holds."""
    if not (status.intact and status.valid and status.trusted):
        return None
    stamped = status.timestamp_validity
    if stamped is None or not (stamped.valid and stamped.intact and stamped.trusted):
        return "B-B"
    if not await _holds_for_long(reader, signature, stamped.timestamp, roots):
        return "B-T"
    stamps = reader.embedded_timestamp_signatures
    if not stamps:
        return "B-LT"
    context = ValidationContext(trust_roots=roots[1], allow_fetching=False)
    last = await async_validate_pdf_timestamp(stamps[-1], context, skip_diff=True)
    whole = last.coverage is SignatureCoverageLevel.ENTIRE_FILE
    return "B-LTA" if last.valid and last.intact and last.trusted and whole else "B-LT"


async def _holds_for_long(reader: Any, signature: Any, moment: dt.datetime, roots: _Roots) -> bool:
    """Tell whether the file's own revocation data shows that nothing was revoked at `moment`."""
    try:
        store = DocumentSecurityStore.read_dss(reader)
    except ValidationInfoReadingError:
        return False
    signers, stampers = (
        store.as_validation_context(
            {
                "trust_roots": trusted,
                "moment": moment,
                "retroactive_revinfo": True,
                "revocation_mode": "require",
                "allow_fetching": False,
            }
        )
        for trusted in roots
    )
    status = await async_validate_pdf_signature(signature, signers, stampers, skip_diff=True)
    stamped = status.timestamp_validity
    return bool(status.trusted and stamped is not None and stamped.trusted)


def _end_of_revision(reader: PdfFileReader, stream: Any, revision: int) -> int:
    """Return where a revision ends, with the line end after its last mark."""
    start: int = reader.xrefs.get_startxref_for_revision(revision)
    stream.seek(start)
    tail: bytes = stream.read(_SEARCHED)
    end: int = tail.index(_MARK) + len(_MARK)
    line_end = tail[end : end + 2]
    if line_end == b"\r\n":
        return start + end + 2
    return start + end + (1 if line_end[:1] in (b"\n", b"\r") else 0)
