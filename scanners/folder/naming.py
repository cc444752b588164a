"""File names that say "not for you": unfinished copies, lock files, a desktop's litter."""

from __future__ import annotations

import re
from typing import Final

#: A refusal: stable code and German text with the remedy.
Refusal = tuple[str, str]

CLAIMED: Final = ".claimed"
STACK_MANIFEST: Final = "batch.json"
READY_SUFFIX: Final = ".ready"
MANIFEST_SUFFIX: Final = ".json"

#: Ours to mend; the file stays where it is and everything else goes on.
BUG: Final[Refusal] = (
    "bug",
    "Unerwarteter Fehler im Programm, nicht angenommen; die Datei bleibt, wo sie ist. Bitte dem "
    "Betrieb melden (Einzelheiten stehen im Protokoll).",
)

_LITTER: Final = frozenset({"thumbs.db", "desktop.ini", ".ds_store"})
_UNFINISHED: Final = (".part", ".tmp", ".crdownload", ".filepart", ".!ut")
_NUMBERS: Final = re.compile(r"(\d+)")


def is_litter(name: str) -> bool:
    """Tell whether a desktop put this here; nobody misses it."""
    return name.casefold() in _LITTER


def refusal(name: str) -> Refusal | None:
    """Say why a file of this name is not taken, None if it may be."""
    folded = name.casefold()
    if folded.startswith("."):
        text = "Versteckte Datei, nicht angenommen. Bitte ohne Punkt am Anfang benennen."
        return "hidden_file", text
    if folded.startswith("~$"):
        text = "Sperrdatei eines Office-Programms, nicht angenommen. Bitte das Dokument schließen."
        return "lock_file", text
    if folded.endswith(_UNFINISHED):
        text = (
            "Unfertige Übertragung, nicht angenommen. Bitte die Übertragung zu Ende führen; danach "
            "die Datei mit ihrem endgültigen Namen ablegen."
        )
        return "unfinished_copy", text
    return None


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Order names as people number them: `Seite 2` before `Seite 10`."""
    pieces = _NUMBERS.split(name.casefold())
    return tuple(
        (int(piece[:18]), piece) if piece.isdecimal() else (-1, piece) for piece in pieces if piece
    )
