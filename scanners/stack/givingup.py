"""Stacks that nobody wants any more, removed from this computer: everything can be erased."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scanners.stack.faults import Refused
from scanners.stack.journal import Journal
from scanners.stack.locking import Held, held
from scanners.stack.shelf import clear, folder_of, lock_of, mark_removed

#: What whoever goes on with a stack is told that the house gave up.
CODE = "stack_discarded"


def give_up(home: Path, key: str, first: Callable[[], None] = lambda: None) -> bool:
    """Remove a stack, readable or damaged, with all its pages.

    Args:
        home: Of the workstation.
        key: Of the stack.
        first: Done before anything is removed, while nobody else is at work on the stack.

    Returns:
        Whether nothing of it is here any more; False where somebody scans or carries it now.

    Raises:
        OSError: The disk failed; what is left goes with the next call or the next new stack.
    """
    folder = folder_of(home, key)
    try:
        with held(lock_of(home, key, "scan")), held(lock_of(home, key, "carry")):
            first()
            if folder.exists():
                mark_removed(folder)
                clear(folder)
    except Held:
        return False
    return True


def given_up(key: str, pages: int) -> Refused:
    """Return what is said of a stack that the house gave up."""
    text = (
        f"Der Stapel {key[:8]} wurde im Haus verworfen oder gelöscht. Seine {pages} Seiten auf "
        "diesem Rechner sind gelöscht. Soll das Papier doch bearbeitet werden, bitte als neuen "
        "Stapel scannen."
    )
    return Refused(f"the house gave up stack {key}", operator_text=text, code=CODE)


def drop(journal: Journal) -> Refused:
    """Remove a stack that the house gave up, and return what is said of it.

    Raises:
        Held: Somebody scans it or carries it; it stays.
    """
    said = given_up(journal.key, len(journal.pages))
    with journal.scanning():
        journal.note_discarded()
    journal.remove()
    return said
