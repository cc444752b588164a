"""A date of receipt that a clerk supplies is on everything that leaves the house."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.conftest import Install
from tests.plugins import papers
from tests.plugins.accounting import batches, documents

MEANT = "2026-11-20T00:00:00+01:00"


def test_a_date_of_receipt_supplied_by_a_clerk_is_delivered(
    install: Install, tmp_path: Path
) -> None:
    house = tmp_path / "profile"
    house.mkdir()
    shipped = Path("profiles/posteingang.toml").read_text("utf-8")
    needed = shipped.replace('received_at = "recorded"', 'received_at = "required"')
    (house / "posteingang.toml").write_text(needed, "utf-8")
    installation = install()
    before = installation.config.read_text("utf-8")
    installation.config.write_text(f'profiles = "{house}"\n{before}', "utf-8")
    installation.start()
    installation.drop("brief.png", papers.png("Ein Brief mit Eingangsstempel"))
    (batch,) = batches(installation.wait_settled())
    assert batch["standing"] == "held"
    assert "received_at=JJJJ-MM-TT" in batch["reason"]
    said = ("--operator", "op17", "--reason", "Stempel", "--set", "received_at=2026-11-20")
    assert installation.call("release", batch["id"], *said).returncode == 0
    rows = installation.wait_for(
        lambda rows: any(row["stage"] == "delivered" for row in documents(rows)), "delivery"
    )
    (sidecar,) = installation.outbox.rglob("brief-*.json")
    delivered = json.loads(sidecar.read_text("utf-8"))
    assert (delivered["received_at"], delivered["received_at_source"]) == (MEANT, "operator")
    for row in (*batches(rows), *documents(rows)):
        assert (row["received_at"], row["received_at_source"]) == (
            "2026-11-19T23:00:00+00:00",
            "operator",
        )
    (document,) = documents(rows)
    note = tmp_path / "vermerk.xml"
    installation.call("export", document["id"], "--what", "note", "-o", str(note))
    page = note.with_suffix(".html")
    installation.call("export", document["id"], "--what", "note-html", "-o", str(page))
    assert "<h1>Scanvermerk</h1>" in page.read_text("utf-8")
    day = MEANT.replace("T00:00:00", "")  # no time was stamped, so none is said
    assert f"<Eingangsdatum>{day}</Eingangsdatum>" in note.read_text("utf-8")
