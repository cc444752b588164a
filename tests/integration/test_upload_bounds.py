"""Numbers, times and texts that no ledger keeps: refused where they come in."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from ingest import clock
from scanners.stack import wire
from scanners.stack.terms import MOST_COUNTED
from scanners.station.commands import main
from scanners.station.house import HttpHouse
from tests.plugins.stations import House, answered, connected, head, opening, page, serving

FAR = "0001-01-01T00:00:00+14:00"
LEASE = {"device": "d", "token": "t", "seconds": 30.0}


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
    with serving(house.known, house.seen_by, house.folder / "upload") as address:
        yield address


def asked(url: str, token: str, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    head = {"Authorization": f"Bearer {token}", wire.CLOCK: clock.now().isoformat()}
    answer = urllib3.request(method, f"{url}/v1{path}", body=json.dumps(body), headers=head)
    return answer.status, answer.json()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"expected_sheets": -3}, "-3 gezählte Blätter"),
        ({"expected_sheets": 2**31}, "gezählte Blätter"),
        ({"expected_consignments": 10**15}, "gezählte Sendungen"),
        ({"received_at": "2999-01-01T00:00:00+00:00"}, "01.01.2999 liegt in der Zukunft"),
        ({"storage_place": "x" * 201}, "Ablageort"),
        ({"expected_sheets": 10**30}, "Programmst"),
        ({"storage_place": "x" * 2_000_000}, "Programmst"),
        ({"opened_at": FAR}, "Programmst"),
        ({"effective": {"dpi": {"option": "r", "requested": 1, "effective": math.inf}}}, "Progr"),
    ],
)
def test_what_was_said_of_a_stack_and_no_ledger_keeps_is_refused(
    url: str, token: str, changed: dict[str, Any], named: str
) -> None:
    said = opening().to_json() | changed
    status, answer = asked(url, token, "PUT", f"/stacks/{said['key']}", said)
    assert (status, answer["code"]) == (400, "malformed")
    assert named in answer["operator_text"]
    assert asked(url, token, "GET", f"/stacks/{said['key']}", None)[0] == 404


def test_the_largest_count_is_taken(url: str, token: str) -> None:
    said = opening(expected_sheets=MOST_COUNTED, storage_place="R" * 200)
    assert HttpHouse(url, token).open(said).pages == ()


@pytest.mark.parametrize("seconds", [0, -5, 1e9, 1e300, math.nan])
@pytest.mark.parametrize("path", ["/leases/renewal", "/leases/end"])
def test_a_lease_is_kept_no_longer_than_one_is_given(
    url: str, token: str, path: str, seconds: float
) -> None:
    status, answer = asked(url, token, "POST", path, LEASE | {"seconds": seconds})
    assert (status, answer["code"]) == (400, "malformed")


@pytest.mark.parametrize(
    "facts", [{"began_at": FAR}, {"width": 10**30}, {"hints": {"x": math.nan}}]
)
def test_a_page_with_facts_that_no_ledger_keeps_is_refused(
    url: str, token: str, tmp_path: Path, facts: dict[str, Any]
) -> None:
    said, sent = opening(), page(tmp_path, 1)
    house = HttpHouse(url, token)
    house.open(said)
    told = wire.page_from_header(wire.page_to_header(sent))
    told["facts"] |= facts
    header = base64.urlsafe_b64encode(json.dumps(told).encode()).decode()
    with connected(url) as connection:
        connection.sendall(head(token, said.key, sent, Scan_Page=header))
        connection.sendall(sent.page.path.read_bytes())
        status, body = answered(connection)
    assert (status, '"malformed"' in body) == (400, True)
    assert house.state(said.key).pages == ()


@pytest.mark.parametrize(
    "said",
    [("--expected-sheets", "-1"), ("--expected-sheets", "10" * 12), ("--storage-place", "x" * 201)],
)
def test_the_station_takes_no_number_or_place_that_the_house_refuses(
    tmp_path: Path, said: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--home", str(tmp_path), "scan", "--device", "escl:mfp", f"{said[0]}={said[1]}"])
    assert caught.value.code == 2
    assert said[0] in capsys.readouterr().err
