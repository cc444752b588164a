"""Signatures and timestamps inside a PDF (ISO 32000, PAdES: ETSI EN 319 142-1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from asn1crypto import ocsp
from asn1crypto.crl import CertificateList
from pyhanko.pdf_utils.crypt import AuthStatus
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation.ades import ades_lta_validation, ades_timestamp_validation
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import ValidationInfoReadingError
from pyhanko.sign.validation.policy_decl import LocalKnowledge, PdfSignatureValidationSpec
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer

from ingest.document import Facts
from workers.inspection.signatures import engine
from workers.inspection.signatures.engine import Policy
from workers.inspection.signatures.ranges import SignedRange, judge_range, signed_ranges
from workers.inspection.signatures.report import of_pdf
from workers.inspection.signatures.verdicts import Modification, Verdict, looked_at

_STAMP: Final = "/DocTimeStamp"
_MODIFICATIONS: Final[dict[ModificationLevel, Modification]] = {
    ModificationLevel.NONE: "none",
    ModificationLevel.LTA_UPDATES: "evidence",
    ModificationLevel.FORM_FILLING: "forms",
    ModificationLevel.ANNOTATIONS: "annotations",
    ModificationLevel.OTHER: "other",
}


class Unlisted(Exception):
    """A signature that stands in no form field: no viewer shows it as one."""


class Locked(Exception):
    """The file opens only with a password."""


def verdicts(path: Path, policy: Policy) -> list[Verdict]:
    """Return one verdict for each signature and document timestamp, in order of signing.

    Raises:
        Overdue: The file takes more processor time than any signature does.
    """
    return engine.run(lambda: _verdicts(path, policy))


async def _verdicts(path: Path, policy: Policy) -> list[Verdict]:
    ranges = signed_ranges(path)
    found: list[Verdict] = []
    seen: set[SignedRange] = set()
    try:
        with path.open("rb") as stream:
            reader = _opened(stream)
            signatures = list(reader.embedded_signatures)
            for signature in signatures:
                seen.add(_range_of(signature))
                found.append(await _one(path, signature, signatures, policy))
    # The reader raises anything on hostile files; their bytes are looked at all the same.
    except Exception as error:  # noqa: BLE001 - becomes an indication of every range left
        why: BaseException = error
    else:
        why = Unlisted("the signature stands in no form field")
    rest = [one for one in ranges if one not in seen]
    return found + [judge_range(path, one, why) for one in rest]


def _opened(stream: Any) -> PdfFileReader:
    reader = PdfFileReader(stream, strict=False)
    if reader.encrypted and reader.decrypt(b"").status is AuthStatus.FAILED:
        message = "the file opens only with a password"
        raise Locked(message)
    return reader


def _range_of(signature: Any) -> SignedRange:
    first, second, third, fourth, *_ = (int(number) for number in signature.byte_range)
    return SignedRange((first, second, third, fourth))


async def _one(path: Path, signature: Any, all_of_them: list[Any], policy: Policy) -> Verdict:
    stamp = signature.sig_object_type == _STAMP
    later = any(
        other.sig_object_type == _STAMP and other.signed_revision > signature.signed_revision
        for other in all_of_them
    )
    known: Facts = {"field": signature.field_name}
    if stamp:
        work, form = _timestamp(signature, policy), "document_timestamp"
    else:
        work, form = _signature(signature, policy, later=later), _form(signature)
    known |= engine.signer_of(signature.signed_data)
    verdict = await engine.attempt(form, work, **known)
    if verdict.indication == "TOTAL_FAILED":
        return verdict
    if verdict.subindication == "GENERIC" and verdict.look:
        return judge_range(path, _range_of(signature), RuntimeError(verdict.detail))
    modification, allowed = _afterwards(signature)
    return looked_at(verdict, modification, allowed=allowed)


def _form(signature: Any) -> str:
    ades = signature.sig_object.get("/SubFilter") == "/ETSI.CAdES.detached"
    return "PAdES" if ades and engine.is_ades(signature.signed_data) else "PDF"


async def _signature(signature: Any, policy: Policy, *, later: bool) -> Verdict:
    signed, form = signature.signed_data, _form(signature)
    knowledge, stored = _stored(signature.reader)
    stamped = engine.is_stamped(signed)
    level = "B-T" if stamped else "B-B"
    if later and _is_comparable(signature):
        spec = PdfSignatureValidationSpec(policy.spec())
        result: Any = await ades_lta_validation(signature, spec, timing_info=policy.timing())
        digest = signature.compute_digest()
        result = await engine.sobered(result, signed, digest, policy, knowledge)
        level = "B-LTA" if stamped and stored else level
    else:
        digest = signature.compute_digest()
        result = await engine.assess(signed, digest, policy, knowledge)
        level = "B-LT" if stamped and stored else level
    return engine.judged(
        form,
        result,
        signed,
        policy,
        level=level if form == "PAdES" else None,
        field=signature.field_name,
        **_claimed(signature),
        report=of_pdf(signature, result),
    )


def _claimed(signature: Any) -> Facts:
    try:
        return {"claimed_at": signature.self_reported_timestamp}
    # The date in the signature's dictionary is whatever somebody wrote there.
    except Exception:  # noqa: BLE001 - then nothing is claimed
        return {}


async def _timestamp(signature: Any, policy: Policy) -> Verdict:
    signed = signature.signed_data
    knowledge, _ = _stored(signature.reader)
    result: Any = await ades_timestamp_validation(
        signed, policy.spec(knowledge), signature.compute_digest, timing_info=policy.timing()
    )
    stated = signed["encap_content_info"]["content"].parsed["gen_time"].native
    return engine.judged(
        "document_timestamp",
        result,
        signed,
        policy,
        field=signature.field_name,
        claimed_at=stated,
        report=of_pdf(signature, result),
    )


def _stored(reader: Any) -> tuple[LocalKnowledge, bool]:
    """Return what the file's own store brings along, and whether it has revocation data."""
    try:
        store = DocumentSecurityStore.read_dss(reader)
    except ValidationInfoReadingError:
        return LocalKnowledge(), False
    ocsps = [
        container
        for one in store.ocsps
        for container in OCSPContainer.load_multi(ocsp.OCSPResponse.load(one.get_object().data))
    ]
    crls = [
        CRLContainer(crl_data=CertificateList.load(one.get_object().data)) for one in store.crls
    ]
    knowledge = LocalKnowledge(
        known_ocsps=ocsps, known_crls=crls, known_certs=list(store.load_certs())
    )
    return knowledge, bool(ocsps or crls)


def _is_comparable(signature: Any) -> bool:
    """Compare the file with what was signed; False where the comparison gives up."""
    try:
        signature.compute_integrity_info()
    # The comparison of revisions raises anything on what it does not know.
    except Exception:  # noqa: BLE001 - what cannot be compared is unclear, and a person looks
        return False
    return True


def _afterwards(signature: Any) -> tuple[Modification, bool]:
    """Return what was done to the file after this signature, and whether its signer allowed it."""
    if signature.diff_result is None and not _is_comparable(signature):
        return "unclear", True
    told = signature.summarise_integrity_info()
    if signature.coverage < SignatureCoverageLevel.ENTIRE_REVISION:
        return "unclear", True
    level = getattr(signature.diff_result, "modification_level", ModificationLevel.OTHER)
    return _MODIFICATIONS[level], told["docmdp_ok"] is not False
