"""No path to destruction with any condition missing: in a real ledger, by its own acts only."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from ingest.document import Facts, Outcome, Part, Step
from ingest.errors import UsageError
from ingest.ledger import Ledger, chains, installation, schema
from ingest.ledger.anchors import RESTORED
from ingest.ledger.circumstances import Checked
from ingest.ledger.conditions import CONDITIONS, Proof
from ingest.ledger.erasure import erase
from tests.plugins.ledgers import ALL, LEASE, broken, digest, outcome, rows
from tests.plugins.paperwork import (
    BOX,
    LATER,
    PAPER,
    REPLACING,
    TENANT,
    WAITING,
    ZONE,
    act,
    agrees,
    back_up,
    checked,
    deliver,
    destroyed,
    documents,
    hasty,
    moved,
    ready,
    refused,
    released,
    replacing,
    staff,
)
from tests.plugins.releases import taken


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """One ledger for all: each case brings a batch of its own."""
    ledger = hasty(tmp_path_factory.mktemp("house"))
    staff(ledger)
    yield ledger
    ledger.close()


def rules(**paper: Any) -> Facts:
    return {**REPLACING, "paper": {**PAPER, **paper}}


def arrived(ledger: Ledger, content: Facts | None = None, **how: Any) -> str:
    """Bring a batch with one document, stored and backed up; return the document."""
    envelope = how.pop("envelope", {})
    receipt = taken(ledger, replacing(content, **envelope))
    how.setdefault("cut", ((1,),))
    deliver(ledger, **how)
    act(ledger, "store", receipt.batch_id, by="SCN", place=BOX)
    (document,) = [
        row.id for row in rows(ledger, schema.document) if row.batch_id == receipt.batch_id
    ]
    return str(document)


def _after(days: int) -> dt.timedelta:
    return dt.timedelta(days=days)


def _opened_by_mistake(ledger: Ledger) -> str:
    taken(ledger, replacing())
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        found = outcome(ledger.assignment(claim))
        if claim.step is Step.SEPARATION:
            part = Part(pages=(1,), source=1, hints={"opened": "opened_by_mistake"})
            found = Outcome(parts=(part,))
        assert ledger.record(claim, found)
        if claim.step is Step.SEPARATION:
            break
    deliver(ledger, cut=((1,),))
    document = str(documents(ledger)[-1])
    act(ledger, "store", document, by="SCN", place=BOX)
    return document


def _shared(ledger: Ledger) -> str:
    taken(ledger, replacing())
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        found = outcome(ledger.assignment(claim), ((1,), (2,)))
        if claim.step is Step.SEPARATION:
            found = dataclasses.replace(found, places={1: (1, "front"), 2: (1, "back")})
        assert ledger.record(claim, found)
        if claim.step is Step.SEPARATION:
            break
    deliver(ledger)
    document = str(documents(ledger)[-1])
    act(ledger, "store", document, by="SCN", place=BOX)
    return document


def _revised(ledger: Ledger) -> str:
    receipt = taken(ledger, replacing())
    deliver(ledger, cut=((1,), (3,)))
    act(ledger, "store", receipt.batch_id, by="SCN", place=BOX)
    own = [row.id for row in rows(ledger, schema.document) if row.batch_id == receipt.batch_id]
    ledger.put_back(own[0], 2, by="SCN", reason="war beschrieben")
    return str(own[0])


def _held_paper(ledger: Ledger) -> str:
    document = arrived(ledger)
    act(ledger, "hold", document, by="SCN", reason="Klage")
    return document


Way = Callable[[Ledger], str]


#: By condition: a real document of which only that is missing.
def _restored(ledger: Ledger) -> str:
    document = arrived(ledger)
    with ledger.writing() as connection:
        installation.note(connection, TENANT, chains.Entry(RESTORED, {"behind": {}}, "ADM"))
    return document


WAYS: Final[dict[str, Way]] = {
    "replacing": lambda ledger: arrived(ledger, {**REPLACING, "treatment": "copying"}),
    "confirmed": lambda ledger: arrived(ledger, note={"complete": True, "counts_as": "copying"}),
    "noted": lambda ledger: arrived(ledger, note={"complete": False, "counts_as": "replacing"}),
    "delivered": lambda ledger: arrived(ledger, files={"a.pdf": digest("another")}),
    "unheld": _held_paper,
    "not_owed": _opened_by_mistake,
    "archived": lambda ledger: arrived(ledger, rules(archive="open")),
    "evidenced": lambda ledger: arrived(ledger, {**REPLACING, "protection": {"integrity": "high"}}),
    "own_sheets": _shared,
    "scanned_by": lambda ledger: arrived(ledger, envelope={"operator": None}),
    "final": _revised,
    "no_rescan": _revised,
    "confirmed_since": _restored,
}
#: Missing by what is handed over or by time: the same document, another moment or proof.
ELSEWHERE: Final = {"stored", "sealed", "backed_up", "waited"}


def test_every_condition_has_its_way() -> None:
    assert WAYS.keys() | ELSEWHERE == {condition.name for condition in CONDITIONS}


def missing_text(name: str) -> str:
    return {
        "replacing": "nicht ersetzend gescannt",
        "confirmed": "nicht bestätigt",
        "noted": "nicht vollständig",
        "delivered": "Quittung",
        "unheld": "gesperrt",
        "not_owed": "irrtümlich geöffnet",
        "archived": "noch nicht entschieden",
        "evidenced": "Beweisnachweis",
        "own_sheets": "denselben Blättern",
        "scanned_by": "nicht erfasst",
        "final": "nicht abgeschlossen",
        "no_rescan": "noch in Arbeit",
        "confirmed_since": "Sicherung zurückgespielt",
    }[name]


@pytest.mark.parametrize("name", WAYS)
def test_a_document_that_lacks_one_condition_keeps_its_paper(house: Ledger, name: str) -> None:
    document = WAYS[name](house)
    with moved(_after(1)):
        back_up(house)
    with moved(LATER):
        text = refused(released, house, document)
        assert missing_text(name) in text
        if name not in {"final", "no_rescan", "confirmed_since"}:
            assert text.count(".") == 1, f"something else is missing too: {text}"
        assert "nicht zur Vernichtung freigegeben" in refused(destroyed, house, document)


def test_time_place_proof_and_backup_are_asked_when_it_is_released(tmp_path: Path) -> None:
    house = hasty(tmp_path)
    staff(house)
    document = arrived(house)
    with moved(LATER):
        assert "keine vollständige Sicherung" in refused(released, house, document)
    with moved(_after(1)):
        back_up(house)
        assert "Wartefrist läuft" in refused(released, house, document)
    with moved(LATER):
        unproved = Checked(zone=ZONE)
        assert "nicht geprüft" in refused(released, house, document, checked=unproved)
        bad = checked(house, "gebrochen")
        assert "Siegel gilt nicht" in refused(released, house, document, checked=bad)
        now = {"ersetzend": rules(archive="paper")}
        kept = checked(house, rules=now)
        assert "archivwürdig" in refused(released, house, document, checked=kept)
        assert released(house, document) == [document]
        for why, text in ((unproved, "nicht geprüft"), (bad, "gilt nicht"), (kept, "archiv")):
            assert text in refused(destroyed, house, document, checked=why)
        gone, loose = destroyed(house, document)
        assert gone == document
        assert loose == rows(house, schema.batch)[0].id, "separators go with the last document"
    house.close()


DAYS: Final = st.sampled_from([1, WAITING // 2, WAITING + 1])
CODES: Final = st.sampled_from(["ALL", "FRG", "VRN", "SCN", "ADM"])
#: Often what leads on, seldom what ends everything.
ACTS: Final = [
    *(["release", "destroy"] * 6),
    *(["wait", "store", "unhold"] * 2),
    *("back_up", "request", "hold", "spoil", "erase"),
]


class Acts(RuleBasedStateMachine):
    """Anything, by anybody, in any order; an independent account says when paper may go."""

    template: ClassVar[Path]
    folder: ClassVar[Path]
    count: ClassVar[int] = 0

    @initialize(waited=st.sampled_from([WAITING + 1, 0]), backed_up=st.sampled_from([True, False]))
    def begin(self, waited: int, backed_up: bool) -> None:
        type(self).count += 1
        self.home = self.folder / str(self.count)
        shutil.copytree(self.template, self.home)
        self.ledger = hasty(self.home)
        (self.document,) = documents(self.ledger)
        self.clock, self.begun = 0, 0  # days since delivery, and since which the time runs
        self.stage, self.held, self.erased = "stored", 0, False
        self.backed_up, self.sealed, self.releaser = False, True, ""
        self.clock = 1
        if backed_up:
            self.back_up()
        self.clock += waited

    def _do(self, act_: Callable[[], object]) -> bool:
        with moved(_after(self.clock)):
            try:
                act_()
            except UsageError:
                return False
        return True

    def _checked(self) -> Checked:
        fault = None if self.sealed else "gebrochen"
        pdf = digest(f"{self.document}/sealing")
        proofs = {self.document: Proof(sha256=pdf, fault=fault)}
        return Checked(zone=ZONE, proofs=proofs)

    def _allowed(self) -> bool:
        over = self.clock > self.begun + WAITING
        held = self.held > 0
        kept = self.replaced if self.erased else self.sealed and self.backed_up
        return over and not held and kept

    @rule(what=st.sampled_from(ACTS), by=CODES, days=DAYS)
    def anything(self, what: str, by: str, days: int) -> None:
        """One rule for all: as many rules, most runs would be without most of them."""
        acts: dict[str, Callable[[], None]] = {
            "wait": lambda: self.wait(days),
            "back_up": self.back_up,
            "spoil": self.spoil,
            "store": lambda: self.store(f"Karton {days}"),
            "request": self.request,
            "hold": self.hold,
            "unhold": lambda: self.unhold(by),
            "erase": lambda: self.erase(by),
            "release": lambda: self.release(by),
            "destroy": lambda: self.destroy(by),
        }
        acts[what]()

    def wait(self, days: int) -> None:
        self.clock += days

    def back_up(self) -> None:
        with moved(_after(self.clock)):
            back_up(self.ledger)
        self.backed_up = self.backed_up or self.clock > 0

    def spoil(self) -> None:
        self.sealed = not self.sealed

    def store(self, place: str) -> None:
        if self._do(lambda: act(self.ledger, "store", self.document, by="SCN", place=place)):
            self.stage = "stored"

    def request(self) -> None:
        if self._do(lambda: act(self.ledger, "request", self.document, by="SCN", reason="x")):
            self.stage = "requested"

    def hold(self) -> None:
        if self._do(lambda: act(self.ledger, "hold", self.document, by="SCN", reason="x")):
            self.held += 1
            self.stage = "stored" if self.stage == "released" else self.stage

    def unhold(self, by: str) -> None:
        if self._do(lambda: act(self.ledger, "unhold", self.document, by=by, reason="x")):
            assert by in {"FRG", "ALL"}
            self.held -= 1
            self.begun = self.clock

    def erase(self, by: str) -> None:
        with moved(_after(self.clock)):
            try:
                with self.ledger.writing() as connection:
                    erase(connection, self.document, by, "Irrläufer")
            except UsageError:
                return
        self.erased, self.eraser, self.replaced = True, by, self.backed_up
        self.begun = self.clock
        self.stage = "stored" if self.stage == "released" else self.stage

    def release(self, by: str) -> None:
        may = by in {"FRG", "ALL"} and not (self.erased and by == self.eraser)
        expected = self.stage == "stored" and self._allowed() and may
        done = self._do(
            lambda: released(self.ledger, self.document, by=by, checked=self._checked())
        )
        assert done == expected
        if done:
            self.stage, self.releaser = "released", by

    def destroy(self, by: str) -> None:
        may = by in {"VRN", "ALL"} and by != self.releaser
        may = may and not (self.erased and by == self.eraser)
        expected = self.stage == "released" and self._allowed() and may
        done = self._do(
            lambda: destroyed(self.ledger, self.document, by=by, checked=self._checked())
        )
        assert done == expected
        if done:
            self.stage = "destroyed"

    @invariant()
    def says_what_happened(self) -> None:
        if not hasattr(self, "ledger"):
            return
        found = [row.stage for row in rows(self.ledger, schema.paper_unit) if row.ordinal == 1]
        assert found == [self.stage]

    @override
    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            assert broken(self.ledger) == []
            assert agrees(self.ledger) == []
            self.ledger.close()
            shutil.rmtree(self.home)


def test_whatever_anybody_does_in_any_order(tmp_path: Path) -> None:
    Acts.template, Acts.folder = tmp_path / "template", tmp_path
    Acts.template.mkdir()
    ledger = hasty(Acts.template)
    staff(ledger)
    taken(ledger, replacing())
    deliver(ledger, cut=((1,),))
    act(ledger, "store", documents(ledger)[0], by="SCN", place=BOX)
    ledger.close()
    run_state_machine_as_test(
        Acts,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_whole_way_is_open_to_those_who_may(tmp_path: Path) -> None:
    """What the random acts seldom reach: that the law above is no locked door."""
    ledger = hasty(tmp_path)
    first, second = ready(ledger)
    with moved(LATER):
        released(ledger, first, second)
        destroyed(ledger, first, second)
    assert {row.stage for row in rows(ledger, schema.paper_unit)} == {"destroyed"}
    ledger.close()
