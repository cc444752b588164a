"""`verify FILE` with an evidence record beside it, and what `check` says of late renewals."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from ingest import clock
from ingest.cli import cli
from ingest.cli.app import App
from ingest.cli.evidencing import record_of
from ingest.ledger import schema
from tests.plugins import ledgers
from tests.plugins.authority import Authority, root_file
from tests.plugins.evidence import records
from workers.evidence import record
from workers.evidence.preservation import Preservation

ORIGINAL = b"Sehr geehrte Damen und Herren, ein Original, das kein PDF ist"


@pytest.fixture
def config(tmp_path: Path, sound: Authority) -> Path:
    path = tmp_path / "config.toml"
    roots = root_file(sound, tmp_path)
    path.write_text(f'[sealing]\ntsa_url = "{sound.url}"\ntsa_roots = "{roots}"\n', "utf-8")
    return path


@pytest.fixture
def app(tmp_path: Path, config: Path) -> Iterator[App]:
    with App(tmp_path / "data", config) as opened:
        yield opened


def run(tmp_path: Path, config: Path, *words: str) -> tuple[Any, str]:
    given = ["--data", str(tmp_path / "data"), "--config", str(config), *words]
    done = CliRunner().invoke(cli, given, standalone_mode=False)
    assert done.exception is None, done.exception
    return done.return_value, done.output


@pytest.fixture
def secured(tmp_path: Path, sound: Authority) -> Path:
    """A file with its record beside it."""
    path = tmp_path / "brief.txt"
    path.write_bytes(ORIGINAL)
    groups = [[hashlib.sha256(part).digest() for part in (ORIGINAL, b"note")], [b"\x01" * 32]]
    _, chains = records(sound, groups)
    (tmp_path / "brief.er").write_bytes(record.write(chains[0]))
    return path


def test_a_record_beside_a_file_or_named_is_verified_without_a_ledger(
    tmp_path: Path, config: Path, secured: Path
) -> None:
    assert record_of(secured, None) == tmp_path / "brief.er"
    code, said = run(tmp_path, config, "verify", str(secured))
    assert (code, "bestand spätestens" in said) == (0, True), said
    elsewhere = (tmp_path / "brief.er").rename(tmp_path / "nachweis.der")
    assert record_of(secured, None) is None
    code, said = run(tmp_path, config, "verify", str(secured), "--evidence", str(elsewhere))
    assert (code, "bestand spätestens" in said) == (0, True), said
    assert not (tmp_path / "data" / "ledger.sqlite").exists()


def test_another_files_record_proves_nothing(tmp_path: Path, config: Path, secured: Path) -> None:
    secured.write_bytes(ORIGINAL + b".")
    code, said = run(tmp_path, config, "verify", str(secured))
    assert (code, "does not name these bytes" in said) == (3, True), said
    (tmp_path / "brief.er").write_bytes(b"nonsense")
    assert run(tmp_path, config, "verify", str(secured))[0] == 3


def test_a_late_renewal_is_told_by_check_and_status(tmp_path: Path, config: Path, app: App) -> None:
    app.ledger.accept(ledgers.arrival())
    ledgers.deliver(app.ledger)
    with Preservation(app.settings, app.ledger) as preservation:
        preservation.once()
    assert run(tmp_path, config, "check")[0] == 0
    table = schema.evidence_batch
    for days, code in ((0.5, 0), (2, 3)):
        late = clock.now() - dt.timedelta(days=days)
        ledgers.change(app.ledger, sa.update(table).values(renew_before=late))
        found, said = run(tmp_path, config, "check")
        assert (found, "zu erneuern" in said) == (code, code == 3), said
    assert "ÜBERFÄLLIG" in run(tmp_path, config, "status")[1]
    ended = clock.now() - dt.timedelta(days=1)
    ledgers.change(app.ledger, sa.update(table).values(certificate_ends_at=ended))
    assert "schon abgelaufen" in run(tmp_path, config, "check")[1]
