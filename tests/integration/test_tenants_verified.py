"""`verify` walks what the ledger holds, not only what the configuration still names."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from ingest.cli.app import App
from ingest.cli.verifying import verify_all
from ingest.ledger import schema
from tests.plugins.ledgers import arrival


def test_a_tenant_that_left_the_configuration_is_verified_all_the_same(tmp_path: Path) -> None:
    with App(tmp_path, None) as app:
        assert "amt50" not in app.settings.tenants
        batch = app.ledger.accept(arrival(tenant="amt50")).batch_id
        assert "Ereignisketten amt50" in {one["name"] for one in verify_all(app)}
        with app.ledger.writing() as connection:
            connection.execute(sa.update(schema.batch).values(channel="mail"))
            connection.execute(sa.delete(schema.tenant))
        failed = {one["name"] for one in verify_all(app) if not one["passed"]}
        assert f"Eintrag {batch}" in failed
