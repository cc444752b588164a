"""Asking pyHanko by the entry point that fits the signature's level (EN 319 102-1, clause 5).

Basic validation for B-B, validation with time for B-T and B-LT, and for what an archive
timestamp follows the one with past validation: each of them answers wrongly for the others.
Its short answer (`bottom_line`) can be true where the indication is not, so only the indication
counts. Without network unless the house says otherwise, and never for certificates.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from asn1crypto import cms, core
from pyhanko.sign.ades.report import AdESIndeterminate, AdESPassed, AdESStatus, AdESSubIndic
from pyhanko.sign.general import extract_certificate_info, extract_signer_info
from pyhanko.sign.validation.ades import ades_basic_validation, ades_with_time_validation
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import extract_self_reported_ts
from pyhanko.sign.validation.policy_decl import (
    CertificateFetchingRule,
    LocalKnowledge,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy

from ingest.document import Facts
from workers.inspection.signatures.verdicts import Indication, Verdict, broken_off, short
from workers.trust import qualification
from workers.trust.anchors import Anchors

T = TypeVar("T")

#: Processor time for one file; a hostile one may keep a parser busy for ever.
_CPU_SECONDS: Final = 60.0
#: What clocks of revocation services may be ahead of ours.
_TOLERANCE: Final = dt.timedelta(seconds=60)
_INDICATIONS: Final[dict[AdESStatus, Indication]] = {
    AdESStatus.PASSED: "TOTAL_PASSED",
    AdESStatus.FAILED: "TOTAL_FAILED",
    AdESStatus.INDETERMINATE: "INDETERMINATE",
}
_SIGNING_CERTIFICATE: Final = frozenset({"signing_certificate", "signing_certificate_v2"})
_STAMP: Final = "signature_time_stamp_token"


class Overdue(BaseException):
    """The file took more processor time than any signature does.

    No `Exception`, so that no library takes it for one of its own.
    """


@dataclass(frozen=True, kw_only=True)
class Policy:
    """By which rules signatures are judged.

    Attributes:
        now: The moment of validation.
        online: Revocation services that certificates name are asked.
    """

    anchors: Anchors
    now: dt.datetime
    online: bool = False

    def spec(self, knowledge: LocalKnowledge | None = None) -> SignatureValidationSpec:
        """Return the rules as pyHanko takes them; `knowledge` is what the file brings along."""
        brought = knowledge or LocalKnowledge()
        # The signer of a revocation list is searched among known certificates only.
        known = [*brought.known_certs, *self.anchors.certificates]
        rule = RevinfoOnlineFetchingRule
        return SignatureValidationSpec(
            cert_validation_policy=CertValidationPolicySpec(
                trust_manager=self.anchors.manager,
                revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO),
                time_tolerance=_TOLERANCE,
            ),
            revinfo_gathering_policy=RevocationInfoGatheringSpec(
                online_fetching_rule=rule.ALWAYS_FETCH if self.online else rule.LOCAL_ONLY,
                certificate_fetching_rule=CertificateFetchingRule.NEVER_FETCH,
            ),
            local_knowledge=replace(brought, known_certs=known),
        )

    def timing(self) -> ValidationTimingInfo:
        """Return the moment as pyHanko takes it."""
        return ValidationTimingInfo(
            validation_time=self.now,
            best_signature_time=self.now,
            point_in_time_validation=False,
        )


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `work` to its end, in silence and within the processor time one file may have.

    Raises:
        Overdue: It took longer.
    """
    with _silence(), _limit():
        return asyncio.run(work())


@contextmanager
def _silence() -> Iterator[None]:
    # On hostile files pyHanko logs tracebacks; what matters comes back as a result.
    loggers = [logging.getLogger(name) for name in ("pyhanko", "pyhanko_certvalidator")]
    levels = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)


@contextmanager
def _limit() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread; the step's own time limit remains
        return

    def stop(*_: object) -> None:
        message = f"more than {_CPU_SECONDS:.0f} s of processor time"
        raise Overdue(message)

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, _CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


async def assess(
    signed: cms.SignedData, digest: bytes | None, policy: Policy, knowledge: LocalKnowledge
) -> Any:
    """Validate a signature that no archive timestamp follows.

    Args:
        signed: With one signer.
        digest: Of the content that lies elsewhere; None where it lies inside.
        policy: The rules.
        knowledge: What else came with the signature.
    """
    validate = ades_with_time_validation if is_stamped(signed) else ades_basic_validation
    result: Any = await validate(
        signed, policy.spec(knowledge), timing_info=policy.timing(), raw_digest=digest
    )
    return await sobered(result, signed, digest, policy, knowledge)


