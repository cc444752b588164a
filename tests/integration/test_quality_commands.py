"""The command line of quality assurance: what a checker sees, says and is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ingest.cli import cli
from ingest.cli.app import App
from ingest.errors import UsageError
from ingest.ledger import Ledger
from tests.plugins.ledgers import events, rows
from tests.plugins.revisions import disagreements
from tests.plugins.sampling import accepted, of_batch, replacing, run, staffed


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with App(tmp_path, None) as app:
        staffed(app.ledger)
        yield app.ledger


def call(folder: Path, *words: str) -> Result:
    result = CliRunner().invoke(cli, ["--data", str(folder), *words], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


def spoken(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_checker_is_led_from_the_list_to_the_verdict(ledger: Ledger, tmp_path: Path) -> None:
    batch = accepted(ledger, replacing(minimum=2))
    run(ledger, 4, each=2, flagged=[3])
    documents = of_batch(ledger, batch)
    (found,) = spoken(call(tmp_path, "qa", "list", "--json"))
    assert (found["message_type"], found["batch"], found["state"]) == ("quality", batch, "open")
    assert (found["size"], found["population"]) == (2, 4)
    assert found["flagged_pages"] == {documents[1]: [3]}
    assert found["detection"]["0.01"] == 0.5
    told = call(tmp_path, "qa", "list").output
    assert "Stichprobe 2 von 4 Dokumenten" in told
    assert "1% Mängel: 50.0%" in told
    yes = ("--visual", "yes", "--content", "yes", "--operator", "op18")
    for document in found["owed"]:
        pages = ("--pages", "3-3") if document == documents[1] else ()
        assert call(tmp_path, "qa", "verdict", document, *yes, *pages).return_value == 0
    (shown,) = spoken(call(tmp_path, "qa", "show", batch, "--json"))
    assert shown["state"] == "passed"
    assert [d["verdict"]["by"] for d in shown["documents"] if d["verdict"]] == ["op18"] * len(
        found["owed"]
    )
    assert "nicht gezogen" in call(tmp_path, "qa", "show", batch).output
    assert "Nichts wartet" in call(tmp_path, "qa", "list").output
    assert spoken(call(tmp_path, "qa", "list", "--all", "--json"))[0]["batch"] == batch


def test_a_fault_is_told_and_a_supervisor_goes_on(ledger: Ledger, tmp_path: Path) -> None:
    batch = accepted(ledger, replacing("very_high"))
    run(ledger, 2, each=2)
    first, second = of_batch(ledger, batch)
    viewed = call(tmp_path, "qa", "view", second, "--pages", "3-4", "--operator", "op18")
    assert "2 Seiten" in viewed.output
    no = ("--visual", "no", "--content", "yes", "--reason", "blass", "--operator", "op18")
    result = call(tmp_path, "qa", "verdict", first, *no, "--json")
    assert result.return_value == 3
    assert spoken(result)[0] == {
        "message_type": "verdict",
        "document": first,
        "good": False,
        "state": "stopped",
        "warning": None,
    }
    words = ("qa", "resume", batch, "--operator", "op20", "--reason", "Glas geputzt")
    assert "offen" in call(tmp_path, *words).output
    with pytest.raises(UsageError):
        call(tmp_path, *words, "--sample")
    call(tmp_path, "reject", first, "--operator", "op20", "--reason", "neu")
    yes = ("--visual", "yes", "--content", "yes", "--operator", "op18")
    assert "abgeschlossen" in call(tmp_path, "qa", "verdict", second, *yes).output


def test_a_clerk_sends_the_result_of_a_delivered_document(ledger: Ledger, tmp_path: Path) -> None:
    batch = accepted(ledger, replacing(check="by_clerk"))
    run(ledger, 2)
    good, bad = of_batch(ledger, batch)
    assert {row.standing for row in rows_of(ledger)} == {"done"}  # nothing waited
    yes = ("--visual", "yes", "--content", "yes")
    with pytest.raises(UsageError, match="is no clerk"):
        call(tmp_path, "qa", "result", good, *yes, "--operator", "op18")
    said = call(tmp_path, "qa", "result", good, *yes, "--operator", "op21", "--json")
    assert spoken(said)[0]["state"] == "confirmed"
    with pytest.raises(UsageError, match="has its result"):
        call(tmp_path, "qa", "result", good, *yes, "--operator", "op21")
    no = ("--visual", "yes", "--content", "no", "--operator", "op21")
    with pytest.raises(UsageError, match="no reason"):
        call(tmp_path, "qa", "result", bad, *no)
    assert call(tmp_path, "qa", "result", bad, *no, "--reason", "Anlage fehlt").return_value == 3
    assert disagreements(ledger) == []
    assert "confirmation_owed" in events(ledger, good)
    assert "confirmation_owed" in events(ledger, bad)


def rows_of(ledger: Ledger) -> list[Any]:
    from ingest.ledger import schema

    return rows(ledger, schema.document)


@pytest.mark.parametrize("pages", ["0", "3-1", "a", "1-", "1-999999"])
def test_pages_that_are_none_are_an_error_of_usage(tmp_path: Path, pages: str) -> None:
    words = ["qa", "view", "x", "--pages", pages, "--operator", "op18"]
    result = CliRunner().invoke(cli, ["--data", str(tmp_path), *words])
    assert result.exit_code == 2
    assert "Seite" in result.output or "Bereich" in result.output


def test_a_clerk_too_says_something_of_each_flagged_page(ledger: Ledger, tmp_path: Path) -> None:
    batch = accepted(ledger, replacing(check="by_clerk"))
    run(ledger, 1, each=3, flagged=[2])
    (document,) = of_batch(ledger, batch)
    words = ("qa", "result", document, "--visual", "yes", "--content", "yes", "--operator", "op21")
    with pytest.raises(UsageError, match="flagged pages"):
        call(tmp_path, *words)
    with pytest.raises(UsageError, match="has no page 4"):
        call(tmp_path, *words, "--pages", "2,4")
    assert call(tmp_path, *words, "--pages", "2").return_value == 0
    assert disagreements(ledger) == []
