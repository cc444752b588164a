"""Delivering a later revision: one current document in the outbox, nothing taken from anybody."""

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lxml import etree  # type: ignore[import-untyped] # it ships no annotations
from typing_extensions import override

from ingest.document import (
    PUT_BACK,
    Assignment,
    Facts,
    Outcome,
    RenditionKind,
    Step,
    Superseded,
    new_id,
)
from ingest.errors import Unclear
from tests.plugins.letters import Desk, after, image_pdf, of, with_facts
from workers import note, routing, sealing
from workers.delivery import perform
from workers.delivery.filesystem import FileSystem
from workers.delivery.withdrawal import withdraw

BACK = {
    "page": 2,
    "kind": "blank",
    "by": "op17",
    "reason": "Stempel auf der Rückseite",
    "at": "2026-03-03T08:00:00+00:00",
}


class Stopped(BaseException):
    """The process was killed here."""


class Stopping(FileSystem):
    """Stops the world before the call with a number."""

    def __init__(self, last: int) -> None:
        self._left = last

    @override
    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in {"create", "rename", "remove", "sync_folder", "remove_folder"}:
            return found

        def counted(*arguments: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                raise Stopped
            return found(*arguments)

        return counted


def ready(desk: Desk, assignment: Assignment) -> Assignment:
    for step, act, following in (
        (Step.NOTE, note.perform, Step.SEALING),
        (Step.SEALING, sealing.perform, Step.ROUTING),
        (Step.ROUTING, routing.perform, Step.DELIVERY),
    ):
        assignment = after(assignment, step, act(assignment, desk.context()), following)
    return assignment


def first(desk: Desk) -> Assignment:
    """Return a letter ready for its delivery."""
    return ready(desk, desk.letter(composed=image_pdf()))


def revision(desk: Desk, old: Assignment, facts: Facts) -> Assignment:
    """Return the second revision of `old`, ready for its delivery."""
    made = {rendition.sha256 for rendition in of(old).renditions.values()}
    earlier = Superseded(
        id=of(old).id,
        revision=1,
        delivery_key=old.idempotency_key,
        delivery=facts,
        digests=tuple(made | {source.sha256 for source in old.batch.sources}),
    )
    fresh = desk.letter(composed=image_pdf(2), texts=("eins", "zwei"))
    document = dataclasses.replace(of(fresh), id=new_id(), revision=2, supersedes=(earlier,))
    fresh = dataclasses.replace(fresh, document=document)
    return ready(desk, with_facts(fresh, separation={PUT_BACK: [BACK]}))


def visible(desk: Desk) -> set[str]:
    return {path.name for path in desk.settings.outbox("default").glob("[!.]*/*")}


def names(desk: Desk, assignment: Assignment) -> set[str]:
    return {name for name in visible(desk) if of(assignment).id in name}


def told(outcome: Outcome) -> Facts:
    (replaced,) = outcome.facts["replaced"]
    return dict(replaced)


def test_what_nobody_has_taken_is_withdrawn_and_the_new_group_says_what_it_replaces(
    desk: Desk,
) -> None:
    old = first(desk)
    facts = perform(old, desk.context()).facts
    new = revision(desk, old, facts)
    outcome = perform(new, desk.context())
    assert names(desk, old) == set()
    assert {name.rpartition(".")[2] for name in names(desk, new)} == {"pdf", "json", "ready"}
    assert all(name.startswith("brief-fassung2-") for name in names(desk, new))
    assert told(outcome)["state"] == "withdrawn"
    assert {*facts["files"], f"{facts['stem']}.ready"} == set(told(outcome)["files"])
    said = sidecar(desk, outcome)
    assert said["revision"] == 2
    assert said["supersedes"] == {"document": of(old).id, "revision": 1}
    (page,) = said["put_back"]
    assert (page["page"], page["operator"], page["reason"]) == (2, "op17", BACK["reason"])
    assert page["at"] == "2026-03-03T09:00:00+01:00"


def sidecar(desk: Desk, outcome: Outcome) -> Facts:
    (made,) = outcome.renditions
    schema = resources.files("workers").joinpath("schemas", "sidecar-1.json").read_text("utf-8")
    loaded: Facts = json.loads(desk.context().read(made.sha256))
    jsonschema.validate(loaded, json.loads(schema))
    return loaded


@pytest.mark.parametrize("suffix", [".pdf", ".json", ".ready"])
def test_what_somebody_began_to_take_stays_with_them(desk: Desk, suffix: str) -> None:
    old = first(desk)
    facts = perform(old, desk.context()).facts
    for path in desk.settings.outbox("default").glob(f"*/*{suffix}"):
        path.unlink()
    before = names(desk, old)
    outcome = perform(revision(desk, old, facts), desk.context())
    assert told(outcome) == {"document": of(old).id, "revision": 1, "state": "left", "files": []}
    assert names(desk, old) == before


def test_a_file_that_somebody_changed_stays(desk: Desk) -> None:
    old = first(desk)
    facts = perform(old, desk.context()).facts
    (pdf,) = desk.settings.outbox("default").glob("*/*.pdf")
    pdf.write_bytes(b"mine")
    outcome = perform(revision(desk, old, facts), desk.context())
    assert told(outcome)["state"] == "left"
    assert pdf.read_bytes() == b"mine"


@pytest.mark.parametrize("recorded", [True, False])
def test_the_earlier_revision_is_not_delivered_afterwards(desk: Desk, recorded: bool) -> None:
    old = first(desk)
    if recorded:
        perform(old, desk.context())  # but the ledger never heard of it
    new = revision(desk, old, {})
    state = told(perform(new, desk.context()))["state"]
    assert state == ("withdrawn" if recorded else "not_delivered")
    assert names(desk, old) == set()
    with pytest.raises(Unclear, match="replaced"):
        perform(old, desk.context())
    assert visible(desk) == names(desk, new)


def test_wherever_it_is_interrupted_the_next_attempt_ends_it_alike(tmp_path: Path) -> None:
    ended = 0
    for last in range(60):
        desk = Desk(tmp_path / str(last))
        old = first(desk)
        facts = perform(old, desk.context()).facts
        new = revision(desk, old, facts)
        try:
            perform(new, desk.context(), Stopping(last))
            ended += 1
        except Stopped:
            assert names(desk, old) or {n for n in names(desk, new) if n.endswith(".ready")}
        outcome = perform(new, desk.context())
        assert told(outcome)["state"] == "withdrawn", last
        assert len(told(outcome)["files"]) == 3
        assert names(desk, old) == set()
        assert len(names(desk, new)) == 3
        if ended:
            return
    raise AssertionError("it never came to its end")


def test_an_unfinished_earlier_delivery_is_cleared_away(desk: Desk) -> None:
    old = first(desk)
    for last in range(40):
        with pytest.raises(Stopped):
            perform(old, desk.context(), Stopping(last))
        if names(desk, old):
            break
    assert not {name for name in names(desk, old) if name.endswith(".ready")}
    outcome = perform(revision(desk, old, {}), desk.context())
    assert told(outcome)["state"] == "not_delivered"
    assert names(desk, old) == set()


def test_erasing_afterwards_says_of_withdrawn_files_that_nobody_has_them(desk: Desk) -> None:
    old = first(desk)
    facts = perform(old, desk.context()).facts
    perform(revision(desk, old, facts), desk.context())
    outbox = desk.settings.outbox("default")
    result = withdraw(outbox, document=of(old).id, key=old.idempotency_key, facts=facts, digests=())
    assert (result.removed, result.taken, result.altered) == ((), (), ())
    entries = [path.read_text("utf-8") for path in outbox.rglob("*.begun")]
    assert not any(of(old).id in entry for entry in entries)


def test_the_note_names_revision_predecessor_page_person_and_reason(desk: Desk) -> None:
    old = first(desk)
    new = revision(desk, old, {})
    content = desk.context().read(of(new).renditions[RenditionKind.NOTE].sha256)
    tree = etree.fromstring(content)
    schema = resources.files("workers").joinpath("schemas", "scanvermerk-1.xsd").read_bytes()
    etree.XMLSchema(etree.fromstring(schema)).assertValid(tree)
    names = {"s": "urn:scanstrasse:scanvermerk:1"}
    assert tree.xpath("string(//s:Scanprodukt/s:Fassung)", namespaces=names) == "2"
    assert tree.xpath("string(//s:Scanprodukt/s:Ersetzt)", namespaces=names) == of(old).id
    (back,) = tree.xpath("//s:Wiederaufgenommen", namespaces=names)
    assert dict(back.attrib) == {
        "abbild": "2",
        "art": "leere Seite",
        "kuerzel": "op17",
        "zeitpunkt": "2026-03-03T09:00:00+01:00",
        "grund": BACK["reason"],
    }


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
