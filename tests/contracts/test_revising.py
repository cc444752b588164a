"""A left-out page is put back: a new revision, nothing recognised twice, every account right."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from ingest.document import Outcome, PageRole, Standing, Step
from ingest.errors import UsageError
from ingest.ledger import Ledger, schema
from ingest.ledger.erasure import Delivery, erase
from ingest.ledger.reading import rows as listed
from tests.plugins.ledgers import (
    ALL,
    LEASE,
    NO_LEASE,
    broken,
    change,
    claim_at,
    events,
    everything,
    outcome,
    rows,
)
from tests.plugins.revisions import (
    accounted,
    disagreements,
    documents,
    put_back,
    separated,
    to_the_end,
)


def assert_in_order(ledger: Ledger) -> None:
    assert broken(ledger) == []
    assert disagreements(ledger) == []
    account = accounted(ledger)
    assert account.difference == 0, account.misplaced


def record(ledger: Ledger, unit: str) -> dict[str, Any]:
    with ledger.reading() as connection:
        return next(row for row in listed(connection) if row["id"] == unit)


def test_a_delivered_document_gets_a_revision_with_the_page_and_is_superseded(
    ledger: Ledger,
) -> None:
    batch = separated(ledger)
    to_the_end(ledger)
    done = put_back(ledger, batch)
    old, new = documents(ledger)
    assert (done.superseded, done.document, done.revision) == (old.id, new.id, 2)
    assert (old.standing, old.stage, old.superseded_by) == ("superseded", "delivered", new.id)
    assert (new.standing, new.stage, new.supersedes) == ("waiting", "captured", old.id)
    assert (new.ordinal, new.consignment_id) == (old.ordinal, old.consignment_id)
    assert new.pages == [1, 2, 3]
    assert_in_order(ledger)
    work = to_the_end(ledger)
    pages = {row.number: row.id for row in rows(ledger, schema.page)}
    assert [unit for step, unit in work if step is Step.RECOGNITION] == [pages[2]]
    assert work.index((Step.RECOGNITION, pages[2])) < work.index((Step.COMPOSITION, new.id))
    assert documents(ledger)[1].standing == Standing.DONE
    assert_in_order(ledger)
    assert events(ledger, batch)[-1] == "page_put_back"
    assert events(ledger, old.id)[-1] == "superseded"
    assert events(ledger, new.id)[:2] == ["captured", "page_recognised"]


def test_whoever_asks_is_told(ledger: Ledger) -> None:
    batch = separated(ledger, omitted={2: "blank", 4: "blank"})
    to_the_end(ledger)
    old = documents(ledger)[0].id
    assert "path" in record(ledger, old)["outputs"]["pdf"]
    new = put_back(ledger, batch).document
    to_the_end(ledger)
    assert record(ledger, batch)["omitted"] == [{"page": 4, "kind": "blank"}]
    earlier, later = record(ledger, old), record(ledger, new)
    assert (earlier["revision"], earlier["superseded_by"]) == (1, new)
    assert (later["revision"], later["supersedes"]) == (2, old)
    assert "path" not in earlier["outputs"]["pdf"]
    assert "path" in later["outputs"]["pdf"]
    said = documents(ledger)[1].facts["separation"]["put_back"]
    assert [(e["page"], e["kind"], e["by"], e["reason"]) for e in said] == [
        (2, "blank", "op17", "Stempel")
    ]


def test_a_step_of_a_revision_is_told_what_it_supersedes(ledger: Ledger) -> None:
    batch = separated(ledger, omitted={2: "blank", 4: "blank"})
    to_the_end(ledger)
    put_back(ledger, batch)
    to_the_end(ledger)
    put_back(ledger, batch, 4)
    given = ledger.assignment(claim_at(ledger, Step.DELIVERY)).document
    assert given is not None
    first, second, third = documents(ledger)
    assert (given.id, given.revision) == (third.id, 3)
    assert [(e.id, e.revision) for e in given.supersedes] == [(second.id, 2), (first.id, 1)]
    assert given.supersedes[1].delivery == first.facts["delivery"]
    assert len(set(given.supersedes[1].digests)) >= 2
    assert given.supersedes[0].delivery_key != given.supersedes[1].delivery_key
    assert [entry["page"] for entry in given.facts["separation"]["put_back"]] == [2, 4]


def test_a_separator_becomes_content_and_a_blank_page_stays_suspect(ledger: Ledger) -> None:
    batch = separated(ledger, ((1, 4),), {2: "blank", 3: "separator"})
    put_back(ledger, batch, 2)
    put_back(ledger, batch, 3)
    roles = {row.number: row.role for row in rows(ledger, schema.page)}
    assert (roles[2], roles[3]) == (PageRole.BLANK_SUSPECT, PageRole.CONTENT)
    to_the_end(ledger)
    assert documents(ledger)[-1].pages == [1, 2, 3, 4]
    assert_in_order(ledger)


def test_recognition_under_way_goes_on_for_the_revision(ledger: Ledger) -> None:
    batch = separated(ledger)
    held = claim_at(ledger, Step.RECOGNITION)
    given = ledger.assignment(held)
    new = put_back(ledger, batch).document
    assert ledger.record(held, outcome(given))
    work = to_the_end(ledger)
    assert held.unit_id not in [unit for _, unit in work]
    assert sum(step is Step.RECOGNITION for step, _ in work) == 2
    old = documents(ledger)[0]
    assert events(ledger, old.id) == ["captured", "superseded"]
    assert events(ledger, new).count("page_recognised") == 3
    assert_in_order(ledger)


def test_a_lost_lease_of_a_page_taken_over_is_swept(ledger: Ledger) -> None:
    batch = separated(ledger)
    lost = ledger.claim(ALL, "dies", NO_LEASE)
    assert lost is not None
    assert lost.step is Step.RECOGNITION
    new = put_back(ledger, batch).document
    assert ledger.sweep().expired == 1
    assert "lease_expired" in events(ledger, new)
    to_the_end(ledger)
    assert_in_order(ledger)


@pytest.mark.parametrize("step", [Step.COMPOSITION, Step.SEALING, Step.DELIVERY])
def test_whoever_works_on_the_old_revision_records_nothing_more(ledger: Ledger, step: Step) -> None:
    batch = separated(ledger)
    held = claim_at(ledger, step)
    given = ledger.assignment(held)
    put_back(ledger, batch)
    assert not ledger.record(held, outcome(given))
    assert not ledger.extend(held, LEASE)
    to_the_end(ledger)
    old, new = documents(ledger)
    assert (old.standing, new.standing) == ("superseded", "done")
    assert_in_order(ledger)


@pytest.mark.parametrize("how", ["held", "waiting", "deferred", "page held"])
def test_what_stands_still_is_superseded_as_well(ledger: Ledger, how: str) -> None:
    batch = separated(ledger)
    claim = claim_at(ledger, Step.RECOGNITION if how == "page held" else Step.SEALING)
    told = {"code": "c", "operator_text": "Bitte ansehen", "message": "m"}
    if how == "waiting":
        from ingest.document import Wait

        ledger.record(claim, Outcome(wait=Wait(reason="Stempel")))
    elif how == "deferred":
        ledger.defer(claim, **told, pause=LEASE, consumes_try=True)
    else:
        ledger.set_aside(claim, Standing.HELD, **told)
    new = put_back(ledger, batch).document
    assert documents(ledger)[0].standing == Standing.SUPERSEDED
    assert_in_order(ledger)
    if how == "page held":
        assert (documents(ledger)[1].standing, documents(ledger)[1].reason) == (
            Standing.HELD,
            "Bitte ansehen",
        )
        ledger.release(new, "op17", "weiter")
    to_the_end(ledger)
    assert documents(ledger)[1].standing == Standing.DONE
    assert_in_order(ledger)


def test_what_persons_had_set_holds_for_the_revision(ledger: Ledger) -> None:
    batch = separated(ledger)
    told = {"code": "c", "operator_text": "?", "message": "m"}
    routing = claim_at(ledger, Step.ROUTING)
    ledger.set_aside(routing, Standing.HELD, **told)
    settings = {"department": "bauamt", "password": "geheim"}
    ledger.release(routing.unit_id, "op17", "gehört dorthin", settings)
    to_the_end(ledger)
    put_back(ledger, batch)
    given = ledger.assignment(claim_at(ledger, Step.ROUTING))
    assert given.released == {"department": "bauamt"}
    assert "geheim" not in everything(ledger)


def test_a_quarantined_document_is_not_replaced(ledger: Ledger) -> None:
    batch = separated(ledger)
    claim = claim_at(ledger, Step.RECOGNITION)
    ledger.set_aside(claim, Standing.QUARANTINED, code="dangerous", operator_text="?", message="x")
    with pytest.raises(UsageError, match="quarantined"):
        put_back(ledger, batch)
    assert len(documents(ledger)) == 1


@pytest.mark.parametrize(
    ("page", "named", "told"),
    [
        (1, {}, "gehört zu Dokument"),
        (9, {}, "Es gibt sie nicht"),
        (2, {"by": "Erika Mustermann"}, "Kürzel"),
        (2, {"reason": " "}, "--reason"),
        (2, {"document": "0" * 8}, "Kein Stapel und kein Dokument"),
    ],
)
def test_a_wish_that_cannot_be_granted_changes_nothing(
    ledger: Ledger, page: int, named: dict[str, str], told: str
) -> None:
    batch = separated(ledger)
    to_the_end(ledger)
    before = everything(ledger)
    with pytest.raises(UsageError) as refused:
        put_back(ledger, batch, page, **named)
    assert told in refused.value.operator_text
    assert everything(ledger) == before


def test_a_page_that_does_not_decode_is_not_put_back(ledger: Ledger) -> None:
    batch = separated(ledger)
    undecodable = {"examination": {"undecodable": "Bild bricht ab."}}
    change(
        ledger,
        sa.update(schema.page).where(schema.page.c.number == 2).values(facts=undecodable),
    )
    with pytest.raises(UsageError) as refused:
        put_back(ledger, batch)
    assert "neu scannen" in refused.value.operator_text


def test_nothing_is_put_into_what_was_rejected(ledger: Ledger) -> None:
    batch = separated(ledger)
    sealing = claim_at(ledger, Step.SEALING)
    ledger.set_aside(sealing, Standing.HELD, code="c", operator_text="?", message="m")
    ledger.reject(sealing.unit_id, "op17", "Fehlscan")
    with pytest.raises(UsageError, match="no document takes"):
        put_back(ledger, batch)


def erased(ledger: Ledger, unit: str) -> list[str]:
    """Erase, and return whose deliveries were to be withdrawn."""
    asked: list[str] = []

    def withdraw(delivery: Delivery) -> dict[str, int]:
        asked.append(delivery.document)
        return {}

    with ledger.writing() as connection:
        erase(connection, unit, "op17", "Irrläufer", withdraw)
    return asked


@pytest.mark.parametrize("named", ["old", "new", "batch"])
def test_erasing_takes_every_revision(ledger: Ledger, named: str) -> None:
    batch = separated(ledger, ((1, 3), (5,)), {2: "blank", 4: "separator"})
    to_the_end(ledger)
    done = put_back(ledger, batch, 2, reason="Kindergeld Mustermann")
    to_the_end(ledger)
    unit = {"old": done.superseded, "new": done.document, "batch": batch}[named]
    withdrawn = erased(ledger, unit)
    assert {done.superseded, done.document} <= set(withdrawn)
    assert "Mustermann" not in everything(ledger)
    assert_in_order(ledger)
    with pytest.raises(UsageError):
        erased(ledger, done.superseded)
    if named != "batch":
        other = documents(ledger)[-1]
        assert other.erased_at is None
        erased(ledger, other.id)
        assert_in_order(ledger)


def test_what_is_being_worked_on_is_not_erased_by_its_earlier_name(ledger: Ledger) -> None:
    batch = separated(ledger)
    to_the_end(ledger)
    done = put_back(ledger, batch)
    assert ledger.claim(ALL, "w", LEASE) is not None
    with pytest.raises(UsageError, match="worked on"):
        erased(ledger, done.superseded)


@pytest.mark.parametrize(
    ("revision", "altered", "told"),
    [
        (2, {"supersedes": None}, "Fassung oder Vorgänger"),
        (2, {"revision": 3}, "Fassung oder Vorgänger"),
        (1, {"superseded_by": None}, "nichts hat es ersetzt"),
        (1, {"superseded_by": "nobody"}, "Nachfolger"),
        (2, {"pages": [1, 3]}, "Seiten oder Quelle"),
        (2, {"revision": 1, "supersedes": None}, "Spätere Fassungen"),
    ],
)
def test_an_altered_revision_is_found(
    ledger: Ledger, revision: int, altered: dict[str, Any], told: str
) -> None:
    batch = separated(ledger)
    to_the_end(ledger)
    put_back(ledger, batch)
    to_the_end(ledger)
    table = schema.document
    change(ledger, sa.update(table).where(table.c.revision == revision).values(**altered))
    assert any(told in text for text in disagreements(ledger)), disagreements(ledger)


def test_a_page_put_back_without_a_word_is_found(ledger: Ledger) -> None:
    separated(ledger)
    to_the_end(ledger)
    facts = rows(ledger, schema.batch)[0].facts
    change(ledger, sa.update(schema.batch).values(facts={**facts, "put_back": {"pages": [2]}}))
    assert any("put_back" in text for text in disagreements(ledger))
    assert accounted(ledger).difference > 0
