"""Counted things in German, where one is not several."""

from __future__ import annotations


def violated(count: int) -> str:
    """Return at how many places something is not as it was written."""
    return "1 Stelle verletzt" if count == 1 else f"{count} Stellen verletzt"


def units(count: int) -> str:
    """Return of how many units of paper something is said."""
    return "1 Einheit" if count == 1 else f"{count} Einheiten"
