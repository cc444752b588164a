"""Stations and their server: what is kept, what is told, and what becomes of it after a crash."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from starlette.applications import Starlette
from starlette.routing import Mount
from typing_extensions import override

from ingest.errors import Misconfigured
from ingest.ledger import stacks, stations
from ingest.store import FolderStore
from ingest.store.disk import Disk
from ingest.upload_settings import UploadSettings
from scanners.stack import HouseFull, Refused, Unavailable
from scanners.station.house import HttpHouse
from scanners.upload import Landing, Station, UploadServer, application
from tests.plugins.installation import wait_until
from tests.plugins.servers import PostgresServer, free_port
from tests.plugins.stations import House, closing, known, later, opening, page, serving

MANY = 5


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house"))
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def url(house: House) -> Iterator[str]:
    with serving(house.known, house.seen_by, house.folder / "upload") as address:
        yield address


def landed(house: House) -> list[Path]:
    """Return what lies between network and store."""
    return sorted((house.folder / "upload").iterdir())


def anomalies(house: House, key: str) -> list[dict[str, object]]:
    with house.ledger.reading() as connection:
        row, _ = stacks.found(connection, "default", key)
    return list(row.anomalies)


def test_unknown_and_revoked_tokens_are_refused_alike_and_stand_in_no_log(
    house: House, url: str
) -> None:
    token, unknown = house.token("platz-9"), "x" * 43
    with house.ledger.writing() as connection:
        stations.revoke(connection, "default", "platz-9", by="ADM")
    texts = []
    with structlog.testing.capture_logs() as logged:
        for wrong in (token, unknown, "", "kurz", "ä" * 40):
            with pytest.raises(Refused) as caught:
                HttpHouse(url, wrong).open(opening())
            assert caught.value.code == "token_refused"
            texts.append(caught.value.operator_text)
    assert len(set(texts)) == 1
    assert "Zugangsschlüssel" in texts[0]
    assert [entry["code"] for entry in logged if entry["event"] == "upload_refused"]
    assert not [word for word in (token, unknown) if word in repr(logged)]


def test_a_new_token_ends_the_one_before(house: House, url: str) -> None:
    before = house.token("platz-8")
    after = house.token("platz-8")
    HttpHouse(url, after).profiles()
    with pytest.raises(Refused):
        HttpHouse(url, before).profiles()


def test_the_log_says_who_was_answered_what_and_names_no_person(
    house: House, url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    station, said, first = HttpHouse(url, house.token()), opening(), page(tmp_path, 1)
    station.open(said)
    configured = structlog.get_config()
    structlog.reset_defaults()  # a command in this process may have asked for warnings only
    request.addfinalizer(lambda: structlog.configure(**configured))
    with structlog.testing.capture_logs() as logged:
        station.append(said.key, first)
        wait_until(lambda: "upload_answered" in repr(logged), "the entry, after the answer")
    (entry,) = [each for each in logged if each["event"] == "upload_answered"]
    assert (entry["method"], entry["status"], entry["station"]) == ("PUT", 201, "platz-3")
    assert entry["received"] == first.page.size
    assert str(said.operator) not in repr(entry)


def test_the_token_says_which_station_it_is(house: House, url: str) -> None:
    said = opening(station="platz-1")
    HttpHouse(url, house.token("platz-7")).open(said)
    with house.ledger.reading() as connection:
        row, _ = stacks.found(connection, "default", said.key)
    assert row.station == "platz-7"
    assert row.said["station"] == "platz-7"


def test_a_station_sees_no_stack_of_another_tenant(house: House, url: str, tmp_path: Path) -> None:
    said = opening()
    HttpHouse(url, house.token()).open(said)
    with house.ledger.writing() as connection:
        token = stations.add(connection, "landkreis", "platz-3", by="ADM")
    stranger = HttpHouse(url, token)
    for asked in (
        lambda: stranger.state(said.key),
        lambda: stranger.append(said.key, page(tmp_path, 1)),
        lambda: stranger.close(said.key, closing()),
    ):
        with pytest.raises(Refused) as caught:
            asked()
        assert caught.value.code == "stack_unknown"


def test_a_clock_off_by_an_hour_is_recorded_with_the_stack(
    house: House, url: str, tmp_path: Path
) -> None:
    token, said, first = house.token(), opening(), page(tmp_path, 1)
    ahead = HttpHouse(url, token, now=later(3600))
    ahead.open(said)
    ahead.append(said.key, first)
    ahead.close(said.key, closing(first))
    found = anomalies(house, said.key)
    assert {each["kind"] for each in found} == {"station_clock"}
    assert all(abs(float(str(each["seconds"])) - 3600) < 60 for each in found)
    assert 3500 < ahead.clock_offset().total_seconds() < 3700


def test_a_clock_off_by_half_a_minute_is_nothing(house: House, url: str) -> None:
    said = opening()
    HttpHouse(url, house.token(), now=later(-30)).open(said)
    assert anomalies(house, said.key) == []


def test_two_stations_at_once_get_their_own_stacks_in_order(
    house: House, url: str, tmp_path: Path
) -> None:
    failed: list[BaseException] = []
    said = {name: opening() for name in ("platz-5", "platz-6")}
    pages = {name: [page(tmp_path / name, n) for n in range(1, MANY + 1)] for name in said}

    def hand_over(station: HttpHouse, name: str) -> None:
        try:
            station.open(said[name])
            for each in pages[name]:
                assert station.append(said[name].key, each)
            station.close(said[name].key, closing(*pages[name]))
        except BaseException as error:  # noqa: BLE001 - a thread's failure is the test's
            failed.append(error)

    threads = [
        threading.Thread(target=hand_over, args=(HttpHouse(url, house.token(name)), name))
        for name in said
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    for name, each in said.items():
        state = house.seen_by(Station(code=name, tenant="default")).state(each.key)
        assert state.is_closed
        assert state.pages == tuple(known(one) for one in pages[name])
    assert landed(house) == []


class FullDisk(Disk):
    """A disk that has no room while `full` says so."""

    def __init__(self) -> None:
        self.full = ""

    def _fail(self, call: str) -> None:
        if self.full == call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @override
    def create(self, folder: Path) -> tuple[int, Path]:
        self._fail("create")
        return super().create(folder)

    @override
    def write(self, descriptor: int, block: bytes) -> None:
        self._fail("write")
        super().write(descriptor, block)

    @override
    def sync(self, descriptor: int) -> None:
        self._fail("sync")
        super().sync(descriptor)

    @override
    def link(self, existing: Path, name: Path) -> None:
        self._fail("link")
        super().link(existing, name)


@pytest.mark.parametrize(
    ("where", "call"),
    [("landing", "create"), ("landing", "write"), ("store", "sync"), ("store", "link")],
)
def test_a_full_server_says_so_keeps_nothing_and_takes_the_page_later(
    house: House, tmp_path: Path, where: str, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, said = FullDisk(), opening()
    first = page(tmp_path, 1, content=f"II*{where} {call}".encode())
    folder = tmp_path / "upload"
    if where == "store":
        monkeypatch.setattr(house, "store", FolderStore(house.folder / "store", disk=disk))
    used = disk if where == "landing" else None
    with serving(house.known, house.seen_by, folder, used) as address:
        station = HttpHouse(address, house.token())
        station.open(said)
        disk.full = call
        with pytest.raises(HouseFull) as caught:
            station.append(said.key, first)
        assert "Platz" in caught.value.operator_text or "platz" in caught.value.operator_text
        assert caught.value.retry_after
        assert list(folder.iterdir()) == []
        assert not house.store.holds("default", first.page.sha256)
        assert station.state(said.key).pages == ()
        disk.full = ""
        assert station.append(said.key, first) is True


def test_a_ledger_that_is_down_is_an_outage_and_nothing_else(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    house = House(tmp_path / "house", postgres_server.create_database())
    said, first = opening(), page(tmp_path, 1)
    with serving(house.known, house.seen_by, tmp_path / "upload") as address:
        station = HttpHouse(address, house.token())
        station.open(said)
        postgres_server.stop(immediately=True)
        try:
            with pytest.raises(Unavailable) as caught:
                station.append(said.key, first)
        finally:
            postgres_server.start()
        assert caught.value.code == "house_unavailable"
        assert caught.value.retry_after
        assert "gesichert" in caught.value.operator_text
        assert list((tmp_path / "upload").iterdir()) == []
        assert station.append(said.key, first) is True
    house.ledger.close()


def test_what_is_unforeseen_is_told_to_the_log_and_not_to_the_station(tmp_path: Path) -> None:
    def broken(station: Station) -> House:
        message = f"a secret of {station.code}"
        raise RuntimeError(message)

    known_station = Station(code="platz-3", tenant="default")
    with (
        serving(lambda _: known_station, broken, tmp_path / "upload") as address,  # type: ignore[arg-type] # it never returns
        structlog.testing.capture_logs() as logged,
        pytest.raises(Unavailable) as caught,
    ):
        HttpHouse(address, "x" * 43).profiles()
    assert "secret" not in repr(caught.value) + caught.value.operator_text
    assert [each for each in logged if "secret" in repr(each.get("exc_info"))]


def test_it_may_be_mounted_below_another_application(house: House, tmp_path: Path) -> None:
    landing = Landing(tmp_path / "upload")
    landing.prepare()
    door = application(house.known, house.seen_by, landing)
    settings = UploadSettings(port=free_port())
    server = UploadServer(Starlette(routes=[Mount("/scan/plaetze", door)]), settings)
    server.start()
    try:
        station = HttpHouse(f"{server.url}/scan/plaetze/", house.token())
        said, first = opening(), page(tmp_path, 1)
        station.open(said)
        assert station.append(said.key, first) is True
    finally:
        server.stop()


def test_a_port_that_is_taken_is_said_in_german(url: str) -> None:
    settings = UploadSettings(port=int(url.rsplit(":", 1)[1]))
    with pytest.raises(Misconfigured) as caught:
        UploadServer(Starlette(), settings).start()
    assert "upload.port" in caught.value.operator_text


def test_what_a_crash_left_is_cleared_and_what_others_receive_is_not(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    living = landing.begin(0)
    (tmp_path / "left").write_bytes(b"half a page")
    Landing(tmp_path).prepare()
    assert list(tmp_path.iterdir()) == [living.path]
    living.discard()
    assert list(tmp_path.iterdir()) == []
