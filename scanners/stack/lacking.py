"""What of a stack is on this computer and not in the house."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from scanners.stack.journal import Journal
from scanners.stack.terms import StackPage, StackState

#: Why a stack is set aside that the house ended without all of its pages.
CODE: Final = "stack_closed"
_NAMED: Final = 20


def lacking(journal: Journal, state: StackState) -> list[StackPage]:
    """Return the pages that count and that the house has not, whatever was noted of them.

    A house whose ledger was restored lacks pages that it confirmed once; pages that it erased it
    does not lack.
    """
    there = {(page.number, page.attempt): page.sha256 for page in state.pages}
    return [
        page
        for number, page in journal.pages.items()
        if there.get((number, page.attempt)) not in (page.page.sha256, "")
    ]


def too_late(journal: Journal, state: StackState, pages: Sequence[StackPage]) -> str:
    """Return in German what is to be done about pages of a stack that the house ended."""
    numbers = [page.page.facts.number for page in pages]
    sheets = sorted({page.page.facts.sheet for page in pages})
    return (
        f"Das Haus hat den Stapel {state.batch_id} ohne die Seiten {_named(numbers)} (Blatt "
        f"{_named(sheets)}) abgeschlossen. Sie sind auf diesem Rechner gesichert und nirgends "
        "sonst. Bitte der Leitung der Scanstelle sagen; fehlen die Blätter dort wirklich, das "
        "Papier als neuen Stapel scannen oder im Haus ersetzen (»rescan«) und erst danach den "
        f"Stapel {journal.key[:8]} hier löschen."
    )


def _named(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:_NAMED])) + (" …" if len(numbers) > _NAMED else "")
