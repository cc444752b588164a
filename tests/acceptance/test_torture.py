"""Minutes of bad luck at random moments, then the account; `make torture`.

`TORTURE_MINUTES` (10) is the whole time, `TORTURE_SEED` repeats a run's choices.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ingest.document import Step
from tests.plugins import papers
from tests.plugins.accounting import account, batches, documents
from tests.plugins.disks import fill, small_disk
from tests.plugins.installation import SETTLED, Installation, Running, crash_at
from tests.plugins.servers import PostgresServer, RedisServer

pytestmark = [pytest.mark.torture, pytest.mark.timeout(7200)]

_MINUTES = float(os.environ.get("TORTURE_MINUTES", "10"))
_OPEN_AT_MOST = 40
#: A unit may be killed many times here; that is no reason to trouble a person.
_PATIENT = {"workers": {"attempts": 1000, "processes": 1}}


@dataclass
class Torment:
    """Random mishaps to one installation.

    Attributes:
        commands: What runs all the time, each in a process of its own.
        mishaps: What else can happen, besides to processes.
    """

    house: Installation
    chance: random.Random
    commands: tuple[tuple[str, ...], ...]
    mishaps: list[Callable[[], None]] = field(default_factory=list)
    alive: dict[tuple[str, ...], Running] = field(default_factory=dict)
    dropped: int = 0

    def keep_running(self) -> None:
        """Start what does not run, as a service manager does."""
        for command in self.commands:
            if command not in self.alive or not self.alive[command].is_alive:
                self.alive[command] = self.house.start(*command)

    def drop(self) -> None:
        """Drop a file; names repeat."""
        self.dropped += 1
        text = f"Brief Nummer {self.dropped}"
        name = f"scan{self.chance.randrange(20):04}"
        form = self.chance.randrange(4)
        if (self.house.inbox / f"{name}.tif").exists():
            return
        if form == 0:
            sides = (text, papers.separator(), f"{text} Anlage", "Seite 2")
            self.house.drop(f"{name}.tif", papers.tiff(*sides))
        elif form == 1:
            self._drop_new(f"{name}.jpg", papers.jpeg(text))
        elif form == 2:
            self._drop_new(f"{name}.pdf", papers.pdf(text, "Seite 2"))
        else:
            self._drop_new(f"{name}.png", papers.png(text))

    def _drop_new(self, name: str, content: bytes) -> None:
        if not (self.house.inbox / name).exists():
            self.house.drop(name, content)

    def mishap(self) -> None:
        """Let one thing go wrong."""
        running = self.chance.choice(list(self.alive.values()))
        acts: list[Callable[[], Any]] = [
            running.kill9,
            running.kill9,
            lambda: self._kill_a_child(running),
            lambda: self._freeze(running),
            lambda: running.stop() if running.is_alive else None,
            *self.mishaps,
        ]
        self.chance.choice(acts)()

    def _kill_a_child(self, running: Running) -> None:
        for pid in running.descendants()[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _freeze(self, running: Running) -> None:
        running.pause()
        time.sleep(self.chance.uniform(1.0, 6.0))
        running.resume()

    def go_on(self, seconds: float) -> None:
        """Torment for some time, then let everything come to rest."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.keep_running()
            if self._open() < _OPEN_AT_MOST:
                for _ in range(self.chance.randrange(1, 4)):
                    self.drop()
            time.sleep(self.chance.uniform(0.2, 3.0))
            self.mishap()
        self.keep_running()

    def _open(self) -> int:
        try:
            rows = self.house.rows()
        except Exception:  # noqa: BLE001 - while a server is down nothing can be counted
            return 0
        return sum(row["standing"] not in SETTLED for row in batches(rows) + documents(rows))


@pytest.fixture
def chance() -> random.Random:
    """Randomness that a second run can repeat."""
    seed = os.environ.get("TORTURE_SEED") or str(time.time_ns())
    print(f"TORTURE_SEED={seed}")  # noqa: T201 - needed to repeat the run
    return random.Random(seed)


