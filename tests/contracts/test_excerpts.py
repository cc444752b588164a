"""What the ledger hands out of its history can be computed again elsewhere, on both databases."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest

from ingest.errors import UsageError
from ingest.ledger import Ledger, excerpts, integrity, schema
from ingest.ledger.chains import payload_digest
from ingest.ledger.erasure import erase
from ingest.ledger.excerpts import Anchor, Anchors
from tests.plugins import ledgers
from workers.evidence.offline.history import root_from

#: Days so near that nobody could have missed to anchor them: a missed one is as of its end.
SECOND = dt.datetime.now(dt.UTC).date()
FIRST = SECOND - dt.timedelta(days=1)


def anchored(ledger: Ledger, day: dt.date) -> str:
    with ledger.writing() as connection:
        return integrity.anchor(connection, "default", day).root


def of_units(ledger: Ledger) -> set[str]:
    """Return the chains of batches and documents."""
    rows = ledgers.rows(ledger, schema.chain)
    return {row.id for row in rows if row.unit_kind in {"batch", "document"}}


def ways(ledger: Ledger) -> dict[str, Anchor | None]:
    """Return the way of each of them to a root."""
    chains = of_units(ledger)
    with ledger.reading() as connection:
        anchors = Anchors(connection, "default")
        return {chain: anchors.of(excerpts.told(connection, chain)) for chain in chains}


def led(way: Anchor) -> str:
    said = {"chain": way.head.chain, "length": way.head.length, "head": way.head.digest}
    return root_from({**said, "index": way.index, "heads": way.heads, "path": way.path})


def test_every_chain_leads_to_the_first_root_over_all_of_it(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.accept(ledgers.arrival())
    ledgers.deliver(ledger)
    assert set(ways(ledger).values()) == {None}
    first = anchored(ledger, FIRST)
    before = of_units(ledger)
    ledger.accept(ledgers.arrival(tenant="anderer"))
    ledger.accept(ledgers.arrival())
    ledgers.deliver(ledger)
    found = ways(ledger)
    assert {chain for chain, way in found.items() if way is not None} == before
    assert {(way.day, led(way), way.root) for way in found.values() if way is not None} == {
        (str(FIRST), first, first)
    }
    second = anchored(ledger, SECOND)
    assert {led(way) for way in ways(ledger).values() if way is not None} == {first, second}


def test_a_chain_that_grew_leads_from_what_it_was_to_the_newest_root_there_is(
    ledger: Ledger,
) -> None:
    ledger.accept(ledgers.arrival())
    ledgers.work(ledger, until=None)
    root = anchored(ledger, FIRST)
    (document,) = ledgers.rows(ledger, schema.document)
    with ledger.writing() as connection:
        erase(connection, document.id, "op17", "Irrläufer")
    way = ways(ledger)[document.id]
    assert way is not None
    with ledger.reading() as connection:
        length = excerpts.chain_of(connection, document.id)["length"]
    assert (way.head.length, led(way)) == (length - 1, root)


def test_events_are_told_with_all_that_their_digests_are_made_of(ledger: Ledger) -> None:
    batch = ledger.accept(ledgers.arrival(storage_place="Karton 7")).batch_id
    ledgers.deliver(ledger)
    with ledger.reading() as connection:
        documents = excerpts.documents_of(connection, batch)
        assert documents == [one["id"] for one in excerpts.cut_of(connection, batch)]
        for chain in (batch, *documents):
            whole, told = excerpts.chain_of(connection, chain), excerpts.told(connection, chain)
            assert (whole["length"], whole["head"]) == (len(told), told[-1]["digest"])
            for event in told:
                said = payload_digest(event["salt"], event["payload"])
                assert said == event["payload_digest"]
        profile = excerpts.profile_of(
            connection, "default", hashlib.sha256(b"posteingang 1").hexdigest()
        )
        assert profile is not None
        assert profile["content"] == ledgers.PROFILE
        assert excerpts.profile_of(connection, "default", "0" * 64) is None
        assert excerpts.paper_of(connection, batch, documents[0]) == []
        with pytest.raises(UsageError):
            excerpts.documents_of(connection, "ffffffff")
    with ledger.writing() as connection:
        erase(connection, batch, "op17", "Irrläufer")
    with ledger.reading() as connection:
        erased = excerpts.told(connection, batch)
    assert {event["salt"] for event in erased[:-1]} == {None}
    assert erased[-1]["kind"] == "erased"
