"""Signature containers (CMS, RFC 5652) and timestamp tokens (RFC 3161), as far as digests go."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import NamedTuple

from workers.evidence.der import NotDer, elements, inside
from workers.evidence.offline.certified import read_certificate

_SEQUENCE, _OCTETS, _SIGNED_ATTRIBUTES = 0x30, 0x04, 0xA0
_LONG_FORM, _LONGEST_FORM, _SHORTEST = 0x80, 4, 6
_OID_SIGNED = bytes.fromhex("2a864886f70d010702")
OID_TOKEN = bytes.fromhex("2a864886f70d0109100104")  #: id-ct-TSTInfo
_OID_DIGEST_OF_CONTENT = bytes.fromhex("2a864886f70d010904")
_OID_STAMP_OF_SIGNATURE = bytes.fromhex("2a864886f70d010910020e")
#: Which certificate signed, by its digest: RFC 5035 with SHA-1 and with any digest.
_OID_CERTIFICATE = bytes.fromhex("2a864886f70d010910020c")
_OID_CERTIFICATE_V2 = bytes.fromhex("2a864886f70d010910022f")
_CERTIFICATES_FIELD = 0xA0
_DIGESTS = {
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}


class Unreadable(ValueError):
    """The bytes are not what they should be; the message says what was expected."""


class Container(NamedTuple):
    """One signer's container.

    Attributes:
        kind: Object identifier of what is signed.
        content: What is signed where it lies inside, else None.
        algorithm: Of the digest, as `hashlib` names it.
        stated: Digest of the content as the signed attributes state it.
        signature: The signature's value.
        stamp: The timestamp over the signature, a container itself; None without one.
        certificates: Those that lie in it.
        signer: That of who signed; None where it does not lie in it.
        size: Bytes of the whole container; what follows is padding.
    """

    kind: bytes
    content: bytes | None
    algorithm: str
    stated: bytes
    signature: bytes
    stamp: bytes | None
    certificates: tuple[bytes, ...]
    signer: bytes | None
    size: int


class StampedBy(NamedTuple):
    """A timestamp token: over what, with which digest, when."""

    imprint: bytes
    algorithm: str
    at: dt.datetime
    encoded: bytes
    certificates: tuple[bytes, ...]
    signer: bytes | None


def read_container(encoded: bytes) -> Container:
    """Read a container; bytes after it are padding.

    Raises:
        Unreadable: It is none, or has not exactly one signer with signed attributes.
    """
    try:
        return _container(encoded)
    except (NotDer, ValueError, IndexError, KeyError, StopIteration) as error:
        raise Unreadable(f"kein Signaturcontainer ({error})") from error


def _container(encoded: bytes) -> Container:
    first = _first(encoded)
    (_, kind, _), (_, wrapped, _) = elements(inside(_SEQUENCE, first))
    if kind != _OID_SIGNED:
        raise Unreadable("keine signierten Daten")
    _, _, (_, encapsulated, _), *rest = elements(inside(_SEQUENCE, wrapped))
    (_, kind, _), *held = elements(encapsulated)
    content = inside(_OCTETS, held[0][1]) if held else None
    (_, signer, _) = next(elements(rest[-1][1]))
    held_here = rest[0][1] if rest[0][0] == _CERTIFICATES_FIELD else b""
    fields = list(elements(signer))
    _, whose, (_, algorithm, _), (tag, signed, _), _, (_, signature, _), *unsigned = fields
    if tag != _SIGNED_ATTRIBUTES:
        raise Unreadable("keine signierten Attribute")
    certificates = tuple(encoded for tag, _, encoded in elements(held_here) if tag == _SEQUENCE)
    return Container(
        kind=kind,
        content=content,
        algorithm=_digest(algorithm),
        stated=inside(_OCTETS, _attribute(signed, _OID_DIGEST_OF_CONTENT) or b""),
        signature=signature,
        stamp=_attribute(unsigned[0][1], _OID_STAMP_OF_SIGNATURE) if unsigned else None,
        certificates=certificates,
        signer=_signer(whose, signed, certificates),
        size=len(first),
    )


def _first(encoded: bytes) -> bytes:
    """Return the first element alone: a PDF pads its containers with zeros."""
    if len(encoded) < _SHORTEST or encoded[0] != _SEQUENCE:
        raise Unreadable("kein Element am Anfang")
    size, begin = encoded[1], 2
    if size & _LONG_FORM:
        count = size & ~_LONG_FORM
        if not 1 <= count <= _LONGEST_FORM:
            raise Unreadable("keine Länge")
        size, begin = int.from_bytes(encoded[2 : 2 + count], "big"), 2 + count
    if len(encoded) < begin + size:
        raise Unreadable("abgeschnitten")
    return encoded[: begin + size]


def _signer(
    whose: tuple[int, bytes, bytes], signed: bytes, certificates: tuple[bytes, ...]
) -> bytes | None:
    """Return the certificate that the signer names: by issuer and number, and by its digest.

    Whoever is named by the identifier of a key alone is not known here.

    Raises:
        Unreadable: It names one by its digest that does not lie there, or two different ones.
    """
    for attribute, usual in ((_OID_CERTIFICATE_V2, "sha256"), (_OID_CERTIFICATE, "sha1")):
        value = _attribute(signed, attribute)
        if value is None:
            continue
        (_, first, _) = next(elements(next(elements(inside(_SEQUENCE, value)))[1]))
        fields = list(elements(first))
        algorithm = _digest(fields.pop(0)[1]) if fields[0][0] == _SEQUENCE else usual
        for held in certificates:
            if hashlib.new(algorithm, held).digest() == fields[0][1]:
                if whose[0] == _SEQUENCE and _named_by(whose[1], certificates) != held:
                    raise Unreadable("es nennt zwei Zertifikate als das, das unterschrieben hat")
                return held if whose[0] == _SEQUENCE else None
        raise Unreadable("das Zertifikat darin ist nicht das, das unterschrieben hat")
    return _named_by(whose[1], certificates) if whose[0] == _SEQUENCE else None


def _named_by(whose: bytes, certificates: tuple[bytes, ...]) -> bytes | None:
    """Return the certificate with an issuer and a number, by which whoever verifies takes it.

    Raises:
        Unreadable: There are several: one for the reader and another for who verifies.
    """
    (_, _, issuer), (_, serial, _) = elements(whose)
    known = {one: read_certificate(one) for one in certificates}
    found = [at for at, one in known.items() if (one.issuer, one.serial) == (issuer, serial)]
    if len(found) > 1:
        raise Unreadable("mehrere Zertifikate darin haben Aussteller und Nummer gemeinsam")
    return found[0] if found else None


def _digest(algorithm: bytes) -> str:
    _, identifier, _ = next(elements(algorithm))
    return _DIGESTS[identifier]


def _attribute(attributes: bytes, wanted: bytes) -> bytes | None:
    for _, attribute, _ in elements(attributes):
        (_, kind, _), (_, values, _) = elements(attribute)
        if kind == wanted:
            (_, _, value) = next(elements(values))
            return value
    return None


def read_stamp(encoded: bytes) -> StampedBy:
    """Read a timestamp token and compare the digest of its content with the one it states.

    Raises:
        Unreadable: It is none, or its content was changed.
    """
    container = read_container(encoded)
    if container.kind != OID_TOKEN or container.content is None:
        raise Unreadable("kein Zeitstempel")
    if hashlib.new(container.algorithm, container.content).digest() != container.stated:
        raise Unreadable("die Angaben im Zeitstempel sind nicht die unterschriebenen")
    try:
        _, _, (_, imprint, _), _, (_, at, _), *_ = elements(inside(_SEQUENCE, container.content))
        (_, algorithm, _), (_, digest, _) = elements(imprint)
        return StampedBy(
            imprint=digest,
            algorithm=_digest(algorithm),
            at=_time(at.decode("ascii")),
            encoded=encoded[: container.size],
            certificates=container.certificates,
            signer=container.signer,
        )
    except (NotDer, ValueError, KeyError) as error:
        raise Unreadable(f"kein Zeitstempel ({error})") from error


def _time(text: str) -> dt.datetime:
    """Read GeneralizedTime as RFC 3161 restricts it: UTC, fractions of seconds optional."""
    if not text.endswith("Z"):
        raise Unreadable("die Zeit ist keine in UTC")
    whole, _, fraction = text[:-1].partition(".")
    moment = dt.datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=dt.timezone.utc)
    return moment + dt.timedelta(microseconds=int((fraction + "000000")[:6]))
