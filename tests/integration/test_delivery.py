"""Delivery: exactly once, whatever is interrupted and whatever the consumer takes away."""

from __future__ import annotations

import collections
import dataclasses
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typing_extensions import override

from ingest.document import Assignment, Facts, Outcome, RenditionKind, SourceKind, Step
from ingest.errors import Outage, StoreUnavailable, UnsafeFolders
from tests.plugins.letters import Desk, after, image_pdf, of, with_facts
from workers import note, routing, sealing
from workers.delivery import perform, stem_of
from workers.delivery.filesystem import FileSystem

CALLS = (
    "make_folder",
    "create",
    "write",
    "sync",
    "read",
    "rename",
    "sync_folder",
    "remove",
    "remove_folder",
)


class Stopped(BaseException):
    """The process was killed here."""


class Observed(FileSystem):
    """Counts the calls and does something before the n-th; a consumer acts on every rename."""

    def __init__(
        self, outbox: Path, before: Callable[[int, str, Path | int], None] | None = None
    ) -> None:
        self.calls: list[str] = []
        self.taken: collections.Counter[str] = collections.Counter()
        self._outbox = outbox
        self._before = before

    @override
    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in CALLS:
            return found

        def observed(*arguments: Any) -> Any:
            self.calls.append(name)
            if self._before is not None:
                self._before(len(self.calls), name, arguments[0])
            answer = found(*arguments)
            if name == "rename":
                self._consume()
            return answer

        return observed

    def _consume(self) -> None:
        for ready in self._outbox.glob("*/*.ready"):
            for path in ready.parent.glob(ready.stem + ".*"):
                if path != ready:
                    self.taken[f"{path.name}:{digest(path)}"] += 1
                path.unlink()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def ready(desk: Desk, **letter: Any) -> Assignment:
    letter = {"composed": image_pdf(), **letter}
    assignment = desk.letter(**letter)
    for step, act, following in (
        (Step.NOTE, note.perform, Step.SEALING),
        (Step.SEALING, sealing.perform, Step.ROUTING),
        (Step.ROUTING, routing.perform, Step.DELIVERY),
    ):
        outcome = act(assignment, desk.context())
        assignment = after(assignment, step, outcome, following)
    return assignment


def outbox(desk: Desk) -> Path:
    return desk.settings.outbox("default")


def visible(desk: Desk) -> dict[str, Path]:
    return {path.name: path for path in outbox(desk).glob("[!.]*/*")}


def sidecar(desk: Desk, outcome: Outcome) -> Facts:
    (made,) = outcome.renditions
    content = desk.context().read(made.sha256)
    schema = resources.files("workers").joinpath("schemas", "sidecar-1.json").read_text("utf-8")
    loaded: Facts = json.loads(content)
    jsonschema.validate(loaded, json.loads(schema))
    return loaded


def test_a_letter_arrives_as_sealed_pdf_with_sidecar_and_ready_file(desk: Desk) -> None:
    assignment = ready(desk)
    outcome = perform(assignment, desk.context())
    stem = f"brief-{of(assignment).id}"
    files = visible(desk)
    assert sorted(files) == [f"{stem}.json", f"{stem}.pdf", f"{stem}.ready"]
    assert files[f"{stem}.pdf"].parent.name == "poststelle"
    assert outcome.facts["files"] == {
        name: digest(path) for name, path in files.items() if not name.endswith(".ready")
    }
    assert Path(outcome.facts["path"]) / f"{stem}.pdf" == files[f"{stem}.pdf"]
    sealed = of(assignment).renditions[RenditionKind.PDF]
    assert digest(files[f"{stem}.pdf"]) == sealed.sha256
    said = sidecar(desk, outcome)
    assert said == json.loads(files[f"{stem}.json"].read_text("utf-8"))
    assert said["outputs"]["pdf"]["sha256"] == sealed.sha256
    assert said["operator"] == said["received_at"] == said["scanned_at"] == "nicht erfasst"
    assert said["seal"]["kind"] == "Installationssignatur (Demo)"
    assert said["treatment"] == "kopierend"


def test_an_electronic_original_lies_beside_its_pdf(desk: Desk) -> None:
    finding = {"code": "not_pdfa", "text": "Das Original ist keine PDF/A."}
    facts = {"electronic": True, "findings": [finding]}
    assignment = ready(desk, source_name="Antrag.PDF", source=b"%PDF-1.4", source_facts=facts)
    outcome = perform(assignment, desk.context())
    original = next(path for name, path in visible(desk).items() if ".original." in name)
    assert original.name.endswith(".original.pdf")
    assert original.read_bytes() == b"%PDF-1.4"
    assert sidecar(desk, outcome)["findings"] == ["Das Original ist keine PDF/A."]


