"""How the sheets of a stack lay: which pages follow one another, and which share a sheet.

Scanned sources of one batch are one stack in the order given; an electronic original is
never joined with its neighbours. A feeder without duplex scans a stack twice, fronts 1..n
and then, the stack turned over, backs n..1; those two passes are put together here, and only
if they have as many pages: a missing side would give every later sheet a stranger's back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Final

from ingest.document import Batch, Facts, Page, Sides, Source
from ingest.errors import CountMismatch
from profiles.model import SeparationRules
from workers.separation.evidence import any_undecodable, names

#: Facts that make a source evidence as a whole.
_WHOLE: Final = ("signed", "attachments", "portfolio", "acroform", "xfa", "as_is")
_PASSES: Final = 2
_SIDES: Final = ("front", "back")


@dataclass(frozen=True, kw_only=True)
class Run:
    """Pages that lie one behind the other, in reading order.

    Attributes:
        rules: What cuts these pages: less than the profile's where a source is evidence whole.
        source: The source that stands alone; None for a stack of scans.
        sides: How the sheets of a stack lie, None where nobody said so; never two passes,
            which are interleaved already.
        opaque: The source is delivered as it came, without pages.
    """

    pages: tuple[Page, ...]
    rules: SeparationRules
    source: Source | None = None
    sides: Sides | None = None
    opaque: bool = False

    @property
    def is_electronic(self) -> bool:
        """Whether the pages were never paper."""
        return self.source is not None and bool(self.source.facts.get("electronic", False))

    @property
    def is_enclosure(self) -> bool:
        """Whether the pages lay in a file inside another: nobody held or counted them."""
        return self.source is not None and self.source.enclosure_of is not None

    @property
    def per_sheet(self) -> int:
        """How many pages a sheet has."""
        return 2 if self.sides is Sides.DUPLEX else 1

    def sibling(self, index: int) -> Page | None:
        """Return the other side of the sheet of the page at `index`, where that is known."""
        other = index ^ 1
        if self.sides is not Sides.DUPLEX or other >= len(self.pages):
            return None
        return self.pages[other]


def runs(batch: Batch, pages: Sequence[Page], rules: SeparationRules, *, as_is: bool) -> list[Run]:
    """Return the stacks and the sources that stand alone, in the order of the batch.

    Args:
        batch: The sources with what inspection found.
        pages: All pages in arrival order, examined.
        rules: The profile's, with the sides as they are for this batch.
        as_is: Sources with pages that do not decode stand alone.

    Raises:
        CountMismatch: Two passes have different counts of pages; nothing is put together.
    """
    by_source = {number: list(group) for number, group in groupby(pages, lambda page: page.source)}
    found: list[Run] = []
    stack: list[Page] = []
    for source in batch.sources:
        own = by_source.get(source.ordinal, [])
        if own and _joins(source, rules) and not (as_is and any_undecodable(own)):
            stack += own
            continue
        found += _stack(batch, stack, rules)
        stack = []
        opaque = not own or (as_is and any_undecodable(own))
        found.append(
            Run(pages=tuple(own), rules=_of_source(source, rules), source=source, opaque=opaque)
        )
    return [*found, *_stack(batch, stack, rules)]


def places(found: Sequence[Run]) -> dict[int, tuple[int, str]]:
    """Return sheet, from 1, and side of every page where it is known, by page number."""
    known: dict[int, tuple[int, str]] = {}
    sheet = 0
    for run in found:
        if run.sides is None:
            continue
        for index, page in enumerate(run.pages):
            known[page.number] = sheet + index // run.per_sheet + 1, _SIDES[index % run.per_sheet]
        sheet += -(-len(run.pages) // run.per_sheet)
    return known


def _joins(source: Source, rules: SeparationRules) -> bool:
    alone = source.facts.get("electronic", False) or source.enclosure_of is not None
    return rules.enabled and not alone


def _of_source(source: Source, rules: SeparationRules) -> SeparationRules:
    """Return what may cut a source that stands alone.

    The original lies beside the rendition, so nothing is left out of an electronic one but
    separator sheets, and never anything of one that is evidence as a whole.
    """
    by = rules.by
    changed: Facts = {}
    if source.facts.get("electronic", False):
        by = tuple(rule for rule in by if rule in {"sheet", "asn"})
        changed["blank"] = "keep"
    whole = source.enclosure_of is not None or any(source.facts.get(fact) for fact in _WHOLE)
    if whole or not rules.enabled:
        by = ()
    return rules.model_copy(update={**changed, "by": by})


def _stack(batch: Batch, pages: list[Page], rules: SeparationRules) -> list[Run]:
    if not pages:
        return []
    sides = None if rules.sides is None else Sides(rules.sides)
    if sides is not Sides.FRONTS_THEN_BACKS:
        return [Run(pages=tuple(pages), rules=rules, sides=sides)]
    return [Run(pages=_interleaved(batch, pages), rules=rules, sides=Sides.DUPLEX)]


def _interleaved(batch: Batch, pages: list[Page]) -> tuple[Page, ...]:
    """Put two passes together: two sources are one pass each, anything else is halved.

    Raises:
        CountMismatch: The passes differ, one of them is not here, or no file ends with the first.
    """
    passes = [list(group) for _, group in groupby(pages, lambda page: page.source)]
    ends = list(accumulate(len(each) for each in passes))
    whole = _scanned(batch) <= {page.source for page in pages}
    if len(passes) != _PASSES:
        half = (len(pages) + 1) // 2
        whole = whole and (len(passes) == 1 or half in ends)
        passes = [pages[:half], pages[half:]]
    fronts, backs = passes
    if len(fronts) != len(backs) or not whole:
        raise CountMismatch(
            f"two passes of {len(fronts)} and {len(backs)} pages, together: {whole}",
            code="sides_unequal",
            operator_text=(
                f"{names(batch)}: Vorder- und Rückseiten passen nicht zusammen"
                f" ({len(fronts)} und {len(backs)} Seiten"
                f"{'' if whole else ', die Durchgänge sind nicht zu erkennen'}). Beide Durchgänge"
                " sind aufbewahrt. Bitte den Stapel erneut scannen und diesen zurückweisen, oder"
                " mit 'sides=simplex' freigeben: dann bleiben die Seiten in der Folge des Scans."
            ),
        )
    pairs = zip(fronts, reversed(backs), strict=True)
    return tuple(page for pair in pairs for page in pair)


def _scanned(batch: Batch) -> set[int]:
    """Return the sources of the batch that have pages and were paper."""
    return {
        source.ordinal
        for source in batch.sources
        if source.pages and not source.facts.get("electronic")
    }