def _proof(torment: Torment, inbox_rows: int) -> None:
    house = torment.house
    house.wait_settled(600)
    rows = account(house)
    assert all(row["standing"] == "done" for row in rows), house.picture(rows)
    assert len(batches(rows)) == len(house.dropped) >= inbox_rows
    finished = house.call("verify")
    assert finished.returncode == 0, finished.stdout


def test_a_crash_before_and_after_every_single_record(installation: Installation) -> None:
    points = [f"record:{step}:{when}" for step in Step for when in ("before", "after")]
    points += [f"perform:{step}:during" for step in Step] + ["claim:after"] * 5
    for number, point in enumerate(points, start=1):
        installation.drop(f"brief-{number}.png", papers.png(f"Schreiben Nummer {number}"))
        crash_at(installation, point)
    installation.start()
    installation.wait_settled(120)
    rows = account(installation)
    assert len(documents(rows)) == len(points)
    assert all(row["standing"] == "done" for row in rows), installation.picture(rows)


def test_one_machine_with_sqlite_and_a_disk_that_fills_up(
    install: Callable[..., Installation], tmp_path: Path, chance: random.Random
) -> None:
    inbox = tmp_path / "eingang"
    inbox.mkdir(mode=0o770)
    house = install(sections=_PATIENT | {"tenants.default": {"inbox": str(inbox)}})
    house.inbox = inbox
    with small_disk(house.data, megabytes=512):

        def full_disk() -> None:
            fill(house.data / "filler")
            time.sleep(chance.uniform(0.5, 5.0))
            (house.data / "filler").unlink()

        torment = Torment(house, chance, (("run", "--json"), ("work",)), [full_disk])
        torment.go_on(_MINUTES * 30)
        _proof(torment, 5)
        house.end()


def test_many_machines_with_postgresql_and_redis(
    install: Callable[..., Installation],
    tmp_path: Path,
    chance: random.Random,
    fresh_postgres_url: str,
    postgres_server: PostgresServer,
    redis_server: RedisServer,
) -> None:
    house = install(ledger_url=fresh_postgres_url, redis_url=redis_server.url, sections=_PATIENT)

    def redis_away() -> None:
        redis_server.stop()
        time.sleep(chance.uniform(0.5, 5.0))
        redis_server.start()

    commands = (
        ("watch",),
        ("work", "--queue", "inspection", "--queue", "recognition"),
        ("work", "--processes", "1"),
    )
    mishaps = [
        redis_server.flush,
        redis_away,
        lambda: postgres_server.restart(immediately=True),
        postgres_server.restart,
    ]
    torment = Torment(house, chance, commands, mishaps)
    torment.go_on(_MINUTES * 30)
    _proof(torment, 5)


def test_t17_340_pages_killed_half_way_go_on_at_the_page(installation: Installation) -> None:
    installation.drop("akte.tif", papers.tiff(*[f"Blatt {number}" for number in range(1, 341)]))
    reached = 0
    for share in (60, 160, 260):
        running = installation.start()
        goal = max(share, reached)
        installation.wait_for(partial(_has_done, goal), f"{goal} pages", 600)
        running.kill9()
        kept = _done(installation.rows())
        assert kept >= reached
        reached = kept
    installation.start()
    installation.wait_settled(900)
    (document,) = documents(account(installation))
    assert document["source_pages"] == list(range(1, 341))


def _has_done(pages: int, rows: list[dict[str, Any]]) -> bool:
    return _done(rows) > pages


def _done(rows: list[dict[str, Any]]) -> int:
    """Return how many pages are recognised."""
    finished = [row for row in documents(rows) if row["stage"] != "captured"]
    if finished:
        return 340
    return sum((row.get("progress") or {}).get("pages_done", 0) for row in documents(rows))


def test_a_frozen_machine_is_no_obstacle_and_no_danger_when_it_thaws(
    installation: Installation,
) -> None:
    installation.start("watch")
    workers = [installation.start("work", "--processes", "1") for _ in range(2)]
    for number in range(30):
        installation.drop(f"brief-{number}.png", papers.png(f"Brief {number}"))
    for worker in workers * 3:
        time.sleep(1.0)
        worker.pause()
        time.sleep(5.0)
        worker.resume()
    installation.wait_settled(120)
    rows = account(installation)
    assert len(documents(rows)) == 30
