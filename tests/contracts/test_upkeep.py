"""The daily work: one root a day, and no referenced or young blob is ever swept."""

from __future__ import annotations

import datetime as dt
import io
import os
import time
from pathlib import Path

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
    upkeep = Upkeep(ledger, store, ["default"])
    upkeep.once(TODAY)
    upkeep.once(TODAY)
    assert ledgers.rows(ledger, schema.merkle_root) == [first]
