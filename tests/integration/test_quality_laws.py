"""Whatever machines and people do, in whatever order: nothing is noted that may not be.

Laws: no document of a replacing class is noted before its batch's check was closed; none that
was judged bad is ever noted; whatever is selected was judged good when it is noted; rows and
events agree all the time.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override  # in `typing` from Python 3.12

from ingest.document import Stage, Standing
from ingest.errors import UsageError
from ingest.ledger import Ledger, schema
from ingest.ledger.erasure import erase
from tests.plugins.emptied import empty_ledger
from tests.plugins.ledgers import ALL, LEASE
from tests.plugins.revisions import disagreements
from tests.plugins.sampling import (
    accepted,
    judge,
    made,
    of_batch,
    refuse,
    replacing,
    scanned,
    staffed,
)

_NOT_NOTED = (Stage.CAPTURED, Stage.RECOGNISED, Stage.CHECKED)
_CUT = [[1, 2], [3], [4]]
_TOLD = {"code": "c", "operator_text": "?", "message": "m"}


class Assurance(RuleBasedStateMachine):
    """One batch, and everybody who might do something to it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.ledger: Ledger = empty_ledger(Path(self.folder.name) / "l.sqlite")
        self.bad: set[str] = set()

    @override
    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()

    @initialize(need=st.sampled_from(["normal", "high"]), flagged=st.booleans())
    def begin(self, need: str, flagged: bool) -> None:
        staffed(self.ledger)
        self.batch = accepted(self.ledger, replacing(need))
        self.flagged = {3} if flagged else set()
        self.work(12)

    def tried(self, act: Any, *said: Any, **named: Any) -> bool:
        """Do what may be refused; a bug is no refusal."""
        try:
            act(*said, **named)
        except UsageError:
            return False
        return True

    def one(self, place: int) -> str:
        documents = of_batch(self.ledger, self.batch)
        return documents[place % len(documents)]

    def work(self, most: int) -> None:
        for _ in range(most):
            if (claim := self.ledger.claim(ALL, "w", LEASE)) is None:
                return
            self.ledger.record(claim, made(self.ledger.assignment(claim), _CUT, self.flagged))

    @rule(most=st.integers(1, 20))
    def machines_work(self, most: int) -> None:
        self.work(most)

    @rule(standing=st.sampled_from([Standing.HELD, Standing.QUARANTINED]))
    def a_step_fails(self, standing: Standing) -> None:
        if (claim := self.ledger.claim(ALL, "w", LEASE)) is not None:
            self.ledger.set_aside(claim, standing, **_TOLD)

    @rule(place=st.integers(0, 5))
    def released(self, place: int) -> None:
        self.tried(self.ledger.release, self.one(place), "op20", "weiter")

    @rule(place=st.integers(0, 5))
    def retried(self, place: int) -> None:
        self.tried(self.ledger.retry, self.one(place), "op20")

    @rule(place=st.integers(0, 5))
    def rejected(self, place: int) -> None:
        self.tried(self.ledger.reject, self.one(place), "op20", "weg")

    @rule(place=st.integers(0, 5), pages=st.sampled_from([(), (3,)]))
    def judged_good(self, place: int, pages: tuple[int, ...]) -> None:
        self.tried(judge, self.ledger, self.one(place), pages=pages)

    @rule(place=st.integers(0, 5))
    def judged_bad(self, place: int) -> None:
        document = self.one(place)
        if self.tried(refuse, self.ledger, document):
            self.bad.add(document)

    @precondition(lambda self: bool(self.bad))
    @rule(full=st.booleans())
    def resumed(self, full: bool) -> None:
        self.tried(self.ledger.resume_quality, self.batch, "op20", "weiter", full=full)

    @rule(place=st.integers(0, 5), content=st.sampled_from(["a", "b"]))
    def scanned_again(self, place: int, content: str) -> None:
        self.tried(self.ledger.rescan, {self.one(place): scanned(None, 1, content)})

    @rule(place=st.integers(0, 5))
    def erased(self, place: int) -> None:
        with self.ledger.writing() as connection:
            self.tried(erase, connection, self.one(place), "op20", "Irrläufer")

    @invariant()
    def the_laws_hold(self) -> None:
        if not hasattr(self, "batch"):
            return
        member, document = schema.quality_document, schema.document
        query = sa.select(document, member.c.selected, member.c.good).join(
            member, member.c.document_id == document.c.id
        )
        closed = sa.select(sa.func.count()).where(schema.event.c.kind == "quality_closed")
        with self.ledger.reading() as connection:
            rows = connection.execute(query).all()
            closings = connection.execute(closed).scalar_one()
        for row in rows:
            if row.stage in _NOT_NOTED:
                continue
            assert closings, "noted before any check was closed"
            assert row.id not in self.bad
            assert not row.selected or row.good == 1
        assert disagreements(self.ledger) == []


Assurance.TestCase.settings = settings(
    max_examples=6,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestNoWayLeadsPastQualityAssurance = Assurance.TestCase
