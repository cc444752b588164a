"""What was scanned on this machine and is not, or not wholly, in its ledger: looked at only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingest.ledger import stacks
from scanners.direct.house import state_of
from scanners.stack import StackPage, StackState
from scanners.stack.journal import Journal
from scanners.stack.lacking import lacking, too_late
from scanners.stack.locking import is_held
from scanners.stack.shelf import JournalDamaged, known, lock_of

#: Codes of what is the matter with such a stack.
SCANNING: Final = "scanning"
CARRYING: Final = "carrying"
WAITING: Final = "not_carried"
CLOSED: Final = "stack_closed"
DISCARDED: Final = "stack_discarded"
DAMAGED: Final = "journal_damaged"


@dataclass(frozen=True, kw_only=True)
class Uncarried:
    """A stack of which pages, or the end, lie on this machine alone.

    Attributes:
        key: Of the stack.
        folder: Where it lies.
        batch_id: What the ledger has of it; None for nothing.
        code: What is the matter: one of the above, or of `scanners.stack.faults`.
        pages: That the ledger has not; None where the journal cannot be read.
        sheets: On which they are.
        since: When the first of them was scanned, or the stack began; None as above.
        text: German: what it is, and what to do.
    """

    key: str
    folder: Path
    batch_id: str | None
    code: str
    pages: int | None
    sheets: int | None
    since: dt.datetime | None
    text: str


def uncarried(connection: stacks.Connection, tenant: str, home: Path) -> Iterator[Uncarried]:
    """Yield the stacks of a home that the ledger has not wholly, oldest first.

    Nothing is taken over and nobody is kept from work; what cannot be read is named.

    Args:
        connection: That reads.
        tenant: Whose stacks they are.
        home: Where stacks of the tenant lie that this machine scans.
    """
    for _, folder in known(home):
        try:
            found = _looked_at(connection, tenant, home, Journal.open(home, folder.name))
        except FileNotFoundError:
            continue  # the ledger has it, and it was removed meanwhile
        except JournalDamaged as error:
            found = _damaged(folder, error)
        if found is not None:
            yield found


def _looked_at(
    connection: stacks.Connection, tenant: str, home: Path, journal: Journal
) -> Uncarried | None:
    # The journal first: what is carried meanwhile is in the ledger then.
    pages, is_closing = journal.pages, journal.closing is not None
    row = stacks.known(connection, tenant, journal.key)
    state = None if row is None else state_of(row, stacks.pages_of(connection, row.id))
    left = list(pages.values()) if state is None else lacking(journal, state)
    has_ended = state is not None and (state.is_closed or state.is_discarded)
    if journal.is_ended or not (left or (is_closing and not has_ended)):
        return None
    code, text = _matter(home, journal, state, left)
    return Uncarried(
        key=journal.key,
        folder=journal.folder,
        batch_id=None if state is None else state.batch_id,
        code=code,
        pages=len(left),
        sheets=_sheets(left),
        since=min((each.page.facts.began_at for each in left), default=journal.opening.opened_at),
        text=text,
    )


def _matter(
    home: Path, journal: Journal, state: StackState | None, left: list[StackPage]
) -> tuple[str, str]:
    """Return code and German text of what is the matter with a stack."""
    key, refused = journal.key, journal.set_aside
    what = f"{len(left)} Seiten ({_sheets(left)} Blätter) des Stapels {key}"
    if state is not None and state.is_discarded:
        return DISCARDED, (
            f"Der Stapel {key} wurde verworfen oder gelöscht; seine {len(left)} Seiten auf diesem "
            "Rechner löscht der nächste »run«, »watch« oder »scan«."
        )
    if state is not None and state.is_closed:
        return CLOSED, f"{too_late(journal, state, left)} (»erase {key}«)"
    if is_held(lock_of(home, key, "scan")) and journal.is_cut_off:
        return SCANNING, (
            f"Wird gerade gescannt: {what} sind gesichert und noch nicht angenommen. Es ist nichts "
            "zu tun."
        )
    if is_held(lock_of(home, key, "carry")):
        return CARRYING, f"Wird gerade übertragen: {what} fehlen noch. Es ist nichts zu tun."
    where = f"{what} liegen gescannt auf diesem Rechner und sind nicht angenommen."
    if not left:
        where = f"Alle Seiten des Stapels {key} sind angenommen, sein Abschluss noch nicht."
    known_as = key if state is None else state.batch_id
    act = (
        f"»scan --close {key}« (abschließen) oder »scan --append {key}« (weiterscannen); "
        f"verwerfen: »erase {known_as}«"
    )
    if refused is not None:
        return refused.code, f"{where} {refused.operator_text} Danach {act}."
    return WAITING, f"{where} »run« und »watch« holen es nach, sofort {act}."


def _damaged(folder: Path, error: JournalDamaged) -> Uncarried:
    return Uncarried(
        key=folder.name,
        folder=folder,
        batch_id=None,
        code=DAMAGED,
        pages=None,
        sheets=None,
        since=None,
        text=f"{error.operator_text} Danach löscht »erase {folder.name}« ihn hier.",
    )


def _sheets(pages: list[StackPage]) -> int:
    return len({each.page.facts.sheet for each in pages})
