"""Sealing: the installation's signature over page images, text and note together.

What the installation key makes is an *Installationssignatur*: whoever has its certificate
can show that the file left this installation unchanged. It is called neither seal nor
signature of a person. A timestamp is added where an authority is configured; if that does
not answer, the document waits and is never sealed at a lower level instead.

pyHanko is loaded when the first document is sealed: the command line reads keys without it.
"""

from __future__ import annotations

import functools
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ingest.document import Assignment, Document, Facts, Outcome, RenditionKind
from ingest.errors import Misconfigured, ToolFailed
from workers.sealing.keys import InstallationKey, ensure_installation_key, load_key

if TYPE_CHECKING:
    from ingest.context import StepContext
    from ingest.settings import SealingSettings
    from workers.sealing.timestamps import TimestampAuthorities

__all__ = ["ensure_installation_key", "perform"]

_OWN_RUNGS: Final = frozenset({"image", "rendered"})


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Seal the noted PDF, prove the seal and return the final PDF.

    Raises:
        AuthorityUnavailable: The timestamp authority does not answer properly.
        Misconfigured: The profile wants a timestamp and no authority is configured, or the
            key cannot be used.
        ToolFailed: Our own file could not be signed, or the fresh seal does not hold.
    """
    document = assignment.document
    if document is None:
        message = f"step {assignment.step} needs a document"
        raise ValueError(message)
    noted = document.renditions.get(RenditionKind.NOTED)
    if noted is None:
        return _unsealed("keine PDF/A mit Scanvermerk vorhanden, das Original bleibt unverändert")
    stamper = _stamper(assignment, context.settings.sealing)
    key = _key(ensure_installation_key(context.settings.keys))
    target = context.workspace / "sealed.pdf"
    refusal = _seal(document, context.path(noted.sha256), target, key, stamper)
    if refusal is not None:
        return _unsealed(refusal)
    level = "B-B" if stamper is None else "B-T"
    settings = {"level": level, "kind": "installation"}
    sealed = context.rendition(
        RenditionKind.PDF,
        target,
        media_type="application/pdf",
        parent=noted.sha256,
        tool=_tool(),
        settings=settings,
    )
    facts: Facts = {
        **settings,
        "certificate_sha256": key.certificate_sha256,
        "subject": key.certificate.subject.rfc4514_string(),
        "not_valid_after": key.certificate.not_valid_after_utc.isoformat(),
        "tsa": None if stamper is None else stamper.used,
    }
    if stamper is not None and stamper.passed_over:
        facts["tsa_passed_over"] = stamper.passed_over
    return Outcome(renditions=(sealed,), facts=facts)


def _seal(
    document: Document,
    noted: Path,
    target: Path,
    key: InstallationKey,
    stamper: TimestampAuthorities | None,
) -> str | None:
    """Write the sealed file, or return why a foreign file cannot take a seal."""
    from workers.sealing.proof import SealBroken, prove
    from workers.sealing.signing import FIELD_PREFIX, NotSignable, sign

    try:
        sign(noted, target, key, FIELD_PREFIX + document.id, stamper)
        prove(target, noted, key)
    except (NotSignable, SealBroken) as error:
        if document.facts.get("composition", {}).get("rung", "image") not in _OWN_RUNGS:
            return "die fremde PDF nimmt keine Installationssignatur an"
        text = (
            f"Dokument {document.id}: Die Installationssignatur ist misslungen ({error}). "
            "Es wird wieder versucht; bitte bei Wiederholung den Hersteller unterrichten."
        )
        raise ToolFailed(f"document {document.id}: {error}", operator_text=text) from error
    return None


def _unsealed(reason: str) -> Outcome:
    return Outcome(facts={"level": None, "kind": None, "reason": reason})


@functools.lru_cache(maxsize=1)
def _loaded(path: Path, identity: tuple[int, int]) -> InstallationKey:
    del identity  # part of the cache's key: another file is another key
    return load_key(path)


def _key(path: Path) -> InstallationKey:
    found = path.stat()
    return _loaded(path, (found.st_ino, found.st_mtime_ns))


def _stamper(assignment: Assignment, settings: SealingSettings) -> TimestampAuthorities | None:
    wanted: Any = assignment.profile["sealing"]["timestamp"]
    if not settings.authorities:
        if wanted:
            text = (
                f"Profil '{assignment.profile['name']}' verlangt einen Zeitstempel, aber "
                "sealing.tsa_urls ist nicht gesetzt. Bitte Dienst eintragen oder Profil ändern."
            )
            raise Misconfigured("profile wants a timestamp, no tsa_urls", operator_text=text)
        return None
    from workers.sealing.timestamps import TimestampAuthorities, load_roots

    roots = load_roots(settings.tsa_roots)
    return TimestampAuthorities(settings.authorities, roots, settings.tsa_timeout_seconds)


@functools.cache
def _tool() -> str:
    return f"scanstrasse sealing/1, pyHanko {metadata.version('pyhanko')}"
