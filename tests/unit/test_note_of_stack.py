"""What is found about a whole stack is told to the reader of each of its documents."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ingest.document import Document, Stage, Step
from tests.plugins.stacks import Stack
from workers.note.anomalies import anomalies, findings


def _document(**separation: object) -> Document:
    return Document(
        id="document",
        batch_id="batch",
        consignment_id="consignment",
        revision=1,
        ordinal=1,
        stage=Stage.CAPTURED,
        facts={"separation": separation},
    )


def test_a_finding_about_the_stack_is_told_and_one_about_a_page_of_it_is_not(
    tmp_path: Path,
) -> None:
    told = [
        {"code": "count_not_checked", "text": "Zählung nicht geprüft."},
        {"code": "asn_out_of_range", "page": 7, "text": "Seite 7"},
    ]
    assignment = Stack(folder=tmp_path, paths=[]).assignment(Step.SEPARATION)
    batch = dataclasses.replace(assignment.batch, facts={"separation": {"findings": told}})
    assignment = dataclasses.replace(assignment, batch=batch)
    assert findings(assignment, _document()) == ["Zählung nicht geprüft."]


def test_a_sheet_whose_operator_was_refused_is_not_called_left_out(tmp_path: Path) -> None:
    assignment = Stack(folder=tmp_path, paths=[]).assignment(Step.SEPARATION)
    refused = {"code": "operator_refused", "page": 3, "text": "kein Kürzel"}
    missing = {"code": "unreadable_page", "page": 4, "text": "Daten fehlen"}
    document = _document(anomalies=[refused, missing])
    assert anomalies(assignment, document) == [
        "Abbild 3: kein Kürzel",
        "Abbild 4: ausgelassen, Daten fehlen",
    ]
