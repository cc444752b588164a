"""SEPARATION: the pages of a stack become documents, and no page is lost on the way.

Scanned sources of one batch are one stack in the order given. It is cut at every separator
sheet and, where the profile says so, before every new archive number. The sheet itself and
the blank side that follows it (its back) go into no document. An electronic original is never
joined with its neighbours, and never cut where the file itself is the evidence: signed, with
enclosures, a form.

Every page is in exactly one document or listed as omitted, with the reason; an operator decides
where the machine cannot: damaged sheets, pages that do not decode, counts that differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from ingest.context import StepContext
from ingest.document import (
    Assignment,
    Batch,
    Facts,
    Outcome,
    Page,
    PageRole,
    Part,
    Source,
    is_operator_code,
)
from ingest.errors import CountMismatch, SeparatorUnreadable, Unclear, Unreadable
from profiles import Profile
from profiles.model import SeparationRules
from workers.separation import DETECTOR
from workers.separation.neighbours import duplicates, overlong

#: Facts that make a source evidence as a whole.
_WHOLE: Final = ("signed", "attachments", "portfolio", "acroform", "xfa", "as_is")
#: What a sheet's payload says about the document behind it.
_HINTS: Final = {
    "DEP": "department",
    "REC": "received_at",
    "CASE": "case_reference",
    "OP": "operator",
    "DEV": "device",
    "LOC": "storage_place",
}


@dataclass(kw_only=True)
class Cuts:
    """The result: every page is in one of `parts` or in `omitted`."""

    parts: list[Part] = field(default_factory=list)
    roles: dict[int, PageRole] = field(default_factory=dict)
    omitted: list[Facts] = field(default_factory=list)

    def omit(self, page: Page, kind: str, role: PageRole | None = None) -> None:
        """Leave `page` out of all documents, and say why."""
        self.omitted.append({"page": page.number, "kind": kind})
        if role is not None:
            self.roles[page.number] = role


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Cut the batch of `assignment` into documents.

    Raises:
        CountMismatch: The operator counted other sheets than were scanned.
        SeparatorUnreadable: A page looks like a separator sheet but cannot be read.
        Unreadable: A scanned page does not decode.
        Unclear: No page is left to deliver.
    """
    rules = Profile.model_validate(assignment.profile).separation
    batch, pages, released = assignment.batch, assignment.pages, assignment.released
    if released.get("blank") == "keep":
        rules = rules.model_copy(update={"blank": "keep"})
    _check_pages(batch, pages, released)
    if rules.enabled and "sheet" in rules.by and released.get("not_a_separator") != "yes":
        _check_suspects(batch, pages)
    if released.get("count") != "accepted":
        _check_count(batch, pages, rules)
    cuts = cut(batch, pages, rules, as_is=released.get("as_is") == "yes")
    if not cuts.parts:
        raise Unclear(
            "only separator sheets and blank pages",
            code="nothing_to_deliver",
            operator_text=(
                f"Der Stapel {_names(batch)} enthält nur Trennblätter oder leere Seiten. Bitte"
                " das Papier prüfen und den Stapel zurückweisen, oder mit 'blank=keep' freigeben."
            ),
        )
    return Outcome(
        parts=tuple(cuts.parts),
        roles=cuts.roles,
        facts={
            "omitted": cuts.omitted,
            "duplicates": duplicates(batch, pages, context),
            "overlong": overlong(batch, pages),
            "detector": DETECTOR,
            "findings": [*_uncounted(batch, pages), *_refused_numbers(pages, rules)],
        },
    )


def cut(batch: Batch, pages: Sequence[Page], rules: SeparationRules, *, as_is: bool) -> Cuts:
    """Assign every page to a document or to the omitted ones. Decides nothing a person has to.

    Args:
        batch: The sources with what inspection found.
        pages: All pages in arrival order, examined.
        rules: The profile's.
        as_is: Sources with pages that do not decode are delivered as they came, without pages.
    """
    cuts = Cuts()
    by_source = {number: list(group) for number, group in groupby(pages, lambda page: page.source)}
    stack: list[Page] = []
    for source in batch.sources:
        own = by_source.get(source.ordinal, [])
        if own and _joins(source, rules) and not (as_is and _any_undecodable(own)):
            stack += own
            continue
        _cut_stack(stack, rules, cuts)
        stack = []
        _cut_alone(source, own, rules, cuts, as_is=as_is)
    _cut_stack(stack, rules, cuts)
    return cuts


