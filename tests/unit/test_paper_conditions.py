"""No condition for the destruction of paper can be left out, alone or with others."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.document import PAPER_ENDS, PAPER_MOVES, PaperStage
from ingest.ledger.conditions import (
    CONDITIONS,
    CONDITIONS_ERASED,
    Circumstances,
    Proof,
    first_free_day,
    missing,
)

BERLIN = ZoneInfo("Europe/Berlin")
DELIVERED = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
RULES: Final[dict[str, Any]] = {
    "treatment": "replacing",
    "protection": {"integrity": "high"},
    "paper": {"after": "destroy", "waiting_days": 183, "archive": "disposable"},
}
PDF = "ab" * 32
WHOLE: Final = Circumstances(
    stage=PaperStage.STORED,
    wanted=PaperStage.STORED,
    place="Karton 7",
    document="d",
    facts={
        "note": {"complete": True, "counts_as": "replacing"},
        "delivery": {"files": {"a.pdf": PDF}},
    },
    rules=RULES,
    present_rules=RULES,
    standing="done",
    delivered=True,
    superseded=False,
    review_open=False,
    erased_at=None,
    opened="opened",
    pdf_sha256=PDF,
    proof=Proof(sha256=PDF, fault=None),
    delivered_at=DELIVERED,
    backed_up_at=DELIVERED + dt.timedelta(days=1),
    holds=(),
    free_since_at=None,
    under_way=(),
    has_evidence=True,
    shares_sheets_with=(),
    scanned_by=("SCN",),
    unknown_scanners=(),
    now=DELIVERED + dt.timedelta(days=184),
    zone=BERLIN,
)


def paper(**changed: Any) -> dict[str, Any]:
    return {**RULES, "paper": {**RULES["paper"], **changed}}


def facts(**changed: Any) -> dict[str, Any]:
    return {"facts": {**WHOLE.facts, **changed}}


#: By condition: each way in which it may be missing.
BREACHES: Final[dict[str, list[dict[str, Any]]]] = {
    "stored": [
        *({"stage": stage} for stage in PaperStage if stage is not PaperStage.STORED),
        {"place": None},
    ],
    "replacing": [{"rules": {**RULES, "treatment": "copying"}}],
    "confirmed": [
        facts(note={"complete": True}),
        facts(note={"complete": True, "counts_as": "copying"}),
        facts(confirmation={"counts_as": "copying"}),
        facts(note={"statement": {"x": 1}, "treatment": "kopierend"}),
        facts(
            note={"statement": {"x": 1}, "treatment": "kopierend"},
            confirming={"treatment": "ersetzend"},
        ),
        facts(confirming={"treatment": "kopierend"}, confirmation_delivery={}),
    ],
    "noted": [
        facts(note={"counts_as": "replacing"}),
        facts(note={"counts_as": "replacing", "complete": "yes"}),
        facts(note={"treatment": "ersetzend", "statement": None}),
    ],
    "sealed": [
        {"proof": None},
        {"proof": Proof(sha256="cd" * 32, fault=None)},
        {"proof": Proof(sha256=PDF, fault="gebrochen")},
        {"pdf_sha256": None},
    ],
    "delivered": [
        {"delivered": False},
        {"delivered_at": None},
        facts(delivery={}),
        facts(delivery={"files": {"a.pdf": "cd" * 32}}),
    ],
    "backed_up": [
        {"backed_up_at": None},
        {"backed_up_at": DELIVERED + dt.timedelta(minutes=9)},
    ],
    "waited": [
        {"now": DELIVERED + dt.timedelta(days=183)},
        {"free_since_at": DELIVERED + dt.timedelta(days=2)},
        {"present_rules": paper(waiting_days=184)},
        {"rules": paper(waiting_days=184)},
    ],
    "unheld": [{"holds": (2,)}],
    "not_owed": [
        {"opened": "opened_by_mistake"},
        {"rules": paper(after="return")},
        {"present_rules": paper(after="return")},
    ],
    "archived": [
        {"present_rules": paper(archive="open")},
        {"present_rules": None, "rules": paper(archive="open")},
        {"present_rules": paper(archive="paper")},
        {"rules": paper(archive="paper")},
    ],
    "final": [
        {"superseded": True},
        {"review_open": True},
        *({"standing": standing} for standing in ("held", "waiting", "rejected", "superseded")),
    ],
    "no_rescan": [{"under_way": ("e",)}],
    "evidenced": [
        {"has_evidence": False},
        {
            "has_evidence": False,
            "rules": {**RULES, "protection": {"integrity": "normal"}},
        },
    ],
    "own_sheets": [{"shares_sheets_with": ("e",)}],
    "confirmed_since": [{"restored_at": DELIVERED}],
    "scanned_by": [
        {"scanned_by": (None,)},
        {"scanned_by": ()},
        {"scanned_by": ("SCN", None)},
        {"unknown_scanners": ("SCN",)},
    ],
}
ERASED_BREACHES: Final[list[tuple[str, dict[str, Any]]]] = [
    ("had_replaced", {"replaced": False}),
    ("erased_by", {"erased_by": ()}),
    ("erased_by", {"unknown_erasers": ("LOE",)}),
]
SINGLE: Final = [(name, breach) for name, ways in BREACHES.items() for breach in ways]


def lacking(case: Circumstances) -> set[str]:
    return {condition.name for condition, _ in missing(case)}


def test_with_everything_there_paper_may_go() -> None:
    assert lacking(WHOLE) == set()
    later = facts(
        note={"complete": True, "counts_as": "copying"}, confirmation={"counts_as": "replacing"}
    )
    assert lacking(dataclasses.replace(WHOLE, **later)) == set()
    decided: dict[str, Any] = {
        "rules": paper(archive="open"),
        "present_rules": paper(archive="general_rule"),
    }
    assert lacking(dataclasses.replace(WHOLE, **decided)) == set()


def test_every_condition_is_broken_here_in_some_way() -> None:
    assert {condition.name for condition in CONDITIONS} == BREACHES.keys()
    assert len({condition.title for condition in CONDITIONS}) == len(CONDITIONS)


@pytest.mark.parametrize(("name", "breach"), SINGLE)
def test_each_condition_alone_keeps_the_paper(name: str, breach: dict[str, Any]) -> None:
    case = dataclasses.replace(WHOLE, **breach)
    assert name in lacking(case)
    assert all(text.strip().endswith(".") or ":" in text for _, text in missing(case))


@pytest.mark.parametrize("state", ["open", "stopped", "refused", "pending"])
def test_a_check_that_was_stopped_anew_keeps_the_paper(state: str) -> None:
    case = dataclasses.replace(WHOLE, quality={"state": state})
    assert [condition.name for condition, _ in missing(case)] == ["confirmed"]
    for closed in ("passed", "confirmed"):
        assert list(missing(dataclasses.replace(WHOLE, quality={"state": closed}))) == []


@given(st.lists(st.sampled_from(SINGLE), min_size=1, max_size=6))
def test_no_breach_makes_up_for_another(breaches: list[tuple[str, dict[str, Any]]]) -> None:
    """Breaches of different fields never heal one another, whichever come together."""
    changed: dict[str, Any] = {}
    names = set()
    for name, breach in breaches:
        if not changed.keys() & breach.keys():
            changed |= breach
            names.add(name)
    touched = set(changed)
    found = lacking(dataclasses.replace(WHOLE, **changed))
    sure = {n for n in names if n != "evidenced" or not touched & {"present_rules"}}
    assert sure - {"waited", "archived", "not_owed"} <= found
    assert found


def test_the_days_are_those_of_the_house() -> None:
    late = dt.datetime(2026, 3, 1, 23, 30, tzinfo=dt.UTC)  # 2 March in Berlin
    case = dataclasses.replace(WHOLE, delivered_at=late)
    assert first_free_day(case) == dt.date(2026, 9, 2)
    in_utc = dataclasses.replace(case, zone=dt.UTC)
    assert first_free_day(in_utc) == dt.date(2026, 9, 1)
    last_second = dt.datetime(2026, 9, 1, 21, 59, 59, tzinfo=dt.UTC)  # 23:59:59 in summer time
    assert lacking(dataclasses.replace(case, now=last_second)) == {"waited"}
    midnight = last_second + dt.timedelta(seconds=1)
    assert lacking(dataclasses.replace(case, now=midnight)) == set()


@given(hours=st.integers(0, 200_000), days=st.integers(0, 2000), later=st.integers(0, 2000))
def test_waiting_is_never_shorter_than_any_minimum(hours: int, days: int, later: int) -> None:
    at = DELIVERED + dt.timedelta(hours=hours)
    rules: dict[str, Any] = {
        "rules": paper(waiting_days=days),
        "present_rules": paper(waiting_days=later),
    }
    case = dataclasses.replace(WHOLE, delivered_at=at, **rules)
    day = first_free_day(case)
    assert day is not None
    assert (day - at.astimezone(BERLIN).date()).days == max(days, later) + 1


def test_an_erased_document_has_conditions_of_its_own() -> None:
    gone: dict[str, Any] = {"delivered": False, "proof": None, "facts": {}, "replaced": True}
    erased = dataclasses.replace(WHOLE, erased_at=DELIVERED, erased_by=("LOE",), **gone)
    assert lacking(erased) == set()
    for name, breach in ERASED_BREACHES:
        assert lacking(dataclasses.replace(erased, **breach)) == {name}
    names = {condition.name for condition in CONDITIONS_ERASED}
    own = {name for name, _ in ERASED_BREACHES}
    for name in names - {"erased"} - own:
        for breach in BREACHES[name]:
            if name == "waited" and "free_since_at" not in breach and "now" not in breach:
                continue
            assert name in lacking(dataclasses.replace(erased, **breach)), (name, breach)
    assert lacking(dataclasses.replace(erased, erased_at=WHOLE.now)) == {"waited"}


def test_destruction_follows_release_and_nothing_else() -> None:
    before = {stage for stage, after in PAPER_MOVES.items() if PaperStage.DESTROYED in after}
    assert before == {PaperStage.RELEASED}
    before = {stage for stage, after in PAPER_MOVES.items() if PaperStage.RELEASED in after}
    assert before == {PaperStage.STORED}
    assert all(PAPER_MOVES[end] == frozenset() for end in PAPER_ENDS)
