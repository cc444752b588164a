"""A sheet names a document class: it is loaded, or a person decides."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest.clock import UTC
from ingest.context import StepContext
from ingest.document import Assignment, Outcome, Part, Priority, Step
from ingest.errors import ReceivedDateMissing, Unclear
from ingest.settings import Settings
from tests.plugins import papers
from tests.plugins.stacks import Stack
from workers.separation.classes import with_classes

_CLASS = """\
name = "bescheide"
version = "1"
title = "Bescheide"
treatment = "copying"
priority = "deadline"
"""


class Desk:
    """A stack of two letters, the second behind a sheet, and the house's profiles."""

    def __init__(self, folder: Path) -> None:
        path = folder / "stapel.tif"
        path.write_bytes(papers.tiff("eins", papers.separator(), "zwei"))
        self.stack = Stack(folder=folder, paths=[path])
        self.cut: Outcome = self.stack.cut()
        self.house = folder / "profile"
        self.house.mkdir()

    def keep(self, content: str) -> None:
        (self.house / "bescheide.toml").write_text(content, "utf-8")

    def classed(self, name: str, **released: str) -> tuple[Part, ...]:
        """Let the sheet say that what follows is of class `name`."""
        first, second = self.cut.parts
        parts = (first, replace(second, hints={**second.hints, "profile": name}))
        settings = Settings(data=self.stack.folder, profiles=self.house)
        context: StepContext = replace(self.stack.context, settings=settings)
        omitted: list[dict[str, Any]] = self.cut.facts["omitted"]
        return with_classes(parts, omitted, self._assignment(released), context)

    def _assignment(self, released: dict[str, str]) -> Assignment:
        return replace(self.stack.assignment(Step.SEPARATION, self.stack.pages), released=released)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_class_is_loaded_and_takes_the_place_of_the_hint(desk: Desk) -> None:
    desk.keep(_CLASS)
    first, second = desk.classed("bescheide")
    assert first.profile is None
    assert second.profile is not None
    assert second.profile.content["title"] == "Bescheide"
    assert (second.profile.name, second.profile.priority) == ("bescheide", Priority.DEADLINE)
    assert "profile" not in second.hints
    before = second.profile.sha256
    desk.keep(_CLASS + "# anders\n")
    again = desk.classed("bescheide")[1].profile
    assert again is not None
    assert again.sha256 != before


def test_the_own_name_means_the_stack_s_version(desk: Desk) -> None:
    _, second = desk.classed("posteingang")
    assert (second.profile, second.hints.get("profile")) == (None, None)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("unbekannt", None, "„unbekannt“"),
        ("../bescheide", None, "„../bescheide“"),
        ("bescheide", _CLASS + "released = false\n", "nicht freigegeben"),
        ("bescheide", _CLASS + "schnell = true\n", "unbekannter Schlüssel"),
    ],
)
def test_a_class_that_cannot_be_used_is_held_and_sheet_and_class_are_named(
    desk: Desk, name: str, content: str | None, told: str
) -> None:
    if content is not None:
        desk.keep(content)
    with pytest.raises(Unclear) as held:
        desk.classed(name)
    assert held.value.code == "profile_unknown"
    for words in (told, "Seite 2", name, "stapel.tif", "profile=stack"):
        assert words in held.value.operator_text


def test_a_person_may_let_the_stack_s_profile_hold(desk: Desk) -> None:
    _, second = desk.classed("unbekannt", profile="stack")
    assert second.profile is None
    (anomaly,) = second.hints["anomalies"]
    assert (anomaly["code"], anomaly["page"]) == ("profile_ignored", 2)
    assert "unbekannt" in anomaly["text"]


def test_a_class_that_needs_the_date_of_receipt_gets_it_or_asks(desk: Desk) -> None:
    desk.keep(_CLASS + '[intake]\nreceived_at = "required"\n')
    with pytest.raises(ReceivedDateMissing) as held:
        desk.classed("bescheide")
    assert "Seite 2" in held.value.operator_text
    _, second = desk.classed("bescheide", received_at="2026-11-20")
    assert second.hints["received_at"] == "2026-11-20T00:00:00+01:00"
    assert second.hints["received_at_source"] == "operator"
    desk.stack.received_at = dt.datetime(2026, 11, 19, tzinfo=UTC)
    _, second = desk.classed("bescheide")
    assert "received_at" not in second.hints


def test_a_class_that_needs_a_release_waits_for_somebody_to_give_it(desk: Desk) -> None:
    desk.keep(_CLASS.replace("copying", "only_after_release"))
    with pytest.raises(Unclear) as caught:
        desk.classed("bescheide")
    assert caught.value.code == "release_needed"
    assert "'profile=class'" in caught.value.operator_text
    assert desk.classed("bescheide", profile="class")[1].profile is not None
    assert desk.classed("bescheide", profile="stack")[1].profile is None
