"""Classes whose every document is counted: without a count nothing goes on (TR-03138 A.DV.2).

From need "high" on each sheet has to be counted before it is scanned, and a difference is
explained by a person who answers for it, never passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from ingest.document import Assignment, Batch, Facts, Part
from ingest.errors import Unclear
from profiles.protection import MEASURES, highest
from workers.separation.counting import Announced
from workers.separation.evidence import names
from workers.separation.laying import Run

#: What a person sets who counted the paper afterwards.
RECOUNTED: Final = "expected_sheets"


def recounted(assignment: Assignment) -> Batch:
    """Return the batch with the count of sheets that a person supplied when releasing it.

    Raises:
        Unclear: It is no number of sheets.
    """
    batch, said = assignment.batch, assignment.released.get(RECOUNTED)
    if said is None:
        return batch
    if not said.isdecimal() or int(said) < 1:
        raise Unclear(
            "expected_sheets is no number",
            code="count_missing",
            operator_text=(
                f"{names(batch)}: „{said}“ ist keine Zahl von Blättern. Bitte nachzählen und mit"
                " 'expected_sheets=ZAHL' freigeben."
            ),
        )
    return replace(batch, envelope=replace(batch.envelope, expected_sheets=int(said)))


def explained(
    assignment: Assignment,
    batch: Batch,
    found: Sequence[Run],
    announced: Sequence[Announced],
    parts: Sequence[Part],
) -> list[Facts]:
    """Return what the note says of counts that a person answered for.

    Args:
        assignment: Of the separation.
        batch: With the count that was supplied.
        found: What was scanned.
        announced: What cover sheets said.
        parts: The documents, with their classes.

    Raises:
        Unclear: The class of a document is counted, and nobody counted: neither the stack nor
            every document on its cover sheet.
    """
    findings: list[Facts] = []
    released = assignment.released
    if said := released.get(RECOUNTED):
        text = f"Blattzahl nach dem Scannen von einer Person nachgezählt: {said}."
        findings.append({"code": "count_supplied", "text": text})
    if _is_counted(assignment, parts):
        _require_count(batch, found, announced, parts)
        if released.get("count") == "accepted":
            text = (
                "Abweichung der Blattzahl von einer Person mit Begründung hingenommen; sie steht"
                " im Protokoll der Einlieferung."
            )
            findings.append({"code": "count_explained", "text": text})
    return findings


def _require_count(
    batch: Batch, found: Sequence[Run], announced: Sequence[Announced], parts: Sequence[Part]
) -> None:
    scanned = [run for run in found if run.pages and not run.is_electronic]
    if not scanned or batch.envelope.expected_sheets is not None:
        return
    if len(announced) >= sum(1 for part in parts if part.pages):
        return
    raise Unclear(
        "no count of sheets for a class that needs one",
        code="count_missing",
        operator_text=(
            f"{names(batch)}: Der Schutzbedarf der Dokumentklasse verlangt, dass die Blätter vor"
            " dem Scannen gezählt wurden (TR-03138 A.DV.2); es wurde keine Zahl angegeben. Bitte"
            " das Papier nachzählen und mit 'expected_sheets=ZAHL' freigeben."
        ),
    )


def _is_counted(assignment: Assignment, parts: Iterable[Part]) -> bool:
    """Tell whether the class of any document demands a count; a batch takes the maximum."""
    return MEASURES[highest(_needs(assignment, parts))].counted


def _needs(assignment: Assignment, parts: Iterable[Part]) -> Iterator[str]:
    own = assignment.profile
    for part in parts:
        content = own if part.profile is None else part.profile.content
        if content["treatment"] == "replacing":
            yield (content.get("protection") or {}).get("integrity", "normal")
