"""SEPARATION: the pages of a stack become documents, and no page is lost on the way.

A stack is cut as its profile says: at separator sheets and patch codes, before every new
archive number, at blank sheets, or after so many sheets. What separates goes into no document,
and a sheet's blank back goes with it. An electronic original is never joined with its
neighbours, and never cut where the file itself is the evidence: signed, with enclosures, a form.

Every page is in exactly one document or listed as omitted, with the reason; an operator decides
where the machine cannot: damaged sheets, statements that cannot hold, pages that do not
decode, counts that differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ingest.context import StepContext
from ingest.document import (
    OUTGOING,
    Assignment,
    Batch,
    Facts,
    Outcome,
    Page,
    PageRole,
    Part,
    Sides,
    Step,
)
from ingest.errors import SeparatorUnreadable, Unclear, Unreadable
from profiles import Profile
from profiles.model import SeparationRules
from workers.separation import DETECTOR, counted, counting, laying, statements
from workers.separation.classes import with_classes
from workers.separation.evidence import (
    PATCH_NAMES,
    any_undecodable,
    examined,
    is_blank,
    is_suspect,
    names,
    numbers,
)
from workers.separation.laying import Run
from workers.separation.neighbours import duplicates, overlong
from workers.separation.sorting import Sorted, sort
from workers.separation.statements import Statement

#: What a sheet may say without promising a document: its own number and kind.
_SAYS_NOTHING: Final = {"SEP", "NO"}


@dataclass(kw_only=True)
class Cuts:
    """The result: every page is in one of `parts` or in `omitted`.

    Attributes:
        announced: What cover sheets said of their documents' length.
    """

    parts: list[Part] = field(default_factory=list)
    roles: dict[int, PageRole] = field(default_factory=dict)
    omitted: list[Facts] = field(default_factory=list)
    findings: list[Facts] = field(default_factory=list)
    announced: list[counting.Announced] = field(default_factory=list)
    _settled: int = 0

    def omit(self, page: Page, kind: str, reason: str, role: PageRole | None = None) -> None:
        """Leave `page` out of all documents, and say why.

        The entry belongs to the document that is added next, if one is.
        """
        entry = {
            "page": page.number,
            "kind": kind,
            "reason": reason,
            "sha256": page.sha256,
            "detector": examined(page).get("detector", DETECTOR),
            "document": None,
        }
        self.omitted.append(entry)
        if role is not None:
            self.roles[page.number] = role

    def add(self, part: Part) -> None:
        """Add a document; what was left out since the last one belongs to it."""
        self.parts.append(part)
        for entry in self.omitted[self._settled :]:
            entry["document"] = len(self.parts)
        self.settle()

    def settle(self) -> None:
        """Let what was left out so far belong to no later document."""
        self._settled = len(self.omitted)


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Cut the batch of `assignment` into documents.

    Raises:
        CountMismatch: People counted otherwise than was scanned, or two passes do not fit.
        SeparatorUnreadable: A page looks like a separator sheet but cannot be read.
        SheetInvalid: A separator sheet says what cannot hold.
        Unreadable: A scanned page does not decode.
        ReceivedDateMissing: A document's class needs the date of receipt.
        Unclear: No page is left to deliver, or a sheet names a class that cannot be used.
    """
    if assignment.batch.envelope.channel == OUTGOING:
        return Outcome(parts=(Part(pages=(), source=1, begins=Step.SEALING),))
    batch, released = counted.recounted(assignment), assignment.released
    rules = _rules(assignment)
    found = laying.runs(batch, assignment.pages, rules, as_is=released.get("as_is") == "yes")
    _check_pages(batch, found, released)
    if released.get("not_a_separator") != "yes":
        _check_suspects(batch, found)
    house = context.settings.profiles
    said = statements.read(found, lambda name: statements.class_problem(name, house))
    if released.get("sheet") != "ignored":
        statements.check(batch, said.values())
    cuts = cut(found, said)
    if released.get("count") != "accepted":
        counting.check(batch, found, rules, cuts.announced, cuts.parts)
    if not cuts.parts:
        raise _nothing_left(batch)
    parts = with_classes(cuts.parts, cuts.omitted, assignment, context)
    cuts.findings += counted.explained(assignment, batch, found, cuts.announced, parts)
    read = [page for page in assignment.pages if cuts.roles.get(page.number) != PageRole.SEPARATOR]
    return Outcome(
        parts=parts,
        roles=cuts.roles,
        places=laying.places(found),
        facts={
            "omitted": cuts.omitted,
            "duplicates": duplicates(batch, read, context),
            "overlong": overlong(batch, read),
            "detector": DETECTOR,
            "sides": rules.sides,
            "findings": [
                *counting.uncounted(batch, found),
                *counting.odd_sides(found),
                *_of_pages(found),
                *cuts.findings,
            ],
        },
    )


