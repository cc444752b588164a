"""What commands say of a stack that is still scanned: `list` names its id among the batches."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
import pytest

from ingest.cli.exporting import export
from ingest.errors import UsageError
from ingest.store import FolderStore
from scanners.direct import DirectHouse, Workplace
from tests.plugins.house import House
from tests.plugins.stations import opening, page

_BY = ("--operator", "KL")
_WHY = (*_BY, "--reason", "Test")
_KINDS = next(
    option.type.choices
    for option in export.params
    if option.name == "what" and isinstance(option.type, click.Choice)
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    made = House(tmp_path_factory.mktemp("house"))
    made.call("check")
    return made


@pytest.fixture(scope="module")
def stack(house: House) -> str:
    """An open stack of two pages, as it is named to commands."""
    ledger, said = house.ledger(), opening(station=None, storage_place="Regal 4")
    desk = DirectHouse(ledger, FolderStore(house.data / "store"), Workplace(tenant="default"))
    id_ = desk.open(said).batch_id
    for number in (1, 2):
        desk.append(said.key, page(house.data / "spool", number))
    ledger.close()
    return id_


@pytest.mark.parametrize(
    "words",
    [
        ("retry", "ID"),
        ("release", "ID", *_WHY),
        ("release", "ID", *_WHY, "--set", "password=-"),
        ("reject", "ID", *_WHY),
        ("reviewed", "ID", *_WHY),
        ("put-back", "ID", "--page", "1", *_WHY),
        ("rescan", "ID", "NEU", *_WHY),
        *(("export", "ID", "--what", what, "-o", "NEU") for what in _KINDS),
        ("evidence", "ID", "-o", "NEU"),
        ("qa", "show", "ID"),
        ("qa", "view", "ID", "--pages", "1", *_BY),
        ("qa", "resume", "ID", *_WHY),
        ("paper", "store", "ID", "--place", "Regal 5", *_BY),
        ("paper", "request", "ID", *_WHY),
        ("paper", "return", "ID", *_WHY),
        ("paper", "hold", "ID", *_WHY),
        ("paper", "unhold", "ID", *_WHY),
        ("paper", "certify", "ID", "--certificate", "V-7", *_BY),
        ("paper", "release", "ID", *_BY),
        ("paper", "show", "ID"),
    ],
    ids=" ".join,
)
def test_what_an_open_stack_cannot_do_yet_is_refused_with_the_remedy(
    house: House, stack: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    new = tmp_path / "neu"
    if words[0] == "rescan":
        new.write_bytes(b"II*")
    given = [{"ID": stack, "NEU": str(new)}.get(word, word) for word in words]
    result = house._run(tuple(given), "geheim")
    assert isinstance(result.exception, UsageError), (result.exception, result.output)
    for remedy in ("scan --append", "scan --close", "erase"):
        assert remedy in result.exception.operator_text


def test_an_open_stack_is_shown_with_its_pages_and_what_may_come(house: House, stack: str) -> None:
    shown = house.call("show", stack[:13])
    for told in (
        "dieser Server",
        "Noname ADF",
        "Regal 4",
        "Blatt 1, Rückseite",
        "--append",
        "--close",
    ):
        assert told in shown
    assert "{" not in shown
    (record,) = house.told("show", stack)
    assert (record["stage"], len(record["stack_pages"])) == ("open", 2)


def test_the_pages_of_an_open_stack_are_computed_anew(house: House, stack: str) -> None:
    assert house.call("verify", stack).count("Prüfsumme stimmt") == 2


def test_a_damaged_page_of_an_open_stack_is_found(house: House, stack: str, tmp_path: Path) -> None:
    other = House(tmp_path)
    shutil.copytree(house.data, other.data)
    (record,) = house.told("show", stack)
    digest = record["stack_pages"][0]["sha256"]
    (kept,) = (path for path in (other.data / "store").rglob(f"*{digest[8:]}*"))
    kept.chmod(0o600)
    kept.write_bytes(b"II*anders")
    result = other._run(("verify", stack), "")
    assert result.return_value == 3
    assert "FEHLER" in result.output
