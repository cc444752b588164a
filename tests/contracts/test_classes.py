"""A document under a profile of its own: its steps, its pages and everybody who asks know it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.document import Assignment, Part, Priority, ProfileChoice, Step
from ingest.ledger import Ledger, schema
from ingest.ledger.agreement import Examination
from ingest.ledger.showing import show
from tests.plugins.ledgers import (
    ALL,
    LEASE,
    PROFILE,
    arrival,
    change,
    claim_at,
    digest,
    events,
    outcome,
    rows,
)

URGENT = ProfileChoice(
    name="eilt",
    sha256=digest("eilt 1"),
    content={"name": "eilt", "treatment": "copying"},
    priority=int(Priority.DEADLINE),
)


def separated(ledger: Ledger, *choices: ProfileChoice | None) -> str:
    """Accept and cut a batch into a document of one page for each choice; return its id."""
    receipt = ledger.accept(arrival())
    cut = [[number] for number in range(1, len(choices) + 1)]
    claim = claim_at(ledger, Step.SEPARATION, cut)
    found = outcome(ledger.assignment(claim), cut)
    parts = tuple(
        Part(pages=part.pages, source=1, profile=choice)
        for part, choice in zip(found.parts, choices, strict=True)
    )
    assert ledger.record(claim, dataclasses.replace(found, parts=parts))
    return receipt.batch_id


def to_the_end(ledger: Ledger) -> list[Assignment]:
    """Do all work; return what each step was told, in the order of the work."""
    told = []
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        told.append(ledger.assignment(claim))
        assert ledger.record(claim, outcome(told[-1]))
    return told


def test_a_document_and_its_pages_go_under_their_own_profile(ledger: Ledger) -> None:
    batch = separated(ledger, None, URGENT)
    told = to_the_end(ledger)
    first, second = rows(ledger, schema.document)
    assert {a.profile_sha256 for a in told if a.unit_id == second.id} == {URGENT.sha256}
    assert {a.profile["name"] for a in told if a.unit_id == first.id} == {"posteingang"}
    pages = {a.page.number: a.profile for a in told if a.step is Step.RECOGNITION}
    assert pages == {1: PROFILE, 2: URGENT.content}
    listed = {}
    for unit in (batch, first.id, second.id):
        with ledger.reading() as connection:
            listed[unit] = show(connection, unit)
    assert [listed[unit]["profile"] for unit in (batch, first.id, second.id)] == [
        "posteingang",
        "posteingang",
        "eilt",
    ]
    assert listed[second.id]["profile_sha256"] == URGENT.sha256
    assert listed[first.id]["profile_sha256"] == digest("posteingang 1")


def test_the_more_urgent_class_goes_first(ledger: Ledger) -> None:
    separated(ledger, None, URGENT)
    order = [assignment.unit_id for assignment in to_the_end(ledger) if assignment.document]
    first, second = (row.id for row in rows(ledger, schema.document))
    assert set(order[: order.index(first)]) == {second}


def test_the_same_version_is_kept_once_and_every_version_is_kept(ledger: Ledger) -> None:
    changed = dataclasses.replace(URGENT, sha256=digest("eilt 2"))
    separated(ledger, URGENT, URGENT)
    separated(ledger, URGENT, changed)
    kept = [row.sha256 for row in rows(ledger, schema.profile_version) if row.name == "eilt"]
    assert sorted(kept) == sorted([URGENT.sha256, changed.sha256])


@pytest.mark.parametrize("altered", [{"profile": "archiv"}, {"profile_sha256": None}])
def test_another_profile_than_the_captured_one_is_found(
    ledger: Ledger, altered: dict[str, Any]
) -> None:
    separated(ledger, URGENT)
    to_the_end(ledger)
    (document,) = rows(ledger, schema.document)
    assert "captured" in events(ledger, document.id)
    with ledger.reading() as connection:
        assert list(Examination(connection, "default")) == []
    change(ledger, sa.update(schema.document).values(**altered))
    with ledger.reading() as connection:
        (broken,) = Examination(connection, "default")
    assert "Profil" in broken.reason
