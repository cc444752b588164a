"""Securing and renewing with a real authority over HTTP, from a child process."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs
from typing_extensions import override

from ingest import clock
from ingest.errors import AuthorityUnavailable, Misconfigured
from ingest.ledger import Ledger, evidenced, schema
from ingest.sealing_settings import EvidenceSettings
from ingest.settings import Settings
from tests.plugins import ledgers
from tests.plugins.authority import FAULTS, Authority, root_file
from tests.plugins.emptied import empty_ledger
from workers.evidence.assembly import faults, records
from workers.evidence.deadlines import algorithms_end, renewal
from workers.evidence.preservation import Done, Preservation
from workers.evidence.verification import prove

DAY = dt.timedelta(days=1)
MOMENT = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = empty_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def settings(tmp_path: Path, sound: Authority) -> Settings:
    return configured(tmp_path, sound)


def configured(folder: Path, authority: Authority, **evidence_settings: Any) -> Settings:
    sealing = {"tsa_url": authority.url, "tsa_roots": root_file(authority, folder)}
    return Settings(data=folder / "data", sealing=sealing, evidence=evidence_settings)


def delivered(ledger: Ledger, count: int = 1) -> None:
    for _ in range(count):
        ledger.accept(ledgers.arrival())
    ledgers.deliver(ledger)


def proofs(ledger: Ledger) -> list[int]:
    """Return how many timestamps each document with evidence has, all of them verified."""
    with ledger.reading() as connection:
        assert list(faults(connection, "default")) == []
        ids = [row.id for row in ledgers.rows(ledger, schema.document)]
        return [len(prove(encoded, group)) for _, group, encoded in records(connection, ids)]


def test_all_that_waits_gets_one_timestamp_and_then_nothing_waits(
    ledger: Ledger, settings: Settings, sound: Authority
) -> None:
    delivered(ledger, 3)
    before = sound.requests
    with Preservation(settings, ledger) as preservation:
        assert preservation.once() == Done(documents=6)
        assert preservation.once() == Done()
    assert sound.requests == before + 1
    assert proofs(ledger) == [1] * 6
    (batch,) = ledgers.rows(ledger, schema.evidence_batch)
    assert batch.renew_before == batch.certificate_ends_at - (
        min(180 * DAY, (batch.certificate_ends_at - batch.stamped_at) / 2)
    )


def test_once_in_a_period_and_so_many_under_one_timestamp(
    ledger: Ledger, tmp_path: Path, sound: Authority
) -> None:
    settings = configured(tmp_path, sound, most_documents=3)
    delivered(ledger, 2)
    with Preservation(settings, ledger) as preservation:
        assert preservation.once(DAY) == Done(documents=4)
        delivered(ledger)
        assert preservation.once(DAY) == Done()
        assert preservation.once() == Done(documents=2)
    assert [row.leaves for row in ledgers.rows(ledger, schema.evidence_batch)] == [3, 1, 2]
    assert proofs(ledger) == [1] * 6


#: Each in itself is tested where the authority is asked (`test_sealing`); here a few do.
_SOME: Final = frozenset({"silent", "web_page", "wrong_imprint", "expired", "broken_signature"})


@pytest.mark.parametrize(
    "fault",
    [one if one in _SOME else pytest.param(one, marks=pytest.mark.torture) for one in FAULTS],
)
def test_an_authority_that_is_wrong_in_any_way_secures_nothing(
    ledger: Ledger, settings: Settings, sound: Authority, fault: str
) -> None:
    delivered(ledger)
    sound.fault = fault
    before = ledgers.everything(ledger)
    with (
        Preservation(settings, ledger) as preservation,
        pytest.raises(AuthorityUnavailable),
    ):
        preservation.once()
    assert ledgers.everything(ledger) == before


def test_the_ledger_is_free_while_the_authority_is_asked(
    ledger: Ledger, settings: Settings, sound: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered(ledger)
    answered = sound.answer

    def answer(body: bytes) -> tuple[int, bytes]:
        ledger.accept(ledgers.arrival())
        return answered(body)

    monkeypatch.setattr(sound, "answer", answer)
    with Preservation(settings, ledger) as preservation:
        assert preservation.once() == Done(documents=2)


def test_what_another_machine_recorded_meanwhile_counts_and_ours_does_not(
    ledger: Ledger, settings: Settings, sound: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered(ledger)
    answered = sound.answer
    with Preservation(settings, ledger) as other, Preservation(settings, ledger) as preservation:

        def answer(body: bytes) -> tuple[int, bytes]:
            monkeypatch.undo()
            assert other.once() == Done(documents=2)
            return answered(body)

        monkeypatch.setattr(sound, "answer", answer)
        assert preservation.once() == Done()
    assert len(ledgers.rows(ledger, schema.evidence_batch)) == 1
    assert proofs(ledger) == [1, 1]


def test_what_is_due_is_renewed_once(
    ledger: Ledger, settings: Settings, sound: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Preservation(settings, ledger) as preservation:
        with monkeypatch.context() as past:
            over = clock.now() - DAY
            past.setattr("workers.evidence.preservation.renewal", lambda *_: over)
            for _ in range(2):
                delivered(ledger)
                preservation.secure("default")
        before = sound.requests
        assert preservation.once() == Done(renewed=2)
        assert preservation.once() == Done()
    assert sound.requests == before + 1
    assert proofs(ledger) == [2] * 4


def test_a_renewal_that_gains_nothing_is_an_alarm_and_asked_for_once_a_day(
    ledger: Ledger, settings: Settings, sound: Authority
) -> None:
    delivered(ledger)
    table = schema.evidence_batch
    with Preservation(settings, ledger) as preservation:
        preservation.once()
        ledgers.change(ledger, sa.update(table).values(renew_before=clock.now() - DAY))
        short = settings.evidence.model_copy(update={"renew_days": 1})
        preservation._settings = settings.model_copy(update={"evidence": short})
        assert preservation.once() == Done(renewed=1)
    late = clock.now() + 900 * DAY
    ledgers.change(ledger, sa.update(table).values(renew_before=late))
    before = sound.requests
    with (
        Preservation(settings, ledger) as preservation,
        capture_logs() as said,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("ingest.ledger.accepting.now", lambda _: late + DAY)
        assert preservation.renew("default") == 0
        assert preservation.renew("default") == 0
    assert sound.requests == before + 1
    assert [entry["event"] for entry in said] == ["alarm_renewal_gains_nothing"]


class _OneLook(threading.Event):
    @override
    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


def test_the_loop_survives_an_outage_and_says_so(
    ledger: Ledger, settings: Settings, sound: Authority
) -> None:
    delivered(ledger)
    sound.fault = "unavailable"
    with capture_logs() as said:
        Preservation(settings, ledger).run(_OneLook())
    assert [entry["event"] for entry in said] == ["evidence_postponed"]
    sound.fault = None
    Preservation(settings, ledger).run(_OneLook())
    assert proofs(ledger) == [1, 1]


def test_without_an_authority_or_switched_off_nothing_is_done(
    ledger: Ledger, tmp_path: Path, sound: Authority
) -> None:
    delivered(ledger)
    before = sound.requests
    bare = Settings(data=tmp_path / "data")
    Preservation(bare, ledger).run(_OneLook())
    off = configured(tmp_path, sound, every="off", capture_minutes=0)
    Preservation(off, ledger).run(_OneLook())
    with pytest.raises(Misconfigured, match="no tsa_urls"):
        Preservation(bare, ledger).once()
    assert sound.requests == before
    assert ledgers.rows(ledger, schema.evidence_batch) == []
    with ledger.reading() as connection:
        assert evidenced.account(connection, "default")["waiting"] == 2


def test_an_algorithm_the_house_does_not_name_secures_nothing(
    ledger: Ledger, tmp_path: Path, sound: Authority
) -> None:
    delivered(ledger)
    ends = {"sha256": dt.date(2031, 12, 31), "rsa-3072": dt.date(2031, 12, 31)}
    settings = configured(tmp_path, sound, algorithm_ends=ends)
    with Preservation(settings, ledger) as preservation, pytest.raises(Misconfigured) as refused:
        preservation.once()
    assert "ecdsa-256" in refused.value.operator_text
    assert ledgers.rows(ledger, schema.evidence_batch) == []


def _said(*algorithms: str) -> dict[str, Any]:
    return {"stamped_at": MOMENT.isoformat(), "algorithms": list(algorithms)}


def test_the_first_end_of_an_algorithm_counts_and_a_past_one_is_refused() -> None:
    ends = {"sha256": dt.date(2030, 1, 1), "rsa-4096": dt.date(2029, 1, 1)}
    ends["rsa-2048"] = MOMENT.date()
    settings = EvidenceSettings(algorithm_ends=ends)
    first = algorithms_end(_said("sha256", "rsa-4096"), settings)
    assert first == dt.datetime(2029, 1, 1, tzinfo=dt.UTC)
    with pytest.raises(Misconfigured, match="rsa-2048"):
        algorithms_end(_said("sha256", "rsa-2048"), settings)


def test_renewal_comes_before_the_end_even_of_a_short_life() -> None:
    settings = EvidenceSettings(renew_days=180)
    assert renewal(MOMENT, MOMENT + 1000 * DAY, settings) == MOMENT + 820 * DAY
    assert renewal(MOMENT, MOMENT + 100 * DAY, settings) == MOMENT + 50 * DAY
