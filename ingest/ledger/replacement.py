"""Whether a scan validly replaced its paper: asked while it lies there, kept once it is erased."""

from __future__ import annotations

from typing import Final

from ingest.document import Facts

#: What an erased document's last event says of its paper: that the scan had replaced it.
REPLACED: Final = "paper_replaced"
#: The same of who scanned it.
SCANNED_BY: Final = "scanned_by"
_REPLACES: Final = "ersetzend"  #: what notes call it


def note_complete(facts: Facts) -> bool:
    """Tell whether a document's note has every mandatory field (TR-03138 A.NB.4).

    The note says so, or by the statement of match: without all fields there is none.
    """
    note: Facts = facts.get("note", {})
    return note.get("complete") is True or bool(note.get("statement"))


def counts_as_replacing(facts: Facts) -> bool:
    """Tell whether the match was confirmed, by the note or by a clerk's later result.

    The note says so only once quality assurance is closed; where the clerk checks after
    delivery, their supplementary note does, once it is delivered (A.NB.3). What was said later
    counts.
    """
    later: Facts = facts.get("confirmation", {})
    if "confirmation_delivery" in facts:
        later = facts.get("confirming", {})
    said = later or facts.get("note", {})
    return said.get("counts_as") == "replacing" or said.get("treatment") == _REPLACES
