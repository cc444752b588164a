"""Routing: which department gets the document, and by which rule.

An enclosure goes where its cover goes, unless a person set a department for it. Else, what a
person set on release comes first, then what somebody put on the paper on purpose
(barcode, separator sheet), then what the text says (Aktenzeichen, keywords), then the
default basket. Nothing is left without a desk; where a hint cannot be followed, the reason
says so. A foreign code is used only if a rule of the profile knows its value.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ingest import clock
from ingest.context import StepContext
from ingest.document import Assignment, Cover, Document, Facts, Outcome, RenditionKind, Wait
from profiles import Profile, RoutingRule, is_department

#: More text than this is not searched: 1,000 densely written pages have four million characters.
_MAX_CHARACTERS: Final = 5_000_000
_MAX_REFERENCE: Final = 100
_SHORTEST_WAIT: Final = dt.timedelta(seconds=2)
_LONGEST_WAIT: Final = dt.timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Where the document goes.

    Attributes:
        rule: The key in the profile that decided, e.g. `rules.0.barcode`.
        reason: For clerks, in German.
        case_reference: The Aktenzeichen, None where none was found.
    """

    department: str
    rule: str
    reason: str
    case_reference: str | None = None

    def facts(self) -> Facts:
        """Return the decision as the ledger keeps it."""
        return {
            "department": self.department,
            "rule": self.rule,
            "reason": self.reason,
            "case_reference": self.case_reference,
        }


