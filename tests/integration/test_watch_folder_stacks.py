"""Stacks with `batch.json`: what the station says is kept, what it gets wrong is named."""

from __future__ import annotations

import datetime as dt
import json
import unicodedata
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from typing_extensions import override

from ingest.document import DEFAULT_TENANT, Blob
from ingest.ledger import reading, showing
from ingest.ledger.erasure import erase
from ingest.store import FolderStore
from tests.plugins.watching import House, image, pdf, sha256, tiff


def _manifest(house: House, where: str, **values: Any) -> Path:
    return house.drop(where, json.dumps(values).encode())


def _names(house: House) -> list[list[str]]:
    return [[source["name"] for source in row["sources"]] for row in house.arrivals()]


def test_a_stack_is_closed_by_its_manifest_and_received_in_its_order(house: House) -> None:
    for name in ("b.tif", "a.tif"):
        house.drop(f"stapel/{name}", tiff(1) + name.encode())
    sources = [
        {"name": name, "sha256": sha256(tiff(1) + name.encode())} for name in ("b.tif", "a.tif")
    ]
    _manifest(
        house,
        "stapel/batch.json",
        sources=sources,
        expected_sheets=2,
        expected_consignments=1,
        sides="duplex",
        operator="MUE",
        received_at="2025-11-20",
        scanned_at="2026-11-21T09:30:00+01:00",
        device="Scanner 3",
        storage_place="Regal 4",
        profile="archiv",
    )
    assert house.pass_after(0).accepted == 1
    assert _names(house) == [["b.tif", "a.tif"]]
    [row] = house.envelopes()
    assert row.received_at == dt.datetime(2025, 11, 19, 23, tzinfo=dt.UTC)
    assert row.scanned_at == dt.datetime(2026, 11, 21, 8, 30, tzinfo=dt.UTC)
    assert (row.operator, row.device, row.storage_place) == ("MUE", "Scanner 3", "Regal 4")
    assert (row.expected_sheets, row.profile, row.standing) == (2, "archiv", "ready")
    assert (row.expected_consignments, row.sides) == (1, "duplex")
    assert row.received_at_source == "batch.json"
    assert not (house.inbox / "stapel").exists()
    assert house.lying() == []


def test_a_manifest_in_the_inbox_closes_the_files_it_names_and_no_others(house: House) -> None:
    house.drop("1.jpg", image(shade=1))
    house.drop("2.jpg", image(shade=2))
    house.drop("fremd.pdf", pdf())
    _manifest(house, "batch.json", sources=[{"name": "1.jpg"}, {"name": "2.jpg"}])
    assert house.pass_after(0).accepted == 1
    assert _names(house) == [["1.jpg", "2.jpg"]]
    assert house.pass_after(2).accepted == 1
    assert (house.inbox / "archiv").is_dir()


def test_a_manifest_without_names_takes_the_folder_in_natural_order(house: House) -> None:
    for number in (10, 9, 1):
        house.drop(f"archiv/Seite {number}.jpg", image(shade=number))
    _manifest(house, "archiv/batch.json", operator="ABC")
    assert house.pass_after(0).accepted == 1
    assert _names(house) == [["Seite 1.jpg", "Seite 9.jpg", "Seite 10.jpg"]]
    assert [row.profile for row in house.envelopes()] == ["archiv"]
    assert (house.inbox / "archiv").is_dir()


def test_the_manifest_of_a_single_file_describes_and_closes_it(house: House) -> None:
    house.drop("brief.tif", tiff(1))
    _manifest(house, "brief.tif.json", operator="MUE", received_at="2025-11-20")
    assert house.pass_after(0).accepted == 1
    assert [row.operator for row in house.envelopes()] == ["MUE"]
    assert house.lying() == []


def test_the_manifest_wins_over_the_shift(house: House) -> None:
    house.ledger.begin_shift(DEFAULT_TENANT, "", "SHI", "Scanner S")
    house.drop("a.pdf", pdf())
    _manifest(house, "a.pdf.json", operator="MAN")
    house.settle()
    assert [(row.operator, row.device) for row in house.envelopes()] == [("MAN", "Scanner S")]


def test_a_manifest_without_its_file_is_listed(house: House) -> None:
    _manifest(house, "brief.pdf.json", operator="MUE")
    house.settle()
    assert house.unaccepted()["brief.pdf.json"].reason_code == "companion_without_file"
    house.drop("brief.pdf", pdf())
    assert house.settle() == 1
    assert [row.operator for row in house.envelopes()] == ["MUE"]


