"""Erasing reaches what was delivered, and everybody who asks afterwards is told."""

from __future__ import annotations

import json

from tests.acceptance.conftest import Install
from tests.plugins import papers
from tests.plugins.accounting import documents


def test_an_erased_document_leaves_outbox_and_journal(install: Install) -> None:
    installation = install()
    running = installation.start()
    for name in ("Erika Mustermann.png", "Otto.png"):
        installation.drop(name, papers.png(f"Ein Brief von {name}"))
    rows = installation.wait_for(
        lambda rows: sum(row["stage"] == "delivered" for row in documents(rows)) == 2,
        120,
        "two deliveries",
    )
    running.stop()
    erika, otto = sorted(documents(rows), key=lambda row: str(row["source_name"]))
    (taken,) = installation.outbox.rglob("Otto-*.pdf")
    taken.unlink()
    said = ("--operator", "op17", "--reason", "Irrläufer", "--yes")
    first = installation.call("erase", erika["id"], *said)
    second = installation.call("erase", otto["id"], *said)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "Aus dem Ausgang entfernt" in first.stdout
    assert "Schon abgeholt" not in first.stdout
    assert f"Schon abgeholt, beim Empfänger zu löschen: {taken}" in second.stdout
    files = [path for path in installation.outbox.rglob("*") if path.is_file()]
    for word in (b"Erika", b"Otto"):
        assert not [path for path in files if word in path.read_bytes() + path.name.encode()]
    verified = installation.call("verify", erika["id"])
    assert verified.returncode == 0, verified.stdout
    assert "gelöscht am" in verified.stdout
    assert "von op17" in verified.stdout
    assert "noch keine gesicherte PDF" not in verified.stdout
    day = installation.call("status", "--day", "--json")
    account = json.loads(day.stdout)
    assert (account["documents_erased"], account["documents_delivered"]) == (2, 0)
    assert account["difference"] == 0
    assert installation.call("verify").returncode == 0
