"""The need for protection of a batch: the highest of what lies in it (Maximumprinzip)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ingest.document import Facts
from profiles.protection import NEEDS, highest

#: Of the need for protection, as a profile and the column `batch.protection` name them.
ASPECTS: Final = ("integrity", "confidentiality", "availability")


def of_profile(content: Facts) -> Facts | None:
    """Return what a profile asks for in each aspect, None where it has no need for protection."""
    said: Facts | None = content.get("protection")
    return None if said is None else {aspect: said.get(aspect, NEEDS[0]) for aspect in ASPECTS}


def maximum(needs: Iterable[Facts | None]) -> Facts | None:
    """Return the highest need in each aspect, None where nobody says anything.

    What a batch began with is among `needs` when its documents become known, so that it never
    sinks (BSI TR-03138 V1.5, Anwendungshinweis A 2.4).
    """
    known = [need for need in needs if need is not None]
    if not known:
        return None
    return {aspect: highest(str(need[aspect]) for need in known) for aspect in ASPECTS}
