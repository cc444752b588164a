"""Standings as data: every one reaches an end, and only a held unit is rejected."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.document import ENDS, MOVES, Standing
from ingest.ledger.moves import IllegalMove, move

_standings = st.sampled_from(Standing)


def _reachable(start: Standing) -> set[Standing]:
    seen, open_ = {start}, [start]
    while open_:
        new = MOVES[open_.pop()] - seen
        seen |= new
        open_.extend(new)
    return seen


def test_every_standing_has_its_moves() -> None:
    assert set(MOVES) == set(Standing)


@given(_standings)
def test_every_standing_reaches_an_end(start: Standing) -> None:
    assert _reachable(start) & ENDS


@given(_standings)
def test_every_standing_that_is_no_end_reaches_done_or_a_person(start: Standing) -> None:
    if start not in ENDS:
        assert {Standing.DONE, Standing.REJECTED} <= _reachable(start)


@given(_standings)
def test_rejection_follows_only_a_person_s_look(before: Standing) -> None:
    assert (Standing.REJECTED in MOVES[before]) == (before is Standing.HELD)


@given(_standings)
def test_quarantine_leads_nowhere_but_to_the_clerk(after: Standing) -> None:
    allowed = {Standing.HELD, Standing.SUPERSEDED}
    assert (after in MOVES[Standing.QUARANTINED]) == (after in allowed)


@given(st.sampled_from(sorted(ENDS)), _standings)
def test_an_end_is_left_only_for_a_newer_revision_or_a_note_that_is_added(
    end: Standing, after: Standing
) -> None:
    if after in MOVES[end]:
        assert end is Standing.DONE
        assert after in {Standing.SUPERSEDED, Standing.READY}


@given(_standings, _standings)
def test_a_move_is_made_where_it_is_allowed_and_refused_elsewhere(
    before: Standing, after: Standing
) -> None:
    if after in MOVES[before]:
        assert move(before, after) is after
        return
    with pytest.raises(IllegalMove):
        move(before, after)


@given(_standings, st.lists(st.integers(0, 99), max_size=50))
def test_no_walk_rejects_without_being_held_before(start: Standing, choices: list[int]) -> None:
    walk = [start]
    for choice in choices:
        following = sorted(MOVES[walk[-1]])
        if not following:
            break
        walk.append(following[choice % len(following)])
    for before, after in itertools.pairwise(walk):
        if after is Standing.REJECTED:
            assert before is Standing.HELD
