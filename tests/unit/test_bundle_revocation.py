"""The verifier of a bundle judges revocation by the answers that travel with the document."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.plugins.scanning import program
from workers.evidence.offline.findings import Findings
from workers.evidence.offline.openssl import OpenSsl
from workers.evidence.offline.revocation import Answers, Revocation

SEALED = dt.datetime(2026, 5, 4, 10, 0, tzinfo=dt.UTC)
DAY, MINUTE = dt.timedelta(days=1), dt.timedelta(minutes=1)
SHA256 = hashes.SHA256()


class Issued:
    """A certificate with its key."""

    def __init__(self, name: str, above: Issued | None, *more: Any, ends: int = 3650) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.above = above or self
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(
            issuer_name=above.certificate.subject if above else subject,
            subject_name=subject,
            public_key=self.key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=SEALED - 365 * DAY,
            not_valid_after=SEALED + ends * DAY,
        )
        for extension in more:
            builder = builder.add_extension(extension, critical=False)
        self.certificate: x509.Certificate = builder.sign(self.above.key, SHA256)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


CA = x509.BasicConstraints(ca=True, path_length=None)
NO_CA = x509.BasicConstraints(ca=False, path_length=None)
ANSWERING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
ROOT = Issued("Wurzel", None, CA)
INTERM = Issued("Zwischenstelle", ROOT, CA)
SEAL = Issued("Siegel", INTERM, NO_CA)
OTHER = Issued("Anderes Siegel", INTERM, NO_CA)
SHORT = Issued("Kurzes Siegel", INTERM, NO_CA, ends=1)
DELEGATE = Issued("Auskunft", INTERM, NO_CA, ANSWERING)
NO_DELEGATE = Issued("Keine Auskunft", INTERM, NO_CA)
STRANGER = Issued("Zwischenstelle", None, CA)  # the same name, another key
CERTIFICATES = (*(one.der for one in (ROOT, INTERM, SEAL, STRANGER, OTHER)),)


def response(
    by: Issued = DELEGATE,
    *,
    whom: Issued = SEAL,
    issuer: Issued = INTERM,
    revoked_at: dt.datetime | None = None,
    known: bool = True,
    since: dt.datetime = SEALED + MINUTE,
    until: dt.datetime | None = None,
) -> bytes:
    status = ocsp.OCSPCertStatus.REVOKED if revoked_at else ocsp.OCSPCertStatus.GOOD
    built = ocsp.OCSPResponseBuilder().add_response(
        whom.certificate,
        issuer.certificate,
        hashes.SHA1(),  # noqa: S303 - what responders name certificates by
        status if known else ocsp.OCSPCertStatus.UNKNOWN,
        since,
        until,
        revoked_at,
        None,
    )
    built = built.responder_id(ocsp.OCSPResponderEncoding.HASH, by.certificate)
    built = built.certificates([by.certificate])
    return built.sign(by.key, SHA256).public_bytes(serialization.Encoding.DER)


def crl(
    by: Issued = ROOT, *revoked: tuple[Issued, dt.datetime], scope: bool = False, until: Any = None
) -> bytes:
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=by.certificate.subject,
        last_update=SEALED - DAY,
        next_update=until or SEALED + DAY,
    )
    for one, moment in revoked:
        entry = x509.RevokedCertificateBuilder(one.certificate.serial_number, moment).build()
        builder = builder.add_revoked_certificate(entry)
    if scope:
        only = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
        builder = builder.add_extension(only, critical=True)
    return builder.sign(by.key, SHA256).public_bytes(serialization.Encoding.DER)


def broken_in_the_end(encoded: bytes) -> bytes:
    """Change the last bit of the signature; the certificates behind it stay."""
    signature = ocsp.load_der_ocsp_response(encoded).signature
    return encoded.replace(signature, signature[:-1] + bytes((signature[-1] ^ 1,)))


@functools.cache
def judged(
    *answers: bytes,
    at: dt.datetime | None = SEALED,
    lists: tuple[bytes, ...] | None = None,
    signer: Issued = SEAL,
) -> list[str]:
    """Return what is said of the signer's certificate and its issuer's."""
    lines: list[str] = []
    findings = Findings(lines.append)
    held = Answers(CERTIFICATES, answers, (crl(),) if lists is None else lists)
    judge = Revocation(findings, OpenSsl(findings, None, None), held)
    judge.judge("pdf", "Signatur", signer.der, at)
    return [line.strip().replace("pdf: Signatur, Sperrstatus von ", "") for line in lines]


@pytest.fixture(autouse=True)
def _openssl() -> None:
    program("openssl")


@pytest.mark.parametrize("by", [DELEGATE, INTERM], ids=["delegate", "issuer"])
def test_a_good_answer_of_the_issuer_or_its_delegate_holds(by: Issued) -> None:
    said = judged(response(by))
    assert [line.partition(" am ")[0] for line in said] == [
        "stimmt         Siegel:",
        "stimmt         Zwischenstelle:",
    ]
    assert "nicht gesperrt (OCSP-Auskunft vom 2026-05-04T10:01" in said[0]
    assert "nicht gesperrt (Sperrliste vom 2026-05-03T10:00" in said[1]


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "revoked before": (
        lambda: response(revoked_at=SEALED - MINUTE),
        "VERLETZT       Siegel: gesperrt seit 2026-05-04T09:59:00+00:00 (OCSP-Auskunft)",
    ),
    "revoked that moment": (
        lambda: response(revoked_at=SEALED),
        "VERLETZT       Siegel: gesperrt seit 2026-05-04T10:00:00+00:00 (OCSP-Auskunft)",
    ),
    "by one who must not": (
        lambda: response(NO_DELEGATE),
        "VERLETZT       Siegel: OCSP-Auskunft ist nicht von deren Aussteller unterschrieben",
    ),
    "by another of the issuer's name": (
        lambda: response(STRANGER),
        "VERLETZT       Siegel: OCSP-Auskunft ist nicht von deren Aussteller unterschrieben",
    ),
    "altered": (
        lambda: broken_in_the_end(response()),
        "VERLETZT       Siegel: OCSP-Auskunft ist nicht von deren Aussteller unterschrieben",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_was_revoked_or_is_not_the_issuers_word_is_refused(case: str) -> None:
    answer, wanted = REFUSED[case]
    assert judged(answer())[0] == wanted


WITHOUT: dict[str, tuple[Callable[[], bytes], str]] = {
    "of another certificate": (lambda: response(whom=OTHER), "keine Auskunft im Dokument"),
    "of another issuer": (lambda: response(issuer=STRANGER), "keine Auskunft im Dokument"),
    "no answer": (lambda: bytes.fromhex("30030a0103"), "keine Auskunft im Dokument"),
    "not known": (lambda: response(known=False), "der Aussteller kennt es nicht"),
    "from before": (lambda: response(since=SEALED - DAY), "nicht aus der Zeit der Unterschrift"),
    "ended before": (
        lambda: response(since=SEALED - DAY, until=SEALED - MINUTE),
        "nicht aus der Zeit der Unterschrift",
    ),
}


@pytest.mark.parametrize("case", WITHOUT)
def test_what_says_nothing_about_that_moment_leaves_it_unjudged(case: str) -> None:
    answer, wanted = WITHOUT[case]
    first, second = judged(answer())
    assert first.startswith("nicht geprüft  Siegel: ")
    assert wanted in first
    assert second.startswith("stimmt         Zwischenstelle")


def test_an_answer_that_still_held_counts_and_later_revocation_is_told() -> None:
    assert judged(response(since=SEALED - DAY, until=SEALED + DAY))[0].startswith("stimmt")
    later = judged(response(since=SEALED + 9 * DAY, revoked_at=SEALED + DAY))[0]
    assert later.startswith("stimmt")
    assert "erst gesperrt seit 2026-05-05T10:00:00+00:00" in later


def test_of_an_ended_certificate_a_later_good_word_says_nothing() -> None:
    late = response(whom=SHORT, since=SEALED + 2 * DAY)
    assert judged(late, signer=SHORT)[0].startswith("nicht geprüft")


def test_without_a_proven_moment_revoked_is_revoked_and_good_is_not_enough() -> None:
    assert "gesperrt seit" in judged(response(revoked_at=SEALED + DAY), at=None)[0]
    assert judged(response(), at=None)[0].startswith("nicht geprüft")


LISTS: dict[str, tuple[Callable[[], tuple[bytes, ...]], str, str]] = {
    "revoked": (
        lambda: (crl(ROOT, (INTERM, SEALED - DAY)),),
        "VERLETZT",
        "gesperrt seit 2026-05-03T10:00:00+00:00 (Sperrliste)",
    ),
    "another revoked": (lambda: (crl(ROOT, (SEAL, SEALED - DAY)),), "stimmt", "nicht gesperrt"),
    "for some only": (lambda: (crl(scope=True),), "nicht geprüft", "keine Auskunft"),
    "old": (lambda: (crl(until=SEALED - MINUTE),), "nicht geprüft", "nicht aus der Zeit"),
    "one of two": (
        lambda: (crl(), crl(ROOT, (INTERM, SEALED - DAY))),
        "VERLETZT",
        "gesperrt seit",
    ),
}


@pytest.mark.parametrize("case", LISTS)
def test_lists_are_judged_as_answers_are(case: str) -> None:
    lists, mark, wanted = LISTS[case]
    second = judged(response(), lists=lists())[1]
    assert second.startswith(mark)
    assert wanted in second


def test_a_list_of_a_stranger_with_the_issuers_name_is_refused() -> None:
    forged = crl(Issued("Wurzel", None, CA))
    second = judged(response(), lists=(forged,))[1]
    assert second.endswith("Sperrliste ist nicht von deren Aussteller unterschrieben")


def test_nothing_in_the_document_is_said() -> None:
    (only,) = judged(lists=())
    assert only.startswith("nicht geprüft")
    assert only.endswith("Sperrstatus der Zertifikate: keine Auskunft im Dokument")
    (own,) = judged(lists=(), signer=ROOT)
    assert own.endswith("selbst ausgestellt, sperren könnte es niemand")
