"""The deletion record, and paper of which there is no scan any more."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import UsageError
from ingest.ledger import Ledger, chains, open_ledger, schema
from ingest.ledger.deletions import record, salted
from ingest.ledger.erasure import erase
from tests.plugins.ledgers import broken, everything, rows, source
from tests.plugins.paperwork import (
    BOX,
    LATER,
    REPLACING,
    act,
    agrees,
    deliver,
    destroyed,
    documents,
    moved,
    ready,
    refused,
    released,
    replacing,
    staff,
    stages,
)
from tests.plugins.releases import taken

#: The same on every database: asked on one.
ONE = pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)


def erased(ledger: Ledger, id_: str, by: str = "SCN") -> list[str]:
    with ledger.writing() as connection:
        return erase(connection, id_, by, "Irrläufer")


def read(ledger: Ledger, id_: str) -> dict[str, Any]:
    with ledger.reading() as connection:
        found: dict[str, Any] = json.loads(json.dumps(record(connection, id_)))
    return found


def test_the_record_says_who_when_why_and_what_went_where(ledger: Ledger) -> None:
    first, _ = ready(ledger)
    made = {row.kind: row.sha256 for row in rows(ledger, schema.rendition) if row.unit_id == first}
    free = erased(ledger, first)
    found = read(ledger, first)
    assert (found["id"], found["erased_by"], found["record"]["reason"]) == (
        first,
        "SCN",
        "Irrläufer",
    )
    removed = found["record"]["removed"]
    assert removed["objects"] == {"composed": 1, "noted": 1, "original": 1, "pdf": 1}
    assert removed["store"] == {"removed": 3, "shared": 1}, "another document has that original"
    assert removed["events"] > 0
    told = found["record"]["digests"]
    assert told["pdf"] == [salted(found["record"]["salt"], made["pdf"])]
    assert made["pdf"] in free
    content = everything(ledger)
    assert not [sha256 for sha256 in free if sha256 in content]


@ONE
def test_the_record_is_covered_by_the_chain_that_it_shows(ledger: Ledger) -> None:
    first, _ = ready(ledger)
    erased(ledger, first)
    found = read(ledger, first)
    *_, last = found["chain"]["events"]
    salt = found["chain"]["payload_salt"]
    assert last["payload_digest"] == chains.payload_digest(salt, found["record"])
    previous = chains.GENESIS
    for event in found["chain"]["events"]:
        assert event["previous"] == previous
        previous = event["digest"]
    assert broken(ledger) == []
    assert agrees(ledger) == []


@ONE
def test_there_is_no_record_of_what_is_there(ledger: Ledger) -> None:
    first, _ = ready(ledger)
    with ledger.reading() as connection, pytest.raises(UsageError, match="not erased"):
        record(connection, first)


@ONE
def test_paper_of_an_erased_document_is_found_and_goes_back(ledger: Ledger) -> None:
    receipt = taken(ledger, replacing(storage_place="Regal 3"))
    deliver(ledger)
    first, _ = documents(ledger)
    erased(ledger, receipt.batch_id)
    assert {row.place for row in rows(ledger, schema.paper_unit)} == {"Regal 3"}
    assert read(ledger, first)["paper"][0]["place"] == "Regal 3"
    act(ledger, "give_back", first, by="SCN", reason="irrtümlich geöffnet")
    assert stages(ledger)[1] == "returned"
    assert agrees(ledger) == []
    assert broken(ledger) == []


def test_what_persons_wrote_about_paper_goes_and_where_it_is_stays(ledger: Ledger) -> None:
    first, second = ready(ledger)
    act(ledger, "hold", first, by="SCN", reason="Klage Erika Mustermann")
    act(ledger, "request", second, by="SCN", reason="Akteneinsicht Otto Normal")
    erased(ledger, first)
    content = everything(ledger)
    assert "Erika" not in content
    assert "Otto" in content
    units = {row.ordinal: row for row in rows(ledger, schema.paper_unit)}
    assert (units[1].stage, units[1].place) == ("stored", BOX)
    with moved(LATER):
        assert "gesperrt" in refused(released, ledger, first), "a hold outlives the scan"
    assert agrees(ledger) == []


@ONE
def test_a_release_does_not_outlive_its_scan(ledger: Ledger) -> None:
    first, second = ready(ledger)
    with moved(LATER):
        released(ledger, first, second)
        erased(ledger, first)
        assert stages(ledger) == {0: "stored", 1: "stored", 2: "released"}
        assert "nicht zur Vernichtung" in refused(destroyed, ledger, first)
        assert "Wartefrist läuft" in refused(released, ledger, first)
    assert agrees(ledger) == []


def test_paper_of_an_erased_document_is_destroyed_by_two_others_after_its_time(
    ledger: Ledger,
) -> None:
    first, _ = ready(ledger)
    erased(ledger, first, by="ALL")
    with moved(LATER):
        assert "zwei verschiedene" in refused(released, ledger, first, by="ALL")
        released(ledger, first)
        destroyed(ledger, first)
    assert read(ledger, first)["paper"][0]["destruction"]["level"] == "3/P-5"
    assert broken(ledger) == []
    assert agrees(ledger) == []


@ONE
def test_whoever_erased_neither_releases_nor_destroys_and_is_a_known_person(
    ledger: Ledger,
) -> None:
    first, second = ready(ledger)
    erased(ledger, first, by="ALL")
    assert "Kürzel XYZ" in refused(erased, ledger, second, by="XYZ")
    with moved(LATER):
        released(ledger, first)
        assert "zwei verschiedene" in refused(destroyed, ledger, first, by="ALL")
        assert destroyed(ledger, first) == [first]


@ONE
@pytest.mark.parametrize(
    "how",
    [
        {"rules": {**REPLACING, "treatment": "copying"}},
        {"note": {"complete": True, "counts_as": "copying"}},
        {"note": {"counts_as": "replacing"}},
    ],
)
def test_what_was_never_replaced_goes_back_though_it_was_erased(
    ledger: Ledger, how: dict[str, Any]
) -> None:
    first, _ = ready(ledger, **how)
    erased(ledger, first)
    with moved(LATER):
        assert "zurückgegeben" in refused(released, ledger, first)
    act(ledger, "give_back", first, by="SCN", reason="nie ersetzt")
    assert stages(ledger)[1] == "returned"


@ONE
def test_how_paper_was_destroyed_is_known_after_its_document_is_erased(ledger: Ledger) -> None:
    first, second = ready(ledger)
    with moved(LATER):
        released(ledger, first, second)
        destroyed(ledger, first, second)
        erased(ledger, first)
    assert read(ledger, first)["paper"] == [
        {
            "ordinal": 1,
            "stage": "destroyed",
            "place": BOX,
            "destruction": {
                "method": "Aktenvernichter im Haus",
                "level": "3/P-5",
                "certificate": None,
            },
        }
    ]
    assert agrees(ledger) == []


WORDS = ("Zwetschgenkuchen", "Erika-Mustermann")


def test_no_byte_of_it_is_left_in_the_databases_files_though_somebody_reads(
    tmp_path: Path,
) -> None:
    """Free pages, the write-ahead log and rows: everything that SQLite writes is looked at."""
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    staff(ledger)
    sent = source(f"{WORDS[1]}.pdf")
    receipt = taken(ledger, replacing(device=WORDS[0]))
    kept = taken(ledger, replacing())
    named = taken(ledger, replacing_named(sent))
    deliver(ledger)
    act(ledger, "store", named.batch_id, by="SCN", place=BOX)
    act(ledger, "hold", named.batch_id, by="SCN", reason=" ".join(WORDS * 200))
    other = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")  # a process that lives on
    assert len(documents(other)) == 6
    found = content_of(tmp_path)
    assert all(word.encode() in found for word in WORDS), "it is there before"
    digests = {
        row.sha256 for row in rows(ledger, schema.rendition) if row.unit_id in documents(ledger)
    }
    free = [*erased(ledger, receipt.batch_id), *erased(ledger, named.batch_id)]
    assert ledger.forget_log()
    found = content_of(tmp_path)
    assert not [word for word in WORDS if word.encode() in found]
    assert not [sha256 for sha256 in free if sha256.encode() in found]
    assert digests - set(free), "what another batch has stays"
    assert kept.batch_id.encode() in found
    assert broken(ledger) == []
    other.close()
    ledger.close()


def replacing_named(sent: Any) -> Any:
    return dataclasses.replace(replacing(), sources=(sent,))


def content_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_the_rule_in_the_record_is_the_one_that_is_used() -> None:
    assert salted("ab", "cd") == hashlib.sha256(b"abcd").hexdigest()
