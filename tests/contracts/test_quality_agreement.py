"""What rows of quality assurance say otherwise than their events is found and named."""

from __future__ import annotations

import sqlalchemy as sa

from ingest.document import RenditionKind
from ingest.ledger import Ledger, schema
from ingest.ledger.erasure import erase
from tests.plugins.ledgers import broken, change, everything, rows
from tests.plugins.revisions import disagreements
from tests.plugins.sampling import (
    accepted,
    judge,
    of_batch,
    refuse,
    replacing,
    run,
    selected,
    shown,
    staffed,
    waiting,
)

_BATCH, _DOCUMENT, _VIEW = schema.quality_batch, schema.quality_document, schema.quality_view
#: What somebody might change so that a batch looks better than it was, and what is then named.
_TAMPERED = (
    (_DOCUMENT, {"good": 1}, "good"),
    (_DOCUMENT, {"visual": 1}, "visual"),
    (_DOCUMENT, {"reason": "nichts"}, "reason"),
    (_DOCUMENT, {"judged_by": "op19"}, "Person oder Zeit"),
    (_DOCUMENT, {"apart": 0}, "apart"),
    (_DOCUMENT, {"selected": 0}, "andere Dokumente"),
    (_BATCH, {"state": "passed"}, "Stand passed"),
    (_BATCH, {"faults": 0}, "Zahl der Mängel"),
    (_BATCH, {"size": 9}, "Umfang"),
    (_BATCH, {"seed": "00" * 32}, "Startwert"),
    (_BATCH, {"need": "normal"}, "need"),
    (_BATCH, {"opened_at": None}, "Zeitpunkt"),
)


def test_every_flipped_row_is_named(ledger: Ledger) -> None:
    staffed(ledger)
    batch = accepted(ledger, replacing("very_high"))
    run(ledger, 1, each=2)
    (document,) = of_batch(ledger, batch)
    ledger.view(document, [1, 2], "op18")
    refuse(ledger, document)
    assert disagreements(ledger) == []
    for table, fields, told in _TAMPERED:
        (row,) = rows(ledger, table)
        before = {name: getattr(row, name) for name in fields}
        change(ledger, sa.update(table).values(fields))
        assert any(told in text for text in disagreements(ledger)), (fields, disagreements(ledger))
        change(ledger, sa.update(table).values(before))
    assert disagreements(ledger) == []
    change(ledger, sa.delete(_VIEW))
    assert any("Angesehene Seiten" in text for text in disagreements(ledger))
    change(ledger, sa.delete(_DOCUMENT))
    assert any("Urteil der Qualitätssicherung: Eintrag" in text for text in disagreements(ledger))
    change(ledger, sa.delete(_BATCH))
    assert any("Eintrag und Ereignisse" in text for text in disagreements(ledger))


def test_erasing_takes_what_was_said_and_keeps_the_chains(ledger: Ledger) -> None:
    staffed(ledger)
    batch, documents = waiting(ledger, 3, minimum=3)
    composed = schema.rendition.c.kind == RenditionKind.COMPOSED
    mine = sa.and_(composed, schema.rendition.c.unit_id == documents[0])
    with ledger.reading() as connection:
        digest = connection.execute(sa.select(schema.rendition.c.sha256).where(mine)).scalar_one()
    refuse(ledger, documents[0], reason="Kindergeld Mustermann fehlt", seen_sha256=digest)
    ledger.resume_quality(batch, "op20", "nur dieses")
    judge(ledger, documents[1], reason="Mustermann gut lesbar")
    assert digest in {row.seen_sha256 for row in rows(ledger, _DOCUMENT)}
    for document in documents[:2]:
        with ledger.writing() as connection:
            erase(connection, document, "op20", "Irrläufer")
    assert "Mustermann" not in everything(ledger)
    assert digest not in everything(ledger)
    assert (broken(ledger), disagreements(ledger)) == ([], [])
    assert selected(ledger, batch) == documents
    judge(ledger, documents[2])  # nobody waits for what is gone
    assert shown(ledger, batch)["state"] == "passed"
    with ledger.writing() as connection:
        erase(connection, batch, "op20", "Irrläufer")
    assert (broken(ledger), disagreements(ledger)) == ([], [])


def test_a_batch_that_is_erased_whole_is_owed_nothing(ledger: Ledger) -> None:
    staffed(ledger)
    batch, _ = waiting(ledger, 2)
    with ledger.writing() as connection:
        erase(connection, batch, "op20", "Irrläufer")
    assert shown(ledger, batch)["state"] == "passed"
    assert (broken(ledger), disagreements(ledger)) == ([], [])
