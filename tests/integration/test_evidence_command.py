"""`verify FILE` with an evidence record beside it, and what `check` says of late renewals."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from ingest import clock
from ingest.cli import attesting, cli, evidencing
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


def test_signatures_of_older_timestamps_are_verified_where_that_is_asked(
    tmp_path: Path, config: Path, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attesting, "SIGNATURES", 1)
    with Preservation(app.settings, app.ledger) as preservation:
        for _ in range(2):
            app.ledger.accept(ledgers.arrival())
            assert preservation.attest_all() == 1
    asked = ("verify", "--all-timestamps")
    oldest, _ = ledgers.rows(app.ledger, schema.evidence_batch)
    of_oldest = sa.update(schema.evidence_batch).where(schema.evidence_batch.c.id == oldest.id)
    forged = oldest.token[:-1] + bytes([oldest.token[-1] ^ 1])
    ledgers.change(app.ledger, of_oldest.values(token=forged))
    concerned = f"FEHLER  Zeitstempel {oldest.id}: nicht gültig: "
    _, said = run(tmp_path, config, *asked[:1])
    assert concerned not in said
    assert "Signaturen von 1 älteren Zeitstempeln nicht geprüft" in said
    code, said = run(tmp_path, config, *asked)
    assert (code, concerned in said, "nicht geprüft" in said) == (3, True, False)
    ledgers.change(app.ledger, of_oldest.values(root="ä" + oldest.root[1:]))
    with app.ledger.reading() as connection:
        found = list(attesting.of_ledger(app, connection, "default", None))
    reason = "nicht gültig: die Wurzel dazu ist keine Prüfsumme"
    assert (f"Zeitstempel {oldest.id}", False, reason) in found
    with pytest.raises(click.UsageError, match="--all-timestamps gilt ohne ID"):
        CliRunner().invoke(
            cli, [*asked, str(config)], standalone_mode=False, catch_exceptions=False
        )


def test_a_document_whose_evidence_is_damaged_is_told_so(app: App) -> None:
    app.ledger.accept(ledgers.arrival())
    ledgers.deliver(app.ledger)
    with Preservation(app.settings, app.ledger) as preservation:
        preservation.attest_all()
        preservation.once()
    for table, values in (
        (schema.evidence_batch, {"algorithm": "sha257"}),
        (schema.evidence_leaf, {"members": b"1"}),
        (schema.page, {"sha256": "keine"}),
    ):
        ledgers.change(app.ledger, sa.update(table).values(values))
    document, *_ = ledgers.rows(app.ledger, schema.document)
    record = {"id": document.id, "batch": document.batch_id, "tenant": "default"}
    record |= {"message_type": "document", "pages_found": [{"number": 1, "source": 1}]}
    [(passed, required, said)] = evidencing.statements(app, record)
    assert (passed, required) == (False, True)
    assert said.startswith("Der Nachweis im Ledger ist beschädigt")
    found = [one for one in attesting.statements(app, record) if one[0] == "Erfassungsnachweis"]
    assert [(one[1], one[2]) for one in found] == [(False, True)]
    assert "beschädigt" in found[0][3]
