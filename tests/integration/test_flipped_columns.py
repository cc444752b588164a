"""One changed character in whatever the ledger keeps as history or proof is found and named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ingest.ledger import Ledger, integrity
from ingest.ledger.agreement import Examination
from ingest.ledger.witness_faults import faults
from tests.contracts.test_evidence import renew, secure
from tests.contracts.test_witness import attest
from tests.plugins.authority import Authority
from tests.plugins.emptied import empty_ledger
from tests.plugins.flipping import changed, changes, filled, flipped, undone
from tests.plugins.ledgers import arrival, deliver, source
from workers.evidence import assembly

_CHAINS = """
    chain.tenant chain.unit_kind chain.length chain.head
    event.tenant event.kind event.at event.actor event.payload_digest event.previous event.digest
    event_payload.tenant event_payload.salt event_payload.payload
    merkle_root.root merkle_root.heads merkle_root.anchored_at
"""
_EVIDENCE = """
    evidence_batch.tenant evidence_batch.over evidence_batch.algorithm evidence_batch.root
    evidence_batch.leaves evidence_batch.token evidence_batch.stamped_at evidence_batch.authority
    evidence_batch.certificate_ends_at evidence_batch.renew_before evidence_batch.renewed_by
    evidence_batch.recorded_at evidence_renewal.tenant evidence_renewal.path
    evidence_branch.tenant evidence_branch.leaves
    evidence_leaf.tenant evidence_leaf.branch evidence_leaf.place evidence_leaf.members
    witness_root.kind witness_root.unit witness_root.tenant witness_root.root witness_root.leaves
    witness_root.salts witness_root.known_at witness_root.branch witness_root.place
"""
_ROWS = """
    batch.tenant batch.stage batch.standing batch.profile batch.profile_sha256 batch.channel
    batch.operator batch.received_at batch.received_at_source batch.registered_at batch.facts
    batch_source.name batch_source.name_base64 batch_source.sha256 batch_source.size
    batch_source.kind batch_source.pages batch_source.facts
    document.tenant document.consignment_id document.ordinal document.revision document.stage
    document.standing document.source document.pages document.review_open document.facts
    page.number page.source page.frame page.sha256 page.words_sha256 page.facts
    page.role page.sheet page.side page.tenant batch_source.tenant
    rendition.unit_id rendition.kind rendition.sha256 consignment.received_at blob.sha256
"""
COLUMNS = [*_CHAINS.split(), *_EVIDENCE.split(), *_ROWS.split()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Ledger]:
    """A ledger with all that can be there: two batches, proofs, a day, renewals."""
    ledger = empty_ledger(tmp_path_factory.mktemp("flipped") / "ledger.sqlite")
    ledger.accept(arrival(source("a"), held=("incomplete", "?")))
    received_at = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    ledger.accept(arrival(source("b"), received_at=received_at, received_at_source="stamp"))
    deliver(ledger, ((1, 2), (4,)))
    with ledger.writing() as connection:
        integrity.anchor(connection, "default", dt.date(2026, 11, 22))
    assert secure(ledger, authority) == 2
    assert attest(ledger, authority)
    assert renew(ledger, authority, dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    yield ledger
    ledger.close()


def named(connection: sa.Connection) -> Iterator[str]:
    """Yield what is found, so that whoever needs to know only whether there is any may stop."""
    for one in Examination(connection, "default"):
        yield f"{one.chain}: {one.reason}"
    for concerned, reason in assembly.faults(connection, "default"):
        yield f"{concerned}: {reason}"
    for concerned, reason in faults(connection, "default"):
        yield f"{concerned}: {reason}"


def found(connection: sa.Connection) -> list[str]:
    return list(named(connection))


def test_nothing_is_found_where_nothing_was_changed(whole: Ledger) -> None:
    with whole.reading() as connection:
        assert found(connection) == []


@pytest.mark.parametrize("column", COLUMNS)
def test_one_changed_character_is_named(whole: Ledger, column: str) -> None:
    name, field = column.split(".")
    with undone(whole) as connection:
        rows = filled(connection, name, field)
        chosen = [*rows[:1], *rows[1:][-1:]]
        for kept, other in ((one, other) for one in chosen for other in changes(one[field])):
            with changed(connection, name, kept, field, other):
                said = next(named(connection), None)
            assert said is not None, f"{column}: {kept[field]!r} became {other!r}"


@pytest.mark.parametrize("at", [0, 3, -1])
def test_json_that_is_none_any_more_is_named_and_no_error(whole: Ledger, at: int) -> None:
    plain = sa.table("event_payload", sa.column("chain"), sa.column("seq"), sa.column("payload"))
    with undone(whole) as connection:
        for chain, seq, kept in connection.execute(sa.select(*plain.c)).all()[::12]:
            damaged = sa.update(plain).where(plain.c.chain == chain, plain.c.seq == seq)
            connection.execute(damaged.values(payload=flipped(kept, at % len(kept))))
            assert any(one.startswith(f"{chain}: ") for one in found(connection)), (chain, seq)
            connection.execute(damaged.values(payload=kept))
        assert found(connection) == []