def test_a_stack_that_lacks_a_file_is_received_as_held_and_names_it(house: House) -> None:
    house.drop("stapel/1.jpg", image())
    _manifest(house, "stapel/batch.json", sources=[{"name": "1.jpg"}, {"name": "2.jpg"}])
    assert house.pass_after(0).accepted == 0
    assert house.pass_after(2).accepted == 1
    [row] = house.arrivals()
    assert row["standing"] == "held"
    assert "„2.jpg“ fehlt" in row["reason"]
    assert house.envelopes()[0].reason_code == "count_mismatch"


def test_a_stack_whose_digest_differs_is_received_as_held_and_names_the_file(
    house: House,
) -> None:
    house.drop("stapel/1.jpg", image())
    _manifest(house, "stapel/batch.json", sources=[{"name": "1.jpg", "sha256": "0" * 64}])
    house.settle()
    [row] = house.arrivals()
    assert row["standing"] == "held"
    assert "„1.jpg“ hat eine andere Prüfsumme" in row["reason"]
    assert house.lying() == []


def test_an_unknown_profile_is_received_with_the_default_and_held(house: House) -> None:
    house.drop("a.pdf", pdf())
    _manifest(house, "a.pdf.json", profile="rechnnung")
    house.settle()
    [row] = house.envelopes()
    assert (row.profile, row.standing, row.reason_code) == (
        "posteingang",
        "held",
        "profile_invalid",
    )
    assert "rechnnung" in row.reason


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"recieved_at": "2025-11-20"}', "recieved_at"),
        (b'{"received_at": "20.11.2026"}', "received_at"),
        (b'{"expected_sheets": "3"}', "expected_sheets"),
        (b'{"profile": ', "JSON"),
    ],
)
def test_a_wrong_manifest_holds_its_stack_and_names_the_field(
    house: House, content: bytes, said: str
) -> None:
    house.drop("stapel/1.jpg", image())
    house.drop("stapel/batch.json", content)
    house.settle()
    [row] = house.envelopes()
    assert (row.standing, row.reason_code) == ("held", "manifest_invalid")
    assert said in row.reason
    assert "batch.json" in row.reason
    assert house.lying() == []


@pytest.mark.parametrize(
    ("manifest", "content"),
    [
        ("stapel/batch.json", b'{"operator": "MUE", "received_at": "20.11.2025"}'),
        ("stapel/batch.json", b'{"operator": "MUE"'),
        ("stapel/batch.json", b'{"operator": "Erika Muster"}'),
        ("stapel/batch.json", b'{"operator": "MUE", "profile": "archiv"}'),
        ("1.jpg.json", b'{"operator": "MUE", "device": 3}'),
        ("1.jpg.json", b'{"operator": "MUE"}'),
    ],
)
def test_a_manifest_is_kept_word_for_word_whether_it_was_understood_or_not(
    house: House, manifest: str, content: bytes
) -> None:
    house.drop(str(Path(manifest).parent / "1.jpg"), image())
    house.drop(manifest, content)
    house.settle()
    [row] = house.arrivals()
    with house.ledger.reading() as connection:
        kept = showing.locate(connection, row["id"], "manifest")
        shown = showing.show(connection, row["id"])
        referenced = set(reading.referenced(connection, DEFAULT_TENANT))
    with house.store.open(DEFAULT_TENANT, kept.sha256) as stream:
        assert stream.read() == content
    assert kept.filename == Path(manifest).name
    assert kept.sha256 in referenced
    assert [made["sha256"] for made in shown["renditions"]] == [sha256(content)]
    assert shown["events"][0]["payload"]["manifests"][0]["sha256"] == sha256(content)
    assert house.lying() == []


def test_whoever_is_signed_on_does_not_stand_in_for_a_manifest_that_nobody_understands(
    house: House,
) -> None:
    house.ledger.begin_shift(DEFAULT_TENANT, "", "SHI", "Scanner S")
    house.drop("stapel/1.jpg", image())
    house.drop("stapel/batch.json", b'{"operator": "MUE", "recieved_at": "2025-11-20"}')
    house.settle()
    [row] = house.envelopes()
    assert (row.standing, row.reason_code) == ("held", "manifest_invalid")
    assert (row.operator, row.device) == (None, None)
    for part in ("„batch.json“ ist unverändert aufbewahrt", "»show KENNUNG«", "--what manifest"):
        assert part in row.reason


