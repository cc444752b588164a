"""An installation on which commands are given in the test's own process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from ingest.cli import cli
from ingest.errors import ScanstrasseError
from ingest.ledger import Ledger, open_ledger


class House:
    """Data folder, profile folder and configuration; each command as in a terminal of its own."""

    def __init__(self, folder: Path, more: str = "") -> None:
        """Write the configuration; `more` goes to its end."""
        self.data = folder / "data"
        self.profiles = folder / "profile"
        self.profiles.mkdir()
        self.config = folder / "scanstrasse.toml"
        self.config.write_text(f'profiles = "{self.profiles}"\n{more}', "utf-8")

    def call(self, *words: str, entered: str = "") -> str:
        """Give a command that succeeds and return what it prints."""
        result = self._run(words, entered)
        assert result.exception is None, (words, result.exception, result.output)
        assert not result.return_value, (words, result.output)
        return str(result.output)

    def told(self, *words: str) -> list[dict[str, Any]]:
        """Give a command with `--json` and return its objects, whatever it ends with."""
        result = self._run((*words, "--json"), "")
        assert result.exception is None, (words, result.exception, result.output)
        lines = str(result.stdout).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def refuse(self, *words: str) -> str:
        """Give a command that is refused and return what the refusal says."""
        result = self._run(words, "")
        assert isinstance(result.exception, ScanstrasseError), result.output
        return str(result.exception.operator_text)

    def ledger(self) -> Ledger:
        """Open the house's ledger; the caller closes it."""
        return open_ledger(f"sqlite:///{self.data / 'ledger.sqlite'}")

    def _run(self, words: tuple[str, ...], entered: str) -> Any:
        place = ["--data", str(self.data), "--config", str(self.config)]
        arguments = [*place, *words]
        return CliRunner().invoke(cli, arguments, input=entered, standalone_mode=False)