async def sobered(
    result: Any, signed: cms.SignedData, digest: bytes | None, policy: Policy, knowledge: Any
) -> Any:
    """Return the result, less what was passed though a certificate is out of its time now.

    Validation with time lets such a signature pass without asking whether its timestamp falls
    into that time, and without a revocation check, which expiry had kept from being made
    (pyHanko 0.38; EN 319 102-1, clause 5.5.4, says otherwise).
    """
    if result.ades_subindic is not AdESPassed.OK or not hasattr(result, "best_signature_time"):
        return result
    basic = await ades_basic_validation(
        signed, policy.spec(knowledge), timing_info=policy.timing(), raw_digest=digest
    )
    if basic.ades_subindic is not AdESIndeterminate.OUT_OF_BOUNDS_NO_POE:
        return result
    told = AdESIndeterminate.OUT_OF_BOUNDS_NO_POE
    if result.best_signature_time > extract_certificate_info(signed).signer_cert.not_valid_after:
        told = AdESIndeterminate.EXPIRED
    return replace(result, ades_subindic=told, failure_msg="certificate out of its time")


def is_stamped(signed: cms.SignedData) -> bool:
    """Tell whether the one signer's signature carries a timestamp."""
    return _STAMP in attribute_names(signed, "unsigned_attrs")


def is_ades(signed: cms.SignedData) -> bool:
    """Tell whether the signature names its certificate, as every AdES does."""
    return bool(_SIGNING_CERTIFICATE & attribute_names(signed, "signed_attrs"))


def attribute_names(signed: cms.SignedData, which: str) -> set[str]:
    """Return the names of the one signer's attributes."""
    (signer,) = signed["signer_infos"]
    found = signer[which]
    return set() if found is core.VOID else {one["type"].native for one in found}


def judged(form: str, result: Any, signed: cms.SignedData, policy: Policy, **known: Any) -> Verdict:
    """Return the verdict that follows from pyHanko's result."""
    told = result.ades_subindic
    passed = told is not None and told.status is AdESStatus.PASSED
    proven = getattr(result, "best_signature_time", None) if passed and is_late(result) else None
    status = result.api_status
    path = None if status is None else getattr(status, "validation_path", None)
    qualified: Facts | None = None
    if path is not None:
        qualified = qualification.judge(path, policy.anchors, proven or policy.now).facts()
    return Verdict(
        form=form,
        indication="INDETERMINATE" if told is None else _INDICATIONS[told.status],
        subindication=None if passed else ("GENERIC" if told is None else told.standard_name),
        detail=str(result.failure_msg or ""),
        intact=None if status is None else bool(status.intact and status.valid),
        proven_at=None if proven is None else proven.astimezone(dt.UTC),
        qualified=qualified,
        **{**signer_of(signed), **known},
    )


def is_late(result: Any) -> bool:
    """Tell whether the result rests on a timestamp and not on the present moment."""
    return getattr(result, "best_signature_time", None) is not None and (
        getattr(result.api_status, "timestamp_validity", None) is not None
        or getattr(result, "oldest_evidence_record_timestamp", None) is not None
    )


def signer_of(signed: cms.SignedData) -> Facts:
    """Return who signed and when, as the signature says; empty where it cannot be read."""
    try:
        certificate = extract_certificate_info(signed).signer_cert
        claimed = extract_self_reported_ts(extract_signer_info(signed))
        return {
            "signer": named(certificate),
            "certificate_sha256": certificate.sha256.hex(),
            "claimed_at": claimed,
        }
    # Foreign ASN.1 raises anything; a signer that cannot be read has no name.
    except Exception:  # noqa: BLE001 - nothing is claimed about this signer
        return {}


def named(certificate: Any) -> str:
    """Return whom a certificate names, and their organisation."""
    subject = certificate.subject.native
    name, house = subject.get("common_name"), subject.get("organization_name")
    if not isinstance(name, str):
        return short(certificate.subject.human_friendly)
    return short(f"{name} ({house})" if isinstance(house, str) and house != name else name)


async def attempt(form: str, work: Coroutine[Any, Any, Verdict], **known: Any) -> Verdict:
    """Return what `work` finds; whatever the library raises becomes an indication."""
    try:
        return await work
    except SignatureValidationError as error:
        told: AdESSubIndic | None = error.ades_subindication
        if told is None:
            return broken_off(form, error, **known)
        return Verdict(
            form=form,
            indication=_INDICATIONS[told.status],
            subindication=told.standard_name,
            detail=str(error),
            **known,
        )
    # Parser and ASN.1 library raise anything from KeyError to RecursionError on hostile files.
    except Exception as error:  # noqa: BLE001 - becomes an indication, see above
        return broken_off(form, error, **known)
