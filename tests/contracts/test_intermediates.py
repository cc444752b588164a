"""Intermediate results go after seal and delivery, in that order, and what is needed stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from ingest.document import Step
from ingest.ledger import Ledger, intermediates, schema
from ingest.ledger.erasure import erase
from ingest.store import FolderStore
from ingest.upkeep import Upkeep
from tests.plugins.ledgers import broken, claim_at, everything, rows
from tests.plugins.paperwork import REPLACING, TENANT, agrees, deliver, documents, replacing
from tests.plugins.releases import taken

#: The same on every database: asked on one.
ONE = pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)


def confidential(need: str) -> dict[str, Any]:
    protection = {"integrity": "normal", "confidentiality": need}
    return {**REPLACING, "protection": protection}


class Erasing(FolderStore):
    """A store that remembers what it was asked to erase; it holds nothing."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []

    @override
    def erase(self, tenant: str, sha256: str) -> bool:
        self.asked.append(sha256)
        return True


def kinds(ledger: Ledger, document: str) -> set[str]:
    return {row.kind for row in rows(ledger, schema.rendition) if row.unit_id == document}


def test_from_high_on_they_go_with_a_record_and_only_they(ledger: Ledger, tmp_path: Path) -> None:
    taken(ledger, replacing(confidential("high")))
    deliver(ledger, cut=((1,),))
    taken(ledger, replacing(confidential("normal")))
    deliver(ledger, cut=((1,),))
    first, second = documents(ledger)
    before = [row for row in rows(ledger, schema.rendition) if row.unit_id == first]
    gone = {row.sha256 for row in before if row.kind in ("composed", "noted")}
    store = Erasing(tmp_path)
    upkeep = Upkeep(ledger, store, [TENANT])
    assert upkeep.tidy() == 1
    assert set(store.asked) == gone
    assert kinds(ledger, first) == {"pdf"}
    assert kinds(ledger, second) == {"composed", "noted", "pdf"}
    assert all(row.words_sha256 for row in rows(ledger, schema.page))
    assert all(row.sha256 for row in rows(ledger, schema.batch_source)), "what was scanned stays"
    told = [row for row in rows(ledger, schema.event) if row.kind == intermediates.REMOVED]
    assert [row.chain for row in told] == [first]
    assert upkeep.tidy() == 0
    assert broken(ledger) == []
    assert agrees(ledger) == []


@ONE
def test_a_house_may_want_it_for_every_class(ledger: Ledger, tmp_path: Path) -> None:
    taken(ledger, replacing(confidential("normal")))
    deliver(ledger, cut=((1,),))
    assert Upkeep(ledger, Erasing(tmp_path), [TENANT], every_class=True).tidy() == 1
    assert agrees(ledger) == []


@ONE
@pytest.mark.parametrize("note", [{"complete": True, "counts_as": "copying"}, {}])
def test_nothing_goes_while_the_match_is_not_confirmed(
    ledger: Ledger, tmp_path: Path, note: dict[str, Any]
) -> None:
    taken(ledger, replacing(confidential("high")))
    deliver(ledger, cut=((1,),), note=note)
    assert Upkeep(ledger, Erasing(tmp_path), [TENANT]).tidy() == 0
    assert kinds(ledger, documents(ledger)[0]) == {"composed", "noted", "pdf"}


@ONE
def test_nothing_goes_before_delivery(ledger: Ledger, tmp_path: Path) -> None:
    taken(ledger, replacing(confidential("very_high")))
    claim_at(ledger, Step.DELIVERY)
    assert Upkeep(ledger, Erasing(tmp_path), [TENANT]).tidy() == 0


def test_what_went_is_named_nowhere_after_the_document_is_erased(
    ledger: Ledger, tmp_path: Path
) -> None:
    receipt = taken(ledger, replacing(confidential("high")))
    deliver(ledger, cut=((1,),))
    store = Erasing(tmp_path)
    Upkeep(ledger, store, [TENANT]).tidy()
    with ledger.writing() as connection:
        erase(connection, receipt.batch_id, "SCN", "Irrläufer")
    content = everything(ledger)
    assert store.asked
    assert not [sha256 for sha256 in store.asked if sha256 in content]
    assert broken(ledger) == []
