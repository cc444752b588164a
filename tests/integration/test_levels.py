"""PAdES B-T, B-LT and B-LTA: a level is made and proven, or the document waits."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from cryptography.hazmat.primitives import serialization
from pydantic import ValidationError

from ingest.document import Assignment, RenditionKind, Step
from ingest.errors import AuthorityUnavailable, Misconfigured
from profiles.sealing import SealingRules
from tests.plugins.authority import serving
from tests.plugins.letters import Desk, after, image_pdf, of, undetected_flips
from tests.plugins.scanning import program
from tests.plugins.tokens import Card, make_card
from tests.plugins.trust import AHEAD, FAULTS, Trust, trusting
from workers import note, sealing
from workers.evidence.bundle import certificates
from workers.evidence.bundle.pieces import Pieces
from workers.evidence.offline import portable
from workers.evidence.offline.findings import Findings
from workers.evidence.offline.openssl import OpenSsl
from workers.evidence.offline.sealed import SealedPdf
from workers.sealing.levels import _revocation
from workers.sealing.proof import SealBroken, examine, prove
from workers.verification import Verification, verify_pdf

LEVELS = ("B-B", "B-T", "B-LT", "B-LTA")


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    with trusting(tmp_path_factory.mktemp("trust")) as running:
        yield running


@pytest.fixture
def sound(trust: Trust) -> Trust:
    trust.fault = None
    _revocation.cache_clear()
    return trust


@pytest.fixture(scope="module")
def card(trust: Trust, tmp_path_factory: pytest.TempPathFactory) -> Card:
    folder = tmp_path_factory.mktemp("card") / "seal"
    return make_card(folder, trust.keys["seal"], issued=trust.issued("seal"))


@pytest.fixture
def desk(tmp_path: Path, sound: Trust, card: Card) -> Desk:
    return desk_with(tmp_path, sound, card)


def desk_with(folder: Path, trust: Trust, card: Card, **more: Any) -> Desk:
    given = {
        "token": card.settings,
        "tsa_urls": [trust.tsa],
        "tsa_roots": trust.pem("tsa-root"),
        "tsa_timeout_seconds": 120,
    }
    return Desk(folder, sealing={**given, **more})


def noted(desk: Desk, level: str, **rules: Any) -> Assignment:
    assignment = desk.letter(composed=image_pdf())
    outcome = note.perform(assignment, desk.context())
    assignment = after(assignment, Step.NOTE, outcome, Step.SEALING)
    made = SealingRules(**{"key": "organisation", "level": level, **rules})
    profile = {**assignment.profile, "sealing": made.model_dump(mode="json")}
    return dataclasses.replace(assignment, profile=profile)


def sealed(desk: Desk, level: str, path: Path) -> Path:
    outcome = sealing.perform(noted(desk, level), desk.context())
    assert outcome.facts["level"] == level
    (made,) = outcome.renditions
    assert made.settings["level"] == level
    path.write_bytes(desk.context().read(made.sha256))
    return path


def verified(path: Path, trust: Trust) -> Verification:
    return verify_pdf(path, None, trust.pem("tsa-root"), seal_roots=trust.pem("root"))


def failed(verification: Verification) -> set[str]:
    return {check.name for check in verification.checks if check.required and not check.passed}


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_is_made_and_proven_without_network(
    tmp_path: Path, desk: Desk, sound: Trust, level: str
) -> None:
    path = sealed(desk, level, tmp_path / "brief.pdf")
    sound.requests.clear()
    verification = verified(path, sound)
    assert verification.passed, verification.facts()
    said = {check.name: check.text for check in verification.checks}
    assert said["level"] == f"Stufe {level} (PAdES) nachgewiesen."
    assert sound.requests == []
    seal = examine(path)
    assert seal is not None
    assert seal.level == level
    stands_apart(path, level)
    # seal, the authority above it, the timestamp's; for B-LTA the document timestamp's as well
    assert len(told_of_revocation(path)) == {"B-LT": 3, "B-LTA": 4}.get(level, 0)


def told_of_revocation(path: Path) -> list[str]:
    """Return whose certificates the verifier of bundles finds unrevoked, by the PDF alone."""
    with pikepdf.open(path) as pdf:
        names = [str(field.T) for field in pdf.Root.AcroForm.Fields.as_list()]
    (document,) = (name.removeprefix("Siegel-") for name in names if name.startswith("Siegel-"))
    lines: list[str] = []
    findings = Findings(lines.append)
    folder = path.parent
    subject = {"pdf": path.name, "document": document}
    program("openssl")
    content = path.read_bytes()
    SealedPdf(folder, subject, findings, OpenSsl(findings, None, None)).run(content, None, None)
    return [line for line in lines if "Sperrstatus" in line and line.startswith("stimmt")]


def stands_apart(path: Path, level: str) -> None:
    """See that the verifier of bundles finds each signature whole, and what lies beside it."""
    content = path.read_bytes()
    found = [one for _, one in portable.signatures(content)]
    whole = [one for one in found if not isinstance(one, str)]
    assert len(found) == len(whole) == (2 if level == "B-LTA" else 1)
    assert (whole[0].is_stamp, whole[-1].is_stamp) == (False, level == "B-LTA")
    assert (whole[0].stamp is None) == (level == "B-B")
    assert (whole[-1].covered == len(content)) == (level != "B-LT")
    broken = content[:100] + bytes((content[100] ^ 1,)) + content[101:]
    assert all(isinstance(one, str) for _, one in portable.signatures(broken))
    pieces = Pieces()
    certificates.collect(pieces, path, [], [])
    kinds = {piece.name.split("/")[1] for piece in pieces.files} & {"ocsp", "crl"}
    assert kinds == ({"ocsp", "crl"} if level in {"B-LT", "B-LTA"} else set())


@pytest.mark.parametrize("level", LEVELS)
def test_no_level_touches_the_file_beneath_it_or_its_metadata(desk: Desk, level: str) -> None:
    assignment = noted(desk, level)
    (made,) = sealing.perform(assignment, desk.context()).renditions
    before = desk.context().read(of(assignment).renditions[RenditionKind.NOTED].sha256)
    content = desk.context().read(made.sha256)
    assert content.startswith(before)
    with pikepdf.open(io.BytesIO(before)) as old, pikepdf.open(io.BytesIO(content)) as new:
        assert new.Root.Metadata.read_raw_bytes() == old.Root.Metadata.read_raw_bytes()
        assert {k: str(v) for k, v in new.docinfo.items()} == {
            k: str(v) for k, v in old.docinfo.items()
        }
        assert "/Version" not in new.Root
        assert new.pdf_version == old.pdf_version
        for field in new.Root.AcroForm.Fields.as_list():
            assert int(field.F) == 132  # printed and locked: PDF/A wants the first
            assert "/AP" not in field or set(field.AP.keys()) == {"/N"}
        assert "/NeedAppearances" not in new.Root.AcroForm


def test_the_long_term_level_asks_once_for_many_documents(desk: Desk, sound: Trust) -> None:
    sealing.perform(noted(desk, "B-LTA"), desk.context())
    sound.requests.clear()
    sealing.perform(noted(desk, "B-LTA"), desk.context())
    assert [path.split("/")[2] for path in sound.requests] == ["tsa", "tsa"]


@pytest.mark.parametrize("level", ["B-LT", "B-LTA"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_revocation_service_that_does_not_answer_properly_defers(
    desk: Desk, sound: Trust, fault: str, level: str
) -> None:
    assignment = noted(desk, level)
    sound.fault = fault
    with pytest.raises(AuthorityUnavailable) as caught:
        sealing.perform(assignment, desk.context())
    assert caught.value.consumes_try is False
    assert "Sperrauskunft" in caught.value.operator_text
    sound.fault = None
    assert sealing.perform(assignment, desk.context()).facts["level"] == level


@pytest.mark.parametrize("level", ["B-T", "B-LT", "B-LTA"])
def test_without_a_timestamp_no_lower_level_is_made(
    tmp_path: Path, sound: Trust, card: Card, level: str
) -> None:
    with serving() as authority:
        authority.fault = "unavailable"
        desk = desk_with(tmp_path, sound, card, tsa_urls=[authority.url])
        with pytest.raises(AuthorityUnavailable):
            sealing.perform(noted(desk, level), desk.context())


def test_answers_that_end_before_the_timestamp_are_not_used(desk: Desk, sound: Trust) -> None:
    assignment = noted(desk, "B-LT")
    sound.fault = AHEAD
    with pytest.raises(AuthorityUnavailable, match="older than the timestamp"):
        sealing.perform(assignment, desk.context())


def test_a_revoked_certificate_seals_nothing_for_the_long_term(
    tmp_path: Path, sound: Trust
) -> None:
    card = make_card(tmp_path / "card", sound.keys["revoked"], issued=sound.issued("revoked"))
    desk = desk_with(tmp_path, sound, card)
    with pytest.raises(Misconfigured) as caught:
        sealing.perform(noted(desk, "B-LT"), desk.context())
    assert "gesperrt" in caught.value.operator_text


@pytest.mark.parametrize("missing", ["tsa_roots", "issuers"])
def test_a_long_term_level_needs_roots(
    tmp_path: Path, sound: Trust, card: Card, missing: str
) -> None:
    token = {**card.settings}
    more: dict[str, Any] = {"tsa_roots": None} if missing == "tsa_roots" else {"token": token}
    token.pop("issuers")
    desk = desk_with(tmp_path, sound, card, **more)
    with pytest.raises(Misconfigured) as caught:
        sealing.perform(noted(desk, "B-LTA"), desk.context())
    assert missing in caught.value.operator_text


def test_a_level_without_authority_is_the_operators(
    tmp_path: Path, sound: Trust, card: Card
) -> None:
    desk = desk_with(tmp_path, sound, card, tsa_urls=[])
    with pytest.raises(Misconfigured) as caught:
        sealing.perform(noted(desk, "B-T"), desk.context())
    assert "sealing.tsa_urls" in caught.value.operator_text


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"level": "B-B", "timestamp": True}, "widersprechen sich"),
        ({"level": "B-T", "timestamp": False}, "widersprechen sich"),
        ({"level": "B-LTA", "timestamp": False, "key": "organisation"}, "widersprechen sich"),
        ({"level": "B-LT"}, 'braucht key = "organisation"'),
        ({"level": "B-LTA", "key": "installation"}, 'braucht key = "organisation"'),
        ({"level": "B-X"}, "B-B"),
    ],
)
def test_rules_that_contradict_one_another_are_refused(rules: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SealingRules(**rules)


@pytest.mark.parametrize("rules", [{}, {"timestamp": True}, {"level": "B-T"}, {"level": "B-B"}])
def test_recorded_rules_read_the_same_again(rules: dict[str, Any]) -> None:
    once = SealingRules(**rules)
    assert SealingRules(**once.model_dump()) == once


def test_every_region_of_a_long_term_seal_notices_an_altered_byte(
    tmp_path: Path, desk: Desk, sound: Trust
) -> None:
    whole = sealed(desk, "B-LTA", tmp_path / "brief.pdf").read_bytes()
    path = tmp_path / "altered.pdf"
    undetected = undetected_flips(whole, range(7, len(whole) - 7, max(1, len(whole) // 150)), path)
    # What is left are certificates of the authority in the last token, which nobody signed for.
    last = whole.rindex(b"/Contents <3082")
    assert all(place > last for place in undetected), (last, undetected)


def test_what_is_appended_or_taken_away_is_noticed(
    tmp_path: Path, desk: Desk, sound: Trust
) -> None:
    whole = sealed(desk, "B-LTA", tmp_path / "brief.pdf").read_bytes()
    path = tmp_path / "altered.pdf"
    path.write_bytes(whole + b"%angehaengt\n")
    assert failed(verified(path, sound)) & {"changes", "seal"}
    seal = examine(tmp_path / "brief.pdf")
    assert seal is not None
    path.write_bytes(whole[: seal.covered])
    said = {check.name: check.text for check in verified(path, sound).checks}
    assert said["level"] == "Stufe B-T (PAdES) nachgewiesen."


def test_a_page_turned_after_the_archive_timestamp_is_noticed(
    tmp_path: Path, desk: Desk, sound: Trust
) -> None:
    from pyhanko.pdf_utils import generic
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    path = sealed(desk, "B-LTA", tmp_path / "brief.pdf")
    with path.open("r+b") as stream:
        writer: Any = IncrementalPdfFileWriter(stream)
        number: Any = generic.NumberObject
        page = writer.root["/Pages"]["/Kids"][0]
        page["/Rotate"] = number(90)
        writer.update_container(page)
        writer.write_in_place()
    assert failed(verified(path, sound)) >= {"changes", "level"}


def test_a_store_without_answers_proves_nothing(tmp_path: Path, desk: Desk, sound: Trust) -> None:
    from workers.sealing.archival import add_evidence
    from workers.sealing.revocation import Evidence

    path = sealed(desk, "B-T", tmp_path / "brief.pdf")
    chain = sound.certificate("interm").public_bytes(serialization.Encoding.DER)
    now = dt.datetime.now(dt.UTC)
    add_evidence(path, [Evidence(chain=(chain,), ocsps=(), crls=(), good_until=now)], "A", None)
    verification = verified(path, sound)
    assert failed(verification) == {"level"}
    said = {check.name: check.text for check in verification.checks}
    assert said["level"] == "Der Form nach Stufe B-LT (PAdES), nachgewiesen: B-T."


def test_foreign_roots_prove_no_level(tmp_path: Path, desk: Desk, sound: Trust) -> None:
    path = sealed(desk, "B-LTA", tmp_path / "brief.pdf")
    swapped = verify_pdf(path, None, sound.pem("root"), seal_roots=sound.pem("root"))
    assert "timestamp" in failed(swapped)
    unrooted = verify_pdf(path, None)
    assert failed(unrooted) == {"signer"}
    assert "nachgewiesen: keine" in {c.name: c.text for c in unrooted.checks}["level"]


def test_the_second_path_wants_the_level_it_was_told(
    tmp_path: Path, desk: Desk, card: Card
) -> None:
    from workers.sealing.custody import token_key

    assignment = noted(desk, "B-LT")
    (made,) = sealing.perform(assignment, desk.context()).renditions
    context = desk.context()
    before = context.path(of(assignment).renditions[RenditionKind.NOTED].sha256)
    path = context.path(made.sha256)
    assert desk.settings.sealing.token is not None
    key = token_key(desk.settings.sealing.token, desk.settings.keys)
    prove(path, before, key, "B-LT")
    with pytest.raises(SealBroken, match="level B-LT instead of B-LTA"):
        prove(path, before, key, "B-LTA")
    longest = sealed(desk, "B-LTA", tmp_path / "brief.pdf")
    with longest.open("ab") as stream:
        stream.write(b"%angehaengt\n")
    with pytest.raises(SealBroken, match="bytes after the seal"):
        prove(longest, before, key, "B-LTA")
