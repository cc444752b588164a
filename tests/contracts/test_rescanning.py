"""Paper is scanned again: a new revision, old digests kept, every account right."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from ingest.document import Standing, Step
from ingest.errors import ToolFailed, UsageError
from ingest.ledger import Ledger, Rescan, Rescanned, schema
from ingest.ledger.erasure import erase
from ingest.ledger.reading import rows as listed
from tests.plugins.ledgers import (
    broken,
    change,
    claim_at,
    digest,
    events,
    everything,
    payload,
    rows,
)
from tests.plugins.revisions import accounted, disagreements, documents, separated, to_the_end
from tests.plugins.sampling import (
    judge,
    refuse,
    run,
    scanned,
    selected,
    shown,
    staffed,
    waiting,
)


def rescan(ledger: Ledger, document: str, new: Rescan) -> Rescanned:
    (done,) = ledger.rescan({document: new})
    return done


def assert_in_order(ledger: Ledger) -> None:
    assert broken(ledger) == []
    assert disagreements(ledger) == []
    account = accounted(ledger)
    assert account.difference == 0, account.misplaced


def test_a_page_of_a_delivered_document_is_replaced(ledger: Ledger) -> None:
    batch = separated(ledger, ((1, 3), (4,)), {2: "blank"})
    to_the_end(ledger)
    old = documents(ledger)[0]
    done = rescan(ledger, old.id, scanned(3))
    assert (done.superseded, done.revision, done.pages) == (old.id, 2, (5,))
    assert_in_order(ledger)
    work = to_the_end(ledger)
    pages = {row.number: row for row in rows(ledger, schema.page)}
    again = [step for step, unit in work if unit == pages[5].id]
    assert again == [Step.EXAMINATION, Step.RECOGNITION]
    assert not [step for step, unit in work if unit in (pages[1].id, pages[3].id)]
    _, new, other = documents(ledger)
    assert (new.pages, new.source, new.standing, other.revision) == ([1, 5], 1, "done", 1)
    assert pages[3].sha256 == rows(ledger, schema.page)[2].sha256
    said = payload(ledger, "pages_rescanned")
    assert said["replaced"] == [{"page": 3, "sha256": pages[3].sha256}]
    assert [(e["page"], e["sha256"]) for e in said["found"]] == [(5, digest("neu/0"))]
    assert "Ecke" not in str(said)
    assert payload(ledger, "superseded")["reason"] == "Ecke gefaltet"
    assert events(ledger, new.id)[:3] == ["captured", "page_examined", "page_recognised"]
    (entry,) = new.facts["separation"]["rescanned"]
    assert (entry["page"], entry["by"], entry["replaced_sha256"]) == (5, "op17", pages[3].sha256)
    assert_in_order(ledger)
    with ledger.reading() as connection:
        record = next(row for row in listed(connection) if row["id"] == batch)
    assert [each["name"] for each in record["sources"]] == ["brief.pdf"]
    assert record["sha256"] is not None
    assert [(e["name"], e["source"], e["rescan_of"]) for e in record["rescans"]] == [
        ("neu.tif", 2, 1)
    ]


def test_a_whole_document_is_replaced_before_it_is_delivered(ledger: Ledger) -> None:
    separated(ledger)
    claim_at(ledger, Step.RECOGNITION)  # somebody reads a page that nobody needs any more
    old = documents(ledger)[0]
    rescan(ledger, old.id, scanned(None, 3))
    assert_in_order(ledger)
    to_the_end(ledger)
    _, new = documents(ledger)
    assert (new.pages, new.source, new.standing) == ([4, 5, 6], 2, "done")
    assert [e["replaced_page"] for e in new.facts["separation"]["rescanned"]] == [1, 3, None]
    assert_in_order(ledger)
    again = rescan(ledger, new.id, scanned(5, content="noch einmal"))
    to_the_end(ledger)
    assert documents(ledger)[-1].id == again.document
    assert documents(ledger)[-1].pages == [4, 7, 6]
    assert_in_order(ledger)


def test_the_same_bytes_are_taken_once(ledger: Ledger) -> None:
    separated(ledger)
    to_the_end(ledger)
    old = documents(ledger)[0].id
    first = rescan(ledger, old, scanned(3))
    before = everything(ledger)
    for named in (old, first.document):
        again = rescan(ledger, named, scanned(3))
        assert (again.document, again.created) == (first.document, False)
    assert everything(ledger) == before


_REFUSED = (
    (scanned(2), "keine Seite 2"),
    (scanned(3, 2), "genau eine"),
    (scanned(None, 0), "0 Seiten"),
    (scanned(3, by="Erika Muster"), "Kürzel"),
    (scanned(3, reason=" "), "--reason"),
)


def test_what_cannot_be_replaced_changes_nothing(ledger: Ledger) -> None:
    separated(ledger)
    to_the_end(ledger)
    before = everything(ledger)
    document = documents(ledger)[0].id
    for new, told in _REFUSED:
        with pytest.raises(UsageError) as caught:
            rescan(ledger, document, new)
        assert told in caught.value.operator_text
    with pytest.raises(ToolFailed):
        rescan(ledger, document, scanned(3, present=lambda *_: False))
    assert everything(ledger) == before


def test_a_refused_document_is_scanned_again_and_judged_again(ledger: Ledger) -> None:
    staffed(ledger)
    batch, documents_ = waiting(ledger, 3, minimum=3)
    for document in documents_[1:]:
        judge(ledger, document)
    refuse(ledger, documents_[0])
    done = rescan(ledger, documents_[0], scanned(1))
    assert shown(ledger, batch)["state"] == "stopped"
    ledger.resume_quality(batch, "op20", "neu gescannt")
    run(ledger)
    assert shown(ledger, batch)["owed"] == [done.document]  # nobody has judged the new one
    assert done.document in selected(ledger, batch)
    judge(ledger, done.document)
    run(ledger)
    last = {row.id: row.standing for row in rows(ledger, schema.document)}
    assert last.pop(documents_[0]) == Standing.SUPERSEDED
    assert set(last.values()) == {Standing.DONE}
    assert_in_order(ledger)


_ALTERED: tuple[tuple[sa.Table, dict[str, Any], str], ...] = (
    (schema.page, {"sha256": "0" * 64}, "neu gescannt wurde"),
    (schema.batch_source, {"name": "anders.tif"}, "nicht der angenommene"),
    (schema.batch_source, {"rescan_of": None}, "Nachscans"),
)


def test_an_altered_rescan_is_found_and_erasing_leaves_no_trace(ledger: Ledger) -> None:
    separated(ledger, ((1, 3), (4,)), {2: "blank"})
    to_the_end(ledger)
    new = rescan(ledger, documents(ledger)[0].id, scanned(3)).document
    to_the_end(ledger)
    for table, altered, told in _ALTERED:
        last = rows(ledger, table)[-1]  # the page, or the source, that came last
        mine = [column == getattr(last, column.name) for column in table.primary_key]
        change(ledger, sa.update(table).where(*mine).values(altered))
        assert any(told in text for text in disagreements(ledger)), disagreements(ledger)
        before = {name: getattr(last, name) for name in altered}
        change(ledger, sa.update(table).where(*mine).values(before))
    with ledger.writing() as connection:
        free = erase(connection, new, "op17", "Irrläufer")
    assert digest("neu") in free
    kept = everything(ledger)
    assert all(trace not in kept for trace in (digest("neu"), digest("neu/0"), "Ecke", "neu.tif"))
    assert_in_order(ledger)
    with ledger.writing() as connection:
        erase(connection, rows(ledger, schema.batch)[0].id, "op17", "Irrläufer")
    assert_in_order(ledger)
