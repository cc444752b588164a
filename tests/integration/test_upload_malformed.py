"""Requests that do not read as a station's: paths with tricks, broken JSON, broken heads."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from ingest import clock
from scanners.stack import Refused, wire
from scanners.station.house import HttpHouse
from tests.plugins.stations import House, answered, connected, head, opening, page, serving


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house"))
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def token(house: House) -> str:
    return house.token()


@pytest.fixture(scope="module")
def url(house: House) -> Iterator[str]:
    folder = house.folder / "upload"
    with serving(house.known, house.seen_by, folder) as address:
        yield address


@pytest.fixture
def key(url: str, token: str) -> str:
    """An open stack."""
    said = opening()
    HttpHouse(url, token).open(said)
    return said.key


@pytest.mark.parametrize(
    "path",
    [
        "/v1/stacks/../../etc/passwd",
        "/v1/stacks/%2e%2e%2f%2e%2e%2fetc/pages/1",
        "/v1/stacks/..%5c..%5cwindows",
        "/v1/stacks/%00",
        "/v1/stacks/{upper}",
        "/v1/stacks/{key}/pages/../../../x",
        "/v1/stacks/{key}%2fpages%2f1",
        "/v1//stacks/{key}",
        "/v1/stacks/{key}/",
        "/v2/stacks/{key}",
    ],
)
def test_a_path_with_tricks_leads_nowhere(
    house: House, url: str, token: str, key: str, path: str
) -> None:
    before = sorted(house.folder.rglob("*"))
    asked = path.format(key=key, upper=key.upper())
    moment = clock.now().isoformat()
    lines = (f"GET {asked} HTTP/1.1", "Host: h", f"Authorization: Bearer {token}")
    with connected(url) as connection:
        connection.sendall("\r\n".join([*lines, f"{wire.CLOCK}: {moment}", "", ""]).encode())
        status, body = answered(connection)
    assert status in {404, 405}
    assert json.loads(body.partition("\r\n\r\n")[2])["operator_text"]
    assert sorted(house.folder.rglob("*")) == before


OPENING = opening(key="00000000-0000-4000-8000-000000000000").to_json()
LEASE = {"device": "d", "token": "t", "seconds": 30.0}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", f"/stacks/{OPENING['key']}", b""),
        ("PUT", f"/stacks/{OPENING['key']}", b"[" * 100_000),
        ("PUT", f"/stacks/{OPENING['key']}", b"\xff\xfe"),
        ("PUT", f"/stacks/{OPENING['key']}", OPENING | {"key": "another"}),
        ("PUT", f"/stacks/{OPENING['key']}", OPENING | {"profile": 5}),
        ("PUT", f"/stacks/{OPENING['key']}", OPENING | {"later": True}),
        ("PUT", f"/stacks/{OPENING['key']}", OPENING | {"operator": "a\0b"}),
        ("PUT", f"/stacks/{OPENING['key']}", OPENING | {"opened_at": "2026-03-02T12:00:00"}),
        ("PUT", f"/stacks/{OPENING['key']}", OPENING | {"device": {"id": "x"}}),
        ("POST", f"/stacks/{OPENING['key']}/closing", {"pages": "none"}),
        ("POST", "/devices", {"device": "x", "profile": "posteingang"}),
        ("POST", "/leases", {"device": OPENING["device"], "operator": None, "seconds": 1e9}),
        ("POST", "/leases", {"device": OPENING["device"], "operator": None, "seconds": -1}),
        ("POST", "/leases/renewal", LEASE | {"seconds": "long"}),
    ],
)
def test_what_does_not_read_is_refused_as_such(
    url: str, token: str, method: str, path: str, body: Any
) -> None:
    head = {"Authorization": f"Bearer {token}", wire.CLOCK: clock.now().isoformat()}
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = urllib3.request(method, f"{url}/v1{path}", body=written, headers=head)
    assert answer.status == 400
    assert answer.json()["code"] == "malformed"
    assert "Programmst" in answer.json()["operator_text"]


@pytest.mark.parametrize(
    "changed",
    [
        {"Scan_Page": None},
        {"Scan_Page": "!"},
        {"Scan_Page": "bnVsbA=="},
        {"Content_Digest": "md5=:AAAA:"},
        {"Content_Type": "../../etc"},
        {"Scan_Clock": None},
        {"Scan_Clock": "2026-03-02T12:00:00"},
        {"Scan_Clock": "yesterday"},
    ],
)
def test_a_head_that_does_not_read_is_refused_as_such(
    url: str, token: str, key: str, tmp_path: Path, changed: dict[str, Any]
) -> None:
    sent = page(tmp_path, 1, content=key.encode())
    with connected(url) as connection:
        connection.sendall(head(token, key, sent, **changed) + key.encode())
        status, body = answered(connection)
    assert (status, '"malformed"' in body) == (400, True)
    assert HttpHouse(url, token).state(key).pages == ()


def test_a_page_in_another_place_than_its_facts_say_is_refused(
    url: str, token: str, key: str, tmp_path: Path
) -> None:
    first, second = page(tmp_path, 1), page(tmp_path, 2)
    with connected(url) as connection:
        told = head(token, key, first, Scan_Page=wire.page_to_header(second))
        connection.sendall(told + first.page.path.read_bytes())
        assert answered(connection)[0] == 400


def test_a_page_of_a_station_that_does_not_name_the_device_yet_is_taken(
    url: str, token: str, key: str, tmp_path: Path
) -> None:
    said = wire.page_from_header(wire.page_to_header(page(tmp_path, 1)))
    del said["facts"]["device"]
    for mark, status in (
        (None, 201),
        ({"id": 5}, 400),
        ({"id": "a", "driver": "b", "x": "y"}, 400),
    ):
        if mark is not None:
            said["facts"]["device"] = mark
        written = base64.urlsafe_b64encode(json.dumps(said).encode()).decode()
        sent = page(tmp_path, 1, content=key.encode())
        with connected(url) as connection:
            connection.sendall(head(token, key, sent, Scan_Page=written) + key.encode())
            assert answered(connection)[0] == status


def test_a_head_without_end_is_cut_short(url: str) -> None:
    with connected(url) as connection, connected(url) as other:
        try:
            connection.sendall(b"GET /v1/clock HTTP/1.1\r\n" + b"X-Long: " + b"x" * wire.MOST_HEAD)
            assert answered(connection)[0] in {0, 400}
        except (ConnectionResetError, BrokenPipeError):
            pass
        other.sendall(b"GET /v1/clock HTTP/1.1\r\nHost: h\r\n\r\n")
        assert answered(other)[0] == 401


def test_more_hints_than_a_head_holds_are_refused_by_the_station_itself(
    url: str, token: str, key: str, tmp_path: Path
) -> None:
    station = HttpHouse(url, token)
    with pytest.raises(Refused) as caught:
        station.append(key, page(tmp_path, 1, imprint="x" * wire.MOST_FACTS))
    assert caught.value.code == "too_large"
    much = page(tmp_path, 2, imprint="ä" * (wire.MOST_FACTS // 2 - 1000))
    assert station.append(key, much) is True
