"""The seal checked a second way, without the library that made it.

Found with pikepdf, taken apart with asn1crypto, verified with cryptography. The signature
container is also rebuilt from its parts and compared byte for byte, so that there is no bit
in it that nobody looks at.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import pikepdf
from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509

from profiles.sealing import Level
from workers.sealing.port import (
    FIELD_PREFIXES,
    OUTGOING_REASON,
    Kind,
    SigningKey,
    fits,
    is_suitable,
    kind_of,
)
from workers.sealing.stampproof import Stamp, verify_token

_CHUNK: Final = 1024 * 1024
_SEQUENCE: Final = 0x30
_SET: Final = 0x31
_CONTEXT_0: Final = 0xA0
_LONG_FORM: Final = 0x80
_PREFIXES: Final = tuple(FIELD_PREFIXES.values())
_VERSION_1: Final = b"\x02\x01\x01"
_SHA256: Final[bytes] = algos.DigestAlgorithm({"algorithm": "sha256"}).dump()
_SHA256_ECDSA: Final[bytes] = algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}).dump()
_SHA256_RSA: Final[bytes] = algos.SignedDigestAlgorithm({"algorithm": "sha256_rsa"}).dump()


class SealBroken(Exception):
    """The seal does not hold; the message says which part of it."""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """What stands after the seal: revocation data and perhaps a timestamp over all of it.

    Attributes:
        answers: How many answers of revocation services are kept; not judged here.
        stamp: The newest document timestamp, which holds.
        covered: Bytes of the file that it speaks about.
    """

    answers: int
    stamp: Stamp | None
    covered: int


@dataclass(frozen=True, kw_only=True)
class Seal:
    """A seal, or an Installationssignatur, that holds.

    Attributes:
        certificate: Of the key that made it; whether it is trusted is for the caller.
        covered: Bytes of the file that the seal speaks about; more after them are not sealed.
        stamp: The embedded timestamp, which holds; None without one. Whether its authority is
            trusted is for the caller as well.
        archive: What was appended for the long term; None where nothing was.
        outgoing: Made of a letter that left the house, as the seal itself says.
    """

    field: str
    certificate: x509.Certificate
    covered: int
    stamp: Stamp | None
    archive: Archive | None
    outgoing: bool = False

    @property
    def level(self) -> Level:
        """The PAdES level that the file has by its form."""
        if self.archive is not None and self.stamp is not None:
            return "B-LT" if self.archive.stamp is None else "B-LTA"
        return "B-B" if self.stamp is None else "B-T"

    @property
    def kind(self) -> Kind:
        """Whose it is, by its certificate."""
        return kind_of(self.certificate)


@dataclass(frozen=True)
class _Place:
    field: str
    byte_range: tuple[int, int, int, int]
    reason: str


@dataclass(frozen=True, kw_only=True)
class _Found:
    """Where the signatures lie; `answers` is None where there is no security store."""

    seal: _Place
    stamp: _Place | None
    answers: int | None


def examine(path: Path) -> Seal | None:
    """Return what sealed `path` here last, None where nothing did.

    Raises:
        SealBroken: There is one and it does not hold, or the file cannot be read.
    """
    try:
        found = _find(path)
        if found is None:
            return None
        with path.open("rb") as stream:
            container, digest = _read(stream, found.seal.byte_range)
            archive = _archive(stream, found)
        certificate, stamp = verify_container(container, digest)
    except SealBroken:
        raise
    # pikepdf, asn1crypto and cryptography raise anything on a damaged file; whatever it is,
    # the seal does not hold.
    except Exception as error:
        raise SealBroken(f"{type(error).__name__}: {error}") from error
    covered = sum(found.seal.byte_range[2:])
    return Seal(
        field=found.seal.field,
        certificate=certificate,
        covered=covered,
        stamp=stamp,
        archive=archive,
        outgoing=found.seal.reason == OUTGOING_REASON,
    )


def prove(path: Path, noted: Path, key: SigningKey, level: Level) -> Seal:
    """Check a fresh seal: first revision unchanged, whole file covered, our key, the level.

    Returns:
        What was found.

    Raises:
        SealBroken: It must not be used.
    """
    seal = examine(path)
    if seal is None:
        message = "no seal in the file"
        raise SealBroken(message)
    if seal.certificate != key.certificate:
        message = "sealed with another key"
        raise SealBroken(message)
    archive, size = seal.archive, path.stat().st_size
    # Revocation data of B-LT stands after the seal, and nothing covers it.
    if (archive is None and seal.covered != size) or (
        archive is not None and archive.stamp is not None and archive.covered != size
    ):
        message = "bytes after the seal"
        raise SealBroken(message)
    if seal.level != level or (archive is not None and archive.answers == 0):
        message = f"level {seal.level} instead of {level}"
        raise SealBroken(message)
    with noted.open("rb") as before, path.open("rb") as after:
        while block := before.read(_CHUNK):
            if after.read(len(block)) != block:
                message = "the revision before the seal was changed"
                raise SealBroken(message)
    return seal


def verify_chain(certificate: x509.Certificate, others: Sequence[x509.Certificate]) -> None:
    """See that `others` are what stands above `certificate`, up to a root and nothing else.

    Raises:
        SealBroken: One of them belongs to nobody, or the root is missing.
        InvalidSignature: One was not issued by the next.
    """
    left, below = list(others), certificate
    while left:
        above = next((one for one in left if one.subject == below.issuer), None)
        if above is None:
            message = "an embedded certificate belongs to nobody"
            raise SealBroken(message)
        below.verify_directly_issued_by(above)
        left.remove(above)
        below = above
    if others and below.issuer != below.subject:
        message = "the root above the embedded certificates is missing"
        raise SealBroken(message)
    if others:
        below.verify_directly_issued_by(below)


def _find(path: Path) -> _Found | None:
    with pikepdf.open(path) as pdf:
        if "/AcroForm" not in pdf.Root:
            return None
        fields = [
            field
            for field in pdf.Root.AcroForm.get("/Fields", pikepdf.Array()).as_list()
            if "/V" in field
        ]
        seals = [_place(one) for one in fields if str(one.get("/T", "")).startswith(_PREFIXES)]
        if not seals:
            return None
        seal = max(seals, key=_end)  # a file may have been sealed before it came here
        stamps = [_place(one) for one in fields if str(one.V.get("/Type", "")) == "/DocTimeStamp"]
        stamps = [stamp for stamp in stamps if _end(stamp) > _end(seal)]
        answers = 0
        if "/DSS" in pdf.Root:
            for name in ("/OCSPs", "/CRLs"):
                answers += len(pdf.Root.DSS.get(name, pikepdf.Array()).as_list())
        return _Found(
            seal=seal,
            stamp=max(stamps, key=_end, default=None),
            answers=answers if "/DSS" in pdf.Root else None,
        )


def _place(field: pikepdf.Object) -> _Place:
    start, before, after, rest = (int(number) for number in field.V.ByteRange.as_list())
    reason = str(field.V.get("/Reason", ""))
    return _Place(str(field.get("/T", "")), (start, before, after, rest), reason)


def _end(place: _Place) -> int:
    """Return how far the bytes go that it speaks about."""
    return sum(place.byte_range[2:])


def _archive(stream: BinaryIO, found: _Found) -> Archive | None:
    """Verify the newest document timestamp (ETSI EN 319 142-1, 5.4.3)."""
    if found.answers is None and found.stamp is None:
        return None
    if found.stamp is None:
        return Archive(answers=found.answers or 0, stamp=None, covered=0)
    token, digest = _read(stream, found.stamp.byte_range)
    parsed = cms.ContentInfo.load(token, strict=True)
    return Archive(
        answers=found.answers or 0,
        stamp=verify_token(parsed, digest),
        covered=sum(found.stamp.byte_range[2:]),
    )


def _read(stream: BinaryIO, byte_range: tuple[int, int, int, int]) -> tuple[bytes, bytes]:
    """Return the signature container and the digest of everything around it."""
    start, before, after, rest = byte_range
    size = stream.seek(0, io.SEEK_END)
    if start != 0 or not 0 < before < after <= after + rest <= size:
        message = "byte range does not fit the file"
        raise SealBroken(message)
    digest = hashlib.sha256()
    for offset, length in ((0, before), (after, rest)):
        stream.seek(offset)
        missing = length
        while missing > 0 and (block := stream.read(min(missing, _CHUNK))):
            digest.update(block)
            missing -= len(block)
    stream.seek(before)
    gap = stream.read(after - before)
    if gap[:1] != b"<" or gap[-1:] != b">":
        message = "signature value is not where the byte range says"
        raise SealBroken(message)
    digits = gap[1:-1]
    padded = bytes.fromhex(digits.decode("ascii"))
    container = padded[: _length_of(padded)]
    if container.hex().upper().encode().ljust(len(digits), b"0") != digits:
        message = "bytes beside the signature value"
        raise SealBroken(message)
    return container, digest.digest()


def _length_of(der: bytes) -> int:
    if der[0] != _SEQUENCE or der[1] & _LONG_FORM == 0:
        message = "signature value is not a container"
        raise SealBroken(message)
    count = der[1] & 0x7F
    return 2 + count + int.from_bytes(der[2 : 2 + count], "big")


def verify_container(container: bytes, digest: bytes) -> tuple[x509.Certificate, Stamp | None]:
    """Return the certificate and the timestamp, if there is one, of a signature over `digest`.

    Raises:
        SealBroken: It does not hold.
    """
    signed = cms.ContentInfo.load(container, strict=True)["content"]
    (signer,) = signed["signer_infos"]
    embedded = [choice.chosen.dump() for choice in signed["certificates"]]
    attributes = signer["signed_attrs"]
    values: dict[str, Any] = {a["type"].native: a["values"][0] for a in attributes}
    if values["message_digest"].native != digest:
        message = "digest of the file differs"
        raise SealBroken(message)
    (named,) = values["signing_certificate_v2"]["certs"]
    meant = [one for one in embedded if hashlib.sha256(one).digest() == named["cert_hash"].native]
    if len(meant) != 1:
        message = "another certificate than the one signed for"
        raise SealBroken(message)
    certificate = x509.load_der_x509_certificate(meant[0])
    _verify_signature(certificate, signer["signature"].native, attributes.untag().dump())
    if _rebuilt(meant[0], embedded, signer) != container:
        message = "signature container was altered"
        raise SealBroken(message)
    # Nobody signed for the certificates above, so each must hold by itself.
    above = [x509.load_der_x509_certificate(one) for one in embedded if one != meant[0]]
    verify_chain(certificate, above)
    return certificate, _stamp(signer)


def _stamp(signer: Any) -> Stamp | None:
    if signer["unsigned_attrs"] is core.VOID or not signer["unsigned_attrs"]:
        return None
    (attribute,) = signer["unsigned_attrs"]
    if attribute["type"].native != "signature_time_stamp_token":
        message = "unknown attribute beside the signature"
        raise SealBroken(message)
    (token,) = attribute["values"]
    return verify_token(token, hashlib.sha256(signer["signature"].native).digest())


def _verify_signature(certificate: x509.Certificate, signature: bytes, content: bytes) -> None:
    if not is_suitable(certificate):
        message = "not a key that seals are made with"
        raise SealBroken(message)
    if not fits(certificate, signature, content):
        message = "signature does not fit"
        raise SealBroken(message)


def _rebuilt(leaf: bytes, embedded: list[bytes], signer: Any) -> bytes:
    """Return the container as it must look, given certificates, attributes and signature."""
    parsed = asn1_x509.Certificate.load(leaf)
    elliptic = parsed.public_key.algorithm == "ec"
    unsigned = signer["unsigned_attrs"]
    info = _tlv(
        _SEQUENCE,
        _VERSION_1,
        _tlv(_SEQUENCE, parsed.issuer.dump(), parsed["tbs_certificate"]["serial_number"].dump()),
        _SHA256,
        signer["signed_attrs"].dump(),
        _SHA256_ECDSA if elliptic else _SHA256_RSA,
        signer["signature"].dump(),
        b"" if unsigned is core.VOID else unsigned.dump(),
    )
    signed = _tlv(
        _SEQUENCE,
        _VERSION_1,
        _tlv(_SET, _SHA256),
        _tlv(_SEQUENCE, cms.ContentType("data").dump()),
        _tlv(_CONTEXT_0, *embedded),
        _tlv(_SET, info),
    )
    return _tlv(_SEQUENCE, cms.ContentType("signed_data").dump(), _tlv(_CONTEXT_0, signed))


def _tlv(tag: int, *parts: bytes) -> bytes:
    """Return DER; by hand, because asn1crypto takes 100 ms to build such a container."""
    content = b"".join(parts)
    size = len(content)
    if size < _LONG_FORM:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_FORM | len(octets))) + octets + content
