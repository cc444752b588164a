"""A backup comes back whole, forgets what was erased, and says what is missing."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.cli.app import App
from ingest.cli.verifying import verify_all
from ingest.ledger import anchors, integrity, open_ledger
from ingest.ledger.backup import backed_up_at
from tests.plugins import papers
from tests.plugins.commanding import commanded


class House:
    """An installation that received two letters, and its backup folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        self.backup = root / "backup"
        for name in ("eins", "zwei"):
            (root / f"{name}.png").write_bytes(papers.png(f"Brief {name}"))

    def say(self, *arguments: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
        return commanded(["--data", str(data or self.data), *arguments])

    def documents(self, data: Path | None = None) -> list[dict[str, object]]:
        lines = self.say("list", "--json", data=data).stdout.splitlines()
        rows = [json.loads(line) for line in lines]
        return [row for row in rows if row["message_type"] == "document"]


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> House:
    house = House(tmp_path_factory.mktemp("house"))
    letters = [str(house.root / f"{name}.png") for name in ("eins", "zwei")]
    receiving = [sys.executable, "-m", "ingest", "--data", str(house.data), "receive", "--wait"]
    subprocess.run([*receiving, *letters], check=True)
    assert house.say("backup", str(house.backup)).returncode == 0
    return house


@pytest.fixture
def house(received: House, tmp_path: Path) -> House:
    copy = House(tmp_path)
    shutil.copytree(received.data, copy.data)
    shutil.copytree(received.backup, copy.backup)
    return copy


def test_a_restored_installation_lists_and_verifies_the_same(house: House) -> None:
    other = house.root / "other"
    done = house.say("restore", str(house.backup), data=other)
    assert done.returncode == 3, done.stderr
    assert "ob etwas fehlt, ist nicht geprüft" in done.stdout, "nothing is anchored yet"
    assert house.documents(other) == house.documents()
    assert house.say("verify", data=other).returncode == 0


def test_a_backup_is_not_called_the_newest_by_its_own_anchors(house: House) -> None:
    with App(house.data, None) as app:
        with app.ledger.writing() as connection:
            integrity.anchor(connection, "default", dt.datetime.now(dt.UTC).date())
        with app.ledger.reading() as connection:
            assert anchors.publish(connection, app.settings.anchors, "default")
    assert house.say("backup", str(house.backup)).returncode == 0

    def restored(name: str, *more: str) -> tuple[int, dict[str, object]]:
        done = house.say("restore", str(house.backup), "--json", *more, data=house.root / name)
        (line,) = done.stdout.splitlines()
        return done.returncode, json.loads(line)

    code, said = restored("own")
    assert (code, said["only_own_anchors"]) == (3, True)
    assert "nur mit den Ankern aus der Sicherung selbst verglichen" in str(said["text"])
    assert restored("inside", "--anchors", str(house.backup / "anchors"))[0] == 3
    code, said = restored("given", "--anchors", str(house.data / "anchors"))
    assert (code, said["only_own_anchors"]) == (0, False)
    assert "kein Stand ist älter" in str(said["text"])


def test_what_was_erased_leaves_the_backup_with_the_next_one(house: House) -> None:
    before = {path.name for path in (house.backup / "store").rglob("*") if path.is_file()}
    first = str(house.documents()[0]["id"])
    erased = house.say("erase", first, "--operator", "op1", "--reason", "Irrtum", "--yes")
    assert erased.returncode == 0, erased.stderr
    said = house.say("log", "--family", "use", "--operator", "op9", "--json").stdout.splitlines()
    entries = [json.loads(line) for line in said]
    assert ("op1", first, "erase") in {
        (one["by"], one["unit"], one["said"]["command"]) for one in entries
    }
    done = house.say("backup", str(house.backup))
    assert done.returncode == 0, done.stderr
    after = {path.name for path in (house.backup / "store").rglob("*") if path.is_file()}
    assert after < before


def test_a_missing_blob_is_said_and_keeps_nothing_else_from_coming_back(house: House) -> None:
    blobs = [path for path in (house.backup / "store").rglob("*") if len(path.name) == 64]
    victim = min(blobs)
    victim.unlink()
    other = house.root / "other"
    done = house.say("restore", str(house.backup), data=other)
    assert done.returncode == 3
    assert victim.name in done.stderr
    assert len(house.documents(other)) == 2


def test_one_changed_byte_in_any_stored_object_is_named(house: House) -> None:
    blobs = sorted(path for path in (house.data / "store").rglob("*") if len(path.name) == 64)
    assert len(blobs) >= 8  # two originals, and of each document PDF, note, text and words
    with App(house.data, None) as app:
        for blob in blobs:
            whole = blob.read_bytes()
            blob.chmod(0o600)
            middle = len(whole) // 2
            blob.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
            failed = [one["name"] for one in verify_all(app) if not one["passed"]]
            assert failed == [f"Objekt {blob.name}"]
            blob.write_bytes(whole)
        assert all(one["passed"] for one in verify_all(app))


def test_a_complete_backup_is_an_event_and_a_broken_one_is_none(house: House) -> None:
    """Paper is destroyed only after a backup: one that lacks a letter must not count."""

    def newest() -> dt.datetime | None:
        ledger = open_ledger(f"sqlite:///{house.data / 'ledger.sqlite'}")
        with ledger.reading() as connection:
            found = backed_up_at(connection, "default")
        ledger.close()
        return found

    first = newest()
    assert first is not None, "the fixture's backup was complete"
    letter = str(house.documents()[0]["sha256"])
    (blob,) = (path for path in (house.data / "store").rglob("*") if path.name == letter)
    blob.unlink()
    fresh = house.root / "second"
    assert house.say("backup", str(fresh)).returncode == 3
    assert newest() == first
    again = house.say("backup", str(house.backup))
    assert again.returncode == 0, "the folder of the night before still has the letter"
    later = newest()
    assert later is not None
    assert later > first
