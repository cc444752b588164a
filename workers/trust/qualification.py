"""Is a certificate qualified? What it says of itself, and what current trusted lists say.

The certificate's own statements (ETSI EN 319 412-5) are a claim; qualified is what a trusted
list confirms for the moment in question (Regulation (EU) 910/2014, Art. 22). Where no list that
counts knows the provider, the answer is *unknown*, never *no*, as long as the claim stands.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from asn1crypto import x509
from pyhanko.sign.ades.qualified_asn1 import get_qc_statements
from pyhanko.sign.general import extract_certificate_info
from pyhanko.sign.validation.qualified.assess import EIDAS_START_DATE, QualificationAssessor
from pyhanko.sign.validation.qualified.tsp import QcCertType, QTSTServiceInformation
from pyhanko_certvalidator.authority import AuthorityWithCert, CertTrustAnchor
from pyhanko_certvalidator.path import ValidationPath

from ingest.document import Facts
from workers.trust.anchors import Anchors

Answer = Literal["yes", "no", "unknown"]

_KINDS: Final = {
    QcCertType.QC_ESIGN: "signature",
    QcCertType.QC_ESEAL: "seal",
    QcCertType.QC_WEB: "website",
}
_TYPES: Final = {"qct_esign": "signature", "qct_eseal": "seal", "qct_web": "website"}


@dataclass(frozen=True, kw_only=True)
class Statements:
    """What a certificate says of itself (QcStatements, ETSI EN 319 412-5).

    Attributes:
        compliance: It claims to be a qualified certificate (QcCompliance).
        kinds: What for: `signature`, `seal`, `website` (QcType).
        device: It claims that the key lies in a qualified device (QcSSCD).
    """

    compliance: bool
    kinds: tuple[str, ...]
    device: bool


@dataclass(frozen=True, kw_only=True)
class Qualification:
    """The answer, and what it rests on.

    Attributes:
        answer: Whether the certificate was qualified at the moment asked for.
        kind: What for; None where that is unknown.
        device: Whether the key lies in a qualified device; None where that is unknown.
        reason: German, half a sentence.
    """

    answer: Answer
    kind: str | None
    device: bool | None
    reason: str

    def facts(self) -> Facts:
        """Return them as facts."""
        return {
            "answer": self.answer,
            "kind": self.kind,
            "device": self.device,
            "reason": self.reason,
        }


def statements(certificate: x509.Certificate) -> Statements:
    """Read the certificate's own statements; what cannot be read is not stated."""
    compliance, device, kinds = False, False, list[str]()
    try:
        for one in get_qc_statements(certificate):
            name = one["statement_id"].native
            compliance |= name == "qc_compliance"
            device |= name == "qc_sscd"
            if name == "qc_type":
                kinds += [_TYPES[each] for each in one["statement_info"].native if each in _TYPES]
    except (ValueError, TypeError, KeyError):
        return Statements(compliance=False, kinds=(), device=False)
    return Statements(compliance=compliance, kinds=tuple(kinds), device=device)


def judge(path: Any, anchors: Anchors, moment: dt.datetime) -> Qualification:
    """Judge the end certificate of a validated path at `moment`."""
    said = statements(path.leaf)
    try:
        found = QualificationAssessor(anchors.registry).check_entity_cert_qualified(path, moment)
    except (NotImplementedError, ValueError, TypeError, KeyError) as error:
        return _unknown(said, f"die Angaben des Zertifikats sind nicht auswertbar ({error})")
    if found.service_definition is not None:
        status = found.status
        return Qualification(
            answer="yes" if status.qualified else "no",
            kind=_KINDS[status.qc_type],
            device=status.qc_key_security.is_qscd,
            reason="nach der Vertrauensliste",
        )
    return unlisted(said, anchors, moment)


def unlisted(said: Statements, anchors: Anchors, moment: dt.datetime) -> Qualification:
    """Judge a certificate whose provider no current list names for `moment`."""
    if anchors.state == "none":
        return _unknown(said, "keine Vertrauensliste eingerichtet")
    if anchors.state != "current":
        return _unknown(said, "die Vertrauensliste ist abgelaufen oder nicht lesbar")
    if said.compliance or moment < EIDAS_START_DATE:
        return _unknown(said, "der Aussteller steht in keiner geladenen Vertrauensliste")
    reason = "das Zertifikat gibt sich nicht als qualifiziert aus"
    return Qualification(answer="no", kind=None, device=False, reason=reason)


def _unknown(said: Statements, reason: str) -> Qualification:
    kind = said.kinds[0] if len(said.kinds) == 1 else None
    return Qualification(answer="unknown", kind=kind, device=None, reason=reason)


def judge_chain(
    leaf: x509.Certificate,
    issuers: Sequence[x509.Certificate],
    anchors: Anchors,
    moment: dt.datetime,
) -> Qualification:
    """Judge a certificate whose chain is known to hold; `issuers` are those above it."""
    above = _ordered(leaf, issuers)
    if not above:
        return unlisted(statements(leaf), anchors, moment)
    path = ValidationPath(CertTrustAnchor(above[-1]), above[-2::-1], leaf)
    return judge(path, anchors, moment)


def is_qualified_stamp(token: Any, anchors: Anchors, moment: dt.datetime) -> bool:
    """Tell whether a current list names who made a verified token as qualified at `moment`.

    The list names the certificate of the service itself or of the authority that issued it
    (service type TSA/QTST, ETSI TS 119 612).
    """
    signed = token["content"]
    leaf = extract_certificate_info(signed).signer_cert
    brought = [choice.chosen for choice in signed["certificates"] if choice.name == "certificate"]
    above = _ordered(leaf, [*brought, *anchors.certificates])
    return any(
        isinstance(service, QTSTServiceInformation)
        for one in (leaf, *above)
        for service in anchors.registry.applicable_service_definitions(
            AuthorityWithCert(one), moment
        )
    )


def _ordered(
    leaf: x509.Certificate, candidates: Sequence[x509.Certificate]
) -> list[x509.Certificate]:
    """Return what stands above `leaf`, nearest first, as far as the candidates lead."""
    found: list[x509.Certificate] = []
    below = leaf
    while below.issuer != below.subject:
        above = next((one for one in candidates if one.subject == below.issuer), None)
        if above is None or above in found:
            break
        found.append(above)
        below = above
    return found
