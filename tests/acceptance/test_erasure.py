"""Erasing reaches what was delivered, and everybody who asks afterwards is told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import Install
from tests.plugins import papers
from tests.plugins.accounting import documents
from tests.plugins.installation import Installation


def traces(folder: Path, marks: Iterable[str]) -> set[str]:
    """Return which marks stand in the name or anywhere in the bytes of any file below a folder."""
    wanted = {mark: mark.encode() for mark in marks}
    found = set()
    for path in folder.rglob("*"):
        place = str(path.relative_to(folder)).encode()
        content = path.read_bytes() if path.is_file() else b""
        # the store spreads digests over folders
        flat = place.replace(b"/", b"")
        found |= {mark for mark, text in wanted.items() if text in place + b" " + flat + content}
    return found


def two_delivered(install: Install) -> tuple[Installation, list[Mapping[str, Any]]]:
    """Return an installation with two delivered letters, at rest, and their documents."""
    installation = install()
    running = installation.start()
    for name in ("Erika Mustermann.png", "Otto.png"):
        installation.drop(name, papers.png(f"Ein Einspruch von {name.split()[0]}"))
    rows = installation.wait_for(
        lambda rows: sum(row["stage"] == "delivered" for row in documents(rows)) == 2,
        "two deliveries",
    )
    running.stop()
    return installation, sorted(documents(rows), key=lambda row: str(row["source_name"]))


def marks_of(installation: Installation, document: Mapping[str, Any]) -> set[str]:
    """Return words of a letter and every digest of what it was made of."""
    shown = json.loads(installation.call("show", str(document["id"]), "--json").stdout)
    digests = {str(made["sha256"]) for made in shown["renditions"]}
    digests |= {str(document["sha256"]), *(str(page["sha256"]) for page in shown["pages_found"])}
    return digests | {"Erika", "Mustermann", "Einspruch"}


def exported(installation: Installation, identifier: str, name: str) -> str:
    path = installation.data.parent / name
    done = installation.call("export", identifier, "--what", "erasure", "-o", str(path))
    assert done.returncode == 0, done.stderr
    return path.read_text("utf-8")


def test_an_erased_document_leaves_outbox_and_journal(install: Install) -> None:
    installation, (erika, otto) = two_delivered(install)
    (taken,) = installation.outbox.rglob("Otto-*.pdf")
    taken.unlink()
    marks = marks_of(installation, erika)
    assert traces(installation.data, marks) == marks, "the search finds what is there"
    said = ("--operator", "op17", "--reason", "Irrläufer", "--yes")
    first = installation.call("erase", erika["id"], *said)
    second = installation.call("erase", otto["id"], *said)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "Aus dem Ausgang entfernt" in first.stdout
    assert "Schon abgeholt" not in first.stdout
    assert f"Schon abgeholt, beim Empfänger zu löschen: {taken}" in second.stdout
    assert traces(installation.data, marks | {"Otto"}) == set()
    assert traces(installation.data, {erika["id"], "op17"}) == {erika["id"], "op17"}
    assert '"erased_by": "op17"' in exported(installation, erika["id"], "a.json")
    assert "Aus dem Ausgang entfernt" in exported(installation, erika["id"], "a.html")
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