JBIG2 = {"code": "jbig2_symbol", "text": "JBIG2 mit gemeinsamen Zeichenmustern."}


@pytest.mark.parametrize(
    "facts",
    [
        {"electronic": False, "class": "scan", "findings": [JBIG2]},
        {"electronic": False, "class": "mixed", "findings": []},
    ],
)
def test_a_scan_that_is_more_than_pictures_lies_beside_its_copy(desk: Desk, facts: Facts) -> None:
    assignment = ready(desk, source_name="scan.pdf", source=b"%PDF-1.7", source_facts=facts)
    outcome = perform(assignment, desk.context())
    (original,) = (path for name, path in visible(desk).items() if ".original." in name)
    assert original.read_bytes() == b"%PDF-1.7"
    assert sidecar(desk, outcome)["outputs"]["original"]["name"] == original.name


def test_a_pdf_that_composition_had_to_change_lies_beside_its_copy(desk: Desk) -> None:
    plain = {"electronic": False, "class": "scan", "findings": []}
    assignment = ready(desk, source_name="scan.pdf", source_facts=plain)
    source = dataclasses.replace(assignment.batch.sources[0], kind=SourceKind.PDF)
    batch = dataclasses.replace(assignment.batch, sources=(source,))
    removed = [{"code": "javascript_removed", "text": "JavaScript fehlt in der Kopie."}]
    composition = {**of(assignment).facts["composition"], "findings": removed}
    changed = with_facts(dataclasses.replace(assignment, batch=batch), composition=composition)
    perform(changed, desk.context())
    assert any(name.endswith(".original.pdf") for name in visible(desk))


def test_every_source_of_a_stack_with_a_finding_lies_beside_the_copy(desk: Desk) -> None:
    plain = {"electronic": False, "class": "scan", "findings": []}
    assignment = ready(desk, texts=("eins", "zwei", "drei"), source_facts=plain)
    (first,) = assignment.batch.sources
    others = tuple(
        dataclasses.replace(
            first,
            ordinal=number,
            name=f"{number}.pdf",
            sha256=desk.put(b"%d" % number),
            facts={**plain, "findings": [JBIG2]},
        )
        for number in (2, 3)
    )
    batch = dataclasses.replace(assignment.batch, sources=(first, *others))
    pages = tuple(dataclasses.replace(page, source=page.number) for page in assignment.pages)
    outcome = perform(dataclasses.replace(assignment, batch=batch, pages=pages), desk.context())
    stem = f"brief-{of(assignment).id}"
    files = visible(desk)
    assert files[f"{stem}.original.pdf"].read_bytes() == b"2"
    assert files[f"{stem}.original-2.pdf"].read_bytes() == b"3"
    assert set(sidecar(desk, outcome)["outputs"]) == {"pdf", "original", "original-2"}


def test_an_original_without_pdf_comes_with_its_note(desk: Desk) -> None:
    assignment = desk.letter(rung="original", source_name="mail.eml", source=b"From: a")
    assignment = dataclasses.replace(assignment, pages=())
    noted = after(assignment, Step.NOTE, note.perform(assignment, desk.context()), Step.SEALING)
    sealed = after(noted, Step.SEALING, sealing.perform(noted, desk.context()), Step.ROUTING)
    routed = after(sealed, Step.ROUTING, routing.perform(sealed, desk.context()), Step.DELIVERY)
    outcome = perform(routed, desk.context())
    stem = f"mail-{of(assignment).id}"
    assert sorted(visible(desk)) == [
        f"{stem}.json",
        f"{stem}.note.xml",
        f"{stem}.original.eml",
        f"{stem}.ready",
    ]
    said = sidecar(desk, outcome)
    assert said["seal"]["kind"] == "keine"
    assert any("Ohne Installationssignatur" in text for text in said["findings"])


def test_a_second_attempt_does_nothing_and_says_the_same(desk: Desk) -> None:
    assignment = ready(desk)
    first = perform(assignment, desk.context())
    for path in visible(desk).values():
        path.unlink()
    assert perform(assignment, desk.context()) == first
    assert visible(desk) == {}


def count_calls(desk: Desk, assignment: Assignment) -> list[str]:
    system = Observed(outbox(desk))
    perform(assignment, desk.context(), system)
    shutil.rmtree(outbox(desk))
    return system.calls


