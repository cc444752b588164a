"""What was added beside a delivered document goes with it: erased, or replaced by a revision."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from ingest.document import CONFIRMATION, Facts, Superseded
from ingest.errors import Unclear
from ingest.ledger.confirming import delivered as delivered_of
from tests.plugins.letters import Desk, of
from tests.plugins.supplements import confirming, delivered, judged, sealed
from tests.plugins.transfers import by_clerk, replacing, with_own_key
from workers import STEPS
from workers.delivery import confirmation
from workers.delivery.filesystem import FileSystem
from workers.delivery.replacement import LEFT, WITHDRAWN, replace
from workers.delivery.withdrawal import withdraw


class Scene:
    """A document with its supplementary note, both lying in the outbox."""

    def __init__(self, folder: Path) -> None:
        desk = Desk(folder)
        pending = delivered(desk, with_own_key(replacing(desk, by_clerk())))
        self.assignment = sealed(desk, confirming(desk, judged(pending)))
        self.context = desk.context()
        self.outbox = desk.settings.outbox("default").absolute()
        self.later = confirmation.perform(self.assignment, self.context).facts
        self.document = of(self.assignment)

    @property
    def lying(self) -> list[str]:
        """The ends of the names that lie in the outbox."""
        found = self.outbox.glob(f"*/*{self.document.id}*")
        return sorted(path.name.partition(self.document.id)[2] for path in found)

    def superseded(self) -> Superseded:
        """The document as its next revision sees it."""
        facts: Facts = {**self.document.facts, "confirmation_delivery": self.later}
        return Superseded(
            id=self.document.id,
            revision=1,
            delivery_key=f"{self.document.id}:delivery",
            delivery=delivered_of(facts),
        )


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_an_erased_document_takes_its_supplement_along(scene: Scene) -> None:
    assert ".ergaenzung.xml" in scene.lying
    gone = withdraw(
        scene.outbox,
        document=scene.document.id,
        key=scene.assignment.idempotency_key,
        facts=scene.later,
        digests=(),
    )
    assert len(gone.removed) == 3
    assert scene.lying == [".json", ".pdf", ".ready"]
    with pytest.raises(Unclear):
        confirmation.perform(scene.assignment, scene.context)
    journal = (scene.outbox / ".journal").rglob("*.begun")
    named = [path for path in journal if "ergaenzung" in path.read_text("utf-8")]
    assert named == []


def test_a_revision_takes_the_place_of_both(scene: Scene) -> None:
    fate = replace(scene.outbox, scene.superseded(), FileSystem())
    assert fate["state"] == WITHDRAWN
    assert scene.lying == []


def test_where_the_supplement_was_taken_all_of_it_stays(scene: Scene) -> None:
    (taken,) = scene.outbox.glob("*/*.ergaenzung.xml")
    taken.unlink()
    fate = replace(scene.outbox, scene.superseded(), FileSystem())
    assert fate["state"] == LEFT
    assert ".pdf" in scene.lying


def test_the_steps_are_where_they_are_named() -> None:
    for step in CONFIRMATION:
        module, _, name = STEPS[step].partition(":")
        assert callable(getattr(importlib.import_module(module), name))
