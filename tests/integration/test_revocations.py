"""What issuers say of a timestamp's certificate is kept with it, and counts years later."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from ingest import clock
from ingest.cli.app import App
from ingest.cli.evidencing import statements
from ingest.ledger import Ledger, schema
from ingest.ledger.showing import show
from ingest.settings import Settings
from tests.plugins import ledgers
from tests.plugins.authority import Authority, root_file
from tests.plugins.emptied import empty_ledger
from tests.plugins.trust import Trust, trusting
from workers.evidence.preservation import Done, Preservation

DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    with trusting(tmp_path_factory.mktemp("trust")) as running:
        yield running


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = empty_ledger(tmp_path / "data" / "ledger.sqlite")
    opened.accept(ledgers.arrival())
    ledgers.deliver(opened)
    yield opened
    opened.close()


@pytest.fixture
def settings(tmp_path: Path, trust: Trust) -> Settings:
    trust.fault = None
    (tmp_path / "data").mkdir(exist_ok=True)
    sealing = {"tsa_url": trust.tsa, "tsa_roots": trust.pem("tsa-root"), "tsa_timeout_seconds": 120}
    return Settings(data=tmp_path / "data", sealing=sealing)


def kept(ledger: Ledger) -> list[Any]:
    return ledgers.rows(ledger, schema.evidence_revocation)


def said(tmp_path: Path, trust: Trust, ledger: Ledger) -> list[tuple[bool, bool, str]]:
    config = tmp_path / "config.toml"
    roots = trust.pem("tsa-root")
    config.write_text(f'[sealing]\ntsa_url = "{trust.tsa}"\ntsa_roots = "{roots}"\n', "utf-8")
    document = min(row.id for row in ledgers.rows(ledger, schema.document))
    with App(tmp_path / "data", config) as app, app.ledger.reading() as connection:
        record = show(connection, document)
        return list(statements(app, record))


def test_answers_are_kept_with_the_timestamp_and_before_its_renewal(
    settings: Settings, ledger: Ledger, trust: Trust, tmp_path: Path
) -> None:
    with Preservation(settings, ledger) as preservation:
        assert preservation.once() == Done(documents=2)
        assert [row.batch_id for row in kept(ledger)] == [1]
        late = sa.update(schema.evidence_batch).values(renew_before=clock.now() - DAY)
        ledgers.change(ledger, late)
        assert preservation.once() == Done(renewed=1)
    assert [row.batch_id for row in kept(ledger)] == [1, 1, 2]
    found = said(tmp_path, trust, ledger)
    assert all(passed and required for passed, required, _ in found), found
    assert sum("nicht gesperrt" in text for *_, text in found) == 3
    assert kept(ledger)[0].good_until > clock.now()


def test_a_service_that_is_away_holds_up_nothing_and_is_asked_again(
    settings: Settings, ledger: Ledger, trust: Trust
) -> None:
    trust.fault = "crls unavailable"
    with Preservation(settings, ledger) as preservation, capture_logs() as logged:
        assert preservation.once() == Done(documents=2)
        assert kept(ledger) == []
        assert "no_revocation_answer" in [one["event"] for one in logged]
        trust.fault = None
        assert preservation.issuers.complete("default") == 1
        assert preservation.issuers.complete("default") == 0
    assert [row.batch_id for row in kept(ledger)] == [1]


def test_where_a_certificate_names_no_service_nothing_is_kept_and_nobody_is_asked_again(
    tmp_path: Path,
    ledger: Ledger,
    settings: Settings,
    sound: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    roots = root_file(sound, tmp_path)
    bare = settings.model_copy(
        update={
            "sealing": settings.sealing.model_copy(
                update={"tsa_url": sound.url, "tsa_roots": roots}
            )
        }
    )
    with Preservation(bare, ledger) as preservation:
        assert preservation.once() == Done(documents=2)
        assert preservation.issuers.complete("default") == 0
        preservation._child.close()
        monkeypatch.setattr(preservation.issuers, "_child", None)  # whoever asks now is found out
        assert preservation.issuers.complete("default") == 0
        monkeypatch.undo()
    assert kept(ledger) == []


@pytest.mark.parametrize("change", ["flipped", "of another time", "nonsense"])
def test_altered_answers_prove_nothing(
    settings: Settings, ledger: Ledger, trust: Trust, tmp_path: Path, change: str
) -> None:
    with Preservation(settings, ledger) as preservation:
        preservation.once()
    content = bytearray(kept(ledger)[0].content)
    content[-3] ^= 1
    values: dict[str, dict[str, Any]] = {
        "flipped": {"content": bytes(content)},
        "of another time": {"gathered_at": clock.now() - 400 * DAY},
        "nonsense": {"content": b"\x30\x03\x02\x01\x01"},
    }
    ledgers.change(ledger, sa.update(schema.evidence_revocation).values(**values[change]))
    found = said(tmp_path, trust, ledger)
    assert [(passed, required) for passed, required, _ in found] == [(True, True), (False, True)]
