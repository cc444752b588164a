"""What of a stack is compared at its end, by every way into the house, and what comes too late."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import profiles
from ingest.errors import UsageError
from ingest.ledger import devices, erasure, schema, stacks
from scanners.device import Mode, ScanSettings
from scanners.direct.arriving import seen_device
from scanners.direct.ending import close_by_house
from scanners.direct.uncarried import uncarried
from scanners.stack import Acceptance, ManifestDisagrees, StackPage
from scanners.stack.journal import Journal
from scanners.stack.transmission import Transmission
from scanners.station.house import HttpHouse
from scanners.upload import Station
from tests.plugins.emptied import lay_empty_ledger
from tests.plugins.ledgers import rows
from tests.plugins.stations import DEVICE, House, closing, opening, page, serving

GREY = ScanSettings(mode=Mode.GREY)
OTHER = dataclasses.replace(DEVICE, serial="4712").mark


@dataclass(frozen=True)
class Way:
    """A house and the way of a station into it."""

    whole: House
    desk: Acceptance

    def batch(self, id_: str) -> Any:
        return next(row for row in rows(self.whole.ledger, schema.batch) if row.id == id_)

    def anomalies(self, id_: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.batch(id_).facts["scanned"]["anomalies"]
        return found

    def end(self, id_: str) -> None:
        """Let the house end a stack whose station is lost."""
        whole = self.whole
        close_by_house(whole.ledger, whole.store, id_, by="LTG", reason="Rechner verloren")


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "http"])
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    folder = tmp_path_factory.mktemp("house")
    if request.param == "postgresql":
        like = request.getfixturevalue("empty_postgres_ledger")
        url = request.getfixturevalue("postgres_server").create_database(like)
    else:
        lay_empty_ledger(folder / "empty.sqlite")
        url = f"sqlite:///{folder / 'empty.sqlite'}"
    whole, seen = House(folder / "whole", url), seen_device(DEVICE, None)
    with whole.ledger.writing() as connection:
        devices.see(connection, "default", seen)
        devices.release(connection, "default", seen.device, by="LTG")
    if request.param == "http":
        with serving(whole.known, whole.seen_by, folder / "upload") as address:
            yield Way(whole, HttpHouse(address, whole.token()))
    else:
        yield Way(whole, whole.seen_by(Station(code="platz-3", tenant="default")))
    whole.ledger.close()


def but(stack_page: StackPage, **facts: Any) -> StackPage:
    """Return a page of which something else is said."""
    scanned = stack_page.page
    other = dataclasses.replace(scanned, facts=dataclasses.replace(scanned.facts, **facts))
    return dataclasses.replace(stack_page, page=other)


def scanned(way: Way, folder: Path, settings: ScanSettings, **said: Any) -> str:
    """Scan and end a stack of one sheet with some settings; return its id."""
    opened = opening(settings=settings, **said)
    way.desk.open(opened)
    made = [
        but(page(folder, number), mode=settings.mode.value, dpi=settings.dpi) for number in (1, 2)
    ]
    for each in made:
        way.desk.append(opened.key, each)
    return way.desk.close(opened.key, closing(*made)).batch_id


def test_a_station_with_old_profiles_is_told_from_what_the_profile_asks_now(
    way: Way, tmp_path: Path
) -> None:
    shipped = Path(profiles.__file__).with_name("posteingang.toml").read_text("utf-8")
    file = way.whole.folder / "profiles" / "haus.toml"
    text = shipped.replace('name = "posteingang"', 'name = "haus"')
    file.write_text(text, "utf-8")
    (offered,) = (each for each in way.desk.profiles() if each.name == "haus")
    file.write_text(f'{text}\n[scan]\ndpi = 400\nmode = "grey"\n', "utf-8")
    id_ = scanned(way, tmp_path, offered.settings, profile="haus")
    assert way.batch(id_).standing == "ready"
    (anomaly,) = way.anomalies(id_)
    assert anomaly["kind"] == "settings_differ"
    assert "Profil 'haus'" in anomaly["text"]
    assert "Auflösung (dpi) 300 statt 400; Farbart Farbe statt Graustufen" in anomaly["text"]
    (current,) = (each for each in way.desk.profiles() if each.name == "haus")
    assert way.anomalies(scanned(way, tmp_path, current.settings, profile="haus")) == []


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (ScanSettings(wished=("paper",)), "Papierformat nur gewünscht statt A4"),
        (ScanSettings(paper="A5"), "Papierformat A5 statt A4"),
        (ScanSettings(timeout=5.0), None),
    ],
    ids=["only wished", "other", "patience"],
)
def test_what_makes_the_image_is_compared(
    way: Way, tmp_path: Path, made: ScanSettings, said: str | None
) -> None:
    found = way.anomalies(scanned(way, tmp_path, made))
    assert [each["kind"] for each in found] == (["settings_differ"] if said else [])
    assert all(str(said) in each["text"] for each in found)


def test_a_replacing_scan_with_other_settings_waits_for_a_supervisor_who_did_not_scan(
    way: Way, tmp_path: Path
) -> None:
    id_ = scanned(way, tmp_path, GREY, profile=House.replacing)
    row = way.batch(id_)
    assert (row.standing, row.reason_code) == ("held", "settings_differ")
    assert "Farbart Graustufen statt Farbe" in row.reason
    ledger = way.whole.ledger
    with pytest.raises(UsageError, match="supervisor"):
        ledger.retry(id_)
    for nobody in ("KL", "XX"):
        with pytest.raises(UsageError):
            ledger.release(id_, nobody, "passt schon")
    ledger.release(id_, "LTG", "Graustufen genügen hier")
    assert way.batch(id_).standing == "ready"


@pytest.mark.parametrize(
    ("told", "is_other"),
    [
        ({"serial": "4712"}, True),
        ({"firmware": "2.0"}, True),
        ({"driver": "escl"}, True),
        ({"id": "test:1"}, False),
    ],
    ids=["serial", "firmware", "driver", "another way to the same"],
)
def test_a_stack_does_not_end_with_a_page_of_another_device(
    way: Way, tmp_path: Path, told: dict[str, str], is_other: bool
) -> None:
    opened, mark = opening(), dataclasses.replace(DEVICE.mark, **told)
    way.desk.open(opened)
    first, other = but(page(tmp_path, 1), device=DEVICE.mark), but(page(tmp_path, 2), device=mark)
    for each in (first, other):
        assert way.desk.append(opened.key, each)
    if is_other:
        with pytest.raises(ManifestDisagrees) as caught:
            way.desk.close(opened.key, closing(first, other))
        assert "Seite 2 (Blatt 1) kommt vom Gerät" in caught.value.operator_text
        assert len(way.desk.state(opened.key).pages) == 2
        other = but(page(tmp_path, 2, attempt=2), device=DEVICE.mark)
        way.desk.append(opened.key, other)
    assert way.desk.close(opened.key, closing(first, other)).is_closed


@pytest.mark.parametrize(
    ("profile", "standing"), [("posteingang", "ready"), (House.replacing, "held")]
)
def test_pages_of_another_device_are_named_where_the_house_ends_their_stack(
    way: Way, tmp_path: Path, profile: str, standing: str
) -> None:
    opened = opening(profile=profile)
    id_ = way.desk.open(opened).batch_id
    for number, mark in ((1, DEVICE.mark), (2, OTHER)):
        way.desk.append(opened.key, but(page(tmp_path, number), device=mark))
    way.end(id_)
    row, (anomaly, _) = way.batch(id_), way.anomalies(id_)
    assert (row.standing, anomaly["kind"], anomaly["pages"]) == (standing, "other_device", 1)
    assert "sane:4712 (Firmware 1.0)" in anomaly["text"]
    if standing == "held":
        assert row.reason_code == "other_device"
        with pytest.raises(UsageError):
            way.whole.ledger.release(id_, "KL", "passt schon")


def carried(way: Way, home: Path, *numbers: int) -> Journal:
    """Return a stack of these pages that is open in the house."""
    journal = Journal.begin(home, opening())
    spool = journal.new_spool().folder
    for number in numbers:
        journal.note_page(page(spool, number))
    Transmission(home, way.desk).carry_all()
    return journal


def test_pages_that_come_after_the_house_ended_their_stack_stay_and_are_named(
    way: Way, tmp_path: Path
) -> None:
    journal = carried(way, tmp_path, 1, 2)
    id_ = way.desk.state(journal.key).batch_id
    way.end(id_)
    journal.note_page(page(journal.new_spool().folder, 3))
    transmission = Transmission(tmp_path, way.desk)
    for _ in range(2):
        transmission.carry_all()
    found = journal.set_aside
    assert found is not None
    assert found.code == "stack_closed"
    assert f"Stapel {id_} ohne die Seiten 3 (Blatt 2)" in found.operator_text
    assert journal.pages[3].page.path.exists()
    assert len(way.desk.state(journal.key).pages) == 2
    with way.whole.ledger.reading() as connection:
        (left,) = uncarried(connection, "default", tmp_path)
    assert (left.code, left.pages, left.batch_id) == ("stack_closed", 1, id_)


def test_a_page_that_a_restored_house_lost_is_not_removed_with_its_ended_stack(
    way: Way, tmp_path: Path
) -> None:
    journal = carried(way, tmp_path, 1, 2)
    journal.note_page(page(journal.new_spool().folder, 3))
    journal.note_taken(3, 1)  # into a ledger that an older copy took the place of
    way.end(way.desk.state(journal.key).batch_id)
    Transmission(tmp_path, way.desk).carry_all()
    assert journal.pages[3].page.path.exists()
    found = journal.set_aside
    assert found is not None
    assert "ohne die Seiten 3" in found.operator_text


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "a page"])
def test_what_was_erased_in_the_house_is_not_kept_as_come_too_late(
    way: Way, tmp_path: Path, *, whole: bool
) -> None:
    journal = carried(way, tmp_path, 1, 2)
    id_, digest = way.desk.state(journal.key).batch_id, journal.pages[2].page.sha256
    way.end(id_)
    with way.whole.ledger.writing() as connection:
        if whole:
            erasure.erase(connection, id_, "LTG", "Irrläufer")
        else:
            assert stacks.forget_pages(connection, id_, {digest}) == {digest}
    assert way.desk.state(journal.key).is_discarded is whole
    Transmission(tmp_path, way.desk).carry_all()
    assert not journal.folder.exists()
    with way.whole.ledger.reading() as connection:
        left = [row for row in stacks.pages_of(connection, id_) if row.sha256 == digest]
    assert left == []


def test_a_page_that_a_restored_house_lost_goes_there_again(way: Way, tmp_path: Path) -> None:
    journal = carried(way, tmp_path, 1, 2)
    journal.note_page(page(journal.new_spool().folder, 3))
    journal.note_taken(3, 1)
    journal.note_closing(closing(*journal.pages.values()))
    Transmission(tmp_path, way.desk).carry_all()
    state = way.desk.state(journal.key)
    assert state.is_closed
    assert len(state.pages) == 3
    assert not journal.folder.exists()
