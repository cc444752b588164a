"""What arrived and what was captured is witnessed, on both databases, and told apart."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.document import Queue, Source, Step
from ingest.hashtree import BRANCH, Tree
from ingest.ledger import (
    Ledger,
    covering,
    evidence,
    integrity,
    open_ledger,
    schema,
    witness,
    witnessed,
)
from ingest.ledger.agreement import Examination
from ingest.ledger.erasure import erase
from ingest.ledger.evidence import joined
from ingest.ledger.witness import CAPTURE, HEADS, RECEIPT
from ingest.ledger.witness_faults import faults
from tests.contracts.test_evidence import stamped
from tests.plugins.authority import Authority
from tests.plugins.ledgers import (
    LEASE,
    arrival,
    change,
    claim_at,
    deliver,
    digest,
    downgrade,
    everything,
    outcome,
    rows,
    source,
    work,
)
from workers.evidence import assembly
from workers.evidence.verification import prove

CUT = ((1, 2), (4,))
_root, _page = schema.witness_root, schema.page


def attest(ledger: Ledger, authority: Authority, seen: int | None = None) -> bool:
    """Have all roots that wait timestamped."""
    with ledger.reading() as connection:
        found = evidence.newest(connection, "default") if seen is None else seen
        roots = witnessed.waiting(connection, "default", 1000)
    tree = Tree([one.root for one in roots])
    with ledger.writing() as connection:
        return witnessed.record(
            connection,
            "default",
            seen=found,
            stamp=stamped(authority, tree),
            roots=[(one, at // BRANCH, at % BRANCH) for at, one in enumerate(roots)],
            branches=((joined(one.leaves), joined(one.path)) for one in tree.branches()),
        )


def found(ledger: Ledger) -> list[tuple[str, str]]:
    with ledger.reading() as connection:
        rest = [(one.chain, one.reason) for one in Examination(connection, "default")]
        rest += assembly.faults(connection, "default")
        return rest + list(faults(connection, "default"))


def proofs(ledger: Ledger, kind: str, unit: str, digests: list[str]) -> list[int]:
    """Return how many timestamps prove each, -1 where none does."""
    with ledger.reading() as connection:
        kept = [witnessed.proof(connection, kind, unit, at) for at in range(len(digests))]
    return [
        -1
        if one is None
        else len(prove(assembly.proving(one), [bytes.fromhex(sha256)] if sha256 else []))
        for one, sha256 in zip(kept, digests, strict=True)
    ]


def captured(ledger: Ledger) -> None:
    """Inspect whatever waits for it, and go no further."""
    while (claim := ledger.claim((Queue.INSPECTION,), "test", LEASE)) is not None:
        assert ledger.record(claim, outcome(ledger.assignment(claim), CUT))


def split(row: Any) -> tuple[bytes, ...]:
    return witness.split(row.salts)


def arrived(ledger: Ledger, *sources: Source, **envelope: Any) -> str:
    return ledger.accept(arrival(*sources, **envelope)).batch_id


def test_roots_are_there_with_the_rows_and_the_events_name_them(ledger: Ledger) -> None:
    batch = arrived(ledger)
    assert [row.kind for row in rows(ledger, _root)] == [RECEIPT]
    claim_at(ledger, Step.SEPARATION, CUT)
    kept = {row.kind: row for row in rows(ledger, _root)}
    assert kept.keys() == {RECEIPT, CAPTURE}
    assert {row.unit for row in kept.values()} == {batch}
    assert len(kept[CAPTURE].leaves) == 4 * 32
    said = {
        name: row.payload[name]
        for row in rows(ledger, schema.event_payload)
        for name in ("receipt_root", "capture_root")
        if name in row.payload
    }
    assert said == {"receipt_root": kept[RECEIPT].root, "capture_root": kept[CAPTURE].root}
    with ledger.reading() as connection:
        capture = witnessed.capture(connection, batch)
    assert capture == {
        "root": kept[CAPTURE].root,
        "pages": 4,
        "stamped_at": None,
        "token_sha256": None,
        "authority": None,
    }


def test_one_timestamp_proves_every_file_and_image_of_many_arrivals(
    ledger: Ledger, authority: Authority
) -> None:
    manifest = source("batch.json")
    batches = [arrived(ledger, source("a"), source("b", ordinal=2)) for _ in range(2)]
    told = ledger.accept(dataclasses.replace(arrival(), manifests=(manifest,))).batch_id
    ledger.accept(arrival(held=("incomplete", "?")))
    captured(ledger)
    assert attest(ledger, authority)
    assert len(rows(ledger, schema.evidence_batch)) == 1
    files: list[str] = []
    for batch in (*batches, told):
        with ledger.reading() as connection:
            files = covering.digests(connection, RECEIPT, batch)
            images = covering.digests(connection, CAPTURE, batch)
        assert len(files) == 2
        assert proofs(ledger, RECEIPT, batch, files) == [1, 1]
        assert proofs(ledger, CAPTURE, batch, images) == [1] * len(images)
    assert manifest.sha256 in files
    assert found(ledger) == []
    with ledger.reading() as connection:
        assert witnessed.waiting(connection, "default", 10) == []
        assert witnessed.capture(connection, told)["authority"] is not None


def test_a_timestamp_that_came_too_late_places_nothing(
    ledger: Ledger, authority: Authority
) -> None:
    arrived(ledger)
    assert attest(ledger, authority)
    arrived(ledger)
    before = everything(ledger)
    assert not attest(ledger, authority, seen=0)
    assert everything(ledger) == before


@pytest.mark.parametrize("kind", [RECEIPT, CAPTURE])
def test_what_was_exchanged_after_capture_is_named(
    ledger: Ledger, authority: Authority, kind: str
) -> None:
    batch = arrived(ledger, source("a"), source("b", ordinal=2))
    claim_at(ledger, Step.SEPARATION, CUT)
    assert attest(ledger, authority)
    assert found(ledger) == []
    second = {
        RECEIPT: sa.update(schema.batch_source).where(schema.batch_source.c.ordinal == 2),
        CAPTURE: sa.update(_page).where(_page.c.number == 2),
    }[kind]
    change(ledger, second.values(sha256=digest("another")))
    name = {RECEIPT: "Eingang", CAPTURE: "Erfassung"}[kind]
    part = {RECEIPT: "Datei 2", CAPTURE: "Seite 2"}[kind]
    said = [reason for concerned, reason in found(ledger) if concerned == f"{name} {batch}"]
    assert said == [f"{part} ist nicht die, über die die Wurzel gebildet wurde"]


def test_erasing_takes_which_leaf_it_was_and_leaves_the_rest_provable(
    ledger: Ledger, authority: Authority
) -> None:
    batch = arrived(ledger, source("a", "first"), source("b", "second", ordinal=2))
    other = arrived(ledger)
    deliver(ledger, CUT)
    assert attest(ledger, authority)
    document = next(row for row in rows(ledger, schema.document) if row.batch_id == batch)
    with ledger.writing() as connection:
        erase(connection, document.id, "op17", "Irrläufer")
    assert found(ledger) == []
    with ledger.reading() as connection:
        images = covering.digests(connection, CAPTURE, batch)
    assert [bool(sha256) for sha256 in images] == [n not in document.pages for n in (1, 2, 3, 4)]
    assert proofs(ledger, CAPTURE, batch, images) == [1 if sha256 else -1 for sha256 in images]
    with ledger.writing() as connection:
        erase(connection, batch, "op17", "Irrläufer")
    assert found(ledger) == []
    kept = everything(ledger)
    assert digest("first") not in kept
    assert {salt for row in rows(ledger, _root) if row.unit == batch for salt in split(row)} == {
        witness.GONE
    }
    assert proofs(ledger, RECEIPT, batch, ["", ""]) == [-1, -1]
    with ledger.reading() as connection:
        files = covering.digests(connection, RECEIPT, other)
    assert proofs(ledger, RECEIPT, other, files) == [1]


def test_what_arrived_before_there_were_roots_gets_them_and_history_says_so(
    ledger: Ledger, authority: Authority
) -> None:
    batch = arrived(ledger)
    captured(ledger)
    fresh = arrived(ledger, tenant="other")
    change(ledger, sa.delete(_root))
    change(ledger, sa.delete(schema.event_payload))
    with ledger.writing() as connection:
        assert witnessed.catch_up(connection, "default") == 1
        assert witnessed.catch_up(connection, "default") == 0
    assert {(row.kind, row.unit) for row in rows(ledger, _root)} == {
        (RECEIPT, batch),
        (CAPTURE, batch),
    }
    assert fresh not in {row.unit for row in rows(ledger, _root)}
    assert attest(ledger, authority)
    with ledger.reading() as connection:
        assert list(faults(connection, "default")) == []


def test_a_ledger_with_rows_is_upgraded(ledger_url: str, authority: Authority) -> None:
    ledger = open_ledger(ledger_url)
    batch = arrived(ledger)
    captured(ledger)
    with ledger.writing() as connection:
        integrity.anchor(connection, "default", dt.date(2026, 11, 22))
    downgrade(ledger, "0006")
    ledger.close()
    upgraded = open_ledger(ledger_url)
    assert rows(upgraded, _root) == []
    with upgraded.writing() as connection:
        assert witnessed.catch_up(connection, "default") == 1
    assert attest(upgraded, authority)
    units = {row.unit for row in rows(upgraded, _root) if row.batch_id}
    assert units == {batch, "default/2026-11-22"}
    assert found(upgraded) == []
    upgraded.close()


def test_a_day_is_proven_from_its_chains_to_the_timestamp(
    ledger: Ledger, authority: Authority
) -> None:
    arrived(ledger)
    work(ledger)
    day = dt.date(2026, 11, 22)
    with ledger.writing() as connection:
        root = integrity.anchor(connection, "default", day)
    assert attest(ledger, authority)
    assert found(ledger) == []
    unit = witness.day_of("default", day.isoformat())
    assert proofs(ledger, HEADS, unit, [root.root]) == [1]


def test_steps_of_documents_are_told_what_proves_the_capture(
    ledger: Ledger, authority: Authority
) -> None:
    arrived(ledger)
    page = claim_at(ledger, Step.RECOGNITION, CUT)
    assert ledger.assignment(page).captures == ()
    assert ledger.record(page, outcome(ledger.assignment(page), CUT))
    noting = claim_at(ledger, Step.NOTE, CUT)
    (before,) = ledger.assignment(noting).captures
    assert (before["pages"], before["images"], before["stamped_at"]) == (4, [1, 2], None)
    assert attest(ledger, authority)
    (after,) = ledger.assignment(noting).captures
    assert after["root"] == before["root"]
    assert after.keys() == {"root", "pages", "images", "stamped_at", "token_sha256", "authority"}
    assert None not in after.values()
