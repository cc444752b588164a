"""Whatever a child does, the parent lives and the next call works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.errors import PasswordNeeded, ToolFailed, ToolTimedOut
from ingest.sandbox import Child, Limits
from ingest.sandbox.child import StepBug
from tests.plugins.installation import PATIENCE, lives, wait_until


@pytest.fixture
def child() -> Iterator[Child]:
    made = Child(
        "tests.plugins.sandbox_targets:prepare", {"who": "me"}, Limits(memory_bytes=1024**3)
    )
    yield made
    made.close()


def _go_on() -> bool:
    return True


def test_a_call_reaches_the_target_with_its_setup(child: Child) -> None:
    answer = child.call({"act": "echo", "text": "Prüfung €"}, PATIENCE, _go_on)
    assert answer["echo"] == "Prüfung €"
    assert answer["setup"] == {"who": "me"}


def test_a_child_stays_warm_between_calls(child: Child) -> None:
    first = child.call({"act": "echo"}, PATIENCE, _go_on)["pid"]
    assert child.call({"act": "echo"}, PATIENCE, _go_on)["pid"] == first


def test_a_native_crash_costs_one_call_and_the_next_one_works(child: Child) -> None:
    with pytest.raises(ToolFailed, match="signal 6"):
        child.call({"act": "crash"}, PATIENCE, _go_on)
    assert child.call({"act": "echo", "text": "x"}, PATIENCE, _go_on)["echo"] == "x"


def test_a_hang_ends_at_the_time_limit_with_everything_it_started(
    child: Child, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    child.call({"act": "echo"}, PATIENCE, _go_on)  # the limit is for its work, not for its start
    with pytest.raises(ToolTimedOut):
        child.call({"act": "hang", "pid_file": str(note)}, 3, _go_on)
    started = int(note.read_text("ascii"))
    wait_until(lambda: not lives(started), "the end of what it started")
    assert child.call({"act": "echo", "text": "x"}, PATIENCE, _go_on)["echo"] == "x"


def test_a_memory_blow_up_stays_inside_the_child(child: Child) -> None:
    with pytest.raises(ToolFailed) as caught:
        child.call({"act": "grow"}, PATIENCE, _go_on)
    assert caught.value.code == "memory_exhausted"
    assert child.call({"act": "echo", "text": "x"}, PATIENCE, _go_on)["echo"] == "x"


def test_work_that_is_no_longer_wanted_is_killed(child: Child) -> None:
    with pytest.raises(ToolTimedOut) as caught:
        child.call({"act": "hang"}, PATIENCE, lambda: False)
    assert caught.value.code == "work_stopped"


def test_what_libraries_print_does_not_disturb_the_answer(child: Child) -> None:
    assert child.call({"act": "print"}, PATIENCE, _go_on)["printed"] is True


def test_an_error_of_ours_crosses_with_its_kind_code_and_text(child: Child) -> None:
    with pytest.raises(PasswordNeeded) as caught:
        child.call({"act": "clerk"}, PATIENCE, _go_on)
    assert caught.value.code == "password_wrong"
    assert caught.value.operator_text == "Kennwort nötig"


def test_a_bug_brings_its_traceback(child: Child) -> None:
    with pytest.raises(StepBug, match="ZeroDivisionError"):
        child.call({"act": "bug"}, PATIENCE, _go_on)


def test_a_child_gets_none_of_our_secrets(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SCANSTRASSE_LEDGER_URL", "PGPASSWORD", "REDIS_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    names = child.call({"act": "environment"}, PATIENCE, _go_on)["names"]
    assert not [name for name in names if name.startswith(("SCANSTRASSE", "PG", "REDIS"))]
    assert "PATH" in names


def test_a_worn_out_child_is_replaced() -> None:
    child = Child(
        "tests.plugins.sandbox_targets:prepare", {}, Limits(memory_bytes=1024**3, calls=1)
    )
    try:
        first = child.call({"act": "echo"}, PATIENCE, _go_on)["pid"]
        assert child.call({"act": "echo"}, PATIENCE, _go_on)["pid"] != first
    finally:
        child.close()
    assert not Path(f"/proc/{first}").exists()