def _joins(source: Source, rules: SeparationRules) -> bool:
    return rules.enabled and not source.facts.get("electronic", False)


def _cut_alone(
    source: Source, pages: list[Page], rules: SeparationRules, cuts: Cuts, *, as_is: bool
) -> None:
    """Cut a source that is not joined with others."""
    electronic = bool(source.facts.get("electronic", False))
    if not pages or (as_is and _any_undecodable(pages)):
        for page in pages:
            cuts.omit(page, "unreadable")
        cuts.parts.append(Part(pages=(), source=source.ordinal, hints=_as_is_hints(pages)))
        return
    whole = not rules.enabled or any(source.facts.get(fact) for fact in _WHOLE)
    if electronic:
        # The original lies beside the rendition: nothing is left out of it but separator sheets.
        rules = rules.model_copy(update={"blank": "keep"})
    _cut_stack(pages, rules.model_copy(update={"by": ()}) if whole else rules, cuts)


def _as_is_hints(pages: list[Page]) -> Facts:
    return {"as_is": True, "anomalies": _anomalies(pages)} if pages else {}


def _cut_stack(pages: Iterable[Page], rules: SeparationRules, cuts: Cuts) -> None:
    """Cut pages that lie one behind the other."""
    current: list[Page] = []
    hints: Facts = {}
    back_of_sheet = False
    for page in pages:
        facts = _examined(page)
        is_back, back_of_sheet = back_of_sheet and _is_blank(page), False
        if "sheet" in rules.by and facts.get("separator"):
            _close(current, hints, cuts)
            current, hints = [], _sheet_hints(page.number, facts["separator"])
            cuts.omit(page, "separator", PageRole.SEPARATOR)
            back_of_sheet = True
            continue
        if _is_blank(page):
            cuts.roles[page.number] = PageRole.BLANK_SUSPECT
            if is_back or rules.blank == "omit":
                cuts.omit(page, "blank")
                continue
        asn = facts.get("asn") if "asn" in rules.by else None
        if asn is not None and asn != hints.get("asn"):
            if current:
                _close(current, hints, cuts)
                current, hints = [], {}
            hints = {**hints, "asn": asn}
        current.append(page)
    _close(current, hints, cuts)


def _close(pages: list[Page], hints: Facts, cuts: Cuts) -> None:
    """Make a document of `pages`; those that do not decode are left out and named."""
    legible = [page for page in pages if not _examined(page).get("undecodable")]
    for page in pages:
        if page not in legible:
            cuts.omit(page, "unreadable")
    if not pages:
        return
    if anomalies := [*hints.get("anomalies", ()), *_anomalies(pages)]:
        hints = {**hints, "anomalies": anomalies}
    numbers = tuple(page.number for page in legible)
    cuts.parts.append(Part(pages=numbers, source=pages[0].source, hints=hints))


def _anomalies(pages: Iterable[Page]) -> list[Facts]:
    return [
        {"code": "unreadable_page", "page": page.number, "text": _examined(page)["undecodable"]}
        for page in pages
        if _examined(page).get("undecodable")
    ]


def _sheet_hints(number: int, separator: Facts) -> Facts:
    """Return what the sheet on page `number` says, without what may be somebody's name."""
    payload = dict(separator.get("payload") or {})
    anomalies = []
    if payload.get("OP") and not is_operator_code(payload["OP"]):
        del payload["OP"]
        text = "Trennblatt nennt kein Kürzel der scannenden Person; die Angabe ist nicht übernommen"
        anomalies.append({"code": "operator_refused", "page": number, "text": text})
    hints = {name: payload[key] for key, name in _HINTS.items() if payload.get(key)}
    found: Facts = {**hints, "sheet": payload} if payload else {}
    return {**found, "anomalies": anomalies} if anomalies else found


def _examined(page: Page) -> Facts:
    facts: Facts = page.facts.get("examination", {})
    return facts


def _is_blank(page: Page) -> bool:
    """Tell whether nothing is on the page, neither pixels nor text."""
    return bool(_examined(page).get("blank")) and not page.facts.get("inspection", {}).get("text")


def _any_undecodable(pages: Iterable[Page]) -> bool:
    return any(_examined(page).get("undecodable") for page in pages)


