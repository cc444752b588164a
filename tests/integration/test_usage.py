"""The command line notes who used it and how that ended, and what is in force; no secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ingest.cli import cli
from ingest.cli.app import App
from ingest.cli.usage import in_force
from ingest.document import Family
from ingest.errors import UsageError
from ingest.ledger import open_ledger
from ingest.ledger.logbook import read
from tests.plugins import ledgers


def said(data: Path, family: Family) -> list[tuple[str, str, object, object]]:
    ledger = open_ledger(f"sqlite:///{data / 'ledger.sqlite'}")
    with ledger.writing() as connection:
        entries = list(read(connection, "default", "op9", [family]))
    ledger.close()
    found = [(one["by"], one["unit"], one["said"]) for one in entries]
    return [
        (by, unit, told["command"], told.get("outcome", told.get("error")))
        for by, unit, told in found
        if told["command"] != "log"
    ]


def use(data: Path, *arguments: str) -> None:
    result = CliRunner().invoke(cli, ["--data", str(data), *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit | UsageError):
        raise result.exception


def test_commands_that_act_or_fail_are_entries_and_lists_are_not(tmp_path: Path) -> None:
    use(tmp_path, "show", "abcdef12")
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    assert ledgers.everything(ledger) == ""
    batch = ledger.accept(ledgers.arrival()).batch_id
    ledger.close()
    use(tmp_path, "list")
    use(tmp_path, "status", "--json")
    use(tmp_path, "show", batch)
    use(tmp_path, "retry", batch, "--operator", "op17")
    use(tmp_path, "reject", batch, "--operator", "op17", "--reason", "Text über Erika")
    assert said(tmp_path, Family.USE) == [
        ("nicht erfasst", batch, "show", 0),
        ("op17", batch, "retry", "usage"),
        ("op17", batch, "reject", "usage"),
    ]
    assert said(tmp_path, Family.ERRORS) == [
        ("op17", batch, "retry", "usage"),
        ("op17", batch, "reject", "usage"),
    ]


def test_what_is_in_force_names_profiles_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCANSTRASSE_REDIS_URL", "redis://:geheim@localhost/0")
    found = in_force(App(tmp_path, None))
    assert len(str(found["profile.posteingang"])) == 64
    assert found["evidence.every"] == "day"
    assert "geheim" not in repr(found)