def test_stopped_before_any_system_call_it_is_still_delivered_exactly_once(desk: Desk) -> None:
    assignment = ready(desk)
    total = len(count_calls(desk, assignment))
    assert total > 20
    for stop_at in range(1, total + 1):

        def stop(number: int, name: str, _: Path | int, at: int = stop_at) -> None:
            if number == at:
                raise Stopped

        stopped = Observed(outbox(desk), stop)
        with pytest.raises(Stopped):
            perform(assignment, desk.context(), stopped)
        second = Observed(outbox(desk))
        outcome = perform(assignment, desk.context(), second)
        taken = stopped.taken + second.taken
        expected = {f"{name}:{sha}": 1 for name, sha in outcome.facts["files"].items()}
        assert dict(taken) == expected, f"stopped before call {stop_at}"
        assert visible(desk) == {}
        assert perform(assignment, desk.context()) == outcome
        assert visible(desk) == {}
        shutil.rmtree(outbox(desk))


@pytest.mark.parametrize(("code", "every"), [(errno.ENOSPC, 1), (errno.EROFS, 5)])
def test_a_full_disk_defers_and_leaves_nothing_half_visible(
    desk: Desk, code: int, every: int
) -> None:
    assignment = ready(desk)
    calls = count_calls(desk, assignment)
    places = [number for number, name in enumerate(calls, 1) if name not in ("remove", "read")]
    for fail_at in places[::every]:

        def fail(number: int, name: str, _: Path | int, at: int = fail_at) -> None:
            if number == at:
                raise OSError(code, os.strerror(code), "x")

        broken = Observed(outbox(desk), fail)
        with pytest.raises(StoreUnavailable) as caught:
            perform(assignment, desk.context(), broken)
        assert caught.value.consumes_try is False
        names = set(visible(desk))
        published = any(name.endswith(".ready") for name in names) or broken.taken
        begun = list(outbox(desk).glob(".journal/*/*.begun"))
        assert published or begun or not names, f"{names} visible after call {fail_at}"
        later = Observed(outbox(desk))
        outcome = perform(assignment, desk.context(), later)
        assert sum((broken.taken + later.taken).values()) == len(outcome.facts["files"])
        shutil.rmtree(outbox(desk))


def test_after_a_power_failure_what_the_consumer_took_is_not_delivered_again(desk: Desk) -> None:
    assignment = ready(desk)
    first = perform(assignment, desk.context())
    # The disk forgot the last rename, not that the consumer took the files.
    (begun,) = outbox(desk).glob(".journal/*/*.begun")
    for path in visible(desk).values():
        path.unlink()
    begun.with_suffix(".pending").write_bytes(b"")
    assert perform(assignment, desk.context()) == first
    assert visible(desk) == {}
    assert not begun.with_suffix(".pending").exists()


def test_two_attempts_at_once_exclude_each_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.delivery.publication._LOCK_SECONDS", 0.1)
    assignment = ready(desk)

    def second_attempt(number: int, name: str, _: Path | int) -> None:
        if name == "rename" and number > 1:
            with pytest.raises(Outage):
                perform(assignment, desk.context())

    perform(assignment, desk.context(), Observed(outbox(desk), second_attempt))


def test_bytes_that_read_back_differently_are_not_published(desk: Desk) -> None:
    class Forgetful(FileSystem):
        @override
        def write(self, descriptor: int, block: bytes) -> None:
            super().write(descriptor, block[:-1] + bytes([block[-1] ^ 1]) if block else block)

    with pytest.raises(StoreUnavailable):
        perform(ready(desk), desk.context(), Forgetful())
    assert visible(desk) == {}


def test_a_linked_department_folder_is_refused(desk: Desk, tmp_path: Path) -> None:
    outbox(desk).mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (outbox(desk) / "poststelle").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeFolders):
        perform(ready(desk), desk.context())
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_department_on_another_file_system_is_named_with_remedy(desk: Desk) -> None:
    def refuse(number: int, name: str, _: Path | int) -> None:
        if name == "rename":
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), "x")

    with pytest.raises(UnsafeFolders) as caught:
        perform(ready(desk), desk.context(), Observed(outbox(desk), refuse))
    assert "Dateisystem" in caught.value.operator_text
    assert visible(desk) == {}


def test_a_department_cannot_lead_out_of_the_outbox(desk: Desk) -> None:
    assignment = with_facts(
        ready(desk), routing={"department": "../weg", "rule": "default", "reason": "x"}
    )
    with pytest.raises(UnsafeFolders):
        perform(assignment, desk.context())


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Bescheid Müller.pdf", "Bescheid_Müller"),
        ("Müller.tif", "Müller"),
        ("../../etc/passwd", "passwd"),
        ("a\\b\\c.tif", "c"),
        (".pdf", "pdf"),
        ("\x00\x01", "dokument"),
        ("x" * 300 + ".tif", "x" * 80),
        ("ä" * 300 + ".tif", "ä" * 80),
        ("CON.tif", "CON"),
        ("a\ufffdb.tif", "a_b"),
    ],
)
def test_names_are_readable_and_safe(name: str, slug: str) -> None:
    assert stem_of(name, "id") == f"{slug}-id"
