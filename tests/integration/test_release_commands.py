"""From the first registration to the first replacing arrival, by the commands of the handbook."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.annex import technical_annex
from ingest.document import Step
from ingest.ledger import Ledger, schema
from ingest.sealing_settings import SealingSettings
from ingest.settings import load
from scanners.folder.watch import FolderChannel
from tests.plugins import papers
from tests.plugins.house import House
from tests.plugins.ledgers import claim_at, rows
from tests.plugins.releases import profile_text

NAMES = {"KL": "Klara Leser", "LTG": "Lea Leitung"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Everything up to the released class, as the handbook tells it."""
    folder = tmp_path_factory.mktemp("haus")
    house = House(folder, '[house]\norganisation = "Stadt Musterhausen"\n')
    house.call("people", "add", "ADM", "--by", "ADM")
    house.call("people", "give", "ADM", "administrator", "--by", "ADM")
    for code, role in (("LTG", "supervisor"), ("KL", "scan_operator"), ("RV1", "auditor")):
        house.call("people", "add", code, "--by", "ADM")
        house.call("people", "give", code, role, "--by", "ADM")
    house.call("people", "add", "RV2", "--by", "ADM")
    house.call("people", "give", "RV2", "auditor_deputy", "--by", "ADM")
    for code, name in NAMES.items():
        house.call("people", "name", code, "--by", "ADM", entered=f"{name}\n")
    written = folder / "vd.pdf"
    written.write_bytes(b"%PDF-1.7 Verfahrensdokumentation")
    said = house.call("procedure", "release", str(written), "--by", "LTG", "--name", "VD 3")
    sha256 = hashlib.sha256(written.read_bytes()).hexdigest()
    assert sha256 in said
    house.call("profile", "new", "rechnung-bau", "--from", "rechnung")
    text = profile_text(name="rechnung-bau", procedure=sha256)
    (house.profiles / "rechnung-bau.toml").write_text(text, "utf-8")
    house.call("procedure", "release-annex", "--by", "LTG")
    return house


@pytest.fixture(scope="module")
def letter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("brief") / "brief.tif"
    path.write_bytes(papers.tiff("eins"))
    return path


@pytest.fixture(scope="module")
def approved(house: House, letter: Path) -> House:
    """What is refused before the approval, then the approval."""
    known = ("--operator", "KL", "--received-at", "2026-01-02")
    receive = ("receive", str(letter), "--profile", "rechnung-bau", *known)
    assert "nicht eingereicht" in house.refuse(*receive)
    settings = load(house.data, house.config)
    ledger = house.ledger()
    assert rows(ledger, schema.batch) == []
    watch = _watched(letter, ledger, settings)
    house.call("profile", "submit", "rechnung-bau", "--author", "KL")
    house.call("profile", "test", "rechnung-bau", "--by", "KL", "--result", "20 Blatt lesbar")
    assert "Leitung" in house.refuse("profile", "approve", "rechnung-bau", "--by", "KL")
    house.call("profile", "approve", "rechnung-bau", "--by", "LTG")
    house.call(*receive)
    assert watch.pass_once().accepted == 1
    assert not list(watch.inbox.rglob(letter.name))
    ledger.close()
    return house


def _watched(letter: Path, ledger: Ledger, settings: Any) -> FolderChannel:
    """Show that the watch folder takes nothing and says so; return it for later."""
    import profiles
    from ingest.store import open_store

    clock = iter(range(0, 10_000, 100))
    watch = FolderChannel(
        settings, "default", ledger, open_store(settings), profiles, monotonic=lambda: next(clock)
    )
    watch.prepare()
    inbox = watch.inbox / "rechnung-bau"
    (inbox / letter.name).write_bytes(letter.read_bytes())
    for _ in range(3):
        result = watch.pass_once()
        assert result.accepted == 0
    [shown] = ledger.unaccepted("default", str(watch.inbox))
    assert shown.reason_code == "profile_not_released"
    assert "freigegeben" in shown.operator_text
    assert list(watch.inbox.rglob(letter.name))
    # Refused before it is read: a whole stack would be copied at every look.
    sha256 = hashlib.sha256(letter.read_bytes()).hexdigest()
    assert sha256 not in set(open_store(settings).digests("default"))
    return watch


@pytest.fixture
def ledger(approved: House) -> Iterator[Ledger]:
    opened = approved.ledger()
    yield opened
    opened.close()


def test_the_first_replacing_arrival_knows_who_stands_behind_it(
    approved: House, ledger: Ledger
) -> None:
    claim = claim_at(ledger, Step.CHECKING)
    told = ledger.assignment(claim)
    assert told.profile["treatment"] == "replacing"
    assert told.registered == {"KL"}
    annex = approved.call("procedure", "list", "--json").splitlines()
    [row] = [one for one in map(json.loads, annex) if one["kind"] == "annex"]
    assert told.procedure["annex_sha256"] == row["sha256"]
    assert told.procedure["released_by"] == "LTG"


def test_the_written_procedure_stays_while_anything_names_it(approved: House) -> None:
    for line in approved.call("procedure", "list", "--json").splitlines():
        row = json.loads(line)
        words = ("procedure", "remove", row["sha256"], "--by", "LTG", "--reason", "alt")
        assert "wird noch gebraucht" in approved.refuse(*words)


