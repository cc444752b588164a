"""Released procedure documents stay as long as anything was scanned under them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from ingest.document import Blob, Step
from ingest.errors import UsageError
from ingest.ledger import Ledger, procedures, reading, releasing, schema
from ingest.ledger.erasure import erase
from ingest.ledger.installation import chain_of
from profiles import load_file
from tests.plugins.ledgers import arrival, claim_at, digest, events, rows, source, work
from tests.plugins.releases import PROCEDURE_SHA256, TENANT, approved, profile_text, staffed

WRITTEN = Blob(sha256=PROCEDURE_SHA256, size=38)
ANNEX = Blob(sha256=digest("anlage"), size=6)


def release(ledger: Ledger, blob: Blob, kind: Any = "written", by: str = "LTG") -> None:
    with ledger.writing() as connection:
        procedures.release(
            connection,
            TENANT,
            blob,
            kind=kind,
            name="Scannen in der Poststelle 3",
            media_type="application/pdf",
            by=by,
            present=lambda *_: blob.size > 0,
        )


def remove(ledger: Ledger, blob: Blob) -> str | None:
    with ledger.writing() as connection:
        return procedures.remove(connection, TENANT, blob.sha256, by="LTG", reason="ersetzt")


def kept(ledger: Ledger) -> set[str]:
    with ledger.reading() as connection:
        return set(reading.referenced(connection, TENANT))


def test_a_supervisor_releases_a_text_once_and_only_if_it_is_stored(ledger: Ledger) -> None:
    staffed(ledger)
    for blob, by, said in (
        (WRITTEN, "KL", "Leitung der Scanstelle"),
        (dataclasses.replace(WRITTEN, size=0), "LTG", "nicht in der Ablage"),
    ):
        with pytest.raises(UsageError) as caught:
            release(ledger, blob, by=by)
        assert said in caught.value.operator_text
    assert rows(ledger, schema.procedure_text) == []
    release(ledger, WRITTEN)
    with pytest.raises(UsageError, match="before"):
        release(ledger, WRITTEN, by="LT2")
    assert kept(ledger) == {WRITTEN.sha256}
    assert remove(ledger, WRITTEN) == WRITTEN.sha256
    assert kept(ledger) == set()
    assert events(ledger, chain_of(TENANT))[-2:] == ["procedure_released", "procedure_removed"]


def test_what_something_was_scanned_under_stays_until_that_is_gone(
    ledger: Ledger, tmp_path: Path
) -> None:
    staffed(ledger)
    release(ledger, WRITTEN)
    path = tmp_path / "klasse.toml"
    path.write_text(profile_text(), encoding="utf-8")
    loaded = load_file(path, "klasse")
    approved(ledger, loaded)
    same = source("vd.pdf")
    same = dataclasses.replace(same, sha256=WRITTEN.sha256)  # somebody scans the very text
    sent = dataclasses.replace(
        arrival(same, profile="klasse"), profile=loaded.facts(), profile_sha256=loaded.sha256
    )
    receipt = ledger.accept(sent)
    release(ledger, ANNEX, "annex")
    claim = claim_at(ledger, Step.CHECKING)
    assert ledger.assignment(claim).procedure["annex_sha256"] == ANNEX.sha256
    with ledger.writing() as connection:
        releasing.withdraw(connection, TENANT, "klasse", by="LTG", reason="überholt")
    for blob in (WRITTEN, ANNEX):
        with pytest.raises(UsageError) as caught:
            remove(ledger, blob)
        assert "Dokumente der Klasse klasse" in caught.value.operator_text
    ledger.set_aside(claim, "held", code="x", operator_text="x", message="x")  # type: ignore[arg-type] # a standing is its text
    with ledger.writing() as connection:
        free = erase(connection, receipt.batch_id, "LTG", "Irrläufer")
    # Erasing the scan of the text leaves the text itself.
    assert WRITTEN.sha256 not in free
    assert WRITTEN.sha256 in kept(ledger)
    assert remove(ledger, ANNEX) == ANNEX.sha256
    assert remove(ledger, WRITTEN) == WRITTEN.sha256
    work(ledger)
