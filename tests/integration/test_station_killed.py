"""A station that is killed at any moment goes on with its stack: nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.escl_device import EsclDevice, serving
from tests.plugins.station_desk import StationDesk, desk_at, pictures
from tests.plugins.station_killing import killed


@pytest.fixture(scope="module")
def device() -> Iterator[EsclDevice]:
    with serving(EsclDevice()) as found:
        yield found


@pytest.fixture
def desk(tmp_path: Path, device: EsclDevice, capsys: pytest.CaptureFixture[str]) -> StationDesk:
    found = desk_at(tmp_path, device, capsys)
    found.paired()
    return found


#: Lines: device_held, page 1, page 2, page 3, closing.
@pytest.mark.parametrize(
    ("what", "number", "moment", "safe"),
    [
        ("begin", 3, "before", None), ("begin", 3, "after", 0), ("page", 2, "after", 1),
        ("line", 3, "midst", 1), ("line", 5, "midst", 3), ("line", 5, "after", 3),
    ],
)  # fmt: skip
def test_a_scan_that_is_killed_goes_on_after_the_last_sheet_that_counts(
    desk: StationDesk, what: str, number: int, moment: str, safe: int | None
) -> None:
    """The operator feeds again from the sheet after the one that `status` names."""
    desk.feed(1, 2, 3)
    killed(desk, what, number, moment, "scan", "--device", "escl:mfp")
    stacks = [each for each in desk.said("status") if each["message_type"] == "stack"]
    if safe is None:
        assert stacks == []
        return
    [stack] = stacks
    assert stack["sheets"] == safe
    with desk.open_house():
        if stack["state"] == "open" and safe < 3:
            desk.feed(*range(safe + 1, 4))
            desk.said("resume")
        elif stack["state"] == "open":
            desk.said("close")
        else:
            desk.said("retry")
    assert pictures(desk.house, stack["key"]) == [1, 2, 3]
    assert desk.house.log(stack["key"]) == ["1 1 new", "2 1 new", "3 1 new", "closed"]
    assert desk.stacks == []


#: Lines of carrying: taken 1, 2, 3, ended.
@pytest.mark.parametrize(
    ("what", "number", "moment"),
    [("line", 2, "midst"), ("line", 4, "before"), ("remove", 1, "before")],
)  # fmt: skip
def test_a_carrying_that_is_killed_carries_the_rest(
    desk: StationDesk, what: str, number: int, moment: str
) -> None:
    desk.feed(1, 2, 3)
    [key] = [each["key"] for each in desk.scan() if each.get("event") == "ended"]
    with desk.open_house():
        killed(desk, what, number, moment, "retry")
        desk.said("retry")
    assert pictures(desk.house, key) == [1, 2, 3]
    new = [line for line in desk.house.log(key) if line.endswith("new")]
    assert new == ["1 1 new", "2 1 new", "3 1 new"]
    assert desk.house.state(key).is_closed
    assert desk.stacks == []
