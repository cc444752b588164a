"""A manifest is taken at its word, and every wrong word is named."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.document import Sides
from ingest.errors import ManifestInvalid
from ingest.intake import named_sources, parse_manifest

_AHEAD = dt.date.today() + dt.timedelta(days=3)  # noqa: DTZ011 - days apart


def _parse(tmp_path: Path, content: bytes | dict[str, Any], zone: str = "Europe/Berlin") -> Any:
    path = tmp_path / "batch.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return parse_manifest(path, zone)


def test_every_key_is_optional(tmp_path: Path) -> None:
    manifest = _parse(tmp_path, {})
    assert manifest.sources is None
    assert manifest.received_at is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2025-11-20", "2025-11-19T23:00:00+00:00"),
        ("2025-07-01", "2025-06-30T22:00:00+00:00"),
        ("2025-11-20T08:30:00", "2025-11-20T07:30:00+00:00"),
        ("2025-11-20T08:30:00Z", "2025-11-20T08:30:00+00:00"),
        ("2025-11-20T08:30:00-05:00", "2025-11-20T13:30:00+00:00"),
    ],
)
def test_a_date_without_time_is_midnight_in_the_zone_of_the_house(
    tmp_path: Path, said: str, meant: str
) -> None:
    manifest = _parse(tmp_path, {"received_at": said})
    assert manifest.received_at == dt.datetime.fromisoformat(meant)
    assert manifest.received_at.tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"recieved_at": "2025-11-20"}, "recieved_at"),
        ({"received_at": "20.11.2026"}, "received_at"),
        ({"received_at": 20261120}, "received_at"),
        ({"received_at": _AHEAD.isoformat()}, "received_at: liegt in der Zukunft"),
        ({"scanned_at": "2026-02-30"}, "scanned_at"),
        ({"operator": 7}, "operator"),
        ({"operator": ""}, "operator"),
        ({"operator": "Erika Muster"}, "operator: ist kein Kürzel"),
        ({"operator": "e.muster@stadt"}, "operator: ist kein Kürzel"),
        ({"expected_sheets": "3"}, "expected_sheets"),
        ({"expected_sheets": True}, "expected_sheets"),
        ({"expected_sheets": -1}, "expected_sheets"),
        ({"expected_consignments": "3"}, "expected_consignments"),
        ({"expected_consignments": -1}, "expected_consignments"),
        ({"sides": "both"}, "sides: erlaubt sind simplex, duplex, fronts_then_backs"),
        ({"sides": 2}, "sides"),
        ({"sources": "a.pdf"}, "sources"),
        ({"sources": ["a.pdf"]}, "sources.0"),
        ({"sources": [{"sha256": "0" * 64}]}, "sources.0.name"),
        ({"sources": [{"name": "../a.pdf"}]}, "sources.0.name"),
        ({"sources": [{"name": "a.pdf", "sha256": "abc"}]}, "sources.0.sha256"),
        ({"sources": [{"name": "a.pdf"}, {"name": "a.pdf"}]}, "a.pdf"),
        ({"received_at": "0001-01-01T00:00:00"}, "received_at"),
        ({"scanned_at": "9999-12-31T23:59:59-05:00"}, "scanned_at"),
        ({"device": "Scanner\n7"}, "device"),
        ({"device": "\ud800"}, "device"),
        ({"profile": "a\x00b"}, "profile"),
        ({"\ud800": 1}, "ganze Datei"),
        ({"a\x00b": 1}, "a\ufffdb"),
        ({"sources": [{"name": "\ud800"}]}, "sources.0.name"),
        (b"[]", "JSON-Objekt"),
        (b"{", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[" * 100_000, "JSON"),
    ],
)
def test_a_wrong_manifest_names_file_field_and_remedy(
    tmp_path: Path, values: bytes | dict[str, Any], field: str
) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        _parse(tmp_path, values)
    text = caught.value.operator_text
    assert text.startswith("batch.json: ")
    assert field in text
    assert "Bitte die Datei berichtigen" in text


def test_counts_and_sides_are_read(tmp_path: Path) -> None:
    manifest = _parse(tmp_path, {"expected_consignments": 3, "sides": "fronts_then_backs"})
    assert (manifest.expected_consignments, manifest.sides) == (3, Sides.FRONTS_THEN_BACKS)


def test_the_names_of_a_wrong_manifest_can_still_be_told(tmp_path: Path) -> None:
    path = tmp_path / "batch.json"
    path.write_text(json.dumps({"wrong": 1, "sources": [{"name": "a"}, 3, {"name": 4}]}))
    assert named_sources(path) == ("a",)


def test_a_name_that_is_no_utf8_can_be_named_and_one_that_is_no_name_cannot(
    tmp_path: Path,
) -> None:
    names = ["Pr\udcfcfung.pdf", "\ud800.pdf", "\udd00.pdf"]
    path = tmp_path / "batch.json"
    path.write_text(json.dumps({"sources": [{"name": name} for name in names]}))
    assert named_sources(path) == ("Pr\udcfcfung.pdf",)


def test_a_manifest_of_very_many_names_is_read_in_time(tmp_path: Path) -> None:
    names = [{"name": str(number)} for number in range(300_000)]
    manifest = _parse(tmp_path, {"sources": names})
    assert len(manifest.sources) == 300_000


_TEXT = st.text(st.characters(), max_size=9)  # halves of characters included
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | _TEXT | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner),
    max_leaves=8,
)
_KEYS = ("profile", "received_at", "scanned_at", "expected_sheets", "sources")


@given(st.dictionaries(st.sampled_from(_KEYS) | _TEXT, _JSON, max_size=4))
def test_any_json_is_a_manifest_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "batch.json"
    path.write_text(json.dumps(values))
    for name in named_sources(path):
        os.fsencode(name)
    with contextlib.suppress(ManifestInvalid):
        parse_manifest(path)
