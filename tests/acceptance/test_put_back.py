"""A blank back that was left out is wanted after all: put back, delivered as a replacement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pikepdf
from PIL import Image

from tests.acceptance.conftest import Install
from tests.plugins import papers
from tests.plugins.accounting import documents
from tests.plugins.installation import Installation

BLANK = Image.new("L", papers.SIZE, 250)
WHO = ("--operator", "op17", "--reason", "Stempel auf der Rückseite")


def delivered(installation: Installation, revision: int) -> list[dict[str, Any]]:
    return installation.wait_for(
        lambda rows: any(
            row["revision"] == revision and row["standing"] == "done" for row in documents(rows)
        ),
        f"delivery of revision {revision}",
    )


def page_count(path: str) -> int:
    with pikepdf.open(path) as pdf:
        return len(pdf.pages)


def put_back_by_a_person(installation: Installation) -> None:
    """Deliver a stack without its blank back, put that back, deliver again."""
    running = installation.start()
    installation.drop("stapel-duplex/stapel.tif", papers.tiff("eins", BLANK, "zwei"))
    delivered(installation, 1)
    (batch, first) = installation.list_json()
    assert [(each["page"], each["kind"]) for each in batch["omitted"]] == [(2, "blank")]
    assert (first["source_pages"], page_count(first["outputs"]["pdf"]["path"])) == ([1, 3], 2)
    said = installation.call("put-back", batch["id"], "--page", "2", *WHO)
    assert said.returncode == 0, said.stderr
    again = installation.call("put-back", batch["id"], "--page", "2", *WHO)
    assert (again.returncode, "nicht ausgelassen" in again.stderr) == (2, True)
    delivered(installation, 2)
    running.stop()


def assert_the_delivery_says_what_it_is(pdf: Path, old: str) -> None:
    assert page_count(str(pdf)) == 3
    content = json.loads(pdf.with_suffix(".json").read_text("utf-8"))
    assert content["supersedes"] == {"document": old, "revision": 1}
    assert content["put_back"][0]["reason"] == WHO[-1]
    with pikepdf.open(pdf) as noted:
        note = noted.attachments["scanvermerk.xml"].get_file().read_bytes().decode()
    assert 'abbild="2" art="leere Seite" kuerzel="op17"' in note
    assert "Weggelassen" not in note


def test_a_left_out_back_comes_back_in_a_delivered_revision(install: Install) -> None:
    installation = install()
    put_back_by_a_person(installation)
    (batch, old, new) = installation.list_json()
    assert batch["omitted"] == []
    assert (old["standing"], old["superseded_by"]) == ("superseded", new["id"])
    assert (new["supersedes"], new["source_pages"]) == (old["id"], [1, 2, 3])
    (pdf,) = installation.outbox.rglob("*.pdf")
    assert str(pdf) == new["outputs"]["pdf"]["path"]
    assert_the_delivery_says_what_it_is(pdf, old["id"])
    for unit in ((), (old["id"],), (new["id"],), (str(pdf),)):
        verified = installation.call("verify", *unit)
        assert verified.returncode == 0, verified.stdout
    account = installation.call("status", "--day", "--json")
    assert (account.returncode, json.loads(account.stdout)["difference"]) == (0, 0)
    assert "Fassung 2" in installation.call("list").stdout

    erased = installation.call("erase", old["id"], *WHO[:3], "Irrläufer", "--yes")
    assert erased.returncode == 0, erased.stderr
    assert "Schon abgeholt" not in erased.stdout
    assert not list(installation.outbox.glob("[!.]*/*"))
    assert installation.call("verify").returncode == 0
