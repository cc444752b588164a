"""Certificates (X.509, RFC 5280) and what their issuers say of them: OCSP (RFC 6960) and CRLs.

Read here is who speaks of whom and when; whether the signatures hold is asked of `openssl`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from workers.evidence.der import NotDer, elements, inside

_SEQ, _INT, _ENUM = 0x30, 0x02, 0x0A
_UTC_TIME, _GENERAL_TIME, _YES = 0x17, 0x18, 0x01
_FIELD_0 = 0xA0
_GOOD, _REVOKED = 0x80, 0xA1
_OID_BASIC = bytes.fromhex("2b0601050507300101")
_OID_SCOPE = bytes.fromhex("551d1c")  # issuingDistributionPoint
_OID_COMMON_NAME, _OID_ORGANISATION = bytes.fromhex("550403"), bytes.fromhex("55040a")
#: What parts of names are called (RFC 4514, section 3, and RFC 5280, appendix A.1).
_NAMES_OF_PARTS = {
    _OID_COMMON_NAME: "CN",
    _OID_ORGANISATION: "O",
    bytes.fromhex("55040b"): "OU",
    bytes.fromhex("550406"): "C",
    bytes.fromhex("550407"): "L",
    bytes.fromhex("550408"): "ST",
    bytes.fromhex("550405"): "serialNumber",
    bytes.fromhex("550461"): "organizationIdentifier",
}
_UTF_16 = 0x1E
_NAME_DIGESTS = {
    bytes.fromhex("2b0e03021a"): "sha1",  # what most responders go on naming certificates by
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}
_MOST_WAYS = 64
_CENTURY = 50  # two digits of a year below are of 2000 (RFC 5280, 4.1.2.5.1)


class Unclear(ValueError):
    """The bytes are not what they should be, or say something that is not understood here."""


class Certified(NamedTuple):
    """A certificate.

    Attributes:
        issuer: Name of who issued it, DER; `subject` likewise whose it is.
        key: The public key's bits.
        until: Its last moment.
        name: For readers.
        title: The whole subject, for readers.
        organisation: The subject's organisation; None where it names none.
    """

    encoded: bytes
    serial: bytes
    issuer: bytes
    subject: bytes
    key: bytes
    until: dt.datetime
    name: str
    title: str
    organisation: str | None

    @property
    def is_own_issuer(self) -> bool:
        """Whether it stands at the top."""
        return self.issuer == self.subject


class Said(NamedTuple):
    """What an answer says of a certificate.

    Attributes:
        known: Whether the issuer knows the certificate at all.
        revoked_at: From when on it is revoked; None where it is not.
        since: To which moment the statement refers.
        until: Up to when it holds; None where that is not said.
    """

    known: bool
    revoked_at: dt.datetime | None
    since: dt.datetime
    until: dt.datetime | None


def read_certificate(encoded: bytes) -> Certified:
    """Read a certificate.

    Raises:
        Unclear: It is none.
    """
    try:
        (_, signed, _), *_ = elements(inside(_SEQ, encoded))
        fields = [one for one in elements(signed) if one[0] != _FIELD_0]
        (_, serial, _), _, (_, _, issuer), (_, validity, _), (_, named, subject), key, *_ = fields
        _, (kind, until, _) = elements(validity)
        _, (_, bits, _) = elements(key[1])
        return Certified(
            encoded=encoded,
            serial=serial,
            issuer=issuer,
            subject=subject,
            key=bits[1:],
            until=_moment_of(kind, until),
            name=_part(named, _OID_COMMON_NAME) or "ohne Namen",
            title=", ".join(f"{_called(kind)}={_plain(text)}" for kind, text in _parts_of(named))
            or "ohne Namen",
            organisation=_part(named, _OID_ORGANISATION),
        )
    except (NotDer, ValueError, IndexError) as error:
        raise Unclear(f"kein Zertifikat ({error})") from error


def _parts_of(named: bytes) -> Iterator[tuple[bytes, str]]:
    for _, several, _ in elements(named):
        for _, pair, _ in elements(several):
            (_, kind, _), (form, text, _) = elements(pair)
            yield kind, text.decode("utf-16-be" if form == _UTF_16 else "utf-8", "replace")


def _part(named: bytes, wanted: bytes) -> str | None:
    return next((text for kind, text in _parts_of(named) if kind == wanted), None)


def _called(kind: bytes) -> str:
    return _NAMES_OF_PARTS.get(kind, f"#{kind.hex()}")


def _plain(text: str) -> str:
    """Return a value in which nothing looks like the next part of the name."""
    return re.sub(r"([\\,+=;])", r"\\\1", text)


def _moment_of(kind: int, encoded: bytes) -> dt.datetime:
    text = encoded.decode("ascii")
    if kind == _UTC_TIME:
        text = ("20" if int(text[:2]) < _CENTURY else "19") + text
    elif kind != _GENERAL_TIME:
        raise Unclear("keine Zeit")
    return dt.datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=dt.timezone.utc)


def from_ocsp(encoded: bytes, subject: Certified, issuer: Certified) -> Said | None:
    """Return what an OCSP response says of a certificate; None where it speaks of others.

    Raises:
        Unclear: It is none, or the responder refused to answer.
    """
    try:
        for _, single, _ in elements(_responses(encoded)):
            (_, whom, _), (status, more, _), (kind, since, _), *rest = elements(single)
            if _speaks_of(whom, subject, issuer):
                next_one = next((one for tag, one, _ in rest if tag == _FIELD_0), None)
                revoked = _first_time(more) if status == _REVOKED else None
                until = None if next_one is None else _first_time(next_one)
                known = status in (_GOOD, _REVOKED)
                return Said(known, revoked, _moment_of(kind, since), until)
    except (NotDer, ValueError, LookupError, StopIteration) as error:
        raise Unclear(f"keine Antwort nach OCSP ({error})") from error
    return None


def _responses(encoded: bytes) -> bytes:
    (kind, status, _), *given = elements(inside(_SEQ, encoded))
    if (kind, status) != (_ENUM, b"\0") or not given:
        raise Unclear("der Dienst hat nicht geantwortet")
    (_, form, _), (_, basic, _) = elements(inside(_SEQ, given[0][1]))
    if form != _OID_BASIC:
        raise Unclear("eine unbekannte Form")
    (_, signed, _), *_ = elements(inside(_SEQ, basic))
    # the only plain sequence among version, responder, time, responses and extensions
    return next(content for tag, content, _ in elements(signed) if tag == _SEQ)


def _speaks_of(whom: bytes, subject: Certified, issuer: Certified) -> bool:
    (_, algorithm, _), (_, name, _), (_, key, _), (_, serial, _) = elements(whom)
    (_, identifier, _), *_ = elements(algorithm)
    digest = _NAME_DIGESTS[identifier]
    wanted = (hashlib.new(digest, one).digest() for one in (issuer.subject, issuer.key))
    return (name, key, serial) == (*wanted, subject.serial)


def _first_time(content: bytes) -> dt.datetime:
    kind, moment, _ = next(elements(content))
    return _moment_of(kind, moment)


def from_list(encoded: bytes, subject: Certified) -> Said | None:
    """Return what a revocation list says of a certificate; None where its issuer is another.

    Raises:
        Unclear: It is none, or only part of one: for some kinds of certificates, or changes.
    """
    try:
        (_, signed, _), *_ = elements(inside(_SEQ, encoded))
        fields = [one for one in elements(signed) if one[0] != _INT]
        _, (_, _, issuer), (kind, since, _), *rest = fields
        if issuer != subject.issuer:
            return None
        until = _moment_of(*rest.pop(0)[:2]) if rest and rest[0][0] != _SEQ else None
        revoked = rest.pop(0)[1] if rest and rest[0][0] == _SEQ else b""
        if rest:
            _require_whole(inside(_SEQ, rest[0][1]))
        found = _revoked_at(revoked, subject.serial)
        return Said(True, found, _moment_of(kind, since), until)
    except (NotDer, ValueError, IndexError) as error:
        raise Unclear(f"keine Sperrliste, die sich hier lesen lässt ({error})") from error


def _require_whole(extensions: bytes) -> None:
    for _, extension, _ in elements(extensions):
        (_, kind, _), *more = elements(extension)
        critical = len(more) > 1 and more[0][0] == _YES
        only = (
            [tag for tag, _, _ in elements(inside(_SEQ, more[-1][1]))] if kind == _OID_SCOPE else []
        )
        if (critical and kind != _OID_SCOPE) or any(tag != _FIELD_0 for tag in only):
            raise Unclear("sie gilt nicht für alle Zertifikate ihres Ausstellers")


def _revoked_at(revoked: bytes, serial: bytes) -> dt.datetime | None:
    for _, entry, _ in elements(revoked):
        (_, number, _), (kind, moment, _), *_ = elements(entry)
        if number == serial:
            return _moment_of(kind, moment)
    return None


def chains_above(leaf: Certified, known: tuple[Certified, ...]) -> Iterator[tuple[Certified, ...]]:
    """Yield ways from a certificate to one at the top, by names alone; no name stands in one twice.

    Whether one really issued the other has to be asked: that is why no name stands there twice.
    """
    open_ways: list[tuple[Certified, ...]] = [(leaf,)]
    for _ in range(_MOST_WAYS):
        if not open_ways:
            return
        way = open_ways.pop()
        if way[-1].is_own_issuer:
            yield way
            continue
        names = {one.subject for one in way}
        open_ways += [
            (*way, one)
            for one in known
            if one.subject == way[-1].issuer and one.subject not in names
        ]
