"""Sealing: one signature over page images, text and note together.

The profile says whose. What the installation key makes is an *Installationssignatur*: whoever
has its certificate can show that the file left this installation unchanged. It is called
neither seal nor signature of a person. The organisation's key, which lies in a PKCS#11 token
or at a remote service, makes a *Siegel*. A timestamp is added where an authority is configured;
if that does not answer, the document waits and is never sealed at a lower level instead.

pyHanko is loaded when the first document is sealed: the command line reads keys without it.
"""

from __future__ import annotations

import functools
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes

from ingest.document import OUTGOING, Assignment, Document, Facts, Outcome, RenditionKind
from ingest.errors import CheckFailed, ToolFailed
from workers.sealing.demanded import require_demanded
from workers.sealing.gate import require_note
from workers.sealing.keys import InstallationKey, ensure_installation_key, load_key
from workers.sealing.levels import Means, means, require_means, seal

if TYPE_CHECKING:
    from ingest.context import StepContext
    from workers.sealing.port import SigningKey

__all__ = ["ensure_installation_key", "perform"]

#: What each key makes, as people are told.
NAMES: Final = MappingProxyType({"installation": "Installationssignatur", "organisation": "Siegel"})
_NO_PDF: Final = "keine PDF/A mit Scanvermerk vorhanden, das Original bleibt unverändert"
_OWN_RUNGS: Final = frozenset({"image", "rendered"})


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Seal the noted PDF, prove the seal and return the final PDF.

    Raises:
        AuthorityUnavailable: No timestamp authority answers properly, or token or service with the
            organisation's key is away.
        Misconfigured: The profile wants a timestamp or an organisation's seal and the
            installation has no authority or no such key, or the key cannot be used, or its
            certificate is not qualified where the class demands it.
        TrustUnknown: The class demands a qualified certificate, and no list says what it is.
        NoteIncomplete: A replacing scan has no whole transfer note of its own, see `gate`.
        CheckFailed: A replacing scan came as a PDF that takes no seal.
        ToolFailed: Our own file could not be signed, or the fresh seal does not hold.
    """
    document = assignment.document
    if document is None:
        message = f"step {assignment.step} needs a document"
        raise ValueError(message)
    if assignment.batch.envelope.channel == OUTGOING:
        return _outgoing(assignment, context, document)
    noted = document.renditions.get(RenditionKind.NOTED)
    wanted: str = assignment.profile["sealing"]["key"]
    replacing = assignment.profile["treatment"] == "replacing" and require_note(
        assignment, document, context
    )
    bound = replacing or _is_bound(assignment, document)
    if noted is None:
        return _unsealed(document, wanted, _NO_PDF, bound=bound)
    configured = context.settings.sealing
    require_means(assignment.profile, configured)
    with_what = means(assignment.profile["sealing"], configured, key_of(assignment, context))
    qualified = require_demanded(assignment, context.settings.validation, with_what)
    target = context.workspace / "sealed.pdf"
    validated = _seal(document, context.path(noted.sha256), target, with_what)
    if isinstance(validated, str):
        return _unsealed(document, wanted, validated, bound=bound)
    sealed = context.rendition(
        RenditionKind.PDF,
        target,
        media_type="application/pdf",
        parent=noted.sha256,
        tool=tool(),
        settings={"level": with_what.level, "kind": with_what.key.kind},
    )
    facts = {**_facts(with_what), "validated": validated, **qualified}
    return Outcome(renditions=(sealed,), facts=facts)


def _facts(with_what: Means) -> Facts:
    key, stamper = with_what.key, with_what.stamper
    facts: Facts = {
        "level": with_what.level,
        "kind": key.kind,
        "certificate_sha256": key.certificate.fingerprint(hashes.SHA256()).hex(),
        "subject": key.certificate.subject.rfc4514_string(),
        "not_valid_after": key.certificate.not_valid_after_utc.isoformat(),
        "tsa": None if stamper is None else stamper.used,
    }
    if stamper is not None and stamper.passed_over:
        facts["tsa_passed_over"] = stamper.passed_over
    return facts


def _outgoing(assignment: Assignment, context: StepContext, document: Document) -> Outcome:
    from workers.sealing.outgoing import leave

    configured = context.settings.sealing
    require_means(assignment.profile, configured)
    with_what = means(assignment.profile["sealing"], configured, key_of(assignment, context))
    require_demanded(assignment, context.settings.validation, with_what)
    return leave(assignment, context, document, with_what, tool())


def _seal(
    document: Document,
    noted: Path,
    target: Path,
    with_what: Means,
) -> str | bool:
    """Write the sealed file and tell if pyHanko looked at it; or why a foreign file takes none."""
    from workers.sealing.opinion import confirm
    from workers.sealing.proof import SealBroken, prove
    from workers.sealing.signing import NotSignable

    name = NAMES[with_what.key.kind]
    try:
        seal(noted, target, document.id, with_what)
        made = prove(target, noted, with_what.key, with_what.level)
        return confirm(target, made, with_what)
    except (NotSignable, SealBroken) as error:
        if document.facts.get("composition", {}).get("rung", "image") not in _OWN_RUNGS:
            return f"die fremde PDF nimmt {'kein' if name == 'Siegel' else 'keine'} {name} an"
        text = (
            f"Dokument {document.id}: {name} ist misslungen ({error}). "
            "Es wird wieder versucht; bitte bei Wiederholung den Hersteller unterrichten."
        )
        raise ToolFailed(f"document {document.id}: {error}", operator_text=text) from error


def _is_bound(assignment: Assignment, document: Document) -> bool:
    """Tell whether a scan goes on sealed or not at all: from high integrity on, copies too.

    What others sent is never stopped for its form and goes on with the finding.
    """
    protection: Facts = assignment.profile.get("protection") or {}
    electronic = assignment.batch.source(document.source).facts.get("electronic")
    return protection.get("integrity") in ("high", "very_high") and not electronic


def _unsealable(document: Document, refusal: str) -> CheckFailed:
    text = (
        f"Dokument {document.id}: {refusal}. In dieser Klasse geht ohne Sicherung nichts weiter "
        "und wird kein Papier ersetzt. Bitte das Papier neu scannen (als TIFF oder JPEG)."
    )
    return CheckFailed(f"document {document.id}: {refusal}", operator_text=text)


def _unsealed(document: Document, wanted: str, reason: str, *, bound: bool) -> Outcome:
    if bound:
        raise _unsealable(document, reason)
    return Outcome(facts={"level": None, "kind": None, "wanted": wanted, "reason": reason})


@functools.lru_cache(maxsize=1)
def _loaded(path: Path, identity: tuple[int, int]) -> InstallationKey:
    del identity  # part of the cache's key: another file is another key
    return load_key(path)


def key_of(assignment: Assignment, context: StepContext) -> SigningKey:
    """Return the key that the document's class is sealed with.

    Raises:
        AuthorityUnavailable: Token or service with it is away.
        Misconfigured: It cannot be used.
    """
    settings = context.settings
    if assignment.profile["sealing"]["key"] == "organisation":
        from workers.sealing.organisation import organisation_key

        return organisation_key(settings.sealing, settings.keys)
    path = ensure_installation_key(settings.keys)
    found = path.stat()
    return _loaded(path, (found.st_ino, found.st_mtime_ns))


@functools.cache
def tool() -> str:
    """Return what sealed, with its version."""
    return f"scanstrasse sealing/1, pyHanko {metadata.version('pyhanko')}"
