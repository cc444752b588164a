"""Stacks at the machine of the ledger that end otherwise than by being scanned to their end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from ingest.cli.app import App
from ingest.cli.ending import require_lost
from ingest.errors import UsageError
from ingest.ledger import Ledger, givingup, schema
from scanners.direct import DirectHouse, Workplace
from scanners.stack import desk
from scanners.stack.journal import Journal
from tests.plugins import stations
from tests.plugins.house import House
from tests.plugins.ledgers import broken, rows

PERSON = ("--operator", "AB")
WHY = (*PERSON, "--reason", "Irrläufer")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, "[scanners.sane]\nenabled = false\n[scanners.twain]\nenabled = false\n")


@pytest.fixture
def ledger(house: House) -> Iterator[Ledger]:
    house.call("check")
    opened = house.ledger()
    yield opened
    opened.close()


def home(house: House) -> Path:
    return house.data / "scanning" / "default"


def left(house: House) -> list[Path]:
    return list((home(house) / "stacks").iterdir())


def scanned(house: House, **said: Any) -> Journal:
    """Return a stack of two pages that a scan left on this machine."""
    journal = Journal.begin(home(house), stations.opening(operator="AB", station=None, **said))
    spool = journal.new_spool().folder
    for number in (1, 2):
        journal.note_page(stations.page(spool, number))
    return journal


def id_of(ledger: Ledger, key: str) -> str:
    return next(str(row.id) for row in rows(ledger, schema.stack) if row.key == key)


def direct(house: House, ledger: Ledger, station: str) -> DirectHouse:
    from ingest.store import FolderStore

    place = Workplace(tenant="default", station=station)
    return DirectHouse(ledger, FolderStore(house.data / "store"), place)


def test_a_stack_that_was_set_aside_is_received_when_the_reason_is_gone(
    house: House, ledger: Ledger
) -> None:
    journal = scanned(house)
    journal.note_refused("profile_not_released", "Nicht freigegeben.")
    house.call("scan", "--close", journal.key, *PERSON)
    assert len(rows(ledger, schema.batch_source)) == 2
    assert left(house) == []


def test_a_stack_that_is_refused_says_why_and_needs_a_person(house: House, ledger: Ledger) -> None:
    journal = scanned(house)
    journal.pages[2].page.path.unlink()
    for _ in range(2):
        result = house._run(("scan", "--close", journal.key, *PERSON), "")
        assert result.return_value == 3
        assert "Die Datei der Seite 2 fehlt" in result.stderr
    assert journal.folder.exists()


@pytest.mark.parametrize("is_ending", [True, False])
def test_a_stack_that_somebody_else_is_at_work_on_is_not_ended_by_two(
    house: House, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, is_ending: bool
) -> None:
    monkeypatch.setattr(desk, "_LOOKS", 0)
    journal = scanned(house)
    if is_ending:
        journal.note_closing(stations.closing(*journal.pages.values()))
    with journal.scanning():
        result = house._run(("scan", "--close", journal.key, *PERSON), "")
    assert (result.exception, result.return_value) == (None, 3)
    assert ("gerade" in result.stderr) is not is_ending
    house.call("scan", "--close", journal.key, *PERSON)
    assert left(house) == []


def test_what_the_ledger_never_had_can_be_erased_by_its_key(house: House, ledger: Ledger) -> None:
    journal = scanned(house, profile="gibt-es-nicht")
    assert house._run(("scan", "--close", journal.key, *PERSON), "").return_value == 3
    with journal.scanning():
        assert "gerade gearbeitet" in house.refuse("erase", journal.key, *WHY, "--yes")
    damaged = scanned(house)
    (damaged.folder / "pages.jsonl").write_bytes(b"xx\n{}\n")
    refused = house._run(("erase", journal.key, *WHY), "nein\n")
    assert isinstance(refused.exception, click.Abort)
    assert "nichts geändert" in refused.stderr
    assert journal.folder.exists()
    house.call("erase", journal.key[:8], *WHY, entered="ja\n")
    house.call("erase", damaged.key[:8], *WHY, "--yes")
    assert left(house) == []
    said = [row.actor for row in rows(ledger, schema.event) if row.kind == givingup.DISCARDED]
    assert said == ["AB", "AB"]
    assert "Kennung" in house.refuse("erase", journal.key, *WHY, "--yes")
    assert broken(ledger) == []


def test_a_damaged_stack_is_named_when_somebody_scans(house: House, ledger: Ledger) -> None:
    journal, sound = scanned(house), scanned(house)
    (journal.folder / "pages.jsonl").write_bytes(b"xx\n{}\n")
    result = house._run(("scan", "--close", sound.key, *PERSON), "")
    assert result.return_value == 0
    assert f"Stapels {journal.key} ist beschädigt (Datei pages.jsonl)" in result.stderr


def test_bytes_that_another_batch_has_stay_and_are_said_to(house: House, ledger: Ledger) -> None:
    first, second = scanned(house), scanned(house)
    house.call("scan", "--close", first.key, *PERSON)
    said = house.call("erase", id_of(ledger, second.key), *WHY, "--yes")
    assert "2 Seiten, 0 Dateien gelöscht" in said
    assert "2 Dateien bleiben" in said
    assert left(house) == []


def test_the_house_closes_a_stack_that_nobody_else_can(
    house: House, ledger: Ledger, tmp_path: Path
) -> None:
    lost, opened = direct(house, ledger, "platz-9"), stations.opening(operator="AB")
    id_ = lost.open(opened).batch_id
    for number in (1, 2, 4):
        lost.append(opened.key, stations.page(tmp_path, number))
    reason = ("--reason", "Rechner verloren")
    result = house._run(("close-stack", id_[:8], *PERSON, *reason), "")
    assert result.return_value == 3
    assert "3 Seiten, vom Haus abgeschlossen" in result.stdout
    (batch,) = rows(ledger, schema.batch)
    assert (batch.id, batch.standing, batch.reason_code) == (id_, "held", "pages_missing")
    assert "offenen Stapel" in house.refuse("close-stack", id_, *PERSON, *reason)
    here = scanned(house)
    direct(house, ledger, "platz-9").open(here.opening)
    id_ = id_of(ledger, here.key)
    with pytest.raises(UsageError) as caught:
        require_lost(App(house.data, house.config), id_)
    assert "scan --close" in caught.value.operator_text
    assert broken(ledger) == []


def test_a_stack_that_cannot_be_carried_is_told_of_where_nobody_scans(
    house: House, ledger: Ledger
) -> None:
    scanned(house).pages[1].page.path.unlink()
    place = ["--data", str(house.data), "--config", str(house.config)]
    words = [sys.executable, "-m", "ingest", *place, "watch"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "scanned_not_carried" in line)
        process.terminate()
    assert "Die Datei der Seite 1 fehlt" in said
