"""Orders for letters that leave: one order is one batch, who may give one, what it leaves."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest

from ingest.document import OUTGOING, Outcome, Part, Role, Step
from ingest.errors import UsageError
from ingest.ledger import Arrival, Ledger, Receipt, erasure, people, schema
from ingest.ledger.account import day_account
from ingest.ledger.agreement import Examination
from ingest.ledger.evidence import waiting
from ingest.ledger.outgoing import order_key, sealed
from ingest.store.folder import FolderStore
from tests.plugins import ledgers
from tests.plugins.ledgers import arrival, digest, events, everything, first_day, source
from workers.outgoing import hand_out

TENANT = "default"
ORDERED = {"class": "bescheid", "released_by": "AB12", "visible": False}
SAID = {"level": "B-LT", "certificate_sha256": digest("certificate"), "sha256_before": "x"}


def order(content: str = "letter", code: str | None = "AB12", key: str | None = None) -> Arrival:
    made = arrival(source("bescheid.pdf", content), key=key, channel=OUTGOING, operator=code)
    return dataclasses.replace(made, ordered={**ORDERED, "released_by": code})


def seal(ledger: Ledger) -> None:
    """Work an order to its end, as the steps do."""
    while (claim := ledger.claim(ledgers.ALL, "test", ledgers.LEASE)) is not None:
        found = ledgers.outcome(assignment := ledger.assignment(claim), ())
        assert assignment.batch.facts[OUTGOING]["class"] == "bescheid"
        if claim.step is Step.SEPARATION:
            found = Outcome(parts=(Part(pages=(), source=1, begins=Step.SEALING),))
        if claim.step is Step.SEALING:
            found = dataclasses.replace(found, facts={**ORDERED, "level": "B-LT"}, leaves=SAID)
        assert claim.step in {Step.INSPECTION, Step.SEPARATION, Step.SEALING}
        assert ledger.record(claim, found)


def taken(ledger: Ledger, made: Arrival) -> Receipt:
    receipt = ledger.accept(made)
    seal(ledger)
    return receipt


def test_a_letter_ends_sealed_and_handed_out_and_the_events_say_so(ledger: Ledger) -> None:
    receipt = taken(ledger, order())
    with ledger.reading() as connection:
        found = sealed(connection, receipt.batch_id)
        assert found is not None
        assert (found["released_by"], found["sha256_before"]) == ("AB12", digest("letter"))
        assert list(Examination(connection, TENANT)) == []
        assert [group.document for group in waiting(connection, TENANT, 9)] == [found["document"]]
    assert events(ledger, found["document"]) == ["captured", "sealed", "delivered"]
    assert digest("certificate") in everything(ledger)


def test_what_leaves_is_no_part_of_what_came_in(ledger: Ledger) -> None:
    taken(ledger, order())
    day = first_day(ledger)
    with ledger.reading() as connection:
        account = day_account(connection, TENANT, day, "UTC")
    assert (account.files, account.batches, account.difference) == (0, 0, 0)


def test_the_same_order_is_the_same_batch_until_a_person_ends_it(ledger: Ledger) -> None:
    with ledger.reading() as connection:
        key = order_key(connection, TENANT, digest("letter"), ORDERED)
        others = {
            order_key(connection, tenant, content, {**ORDERED, **more})
            for tenant, content, more in (
                ("other", digest("letter"), {}),
                (TENANT, digest("another"), {}),
                (TENANT, digest("letter"), {"visible": True}),
                (TENANT, digest("letter"), {"released_by": "CD34"}),
                (TENANT, digest("letter"), {"class": "urkunde"}),
            )
        }
    assert len(others | {key}) == 6
    receipt = taken(ledger, order(key=key))
    with ledger.reading() as connection:
        assert order_key(connection, TENANT, digest("letter"), ORDERED) == key
    assert ledger.accept(order(key=key)).batch_id == receipt.batch_id
    erase(ledger, receipt.batch_id)
    with ledger.reading() as connection:
        assert order_key(connection, TENANT, digest("letter"), ORDERED) != key
        assert sealed(connection, receipt.batch_id) is None
    assert digest("certificate") not in everything(ledger)


def erase(ledger: Ledger, unit: str) -> None:
    with ledger.writing() as connection:
        erasure.erase(connection, unit, "AB12", "Versehen")


def test_where_somebody_is_entrusted_with_the_seal_nobody_else_releases(ledger: Ledger) -> None:
    ledger.accept(order("nobody is entrusted yet", code="XY"))
    with ledger.writing() as connection:
        people.register(connection, TENANT, "ADM", by="ADM")
        people.give(connection, TENANT, "ADM", Role.ADMINISTRATOR, by="ADM")
        for code in ("AB12", "CD34"):
            people.register(connection, TENANT, code, by="ADM")
        people.give(connection, TENANT, "CD34", Role.SEAL_OFFICER, by="ADM")
    for code, said in (("AB12", "Siegelverantwortung"), ("XY", "nicht gemeldet")):
        with pytest.raises(UsageError) as caught:
            ledger.accept(order("a new one", code=code))
        assert said in caught.value.operator_text
    assert ledger.accept(order("a new one", code="CD34")).created


def test_the_organisations_seal_is_given_only_by_who_is_entrusted_with_it(ledger: Ledger) -> None:
    sent = order("a decision", code="XY")
    under_seal = {**sent.profile, "sealing": {"key": "organisation"}}
    with pytest.raises(UsageError) as caught:
        ledger.accept(dataclasses.replace(sent, profile=under_seal))
    assert "people add XY" in caught.value.operator_text
    assert ledgers.rows(ledger, schema.batch) == []


@pytest.mark.parametrize("code", [None, "", "Anna Beispiel"])
def test_without_an_operator_code_nothing_leaves(ledger: Ledger, code: str | None) -> None:
    with pytest.raises(UsageError):
        ledger.accept(order(code=code))
    assert ledgers.rows(ledger, schema.batch) == []


def test_a_file_is_handed_out_whole_and_never_over_another(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "blobs")
    sha256 = store.put(TENANT, io.BytesIO(b"sealed")).sha256
    folder = tmp_path / "out"
    folder.mkdir()
    for _ in range(2):
        hand_out(store, TENANT, sha256, folder / "a.pdf")
        assert (folder / "a.pdf").read_bytes() == b"sealed"
    (folder / "b.pdf").write_bytes(b"another")
    with pytest.raises(UsageError, match="exists"):
        hand_out(store, TENANT, sha256, folder / "b.pdf")
    assert (folder / "b.pdf").read_bytes() == b"another"
    assert sorted(path.name for path in folder.iterdir()) == ["a.pdf", "b.pdf"]
