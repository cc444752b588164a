"""Whatever dies between inbox and ledger: every file is received once and none is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import profiles
from ingest.document import DEFAULT_TENANT
from ingest.errors import LedgerUnavailable, ProfileInvalid, StoreUnavailable
from tests.plugins.installation import PATIENCE
from tests.plugins.watching import House, build, image, pdf, sha256


class Failing:
    """Stands before a real port and fails at one method, before or after it has worked."""

    def __init__(self, port: Any, method: str, error: Exception, *, after: bool = False) -> None:
        self._port = port
        self._method = method
        self._error = error
        self._after = after
        self.is_down = True

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._port, name)
        if name != self._method:
            return real

        def call(*args: Any, **named: Any) -> Any:
            if self.is_down and not self._after:
                raise self._error
            result = real(*args, **named)
            if self.is_down:
                raise self._error
            return result

        return call


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("port", "method", "error"),
    [
        ("store", "put", StoreUnavailable("store down", operator_text="Ablage nicht erreichbar")),
        ("store", "put", OSError(5, "input/output error")),
        ("ledger", "accept", LedgerUnavailable("ledger down", operator_text="Journal weg")),
        ("ledger", "current_shift", LedgerUnavailable("ledger down", operator_text="Journal weg")),
    ],
)
def test_t05_an_outage_loses_nothing_and_receives_nothing_twice(
    house: House, port: str, method: str, error: Exception, *, after: bool
) -> None:
    failing = Failing(getattr(house, port), method, error, after=after)
    channel = house.another(**{port: failing})
    contents = [pdf(str(number)) for number in range(7)]
    for number, content in enumerate(contents):
        house.drop(f"{number}.pdf", content)
    assert house.settle(channel) == 0
    assert house.lying() == sorted(map(sha256, contents))
    listed = [entry.operator_text for entry in house.unaccepted().values()]
    assert len(listed) == 7
    assert any("erneut versucht" in text for text in listed)
    failing.is_down = False
    house.pass_after(5, channel)
    assert house.digests() == sorted(map(sha256, contents))
    assert house.lying() == []
    assert house.claims() == []
    assert house.unaccepted() == {}


def test_an_inbox_without_a_usable_default_profile_keeps_its_files(house: House) -> None:
    class Empty:
        is_empty = True
        names = staticmethod(profiles.names)

        def load_released(self, name: str, where: Path | None = None) -> profiles.LoadedProfile:
            if self.is_empty:
                raise ProfileInvalid("broken", operator_text="Profil ist kaputt")
            return profiles.load_released(name, where)

    shelf = Empty()
    channel = house.another(shelf=shelf)
    house.drop("a.pdf", pdf())
    assert house.settle(channel) == 0
    assert "Profil ist kaputt" in house.unaccepted()["a.pdf"].operator_text
    shelf.is_empty = False
    assert house.pass_after(5, channel).accepted == 1


_KILLED_AT = """
    import os, signal, sys
    from pathlib import Path
    from tests.plugins.watching import build

    folder, point = Path(sys.argv[1]), sys.argv[2]
    house = build(folder, settle_seconds=0.0)

    def die(*args, **named):
        os.kill(os.getpid(), signal.SIGKILL)

    class Store(type(house.store)):
        def put(self, tenant, stream):
            if point == "before_store":
                die()
            blob = super().put(tenant, stream)
            if point == "after_store":
                die()
            return blob

    channel = house.another(
        store=Store(folder / "store"), hint=die if point == "after_commit" else None
    )
    if point == "in_gathering":
        import scanners.folder.claiming as claiming
        real, moved = claiming.move_from, []
        def move_from(root, relative, target):
            real(root, relative, target)
            moved.append(relative)
            if len(moved) == 2:
                die()
        claiming.move_from = move_from
    if point == "in_removal":
        real_unlink = Path.unlink
        def unlink(self, missing_ok=False):
            real_unlink(self, missing_ok=missing_ok)
            if ".claimed" in self.parts:
                die()
        Path.unlink = unlink
    channel.pass_once()
"""

POINTS = ("before_store", "after_store", "after_commit", "in_gathering", "in_removal")


def _kill_at(point: str, folder: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_KILLED_AT), str(folder), point],
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert result.returncode == -signal.SIGKILL, result.stderr.decode()


@pytest.mark.parametrize("point", POINTS)
def test_t05_a_watcher_killed_anywhere_is_succeeded_by_one_that_finishes(
    tmp_path: Path, point: str
) -> None:
    house = build(tmp_path / "data", settle_seconds=0.0)
    pages = {f"seite{number}.jpg": image(shade=number) for number in (1, 2, 3)}
    for name, content in pages.items():
        house.drop(f"stapel/{name}", content)
    sources = [{"name": name, "sha256": sha256(content)} for name, content in pages.items()]
    house.drop("stapel/batch.json", json.dumps({"operator": "MUE", "sources": sources}).encode())
    _kill_at(point, house.settings.data)
    fresh = house.another()
    house.pass_after(0, fresh)
    house.pass_after(0, fresh)
    assert house.digests() == sorted(map(sha256, pages.values()))
    [arrival] = house.envelopes()
    assert (arrival.operator, arrival.standing) == ("MUE", "ready")
    assert house.lying() == []
    assert house.claims() == []
    house.ledger.close()


@pytest.mark.parametrize("point", ["before_store", "after_store", "after_commit", "in_removal"])
def test_t05_a_single_file_survives_the_kill_with_its_folder(tmp_path: Path, point: str) -> None:
    house = build(tmp_path / "data", settle_seconds=0.0)
    house.drop("archiv/akte.pdf", pdf())
    _kill_at(point, house.settings.data)
    house.pass_after(0, house.another())
    assert house.digests() == [sha256(pdf())]
    assert [row.profile for row in house.envelopes()] == ["archiv"]
    assert house.lying() == []
    house.ledger.close()


def test_receipts_of_another_tenant_are_not_touched(house: House) -> None:
    house.drop("a.pdf", pdf())
    house.settle()
    assert {row.tenant for row in house.envelopes()} == {DEFAULT_TENANT}
