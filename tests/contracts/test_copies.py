"""Copy and restore of the ledger, on both databases, and copies of blobs."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.document import Step
from ingest.errors import DigestMismatch, UsageError
from ingest.ledger import Ledger, backup, integrity, open_ledger, schema, showing
from ingest.store import FolderStore, copy_blobs
from tests.plugins import revisions
from tests.plugins.ledgers import (
    arrival,
    broken,
    change,
    everything,
    source,
    work,
)

CUT = ((1, 2), (4,))
DAY = dt.date(2026, 11, 22)
_event = schema.event


def deliver(ledger: Ledger, cut: Any = CUT) -> None:
    work(ledger, cut)


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger to restore into."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'target.sqlite'}"
        opened = open_ledger(url)
        yield opened
        opened.close()
        return
    server = request.getfixturevalue("postgres_server")
    url = server.create_database()
    opened = open_ledger(url)
    yield opened
    opened.close()
    server.drop_database(url)


def copied(ledger: Ledger, folder: Path) -> backup.Copied:
    with ledger.reading() as connection:
        return backup.copy_ledger(connection, folder)


def restored(ledger: Ledger, folder: Path) -> backup.Copied:
    with ledger.writing() as connection:
        return backup.restore_ledger(connection, folder, "op17")


def content_of(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    with ledger.reading() as connection:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(sa.select(table).order_by(*table.primary_key))
                if "installation:" not in str(row)
            ]
            for table in schema.metadata.sorted_tables
        }


def test_a_superseded_document_and_its_revision_are_copied_and_work_goes_on(
    ledger: Ledger, target: Ledger, tmp_path: Path
) -> None:
    batch = revisions.separated(ledger)
    revisions.to_the_end(ledger)
    revisions.put_back(ledger, batch)
    copied(ledger, tmp_path / "copy")
    restored(target, tmp_path / "copy")
    revisions.to_the_end(target)
    assert [row.standing for row in revisions.documents(target)] == ["superseded", "done"]
    assert revisions.disagreements(target) == []
    assert revisions.accounted(target).difference == 0


def test_a_copy_restores_into_either_database_and_work_goes_on(
    ledger: Ledger, target: Ledger, tmp_path: Path
) -> None:
    ledger.accept(arrival(source("Grüße \u2013 1.pdf")))
    deliver(ledger)
    receipt = ledger.accept(arrival(tenant="other"))
    ledger.begin_shift("default", "/inbox", "op17")
    with ledger.writing() as connection:
        integrity.anchor(connection, "default", DAY)
    folder = tmp_path / "copy"
    said = copied(ledger, folder)
    assert restored(target, folder).roots == said.roots
    assert content_of(target) == content_of(ledger)
    assert broken(target) == []
    assert said.rows["batch"] == 2
    assert {step for step, _ in work(target)} >= {Step.INSPECTION, Step.DELIVERY}
    target.accept(arrival())  # numbers go on after those restored
    target.end_shift("default", "/inbox")
    target.begin_shift("default", "/inbox", "op18")
    assert broken(target) == []
    with target.reading() as connection:
        (event,) = showing.events(connection, "installation:other")
        assert showing.show(connection, receipt.batch_id)["stage"] == "closed"
    assert (event["kind"], event["actor"]) == ("restored", "op17")
    assert event["payload"]["root"] == said.roots["other"].root


def test_only_an_empty_ledger_is_filled(ledger: Ledger, tmp_path: Path) -> None:
    ledger.accept(arrival())
    copied(ledger, tmp_path / "copy")
    before = everything(ledger)
    with pytest.raises(UsageError) as caught:
        restored(ledger, tmp_path / "copy")
    assert "leer" in caught.value.operator_text
    assert everything(ledger) == before


def test_a_copy_goes_into_an_empty_folder_only(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "here").write_text("x")
    with pytest.raises(UsageError):
        copied(ledger, tmp_path)


def test_a_copy_is_of_one_moment(ledger: Ledger, tmp_path: Path) -> None:
    ledger.accept(arrival())
    with ledger.reading() as connection:
        connection.execute(sa.select(schema.batch)).all()
        ledger.accept(arrival())
        said = backup.copy_ledger(connection, tmp_path / "copy")
    assert (said.rows["batch"], said.rows["event"]) == (1, 1)


def _alter(folder: Path) -> None:
    path = folder / "batch.jsonl"
    path.write_bytes(path.read_bytes().replace(b"op17", b"op99"))


def _lose_file(folder: Path) -> None:
    (folder / "batch.jsonl").unlink()


def _lose_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def _other_version(folder: Path) -> None:
    _edit(folder, revision="9999")


def _other_format(folder: Path) -> None:
    _edit(folder, format="zip")


def _other_root(folder: Path) -> None:
    _edit(folder, roots={"default": {"root": "0" * 64, "heads": 1}})


def _edit(folder: Path, **values: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values))


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (_alter, DigestMismatch),
        (_lose_file, UsageError),
        (_lose_manifest, UsageError),
        (_other_version, UsageError),
        (_other_format, UsageError),
        (_other_root, DigestMismatch),
    ],
)
def test_a_spoiled_copy_is_refused_and_nothing_is_filled(
    tmp_path: Path, spoil: Callable[[Path], None], error: type[Exception]
) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'a.sqlite'}")
    ledger.accept(arrival())
    copied(ledger, tmp_path / "copy")
    spoil(tmp_path / "copy")
    empty = open_ledger(f"sqlite:///{tmp_path / 'b.sqlite'}")
    with pytest.raises(error):
        restored(empty, tmp_path / "copy")
    assert everything(empty) == ""
    ledger.close()
    empty.close()


def test_a_break_that_was_copied_is_restored_and_reported(tmp_path: Path) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'a.sqlite'}")
    ledger.accept(arrival())
    change(ledger, sa.update(_event).values(actor="op99"))
    copied(ledger, tmp_path / "copy")
    empty = open_ledger(f"sqlite:///{tmp_path / 'b.sqlite'}")
    assert [one.reason for one in restored(empty, tmp_path / "copy").breaks] == [
        "the event was changed"
    ]
    ledger.close()
    empty.close()


def test_blobs_are_copied_once_and_bad_ones_named(tmp_path: Path) -> None:
    here, there = FolderStore(tmp_path / "here"), FolderStore(tmp_path / "there")
    good, bad = (here.put("default", io.BytesIO(text)).sha256 for text in (b"good", b"bad"))
    path = tmp_path / "here" / "default" / bad[:2] / bad
    path.chmod(0o600)
    path.write_bytes(b"dab")
    missing = "0" * 64
    first = copy_blobs(here, there, "default", [good, bad, missing])
    assert (first.copied, first.size, first.missing, first.damaged) == (1, 4, [missing], [bad])
    again = copy_blobs(here, there, "default", [good])
    assert (again.copied, again.present) == (0, 1)
    with there.open("default", good) as stream:
        assert stream.read() == b"good"
