"""What people counted and how they scanned reaches the ledger with `receive`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ingest.cli import cli
from ingest.ledger import open_ledger, schema
from tests.plugins import papers
from tests.plugins.ledgers import rows


def test_counts_and_sides_are_kept_with_the_batch(tmp_path: Path) -> None:
    letter = tmp_path / "stapel.tif"
    letter.write_bytes(papers.tiff("eins", "zwei"))
    said = ["--expected-sheets", "1", "--expected-consignments", "3", "--sides", "duplex"]
    data = tmp_path / "data"
    done = CliRunner().invoke(cli, ["--data", str(data), "receive", str(letter), *said])
    assert done.exit_code == 0, done.output
    [file] = data.rglob("*.sqlite")
    ledger = open_ledger(f"sqlite:///{file}")
    [batch] = rows(ledger, schema.batch)
    ledger.close()
    assert (batch.expected_sheets, batch.expected_consignments, batch.sides) == (1, 3, "duplex")


@pytest.mark.parametrize(
    "wrong", [["--expected-sheets", "-1"], ["--expected-consignments", "x"], ["--sides", "both"]]
)
def test_an_impossible_count_is_refused_before_anything_is_opened(
    tmp_path: Path, wrong: list[str]
) -> None:
    letter = tmp_path / "brief.tif"
    letter.write_bytes(papers.tiff("eins"))
    data = tmp_path / "data"
    assert (
        CliRunner().invoke(cli, ["--data", str(data), "receive", str(letter), *wrong]).exit_code
        == 2
    )
    assert not data.exists()
