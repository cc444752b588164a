"""Arrivals, captures and heads get their timestamp from a real authority, or wait for it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs
from typing_extensions import override

from ingest.cli import attesting
from ingest.cli.app import App
from ingest.context import StepContext
from ingest.document import Assignment, Outcome, Step
from ingest.errors import AuthorityUnavailable, DigestMismatch
from ingest.ledger import Ledger, anchors, integrity, schema, witness, witnessed
from ingest.ledger.witness_faults import faults
from ingest.settings import Settings
from ingest.store import FolderStore
from tests.integration.test_pipeline import drain, make
from tests.integration.test_preservation import configured, delivered
from tests.plugins import ledgers
from tests.plugins.authority import Authority
from tests.plugins.emptied import empty_ledger
from workers.evidence.assembly import proving
from workers.evidence.deadlines import overdue
from workers.evidence.preservation import Preservation
from workers.evidence.verification import prove

MINUTES = dt.timedelta(minutes=10)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = empty_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


class _OneRound(threading.Event):
    """Stops whoever waits for it."""

    @override
    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


def test_many_roots_take_one_timestamp_and_no_more_than_one_in_a_period(
    ledger: Ledger, tmp_path: Path, sound: Authority
) -> None:
    delivered(ledger, 2)
    with ledger.writing() as connection:
        root = integrity.anchor(connection, "default", dt.date(2026, 11, 22)).root
    settings = configured(tmp_path, sound)
    with ledger.reading() as connection:
        anchors.publish(connection, settings.anchors, "default")
    before = sound.requests
    with Preservation(settings, ledger) as preservation:
        assert preservation.attest_all(MINUTES) == 5
        ledger.accept(ledgers.arrival())
        assert preservation.attest_all(MINUTES) == 0
        assert preservation.attest_all() == 1
    assert sound.requests == before + 2
    (beside,) = (settings.anchors / "default").glob("2026-11-22-*.er")
    assert len(prove(beside.read_bytes(), [bytes.fromhex(root)])) == 1
    with ledger.reading() as connection:
        assert list(faults(connection, "default")) == []
        for row in ledgers.rows(ledger, schema.witness_root):
            one = witnessed.proof(connection, row.kind, row.unit, 0)
            assert one is not None
            assert len(prove(proving(one), [one.members[0]])) == 1


def test_a_proof_of_receipt_is_renewed_like_every_other(
    ledger: Ledger, tmp_path: Path, sound: Authority
) -> None:
    batch = ledger.accept(ledgers.arrival()).batch_id
    with Preservation(configured(tmp_path, sound), ledger) as preservation:
        assert preservation.attest_all() == 1
        past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        ledgers.change(ledger, sa.update(schema.evidence_batch).values(renew_before=past))
        assert preservation.once().renewed == 1
    with ledger.reading() as connection:
        one = witnessed.proof(connection, witness.RECEIPT, batch, 0)
        assert one is not None
        assert len(prove(proving(one), [one.members[0]])) == 2


def test_without_the_authority_everything_waits_and_too_long_is_an_alarm(
    ledger: Ledger, tmp_path: Path, sound: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = ledger.accept(ledgers.arrival()).batch_id
    ledgers.work(ledger)
    sound.fault = "unavailable"
    settings = configured(tmp_path, sound, every="off", overdue_hours=1)
    with Preservation(settings, ledger) as preservation:
        with pytest.raises(AuthorityUnavailable):
            preservation.attest_all()
        with capture_logs() as said:
            preservation.run(_OneRound())
        assert [entry["event"] for entry in said] == ["evidence_postponed"]
        late = {"known_at": dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)}
        ledgers.change(ledger, sa.update(schema.witness_root).values(late))
        with capture_logs() as said:
            preservation.run(_OneRound())
    assert [entry["event"] for entry in said] == ["evidence_postponed", "alarm_timestamps_overdue"]
    with ledger.reading() as connection:
        found = witnessed.account(connection, "default")
        assert witnessed.capture(connection, batch)["stamped_at"] is None
    assert found["waiting"] == 2
    assert overdue(found, settings.evidence)
    app = App(None, None)
    app.__dict__ |= {"settings": settings, "ledger": ledger}
    ((_, problem),) = attesting.overdue_findings(app)
    assert "2 Wurzeln warten seit" in str(problem)
    with ledger.reading() as connection:
        attesting.print_standing(attesting.standing(app, connection, "default"), "Europe/Berlin")
    assert "ÜBERFÄLLIG: 2 warten" in capsys.readouterr().out
    document = ledgers.rows(ledger, schema.document)[0]
    assert document.stage == "delivered"


def test_bytes_exchanged_between_capture_and_checking_are_found_and_named(
    ledger: Ledger, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path / "store")
    kept = store.put("default", io.BytesIO(b"what the scanner saw"))
    sent = dataclasses.replace(ledgers.source(), sha256=kept.sha256, size=kept.size)
    batch = ledger.accept(ledgers.arrival(sent)).batch_id

    def act(assignment: Assignment) -> Outcome:
        context = StepContext(
            store=store, tenant=assignment.tenant, workspace=tmp_path, settings=Settings()
        )
        if assignment.step is Step.COMPOSITION:
            (blob,) = (one for one in (tmp_path / "store").rglob(kept.sha256) if one.is_file())
            blob.chmod(0o600)
            blob.write_bytes(b"what somebody wanted")
        if assignment.step is Step.CHECKING:
            context.path(assignment.batch.source(1).sha256)
        return ledgers.outcome(assignment)

    drain(make(ledger, act))
    (document,) = ledgers.rows(ledger, schema.document)
    assert (document.standing, document.reason_code) == ("quarantined", "digest_mismatch")
    with ledger.reading() as connection:
        assert witnessed.capture(connection, batch)["pages"] == 1
    with (
        pytest.raises(DigestMismatch, match=kept.sha256),
        store.open("default", kept.sha256) as stream,
    ):
        stream.read()
