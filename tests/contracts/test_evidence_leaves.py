"""Each document is the leaf as which it was secured, or the loss is named, on both databases."""

from __future__ import annotations

import sqlalchemy as sa

from ingest.ledger import Ledger, schema
from ingest.ledger.erasure import erase
from tests.contracts.test_evidence import found, secure
from tests.plugins.authority import Authority
from tests.plugins.ledgers import arrival, change, deliver, rows

_batch, _leaf = schema.evidence_batch, schema.evidence_leaf


def test_a_lost_leaf_is_found_even_when_there_is_a_newer_one(
    ledger: Ledger, authority: Authority
) -> None:
    ledger.accept(arrival())
    gone = ledger.accept(arrival())
    deliver(ledger, ((1,),))
    secure(ledger, authority)
    with ledger.writing() as connection:
        erase(connection, gone.batch_id, "op17", "Irrläufer")
    assert found(ledger) == []
    (document,) = {row.document_id for row in rows(ledger, _leaf)}
    first = rows(ledger, _batch)[0].id
    change(ledger, sa.delete(_leaf))
    lost = f"sein Blatt unter Zeitstempel {first} fehlt"
    assert found(ledger) == [(f"Dokument {document}", lost)]
    assert secure(ledger, authority) == 1
    assert found(ledger) == [(f"Dokument {document}", f"{lost}, es hat nur ein späteres")]


def test_a_leaf_that_was_given_to_another_document_or_timestamp_is_found(
    ledger: Ledger, authority: Authority
) -> None:
    ledger.accept(arrival())
    deliver(ledger, ((1,),))
    secure(ledger, authority)
    ledger.accept(arrival())
    deliver(ledger, ((1,),))
    secure(ledger, authority)
    old, new = sorted(rows(ledger, _leaf), key=lambda row: int(row.batch_id))
    mine = _leaf.c.document_id == old.document_id
    change(ledger, sa.update(_leaf).where(mine).values(batch_id=new.batch_id))
    other_tree = [(f"Dokument {old.document_id}", "sein Blatt im Hashbaum ist ein anderes")]
    assert other_tree[0] in found(ledger)
    change(ledger, sa.update(_leaf).where(mine).values(batch_id=old.batch_id))
    assert found(ledger) == []
    change(ledger, sa.delete(_leaf).where(_leaf.c.document_id == new.document_id))
    change(ledger, sa.update(_leaf).where(mine).values(document_id=new.document_id))
    others = (f"Dokument {new.document_id}", "sein Nachweis ist über andere Dateien als seine")
    assert others in found(ledger)