def test_erasing_a_batch_erases_its_manifest_unless_another_batch_came_with_the_same(
    house: House,
) -> None:
    for number in (1, 2):
        house.drop(f"stapel{number}/{number}.jpg", image(shade=number))
        _manifest(house, f"stapel{number}/batch.json", operator="MUE")
    house.settle()
    manifest = sha256(json.dumps({"operator": "MUE"}).encode())
    gone = []
    for row in house.arrivals():
        with house.ledger.writing() as connection:
            gone.append(erase(connection, row["id"], "op17", "Irrläufer"))
    assert [manifest in digests for digests in gone] == [False, True]


def test_a_manifest_that_changes_while_it_is_received_is_not_removed(house: House) -> None:
    class Rewriting(FolderStore):
        @override
        def put(self, tenant: str, stream: BinaryIO) -> Blob:
            kept = super().put(tenant, stream)
            for path in house.inbox.rglob("batch.json"):
                if kept.sha256 == sha256(path.read_bytes()):
                    path.write_bytes(b'{"operator": "NEU"}')
            return kept

    house.drop("stapel/1.jpg", image())
    _manifest(house, "stapel/batch.json", operator="MUE")
    store = Rewriting(house.settings.data / "store")
    assert house.pass_after(0, house.another(store=store)).accepted == 1
    assert [row.operator for row in house.envelopes()] == ["MUE"]
    assert house.lying() == [sha256(b'{"operator": "NEU"}')]
    assert house.claims() == []


def test_a_manifest_that_is_still_written_is_waited_for(house: House) -> None:
    house.drop("stapel/1.jpg", image())
    manifest = house.drop("stapel/batch.json", b'{"operator": ')
    assert house.pass_after(0).accepted == 0
    manifest.write_bytes(b'{"operator": "MUE"}')
    assert house.pass_after(0.5).accepted == 1
    assert house.envelopes()[0].operator == "MUE"


def test_an_unreadable_manifest_in_the_inbox_is_listed_and_stops_nobody(house: House) -> None:
    house.drop("batch.json", b"kein JSON")
    house.drop("a.pdf", pdf())
    assert house.settle() == 1
    assert house.unaccepted()["batch.json"].reason_code == "manifest_invalid"


def test_a_manifest_without_any_file_is_listed(house: House) -> None:
    _manifest(house, "batch.json", sources=[{"name": "weg.pdf"}])
    house.settle()
    entry = house.unaccepted()["batch.json"]
    assert "weg.pdf" in entry.operator_text


def test_a_stack_waits_for_a_file_that_is_not_whole(house: House) -> None:
    content = image()
    page = house.drop("stapel/1.jpg", content[:200])
    _manifest(house, "stapel/batch.json", sources=[{"name": "1.jpg"}])
    assert house.settle() == 0
    assert house.unaccepted()["stapel/1.jpg"].reason_code == "incomplete"
    page.write_bytes(content)
    assert house.pass_after(0).accepted == 1


def test_a_file_that_the_stack_does_not_name_is_listed(house: House) -> None:
    house.drop("stapel/1.jpg", image())
    house.drop("stapel/zuviel.pdf", pdf())
    _manifest(house, "stapel/batch.json", sources=[{"name": "1.jpg"}])
    house.pass_after(0)
    house.settle()
    assert _names(house) == [["1.jpg"]]
    assert (house.inbox / "stapel" / "zuviel.pdf").exists()
    assert "stapel" in house.unaccepted()


def test_a_name_in_another_unicode_form_is_found(house: House) -> None:
    house.drop("stapel/" + unicodedata.normalize("NFD", "Prüfung.jpg"), image())
    _manifest(house, "stapel/batch.json", sources=[{"name": "Prüfung.jpg"}])
    assert house.pass_after(0).accepted == 1
    assert house.arrivals()[0]["standing"] == "ready"


def test_a_manifest_cannot_name_files_outside_its_folder(house: House) -> None:
    house.drop("fremd.pdf", pdf())
    house.drop("stapel/1.jpg", image())
    _manifest(house, "stapel/batch.json", sources=[{"name": "../fremd.pdf"}])
    house.settle()
    assert all(names != ["../fremd.pdf"] for names in _names(house))
    assert sha256(pdf()) in house.digests()
