"""How much is looked at, by whom, and what a verdict has to cover."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.document import RenditionKind, Step
from ingest.errors import UsageError
from ingest.ledger import Ledger, people, schema
from tests.plugins.emptied import empty_ledger
from tests.plugins.ledgers import (
    ALL,
    LEASE,
    broken,
    change,
    claim_at,
    everything,
    outcome,
    payload,
    rows,
)
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


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with people; the contracts show that both databases do the same."""
    opened = empty_ledger(tmp_path / "ledger.sqlite")
    staffed(opened)
    yield opened
    opened.close()


def assert_in_order(ledger: Ledger) -> None:
    assert broken(ledger) == []
    assert disagreements(ledger) == []


def refused(ledger: Ledger, document: str, **said: Any) -> str:
    """Return why a verdict is not taken; it must change nothing."""
    before = everything(ledger)
    with pytest.raises(UsageError) as caught:
        judge(ledger, document, **said)
    assert everything(ledger) == before
    return caught.value.operator_text


def test_a_larger_sample_instead_of_everything_is_for_need_normal_only(ledger: Ledger) -> None:
    batch, _ = waiting(ledger, 6, minimum=2)
    bad = selected(ledger, batch)[0]
    refuse(ledger, bad)
    ledger.resume_quality(batch, "op20", "Einzelfall", full=False)
    assert len(selected(ledger, batch)) == 4
    high, _ = waiting(ledger, 3, need="high")
    refuse(ledger, selected(ledger, high)[0])
    with pytest.raises(UsageError, match="wants all"):
        ledger.resume_quality(high, "op20", "Einzelfall", full=False)


def test_the_share_rises_with_recent_faults(ledger: Ledger) -> None:
    asked: dict[str, Any] = {"share": 0.2, "minimum": 1}
    first, _ = waiting(ledger, 5, **asked)
    assert len(selected(ledger, first)) == 1
    refuse(ledger, selected(ledger, first)[0])
    second, _ = waiting(ledger, 5, **asked)
    assert len(selected(ledger, second)) == 2
    other = accepted(ledger, {**replacing(**asked), "name": "andere"})
    run(ledger, 5)
    assert len(selected(ledger, other)) == 1  # faults count for their class


def test_high_is_looked_at_whole_until_enough_batches_were_clean(ledger: Ledger) -> None:
    for _ in range(2):
        batch, documents = waiting(ledger, 5, need="high", clean_batches=2)
        assert selected(ledger, batch) == documents
        for document in documents:
            judge(ledger, document)
    batch, _ = waiting(ledger, 5, need="high", clean_batches=2)
    assert len(selected(ledger, batch)) == 1


def test_who_may_judge(ledger: Ledger) -> None:
    batch, _ = waiting(ledger, 1)
    (document,) = selected(ledger, batch)
    assert "Qualitätssicherung nicht" in refused(ledger, document, by="op20")
    assert "nicht gemeldet" in refused(ledger, document, by="op99")
    assert "Einlieferung" in refused(ledger, batch)
    assert "--reason" in refused(ledger, document, content=False)
    assert judge(ledger, document, by="p17").warning is None
    (row,) = rows(ledger, schema.quality_document)
    assert (row.apart, row.judged_by, row.role) == (0, "p17", "checker")
    assert row.seen_sha256 is payload(ledger, "quality_judged")["seen_sha256"] is None
    assert "kein Urteil" in refused(ledger, document)


def test_which_pdf_was_looked_at_is_recorded_where_it_is_said(ledger: Ledger) -> None:
    batch, documents = waiting(ledger, 2, minimum=2)
    assert "andere Fassung" in refused(ledger, documents[0], seen_sha256="0" * 64)
    present = {
        row.unit_id: row.sha256
        for row in rows(ledger, schema.rendition)
        if row.kind == RenditionKind.COMPOSED
    }
    seen = {documents[0]: present[documents[0]], documents[1]: None}
    for document, sha256 in seen.items():
        judge(ledger, document, seen_sha256=sha256)
        assert payload(ledger, "quality_judged")["seen_sha256"] == sha256
    kept = {row.document_id: row.seen_sha256 for row in rows(ledger, schema.quality_document)}
    assert kept == seen
    assert shown(ledger, batch)["state"] == "passed"
    assert_in_order(ledger)


def test_at_high_the_same_person_is_warned_and_noted(ledger: Ledger) -> None:
    _, documents = waiting(ledger, 2, need="high")
    assert "andere Person" in str(judge(ledger, documents[0], by="p17").warning)
    assert judge(ledger, documents[1], by="op18").warning is None
    assert [r.apart for r in rows(ledger, schema.quality_document)] in ([0, 1], [1, 0])
    unknown = accepted(ledger, replacing("high"), operator="op55")
    run(ledger, 1)
    assert "bestimmbar" in str(judge(ledger, *of_batch(ledger, unknown)).warning)


