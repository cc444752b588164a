"""What whoever stands at the scanner reads of a scan, in German."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

_MEGABYTE: Final = 1_000_000
#: Kinds of events whose sentence is not to be overwritten by the next one.
LASTING: Final = frozenset({"continuing", "interrupted", "surplus", "short", "lease_lost"})


def sentence(kind: str, said: Mapping[str, Any]) -> str:
    """Return what an event says, see `scanners.stack.run.Event`; empty where it says nothing."""
    text = _TEXTS.get(kind)
    return "" if text is None else text(said)


def _opened(said: Mapping[str, Any]) -> str:
    if said["by_house"]:
        return str(said["device"])
    return f"{said['device']} (das Haus antwortet nicht; belegt nur auf diesem Rechner)"


def _continuing(said: Mapping[str, Any]) -> str:
    after = said["after_sheet"]
    return f"Gesichert bis Blatt {after}; es geht mit Blatt {after + 1} weiter."


def _page(said: Mapping[str, Any]) -> str:
    side = "Vorderseite" if said["side"] == "front" else "Rückseite"
    again = " (neu gescannt)" if said["attempt"] > 1 else ""
    return f"Blatt {said['sheet']}, {side}{again}"


def _short(said: Mapping[str, Any]) -> str:
    sheets = ", ".join(map(str, said["sheets"]))
    return f"Im Einzug fehlten Blätter; nicht neu gescannt: {sheets}."


_TEXTS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "opened": _opened,
    "continuing": _continuing,
    "page": _page,
    "progress": lambda said: f"Seite {said['page']}: {said['bytes'] / _MEGABYTE:.1f} MB",
    "interrupted": lambda said: (
        f"Unterbrochen nach Blatt {said['after_sheet']}. {said['operator_text']}"
    ),
    "surplus": lambda _said: (
        "Im Einzug lagen mehr Blätter, als zu ersetzen waren. Bitte die übrigen herausnehmen und "
        "die ersetzten Blätter mit dem Papier vergleichen; stimmen sie nicht, die richtigen noch "
        "einmal ersetzen."
    ),
    "short": _short,
    "lease_lost": lambda said: str(said["operator_text"]),
}
