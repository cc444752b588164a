"""A supplementary note that comes later gets a root of its own; no recorded leaf changes."""

from __future__ import annotations

import dataclasses

import pytest
import sqlalchemy as sa

from ingest.document import Outcome, RenditionKind, Step
from ingest.ledger import Ledger, accepting, confirming, schema, witness
from ingest.ledger.agreement import Examination
from ingest.ledger.erasure import erase
from ingest.ledger.witness_faults import faults
from tests.contracts.test_witness import attest, proofs
from tests.plugins.authority import Authority
from tests.plugins.ledgers import ALL, LEASE, arrival, deliver, digest, rendition, rows

MADE = {
    Step.CONFIRMING: (RenditionKind.SUPPLEMENT, "note"),
    Step.CONFIRMATION_SEALING: (RenditionKind.SUPPLEMENT_SEAL, "seal"),
}


@pytest.fixture
def document(ledger: Ledger) -> str:
    """A delivered document with its supplementary note, sealed and delivered."""
    ledger.accept(arrival())
    deliver(ledger, ((1,),))
    (row,) = rows(ledger, schema.document)
    with ledger.writing() as connection:
        query = sa.select(schema.document).where(schema.document.c.id == row.id)
        found = connection.execute(query.with_for_update()).one()
        confirming.begin(connection, found, accepting.now(connection))
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        outcome = Outcome(facts={"treatment": "ersetzend", "files": {}, "stem": "a"})
        if claim.step in MADE:
            kind, content = MADE[claim.step]
            made = rendition(kind, digest("pdf"), content)
            outcome = dataclasses.replace(outcome, renditions=(made,))
        assert ledger.record(claim, outcome)
    return str(row.id)


def named(ledger: Ledger, document: str) -> list[str]:
    with ledger.reading() as connection:
        assert list(Examination(connection, "default")) == []
        return [f"{what}: {why}" for what, why in faults(connection, "default", document)]


def test_note_and_seal_are_the_leaves_of_a_root_that_the_event_names(
    ledger: Ledger, document: str
) -> None:
    (root,) = [row for row in rows(ledger, schema.witness_root) if row.kind == witness.SUPPLEMENT]
    salts = witness.split(root.salts)
    leaves = [
        witness.leaf(digest(content), salt)
        for content, salt in zip(("note", "seal"), salts, strict=True)
    ]
    assert (root.unit, list(witness.split(root.leaves))) == (document, leaves)
    assert root.batch_id is None, "it waits for its timestamp as all roots do"
    assert named(ledger, document) == []


@pytest.mark.parametrize("kind", [RenditionKind.SUPPLEMENT, RenditionKind.SUPPLEMENT_SEAL])
def test_what_was_exchanged_afterwards_is_named(
    ledger: Ledger, document: str, kind: RenditionKind
) -> None:
    table = schema.rendition
    with ledger.writing() as connection:
        change = sa.update(table).where(table.c.unit_id == document, table.c.kind == kind)
        connection.execute(change.values(sha256=digest("another")))
    with ledger.reading() as connection:
        (fault,) = [why for _, why in faults(connection, "default", document)]
    assert "nicht die, über die die Wurzel gebildet wurde" in fault


def test_a_root_that_was_taken_away_is_missed(ledger: Ledger, document: str) -> None:
    table = schema.witness_root
    with ledger.writing() as connection:
        connection.execute(sa.delete(table).where(table.c.unit == document))
    with ledger.reading() as connection:
        (fault,) = faults(connection, "default", document)
    assert fault == (
        f"Ergänzungsvermerk {document}",
        "das Ereignis nennt eine Wurzel, sie fehlt",
    )


def test_erasing_takes_what_the_leaves_were(ledger: Ledger, document: str) -> None:
    with ledger.writing() as connection:
        erase(connection, document, "op17", "Irrläufer", lambda _: {})
    (root,) = [row for row in rows(ledger, schema.witness_root) if row.kind == witness.SUPPLEMENT]
    assert set(witness.split(root.salts)) == {witness.GONE}
    assert named(ledger, document) == []


def test_one_timestamp_proves_note_and_seal_each_alone(
    ledger: Ledger, document: str, authority: Authority
) -> None:
    digests = [digest(content) for content in ("note", "seal")]
    assert proofs(ledger, witness.SUPPLEMENT, document, digests) == [-1, -1]
    assert attest(ledger, authority)
    assert proofs(ledger, witness.SUPPLEMENT, document, digests) == [1, 1]
    assert named(ledger, document) == []
