"""Ids are unique and tell which came first, however coarse or wrong the clock is."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from ingest.document import new_id, terms


@pytest.fixture(autouse=True)
def moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the clock says here is forgotten afterwards."""
    monkeypatch.setattr(terms, "_moments", terms._Moments())


def test_ids_of_the_same_moment_sort_as_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    standing = time.time_ns()
    monkeypatch.setattr(terms, "time", SimpleNamespace(time_ns=lambda: standing))
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(set(made))


def test_a_clock_that_is_put_back_changes_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_id()
    monkeypatch.setattr(terms, "time", SimpleNamespace(time_ns=lambda: 1))
    assert new_id() > before


def test_threads_get_ids_of_their_own() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: new_id(), range(2_000)))
    assert len(set(made)) == len(made)


def test_an_id_is_a_uuid_of_version_7_with_the_time_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    far = 1_800_000_000_000 * 1_000_000
    monkeypatch.setattr(terms, "time", SimpleNamespace(time_ns=lambda: far + 500_000))
    made = uuid.UUID(new_id())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == far // 1_000_000
    assert made.int >> 64 & 0xFFF == 0x800