def test_profiles_are_listed_with_their_stage_and_the_negative_list(approved: House) -> None:
    listed = [json.loads(line) for line in approved.call("profile", "list", "--json").splitlines()]
    stages = {record["name"]: record["stage"] for record in listed}
    assert stages["rechnung-bau"] == "approved"
    assert stages["posteingang"] == "released"
    assert stages["ersetzend-hoch"] == "template"
    assert "freigegeben: LTG" in approved.call("profile", "show", "rechnung-bau")
    assert '+name = "rechnung-bau"' in approved.call("profile", "diff", "rechnung-bau")
    assert "personalunterlagen" in approved.call("profile", "examples")


def test_people_are_listed_without_their_names(approved: House) -> None:
    shown = approved.call("people", "list")
    assert "Leitung der Scanstelle" in shown
    assert "Leser" not in shown
    words = ("people", "resolve", "KL", "--by", "RV1", "--reason", "Rüge Az. 3")
    assert "zwei verschiedene" in approved.refuse(*words, "--and", "RV1")
    assert approved.call(*words, "--and", "RV2").strip() == "Klara Leser"


def test_the_check_says_when_a_name_the_ledger_counts_on_is_gone(
    approved: House, tmp_path: Path
) -> None:
    from ingest.cli.app import App
    from ingest.cli.proving import missing_names

    with App(data=approved.data, config=approved.config) as app:
        assert missing_names(app) is None
    lost = approved.data / "persons" / "persons.sqlite"
    kept = lost.rename(tmp_path / "persons.sqlite")
    with App(data=approved.data, config=approved.config) as app:
        assert "2 Personen" in str(missing_names(app))
    lost.unlink()
    kept.rename(lost)


def test_the_annex_is_the_same_bytes_twice_and_names_nobody(
    approved: House, ledger: Ledger
) -> None:
    settings = load(approved.data, approved.config)
    with ledger.reading() as connection:
        first = technical_annex(settings, connection, "default")
        again = technical_annex(settings, connection, "default")
        csc = {
            "url": "https://siegel.example/csc/v1",
            "credential": "siegel-2026",
            "access_token_file": "/run/zugang",
            "issuers": "/etc/issuers.pem",
        }
        remote = settings.model_copy(
            update={"sealing": SealingSettings.model_validate({"csc": csc})}
        )
        named = technical_annex(remote, connection, "default")
    assert first == again
    assert "Schlüssel der Organisation: nicht eingerichtet" in first
    assert "Schlüssel der Organisation: beim Siegeldienst siegel.example (CSC)" in named
    assert "/run/zugang" not in named
    assert "Stadt Musterhausen" in first
    assert "| rechnung-bau | 1 |" in first
    assert "| Leitung der Scanstelle | 1 |" in first
    [pairs] = [line for line in first.splitlines() if line.startswith("Zwei verschiedene")]
    for pair in (
        "Scannen und Prüfung bei Schutzbedarf very_high",
        "Scannen und Freigabe der Vernichtung",
        "Freigabe und Durchführung der Vernichtung",
    ):
        assert pair in pairs
    for hidden in (*NAMES.values(), "LTG", "KL"):
        assert f" {hidden} " not in first
    assert "Was Menschen noch schreiben müssen" in first


def test_the_check_says_when_the_annex_that_notes_cite_is_not_what_is_set(
    approved: House,
) -> None:
    from ingest.cli.app import App
    from ingest.cli.procedures import outdated_annex

    approved.call("procedure", "release-annex", "--by", "LTG")
    with App(data=approved.data, config=approved.config) as app:
        assert outdated_annex(app, "default") is None
    kept = approved.config.read_text("utf-8")
    approved.config.write_text(kept.replace("[house]\n", '[house]\nunit = "Fremdfirma"\n'), "utf-8")
    with App(data=approved.data, config=approved.config) as app:
        assert "Fremdfirma" in str(outdated_annex(app, "default"))
    approved.config.write_text(kept, "utf-8")
    approved.call("people", "add", "NEU", "--by", "ADM")
    approved.call("people", "give", "NEU", "scan_operator", "--by", "ADM")
    with App(data=approved.data, config=approved.config) as app:
        assert "Rollen" in str(outdated_annex(app, "default"))


def test_the_auditors_list_has_sixty_items_and_what_is_so_now(approved: House) -> None:
    lines = approved.call("report", "--anlage-p", "--json").splitlines()
    found = {one["clause"]: one for one in map(json.loads, lines)}
    assert len(lines) == len(found) == 60
    assert [one["number"] for one in found.values()] == list(range(1, 61))
    figures = found["A.G.1"]["figures"]
    assert figures["freigegebene Verfahrensdokumentationen"] == 1
    # The class was approved after the annex was released, so the annex is not what is so now.
    assert figures["freigegebene Anlage entspricht der Konfiguration"] is False
    approved.call("procedure", "release-annex", "--by", "LTG")
    again = json.loads(approved.call("report", "--anlage-p", "--json").splitlines()[0])
    assert again["figures"]["freigegebene Anlage entspricht der Konfiguration"] is True
    assert found["A.SC.6"]["figures"]["freigegebene Fassungen"] == 1
    assert found["A.P.1"]["answered_by"] == "organisatorisch"
    page = approved.data / "liste.html"
    approved.call("report", "--anlage-p", "-o", str(page))
    text = page.read_text("utf-8")
    assert text.count("<tr>") == 61
    assert "unterstützt einen Prozess" in text


def test_the_inventory_of_data_fields_is_printed(approved: House) -> None:
    lines = approved.call("report", "--data-fields", "--json").splitlines()
    assert {"table", "name", "purpose", "personal", "retention", "legal_basis"} <= json.loads(
        lines[0]
    ).keys()
