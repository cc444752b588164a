"""Withdrawing a delivery: ours goes, what was taken is named, nothing is delivered again."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from typing_extensions import override

from ingest.document import Assignment, Facts, Step
from ingest.errors import Unclear
from tests.plugins.letters import Desk, after, image_pdf, of
from workers import note, routing, sealing
from workers.delivery import perform
from workers.delivery.filesystem import FileSystem
from workers.delivery.withdrawal import Withdrawn, withdraw


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def ready(desk: Desk) -> Assignment:
    assignment = desk.letter(composed=image_pdf(), source_name="Erika Mustermann.tif")
    for step, act, following in (
        (Step.NOTE, note.perform, Step.SEALING),
        (Step.SEALING, sealing.perform, Step.ROUTING),
        (Step.ROUTING, routing.perform, Step.DELIVERY),
    ):
        assignment = after(assignment, step, act(assignment, desk.context()), following)
    return assignment


def outbox(desk: Desk) -> Path:
    return desk.settings.outbox("default")


def delivered(desk: Desk) -> set[str]:
    return {path.name for path in outbox(desk).glob("[!.]*/*")}


def withdrawn(
    desk: Desk, assignment: Assignment, facts: Facts | None = None, system: FileSystem | None = None
) -> Withdrawn:
    made = {rendition.sha256 for rendition in of(assignment).renditions.values()}
    return withdraw(
        outbox(desk),
        document=of(assignment).id,
        key=assignment.idempotency_key,
        facts=facts or {},
        digests=made | {source.sha256 for source in assignment.batch.sources},
        system=system,
    )


def everything(desk: Desk) -> str:
    """Return names and contents of all files in the outbox, its journal included."""
    files = [path for path in outbox(desk).rglob("*") if path.is_file()]
    return "\n".join(f"{path.name} {path.read_bytes()!r}" for path in files)


@pytest.mark.parametrize("recorded", [True, False])
def test_what_lies_in_the_outbox_goes_and_the_journal_forgets(desk: Desk, recorded: bool) -> None:
    assignment = ready(desk)
    facts = perform(assignment, desk.context()).facts
    assert "Erika" in everything(desk)
    result = withdrawn(desk, assignment, facts if recorded else None)
    assert {path.suffix for path in result.removed} >= {".ready", ".pdf", ".json"}
    assert (result.taken, result.altered) == ((), ())
    assert delivered(desk) == set()
    assert "Erika" not in everything(desk)
    assert of(assignment).id not in everything(desk)


def test_nothing_is_delivered_again_after_a_withdrawal(desk: Desk) -> None:
    assignment = ready(desk)
    facts = perform(assignment, desk.context()).facts
    withdrawn(desk, assignment, facts)
    with pytest.raises(Unclear, match="erased"):
        perform(assignment, desk.context())
    assert delivered(desk) == set()


def test_what_the_consumer_took_is_named(desk: Desk) -> None:
    assignment = ready(desk)
    facts = perform(assignment, desk.context()).facts
    for path in outbox(desk).glob("[!.]*/*"):
        if path.suffix != ".json":
            path.unlink()
    result = withdrawn(desk, assignment, facts)
    assert {path.suffix for path in result.removed} == {".json"}
    assert {path.name for path in result.taken} == set(facts["files"]) - {
        path.name for path in result.removed
    }
    assert result.taken


def test_a_file_with_other_content_is_left_and_named(desk: Desk, tmp_path: Path) -> None:
    assignment = ready(desk)
    facts = perform(assignment, desk.context()).facts
    (pdf,) = outbox(desk).glob("*/*.pdf")
    (sidecar,) = outbox(desk).glob("*/*.json")
    pdf.write_bytes(b"mine")
    original = sidecar.rename(tmp_path / "moved.json")
    sidecar.symlink_to(original)
    result = withdrawn(desk, assignment, facts)
    assert set(result.altered) == {pdf, sidecar}
    assert pdf.read_bytes() == b"mine"
    assert original.exists()


def test_what_an_interrupted_attempt_left_goes_too(desk: Desk) -> None:
    class Stopped(BaseException):
        pass

    class Interrupted(FileSystem):
        renamed = 0

        @override
        def rename(self, existing: Path, name: Path) -> None:
            if self.renamed == 2:
                raise Stopped
            self.renamed += 1
            super().rename(existing, name)

    assignment = ready(desk)
    with pytest.raises(Stopped):
        perform(assignment, desk.context(), Interrupted())
    assert "Erika" in everything(desk)
    result = withdrawn(desk, assignment)
    assert result.removed
    assert (result.taken, result.altered) == ((), ())
    assert "Erika" not in everything(desk)
    with pytest.raises(Unclear):
        perform(assignment, desk.context())


def test_a_withdrawal_that_failed_can_be_repeated(desk: Desk) -> None:
    class Stubborn(FileSystem):
        @override
        def remove(self, path: Path) -> None:
            if path.suffix == ".pdf":
                raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            super().remove(path)

    assignment = ready(desk)
    facts = perform(assignment, desk.context()).facts
    with pytest.raises(OSError, match="ermission"):
        withdrawn(desk, assignment, facts, Stubborn())
    assert not list(outbox(desk).glob("*/*.ready")), "no consumer takes half a group"
    withdrawn(desk, assignment, facts)
    assert delivered(desk) == set()
    assert "Erika" not in everything(desk)


def test_an_outbox_that_was_moved_is_found(desk: Desk) -> None:
    assignment = ready(desk)
    facts = perform(assignment, desk.context()).facts
    moved = {**facts, "path": str(Path("elsewhere") / Path(facts["path"]).name)}
    withdrawn(desk, assignment, moved)
    assert delivered(desk) == set()