@dataclass(frozen=True)
class Evidence:
    """What a document offers to the rules; texts are the first page, then everything."""

    released: dict[str, str]
    codes: tuple[str, ...]
    sheet: str | None
    sheet_reference: str | None
    texts: tuple[tuple[str, str], ...]
    doubts: list[str] = field(default_factory=list)


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Decide on the department; every document gets one."""
    document = assignment.document
    if document is None:
        message = f"step {assignment.step} needs a document"
        raise ValueError(message)
    if assignment.cover is not None and "department" not in assignment.released:
        if assignment.cover.department is not None:
            return Outcome(facts=_with(assignment.cover, assignment.cover.department).facts())
        if assignment.cover.on_its_way:
            return Outcome(wait=_for_cover(assignment))
    profile = Profile.model_validate(assignment.profile)
    evidence = Evidence(
        released=assignment.released,
        codes=tuple(_codes(assignment)),
        sheet=_printed(document, "department"),
        sheet_reference=_printed(document, "case_reference"),
        texts=tuple(_texts(assignment, document, context)),
    )
    return Outcome(facts=decide(profile, evidence).facts())


def _with(cover: Cover, department: str) -> Decision:
    """An enclosure goes where its cover goes."""
    return Decision(
        department=department,
        rule="cover",
        reason=f"Anlage; geht mit ihrem Anschreiben (Dokument {cover.document}).",
        case_reference=cover.case_reference,
    )


def _for_cover(assignment: Assignment) -> Wait:
    """Wait a while for the cover, longer the longer it takes: a file of a thousand pages may."""
    now = clock.now()
    pause = (now - assignment.batch.registered_at) / 4
    until = now + min(max(pause, _SHORTEST_WAIT), _LONGEST_WAIT)
    return Wait(reason="Anlage; wartet, bis ihr Anschreiben zugeordnet ist.", until=until)


def decide(profile: Profile, evidence: Evidence) -> Decision:
    """Apply the rules of `profile` in the order that the module describes."""
    rules = profile.routing.rules
    found = (
        _by_person(evidence)
        or _by_barcode(rules, evidence)
        or _by_sheet(rules, evidence)
        or _by_case_reference(rules, evidence)
        or _by_keyword(rules, evidence)
        or Decision(
            department=profile.routing.default,
            rule="default",
            reason="Keine Regel des Profils trifft zu, daher der allgemeine Korb.",
        )
    )
    reason = " ".join([found.reason, *evidence.doubts])
    return Decision(
        department=found.department,
        rule=found.rule,
        reason=reason,
        case_reference=evidence.sheet_reference or found.case_reference,
    )


def _by_person(evidence: Evidence) -> Decision | None:
    wanted = evidence.released.get("department")
    department = _accepted(wanted, "Die bei der Freigabe genannte Abteilung", evidence)
    if department is None:
        return None
    reason = "Abteilung bei der Freigabe des Klärfalls festgelegt."
    return Decision(department=department, rule="released", reason=reason)


def _by_barcode(rules: tuple[RoutingRule, ...], evidence: Evidence) -> Decision | None:
    for number, rule in enumerate(rules):
        for code in evidence.codes:
            if rule.barcode is not None and re.fullmatch(rule.barcode, code):
                return Decision(
                    department=rule.department,
                    rule=f"rules.{number}.barcode",
                    reason=f"Strichcode „{code}“.",
                    case_reference=_own_reference(rule, (code,), evidence),
                )
    return None


def _by_sheet(rules: tuple[RoutingRule, ...], evidence: Evidence) -> Decision | None:
    department = _accepted(evidence.sheet, "Die Abteilung auf dem Trennblatt", evidence)
    if department is None:
        return None
    own = [rule for rule in rules if rule.department == department]
    references = (_own_reference(rule, (), evidence) for rule in own)
    return Decision(
        department=department,
        rule="sheet",
        reason="Abteilung auf dem Trennblatt angegeben.",
        case_reference=next((found for found in references if found), None),
    )


def _by_case_reference(rules: tuple[RoutingRule, ...], evidence: Evidence) -> Decision | None:
    for where, text in evidence.texts:
        for number, rule in enumerate(rules):
            reference = _reference(rule, text)
            if reference:
                return Decision(
                    department=rule.department,
                    rule=f"rules.{number}.case_reference",
                    reason=f"Aktenzeichen „{reference}“ {where}.",
                    case_reference=reference,
                )
    return None


def _by_keyword(rules: tuple[RoutingRule, ...], evidence: Evidence) -> Decision | None:
    for where, text in evidence.texts:
        for number, rule in enumerate(rules):
            for keyword in rule.keywords:
                if _keyword(keyword).search(text):
                    return Decision(
                        department=rule.department,
                        rule=f"rules.{number}.keywords",
                        reason=f"Stichwort „{keyword}“ {where}.",
                    )
    return None


def _accepted(wanted: str | None, what: str, evidence: Evidence) -> str | None:
    """Return `wanted` as a folder name, or note why it cannot be one."""
    if not wanted:
        return None
    department = unicodedata.normalize("NFC", wanted).strip().lower()
    if is_department(department):
        return department
    shown = re.sub(r"[^\w .,-]", "?", wanted)[:40]
    evidence.doubts.append(f"{what} („{shown}“) ist kein zulässiger Name und blieb unbeachtet.")
    return None


def _own_reference(rule: RoutingRule, before: tuple[str, ...], evidence: Evidence) -> str | None:
    texts = [*before, *(text for _, text in evidence.texts)]
    return next((found for text in texts if (found := _reference(rule, text))), None)


def _reference(rule: RoutingRule, text: str) -> str | None:
    if rule.case_reference is None:
        return None
    match = re.search(rule.case_reference, text)
    if match is None:
        return None
    groups = [group for group in match.groups() if group]
    return " ".join((groups[0] if groups else match.group()).split())[:_MAX_REFERENCE] or None


@functools.lru_cache(maxsize=256)
def _keyword(phrase: str) -> re.Pattern[str]:
    words = r"\s+".join(re.escape(word) for word in phrase.split())
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)


def _codes(assignment: Assignment) -> Iterator[str]:
    for page in assignment.pages:
        for code in page.facts.get("examination", {}).get("codes", []):
            text = str(code.get("text", "")).strip()
            if text:
                yield text[:_MAX_REFERENCE]


def _printed(document: Document, name: str) -> str | None:
    """Return what the document's separator sheet said about `name`."""
    said: Any = document.facts.get("separation", {}).get(name)
    return " ".join(said.split())[:_MAX_REFERENCE] if isinstance(said, str) else None


def _texts(
    assignment: Assignment, document: Document, context: StepContext
) -> Iterator[tuple[str, str]]:
    first = assignment.pages[0].words_sha256 if assignment.pages else None
    if first is not None:
        yield "auf der ersten Seite", _page_text(context.read(first))
    whole = document.renditions.get(RenditionKind.TEXT)
    if whole is not None:
        text = context.read(whole.sha256).decode("utf-8", "replace")
        yield "im Text", unicodedata.normalize("NFC", text[:_MAX_CHARACTERS])


def _page_text(words: bytes) -> str:
    lines = json.loads(words).get("lines", [])
    text = "\n".join(" ".join(word["text"] for word in line["words"]) for line in lines)
    return unicodedata.normalize("NFC", text)
