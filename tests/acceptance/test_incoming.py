"""A signed file on its whole way: validated, delivered with its report, looked at, erased."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import Install
from tests.plugins.accounting import documents
from tests.plugins.installation import Installation
from tests.plugins.signed import signed_pdf, turned
from tests.plugins.trust import trusting

_PERSON = b"Citizen (Stadt Musterhausen)"


def test_a_file_changed_after_its_signature_reaches_desk_and_checker(
    install: Install, tmp_path: Path
) -> None:
    folder = tmp_path / "trust"
    folder.mkdir()
    with trusting(folder) as trust:
        content = turned(signed_pdf(trust, "B-LT"))
        roots = trust.pem("root", "tsa-root")
    installation = install(sections={"validation": {"roots": str(roots)}})
    checked = installation.call("check")
    assert "ok      Vertrauensanker" in checked.stdout
    running = installation.start()
    installation.drop("antrag.pdf", content)
    (document,) = documents(installation.wait_settled())
    running.stop()
    assert (document["stage"], document["review_open"]) == ("delivered", True)
    (listed,) = document["signatures"]
    assert (listed["indication"], listed["look"]) == ("TOTAL_PASSED", True)
    assert "ein Mensch muss hinsehen" in document["review"][0]["text"]
    _has_its_report(installation, document, hashlib.sha256(content).hexdigest())
    _leaves_no_trace(installation, document)


def _has_its_report(installation: Installation, document: Mapping[str, Any], original: str) -> None:
    said = document["outputs"]["validation"]
    report = Path(said["path"]).read_bytes()
    assert hashlib.sha256(report).hexdigest() == said["sha256"]
    assert b"urn:scanstrasse:report:person-must-look" in report
    (path,) = installation.outbox.rglob("antrag-*.json")
    sidecar = json.loads(path.read_text("utf-8"))
    assert sidecar["signatures"][0]["modification"] == "other"
    assert sidecar["outputs"]["validation"]["name"] == Path(said["path"]).name
    assert sidecar["outputs"]["original"]["sha256"] == original
    assert any("ein Mensch muss hinsehen" in text for text in sidecar["findings"])
    exported = installation.folder / "report.xml"
    called = installation.call(
        "export", document["id"], "--what", "validation", "-o", str(exported)
    )
    assert called.returncode == 0, called.stderr
    assert exported.read_bytes() == report
    exported.unlink()


def _leaves_no_trace(installation: Installation, document: Mapping[str, Any]) -> None:
    told = ("--operator", "op17", "--reason", "Irrläufer", "--yes")
    assert installation.call("verify", document["id"]).returncode == 0
    assert installation.call("erase", document["id"], *told).returncode == 0
    assert installation.call("verify").returncode == 0
    installation.end()
    kept = [path for path in installation.data.rglob("*") if path.is_file()]
    assert [path for path in kept if _PERSON in path.read_bytes()] == []
