"""Signed PDFs that come in: the right indication by level, and what was changed is seen."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyhanko.generated.etsi import ts_11910202
from xsdata.formats.dataclass.parsers import XmlParser

from ingest import clock
from ingest.document import Facts, Outcome, RenditionKind
from ingest.errors import TrustUnknown
from ingest.validation_settings import ValidationSettings
from tests.plugins.signed import Scheme, signed_pdf, turned
from tests.plugins.stacks import Stack
from tests.plugins.trust import Trust, trusting
from workers.inspection.signatures import engine, pdf
from workers.trust import anchors


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    with trusting(tmp_path_factory.mktemp("trust")) as running:
        yield running


@pytest.fixture(scope="module")
def letters(trust: Trust) -> dict[str, bytes]:
    """A letter of a citizen at each level."""
    return {level: signed_pdf(trust, level) for level in ("B-B", "B-T", "B-LT", "B-LTA")}


@pytest.fixture
def roots(trust: Trust) -> dict[str, Any]:
    return {"roots": trust.pem("root", "tsa-root")}


def arrived(folder: Path, content: bytes, name: str = "antrag.pdf", **validation: Any) -> Stack:
    path = folder / name
    path.write_bytes(content)
    stack = Stack(folder=folder, paths=[path], validation=validation)
    stack.inspect()
    return stack


def told(stack: Stack) -> Facts:
    facts: Facts = stack.sources[0].facts["validation"]
    return facts


def indications(stack: Stack) -> list[tuple[str, str | None]]:
    return [(one["indication"], one["subindication"]) for one in told(stack)["signatures"]]


LACKING = ("INDETERMINATE", "CERTIFICATE_CHAIN_GENERAL_FAILURE")
PASSED = ("TOTAL_PASSED", None)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("B-B", [LACKING]),
        ("B-T", [LACKING]),
        ("B-LT", [PASSED]),
        ("B-LTA", [PASSED, PASSED]),
    ],
)
def test_without_network_what_the_file_brings_along_decides(
    tmp_path: Path,
    trust: Trust,
    roots: dict[str, Any],
    letters: dict[str, bytes],
    level: str,
    expected: list[Any],
) -> None:
    trust.requests.clear()
    stack = arrived(tmp_path, letters[level], **roots)
    assert indications(stack) == expected
    assert trust.requests == []
    signature = told(stack)["signatures"][0]
    assert (signature["level"], signature["format"], signature["intact"]) == (level, "PAdES", True)
    assert signature["signer"] == "Citizen (Stadt Musterhausen)"
    assert (signature["proven_at"] is not None) == (expected[0] is PASSED)
    assert told(stack)["look"] == (expected[0] is LACKING)


@pytest.mark.parametrize("level", ["B-B", "B-T"])
def test_revocation_services_are_asked_where_the_house_allows_it(
    tmp_path: Path, trust: Trust, roots: dict[str, Any], letters: dict[str, bytes], level: str
) -> None:
    trust.requests.clear()
    stack = arrived(tmp_path, letters[level], **roots, revocation="online")
    assert indications(stack) == [PASSED]
    assert any("/ocsp/" in path for path in trust.requests)
    assert "gültig" in told(stack)["text"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("revoked", ("INDETERMINATE", "REVOKED_NO_POE")),
        ("expired", ("INDETERMINATE", "EXPIRED")),
    ],
)
def test_a_certificate_out_of_force_is_not_passed_by_a_timestamp(
    tmp_path: Path, trust: Trust, roots: dict[str, Any], name: str, expected: Any
) -> None:
    content = signed_pdf(trust, "B-T", name)
    stack = arrived(tmp_path, content, **roots, revocation="online")
    assert indications(stack) == [expected]
    assert told(stack)["look"]


def test_without_roots_a_signature_is_never_valid_and_nobody_is_sent_to_look(
    tmp_path: Path, letters: dict[str, bytes]
) -> None:
    stack = arrived(tmp_path, letters["B-LTA"])
    assert indications(stack)[0] == ("INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND")
    assert not told(stack)["look"]
    assert "der signierte Inhalt ist unverändert" in told(stack)["text"]


def test_a_later_update_that_turns_a_page_is_for_a_person(
    tmp_path: Path, roots: dict[str, Any], letters: dict[str, bytes]
) -> None:
    stack = arrived(tmp_path, turned(letters["B-LT"]), **roots)
    (signature,) = told(stack)["signatures"]
    assert (signature["indication"], signature["modification"]) == ("TOTAL_PASSED", "other")
    assert signature["look"]
    assert signature["text"].endswith("verändert; ein Mensch muss hinsehen.")


@pytest.mark.parametrize("place", [0.2, 0.5])
def test_a_changed_byte_under_the_signature_is_found(
    tmp_path: Path, roots: dict[str, Any], letters: dict[str, bytes], place: float
) -> None:
    content = bytearray(letters["B-B"])
    start = content.index(b"stream\r\n" if b"stream\r\n" in content else b"stream\n")
    content[start + int(place * 2000)] ^= 0x01
    stack = arrived(tmp_path, bytes(content), **roots)
    ((indication, reason),) = indications(stack)
    assert (indication, reason) == ("TOTAL_FAILED", "HASH_FAILURE")
    assert "der Inhalt ist nicht der, der signiert wurde" in told(stack)["text"]
    assert "fälsch" not in told(stack)["text"]


def test_the_original_is_untouched_and_its_report_kept_beside(
    tmp_path: Path, roots: dict[str, Any], letters: dict[str, bytes]
) -> None:
    path = tmp_path / "antrag.pdf"
    path.write_bytes(letters["B-LTA"])
    stack = Stack(folder=tmp_path, paths=[path], validation=roots)
    outcome: Outcome = stack.inspect()
    (source,), (report,) = outcome.sources, outcome.renditions
    assert stack.context.read(source.sha256) == letters["B-LTA"]
    assert (report.kind, report.parent_sha256) == (RenditionKind.VALIDATION_REPORT, source.sha256)
    assert report.sha256 == source.facts["validation"]["report_sha256"]
    parsed = XmlParser().from_bytes(stack.context.read(report.sha256), ts_11910202.ValidationReport)
    first, second = parsed.signature_validation_report
    for part in (first, second):
        status = part.signature_validation_status
        assert status is not None
        assert status.main_indication == "urn:etsi:019102:mainindication:total-passed"
    assert first.signer_information is not None
    assert parsed.signature_validation_objects is not None
    assert len(parsed.signature_validation_objects.validation_object) > 3


@pytest.fixture(scope="module")
def scheme() -> Scheme:
    return Scheme()


def qualified(stack: Stack) -> str:
    answer: str = told(stack)["signatures"][0]["qualified"]["answer"]
    return answer


def test_a_current_list_makes_a_certificate_qualified(
    tmp_path: Path, trust: Trust, roots: dict[str, Any], letters: dict[str, bytes], scheme: Scheme
) -> None:
    lists = scheme.settings(tmp_path / "tl", trust.certificate("interm"))
    stack = arrived(tmp_path, letters["B-LT"], **roots, **lists)
    assert qualified(stack) == "yes"
    found = told(stack)["signatures"][0]["qualified"]
    assert (found["kind"], found["device"]) == ("signature", True)
    assert "qualifiziertes Zertifikat für Signaturen" in told(stack)["text"]
    assert told(stack)["anchors"]["trusted_lists"] == "current"
    assert len(told(stack)["anchors"]["trusted_lists_sha256"]) == 64


def test_a_current_list_denies_what_claims_nothing(
    tmp_path: Path, trust: Trust, roots: dict[str, Any], scheme: Scheme
) -> None:
    lists = scheme.settings(tmp_path / "tl", trust.certificate("interm"))
    stack = arrived(tmp_path, signed_pdf(trust, "B-LT", "seal"), **roots, **lists)
    assert qualified(stack) == "no"


@pytest.mark.parametrize("fault", ["ended", "other_signer", "old_file", "not_listed", "empty"])
def test_a_list_that_does_not_count_leaves_the_status_unknown(
    tmp_path: Path,
    trust: Trust,
    roots: dict[str, Any],
    letters: dict[str, bytes],
    scheme: Scheme,
    fault: str,
) -> None:
    faults: dict[str, dict[str, Any]] = {
        "ended": {"ends": dt.datetime.now(dt.UTC) - dt.timedelta(days=1)},
        "other_signer": {"signed_by": Scheme()},
    }
    listed = "root" if fault == "not_listed" else "interm"
    folder = tmp_path / "tl"
    lists = scheme.settings(folder, trust.certificate(listed), **faults.get(fault, {}))
    if fault == "not_listed":
        lists = scheme.settings(folder, trust.certificate("tsa-root"))
    if fault == "old_file":
        lists["trusted_list_max_age_hours"] = 1e-9
    if fault == "empty":
        (folder / "lists" / "de.xml").unlink()
    stack = arrived(tmp_path, letters["B-LT"], **roots, **lists)
    assert indications(stack) == [PASSED]
    assert qualified(stack) == "unknown"
    assert "ob qualifiziert, ist unbekannt" in told(stack)["text"]
    assert (told(stack)["anchors"]["trusted_lists"] == "current") == (fault == "not_listed")
    if fault != "not_listed":
        with pytest.raises(TrustUnknown, match="trusted lists"):
            anchors.require_current(ValidationSettings(**roots, **lists), clock.now())


def test_a_file_that_keeps_the_validator_busy_is_left_to_people(
    tmp_path: Path, letters: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(engine, "_CPU_SECONDS", 0.05)
    monkeypatch.setattr("workers.inspection.signatures.pdf._verdicts", busy)
    stack = arrived(tmp_path, letters["B-B"])
    assert told(stack)["signatures"] == []
    assert told(stack)["text"].startswith("Signatur nicht maschinell geprüft (Abbruch")


def test_the_last_attempt_does_without_what_may_have_ended_the_others(
    tmp_path: Path, letters: dict[str, bytes]
) -> None:
    path = tmp_path / "antrag.pdf"
    path.write_bytes(letters["B-B"])
    stack = Stack(folder=tmp_path, paths=[path], attempt=4)
    stack.inspect()
    assert "nicht maschinell geprüft (beim Prüfen mehrfach abgebrochen)" in told(stack)["text"]


@given(data=st.data())
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_change_to_signed_bytes_passes_and_none_ends_the_arrival(
    tmp_path: Path, roots: dict[str, Any], letters: dict[str, bytes], data: st.DataObject
) -> None:
    content = bytearray(letters["B-LT"])
    (signed, *_) = re.findall(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+)", bytes(content))
    _, first, second, rest = map(int, signed)
    place = data.draw(st.one_of(st.integers(0, first - 1), st.integers(second, second + rest - 1)))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "geändert.pdf"
    path.write_bytes(content)
    policy = engine.Policy(
        anchors=anchors.load(ValidationSettings(**roots), clock.now()), now=clock.now()
    )
    found = pdf.verdicts(path, policy)
    assert all(one.indication != "TOTAL_PASSED" for one in found)


def test_a_file_larger_than_the_house_allows_is_left_to_people(
    tmp_path: Path, letters: dict[str, bytes]
) -> None:
    stack = arrived(tmp_path, letters["B-B"], max_bytes=1024)
    assert told(stack)["signatures"] == []
    assert "nicht maschinell geprüft (größer als" in told(stack)["text"]
