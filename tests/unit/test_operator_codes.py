"""A person is a code everywhere: what may be a name is turned away before it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ingest.cli import cli
from ingest.document import is_operator_code

CODES = ["op17", "MÜ", "K-07", "a.b_c", "1", "x" * 16]
NAMES = ["", " ", "Erika Muster", "e.muster@stadt", "x" * 17, "op17\n", "op;17", "Müller, E.", "П1"]


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_letters_digits_and_few_marks(code: str) -> None:
    assert is_operator_code(code)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_an_address_or_a_sentence_is_no_code(name: str) -> None:
    assert not is_operator_code(name)


@pytest.mark.parametrize(
    "command",
    [
        ["release", "0190aaaa", "--reason", "geprüft"],
        ["reject", "0190aaaa", "--reason", "geprüft"],
        ["erase", "0190aaaa", "--reason", "geprüft", "--yes"],
        ["retry", "0190aaaa"],
        ["shift", "begin"],
        ["receive", "brief.pdf"],
        ["sheets", "-o", "blatt.pdf"],
    ],
    ids=lambda command: command[0],
)
def test_every_command_refuses_a_name_before_it_opens_anything(
    command: list[str], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    said = ["--data", str(data), *command, "--operator", "Erika Muster"]
    result = CliRunner().invoke(cli, said)
    assert result.exit_code == 2
    assert "Erika Muster" in result.output
    assert "Kürzel statt eines Namens" in " ".join(result.output.split())
    assert not data.exists()
