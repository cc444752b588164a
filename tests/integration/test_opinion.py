"""Fresh seals that pyHanko is asked about as well: the first ones, a sample, and what follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingest.document import Step
from ingest.errors import ToolFailed
from tests.plugins.letters import Desk, after, image_pdf
from workers import note, sealing
from workers.sealing import opinion
from workers.sealing.validation import NotValidated, Validation


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(opinion, "_made", type(opinion._made)())
    monkeypatch.setattr(opinion, "EVERY", 4)
    return Desk(tmp_path)


def validated(desk: Desk, times: int) -> list[bool]:
    """Seal a letter so many times and return which seals pyHanko was asked about."""
    letter = desk.letter(composed=image_pdf())
    assignment = after(letter, Step.NOTE, note.perform(letter, desk.context()), Step.SEALING)
    done = (sealing.perform(assignment, desk.context()) for _ in range(times))
    return [outcome.facts["validated"] for outcome in done]


def test_the_first_seals_are_validated_and_then_a_sample(desk: Desk) -> None:
    assert validated(desk, 9) == [True, True, False, True, False, False, False, True, False]


def test_another_key_begins_anew(desk: Desk, tmp_path: Path) -> None:
    validated(desk, 3)
    assert validated(Desk(tmp_path / "other"), 1) == [True]


def test_large_files_are_left_to_the_second_path(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opinion, "LARGEST", 1000)
    assert validated(desk, 1) == [False]


GOOD: dict[str, Any] = {
    "sound": True,
    "trusted": True,
    "changed": "",
    "timestamp": None,
    "loose": 0,
    "unsealed": 1,
    "proven": "B-B",
}


@pytest.mark.parametrize(
    "wrong", [{"sound": False}, {"trusted": False}, {"changed": "OTHER"}, {"loose": 1}]
)
def test_a_seal_that_is_doubted_is_not_used(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    monkeypatch.setattr(opinion, "validate", lambda *_: Validation(**{**GOOD, **wrong}))
    with pytest.raises(ToolFailed, match="validated and refused"):
        validated(desk, 1)


def test_a_seal_that_defeats_validation_is_not_used(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defeated(*_: Any) -> Validation:
        raise NotValidated("KeyError")

    monkeypatch.setattr(opinion, "validate", defeated)
    with pytest.raises(ToolFailed, match="not validated"):
        validated(desk, 1)