def test_at_very_high_four_eyes_and_every_page(ledger: Ledger) -> None:
    batch = accepted(ledger, replacing("very_high"))
    run(ledger, 1, each=3)
    (document,) = of_batch(ledger, batch)
    assert "zwei verschiedene Personen" in refused(ledger, document, by="p17")
    assert ledger.view(document, [1, 2], "op18") == 2
    assert ledger.view(document, [2], "op18") == 0
    assert ledger.view(document, [3], "op19") == 1
    assert "(»qa view«): 3." in refused(ledger, document, by="op18")
    ledger.view(document, [3], "op18")
    with pytest.raises(UsageError):
        ledger.view(document, [4], "op18")
    judge(ledger, document, by="op18")
    assert payload(ledger, "quality_judged")["viewed"] == [1, 2, 3]
    unknown = accepted(ledger, replacing("very_high"), operator="op55")
    run(ledger, 1)
    (document,) = of_batch(ledger, unknown)
    ledger.view(document, [1], "op18")
    assert "op55 ist nicht gemeldet" in refused(ledger, document, by="op18")
    assert_in_order(ledger)


def test_a_code_on_a_sheet_hides_nobody_and_a_scanner_who_left_strands_nothing(
    ledger: Ledger,
) -> None:
    batch = accepted(ledger, replacing("very_high"))
    run(ledger, 1)
    (document,) = of_batch(ledger, batch)
    (row,) = rows(ledger, schema.document)
    facts = {**row.facts, "separation": {**row.facts["separation"], "operator": "op19"}}
    change(ledger, sa.update(schema.document).values(facts=facts))
    for code in ("p17", "op19"):  # the stack's operator under another code, and the sheet's
        ledger.view(document, [1], code)
        assert "zwei verschiedene Personen" in refused(ledger, document, by=code)
    with ledger.writing() as connection:
        people.leave(connection, "default", "op17", by="adm1")
    ledger.view(document, [1], "op18")
    assert "zwei verschiedene Personen" in refused(ledger, document, by="p17")
    assert judge(ledger, document, by="op18").good


def test_views_are_not_noted_where_nobody_asks_for_them(ledger: Ledger) -> None:
    _, documents = waiting(ledger, 1, need="high")
    with pytest.raises(UsageError, match="not noted"):
        ledger.view(documents[0], [1], "op18")
    assert rows(ledger, schema.quality_view) == []
    assert not {"at", "seconds", "duration"} & set(schema.quality_view.c.keys())


def test_content_alone_is_enough_where_the_class_says_so(ledger: Ledger) -> None:
    _, documents = waiting(ledger, 1, match="content")
    assert judge(ledger, documents[0], visual=False).good


def test_a_document_with_flagged_pages_is_looked_at_and_each_page_needs_a_verdict(
    ledger: Ledger,
) -> None:
    batch = accepted(ledger, replacing())
    run(ledger, 4, each=2, flagged=[3, 4, 7])
    documents = of_batch(ledger, batch)
    assert {documents[1], documents[3]} <= set(selected(ledger, batch))
    assert "3, 4" in refused(ledger, documents[1])
    assert "4" in refused(ledger, documents[1], pages=[3])
    assert "keine Seite 9" in refused(ledger, documents[1], pages=[3, 4, 9])
    judge(ledger, documents[1], pages=[3, 4])
    judge(ledger, documents[3], pages=[7])
    for document in set(selected(ledger, batch)) - {documents[1], documents[3]}:
        judge(ledger, document)
    assert shown(ledger, batch)["state"] == "passed"
    assert not any(row.review_open for row in rows(ledger, schema.document))
    assert_in_order(ledger)


def test_a_copying_class_waits_for_nobody(ledger: Ledger) -> None:
    batch = accepted(ledger, {"name": "posteingang", "treatment": "copying"})
    given = ledger.assignment(claim_at(ledger, Step.NOTE))
    assert given.quality == {}
    assert rows(ledger, schema.quality_document) == rows(ledger, schema.quality_batch) == []
    assert batch == given.batch.id


def test_the_note_is_told_what_was_judged_and_nothing_else(ledger: Ledger) -> None:
    batch, documents = waiting(ledger, 5)
    (drawn,) = selected(ledger, batch)
    judge(ledger, drawn)
    seen = {}
    while (claim := ledger.claim(ALL, "w", LEASE)) is not None:
        given = ledger.assignment(claim)
        if claim.step is Step.NOTE:
            seen[claim.unit_id] = given.quality
        ledger.record(claim, outcome(given))
    assert set(seen) == set(documents)
    for document, told in seen.items():
        assert (told["rule"], told["state"], told["mode"]) == (
            "before_delivery",
            "passed",
            "sample",
        )
        assert told["selected"] == (document == drawn)
        assert (told["verdict"] is None) == (document != drawn)
        assert told["checked_by"] == ["op18"]
        assert told["sample"]["size"] == 1
        assert told["sample"]["detection"] == {"0.01": 0.2, "0.05": 0.2}
    assert seen[drawn]["verdict"]["visual"] is True
