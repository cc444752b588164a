"""Does what was scanned agree with what people counted? A difference holds the stack.

Counted are sheets and consignments of the whole stack (`batch.json`, `receive`), and sheets
of one document (its cover sheet). Where nobody said whether a stack was scanned on one side or
on both, either way of counting fits, with or without the separator sheets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingest.document import Batch, Facts, Part, Sides
from ingest.errors import CountMismatch
from profiles.model import SeparationRules
from workers.separation.evidence import names
from workers.separation.laying import Run
from workers.separation.sorting import sort

_ACCEPT = "oder mit 'count=accepted' freigeben."


@dataclass(frozen=True, kw_only=True)
class Announced:
    """What a cover sheet said about its document, and what lay behind it.

    Attributes:
        page: Number of the cover sheet's page.
        expected: Sheets it announces.
        pages: Pages that lay behind it, blank ones included.
        sides: How the sheets lay, None where nobody said so.
    """

    page: int
    expected: int
    pages: int
    sides: Sides | None

    @property
    def fits(self) -> bool:
        """Whether the pages can be those sheets."""
        return self.expected in _sheets(self.pages, 0, self.sides)


def check(
    batch: Batch,
    found: Sequence[Run],
    rules: SeparationRules,
    announced: Iterable[Announced],
    parts: Sequence[Part],
) -> None:
    """Compare all that people counted with what was found.

    Raises:
        CountMismatch: As the single checks below.
    """
    check_stack(batch, found)
    check_remainder(batch, found, rules)
    check_documents(batch, announced)
    check_consignments(batch, parts)


def check_stack(batch: Batch, found: Sequence[Run]) -> None:
    """Compare the operator's count of sheets.

    A station that delivers PDF counts like any other, so electronic pages count as well; beside
    scans they may have been left out of the count.

    Raises:
        CountMismatch: It fits in no way.
    """
    expected = batch.envelope.expected_sheets
    filled = [run for run in found if run.pages and not run.is_enclosure]
    if expected is None or not filled:
        return
    scanned = [run for run in filled if not run.is_electronic]
    if expected in _counts(scanned) or expected in _counts(filled):
        return
    counted = scanned or filled
    total, separating = _total(counted), _separating(counted)
    raise CountMismatch(
        f"{expected} sheets announced, {total} pages with {separating} separator sheets found",
        operator_text=(
            f"{names(batch)}: angekündigt sind {expected} Blatt, angekommen {total} Seiten"
            f" (davon {separating} Trennblätter). Bitte das Papier nachzählen und erneut scannen,"
            f" {_ACCEPT}"
        ),
    )


def check_remainder(batch: Batch, found: Sequence[Run], rules: SeparationRules) -> None:
    """Refuse a stack that cannot be cut into documents of equal length.

    Raises:
        CountMismatch: Some sheets remain.
    """
    if "count" not in rules.by or rules.every is None:
        return
    for run in found:
        pages, size = len(run.pages), rules.every * run.per_sheet
        if run.source is None and pages % size:
            raise CountMismatch(
                f"{pages} pages do not make documents of {size}",
                operator_text=(
                    f"{names(batch)}: {pages} Seiten lassen sich nicht in Dokumente zu je"
                    f" {size} Seiten teilen, {pages % size} bleiben übrig. Bitte das Papier"
                    " nachzählen und erneut scannen (diesen Stapel zurückweisen),"
                    " oder mit 'count=accepted' freigeben: das letzte Dokument ist dann kürzer."
                ),
            )


def check_documents(batch: Batch, announced: Iterable[Announced]) -> None:
    """Compare each cover sheet's count with what lay behind it.

    Raises:
        CountMismatch: Names the sheets whose count does not fit.
    """
    wrong = [
        f"das Blatt auf Seite {one.page} kündigt {one.expected} Blatt an, dahinter liegen"
        f" {one.pages} Seiten"
        for one in announced
        if not one.fits
    ]
    if wrong:
        raise CountMismatch(
            f"{len(wrong)} cover sheets announce another count",
            operator_text=(
                f"{names(batch)}: {'; '.join(wrong[:20])}. Bitte das Papier nachzählen und"
                f" erneut scannen, {_ACCEPT}"
            ),
        )


def check_consignments(batch: Batch, parts: Iterable[Part]) -> None:
    """Compare the operator's count of consignments with the documents.

    What lay inside a file belongs to the consignment of its cover.

    Raises:
        CountMismatch: It differs.
    """
    expected = batch.envelope.expected_consignments
    documents = sum(1 for part in parts if batch.source(part.source).enclosure_of is None)
    if expected is None or expected == documents:
        return
    raise CountMismatch(
        f"{expected} consignments announced, {documents} documents found",
        operator_text=(
            f"{names(batch)}: angekündigt sind {expected} Sendungen, getrennt wurde in"
            f" {documents} Dokumente. Fehlt ein Trennblatt oder ist eines zu viel? Bitte prüfen"
            f" und erneut scannen, {_ACCEPT}"
        ),
    )


def uncounted(batch: Batch, found: Sequence[Run]) -> Iterable[Facts]:
    """Say where the operator's count could not be compared with anything."""
    expected = batch.envelope.expected_sheets
    if expected is not None and not any(run.pages for run in found if not run.is_enclosure):
        text = (
            f"Zählung nicht geprüft: angekündigt sind {expected} Blatt, die Datei hat keine Seiten."
        )
        yield {"code": "count_not_checked", "text": text}


def odd_sides(found: Sequence[Run]) -> Iterable[Facts]:
    """Say where a stack scanned on both sides has an odd number of pages."""
    for run in found:
        if run.sides is Sides.DUPLEX and len(run.pages) % 2:
            number = run.pages[-1].number
            text = (
                f"Beidseitig gescannt, aber {len(run.pages)} Seiten: eine Rückseite fehlt, oder das"
                " Gerät hat leere Seiten verworfen. Welche Seiten ein Blatt sind, ist unsicher."
            )
            yield {"code": "odd_sides", "page": number, "text": text}


def _counts(found: Sequence[Run]) -> set[float]:
    """Return every count of sheets that fits the pages of `found`."""
    if not found:
        return set()
    known = {run.sides for run in found}
    sides = known.pop() if len(known) == 1 else None
    return _sheets(_total(found), _separating(found), sides)


def _sheets(pages: int, separating: int, sides: Sides | None) -> set[float]:
    once = {pages, pages - separating}
    twice = {pages / 2, pages / 2 - separating}
    if sides is Sides.SIMPLEX:
        return set(once)
    return twice if sides is Sides.DUPLEX else once | twice


def _total(found: Sequence[Run]) -> int:
    return sum(len(run.pages) for run in found)


def _separating(found: Sequence[Run]) -> int:
    return sum(sort(run).sheets for run in found)
