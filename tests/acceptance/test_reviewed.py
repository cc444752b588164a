"""A page on which recognition fails every time: delivered as an image, and somebody looks."""

from __future__ import annotations

import json

from tests.acceptance.conftest import Install
from tests.plugins import papers
from tests.plugins.accounting import documents


def test_a_page_that_overruns_twice_is_delivered_and_goes_to_a_checker(install: Install) -> None:
    installation = install(sections={"workers": {"page_seconds": 0.001}})
    running = installation.start()
    installation.drop("brief.png", papers.png("Der Bescheid"))
    rows = installation.wait_settled()
    running.stop()
    (document,) = documents(rows)
    assert document["stage"] == "delivered"
    assert installation.call("verify", document["id"]).returncode == 0
    (sidecar,) = installation.outbox.rglob("brief-*.json")
    said = json.loads(sidecar.read_text("utf-8"))
    assert any("Zeitüberschreitung" in text for text in said["anomalies"]), said["anomalies"]
    (waiting,) = installation.json_lines("list", "--review")
    assert waiting["id"] == document["id"]
    assert waiting["review"][0]["pages"] == [1]
    assert "zu prüfen" in installation.call("list", "--review").stdout
    assert document["id"] in installation.call("status").stdout
    looked = ("--operator", "op17", "--reason", "handschriftlich, ohne Text")
    assert installation.call("reviewed", document["id"], *looked).returncode == 0
    assert installation.json_lines("list", "--review") == []
    assert installation.call("reviewed", document["id"], *looked).returncode == 2
    assert installation.call("verify").returncode == 0
