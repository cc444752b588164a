"""Names of persons: in a store of their own, seen by two together, gone when erased."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ingest.document import Document, Facts, Role, Stage, Step
from ingest.errors import LedgerUnavailable, Misconfigured, UsageError
from ingest.ledger import Ledger, backup, open_ledger, people, pseudonyms, schema, vouching
from ingest.ledger.installation import chain_of
from ingest.ledger.namebook import Namebook, Named, open_namebook
from ingest.ledger.pseudonyms import Request
from tests.plugins.ledgers import arrival, broken, downgrade, events, everything, rows
from tests.plugins.releases import TENANT, staffed

ERIKA = Named(name="Erika Mustermann", reference="Personalstelle, Zimmer 12")


@pytest.fixture
def names(ledger: Ledger, ledger_url: str, tmp_path: Path) -> Iterator[Namebook]:
    staffed(ledger)
    with ledger.writing() as connection:
        people.register(connection, TENANT, "RV2", by="ADM")
        people.give(connection, TENANT, "RV2", Role.AUDITOR_DEPUTY, by="ADM")
        people.register(connection, TENANT, "RV3", by="ADM", same_as="REV")
    own = f"sqlite:///{tmp_path / 'persons' / 'persons.sqlite'}"
    book = open_namebook(own if ledger_url.startswith("sqlite") else ledger_url)
    yield book
    book.close()


def enter(ledger: Ledger, names: Namebook, code: str = "KL", by: str = "ADM") -> None:
    with ledger.writing() as connection:
        pseudonyms.enter(connection, names, TENANT, code, ERIKA, by=by)


def ask(ledger: Ledger, names: Namebook, **changed: str) -> Named:
    given = {"code": "KL", "by": "REV", "second": "RV2", "reason": "Rüge, Az. 12"}
    return pseudonyms.resolve(ledger.writing, names, TENANT, Request(**{**given, **changed}))


def test_two_of_revision_learn_the_name_and_the_chain_learns_that_they_did(
    ledger: Ledger, names: Namebook, tmp_path: Path
) -> None:
    enter(ledger, names)
    assert ask(ledger, names) == ERIKA
    assert events(ledger, chain_of(TENANT))[-2:] == ["person_named", "pseudonym_resolved"]
    assert broken(ledger) == []
    assert "Erika" not in everything(ledger)
    with ledger.reading() as connection:
        backup.copy_ledger(connection, tmp_path / "copy")
    assert all(b"Erika" not in file.read_bytes() for file in (tmp_path / "copy").iterdir())
    open_namebook(f"sqlite:///{tmp_path / 'persons' / 'persons.sqlite'}").close()
    folder = tmp_path / "persons"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "persons.sqlite").stat().st_mode) == 0o600


REFUSED = [
    ({"second": "REV"}, "zwei verschiedene"),
    ({"second": "RV3"}, "zwei verschiedene"),
    ({"second": "LTG"}, "weder zur Revision"),
    ({"by": "ADM"}, "weder zur Revision"),
    ({"second": "XY"}, "nicht gemeldet"),
    ({"code": "XY"}, "nicht gemeldet"),
    ({"code": "LTG"}, "kein Name"),
    ({"reason": " "}, "Grund"),
    ({"reason": "Rüge gegen mustermann"}, "darf den Namen nicht nennen"),
]


def test_a_refused_resolution_is_an_event_without_the_name(ledger: Ledger, names: Namebook) -> None:
    with pytest.raises(UsageError, match="administrator"):
        enter(ledger, names, by="LTG")
    with pytest.raises(UsageError, match="not known"):
        enter(ledger, names, code="XY")
    before = everything(ledger)
    with pytest.raises(UsageError):
        ask(ledger, names, code="Erika Mustermann")
    assert everything(ledger) == before  # what may be a name gets into no event
    enter(ledger, names)
    for changed, said in REFUSED:
        with pytest.raises(UsageError) as caught:
            ask(ledger, names, **changed)
        assert said in caught.value.operator_text
    kinds = events(ledger, chain_of(TENANT))
    assert kinds[-len(REFUSED) :] == ["pseudonym_resolution_refused"] * len(REFUSED)
    assert "ustermann" not in everything(ledger)


def test_who_left_can_still_be_resolved_until_their_name_is_erased(
    ledger: Ledger, names: Namebook
) -> None:
    enter(ledger, names)
    with ledger.writing() as connection:
        people.leave(connection, TENANT, "KL", by="ADM")
    assert ask(ledger, names) == ERIKA
    with pytest.raises(UsageError, match="reason"), ledger.writing() as connection:
        pseudonyms.strike(connection, names, TENANT, "KL", by="ADM", reason="")
    with ledger.writing() as connection:
        pseudonyms.strike(connection, names, TENANT, "KL", by="ADM", reason="Löschfrist")
    with pytest.raises(UsageError, match="no name"):
        ask(ledger, names)
    assert names.persons(TENANT) == frozenset()
    assert broken(ledger) == []


def test_without_the_store_of_names_nothing_is_claimed(ledger: Ledger, tmp_path: Path) -> None:
    staffed(ledger)
    lost = tmp_path / "lost" / "persons.sqlite"
    names = open_namebook(f"sqlite:///{lost}")
    enter(ledger, names)
    names.close()
    lost.unlink()
    lost.mkdir()
    with pytest.raises(LedgerUnavailable):
        enter(ledger, names, code="LTG")
    assert len(rows(ledger, schema.named_person)) == 1


def test_codes_are_resolvable_while_their_person_has_a_name(
    ledger: Ledger, names: Namebook
) -> None:
    enter(ledger, names)
    enter(ledger, names, code="LTG")
    with ledger.writing() as connection:
        people.leave(connection, TENANT, "KL", by="ADM")
    ledger.accept(arrival())
    [batch] = rows(ledger, schema.batch)
    codes = {"KL", "LTG", "LT3", "LT2", "XY"}
    with ledger.reading() as connection:
        # LT3 is LTG's other code; KL had left before, LT2 has no name, XY is nobody.
        at = batch.registered_at
        assert pseudonyms.resolvable(connection, TENANT, codes, at) == {"LTG", "LT3"}
        before = rows(ledger, schema.operator)[0].since_at
        found = pseudonyms.resolvable(connection, TENANT, codes, before)
    assert found == {"KL", "LTG", "LT3"}


def test_names_in_an_old_ledger_move_to_the_store_of_names(
    ledger_url: str, names: Namebook, ledger: Ledger
) -> None:
    with ledger.reading() as connection:
        person = people.person_of(connection, TENANT, "LTG")
    downgrade(ledger, "0006")
    old = sa.text("INSERT INTO operator_name (tenant, code, name) VALUES ('default', :c, :n)")
    with ledger.writing() as connection:
        for code, name in (("LTG", "Lea Leitung"), ("ALT", "Otto Ehemals")):
            connection.execute(old, {"c": code, "n": name})

    def keep(tenant: str, person: str, name: str) -> None:
        names.enter(tenant, person, Named(name=name))

    with pytest.raises(Misconfigured, match="names in the ledger"):
        open_ledger(ledger_url)
    later = open_ledger(ledger_url, keep)
    assert names.named(TENANT, person) == Named(name="Lea Leitung")
    [alt] = [row for row in rows(later, schema.operator) if row.code == "ALT"]
    assert names.named(TENANT, alt.person) == Named(name="Otto Ehemals")
    assert len(rows(later, schema.named_person)) == 2
    assert "Otto" not in everything(later)
    later.close()


def test_everybody_who_judged_a_document_is_looked_up_for_its_note(
    ledger: Ledger, names: Namebook
) -> None:
    for code in ("KL", "LTG", "LT2", "ADM"):
        enter(ledger, names, code=code)
    ledger.accept(arrival(operator="KL"))
    [batch] = rows(ledger, schema.batch)
    sheet: Facts = {Step.SEPARATION: {"operator": "REV"}}  # has no name
    document = Document(
        id="d",
        batch_id=batch.id,
        consignment_id="c",
        revision=1,
        ordinal=1,
        stage=Stage.CHECKED,
        facts=sheet,
        renditions={},
        source=1,
    )
    quality = {
        "checked_by": ["LTG"],
        "verdict": {"by": "LT2"},
        "rescanned": [{"page": 1, "by": "XY"}],
    }
    with ledger.reading() as connection:
        found = {
            treatment: vouching.vouched(
                connection, {"treatment": treatment}, batch, document, quality
            )
            for treatment in ("replacing", "copying")
        }
        of_batch = vouching.vouched(connection, {"treatment": "replacing"}, batch, None, quality)
    assert found["replacing"] == {"procedure": {}, "registered": {"KL", "LTG", "LT2"}}
    assert found["copying"] == of_batch == {}