def _rules(assignment: Assignment) -> SeparationRules:
    """Return the profile's rules with what the envelope and a person said of this batch."""
    profile = Profile.model_validate(assignment.profile)
    rules, released = profile.separation, assignment.released
    changed: Facts = {"classes": (*rules.classes, profile.name)}
    if released.get("blank") == "keep":
        changed["blank"] = "keep"
    if assignment.envelope.sides is not None:
        changed["sides"] = str(assignment.envelope.sides)
    if released.get("sides") in {Sides.SIMPLEX, Sides.DUPLEX}:
        changed["sides"] = released["sides"]
    return rules.model_copy(update=changed)


def _nothing_left(batch: Batch) -> Unclear:
    return Unclear(
        "only separator sheets and blank pages",
        code="nothing_to_deliver",
        operator_text=(
            f"Der Stapel {names(batch)} enthält nur Trennblätter oder leere Seiten. Bitte"
            " das Papier prüfen und den Stapel zurückweisen, oder mit 'blank=keep' freigeben."
        ),
    )


def cut(found: Sequence[Run], said: Mapping[int, Statement]) -> Cuts:
    """Assign every page to a document or to the omitted ones. Decides nothing a person has to.

    Args:
        found: The stacks and sources that stand alone.
        said: What the separator sheets say, by page number.
    """
    cuts = Cuts()
    for run in found:
        if run.opaque and run.source is not None:
            for page in run.pages:
                cuts.omit(page, "unreadable", "Datei wird unverändert zugestellt")
            hints: Facts = {"as_is": True, "anomalies": _anomalies(run.pages)} if run.pages else {}
            cuts.add(Part(pages=(), source=run.source.ordinal, hints=hints))
        elif "count" in run.rules.by and run.rules.every:
            _cut_by_count(run, run.rules.every * run.per_sheet, cuts)
        else:
            _cut_by_marks(run, said, cuts)
        cuts.settle()
        _order(run, cuts)
    return cuts


def _order(run: Run, cuts: Cuts) -> None:
    """Say of left-out pages where they lay, where numbers do not tell.

    `after` is the page of its document before it, or 0; `between` what was left out between the
    two, nearest first: it may have been put back by then.
    """
    numbers_read = [page.number for page in run.pages]
    if numbers_read == sorted(numbers_read):
        return
    holders = {n: at for at, part in enumerate(cuts.parts, 1) for n in part.pages}
    entries = {entry["page"]: entry for entry in cuts.omitted}
    latest: dict[int | None, int] = {}
    passed: dict[int | None, list[int]] = {}
    for number in numbers_read:
        if number in entries:
            entry = entries[number]
            gap = passed.setdefault(entry["document"], [])
            entry["after"] = latest.get(entry["document"], 0)
            if gap:
                entry["between"] = gap[::-1]
            gap.append(number)
        else:
            latest[holders.get(number)] = number
            passed.pop(holders.get(number), None)


class _Pile:
    """The document that is being put together: pages since the last cut."""

    def __init__(self, run: Run, cuts: Cuts) -> None:
        self.run = run
        self.cuts = cuts
        self.pages: list[Page] = []
        self.hints: Facts = {}
        self.sheet: Page | None = None
        self._seen = 0

    def begin(self, sheet: Page, hints: Facts) -> None:
        """Begin anew behind a separator sheet."""
        self.close()
        self.sheet, self.hints = sheet, dict(hints)

    def label(self, asn: int | None) -> None:
        """Begin anew at an archive number, unless it is the one the pile has."""
        if asn is None or asn == self.hints.get("asn"):
            return
        if self.pages:
            self.close()
        self.hints = {**self.hints, "asn": asn}

    def take(self, page: Page) -> None:
        """Put a page onto the pile; one that is blank may be left out by the rules."""
        self._seen += 1
        if is_blank(page):
            self.cuts.roles[page.number] = PageRole.BLANK_SUSPECT
            if self.run.rules.blank == "omit":
                self.cuts.omit(page, "blank", "leere Seite, vom Profil weggelassen")
                return
        self.pages.append(page)

    def close(self) -> None:
        """Make a document of the pile; pages that do not decode are left out and named."""
        self._compare()
        if self.pages:
            self._document()
        elif self.sheet is not None and self.hints.get("sheet", {}).keys() - _SAYS_NOTHING:
            number = self.sheet.number
            text = f"Seite {number}: Das Trennblatt macht Angaben, aber kein Dokument folgt ihm."
            finding = {"code": "sheet_without_document", "page": number, "text": text}
            self.cuts.findings.append(finding)
        self.pages, self.hints, self.sheet, self._seen = [], {}, None, 0

    def _compare(self) -> None:
        if self.sheet is not None and "expected_sheets" in self.hints:
            announced = counting.Announced(
                page=self.sheet.number,
                expected=self.hints["expected_sheets"],
                pages=self._seen,
                sides=self.run.sides,
            )
            self.cuts.announced.append(announced)

    def _document(self) -> None:
        legible = [page for page in self.pages if not examined(page).get("undecodable")]
        for page in self.pages:
            if page not in legible:
                self.cuts.omit(page, "unreadable", "Seite nicht lesbar")
        if not legible and self.run.source is None:
            # Of one letter in a stack nothing is left; its file holds the other letters too.
            self.cuts.settle()
            return
        hints = self.hints
        if anomalies := [*hints.get("anomalies", ()), *_anomalies(self.pages)]:
            hints = {**hints, "anomalies": anomalies}
        taken = tuple(page.number for page in legible)
        self.cuts.add(Part(pages=taken, source=self.pages[0].source, hints=hints))


