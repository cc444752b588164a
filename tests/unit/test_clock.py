"""What the kernel says of its clock is told as it is, and nothing where it says nothing."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from ingest import clock


def answering(monkeypatch: pytest.MonkeyPatch, answer: int, error: int = 0) -> None:
    class Library:
        @staticmethod
        def adjtimex(asked: Any) -> int:
            asked._obj.maxerror = error
            return answer

    monkeypatch.setattr(ctypes, "CDLL", lambda _: Library)


@pytest.mark.parametrize(
    ("answer", "synchronised", "seconds"),
    [(0, True, 0.0125), (5, False, None), (-1, None, None)],
)
def test_the_state_of_the_clock_is_the_kernels(
    monkeypatch: pytest.MonkeyPatch, answer: int, synchronised: bool | None, seconds: float | None
) -> None:
    answering(monkeypatch, answer, error=12_500)
    found = clock.state()
    assert (found.synchronised, found.error_seconds) == (synchronised, seconds)


def test_a_system_without_such_a_call_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert clock.state() == clock.ClockState(synchronised=None, error_seconds=None)


def test_the_real_kernel_is_asked_without_changing_anything() -> None:
    found = clock.state()
    assert (found.error_seconds is None) or (found.synchronised and found.error_seconds >= 0)
