"""Pages that no document has, as the facts of their batch say."""

from __future__ import annotations

from typing import Final

from ingest.document.terms import Facts

#: Key of the batch's facts about pages that a person put back into a document.
PUT_BACK: Final = "put_back"
#: Key of a document's facts about its pages that were scanned again, see `ledger.rescanning`.
RESCANNED: Final = "rescanned"


def replaced(facts: Facts) -> list[int]:
    """Return which pages of a batch were scanned again; no document has them any more."""
    found: list[int] = facts.get(RESCANNED, {}).get("replaced", [])
    return found


def left_out(facts: Facts) -> list[Facts]:
    """Return what the documents of a batch leave out now, each `{"page", "kind", …}`.

    What separation left out, less what a person has put back since. The facts of separation
    stay as they were recorded.
    """
    back = frozenset(facts.get(PUT_BACK, {}).get("pages", ()))
    found: list[Facts] = facts.get("separation", {}).get("omitted", [])
    return [entry for entry in found if entry["page"] not in back]
