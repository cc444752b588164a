"""Evidence from the command line: secured, exported, verified, altered, erased."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.ledger import open_ledger, schema
from tests.plugins import papers
from tests.plugins.accounting import documents
from tests.plugins.authority import Authority, root_file
from tests.plugins.evidence import Judge
from tests.plugins.installation import Installation
from workers.evidence.verification import NotProved, prove


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Installation]:
    """An installation with an authority and two delivered letters, not yet secured.

    The tests of this module follow one another on it; the last of them alters and erases.
    """
    folder = tmp_path_factory.mktemp("house")
    roots = str(root_file(authority, folder))
    sections: dict[str, dict[str, object]] = {
        "sealing": {"tsa_url": authority.url, "tsa_roots": roots},
        "evidence": {"every": "off", "capture_minutes": 0},
    }
    made = Installation(folder / "one", sections=sections)
    running = made.start()
    for name in ("Erika.png", "Otto.png"):
        made.drop(name, papers.png(f"Ein Brief von {name}"))
    made.wait_for(
        lambda rows: sum(row["stage"] == "delivered" for row in documents(rows)) == 2,
        "two deliveries",
    )
    running.stop()
    yield made
    made.end()


def evidence_of(house: Installation, identifier: str) -> list[dict[str, Any]]:
    done = house.call("verify", identifier, "--json")
    said = [json.loads(line) for line in done.stdout.splitlines()]
    return [one for one in said if one["name"] == "evidence"]


def standing(house: Installation) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(house.call("status", "--json").stdout)["evidence"]
    return found


def test_a_document_is_secured_exported_and_verified(
    house: Installation, authority: Authority, tmp_path: Path
) -> None:
    erika, otto = sorted(documents(house.list_json()), key=lambda row: str(row["source_name"]))
    assert evidence_of(house, erika["id"]) == []
    refused = house.call("export", erika["id"], "--what", "evidence", "-o", str(tmp_path / "no"))
    assert refused.returncode == 2
    assert "preserve" in refused.stderr
    done = house.call("preserve", "--json")
    # of two letters receipt and capture, and the heads of the day before
    done_of = {"documents": 2, "renewed": 0, "rehashed": 0, "roots": 5}
    secured = {"message_type": "preservation", **done_of}
    assert json.loads(done.stdout) == secured, done.stderr
    files = {}
    for what in ("original", "note", "pdf", "evidence"):
        files[what] = tmp_path / f"erika.{what}"
        done = house.call("export", erika["id"], "--what", what, "-o", str(files[what]))
        assert done.returncode == 0, done.stderr
    encoded = files.pop("evidence").read_bytes()
    parts = [hashlib.sha256(file.read_bytes()).digest() for file in files.values()]
    (link,) = prove(encoded, parts)
    with pytest.raises(NotProved):
        prove(encoded, [bytes.fromhex(otto["outputs"]["pdf"]["sha256"])])
    (said,) = evidence_of(house, erika["id"])
    assert said["passed"], said
    assert said["text"].startswith("bestand spätestens")
    assert link.said.authority in said["text"]
    known = standing(house)
    assert (known["secured"], known["waiting"], known["active"]) == (2, 0, False)
    assert "sha256" in known["algorithm_ends"]
    assert "Beweissicherung" in house.call("status").stdout
    whole = house.call("verify")
    assert whole.returncode == 0, whole.stdout
    assert "alle Hashbäume nachgerechnet" in whole.stdout


def test_bouncycastle_accepts_the_exported_record(
    house: Installation, authority: Authority, tmp_path: Path
) -> None:
    judge = Judge(tmp_path, authority)
    house.call("preserve")
    cases = []
    for number, row in enumerate(documents(house.list_json())):
        files = []
        for what in ("evidence", "original", "note", "pdf"):
            files.append(tmp_path / f"{number}.{what}")
            house.call("export", row["id"], "--what", what, "-o", str(files[-1]))
        cases.append((files[0], files[1:]))
        receipt = tmp_path / f"{number}.receipt"
        house.call("export", row["id"], "--what", "receipt-evidence", "-o", str(receipt))
        cases.append((receipt, files[1:2]))
    assert judge.opinions(cases) == ["ok"] * 4
    first, second = cases[::2]
    swapped = judge.opinions([(first[0], second[1]), (second[0], first[1])])
    assert [one.split()[0] for one in swapped] == ["refused", "refused"]


def test_what_was_altered_is_found_and_what_was_erased_is_gone(house: Installation) -> None:
    erika, otto = sorted(documents(house.list_json()), key=lambda row: str(row["source_name"]))
    house.call("preserve")
    said = ("--operator", "op17", "--reason", "Irrläufer", "--yes")
    assert house.call("erase", erika["id"], *said).returncode == 0
    (kept,) = evidence_of(house, otto["id"])
    assert kept["passed"]
    assert evidence_of(house, erika["id"]) == []
    assert (standing(house)["secured"], standing(house)["waiting"]) == (1, 0)
    assert house.call("verify").returncode == 0
    ledger = open_ledger(f"sqlite:///{house.data / 'ledger.sqlite'}")
    with ledger.writing() as connection:
        connection.execute(sa.update(schema.evidence_leaf).values(members=b"\x01" * 64))
    ledger.close()
    (broken,) = evidence_of(house, otto["id"])
    assert (broken["passed"], broken["required"]) == (False, True)
    whole = house.call("verify")
    assert whole.returncode == 3
    assert f"Dokument {otto['id']}" in whole.stdout
