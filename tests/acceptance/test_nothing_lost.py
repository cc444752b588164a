"""Whatever dies at whatever moment: every letter is there, once, and comes to an end by itself.

Processes are killed with SIGKILL at every stage boundary and frozen beyond their lease; the
proof is `tests.plugins.accounting`: dropped = in the inbox + in the ledger, by SHA-256, and
every document delivered once. The names `t03` … are the failures of others that must not
happen here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins import papers
from tests.plugins.accounting import account, batches, documents
from tests.plugins.desks import Desk
from tests.plugins.disks import fill, small_disk
from tests.plugins.installation import Installation, Running, crash_at, wait_until

#: Every point where a letter changes hands: bytes to store, store to ledger, ledger to child,
#: child to ledger, ledger to outbox.
ARRIVAL = (
    "claimed:after",
    "put:before",
    "put:after",
    "accept:before",  # T5: everything is stored, nothing is committed
    "accept:after",  # T5: committed, and the source still there
    "removal:before",
    "removal:after",
)
WAY = (
    "record:inspection:before",
    "record:separation:before",
    "record:separation:after",  # T4: right after the split
    "record:recognition:before",
    "record:sealing:before",
    "record:sealing:after",
    "record:delivery:before",
    "record:delivery:after",
)
#: Inside the delivery: files renamed into the folder, the point of no return, the `.ready` file.
DELIVERY = (
    "publish:rename:before",
    ("publish:rename:after", 2),
    ("publish:rename:after", 3),
    ("publish:rename:after", 4),
)


@pytest.mark.parametrize("points", [ARRIVAL, WAY, DELIVERY], ids=["arrival", "way", "delivery"])
def test_t04_t05_a_crash_at_every_boundary_loses_nothing_and_doubles_nothing(
    installation: Installation, points: tuple[str | tuple[str, int], ...]
) -> None:
    desk = Desk(installation.outbox, installation.folder / "desk")
    installation.drop("stapel.tif", papers.tiff("Brief eins", papers.separator(), "Brief zwei"))
    for number, point in enumerate(points, start=1):
        installation.drop(f"brief-{number}.png", papers.png(f"Schreiben Nummer {number}"))
        crash_at(installation, *(point if isinstance(point, tuple) else (point, 1)))
        desk.take()
    installation.start()
    installation.wait_settled()
    desk.take()
    desk.give_back()
    rows = account(installation)
    assert all(row["standing"] == "done" for row in rows), installation.picture(rows)
    assert len(documents(rows)) == 2 + len(points)


def test_t03_t26_work_of_a_killed_worker_is_taken_over_page_by_page(
    installation: Installation,
) -> None:
    installation.start("watch")
    doomed = installation.start("work", doomed=("kill", "perform:recognition:during", "2"))
    installation.start("work")
    for number in range(4):
        pages = [f"Brief {number} Seite {page}" for page in (1, 2, 3)]
        installation.drop(f"brief-{number}.tif", papers.tiff(*pages))
    wait_until(lambda: not doomed.is_alive, "the worker's death")
    installation.wait_settled()
    rows = account(installation)
    assert len(documents(rows)) == 4
    assert all(row["standing"] == "done" for row in rows)


@pytest.mark.torture
def test_a_child_killed_in_the_middle_costs_nobody_anything(installation: Installation) -> None:
    running = installation.start()
    for number in range(4):
        installation.drop(f"brief-{number}.tif", papers.tiff(*[f"Seite {n}" for n in range(4)]))
    for _ in range(5):
        wait_until(lambda: bool(running.descendants()), "children")
        victim = running.descendants()[0]
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        time.sleep(0.4)
    installation.wait_settled()
    rows = account(installation)
    assert len(documents(rows)) == 4
    assert all(row["standing"] == "done" for row in rows)


def test_a_worker_frozen_beyond_its_lease_cannot_record_when_it_wakes(
    installation: Installation,
) -> None:
    installation.start("watch")
    installation.drop("brief.png", papers.png("Ein einziger Brief"))
    frozen = installation.start(
        "--verbose", "work", doomed=("stop", "record:recognition:before", "1")
    )
    wait_until(lambda: _state(frozen) == "T", "the freeze")
    installation.start("work")
    installation.wait_settled()
    frozen.resume()
    wait_until(lambda: "fenced_out" in frozen.errors.read_text("utf-8"), "the fence")
    frozen.stop()
    (document,) = documents(account(installation))
    assert document["stage"] == "delivered"


@pytest.mark.torture
def test_t07_t19_a_restart_in_the_middle_takes_every_file_once(installation: Installation) -> None:
    first = installation.start()
    for number in range(5):
        installation.drop(f"vorher-{number}.png", papers.png(f"Vorher {number}"))
    wait_until(lambda: len(installation.inbox_files()) < 5, "the first claim")
    assert first.stop() == 0
    installation.drop("dazwischen.png", papers.png("Zwischen zwei Läufen"))
    installation.start()
    installation.start("watch")  # a second watcher of the same inbox
    for number in range(5):
        installation.drop(f"nachher-{number}.png", papers.png(f"Nachher {number}"))
    installation.wait_settled()
    rows = account(installation)
    assert len(documents(rows)) == 11
    assert all(row["standing"] == "done" for row in rows)


def test_t20_a_ledger_locked_during_the_split_loses_no_part(installation: Installation) -> None:
    installation.start("watch")
    sides: list[Any] = []
    for number in range(10):
        sides += [f"Brief {number}", papers.separator()]
    installation.drop("stapel.tif", papers.tiff(*sides))
    installation.wait_for(lambda rows: len(batches(rows)) == 1, "the arrival")
    installation.start("work")
    for _ in range(3):
        with _locked(installation.data / "ledger.sqlite"):
            time.sleep(2.5)
        time.sleep(1.0)
    installation.wait_settled()
    rows = account(installation)
    assert len(documents(rows)) == 10
    assert all(row["standing"] == "done" for row in rows)


@pytest.mark.torture
def test_t23_a_name_used_again_while_the_first_is_recognised_keeps_both(
    installation: Installation,
) -> None:
    installation.start()
    for number in range(3):
        installation.drop("scan0001.png", papers.png(f"Der Brief Nummer {number}"))
        wait_until(lambda: not _visible(installation), "the claim")
    installation.wait_settled()
    rows = account(installation)
    assert [row["source_name"] for row in batches(rows)] == ["scan0001.png"] * 3
    assert len({row["outputs"]["pdf"]["path"] for row in documents(rows)}) == 3


def test_t27_a_full_disk_stops_nothing_for_good(install: Any, tmp_path: Path) -> None:
    inbox = tmp_path / "eingang"
    inbox.mkdir(mode=0o770)
    house = install(sections={"tenants.default": {"inbox": str(inbox)}})
    house.inbox = inbox
    with small_disk(house.data, megabytes=192):
        filler = house.data / "filler"
        house.start()
        house.wait_for(lambda rows: True, "the ledger")
        house.drop("vorher.png", papers.png("Solange noch Platz ist"))
        house.wait_settled()
        fill(filler)
        for number in range(3):
            house.drop(f"voll-{number}.jpg", papers.jpeg(f"Kein Platz mehr {number}"))
        time.sleep(4.0)
        assert house.running[0].is_alive
        assert len(documents(house.list_json())) == 1
        filler.unlink()
        house.wait_settled()
        rows = account(house)
        assert len(documents(rows)) == 4
        assert all(row["standing"] == "done" for row in rows)
        house.end()


@contextlib.contextmanager
def _locked(database: Path) -> Iterator[None]:
    connection = sqlite3.connect(database, timeout=30, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def _state(running: Running) -> str:
    stat = Path(f"/proc/{running.process.pid}/stat").read_text("ascii", "replace")
    return stat.rsplit(")", 1)[1].split()[0]


def _visible(installation: Installation) -> list[Path]:
    return [path for path in installation.inbox.iterdir() if path.is_file()]
