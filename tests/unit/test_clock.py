"""What the kernel says of its clock is taken as it is, and unknown stays unknown."""

from __future__ import annotations

import ctypes

import pytest

from ingest import clock
from ingest.clock import UNKNOWN, ClockState, judged


def test_a_clock_that_a_service_keeps_has_an_error() -> None:
    found = judged(0, status=0x2001, maxerror=12_500)
    assert found == ClockState(synchronised=True, error_seconds=0.0125)
    assert found.facts() == {"synchronised": True, "error_seconds": 0.0125}


@pytest.mark.parametrize(("result", "status"), [(5, 0), (5, 0x40), (0, 0x40)])
def test_the_error_of_a_clock_that_nobody_keeps_is_not_told(result: int, status: int) -> None:
    found = judged(result, status, maxerror=16_000_000)
    assert found.facts() == {"synchronised": False, "error_seconds": "nicht erfasst"}


def test_a_refusal_is_unknown() -> None:
    assert judged(-1, 0, 0) is UNKNOWN
    assert set(UNKNOWN.facts().values()) == {"nicht erfasst"}


def test_asking_answers_and_never_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert clock.state().synchronised in (True, False, None)

    def missing(_name: object) -> object:
        return object()

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert clock.state() is UNKNOWN
