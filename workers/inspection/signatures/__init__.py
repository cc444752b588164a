"""Signatures of what came in: each is validated where it lies, and what was found is told.

Bytes stay as they are. PDF, CMS with its content inside or beside it in the same batch, signed
mail and ASiC with CAdES are validated; other kinds are named as *nicht maschinell geprüft*.
Nothing here stops an arrival: whatever a file or a library does becomes an indication, and what
takes too long or is too large is left to people. pyHanko is loaded with the first signed file.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ingest import clock
from ingest.context import StepContext
from ingest.document import (
    VALIDATION,
    Assignment,
    Facts,
    Rendition,
    RenditionKind,
    Source,
    SourceKind,
)
from workers.inspection.files import Inspected, finding

if TYPE_CHECKING:
    from workers.inspection.signatures.cms import Container
    from workers.inspection.signatures.engine import Policy
    from workers.inspection.signatures.service import Answer
    from workers.inspection.signatures.verdicts import Verdict
    from workers.trust.anchors import Anchors

#: For all files of one arrival; what is left then is left to people.
_SECONDS: Final = 120.0
_TOLD: Final = 20
_XML_SIGNATURE: Final = b"http://www.w3.org/2000/09/xmldsig#"
_XML_SEARCHED: Final = 4 * 1024**2
_MAYBE: Final = frozenset(
    {SourceKind.PDF, SourceKind.CMS, SourceKind.ASIC, SourceKind.MAIL, SourceKind.XML}
)


@dataclass
class Found:
    """What was found about the signatures of one file.

    Attributes:
        unchecked: What could not be validated here, and why; German.
        content: The file that a signature beside it covers.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    content: Source | None = None