def _cut_by_count(run: Run, size: int, cuts: Cuts) -> None:
    pile = _Pile(run, cuts)
    for start in range(0, len(run.pages), size):
        for page in run.pages[start : start + size]:
            pile.take(page)
        pile.close()


def _cut_by_marks(run: Run, said: Mapping[int, Statement], cuts: Cuts) -> None:
    pile, found = _Pile(run, cuts), sort(run)
    for index, page in enumerate(run.pages):
        if separator := found.separators.get(page.number):
            both_sides = pile.sheet is not None and pile.sheet is run.sibling(index)
            if not (separator.is_bare and both_sides):  # the plain back of a sheet that speaks
                pile.begin(page, said[page.number].hints)
            cuts.omit(page, "separator", separator.reason, PageRole.SEPARATOR)
        elif page.number in found.backs | found.blanks:
            _leave_out(page, found, pile)
        else:
            pile.label(examined(page).get("asn") if "asn" in run.rules.by else None)
            pile.take(page)
    pile.close()


def _leave_out(page: Page, found: Sorted, pile: _Pile) -> None:
    """Leave out a blank page that belongs to what separates."""
    reason = "leere Rückseite des Trennblatts"
    if page.number in found.blanks:
        reason = "leeres Blatt trennt"
        if pile.pages:
            pile.close()
    pile.cuts.omit(page, "blank", reason, PageRole.BLANK_SUSPECT)


def _anomalies(pages: Iterable[Page]) -> list[Facts]:
    return [
        {"code": "unreadable_page", "page": page.number, "text": examined(page)["undecodable"]}
        for page in pages
        if examined(page).get("undecodable")
    ]


def _check_pages(batch: Batch, found: Sequence[Run], released: dict[str, str]) -> None:
    """Hold a scan with pages that do not decode: the paper is still there to be scanned again."""
    if "yes" in {released.get("skip_unreadable"), released.get("as_is")}:
        return
    bad = [page for page in _scanned(found) if any_undecodable([page])]
    if not bad:
        return
    reason = examined(bad[0])["undecodable"]
    raise Unreadable(
        f"pages do not decode: {[page.number for page in bad]}",
        operator_text=(
            f"{names(batch)}: {numbers(bad)} nicht lesbar ({reason}) Bitte erneut scannen und"
            " diesen Stapel zurückweisen, oder freigeben mit 'skip_unreadable=yes' (ohne diese"
            " Seiten) oder 'as_is=yes' (Datei unverändert weitergeben)."
        ),
    )


def _check_suspects(batch: Batch, found: Sequence[Run]) -> None:
    suspects = [
        page
        for run in found
        if not run.is_electronic
        for page in run.pages
        if is_suspect(page, run.rules)
    ]
    if suspects:
        raise SeparatorUnreadable(
            f"damaged separator sheets: {[page.number for page in suspects]}",
            operator_text=(
                f"{names(batch)}: {numbers(suspects)} sieht aus wie ein Trennblatt, ist aber nicht"
                " lesbar. Bitte mit sauberem Trennblatt erneut scannen, oder mit"
                " 'not_a_separator=yes' freigeben, wenn es keines ist."
            ),
        )


def _scanned(found: Sequence[Run]) -> Iterable[Page]:
    pages = (page for run in found if not run.is_electronic for page in run.pages)
    return sorted(pages, key=lambda page: page.number)


def _of_pages(found: Sequence[Run]) -> Iterable[Facts]:
    """Say what stands on pages and was not obeyed."""
    for run in found:
        ignored = {name for name, action in run.rules.patches.items() if action == "ignore"}
        for page in run.pages:
            facts = examined(page)
            if "asn" in run.rules.by and (text := facts.get("asn_refused")):
                said = f"Seite {page.number}: Archivnummer {text} ist zu groß und wird ignoriert."
                yield {"code": "asn_out_of_range", "page": page.number, "text": said}
            patch = facts.get("patch")
            if patch in ignored and "sheet" in run.rules.by:
                said = (
                    f"Seite {page.number}: Patch-Code {PATCH_NAMES[patch]} wird vom Profil nicht"
                    " beachtet; die Seite bleibt im Dokument."
                )
                yield {"code": "patch_ignored", "page": page.number, "patch": patch, "text": said}
