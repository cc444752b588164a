"""What was scanned again is witnessed by roots of its own, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from ingest.document import Facts, Step
from ingest.ledger import Ledger, accepting, chains, covering, schema, witness, witnessed
from ingest.ledger.covering import unit_of
from ingest.ledger.erasure import erase
from ingest.ledger.witness import CAPTURE, GONE, RECEIPT
from ingest.ledger.witness_faults import faults
from tests.contracts.test_rescanning import rescan
from tests.contracts.test_witness import attest, found, proofs
from tests.plugins.authority import Authority
from tests.plugins.ledgers import change, claim_at, digest, everything, payload, rows
from tests.plugins.revisions import documents, separated, to_the_end
from tests.plugins.sampling import scanned

_root = schema.witness_root


def under(ledger: Ledger, batch: str) -> dict[tuple[str, str], list[str]]:
    """Return the digests under each root of a batch."""
    with ledger.reading() as connection:
        return {
            (kind, unit): [leaf.sha256 for leaf in leaves]
            for kind in (RECEIPT, CAPTURE)
            for unit, leaves in covering.leaves(connection, kind, [batch]).items()
        }


def assert_proven(ledger: Ledger, batch: str) -> None:
    """Every digest that is there has its timestamp, every erased one has not."""
    for (kind, unit), digests in under(ledger, batch).items():
        assert proofs(ledger, kind, unit, digests) == [1 if each else -1 for each in digests]


def test_a_rescan_is_proven_from_its_own_roots(ledger: Ledger, authority: Authority) -> None:
    batch = separated(ledger, ((1, 3), (4,)), {2: "blank"})
    before = documents(ledger)[0].id
    first = rescan(ledger, before, scanned(3))
    to_the_end(ledger)
    assert attest(ledger, authority)
    whole = rescan(ledger, documents(ledger)[-1].id, scanned(None, 2, content="ganz"))
    units = [unit_of(batch, 2), unit_of(batch, 3)]
    kept = under(ledger, batch)
    assert {unit for _, unit in kept} == {batch, *units}
    assert [len(kept[CAPTURE, unit]) for unit in (batch, *units)] == [4, 1, 2]
    assert [kept[RECEIPT, unit] for unit in units] == [[digest("neu")], [digest("ganz")]]
    roots = {(row.kind, row.unit): row for row in rows(ledger, _root)}
    said = payload(ledger, covering.PAGES_RESCANNED)
    for kind in (RECEIPT, CAPTURE):
        assert said[witness.NAMED[kind]] == roots[kind, units[-1]].root
    assert found(ledger) == []
    assert attest(ledger, authority)
    assert found(ledger) == []
    assert_proven(ledger, batch)
    with ledger.reading() as connection:
        assert witnessed.proof(connection, CAPTURE, units[0], 7) is None
        assert witnessed.proof(connection, CAPTURE, batch, 4) is None
    assert (first.pages, whole.pages) == ((5,), (6, 7))


def test_a_note_is_told_which_root_is_over_which_image(
    ledger: Ledger, authority: Authority
) -> None:
    batch = separated(ledger)
    to_the_end(ledger)
    assert attest(ledger, authority)
    rescan(ledger, documents(ledger)[0].id, scanned(3))
    noting = ledger.assignment(claim_at(ledger, Step.NOTE))
    assert [page.number for page in noting.pages] == [1, 4]
    first, again = noting.captures
    roots = {(row.kind, row.unit): row.root for row in rows(ledger, _root)}
    assert (first["root"], first["images"]) == (roots[CAPTURE, batch], [1])
    assert (again["root"], again["images"]) == (roots[CAPTURE, unit_of(batch, 2)], [4])
    assert first["stamped_at"] is not None
    assert again["stamped_at"] is None


def test_erasing_a_rescan_takes_which_leaves_it_was(ledger: Ledger, authority: Authority) -> None:
    batch = separated(ledger, ((1, 3), (4,)), {2: "blank"})
    to_the_end(ledger)
    new = rescan(ledger, documents(ledger)[0].id, scanned(3)).document
    other = rescan(ledger, documents(ledger)[-1].id, scanned(4, content="anders"))
    to_the_end(ledger)
    assert attest(ledger, authority)
    with ledger.writing() as connection:
        erase(connection, new, "op17", "Irrläufer")
    assert found(ledger) == []
    assert_proven(ledger, batch)
    salts = {(row.kind, row.unit): witness.split(row.salts) for row in rows(ledger, _root)}
    assert salts[RECEIPT, unit_of(batch, 2)] == salts[CAPTURE, unit_of(batch, 2)] == (GONE,)
    assert GONE not in salts[CAPTURE, unit_of(batch, 3)]
    assert under(ledger, batch)[CAPTURE, unit_of(batch, 3)] == [digest("anders/0")]
    with ledger.writing() as connection:
        erase(connection, other.document, "op17", "Irrläufer")
    assert found(ledger) == []
    assert_proven(ledger, batch)
    assert digest("anders") not in everything(ledger)
    assert {salt for row in rows(ledger, _root) for salt in witness.split(row.salts)} == {GONE}


def test_an_exchanged_rescan_and_a_missing_root_of_one_are_named(ledger: Ledger) -> None:
    batch = separated(ledger)
    to_the_end(ledger)
    rescan(ledger, documents(ledger)[0].id, scanned(3))
    unit = unit_of(batch, 2)

    def told(of: str | None = None) -> list[tuple[str, str]]:
        with ledger.reading() as connection:
            return list(faults(connection, "default", of))

    last = schema.page.c.number == 4
    change(ledger, sa.update(schema.page).where(last).values(sha256=digest("another")))
    wrong = [(f"Erfassung {unit}", "Seite 1 ist nicht die, über die die Wurzel gebildet wurde")]
    assert told() == told(batch) == wrong
    change(ledger, sa.update(schema.page).where(last).values(sha256=digest("neu/0")))
    assert told() == []
    mine = sa.and_(_root.c.unit == unit, _root.c.kind == CAPTURE)
    change(ledger, sa.update(_root).where(mine).values(root="0" * 64))
    assert {reason for _, reason in told(batch)} == {
        "die Wurzel ist nicht die ihrer Blätter",
        "Wurzel oder Zeit ist nicht die, die das Ereignis nennt",
    }
    change(ledger, sa.delete(_root).where(_root.c.unit == unit))
    missing = [(f"{name} {unit}", "das Ereignis nennt eine Wurzel, sie fehlt") for name in _NAMES]
    assert told() == told(batch) == missing


_NAMES = ("Eingang", "Erfassung")


def _nothing(*_: Any) -> Facts:
    return {}


def _as_before(ledger: Ledger, batch: str) -> None:
    """Make roots of a batch as earlier versions did, over all that was there."""
    source, page = schema.batch_source, schema.page
    with ledger.writing() as connection:
        files = sa.select(source.c.sha256).order_by(source.c.ordinal)
        images = sa.select(page.c.sha256).order_by(page.c.number)
        moment = accepting.now(connection)
        said: Facts = {}
        for kind, query in ((RECEIPT, files), (CAPTURE, images)):
            digests = list(connection.execute(query).scalars())
            said |= witness.keep(connection, kind, batch, "default", digests, moment)
        chains.append(connection, batch, moment, chains.Entry(covering.LATER, said))


def test_rescans_of_earlier_versions_verify_and_get_what_they_lack(
    ledger: Ledger, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr("ingest.ledger.rescanning._witnessed", _nothing)
        batch = separated(ledger, ((1, 3), (4,)), {2: "blank"})
        to_the_end(ledger)
        gone = rescan(ledger, documents(ledger)[-1].id, scanned(4)).document
        rescan(ledger, documents(ledger)[0].id, scanned(None, 2, content="ganz"))
        to_the_end(ledger)
        assert attest(ledger, authority)
    assert found(ledger) == []
    with ledger.writing() as connection:
        erase(connection, gone, "op17", "Irrläufer")
    assert found(ledger) == []
    with ledger.writing() as connection:
        assert [witnessed.catch_up(connection, "default") for _ in range(2)] == [1, 0]
    said = payload(ledger, covering.LATER)
    assert [(one["source"], sorted(one)[:2]) for one in said["rescans"]] == [
        (number, ["capture_root", "receipt_root"]) for number in (2, 3)
    ]
    assert found(ledger) == []
    assert attest(ledger, authority)
    assert found(ledger) == []
    assert_proven(ledger, batch)


def test_rescans_that_were_under_the_first_roots_stay_there(
    ledger: Ledger, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(witness, "keep", _nothing)
        batch = separated(ledger, ((1, 3), (4,)), {2: "blank"})
        to_the_end(ledger)
        old = rescan(ledger, documents(ledger)[0].id, scanned(3)).document
        before.undo()
        _as_before(ledger, batch)
        before.setattr("ingest.ledger.rescanning._witnessed", _nothing)
        rescan(ledger, documents(ledger)[-1].id, scanned(4, content="anders"))
        to_the_end(ledger)
    assert attest(ledger, authority)
    assert found(ledger) == []
    with ledger.writing() as connection:
        assert [witnessed.catch_up(connection, "default") for _ in range(2)] == [1, 0]
    rescan(ledger, documents(ledger)[-1].id, scanned(6, content="noch einmal"))
    to_the_end(ledger)
    kept = under(ledger, batch)
    assert {unit for _, unit in kept} == {batch, unit_of(batch, 3), unit_of(batch, 4)}
    assert len(kept[CAPTURE, batch]) == 5
    assert attest(ledger, authority)
    assert found(ledger) == []
    assert_proven(ledger, batch)
    with ledger.writing() as connection:
        erase(connection, old, "op17", "Irrläufer")
    assert found(ledger) == []
    assert_proven(ledger, batch)
