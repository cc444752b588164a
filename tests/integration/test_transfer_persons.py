"""Every person whom a transfer note names can be resolved, or nothing is sealed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ingest.errors import NoteIncomplete
from ingest.settings import HouseSettings
from tests.integration.test_transfer_note import desk, made, refused
from tests.plugins.letters import Desk
from tests.plugins.transfers import ENVELOPE, VERDICT, replacing, sampled
from workers.note import perform

__all__ = ["desk"]


@pytest.mark.parametrize("code", ["Musterhausen", "STADT-MUSTERHAUS"])
def test_organisation_as_creator(desk: Desk, tmp_path: Path, code: str) -> None:
    house = {"organisation": code.casefold(), "place": "Musterhausen", "unit": "Scanstelle"}
    settings = desk.settings.model_copy(update={"house": HouseSettings(**house)})
    envelope = dataclasses.replace(ENVELOPE, operator=code)
    assignment = replacing(desk, envelope=envelope, registered=frozenset({code}))
    with pytest.raises(NoteIncomplete) as caught:
        perform(assignment, dataclasses.replace(desk.context(), settings=settings))
    assert f"„{code}“ ist die Organisation" in caught.value.operator_text


def test_a_creator_whom_nobody_can_resolve_is_refused(desk: Desk) -> None:
    assert "steht für keine bekannte Person" in refused(
        desk, replacing(desk, registered=frozenset({"qs-03"}))
    )


def test_everybody_who_fed_sheets_of_the_stack_has_to_be_resolvable(desk: Desk) -> None:
    assignment = replacing(desk, registered=frozenset({ENVELOPE.operator, "qs-03", "ps-08"}))
    known, unknown = (
        dataclasses.replace(
            assignment.batch, facts={"scanned": {"operators": [ENVELOPE.operator, code]}}
        )
        for code in ("ps-08", "ps-99")
    )
    text = refused(desk, dataclasses.replace(assignment, batch=unknown))
    assert "auflösbare scannende Person (Kürzel „ps-99“" in text
    made(desk, dataclasses.replace(assignment, batch=known))


def test_a_checker_whom_nobody_can_resolve_is_refused(desk: Desk) -> None:
    looked = sampled(selected=True, verdict=VERDICT)
    text = refused(desk, replacing(desk, looked, registered=frozenset({"ps-07"})))
    assert "auflösbare prüfende Person" in text


def test_a_sample_rests_on_nobody_who_cannot_be_resolved(desk: Desk) -> None:
    text = refused(desk, replacing(desk, sampled(checked_by=["qs-03", "qs-99"])))
    assert "auflösbare prüfende Person (Kürzel „qs-99“" in text


def test_whoever_scanned_again_has_to_be_resolvable(desk: Desk) -> None:
    again = {"page": 1, "by": "Poststelle", "reason": "schief", "sha256": "ab" * 32}
    text = refused(desk, replacing(desk, sampled(rescanned=[again])))
    assert "auflösbare scannende Person (Kürzel „Poststelle“" in text
