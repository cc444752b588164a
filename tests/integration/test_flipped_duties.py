"""Whoever changes or takes away what has to be looked at, or where paper is, is found out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.document import Role
from ingest.ledger import Ledger, chains, paper, people, schema
from ingest.ledger.agreement import Examination
from ingest.ledger.paperunits import chain_of
from tests.plugins.emptied import empty_ledger
from tests.plugins.flipping import changed, changes, deleted, filled, undone
from tests.plugins.ledgers import arrival, digest, source
from tests.plugins.releases import taken
from tests.plugins.sampling import judge, of_batch, replacing, run, staffed

#: Columns that decide what is found, and who is asked for it: each is to be told by some chain.
TABLES = ("quality_document", "quality_batch", "paper_unit", "paper_hold", "rendition")
#: What the batch's chain says of a document.
OF_BATCH = ("selected", "why")
#: Tables of which no row may be taken away.
KEPT = (*TABLES, "consignment", "document", "page", "batch_source")
#: What events of before did not say.
NEW = frozenset(
    {
        "changed_by",
        "consignment",
        "made_sha256",
        "name_base64",
        "placed_at",
        "placed_by",
        "places_sha256",
        "released_at",
        "roles",
    }
)


def filled_house(folder: Path) -> Ledger:
    """Return a ledger with a sampled batch in work, of which one document is judged, and paper."""
    ledger = empty_ledger(folder / "ledger.sqlite")
    staffed(ledger)
    with ledger.writing() as connection:
        people.register(connection, "default", "FRG", by="adm1")
        people.give(connection, "default", "FRG", Role.RELEASER, by="adm1")
    profile = replacing("high", share=1.0)
    given = arrival(profile=profile["name"])
    sent: dict[str, Any] = {"profile": profile, "profile_sha256": digest(repr(profile))}
    manifest = source("batch.json", "manifest", ordinal=2)
    batch = taken(ledger, dataclasses.replace(given, **sent, manifests=(manifest,))).batch_id
    with ledger.writing() as connection:
        paper.store(connection, batch, by="op17", place="Karton 7")
        paper.hold(connection, batch, by="op17", reason="Klage")
    run(ledger, 2, each=2, flagged=[1])
    first, _ = of_batch(ledger, batch)
    judge(ledger, first, pages=[1])
    with ledger.writing() as connection:
        paper.hold(connection, first, by="op18", reason="Prüfung")
        paper.unhold(connection, first, by="FRG", reason="erledigt", number=2)
    return ledger


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    ledger = filled_house(tmp_path_factory.mktemp("duties"))
    yield ledger
    ledger.close()


def concerned(row: Any, name: str, field: str) -> str | None:
    """Return the chain that has to tell of a row; of a page's rendition all are asked."""
    if name.startswith("paper"):
        return chain_of(row["id" if name == "paper_unit" else "unit_id"])
    if name == "rendition":
        return None if row["unit_kind"] == "page" else str(row["unit_id"])
    by_document = name == "quality_document" and field not in OF_BATCH
    return str(row["document_id" if by_document else "batch_id"])


def test_nothing_is_found_where_nothing_was_changed(house: Ledger) -> None:
    with house.reading() as connection:
        assert list(Examination(connection, "default")) == []


@pytest.mark.parametrize("name", TABLES)
def test_no_value_can_be_another(house: Ledger, name: str) -> None:
    missed = []
    fields = [column.name for column in schema.metadata.tables[name].c if not column.primary_key]
    with undone(house) as connection:
        for field in fields:
            rows = filled(connection, name, field)
            for row in [*rows[:1], *rows[1:][-1:]]:
                other = min(changes(row[field]), key=repr)
                with changed(connection, name, row, field, other):
                    found = Examination(connection, "default", concerned(row, name, field))
                    if next(iter(found), None) is None:
                        missed.append((field, row[field], other))
    assert missed == []


@pytest.mark.parametrize(
    ("field", "value"), [("flagged", "[]"), ("selected", 0), ("need", "normal"), ("good", 1)]
)
def test_a_duty_to_look_cannot_be_taken_from_a_document(
    house: Ledger, field: str, value: Any
) -> None:
    with undone(house) as connection:
        chosen = [
            row
            for row in filled(connection, "quality_document")
            if row[field] != value and (row["judged_at"] is None or field == "flagged")
        ]
        assert chosen
        for row in chosen:
            with changed(connection, "quality_document", row, field, value):
                chain = concerned(row, "quality_document", field)
                assert list(Examination(connection, None, chain)), row


@pytest.mark.parametrize("name", KEPT)
def test_no_row_can_be_taken_away(house: Ledger, name: str) -> None:
    with undone(house) as connection:
        rows = filled(connection, name)
        assert rows
        for row in rows:
            with deleted(connection, name, row):
                assert next(iter(Examination(connection, "default")), None) is not None, row


def test_what_events_of_before_do_not_say_is_no_disagreement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link: Any = chains._link

    def of_before(*given: Any) -> Any:
        *first, entries = given
        return link(*first, [dataclasses.replace(e, payload=less(e.payload)) for e in entries])

    monkeypatch.setattr(chains, "_link", of_before)
    ledger = filled_house(tmp_path)
    with ledger.reading() as connection:
        assert list(Examination(connection, "default")) == []
        said = [row["payload"] for row in filled(connection, "event_payload")]
    assert not any(f'"{key}"' in text for text in said for key in NEW)
    ledger.close()


def less(said: Any) -> Any:
    """Return what an event said before."""
    if isinstance(said, dict):
        return {key: less(value) for key, value in said.items() if key not in NEW}
    return [less(each) for each in said] if isinstance(said, list) else said
