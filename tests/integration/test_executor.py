"""An executor that is told to stop gives work back; it pulls no child away from under a thread."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ingest.document import Queue
from ingest.pipeline import Pipeline
from ingest.settings import Settings, WorkerSettings
from ingest.store import open_store
from tests.plugins.emptied import empty_ledger
from tests.plugins.installation import PATIENCE
from workers.executor import Executor, Slot, standard_lanes


def test_stopping_waits_for_threads_that_others_drive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data=tmp_path, workers=WorkerSettings(processes=1))
    ledger = empty_ledger(tmp_path / "ledger.sqlite")
    executor = Executor(settings, ledger, standard_lanes(settings))
    order: list[str] = []
    at_work = threading.Event()

    def advance(_pipeline: Any, _queues: Any) -> bool:
        at_work.set()
        time.sleep(0.5)
        order.append("ended")
        return False

    monkeypatch.setattr(Pipeline, "advance", advance)
    monkeypatch.setattr(Slot, "close", lambda _slot: order.append("closed"))
    driver = threading.Thread(target=executor.drain, args=(Queue.RECOGNITION,))
    executor.start(own=False)
    driver.start()
    assert at_work.wait(PATIENCE)
    executor.stop()
    driver.join(PATIENCE)
    assert order == ["ended", "closed", "closed"]
    assert executor.drain(Queue.RECOGNITION) == 0
    ledger.close()


def test_slots_ask_the_store_before_they_believe_a_child(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, workers=WorkerSettings(processes=1))
    ledger = empty_ledger(tmp_path / "ledger.sqlite")
    blob = open_store(settings).put("default", io.BytesIO(b"words"))
    executor = Executor(settings, ledger, standard_lanes(settings))
    slot = executor._idle["read"].get()
    assert slot.pipeline.present("default", blob.sha256)
    assert not slot.pipeline.present("default", "0" * 64)
    executor._idle["read"].put(slot)
    executor.stop()
    ledger.close()
