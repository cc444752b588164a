"""Signed ranges of a PDF, found in its bytes without believing its structure.

Where a reader gives up on a damaged file, or a signature stands in no form field, digest and
mathematics can still be looked at: a range that does not fit is broken for certain. One that
does is no proof: what the file shows may be something else, so a person must look.
"""

from __future__ import annotations

import hashlib
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from asn1crypto import cms
from pyhanko.sign.general import extract_certificate_info, extract_signer_info
from pyhanko.sign.validation.generic_cms import validate_sig_integrity

from workers.inspection.signatures.engine import signer_of
from workers.inspection.signatures.verdicts import Verdict, broken_off, malformed

_RANGE: Final = re.compile(rb"/ByteRange\s*\[\s*(-?\d+)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)\s*\]")
_MOST: Final = 100
_LARGEST_CONTAINER: Final = 8 * 1024**2
_OCTET_STRING: Final = 0x04
_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class SignedRange:
    """Two stretches of a file with a signature's container between them."""

    numbers: tuple[int, int, int, int]


def signed_ranges(path: Path) -> list[SignedRange]:
    """Return the ranges that stand in the file, the first hundred."""
    if path.stat().st_size == 0:
        return []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = (tuple(int(one) for one in match.groups()) for match in _RANGE.finditer(content))
        unique = dict.fromkeys(found)
    return [SignedRange(numbers) for numbers in list(unique)[:_MOST]]  # type: ignore[arg-type] # four groups


def judge_range(path: Path, signed: SignedRange, why: BaseException) -> Verdict:
    """Judge one range by its bytes alone; `why` nothing more can be said goes into the verdict."""
    try:
        data = _signed_data(path, signed)
        form = "document_timestamp" if _is_timestamp(data) else "PDF"
    except _NotSupported as error:
        return broken_off("PDF", error)
    # asn1crypto raises anything on what is no ASN.1
    except Exception as error:  # noqa: BLE001 - says that there is no signature
        return malformed("PDF", f"{type(error).__name__}: {error}")
    known = signer_of(data)
    try:
        return _mathematics(path, signed, data, form, why)
    # as above, further inside
    except Exception as error:  # noqa: BLE001 - becomes an indication
        return broken_off(form, error, **known)


class _NotSupported(Exception):
    """A signature from before CMS."""


def _signed_data(path: Path, signed: SignedRange) -> Any:
    start, length, second, rest = signed.numbers
    gap = second - start - length
    if start != 0 or min(signed.numbers) < 0 or second + rest > path.stat().st_size:
        message = "the signed range is not one of this file"
        raise ValueError(message)
    if not 0 < gap <= _LARGEST_CONTAINER:
        message = "no container lies between the signed ranges"
        raise ValueError(message)
    container = _container(path, length, gap)
    if container[:1] == bytes((_OCTET_STRING,)):
        message = "a signature without CMS (x509.rsa_sha1)"
        raise _NotSupported(message)
    return cms.ContentInfo.load(container)["content"]


def _mathematics(
    path: Path, signed: SignedRange, data: Any, form: str, why: BaseException
) -> Verdict:
    known = signer_of(data)
    signer, certificate = extract_signer_info(data), extract_certificate_info(data).signer_cert
    content = data["encap_content_info"]
    if form == "document_timestamp":
        imprint = content["content"].parsed["message_imprint"]
        name = imprint["hash_algorithm"]["algorithm"].native
        if _digest(path, signed, name) != imprint["hashed_message"].native:
            return _failed(form, "HASH_FAILURE", known)
        name = signer["digest_algorithm"]["algorithm"].native
        digest = hashlib.new(name, bytes(content["content"])).digest()
    else:
        digest = _digest(path, signed, signer["digest_algorithm"]["algorithm"].native)
    kind = content["content_type"].native
    intact, valid = validate_sig_integrity(signer, certificate, kind, digest)
    if not intact:
        return _failed(form, "HASH_FAILURE", known)
    if not valid:
        return _failed(form, "SIG_CRYPTO_FAILURE", known)
    return broken_off(form, why, intact=True, modification="unclear", **known)


def _failed(form: str, reason: str, known: Any) -> Verdict:
    return Verdict(
        form=form, indication="TOTAL_FAILED", subindication=reason, intact=False, **known
    )


def _is_timestamp(data: Any) -> bool:
    return bool(data["encap_content_info"]["content_type"].native == "tst_info")


def _container(path: Path, at: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        text = file.read(length).strip()
    if text[:1] != b"<" or text[-1:] != b">":
        message = "not a string between angle brackets"
        raise ValueError(message)
    digits = b"".join(text[1:-1].split())
    return bytes.fromhex(digits.decode("ascii"))


def _digest(path: Path, signed: SignedRange, algorithm: str) -> bytes:
    digest = hashlib.new(algorithm)
    start, length, second, rest = signed.numbers
    with path.open("rb") as file:
        for begin, count in ((start, length), (second, rest)):
            for block in _blocks(file, begin, count):
                digest.update(block)
    return digest.digest()


def _blocks(file: Any, begin: int, count: int) -> Iterator[bytes]:
    file.seek(begin)
    while count > 0 and (block := file.read(min(count, _CHUNK))):
        count -= len(block)
        yield block
