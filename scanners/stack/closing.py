"""The end of a stack, and what has to be said of it before: at the scanner, by whoever scans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ingest import clock
from scanners.device import SheetMixed
from scanners.stack.journal import Journal
from scanners.stack.sheets import counted, mixed_sheets, whole_sheets
from scanners.stack.terms import Closing, Interruption, KnownPage

#: Code of an interruption about which nobody could say more.
CUT_OFF: Final = "cut_off"


def close_stack(journal: Journal, operator: str | None) -> Closing:
    """Let a stack end with the pages that it has; the house is told by the transmission.

    Raises:
        ValueError: It has no page.
        SheetMixed: Sides of one sheet come from two runs; the stack stays open.
    """
    note_cut_off(journal)
    if mixed := mixed_sheets(journal):
        text = (
            "Vorder- und Rückseite stammen aus zwei verschiedenen Durchläufen und gehören "
            f"vielleicht nicht zusammen. {again(mixed)}"
        )
        message = f"sheets {mixed} are mixed"
        raise SheetMixed(message, pages_done=len(journal.pages), operator_text=text)
    pages = journal.pages
    if not pages:
        message = f"stack {journal.key} has no page"
        raise ValueError(message)
    closing = Closing(
        pages=tuple(
            KnownPage(number=number, attempt=page.attempt, sha256=page.page.sha256)
            for number, page in pages.items()
        ),
        sheets=counted(journal),
        interruptions=tuple(journal.interruptions),
        closed_at=clock.now(),
        closed_by=operator,
        unheld_at=tuple(each.at for each in journal.device_held if not each.by_house),
    )
    journal.note_closing(closing)
    return closing


def note_cut_off(journal: Journal) -> None:
    """Note that the last run ended without a word, by a crash, as an interruption."""
    if journal.is_cut_off:
        after = whole_sheets(journal)
        journal.note_interruption(Interruption(after_sheet=after, code=CUT_OFF, at=clock.now()))


def again(sheets: Sequence[int]) -> str:
    """Return in German which sheets are to be scanned again."""
    named = ", ".join(map(str, sheets))
    return f"Bitte nur Blatt {named} wieder einlegen und neu scannen (Blätter ersetzen: {named})."