class Signatures:
    """Validates the signatures of one batch."""

    def __init__(
        self, assignment: Assignment, context: StepContext, found: list[Inspected]
    ) -> None:
        """Take the sources as they were inspected."""
        self._context = context
        self._settings = context.settings.validation
        self._found = found
        self._deadline = time.monotonic() + _SECONDS
        self._anchors: Anchors | None = None
        self._beside: dict[int, list[Facts]] = {}
        self._digests: dict[tuple[str, str], bytes] = {}
        # As with enclosures: the last attempt does without what may have ended those before.
        last = context.settings.workers.attempts
        self._given_up = assignment.attempt >= last > 1
        self.reports: list[Rendition] = []

    def validated(self) -> list[Inspected]:
        """Return the sources with what was found; `reports` are made along the way.

        Raises:
            Misconfigured: Whom the house trusts cannot be read.
        """
        told = [self._told(inspected) for inspected in self._found]
        return [self._with_beside(inspected) for inspected in told]

    def _told(self, inspected: Inspected) -> Inspected:
        source = inspected.source
        if source.kind not in _MAYBE or not source.size:
            return inspected
        found = self._looked_at(source)
        if not found.verdicts and not found.unchecked:
            return inspected
        facts = self._facts(source, found)
        if found.content is not None:
            entry = {
                "source": source.ordinal,
                "look": facts["look"],
                "text": f"Signaturdatei „{source.name}“: {facts['text']}",
                "signatures": facts["signatures"],
            }
            self._beside.setdefault(found.content.ordinal, []).append(entry)
        return _with(inspected, facts, [finding("signature", text) for text in _texts(facts)])

    def _with_beside(self, inspected: Inspected) -> Inspected:
        beside = self._beside.get(inspected.source.ordinal)
        if not beside:
            return inspected
        facts = {"signatures": [], **inspected.source.facts.get(VALIDATION, {}), "beside": beside}
        told = [finding("signature_beside", entry["text"]) for entry in beside]
        return _with(inspected, facts, told)

    def _looked_at(self, source: Source) -> Found:
        reason = self._reason_not_to(source)
        signed = source.facts.get("signed") or source.facts.get("as_is")
        if source.kind is SourceKind.PDF and not signed:
            return Found()
        path = self._context.path(source.sha256)
        if source.kind is SourceKind.XML:
            return Found(unchecked=["XML-Signatur"]) if _has_xml_signature(path) else Found()
        if reason:
            return Found() if source.kind is SourceKind.MAIL else Found(unchecked=[reason])
        from workers.inspection.signatures.engine import Overdue

        try:
            return self._by_kind(source, path)
        except Overdue as error:
            return Found(unchecked=[f"Abbruch: {error}"])

    def _reason_not_to(self, source: Source) -> str:
        if source.opened_sha256 is not None:
            return "mit Kennwort verschlossen eingegangen"
        if self._given_up:
            return "beim Prüfen mehrfach abgebrochen"
        if source.size > self._settings.max_bytes:
            return f"größer als {self._settings.max_bytes // 1024**2} MiB"
        if time.monotonic() > self._deadline:
            return "zu viele signierte Dateien in einem Eingang"
        return ""

    def _by_kind(self, source: Source, path: Path) -> Found:
        from workers.inspection.signatures import asic, mail, pdf
        from workers.inspection.signatures.cms import Unchecked

        workspace, policy = self._context.workspace, self._policy()
        try:
            if source.kind is SourceKind.PDF:
                return Found(pdf.verdicts(path, policy))
            if source.kind is SourceKind.MAIL:
                return Found(mail.verdicts(path, workspace, policy))
            if source.kind is SourceKind.ASIC:
                contents = asic.contents(path, workspace, policy)
                return Found(contents.verdicts, contents.unchecked)
            return self._of_cms(source, path, policy)
        except Unchecked as error:
            return Found(unchecked=[str(error)])

    def _of_cms(self, source: Source, path: Path, policy: Policy) -> Found:
        from workers.inspection.signatures import cms

        container = cms.opened(path.read_bytes())
        if not isinstance(container, cms.Container):
            return Found([container])
        content = self._content_of(source, container) if container.is_detached else None
        signed = None if content is None else self._context.path(content.sha256)
        return Found(cms.verdicts(container, signed, "CMS", policy), content=content)

    def _content_of(self, source: Source, container: Container) -> Source | None:
        """Find what a signature beside its content is about: by digest, else by its name."""
        others = [one.source for one in self._found if one.source.ordinal != source.ordinal]
        for algorithm, digest in container.imprints():
            for other in others:
                if self._digest(other, algorithm) == digest:
                    return other
        stem = source.name.rpartition(".")[0]
        return next((one for one in others if one.name == stem), None)

    def _digest(self, source: Source, algorithm: str) -> bytes:
        from workers.inspection.signatures.cms import digest_of

        if algorithm == "sha256":
            return bytes.fromhex(source.sha256)
        key = (source.sha256, algorithm)
        if key not in self._digests:
            self._digests[key] = digest_of(self._context.path(source.sha256), algorithm)
        return self._digests[key]

    def _policy(self) -> Policy:
        from workers.inspection.signatures.engine import Policy

        online = self._settings.revocation == "online"
        return Policy(anchors=self._trusted(), now=clock.now(), online=online)

    def _trusted(self) -> Anchors:
        if self._anchors is None:
            from workers.trust.anchors import load

            self._anchors = load(self._settings, clock.now())
        return self._anchors

    def _facts(self, source: Source, found: Found) -> Facts:
        answer = self._service(source)
        signatures = [verdict.facts() for verdict in found.verdicts]
        anchors, now = self._trusted().facts(), clock.now()
        facts: Facts = {
            "signatures": signatures,
            "unchecked": found.unchecked,
            "content": None if found.content is None else found.content.name,
            "service": None if answer is None else answer.facts(),
            "validated_at": now.isoformat(),
            "anchors": anchors,
            "revocation": self._settings.revocation,
            "tool": _tool(),
            "look": self._needs_a_look(found, answer),
        }
        facts["report_sha256"] = self._report(source, found, facts)
        facts["text"] = " ".join(_texts(facts))
        return facts

    def _needs_a_look(self, found: Found, answer: Answer | None) -> bool:
        """Tell whether a person must look.

        What stays open goes to a person only where the house has said whom it trusts (TR-03138,
        L 3): before, everything stays open and the list of looks would hold every signed file.
        A service that the house asks may close what stays open here.
        """
        worst = None if answer is None else answer.worst
        if any(one.is_suspect for one in found.verdicts):
            return True
        if worst is not None:
            return worst != "TOTAL_PASSED"
        is_open = any(one.indication == "INDETERMINATE" for one in found.verdicts)
        return is_open and self._settings.has_anchors

    def _report(self, source: Source, found: Found, facts: Facts) -> str | None:
        if not found.verdicts:
            return None
        from workers.inspection.signatures.report import MEDIA_TYPE, rendered

        content = rendered(found.verdicts, source.sha256, facts)
        return self._kept(source, content, MEDIA_TYPE, _tool())

    def _service(self, source: Source) -> Answer | None:
        url = self._settings.service_url
        if url is None or source.size > self._settings.max_bytes:
            return None
        from workers.inspection.signatures.service import asked

        path, seconds = self._context.path(source.sha256), self._settings.service_timeout_seconds
        answer = asked(url, path, source.name, source.kind.media_type, seconds)
        if answer.report:
            self._kept(source, answer.report, answer.media_type, f"Prüfdienst {answer.host}")
        return answer

    def _kept(self, source: Source, content: bytes, media_type: str, tool: str) -> str:
        made = self._context.rendition(
            RenditionKind.VALIDATION_REPORT,
            content,
            media_type=media_type,
            parent=source.sha256,
            tool=tool,
            settings={"source": source.ordinal},
        )
        self.reports.append(made)
        return made.sha256


def _texts(facts: Facts) -> Iterator[str]:
    """Yield the sentences about a file, each kind once."""
    texts = list(dict.fromkeys(one["text"] for one in facts["signatures"]))
    yield from texts[:_TOLD]
    if len(texts) > _TOLD:
        yield f"Weitere {len(texts) - _TOLD} Signaturen: siehe Prüfbericht."
    for reason in facts["unchecked"]:
        yield f"Signatur nicht maschinell geprüft ({reason}); bitte das Original ansehen."
    if facts["service"] is not None:
        yield facts["service"]["text"]


def _with(inspected: Inspected, validation: Facts, told: list[Facts]) -> Inspected:
    facts = inspected.source.facts
    changed = {**facts, VALIDATION: validation, "findings": [*facts["findings"], *told]}
    if validation["signatures"] and not facts.get("signed"):
        changed |= {"signed": True, "signatures": len(validation["signatures"])}
    return replace(inspected, source=replace(inspected.source, facts=changed))


def _has_xml_signature(path: Path) -> bool:
    with path.open("rb") as file:
        head: Any = file.read(_XML_SEARCHED)
    return _XML_SIGNATURE in head


def _tool() -> str:
    return f"scanstrasse validation/1, pyHanko {metadata.version('pyhanko')}"
