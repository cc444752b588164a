"""`rescan` on the command line: bytes kept, inspected in a child, recorded, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ingest.cli import cli
from ingest.cli.app import App
from ingest.errors import PasswordNeeded, ScanstrasseError, UsageError
from ingest.ledger import Ledger, schema
from tests.plugins import papers
from tests.plugins.ledgers import rows
from tests.plugins.revisions import accounted, disagreements, documents, separated, to_the_end

HOW = ("--device", "SC-2", "--scanned-at", "2026-03-02T08:15")
WHO = ("--operator", "op17", "--reason", "Ecke gefaltet")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with App(tmp_path, None) as app:
        yield app.ledger


def call(folder: Path, *words: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(
        cli, ["--data", str(folder), "rescan", *words, *WHO, "--json"], standalone_mode=False
    )
    if result.exception is not None:
        raise result.exception
    return [json.loads(line) for line in result.stdout.splitlines()]


def file(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def how_scanned(ledger: Ledger, document: str) -> tuple[str, str]:
    made = {row.id: row.facts for row in documents(ledger)}
    (entry,) = made[document]["separation"]["rescanned"]
    return entry["device"], entry["scanned_at"]


def test_page_and_stack_are_scanned_again(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {"name": "posteingang", "treatment": "copying", "intake": {"received_at": "recorded"}}
    monkeypatch.setattr("tests.plugins.ledgers.PROFILE", _profile() | whole)
    batch = separated(ledger, ((1, 3), (4,)), {2: "blank"})
    to_the_end(ledger)
    new = file(tmp_path, "neu.tif", papers.tiff("drei"))
    (done,) = call(tmp_path, batch, new, "--page", "3", *HOW)
    assert (done["created"], done["pages"], done["revision"]) == (True, [5], 2)
    page = next(row for row in rows(ledger, schema.page) if row.number == 5)
    source = next(row for row in rows(ledger, schema.batch_source) if row.ordinal == 2)
    assert (page.frame, page.source, source.kind, source.rescan_of) == (0, 2, "tiff", 1)
    assert how_scanned(ledger, done["document"]) == ("SC-2", "2026-03-02T08:15:00+01:00")
    with App(tmp_path, None) as app:
        assert app.store.holds("default", source.sha256)
    (again,) = call(tmp_path, batch, new, "--page", "3")  # as after a crash of the caller
    assert (again["created"], again["document"]) == (False, done["document"])
    with pytest.raises(UsageError, match="one file for each"):
        call(tmp_path, batch, new)
    other = file(tmp_path, "zwei.tif", papers.tiff("eins", "zwei"))
    both = call(tmp_path, batch, other, file(tmp_path, "vier.tif", papers.tiff("vier")))
    assert [(each["pages"], each["revision"]) for each in both] == [([6, 7], 3), ([8], 2)]
    to_the_end(ledger)
    last = [row for row in documents(ledger) if row.superseded_by is None]
    assert [(row.pages, row.standing) for row in last] == [([6, 7], "done"), ([8], "done")]
    assert disagreements(ledger) == []
    assert accounted(ledger).difference == 0
    before = len(documents(ledger))
    for name, content, error in (
        ("text.tif", b"kein Bild", ScanstrasseError),
        ("kennwort.pdf", papers.locked_pdf("x", "geheim"), PasswordNeeded),
    ):
        with pytest.raises(error):
            call(tmp_path, last[0].id, file(tmp_path, name, content))
    assert len(documents(ledger)) == before


def _profile() -> dict[str, Any]:
    import profiles

    return dict(profiles.load("posteingang").facts())
