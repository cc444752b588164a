"""Files inside files in the ledger: recorded once, linked, counted, verified and erased."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.document import FoundPage, Outcome, Part, Source, SourceKind, Standing, Step, UnitKind
from ingest.errors import ToolFailed, UsageError
from ingest.ledger import Claim, Decision, Ledger, Opened, schema
from ingest.ledger.account import day_account
from ingest.ledger.agreement import Examination
from ingest.ledger.backup import copy_ledger
from ingest.ledger.erasure import erase
from ingest.ledger.reading import rows as listed
from ingest.ledger.showing import locate, show
from tests.plugins.ledgers import (
    ALL,
    LEASE,
    arrival,
    change,
    claim_at,
    digest,
    outcome,
    rows,
    source,
    work,
)
from tests.plugins.revisions import documents, put_back

_COVER, _IMAGE, _TEXT = digest("cover"), digest("image"), digest("text")
#: Cover of two pages with a picture of one page and a text inside; the picture before the text.
_CUT = (Part(pages=(1, 2), source=1), Part(pages=(3,), source=2), Part(pages=(), source=3))


def _enclosure(ordinal: int, name: str, sha256: str, pages: int | None) -> Source:
    return Source(
        ordinal=ordinal,
        name=name,
        name_base64="YQ==",
        sha256=sha256,
        size=10,
        kind=SourceKind.TEXT if pages is None else SourceKind.PNG,
        pages=pages,
        facts={"electronic": True},
        enclosure_of=1,
    )


def _inspected(first: Source) -> Outcome:
    known = dataclasses.replace(first, kind=SourceKind.PDF, pages=2, facts={"electronic": True})
    inside = (_enclosure(2, "bild.png", _IMAGE, 1), _enclosure(3, "text.txt", _TEXT, None))
    pages = [FoundPage(source=1, index=n, sha256=digest(f"page {n}")) for n in (0, 1)]
    pages.append(FoundPage(source=2, index=0, sha256=_IMAGE))
    return Outcome(sources=(known, *inside), pages=tuple(pages), facts={"pages": 3})


def _cut(ledger: Ledger, hints: dict[str, Any] | None = None, *, blank: bool = False) -> str:
    """Accept a cover with two files inside and cut it; its second page may be left out."""
    receipt = ledger.accept(arrival(source("anschreiben.pdf", "cover")))
    claim = claim_at(ledger, Step.INSPECTION)
    (first,) = ledger.assignment(claim).batch.sources
    assert ledger.record(claim, _inspected(first))
    claim = claim_at(ledger, Step.SEPARATION)
    cover, *inside = _CUT
    pages = (1,) if blank else cover.pages
    parts = (dataclasses.replace(cover, pages=pages, hints=hints or {}), *inside)
    omitted = [{"page": 2, "kind": "blank"}] if blank else []
    assert ledger.record(claim, Outcome(parts=parts, facts={"omitted": omitted}))
    return receipt.batch_id


def _list(ledger: Ledger) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    with ledger.reading() as connection:
        batch, *documents = listed(connection)
    return batch, documents


def _sound(ledger: Ledger) -> bool:
    with ledger.reading() as connection:
        return list(Examination(connection, "default")) == []


def test_the_arrival_is_shown_as_it_arrived_and_what_lay_inside_apart(ledger: Ledger) -> None:
    _cut(ledger)
    batch, _ = _list(ledger)
    assert [entry["name"] for entry in batch["sources"]] == ["anschreiben.pdf"]
    assert (batch["sha256"], batch["pages"], batch["source_pages"]) == (_COVER, 2, [1, 2])
    assert [
        (entry["name"], entry["sha256"], entry["enclosure_of"]) for entry in batch["enclosures"]
    ] == [("bild.png", _IMAGE, 1), ("text.txt", _TEXT, 1)]
    assert _sound(ledger)


def test_cover_and_enclosures_are_linked_in_both_directions(ledger: Ledger) -> None:
    _cut(ledger)
    _, (cover, image, text) = _list(ledger)
    assert cover["enclosures"] == [image["id"], text["id"]]
    assert cover["enclosure_of"] is None
    assert {image["enclosure_of"], text["enclosure_of"]} == {cover["id"]}
    assert (image["source_pages"], image["enclosure_pages"], image["pages"]) == ([], [1], 1)
    assert (image["source_sha256"], image["outputs"]["original"]["sha256"]) == (_IMAGE, _IMAGE)
    consignments = {row.consignment_id for row in rows(ledger, schema.document)}
    assert len(consignments) == len(rows(ledger, schema.consignment)) == 1


def test_what_the_sheet_says_of_the_cover_holds_for_what_lay_inside(ledger: Ledger) -> None:
    said = {"department": "bauamt", "received_at": "2026-11-20", "sheet": {"NO": "1"}}
    _cut(ledger, said)
    cover, image, _ = rows(ledger, schema.document)
    assert cover.facts["separation"]["sheet"]
    hints = image.facts["separation"]
    assert (hints["department"], hints["received_at"]) == ("bauamt", "2026-11-20")
    assert "sheet" not in hints
    assert _sound(ledger)


def test_a_step_is_told_inside_which_source_another_lay(ledger: Ledger) -> None:
    _cut(ledger)
    given = ledger.assignment(claim_at(ledger, Step.COMPOSITION))
    assert [one.enclosure_of for one in given.batch.sources] == [None, 1, 1]


def test_routing_is_told_where_the_cover_goes(ledger: Ledger) -> None:
    _cut(ledger)
    cover, image, _ = rows(ledger, schema.document)
    told = None
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        given = ledger.assignment(claim)
        found = outcome(given)
        if claim.step is Step.ROUTING:
            found = Outcome(facts={"department": "bauamt", "case_reference": "BA/1"})
        if claim.unit_id == image.id and claim.step is Step.DELIVERY:
            told = given.cover
        assert (given.cover is None) == (claim.document_id in {None, cover.id} or not _is(claim))
        assert ledger.record(claim, found)
    assert told is not None
    assert (told.document, told.department) == (cover.id, "bauamt")
    assert not told.on_its_way


def _is(claim: Claim) -> bool:
    return claim.unit_kind is UnitKind.DOCUMENT


def test_the_bytes_of_an_enclosure_have_to_be_in_the_store(ledger: Ledger) -> None:
    ledger.accept(arrival(source("anschreiben.pdf", "cover")))
    claim = claim_at(ledger, Step.INSPECTION)
    (first,) = ledger.assignment(claim).batch.sources
    with pytest.raises(ToolFailed):
        ledger.record(claim, _inspected(first), lambda _tenant, sha256: sha256 != _TEXT)
    assert len(rows(ledger, schema.batch_source)) == 1


def test_the_day_counts_one_file_and_finds_every_page(ledger: Ledger) -> None:
    batch_id = _cut(ledger)
    day = rows(ledger, schema.batch)[0].registered_at.date()
    for delivered in (0, 1):
        if delivered:
            work(ledger)
        with ledger.reading() as connection:
            account = day_account(connection, "default", day, "UTC")
        assert (account.files, account.files_placed, account.pages) == (1, 1, 3), batch_id
        assert (account.difference, account.documents) == (0, 3)
        assert account.files_delivered == delivered


def test_a_file_is_open_while_something_from_inside_it_is(ledger: Ledger) -> None:
    _cut(ledger)
    stuck = rows(ledger, schema.document)[1].id
    while (claim := _next_but(ledger, stuck)) is not None:
        assert ledger.record(claim, outcome(ledger.assignment(claim)))
    day = rows(ledger, schema.batch)[0].registered_at.date()
    with ledger.reading() as connection:
        account = day_account(connection, "default", day, "UTC")
    assert (account.files_open, account.files_delivered, account.difference) == (1, 0, 0)


def _next_but(ledger: Ledger, document: str) -> Claim | None:
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        if claim.document_id != document:
            return claim
        held = {"code": "c", "operator_text": "t", "message": "m"}
        ledger.set_aside(claim, Standing.HELD, **held)
    return None


def test_erasing_the_cover_takes_what_lay_inside_along(ledger: Ledger) -> None:
    _cut(ledger)
    work(ledger)
    cover = rows(ledger, schema.document)[0].id
    with ledger.writing() as connection:
        gone = erase(connection, cover, "op17", "versehentlich")
    assert {_COVER, _IMAGE, _TEXT} <= set(gone)
    assert all(row.erased_at for row in rows(ledger, schema.document))
    assert _sound(ledger)


def test_an_enclosure_is_not_erased_while_its_cover_still_holds_it(ledger: Ledger) -> None:
    _cut(ledger)
    work(ledger)
    cover, image, _ = rows(ledger, schema.document)
    with ledger.writing() as connection, pytest.raises(UsageError) as raised:
        erase(connection, image.id, "op17", "versehentlich")
    assert cover.id in raised.value.operator_text
    assert not any(row.erased_at for row in rows(ledger, schema.document))


def _revised(ledger: Ledger) -> str:
    """Put the cover's blank page back after delivery; return the new revision's id."""
    _cut(ledger, blank=True)
    work(ledger)
    return put_back(ledger, documents(ledger)[0].id).document


def test_links_lead_to_the_newest_revision_of_the_cover(ledger: Ledger) -> None:
    new = _revised(ledger)
    _, (old, cover, image, text) = _list(ledger)
    assert (old["superseded_by"], cover["id"]) == (new, new)
    assert cover["enclosures"] == [image["id"], text["id"]]
    assert {image["enclosure_of"], text["enclosure_of"]} == {new}
    assert _sound(ledger)


def test_steps_follow_links_to_the_newest_revision(ledger: Ledger) -> None:
    _cut(ledger, blank=True)
    new = put_back(ledger, documents(ledger)[0].id).document
    image = documents(ledger)[2]
    seen = set()
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        given = ledger.assignment(claim)
        if given.cover is not None and given.document is not None:
            linked = given.document.facts["separation"]["enclosure_of"]["document"]
            seen.add((given.cover.document, linked))
            assert given.cover.on_its_way or given.cover.department is not None
        if claim.unit_id == new and given.document is not None:
            inside = given.document.facts["separation"]["enclosed"]
            assert inside[0]["document"] == image.id
        department = {"department": "bauamt"} if claim.step is Step.ROUTING else {}
        found = outcome(given)
        assert ledger.record(claim, dataclasses.replace(found, facts=found.facts | department))
    assert seen == {(new, new)}
    assert _sound(ledger)


@pytest.mark.parametrize("revision", [0, 1])
def test_erasing_one_revision_of_a_cover_takes_all_and_what_lay_inside(
    ledger: Ledger, revision: int
) -> None:
    _revised(ledger)
    work(ledger)
    with ledger.writing() as connection:
        gone = erase(connection, documents(ledger)[revision].id, "op17", "versehentlich")
    assert {_COVER, _IMAGE, _TEXT} <= set(gone)
    assert [bool(row.erased_at) for row in documents(ledger)] == [True] * 4
    assert _sound(ledger)


def test_work_on_a_later_revision_keeps_the_earlier_one_from_being_erased(ledger: Ledger) -> None:
    _revised(ledger)
    claim = ledger.claim(ALL, "test", LEASE)
    assert claim is not None
    with ledger.writing() as connection, pytest.raises(UsageError, match="worked on"):
        erase(connection, documents(ledger)[0].id, "op17", "versehentlich")


def test_an_enclosure_names_the_newest_revision_that_holds_it(ledger: Ledger) -> None:
    new = _revised(ledger)
    work(ledger)
    image = documents(ledger)[2].id
    with ledger.writing() as connection, pytest.raises(UsageError) as raised:
        erase(connection, image, "op17", "versehentlich")
    assert new in raised.value.operator_text


def test_a_batch_still_stands_for_its_only_letter(ledger: Ledger) -> None:
    batch_id = _cut(ledger)
    work(ledger)
    cover, image, _ = rows(ledger, schema.document)
    with ledger.reading() as connection:
        assert locate(connection, batch_id, "original").sha256 == _COVER
        assert locate(connection, batch_id, "original", 2).sha256 == _IMAGE
        assert locate(connection, image.id, "original").filename == "bild.png"
        assert locate(connection, batch_id, "pdf").filename.startswith("anschreiben")
        assert show(connection, batch_id)["enclosures"][1]["kind"] == "text"
        assert [page["number"] for page in show(connection, image.id)["pages_found"]] == [3]
    assert cover.ordinal == 1


@pytest.mark.parametrize("column", ["sha256", "enclosure_of"])
def test_a_changed_enclosure_is_noticed(ledger: Ledger, column: str) -> None:
    _cut(ledger)
    table = schema.batch_source
    value = _COVER if column == "sha256" else 3
    change(ledger, sa.update(table).where(table.c.ordinal == 2).values({column: value}))
    assert not _sound(ledger)


def test_a_copy_of_the_ledger_has_the_links(ledger: Ledger, tmp_path: Path) -> None:
    _cut(ledger)
    with ledger.reading() as connection:
        copy_ledger(connection, tmp_path / "copy")
    lines = (tmp_path / "copy" / "batch_source.jsonl").read_text().splitlines()
    place = schema.batch_source.c.keys().index("enclosure_of")
    assert [json.loads(line)[place] for line in lines] == [None, 1, 1]


_OPENED = Opened(ordinal=1, sha256=digest("opened"), size=9, tool="test 1")


def _held(ledger: Ledger) -> str:
    receipt = ledger.accept(arrival(source("anschreiben.pdf", "cover"), source("b.pdf", "b", 2)))
    held = {"code": "password_needed", "operator_text": "t", "message": "m"}
    assert ledger.set_aside(claim_at(ledger, Step.INSPECTION), Standing.HELD, **held)
    return receipt.batch_id


def _released(ledger: Ledger, batch_id: str, *opened: Opened, present: bool = True) -> None:
    decision = Decision(
        by="op17",
        reason="Kennwort erfragt",
        settings={"password": "geheim"},
        opened=opened,
        present=lambda _tenant, _sha256: present,
    )
    ledger.decide(batch_id, decision)


def test_an_opened_copy_is_read_and_the_original_stays(ledger: Ledger) -> None:
    batch_id = _held(ledger)
    _released(ledger, batch_id, _OPENED)
    first, other = ledger.assignment(claim_at(ledger, Step.INSPECTION)).batch.sources
    assert (first.sha256, first.content_sha256) == (_COVER, _OPENED.sha256)
    assert other.content_sha256 == other.sha256
    (made,) = rows(ledger, schema.rendition)
    assert (made.kind, made.parent_sha256, made.tool) == ("opened", _COVER, "test 1")
    assert _OPENED.sha256 in {row.sha256 for row in rows(ledger, schema.blob)}
    said = rows(ledger, schema.event_payload)[-1].payload
    assert (said["opened"], said["settings"]) == ({"1": _OPENED.sha256}, {})
    assert _sound(ledger)


def test_an_opened_copy_that_is_not_stored_is_not_recorded(ledger: Ledger) -> None:
    batch_id = _held(ledger)
    with pytest.raises(ToolFailed):
        _released(ledger, batch_id, _OPENED, present=False)
    assert rows(ledger, schema.batch)[0].standing == Standing.HELD
    assert rows(ledger, schema.rendition) == []


def test_nothing_is_opened_where_nothing_is_to_be_opened(ledger: Ledger) -> None:
    batch_id = _held(ledger)
    with pytest.raises(UsageError):
        _released(ledger, batch_id, dataclasses.replace(_OPENED, ordinal=7))
    assert rows(ledger, schema.batch)[0].standing == Standing.HELD


def test_a_changed_opened_copy_is_noticed(ledger: Ledger) -> None:
    _released(ledger, _held(ledger), _OPENED)
    change(ledger, sa.update(schema.batch_source).values(opened_sha256=_COVER))
    assert not _sound(ledger)


def test_erasing_takes_the_opened_copy_along(ledger: Ledger) -> None:
    batch_id = _held(ledger)
    _released(ledger, batch_id, _OPENED)
    with ledger.writing() as connection:
        gone = erase(connection, batch_id, "op17", "versehentlich")
    assert _OPENED.sha256 in gone
    assert _sound(ledger)


def test_erasing_one_document_keeps_the_opened_copy_of_another(ledger: Ledger) -> None:
    _released(ledger, _held(ledger), _OPENED)
    claim = claim_at(ledger, Step.INSPECTION)
    known = [
        dataclasses.replace(one, kind=SourceKind.PDF)
        for one in ledger.assignment(claim).batch.sources
    ]
    assert ledger.record(claim, Outcome(sources=tuple(known)))
    parts = (Part(pages=(), source=1), Part(pages=(), source=2))
    assert ledger.record(claim_at(ledger, Step.SEPARATION), Outcome(parts=parts))
    work(ledger)
    other = rows(ledger, schema.document)[1].id
    with ledger.writing() as connection:
        gone = erase(connection, other, "op17", "versehentlich")
    assert _OPENED.sha256 not in gone
    assert [row.kind for row in rows(ledger, schema.rendition)].count("opened") == 1
