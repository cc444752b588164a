"""Nothing is received before it is durable, and nothing twice."""

from __future__ import annotations

import base64
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import profiles
from ingest.document import DEFAULT_TENANT, Envelope, Priority, Queue
from ingest.errors import StoreUnavailable
from ingest.intake import (
    Delivered,
    ManifestSource,
    Request,
    display_name,
    name_base64,
    receive,
    receive_files,
)
from tests.plugins.watching import House, build, pdf, sha256


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A ledger and a store."""
    built = build(tmp_path / "data")
    yield built
    built.ledger.close()


def _request(*paths: Path, **changes: Any) -> Request:
    loaded = profiles.load("posteingang")
    values: dict[str, Any] = {
        "tenant": DEFAULT_TENANT,
        "receipt_key": "key-1",
        "envelope": Envelope(profile="posteingang"),
        "profile": loaded.facts(),
        "profile_sha256": loaded.sha256,
        "priority": Priority.TODAY,
        "files": tuple(Delivered(path=path, name=path.name) for path in paths),
    }
    return Request(**{**values, **changes})


def test_a_receipt_names_every_source_in_order(house: House, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("b.pdf", "a.pdf")]
    for path in paths:
        path.write_bytes(pdf(path.name))
    receipt = receive(house.ledger, house.store, _request(*paths))
    assert receipt.created
    assert [(s.ordinal, s.name, s.sha256) for s in receipt.sources] == [
        (1, "b.pdf", sha256(pdf("b.pdf"))),
        (2, "a.pdf", sha256(pdf("a.pdf"))),
    ]
    assert all(house.store.holds(DEFAULT_TENANT, source.sha256) for source in receipt.sources)
    assert all(path.exists() for path in paths)


def test_the_same_key_gives_the_same_receipt_without_the_files(
    house: House, tmp_path: Path
) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf())
    first = receive(house.ledger, house.store, _request(path))
    path.unlink()
    again = receive(house.ledger, house.store, _request(path))
    assert (again.batch_id, again.created, again.sources) == (first.batch_id, False, first.sources)
    assert len(house.arrivals()) == 1


def test_the_hint_comes_after_the_commit(house: House, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf())
    seen: list[tuple[Queue, int]] = []
    receive(
        house.ledger,
        house.store,
        _request(path),
        hint=lambda queue: seen.append((queue, len(house.arrivals()))),
    )
    assert seen == [(Queue.INSPECTION, 1)]


def test_a_failing_store_receives_nothing(house: House, tmp_path: Path) -> None:
    class Full:
        def put(self, tenant: str, stream: Any) -> Any:
            raise StoreUnavailable("no space left")

    path = tmp_path / "a.pdf"
    path.write_bytes(pdf())
    store: Any = Full()
    with pytest.raises(StoreUnavailable):
        receive(house.ledger, store, _request(path))
    assert house.arrivals() == []


def test_a_link_is_not_followed(house: House, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf())
    (tmp_path / "link.pdf").symlink_to(tmp_path / "a.pdf")
    with pytest.raises(OSError, match="symbolic"):
        receive(house.ledger, house.store, _request(tmp_path / "link.pdf"))
    assert house.arrivals() == []


def test_what_is_no_file_is_no_empty_letter(house: House, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.pdf")
    with pytest.raises(OSError, match="not a regular file"):
        receive(house.ledger, house.store, _request(tmp_path / "a.pdf"))
    assert house.arrivals() == []


def test_what_differs_from_the_announcement_holds_the_batch(house: House, tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf", "c.pdf"):
        (tmp_path / name).write_bytes(pdf(name))
    announced = (
        ManifestSource(name="a.pdf", sha256=sha256(pdf("a.pdf")).upper()),
        ManifestSource(name="b.pdf", sha256="0" * 64),
        ManifestSource(name="d.pdf"),
    )
    paths = [tmp_path / name for name in ("a.pdf", "b.pdf", "c.pdf")]
    receive(house.ledger, house.store, _request(*paths, announced=announced))
    [row] = house.envelopes()
    assert (row.standing, row.reason_code) == ("held", "count_mismatch")
    assert "„a.pdf“" not in row.reason
    assert "„b.pdf“ hat eine andere Prüfsumme" in row.reason
    assert "„c.pdf“ ist nicht angekündigt" in row.reason
    assert "„d.pdf“ fehlt" in row.reason


def test_the_first_reason_to_hold_is_kept_with_the_others(house: House, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf())
    request = _request(
        tmp_path / "a.pdf",
        held=("incomplete", "Ist unvollständig."),
        announced=(ManifestSource(name="b.pdf"),),
    )
    receive(house.ledger, house.store, request)
    [row] = house.envelopes()
    assert row.reason_code == "incomplete"
    assert row.reason.startswith("Ist unvollständig. Der Stapel")


def test_files_are_received_by_command_and_stay(house: House, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf())
    receipt = receive_files(
        house.ledger,
        house.store,
        tenant=DEFAULT_TENANT,
        receipt_key="key-2",
        envelope=Envelope(profile="archiv", channel="command"),
        loaded=profiles.load("archiv"),
        paths=[path],
    )
    assert receipt.created
    assert path.exists()
    assert house.envelopes()[0].priority == Priority.ARCHIVE


def test_names_are_shown_in_one_form_and_kept_as_they_were() -> None:
    decomposed = unicodedata.normalize("NFD", "Prüfung.pdf")
    assert display_name(decomposed) == "Prüfung.pdf"
    assert display_name(os.fsdecode("Prüfung".encode("cp1252"))) == "Pr\ufffdfung"
    assert display_name("a\nb\u202egpj.pdf") == "a\ufffdb\ufffdgpj.pdf"


@given(st.binary(min_size=1, max_size=40))
def test_any_name_can_be_shown_and_recovered(raw: bytes) -> None:
    name = os.fsdecode(raw)
    assert base64.b64decode(name_base64(name)) == raw
    display_name(name).encode("utf-8")


def test_bytes_erased_between_storing_and_recording_are_stored_again(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "brief.pdf"
    path.write_bytes(pdf("Brief"))
    accept = house.ledger.accept

    def while_somebody_erases(arrival: Any) -> Any:
        receipt = accept(arrival)
        house.store.erase(DEFAULT_TENANT, sha256(path.read_bytes()))
        return receipt

    monkeypatch.setattr(house.ledger, "accept", while_somebody_erases)
    receive(house.ledger, house.store, _request(path))
    assert house.store.holds(DEFAULT_TENANT, sha256(path.read_bytes()))
