"""What is known of receipt and capture, with what a person supplied when releasing the document.

What is supplied counts only where nothing was recorded, and the note says that it came later.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from ingest.document import Assignment, Document, Envelope
from ingest.errors import NoteIncomplete
from workers.note.scanvermerk import Receipt, receipt

#: What a person may supply, and what the note calls it.
_SUPPLIABLE: Final = MappingProxyType(
    {
        "device": "Gerät",
        "scanned_at": "Zeitpunkt des Scans",
        "received_at": "Eingangsdatum",
        "expected_sheets": "Blattzahl",
    }
)


@dataclass(frozen=True, kw_only=True)
class Known:
    """Receipt and capture as the transfer note may state them.

    Attributes:
        envelope: Of the document, what was supplied included.
        receipt: None where nobody recorded or supplied it.
        supplied: German names of what came only with the release.
        sheets: How many sheets were counted, None where nobody did.
        of_document: They were counted for this document, on its cover sheet; else for the stack.
    """

    envelope: Envelope
    receipt: Receipt | None
    supplied: tuple[str, ...]
    sheets: int | None = None
    of_document: bool = False


def known(assignment: Assignment, document: Document, zone: dt.tzinfo) -> Known:
    """Return receipt and capture.

    Raises:
        NoteIncomplete: A time that a person supplied cannot be read.
    """
    envelope, received = assignment.envelope, receipt(assignment, document, zone)
    said, used = assignment.released, []
    if envelope.device is None and said.get("device"):
        envelope = replace(envelope, device=said["device"])
        used.append("device")
    if envelope.scanned_at is None and said.get("scanned_at"):
        envelope = replace(envelope, scanned_at=_moment(document, "scanned_at", said, zone))
        used.append("scanned_at")
    if received is None and said.get("received_at"):
        received = Receipt(at=_moment(document, "received_at", said, zone), source="operator")
        used.append("received_at")
    announced = document.facts.get("separation", {}).get("expected_sheets")
    sheets = announced or envelope.expected_sheets
    if sheets is None and said.get("expected_sheets", "").isdecimal():
        sheets = int(said["expected_sheets"])
        used.append("expected_sheets")
    return Known(
        envelope=envelope,
        receipt=received,
        supplied=tuple(_SUPPLIABLE[name] for name in used),
        sheets=sheets,
        of_document=announced is not None,
    )


def _moment(document: Document, key: str, said: dict[str, str], zone: dt.tzinfo) -> dt.datetime:
    try:
        given = dt.datetime.fromisoformat(said[key])
    except ValueError as error:
        text = (
            f"Dokument {document.id}: {key} „{said[key]}“ ist kein Zeitpunkt. Erwartet wird "
            "JJJJ-MM-TT oder JJJJ-MM-TTThh:mm, z. B. 2026-03-02T08:15."
        )
        raise NoteIncomplete(f"{key} is no time", operator_text=text) from error
    return given if given.tzinfo else given.replace(tzinfo=zone)
