"""What every way into the house promises to somebody at a scanner."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scanners.stack import (
    Acceptance,
    DeviceLeased,
    Lease,
    LeaseLost,
    ManifestDisagrees,
    Refused,
    StackPage,
    StackState,
)
from scanners.station.house import HttpHouse
from scanners.upload import Station
from tests.plugins.installation import wait_until
from tests.plugins.stations import OPERATOR, House, closing, device, known, opening, page, serving

Houses = tuple[Acceptance, Acceptance]


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "http"])
def houses(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Houses]:
    """One house as two stations see it: beside its ledger, or over the network."""
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_server").create_database()
    whole, names = House(tmp_path_factory.mktemp("house"), url), ("platz-3", "platz-4")
    if request.param == "http":
        with serving(whole.known, whole.seen_by, whole.folder / "upload") as address:
            here, there = (HttpHouse(address, whole.token(name)) for name in names)
            yield here, there
    else:
        first, second = (whole.seen_by(Station(code=name, tenant="default")) for name in names)
        yield first, second
    whole.ledger.close()


@pytest.fixture
def house(houses: Houses) -> Acceptance:
    """The house, as somebody at a scanner sees it."""
    return houses[0]


@pytest.fixture
def there(houses: Houses) -> Acceptance:
    """The same house, as somebody at another station sees it."""
    return houses[1]


@contextmanager
def refusing(code: str) -> Iterator[None]:
    """Expect a refusal that tells a person in German what to do."""
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.code == code
    assert caught.value.operator_text


def but(stack_page: StackPage, **facts: Any) -> StackPage:
    """Return a page of which something else is said."""
    scanned = stack_page.page
    other = dataclasses.replace(scanned, facts=dataclasses.replace(scanned.facts, **facts))
    return dataclasses.replace(stack_page, page=other)


def test_profiles_are_offered_with_what_is_asked_of_the_device(house: Acceptance) -> None:
    offered = {each.name: each for each in house.profiles()}
    assert offered["posteingang"].treatment == "copying"
    assert offered[House.replacing].treatment == "replacing"
    assert "ersetzend-normal" not in offered  # a template that nobody completed
    assert list(offered) == sorted(offered)


def test_a_stack_is_taken_page_by_page_and_closed(house: Acceptance, tmp_path: Path) -> None:
    said = opening()
    begun = house.open(said)
    assert (begun.pages, begun.is_closed) == ((), False)
    pages = [page(tmp_path, number) for number in (1, 2, 3)]
    assert [house.append(said.key, each) for each in pages] == [True, True, True]
    ended = house.close(said.key, closing(*pages))
    assert ended == StackState(
        batch_id=begun.batch_id, pages=tuple(known(each) for each in pages), is_closed=True
    )


def test_opening_twice_is_one_stack(house: Acceptance, tmp_path: Path) -> None:
    said, first = opening(), page(tmp_path, 1)
    begun = house.open(said)
    house.append(said.key, first)
    again = house.open(said)
    assert again == StackState(batch_id=begun.batch_id, pages=(known(first),))


def test_pages_come_in_any_order_and_stand_in_theirs(house: Acceptance, tmp_path: Path) -> None:
    said = opening()
    house.open(said)
    pages = {number: page(tmp_path, number) for number in (3, 1, 2)}
    for each in pages.values():
        house.append(said.key, each)
    assert house.state(said.key).pages == tuple(known(pages[number]) for number in (1, 2, 3))


def test_a_page_received_twice_is_one_page(house: Acceptance, tmp_path: Path) -> None:
    said, first = opening(), page(tmp_path, 1)
    house.open(said)
    assert house.append(said.key, first) is True
    assert house.append(said.key, first) is False
    assert house.state(said.key).pages == (known(first),)


def test_equal_bytes_in_two_places_are_two_pages(house: Acceptance, tmp_path: Path) -> None:
    said = opening()
    house.open(said)
    twins = [page(tmp_path, number, content=b"II*\0 blank") for number in (1, 2)]
    assert [house.append(said.key, each) for each in twins] == [True, True]
    assert len(house.state(said.key).pages) == 2


def test_other_bytes_in_the_same_place_are_refused(house: Acceptance, tmp_path: Path) -> None:
    said, first = opening(), page(tmp_path, 1)
    house.open(said)
    house.append(said.key, first)
    with refusing("page_disagrees"):
        house.append(said.key, page(tmp_path, 1, content=b"II*\0 another"))
    assert house.state(said.key).pages == (known(first),)


def test_bytes_that_do_not_match_their_digest_are_refused(
    house: Acceptance, tmp_path: Path
) -> None:
    said, first = opening(), page(tmp_path, 1)
    house.open(said)
    first.page.path.write_bytes(first.page.path.read_bytes()[::-1])
    with refusing("page_disagrees"):
        house.append(said.key, first)
    assert house.state(said.key).pages == ()


def test_a_page_whose_file_is_gone_is_not_taken(house: Acceptance, tmp_path: Path) -> None:
    said, first = opening(), page(tmp_path, 1)
    house.open(said)
    first.page.path.unlink()
    with pytest.raises(FileNotFoundError):
        house.append(said.key, first)
    assert house.state(said.key).pages == ()


def test_a_sheet_scanned_again_replaces_the_attempt_before(
    house: Acceptance, tmp_path: Path
) -> None:
    said = opening()
    house.open(said)
    first, again = page(tmp_path, 1), page(tmp_path, 1, attempt=2)
    assert house.append(said.key, again) is True
    assert house.append(said.key, first) is True  # late, and replaced already
    assert house.state(said.key).pages == (known(again),)
    assert house.close(said.key, closing(again)).is_closed


@pytest.mark.parametrize(
    "numbers", [(1,), (1, 2, 3), ()], ids=["one too few", "one too many", "none"]
)
def test_a_manifest_that_disagrees_is_refused_and_the_stack_stays_open(
    house: Acceptance, tmp_path: Path, numbers: tuple[int, ...]
) -> None:
    said = opening()
    house.open(said)
    pages = {number: page(tmp_path, number) for number in (1, 2, 3)}
    for number in (1, 2):
        house.append(said.key, pages[number])
    with pytest.raises(ManifestDisagrees) as caught:
        house.close(said.key, closing(*(pages[number] for number in numbers)))
    assert caught.value.operator_text
    assert not house.state(said.key).is_closed
    house.append(said.key, pages[3])
    assert house.close(said.key, closing(*pages.values())).is_closed


def test_a_manifest_with_another_digest_is_refused(house: Acceptance, tmp_path: Path) -> None:
    said, first = opening(), page(tmp_path, 1)
    house.open(said)
    house.append(said.key, first)
    with refusing("manifest_disagrees"):
        house.close(said.key, closing(page(tmp_path, 1, content=b"II*\0 another")))
    assert not house.state(said.key).is_closed


def test_closing_twice_is_closing_once(house: Acceptance, tmp_path: Path) -> None:
    said, first = opening(), page(tmp_path, 1)
    house.open(said)
    house.append(said.key, first)
    ended = closing(first)
    assert house.close(said.key, ended) == house.close(said.key, ended)
    assert house.open(said).is_closed


def test_nothing_is_appended_after_closing(house: Acceptance, tmp_path: Path) -> None:
    said, first = opening(), page(tmp_path, 1)
    house.open(said)
    house.append(said.key, first)
    house.close(said.key, closing(first))
    assert house.append(said.key, first) is False  # repeated: it is there
    with refusing("stack_closed"):
        house.append(said.key, page(tmp_path, 2))
    assert house.state(said.key).pages == (known(first),)


@pytest.mark.parametrize(
    "asked",
    [
        lambda house, key, first: house.state(key),
        lambda house, key, first: house.append(key, first),
        lambda house, key, first: house.close(key, closing(first)),
    ],
    ids=["state", "append", "close"],
)
def test_a_stack_that_nobody_opened_is_unknown(
    house: Acceptance, tmp_path: Path, asked: Callable[..., object]
) -> None:
    with refusing("stack_unknown"):
        asked(house, str(uuid.uuid4()), page(tmp_path, 1))


def test_a_profile_that_does_not_exist_is_unknown(house: Acceptance) -> None:
    said = opening(profile="gibt-es-nicht")
    with refusing("profile_unknown"):
        house.open(said)
    with refusing("profile_unknown"):
        house.admit(device("new"), "gibt-es-nicht", OPERATOR)
    with refusing("stack_unknown"):
        house.state(said.key)


def test_a_profile_that_nobody_released_is_not_scanned_under(house: Acceptance) -> None:
    with refusing("profile_not_released"):
        house.open(opening(profile=House.unapproved))
    with refusing("profile_not_released"):
        house.admit(device("new"), House.unapproved, OPERATOR)


def test_a_device_that_nobody_released_scans_copies_only(house: Acceptance) -> None:
    house.admit(device("copies"), "posteingang", None)
    with refusing("device_not_released"):
        house.admit(device("copies"), House.replacing, OPERATOR)


@pytest.mark.parametrize("nobody", [None, "XX"], ids=["nobody", "not registered"])
def test_whoever_scans_under_a_replacing_profile_is_known_before_paper_moves(
    house: Acceptance, nobody: str | None
) -> None:
    with refusing("operator_unknown"):
        house.admit(device("known"), House.replacing, nobody)
    house.admit(device("known"), "posteingang", nobody)


def test_a_stack_of_somebody_unknown_is_taken_because_a_station_cannot_know(
    house: Acceptance, tmp_path: Path
) -> None:
    said = opening(profile=House.replacing, operator="XX")
    house.open(said)
    first = dataclasses.replace(page(tmp_path, 1), scanned_by=None)
    house.append(said.key, first)
    assert house.close(said.key, closing(first, closed_by="XX")).is_closed


@pytest.mark.parametrize("act", ["admit", "open", "append", "close", "lease"])
def test_a_name_is_never_taken_for_a_code(house: Acceptance, tmp_path: Path, act: str) -> None:
    said, first, name = opening(), page(tmp_path, 1), "Erika Mustermann"
    house.open(said)
    house.append(said.key, first)
    named = dataclasses.replace(page(tmp_path, 2), scanned_by=name)
    acts: dict[str, Callable[[], object]] = {
        "admit": lambda: house.admit(device("name"), "posteingang", name),
        "open": lambda: house.open(opening(operator=name)),
        "append": lambda: house.append(said.key, named),
        "close": lambda: house.close(said.key, closing(first, closed_by=name)),
        "lease": lambda: house.lease(device("name"), name, 30.0),
    }
    with pytest.raises(Refused) as caught:
        acts[act]()
    assert caught.value.code == "operator_unknown"
    assert name not in f"{caught.value}{caught.value.operator_text}"
    assert house.state(said.key) == StackState(
        batch_id=house.open(said).batch_id, pages=(known(first),)
    )


@pytest.mark.parametrize(
    ("numbers", "facts", "said", "told"),
    [
        ((1, 4), {}, {}, "fehlen die Seiten 2, 3"),
        ((1, 2), {2: {"sheet": 9}}, {}, "Seite 2 ist als Blatt 9"),
        ((1, 2), {2: {"side": "front"}}, {}, "Blatt 1, Rückseite"),
        ((1, 2), {}, {"sheets": 999}, "999 Blätter"),
        ((1, 2), {1: {"dpi": 60}}, {}, "Seite 1 hat 60 dpi"),
        ((1, 2), {1: {"mode": "bitonal"}}, {}, "Farbart"),
    ],
    ids=["gap", "sheet", "side", "sheets", "resolution", "mode"],
)
def test_a_manifest_that_its_pages_do_not_bear_out_is_refused(
    house: Acceptance,
    tmp_path: Path,
    numbers: tuple[int, ...],
    facts: dict[int, dict[str, Any]],
    said: dict[str, Any],
    told: str,
) -> None:
    opened = opening()
    house.open(opened)
    pages = [but(page(tmp_path, number), **facts.get(number, {})) for number in numbers]
    for each in pages:
        house.append(opened.key, each)
    with pytest.raises(ManifestDisagrees) as caught:
        house.close(opened.key, closing(*pages, **said))
    assert told in caught.value.operator_text
    assert not house.state(opened.key).is_closed


def test_a_stack_is_its_stations_own(house: Acceptance, there: Acceptance, tmp_path: Path) -> None:
    said, first = opening(), page(tmp_path, 1)
    house.open(said)
    with refusing("stack_of_another"):
        there.open(said)
    with refusing("stack_of_another"):
        there.append(said.key, first)
    with refusing("stack_of_another"):
        there.state(said.key)
    house.append(said.key, first)
    with refusing("stack_of_another"):
        there.close(said.key, closing(first))
    assert house.close(said.key, closing(first)).is_closed


def test_a_device_is_used_by_one_station_at_a_time(house: Acceptance, there: Acceptance) -> None:
    wanted, other = device("shared"), device("other")
    lease = house.lease(wanted, "KL", 30.0)
    with pytest.raises(DeviceLeased) as caught:
        there.lease(wanted, "LTG", 30.0)
    assert "KL" in caught.value.operator_text
    house.renew(lease)
    there.give_back(there.lease(other, "LTG", 30.0))
    house.give_back(lease)
    house.give_back(lease)
    there.give_back(there.lease(wanted, "LTG", 30.0))


def test_a_station_that_asks_again_has_its_device_by_the_new_lease(house: Acceptance) -> None:
    wanted = device("again")
    lost = house.lease(wanted, "KL", 30.0)
    lease = house.lease(wanted, "KL", 30.0)
    house.renew(lease)
    with pytest.raises(LeaseLost):
        house.renew(lost)
    house.give_back(lease)


def test_a_lease_that_was_given_back_or_is_anothers_is_not_renewed(
    house: Acceptance, there: Acceptance
) -> None:
    wanted = device("lost")
    lease = house.lease(wanted, None, 30.0)
    house.give_back(lease)
    with pytest.raises(LeaseLost):
        house.renew(lease)
    theirs = there.lease(wanted, "LTG", 30.0)
    house.give_back(lease)
    there.renew(theirs)
    with pytest.raises(LeaseLost):
        house.renew(Lease(device=theirs.device, token="0" * 32, seconds=30.0))


def test_a_lease_that_ran_out_is_free_for_the_next(house: Acceptance, there: Acceptance) -> None:
    wanted = device("ended")
    lease = house.lease(wanted, "KL", 1e-6)
    taken: list[Lease] = []

    def is_free() -> bool:  # SQLite's clock counts milliseconds
        with contextlib.suppress(DeviceLeased):
            taken.append(there.lease(wanted, "LTG", 30.0))
        return bool(taken)

    wait_until(is_free, "the end of the lease")
    (theirs,) = taken
    with pytest.raises(LeaseLost):
        house.renew(lease)
    there.renew(theirs)
