"""Profiles in the ledger that are not those that were used or decided about are named."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import sqlalchemy as sa

from ingest.ledger import Ledger, chains, releasing, schema
from ingest.ledger.installation import note
from tests.contracts.test_agreement import change, documents, found
from tests.plugins.ledgers import arrival, rows, work
from tests.plugins.releases import TENANT

_version, _file = schema.profile_version, schema.profile_file


def submitted(content: bytes, sha256: str) -> sa.Executable:
    row: dict[str, Any] = {
        "tenant": TENANT,
        "sha256": sha256,
        "name": "klasse",
        "version": "1",
        "treatment": "replacing",
        "stage": "draft",
        "content": content,
        "author": "LTG",
        "author_person": "p1",
        "submitted_at": dt.datetime(2026, 11, 22, tzinfo=dt.UTC),
        "test_documents": [],
    }
    return sa.insert(_file).values(row)


def test_a_waiting_time_changed_in_the_ledger_is_named_by_all_that_were_taken_in_under_it(
    ledger: Ledger,
) -> None:
    receipt = ledger.accept(arrival())
    work(ledger, ((1, 2), (4,)))
    assert found(ledger) == []
    [kept] = rows(ledger, _version)
    content = {**kept.content, "paper": {"waiting_days": 1}}
    assert content != kept.content
    change(ledger, sa.update(_version).values(content=content))
    said = found(ledger)
    assert any(line.startswith(receipt.batch_id) for line in said)
    assert all("der Inhalt ist nicht der, der beim Erfassen galt" in line for line in said)
    assert found(ledger, receipt.batch_id)
    change(ledger, sa.delete(_version))
    assert any(line.startswith(receipt.batch_id) for line in found(ledger))
    assert documents(ledger)


def test_bytes_of_a_profile_under_another_digest_are_named(ledger: Ledger) -> None:
    ledger.accept(arrival())
    good = b'name = "klasse"\n'
    sha256 = hashlib.sha256(good).hexdigest()
    said = {"name": "klasse", "version": "1", "sha256": sha256, "treatment": "replacing"}
    change(ledger, submitted(good, sha256))
    with ledger.writing() as connection:
        note(connection, TENANT, chains.Entry(releasing.SUBMITTED, said, "LTG"))
    assert found(ledger) == []
    change(ledger, sa.update(_file).values(content=b'name = "klasse" \n'))
    [line] = found(ledger)
    assert line.startswith(f"installation:{TENANT}")
    assert "die Datei hat eine andere Prüfsumme" in line
