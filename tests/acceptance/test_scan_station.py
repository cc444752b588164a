"""From a workstation's feeder over HTTP into the ledger of the house, both of them killed."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.accounting import batches
from tests.plugins.escl_device import EsclDevice, serving
from tests.plugins.escl_pages import picture
from tests.plugins.installation import Installation, wait_until
from tests.plugins.servers import free_port
from tests.plugins.station_desk import CODE, StationDesk, desk_at
from tests.plugins.station_killing import killed


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path / "installation", sections={"upload": {"port": free_port()}})
    yield made
    made.end()


def ended(said: list[dict[str, Any]]) -> dict[str, Any]:
    return next(each for each in said if each.get("event") == "ended")


def serve(house: Installation, desk: StationDesk) -> None:
    house.start("serve")
    wait_until(lambda: desk.said("status")[0]["state"] == "back", "the house answers")


@pytest.mark.slow
def test_stacks_of_a_station_are_batches_whoever_is_killed_on_the_way(
    house: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = house.call("station", "add", CODE, "--by", "ADM").stdout.strip()
    with serving(EsclDevice()) as device:
        desk = desk_at(tmp_path, device, capsys)
        desk.port = tomllib.loads(house.config.read_text())["upload"]["port"]
        desk.paired(token)
        serve(house, desk)
        desk.said("sign-on", "P-17")

        desk.feed(1, 2, 3, 4, 5, 6)
        killed(desk, "line", 6, "after", "scan", "--device", "escl:mfp")
        [stack] = [each for each in desk.said("status") if each["message_type"] == "stack"]
        assert 0 < stack["sheets"] < 3
        desk.feed(*range(2 * stack["sheets"] + 1, 7))
        assert ended(desk.said("resume"))["state"] == "received"

        house.running[-1].kill9()
        desk.feed(7, 8)
        assert ended(desk.scan())["state"] == "waiting"
        serve(house, desk)
        desk.said("retry")
    assert desk.stacks == []
    first, second = sorted(batches(house.list_json()), key=lambda batch: -len(batch["sources"]))
    for batch in (first, second):
        assert (batch["operator"], batch["channel"], batch["profile"]) == (
            "P-17", "scanner", "posteingang",
        )  # fmt: skip
        assert batch["stage"] != "open"
    known = [hashlib.sha256(picture(number)).hexdigest() for number in range(1, 9)]
    assert [source["sha256"] for batch in (first, second) for source in batch["sources"]] == known
