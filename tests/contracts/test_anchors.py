"""Anchors outside the database show what a copy that was put back lacks, on both databases."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.errors import DigestMismatch, StoreUnavailable
from ingest.ledger import Ledger, anchors, backup, integrity, open_ledger, schema
from ingest.ledger.anchors import Compared
from ingest.ledger.erasure import erase
from tests.contracts.test_copies import copied
from tests.plugins.ledgers import arrival, rows, work

#: Days that are not over: earlier ones are anchored as of their end.
DAY = dt.datetime.now(dt.UTC).date()
NEXT = (DAY + dt.timedelta(days=1)).isoformat()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger to restore into."""
    opened = open_ledger(f"sqlite:///{tmp_path / 'target.sqlite'}")
    yield opened
    opened.close()


def anchored(ledger: Ledger, folder: Path, day: int) -> int:
    with ledger.writing() as connection:
        integrity.anchor(connection, "default", DAY + dt.timedelta(days=day))
    with ledger.reading() as connection:
        return anchors.publish(connection, folder, "default")


def compared(ledger: Ledger, folder: Path) -> Compared:
    with ledger.reading() as connection:
        return anchors.compare(connection, [folder, folder / "none"], "default")


def restored(ledger: Ledger, copy: Path, *folders: Path) -> Compared:
    with ledger.writing() as connection:
        return backup.restore_ledger(connection, copy, "op17", folders).beside["default"]


def older(ledger: Ledger, tmp_path: Path) -> tuple[str, str, int]:
    """Make a copy, then let things happen; return the two batches and what the first lacks."""
    first = ledger.accept(arrival()).batch_id
    anchored(ledger, tmp_path / "anchors", 0)
    copied(ledger, tmp_path / "copy")
    work(ledger)
    second = ledger.accept(arrival()).batch_id
    anchored(ledger, tmp_path / "anchors", 1)
    (chain,) = (row for row in rows(ledger, schema.chain) if row.id == first)
    return first, second, chain.length - 1


def test_each_day_is_one_file_with_the_heads_that_moved(ledger: Ledger, tmp_path: Path) -> None:
    first = ledger.accept(arrival()).batch_id
    assert anchored(ledger, tmp_path, 0) == 1
    second = ledger.accept(arrival()).batch_id
    assert anchored(ledger, tmp_path, 1) == 1
    one, two = sorted((tmp_path / "default").iterdir())
    moved = [{c[0] for c in json.loads(file.read_text())["changed"]} for file in (one, two)]
    assert moved == [{first}, {second, "installation:default"}]
    before = one.read_bytes()
    assert anchored(ledger, tmp_path, 1) == 0
    assert one.read_bytes() == before
    found = compared(ledger, tmp_path)
    assert (found.days, found.newest) == (2, NEXT)
    assert (found.behind, found.rewritten, found.damaged) == ([], [], [])


def test_a_copy_older_than_the_anchors_is_restored_and_what_it_lacks_is_said(
    ledger: Ledger, target: Ledger, tmp_path: Path
) -> None:
    first, second, lacking = older(ledger, tmp_path)
    folder = tmp_path / "anchors"
    found = restored(target, tmp_path / "copy", folder)
    behind = {one.chain: (one.events, one.kept) for one in found.behind}
    assert behind[first] == (lacking, 1)
    assert behind[second][1] == 0
    assert found.newest == NEXT
    (event,) = (row for row in rows(target, schema.event) if row.kind == "restored")
    assert event.actor == "op17"
    (said,) = (
        row.payload
        for row in rows(target, schema.event_payload)
        if (row.chain, row.seq) == (event.chain, event.seq)
    )
    assert said["behind"] == {chain: kept for chain, (_, kept) in behind.items()}
    assert said["events_missing"] == sum(events for events, _ in behind.values())
    later = compared(target, folder)
    assert (later.behind, later.rewritten) == ([], [])
    assert later.explained == len(behind)
    work(target)
    anchored(target, folder, 2)
    assert compared(target, folder).behind == []


def test_what_was_erased_after_the_copy_is_named_until_it_is_erased_again(
    ledger: Ledger, target: Ledger, tmp_path: Path
) -> None:
    batch_id = ledger.accept(arrival()).batch_id
    work(ledger)
    anchored(ledger, tmp_path / "anchors", 0)
    copied(ledger, tmp_path / "copy")
    (document,) = [row.id for row in rows(ledger, schema.document)]
    with ledger.writing() as connection:
        erase(connection, document, "op17", "irrtümlich geöffnet")
    anchored(ledger, tmp_path / "anchors", 1)
    assert restored(target, tmp_path / "copy", tmp_path / "anchors").back == [batch_id, document]
    assert compared(target, tmp_path / "anchors").back == [batch_id, document]
    with target.writing() as connection:
        erase(connection, document, "op17", "irrtümlich geöffnet")
    assert compared(target, tmp_path / "anchors").back == []


def test_the_first_anchor_after_an_update_names_what_was_erased_before(
    ledger: Ledger, tmp_path: Path
) -> None:
    batch_id = ledger.accept(arrival()).batch_id
    work(ledger)
    (document,) = [row.id for row in rows(ledger, schema.document)]
    with ledger.writing() as connection:
        erase(connection, document, "op17", "irrtümlich geöffnet")
    anchored(ledger, tmp_path, 0)
    (first,) = (tmp_path / "default").iterdir()
    said = json.loads(first.read_text("utf-8"))
    assert said.pop("erased") == [batch_id, document]
    first.write_text(json.dumps(said))  # as versions before wrote it
    ledger.accept(arrival())
    anchored(ledger, tmp_path, 1)
    _, second = sorted((tmp_path / "default").iterdir())
    assert json.loads(second.read_text("utf-8"))["erased"] == [batch_id, document]


def test_a_database_put_back_in_secret_is_found(
    ledger: Ledger, target: Ledger, tmp_path: Path
) -> None:
    first, second, _ = older(ledger, tmp_path)
    assert restored(target, tmp_path / "copy").days == 0
    found = compared(target, tmp_path / "anchors")
    assert {first, second} <= {one.chain for one in found.behind}


def test_another_history_is_not_restored(ledger: Ledger, target: Ledger, tmp_path: Path) -> None:
    older(ledger, tmp_path)
    file = min((tmp_path / "anchors" / "default").iterdir())
    content = json.loads(file.read_text())
    content["changed"][0][2] = "0" * 64
    file.write_text(json.dumps(content))
    with pytest.raises(DigestMismatch, match="another history"):
        restored(target, tmp_path / "copy", tmp_path / "anchors")
    assert rows(target, schema.batch) == []


def test_a_damaged_file_is_named_and_a_folder_that_cannot_be_written_is_an_outage(
    ledger: Ledger, tmp_path: Path
) -> None:
    older(ledger, tmp_path)
    file = min((tmp_path / "anchors" / "default").iterdir())
    file.write_bytes(file.read_bytes()[:-20])
    assert compared(ledger, tmp_path / "anchors").damaged == [file]
    (tmp_path / "blocked").write_text("no folder")
    with ledger.reading() as connection, pytest.raises(StoreUnavailable):
        anchors.publish(connection, tmp_path / "blocked", "default")
