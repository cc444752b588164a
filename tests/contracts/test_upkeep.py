"""The daily work: one root a day, and no referenced or young blob is ever swept."""

from __future__ import annotations

import datetime as dt
import io
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from ingest import upkeep
from ingest.ledger import Ledger, schema
from ingest.store import FolderStore
from ingest.upkeep import Upkeep
from tests.plugins import ledgers

TODAY = dt.date(2026, 11, 22)


def _age(root: Path, days: int) -> None:
    past = time.time() - days * 86_400
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (past, past))


def test_old_blobs_that_nobody_names_go_and_named_ones_stay(ledger: Ledger, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    kept = store.put("default", io.BytesIO(b"a letter"))
    orphan = store.put("default", io.BytesIO(b"of a crash between store and ledger"))
    named = ledgers.source()
    named = type(named)(**{**vars(named), "sha256": kept.sha256, "size": kept.size})
    ledger.accept(ledgers.arrival(named))
    _age(tmp_path / "store", days=8)
    assert Upkeep(ledger, store, ["default"]).once(TODAY) == 1
    assert store.holds("default", kept.sha256)
    assert not store.holds("default", orphan.sha256)


def test_a_young_blob_stays_because_its_arrival_may_still_be_recorded(
    ledger: Ledger, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path / "store")
    young = store.put("default", io.BytesIO(b"just stored"))
    assert Upkeep(ledger, store, ["default"]).once(TODAY) == 0
    assert store.holds("default", young.sha256)


def test_a_day_is_anchored_once_and_its_first_root_stays(ledger: Ledger, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    ledger.accept(ledgers.arrival())
    Upkeep(ledger, store, ["default"]).once(TODAY)
    (first,) = ledgers.rows(ledger, schema.merkle_root)
    ledger.accept(ledgers.arrival())
    again = Upkeep(ledger, store, ["default"])
    again.once(TODAY)
    again.once(TODAY)
    assert ledgers.rows(ledger, schema.merkle_root) == [first]


def test_days_on_which_nobody_was_there_are_caught_up(ledger: Ledger, tmp_path: Path) -> None:
    today, day = dt.datetime.now(dt.UTC).date(), dt.timedelta(days=1)
    ledger.accept(ledgers.arrival())
    keeper = Upkeep(ledger, FolderStore(tmp_path / "store"), ["default"], tmp_path / "anchors")
    keeper.anchor(today - 3 * day)
    keeper.anchor(today)
    found = {row.day: row for row in ledgers.rows(ledger, schema.merkle_root)}
    assert sorted(found) == [(today - ago * day).isoformat() for ago in (4, 3, 2, 1)]
    missed = found[(today - 3 * day).isoformat()]
    ended = dt.datetime.combine(today - 2 * day, dt.time(), dt.UTC)
    assert (missed.anchored_at, missed.heads) == (ended, 0)
    assert len(list((tmp_path / "anchors" / "default").iterdir())) == 4
    waits = [row.unit for row in ledgers.rows(ledger, schema.witness_root) if row.kind == "heads"]
    assert sorted(waits) == [f"default/{day}" for day in sorted(found)]


def _filled(ledger: Ledger, root: Path, strays: int) -> FolderStore:
    store = FolderStore(root)
    for number in range(strays):
        store.put("default", io.BytesIO(b"%d" % number))
    _age(root, days=30)
    return store


def test_an_empty_ledger_sweeps_nothing(ledger: Ledger, tmp_path: Path) -> None:
    store = _filled(ledger, tmp_path / "store", strays=3)
    ledger.accept(ledgers.arrival(tenant="other"))
    with capture_logs() as said:
        assert Upkeep(ledger, store, ["default"]).once(TODAY) == 0
    assert len(list(store.digests("default"))) == 3
    (alarm,) = said
    assert (alarm["event"], alarm["log_level"]) == ("alarm_sweep_refused", "error")


def test_a_ledger_that_does_not_know_many_blobs_sweeps_none(ledger: Ledger, tmp_path: Path) -> None:
    store = _filled(ledger, tmp_path / "store", strays=101)
    ledger.accept(ledgers.arrival())
    with capture_logs() as said:
        assert Upkeep(ledger, store, ["default"]).once(TODAY) == 0
    assert len(list(store.digests("default"))) == 101
    assert [entry["event"] for entry in said] == ["alarm_sweep_refused"]


def test_as_much_as_crashes_leave_is_swept(ledger: Ledger, tmp_path: Path) -> None:
    store = _filled(ledger, tmp_path / "store", strays=100)
    ledger.accept(ledgers.arrival())
    young = store.put("default", io.BytesIO(b"just stored"))
    assert Upkeep(ledger, store, ["default"]).once(TODAY) == 100
    assert list(store.digests("default")) == [young.sha256]


class _OneLook(threading.Event):
    """Stops whoever waits for it."""

    @override
    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


def test_nothing_is_swept_in_the_first_hour(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _filled(ledger, tmp_path / "store", strays=1)
    ledger.accept(ledgers.arrival())
    Upkeep(ledger, store, ["default"]).run(_OneLook())
    assert len(list(store.digests("default"))) == 1
    assert len(ledgers.rows(ledger, schema.merkle_root)) == 1
    monkeypatch.setattr(upkeep, "_FIRST_SWEEP_SECONDS", 0.0)
    Upkeep(ledger, store, ["default"]).run(_OneLook())
    assert list(store.digests("default")) == []


def test_machines_that_anchor_at_once_agree(ledger: Ledger, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    ledger.accept(ledgers.arrival())
    together = threading.Barrier(4)

    def anchor(_: int) -> None:
        together.wait()
        Upkeep(ledger, store, ["default"]).anchor(TODAY)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(anchor, range(4)))
    assert len(ledgers.rows(ledger, schema.merkle_root)) == 1
