"""Scenes with stacks of which pages were left out, and with whoever puts them back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ingest.document import Outcome, PageRole, Part, Step
from ingest.ledger import Ledger, Revised, schema
from ingest.ledger.account import DayAccount, day_account
from ingest.ledger.agreement import Examination
from tests.plugins.ledgers import (
    ALL,
    LEASE,
    arrival,
    claim_at,
    digest,
    first_day,
    outcome,
    rows,
)

#: What a page is that is left out, by the name of the reason.
ROLES = {"separator": PageRole.SEPARATOR, "blank": PageRole.BLANK_SUSPECT}


def separated(
    ledger: Ledger,
    cut: Sequence[Sequence[int]] = ((1, 3),),
    omitted: Mapping[int, str] | None = None,
) -> str:
    """Accept a stack and cut it as said, by default leaving out a blank second page."""
    left = {2: "blank"} if omitted is None else omitted
    receipt = ledger.accept(arrival())
    every = [sorted({*(n for part in cut for n in part), *left})]
    claim = claim_at(ledger, Step.SEPARATION, every)
    assert claim.batch_id == receipt.batch_id
    found = Outcome(
        parts=tuple(Part(pages=tuple(part), source=1) for part in cut),
        roles={number: ROLES[kind] for number, kind in left.items()},
        facts={"omitted": [{"page": number, "kind": kind} for number, kind in left.items()]},
    )
    assert ledger.record(claim, found)
    return receipt.batch_id


def to_the_end(ledger: Ledger) -> list[tuple[Step, str]]:
    """Do all ready work; every document makes its own bytes. Say what was done."""
    done: list[tuple[Step, str]] = []
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        found = outcome(ledger.assignment(claim))
        if claim.step is Step.DELIVERY:
            files = {"a.pdf": digest(f"{claim.unit_id}/sealing")}
            found = dataclasses.replace(
                found, facts={"path": f"outbox/{claim.unit_id}", "files": files}
            )
        assert ledger.record(claim, found)
        done.append((claim.step, claim.unit_id))
    return done


def put_back(ledger: Ledger, unit: str, page: int = 2, **named: str) -> Revised:
    return ledger.put_back(unit, page, **{"by": "op17", "reason": "Stempel", **named})


def documents(ledger: Ledger) -> list[Any]:
    """Return all revisions, document by document, oldest first."""
    found = rows(ledger, schema.document)
    return sorted(found, key=lambda row: (row.batch_id, row.ordinal, row.revision))


def disagreements(ledger: Ledger) -> list[str]:
    with ledger.reading() as connection:
        return [f"{place.chain}: {place.reason}" for place in Examination(connection, "default")]


def accounted(ledger: Ledger) -> DayAccount:
    day = first_day(ledger)
    with ledger.reading() as connection:
        return day_account(connection, "default", day, "UTC")
