"""A stack at the machine of the ledger at which another process is at work."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ingest.cli import cli
from scanners.stack import desk
from scanners.stack.journal import Journal
from scanners.stack.locking import held
from scanners.stack.shelf import lock_of
from tests.plugins import stations
from tests.plugins.house import House


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    more = "[scanners.sane]\nenabled = false\n[scanners.twain]\nenabled = false\n"
    made = House(tmp_path_factory.mktemp("house"), more)
    made.call("check")
    return made


@pytest.fixture
def home(house: House) -> Path:
    return house.data / "scanning" / "default"


@pytest.fixture
def journal(home: Path) -> Journal:
    begun = Journal.begin(home, stations.opening(operator="AB", station=None))
    spool = begun.new_spool().folder
    for number in (1, 2):
        begun.note_page(stations.page(spool, number))
    return begun


def ended(house: House, key: str) -> tuple[int, str]:
    """Close a stack and return exit code and all that was said."""
    place = ["--data", str(house.data), "--config", str(house.config)]
    result = CliRunner().invoke(
        cli, [*place, "scan", "--close", key, "--operator", "AB"], standalone_mode=False
    )
    assert result.exception is None, result.output
    return int(result.return_value), str(result.output)


def test_a_stack_that_another_process_scans_is_not_closed_under_it(
    house: House, home: Path, journal: Journal
) -> None:
    with held(lock_of(home, journal.key, "scan")):
        code, said = ended(house, journal.key)
    assert code == 3
    assert "wird gerade in einem anderen Vorgang gescannt" in said
    assert journal.closing is None
    assert ended(house, journal.key)[0] == 0


def test_a_stack_that_another_process_still_carries_needs_a_look(
    house: House, home: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "_LOOKS", 0)
    with held(lock_of(home, journal.key, "carry")):
        code, said = ended(house, journal.key)
    assert code == 3
    assert "noch nicht angenommen" in said
    assert ended(house, journal.key)[0] == 0


@pytest.mark.parametrize(
    ("error", "told"),
    [(FileNotFoundError(2, "gone"), "nicht mehr"), (OSError(5, "I/O"), "Festplatte")],
)
def test_what_fails_at_the_files_of_a_stack_is_said_in_german(
    house: House,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    error: OSError,
    told: str,
) -> None:
    def failing(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(desk, "counted", failing)
        code, said = ended(house, journal.key)
    assert code == 3
    assert told in said


def test_a_damaged_stack_is_named_once(house: House, journal: Journal, home: Path) -> None:
    (journal.folder / "pages.jsonl").write_bytes(b"xx\n{}\n")
    other = Journal.begin(home, stations.opening(operator="AB", station=None))
    other.note_page(stations.page(other.new_spool().folder, 1))
    assert ended(house, other.key)[1].count("ist beschädigt") == 1
