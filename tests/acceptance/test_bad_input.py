"""Bad post, all of it at once into one running house: each ends where it belongs.

What a person has to decide is held or quarantined with a German text that names the file
and the remedy; what is not taken at all is listed; everything good beside it goes through.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.plugins import papers
from tests.plugins.accounting import account, batches, documents, sha256
from tests.plugins.installation import Dropped, Installation

_NFC = unicodedata.normalize("NFC", "Übersicht.png")
_NFD = unicodedata.normalize("NFD", "Übersicht.png")
_CP1252 = b"Pr\xfcfung.png".decode("utf-8", "surrogateescape")
_TWIN = papers.png("Zweimal dasselbe")
_ORIGINAL = papers.pdf("Ein Brief mit Kennwort")

#: What becomes a document and is delivered.
GOOD = {
    "brief.png": papers.png("Ein ganz gewöhnlicher Brief"),
    "brief.pdf": papers.pdf("Ein Brief als PDF", "Seite zwei"),
    "gleich-a.png": _TWIN,
    "gleich-b.png": _TWIN,
    "eingeschraenkt.pdf": papers.restricted_pdf("Drucken verboten"),
    "falsche-endung.pdf": papers.jpeg("In Wahrheit ein JPEG"),
    "posteingang/scan0001.png": papers.png("Vom ersten Scanner"),
    "stapel-duplex/scan0001.png": papers.png("Vom zweiten Scanner"),
    _CP1252: papers.png("Name in cp1252"),
    _NFC: papers.png("Name zusammengesetzt"),
    _NFD: papers.png("Name zerlegt"),
    "plan-a0.tif": papers.plan_a0(),
}
#: What a person has to look at: standing, and a word of the remedy.
SET_ASIDE = {
    "leer.pdf": (b"", "held", "leer"),
    "abgeschnitten.pdf": (papers.pdf("Abgeschnitten")[:3000], "held", "bricht"),
    "abgeschnitten.jpg": (papers.jpeg("Abgeschnitten")[:3000], "held", "bricht"),
    "kennwort.pdf": (papers.locked_pdf("Geheim", "geheim"), "held", "Kennwort"),
    "bombe.png": (papers.bomb(), "quarantined", "Bildpunkten"),
}


@dataclass
class House:
    """The installation after everything was dropped and settled."""

    installation: Installation
    rows: list[dict[str, Any]]
    refused: list[Dropped] = field(default_factory=list)

    def batch(self, name: str) -> dict[str, Any]:
        """Return the only arrival of this name."""
        (found,) = [row for row in batches(self.rows) if row["source_name"] == name]
        return dict(found)

    def documents_of(self, name: str) -> list[dict[str, Any]]:
        """Return the documents of the arrivals of this name."""
        own = {row["id"] for row in batches(self.rows) if row["source_name"] == name}
        return [dict(row) for row in documents(self.rows) if row["batch"] in own]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    installation = Installation(tmp_path_factory.mktemp("house"))
    installation.start()
    refused = [
        installation.drop("halb.tif.part", papers.tiff("Noch unterwegs")),
        installation.drop("unbekannt.xyz", bytes(range(7, 200)) * 20),
        installation.link("verweis.pdf", Path("/etc/hostname")),
    ]
    for name, (content, _, _) in SET_ASIDE.items():
        installation.drop(name, content)
    for name, content in GOOD.items():
        installation.drop(name, content)
    installation.drop("schleife.tif", papers.looped_tiff("Im Kreis"))
    (installation.inbox / "posteingang" / "stapel").mkdir(mode=0o770)
    installation.drop("posteingang/stapel/1.png", papers.png("Seite eins"))
    installation.drop("posteingang/stapel/2.png", papers.png("Seite zwei"))
    announced = [{"name": "1.png", "sha256": "0" * 64}, {"name": "2.png"}, {"name": "3.png"}]
    installation.drop_control("posteingang/stapel/batch.json", {"sources": announced})
    try:
        installation.wait_settled(remaining=refused)
        yield House(installation, account(installation, remaining=refused), refused)
    finally:
        installation.end()


@pytest.mark.parametrize("name", GOOD)
def test_good_files_go_on_beside_bad_ones(house: House, name: str) -> None:
    content = GOOD[name]
    shown = unicodedata.normalize(
        "NFC", Path(name).name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    )
    delivered = [row for row in house.documents_of(shown) if row["stage"] == "delivered"]
    digests = {row["sha256"] for row in delivered}
    assert _digest(content) in digests, house.installation.picture(house.rows)


@pytest.mark.parametrize("name", SET_ASIDE)
def test_what_needs_a_person_names_file_and_remedy(house: House, name: str) -> None:
    _, standing, word = SET_ASIDE[name]
    row = house.batch(name)
    assert row["standing"] == standing
    assert name in row["reason"]
    assert word in row["reason"]
    assert "itte" in row["reason"], f"no remedy: {row['reason']}"
    assert not house.documents_of(name)


def test_t13_what_is_not_accepted_is_listed_with_its_reason(house: House) -> None:
    listed = {
        row["source_name"]: row["reason"]
        for row in house.rows
        if row["message_type"] == "unaccepted"
    }
    assert set(listed) == {"halb.tif.part", "unbekannt.xyz", "verweis.pdf"}
    assert all("nicht angenommen" in reason for reason in listed.values()), listed


def test_t08_the_same_bytes_under_two_names_are_two_receipts_and_one_blob(house: House) -> None:
    first, second = house.batch("gleich-a.png"), house.batch("gleich-b.png")
    assert first["id"] != second["id"]
    assert first["sha256"] == second["sha256"]
    blobs = [
        path
        for path in (house.installation.data / "store").rglob(first["sha256"])
        if path.is_file()
    ]
    assert len(blobs) == 1


def test_t16_the_same_name_from_two_scanners_is_two_documents(house: House) -> None:
    paths = [row["outputs"]["pdf"]["path"] for row in house.documents_of("scan0001.png")]
    assert len(set(paths)) == 2


def test_unicode_twins_are_two_documents(house: House) -> None:
    assert len(house.documents_of(_NFC)) == 2


def test_t11_restrictions_without_a_password_are_recorded_and_no_obstacle(house: House) -> None:
    (row,) = house.documents_of("eingeschraenkt.pdf")
    assert row["stage"] == "delivered"
    record = house.installation.json_lines("show", row["batch"])
    assert '"owner_password": true' in json.dumps(record)


def test_t15_a_plan_of_139_million_pixels_is_delivered(house: House) -> None:
    (row,) = house.documents_of("plan-a0.tif")
    assert row["stage"] == "delivered"
    assert row["source_pages"] == [1]


def test_a_looped_tiff_ends(house: House) -> None:
    row = house.batch("schleife.tif")
    if row["standing"] == "done":
        assert len(house.documents_of("schleife.tif")[0]["source_pages"]) == 2
    else:
        assert row["standing"] == "held"
        assert "schleife.tif" in row["reason"]


def test_a_manifest_that_disagrees_holds_its_stack(house: House) -> None:
    (row,) = [row for row in batches(house.rows) if len(row["sources"]) == 2]
    assert row["standing"] == "held"
    assert "1.png" in row["reason"] or "3.png" in row["reason"]


def test_t12_a_corrected_file_of_the_same_name_is_new(house: House) -> None:
    house.installation.drop("abgeschnitten.jpg", papers.jpeg("Jetzt vollständig"))
    house.rows = house.installation.wait_settled(remaining=house.refused)
    standings = [
        r["standing"] for r in batches(house.rows) if r["source_name"] == "abgeschnitten.jpg"
    ]
    assert sorted(standings) == ["done", "held"]


def test_the_evening_account_has_no_difference(house: House) -> None:
    finished = house.installation.command("status", "--day", "--json")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert json.loads(finished.stdout)["difference"] == 0


def test_show_tells_the_reason_and_refuses_what_does_not_exist(house: House) -> None:
    row = house.batch("kennwort.pdf")
    finished = house.installation.call("show", row["id"])
    assert finished.returncode == 0
    assert "Kennwort" in finished.stdout
    assert house.installation.call("show", "00000000").returncode == 2


def test_a_held_file_is_rejected_by_a_person_and_its_original_stays(
    house: House, tmp_path: Path
) -> None:
    installation, row = house.installation, house.batch("kennwort.pdf")
    why = ("--operator", "K07", "--reason", "Absender unterrichtet")
    assert installation.call("reject", row["id"], *why).returncode == 0
    assert installation.call("reject", row["id"], *why).returncode == 2
    target = tmp_path / "original.pdf"
    exported = installation.call("export", row["id"], "--what", "original", "-o", str(target))
    assert exported.returncode == 0, exported.stderr
    assert sha256(target) == row["sha256"]
    standings = {r["id"]: r["standing"] for r in installation.list_json()}
    assert standings[row["id"]] == "rejected"


def test_what_is_dangerous_is_rejected_only_after_its_release(house: House) -> None:
    installation, row = house.installation, house.batch("bombe.png")
    why = ("--operator", "S01", "--reason", "geprüft")
    assert installation.call("reject", row["id"], *why).returncode == 2
    assert installation.call("release", row["id"], *why).returncode == 0
    assert installation.call("reject", row["id"], *why).returncode == 0


def test_a_released_file_that_is_still_bad_comes_back_to_the_person(house: House) -> None:
    installation, row = house.installation, house.batch("abgeschnitten.pdf")
    why = ("--operator", "K07", "--reason", "noch einmal")
    assert installation.call("release", row["id"], *why).returncode == 0
    house.rows = installation.wait_settled(remaining=house.refused)
    assert house.batch("abgeschnitten.pdf")["standing"] in {"held", "done"}


def test_export_writes_the_delivered_bytes_and_overwrites_nothing(
    house: House, tmp_path: Path
) -> None:
    (row,) = house.documents_of("brief.png")
    target = tmp_path / "brief.pdf"
    for code in (0, 2):
        finished = house.installation.call("export", row["id"], "-o", str(target))
        assert finished.returncode == code, finished.stderr
        assert sha256(target) == row["outputs"]["pdf"]["sha256"]


def test_verify_accepts_the_house_a_document_and_its_file(house: House) -> None:
    (row,) = house.documents_of("brief.png")
    for subject in ((), (row["id"],), (row["outputs"]["pdf"]["path"],)):
        finished = house.installation.call("verify", *subject)
        assert finished.returncode == 0, finished.stdout + finished.stderr


def test_verify_finds_a_changed_byte(house: House, tmp_path: Path) -> None:
    (row,) = house.documents_of("brief.pdf")
    content = bytearray(Path(row["outputs"]["pdf"]["path"]).read_bytes())
    content[len(content) // 3] ^= 1
    damaged = tmp_path / "geändert.pdf"
    damaged.write_bytes(content)
    assert house.installation.call("verify", str(damaged)).returncode == 3


def test_receive_waits_and_tells_by_its_exit_code_whether_a_person_is_needed(
    house: House, tmp_path: Path
) -> None:
    good, bad = tmp_path / "gut.png", tmp_path / "schlecht.pdf"
    good.write_bytes(papers.png("Auf Befehl angenommen"))
    bad.write_bytes(papers.locked_pdf("Geheim", "x"))
    for path, code in ((good, 0), (bad, 3)):
        finished = house.installation.command("receive", str(path), "--wait", "--json")
        assert finished.returncode == code, finished.stdout + finished.stderr
        rows = [json.loads(line) for line in finished.stdout.splitlines()]
        assert rows[0]["sha256"] == sha256(path)
        assert path.exists()
    assert house.installation.call("receive", str(tmp_path / "fehlt.png")).returncode == 2


def _digest(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()
