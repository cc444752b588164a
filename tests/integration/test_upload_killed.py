"""A server that is killed while a page comes, and before it answered: the page is there once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import closing as ending
from pathlib import Path

import pytest

from ingest.ledger import open_ledger, stations
from scanners.stack import StackPage, Unavailable
from scanners.station.house import HttpHouse
from tests.plugins.installation import Installation, Running, wait_until
from tests.plugins.servers import free_port
from tests.plugins.stations import closing, known, opening, page


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Installation]:
    """An installation that listens to stations."""
    made = Installation(tmp_path, sections={"upload": {"port": free_port()}})
    yield made
    made.end()


def station_of(place: Installation) -> HttpHouse:
    """Return a house as a new station sees it."""
    port = tomllib.loads(place.config.read_text())["upload"]["port"]
    url = f"sqlite:///{place.data / 'ledger.sqlite'}"
    with ending(open_ledger(url)) as ledger, ledger.writing() as connection:
        token = stations.add(connection, "default", "platz-3", by="ADM")
    return HttpHouse(f"http://127.0.0.1:{port}", token)


def _until_answered(station: HttpHouse) -> None:
    def answers() -> bool:
        try:
            station.profiles()
        except Unavailable:
            return False
        return True

    wait_until(answers, "the server answers")


def _lost(station: HttpHouse, key: str, sent: StackPage) -> None:
    with pytest.raises(Unavailable) as caught:
        station.append(key, sent)
    assert caught.value.operator_text


def _died(server: Running) -> None:
    wait_until(lambda: not server.is_alive, "the server dies")


@pytest.mark.slow
def test_a_server_killed_in_mid_upload_or_before_its_answer_takes_each_page_once(
    place: Installation, tmp_path: Path
) -> None:
    station, landing = station_of(place), place.data / "upload"
    said, pages = opening(operator=None), [page(tmp_path, n) for n in (1, 2)]

    server = place.start("serve", doomed=("kill", "landing:after", "2"))
    _until_answered(station)
    station.open(said)
    assert station.append(said.key, pages[0])
    _lost(station, said.key, pages[1])
    _died(server)
    assert len(list(landing.iterdir())) == 1

    server = place.start("serve", doomed=("kill", "append:after", "1"))
    _until_answered(station)
    assert list(landing.iterdir()) == []
    assert station.state(said.key).pages == (known(pages[0]),)
    _lost(station, said.key, pages[1])
    _died(server)

    place.start("run", "--json")
    _until_answered(station)
    assert station.append(said.key, pages[1]) is False
    assert station.close(said.key, closing(*pages)).is_closed
    (batch,) = [row for row in place.list_json() if row["message_type"] == "batch"]
    assert [each["sha256"] for each in batch["sources"]] == [one.page.sha256 for one in pages]