def _is_scan(batch: Batch, page: Page) -> bool:
    return not batch.source(page.source).facts.get("electronic", False)


def _check_pages(batch: Batch, pages: Sequence[Page], released: dict[str, str]) -> None:
    """Hold a scan with pages that do not decode: the paper is still there to be scanned again."""
    if "yes" in {released.get("skip_unreadable"), released.get("as_is")}:
        return
    bad = [page for page in pages if _is_scan(batch, page) and _any_undecodable([page])]
    if not bad:
        return
    reason = _examined(bad[0])["undecodable"]
    raise Unreadable(
        f"pages do not decode: {[page.number for page in bad]}",
        operator_text=(
            f"{_names(batch)}: {_pages(bad)} nicht lesbar ({reason}) Bitte erneut scannen und"
            " diesen Stapel zurückweisen, oder freigeben mit 'skip_unreadable=yes' (ohne diese"
            " Seiten) oder 'as_is=yes' (Datei unverändert weitergeben)."
        ),
    )


def _check_suspects(batch: Batch, pages: Sequence[Page]) -> None:
    suspects = [
        page for page in pages if _is_scan(batch, page) and _examined(page).get("separator_suspect")
    ]
    if suspects:
        raise SeparatorUnreadable(
            f"damaged separator sheets: {[page.number for page in suspects]}",
            operator_text=(
                f"{_names(batch)}: {_pages(suspects)} sieht aus wie ein Trennblatt, ist aber nicht"
                " lesbar. Bitte mit sauberem Trennblatt erneut scannen, oder mit"
                " 'not_a_separator=yes' freigeben, wenn es keines ist."
            ),
        )


def _check_count(batch: Batch, pages: Sequence[Page], rules: SeparationRules) -> None:
    """Compare with the operator's count: simplex or duplex, separator sheets counted or not.

    A station that delivers PDF counts like any other, so electronic pages count as well; beside
    scans they may have been left out of the count.
    """
    expected = batch.envelope.expected_sheets
    if expected is None or not pages:
        return
    scanned = [page for page in pages if _is_scan(batch, page)]
    if expected in _counts(scanned, rules) or expected in _counts(pages, rules):
        return
    counted = scanned or pages
    total, sheets = len(counted), _separators(counted, rules)
    raise CountMismatch(
        f"{expected} sheets announced, {total} pages with {sheets} separator sheets found",
        operator_text=(
            f"{_names(batch)}: angekündigt sind {expected} Blatt, angekommen {total} Seiten"
            f" (davon {sheets} Trennblätter). Bitte das Papier nachzählen und erneut scannen, oder"
            " mit 'count=accepted' freigeben."
        ),
    )


def _counts(pages: Sequence[Page], rules: SeparationRules) -> set[float]:
    """Return every count of sheets that fits `pages`."""
    total, sheets = len(pages), _separators(pages, rules)
    return {total, total - sheets, total / 2, total / 2 - sheets} if pages else set()


def _separators(pages: Sequence[Page], rules: SeparationRules) -> int:
    if not (rules.enabled and "sheet" in rules.by):
        return 0
    return sum(1 for page in pages if _examined(page).get("separator"))


def _uncounted(batch: Batch, pages: Sequence[Page]) -> Iterable[Facts]:
    """Say where the operator's count could not be compared with anything."""
    expected = batch.envelope.expected_sheets
    if expected is not None and not pages:
        text = (
            f"Zählung nicht geprüft: angekündigt sind {expected} Blatt, die Datei hat keine Seiten."
        )
        yield {"code": "count_not_checked", "text": text}


def _refused_numbers(pages: Sequence[Page], rules: SeparationRules) -> Iterable[Facts]:
    if "asn" not in rules.by:
        return
    for page in pages:
        if text := _examined(page).get("asn_refused"):
            yield {
                "code": "asn_out_of_range",
                "page": page.number,
                "text": f"Seite {page.number}: Archivnummer {text} ist zu groß und wird ignoriert.",
            }


def _names(batch: Batch) -> str:
    first = f"„{batch.sources[0].name}“"
    more = len(batch.sources) - 1
    return f"{first} und {more} weitere" if more else first


def _pages(pages: Sequence[Page]) -> str:
    numbers = ", ".join(str(page.number) for page in pages[:20])
    return f"Seite {numbers}" if len(pages) == 1 else f"Seiten {numbers}"
