"""`discard`: removes a stack from this computer that will never get into the house."""

from __future__ import annotations

import sys
from typing import Final

from scanners.stack import Acceptance, AcceptanceFault, Unavailable
from scanners.stack.givingup import give_up
from scanners.stack.journal import Journal
from scanners.stack.shelf import JournalDamaged, known
from scanners.station.faults import HELD, StationFault, Unusable
from scanners.station.home import Home
from scanners.station.picture import Picture

_YES: Final = frozenset({"j", "ja", "y", "yes"})


def discard(home: Home, house: Acceptance, wanted: str, picture: Picture, *, is_sure: bool) -> int:
    """Remove the stack whose key begins with `wanted`, with its pages; ask before.

    Only what the house has nothing of, gave up, or closed without these pages: what it has open
    is given up there, and goes from here by itself then.

    Raises:
        Unusable: There is no such stack, or several, or nobody confirmed.
        StationFault: The house has it, or does not answer, or somebody is at work on it.
    """
    key = _key(home, wanted)
    question = _question(home, key, _of_the_house(house, key))
    if not is_sure and not _is_confirmed(question):
        raise Unusable("Nicht bestätigt; es wurde nichts gelöscht.")
    if not give_up(home.path, key):
        raise StationFault(HELD)
    picture.say(
        f"Stapel {key[:8]} ist auf diesem Rechner gelöscht.",
        message_type="stack",
        key=key,
        state="discarded",
    )
    return 0


def _key(home: Home, wanted: str) -> str:
    beginning = wanted.strip().lower()
    found = [folder.name for _, folder in known(home.path) if folder.name.startswith(beginning)]
    if not beginning or len(found) != 1:
        raise Unusable(
            f"Einen Stapel {wanted} gibt es hier nicht, oder die Kennung ist nicht eindeutig. "
            "Siehe »status«."
        )
    return found[0]


def _of_the_house(house: Acceptance, key: str) -> str:
    """Return in German what the house says of a stack that may be removed here.

    Raises:
        StationFault: It may not.
    """
    try:
        state = house.state(key)
    except Unavailable as error:
        text = (
            f"{error.operator_text} Verworfen wird erst, wenn feststeht, dass das Haus von dem "
            "Stapel nichts hat."
        )
        raise StationFault(text) from error
    except AcceptanceFault as error:
        if error.code == "stack_unknown":
            return "Das Haus hat nichts davon."
        raise
    if state.is_discarded:
        return "Das Haus hat ihn verworfen."
    if state.is_closed:
        return f"Das Haus hat ihn mit {len(state.pages)} Seiten abgeschlossen."
    raise StationFault(
        f"Das Haus führt den Stapel als {state.batch_id} mit {len(state.pages)} Seiten. Bitte ihn "
        f"dort verwerfen lassen (»scanstrasse erase {state.batch_id}«); danach verschwindet er "
        "hier von selbst."
    )


def _question(home: Home, key: str, said: str) -> str:
    try:
        pages = str(len(Journal.open(home.path, key).pages))
    except (JournalDamaged, FileNotFoundError):
        pages = "unbekannt viele"
    return (
        f"Stapel {key[:8]}: {pages} Seiten liegen auf diesem Rechner. {said} Was hier gelöscht "
        "wird, gibt es nirgends sonst; das Papier müsste neu gescannt werden. "
        "Endgültig löschen? [j/N] "
    )


def _is_confirmed(question: str) -> bool:
    """Ask on standard error, where `--json` says nothing."""
    if sys.stderr is None or sys.stdin is None:  # Windows gives a program without a console none
        return False
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in _YES
