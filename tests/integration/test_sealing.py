"""The installation's seal: one key, nothing changed beneath it, no doubtful timestamp."""

from __future__ import annotations

import dataclasses
import io
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from ingest.document import Assignment, Outcome, RenditionKind, Step
from ingest.errors import (
    AuthorityUnavailable,
    CheckFailed,
    Misconfigured,
    ToolFailed,
    UnsafeFolders,
)
from tests.plugins.authority import (
    FAULTS,
    SHORT_PATIENCE,
    SLOW,
    Authority,
    root_file,
    serving,
)
from tests.plugins.installation import PATIENCE, wait_until
from tests.plugins.letters import Desk, after, image_pdf, of
from tests.plugins.servers import free_port
from workers import note, sealing
from workers.sealing.keys import CERTIFICATE_FILE, KEY_FILE, ensure_installation_key, load_key
from workers.sealing.proof import SealBroken, examine, prove
from workers.sealing.timestamps import VerifyingTimeStamper


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def second() -> Iterator[Authority]:
    with serving() as running:
        yield running


def noted(desk: Desk, **letter: Any) -> Assignment:
    assignment = desk.letter(composed=image_pdf(), **letter)
    outcome = note.perform(assignment, desk.context())
    return after(assignment, Step.NOTE, outcome, Step.SEALING)


def sealed_bytes(desk: Desk, outcome: Outcome) -> bytes:
    (made,) = outcome.renditions
    assert made.kind is RenditionKind.PDF
    return desk.context().read(made.sha256)


def with_authority(tmp_path: Path, authority: Authority, **more: Any) -> Desk:
    return Desk(tmp_path, sealing={"tsa_url": authority.url, "tsa_timeout_seconds": 120, **more})


def patience(fault: str) -> dict[str, float]:
    return {"tsa_timeout_seconds": SHORT_PATIENCE if fault in SLOW else 120}


def impatient_with(urls: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lose patience with these authorities soon, with all others hardly ever."""
    make = VerifyingTimeStamper.__init__

    def made(
        self: VerifyingTimeStamper, url: str, roots: list[Any], timeout_seconds: float
    ) -> None:
        del timeout_seconds
        make(self, url, roots, SHORT_PATIENCE if url in urls else PATIENCE)

    monkeypatch.setattr(VerifyingTimeStamper, "__init__", made)


def closed_url() -> str:
    return f"http://127.0.0.1:{free_port()}/tsa"


def test_the_first_revision_is_byte_identical_and_the_seal_covers_the_whole_file(
    desk: Desk, tmp_path: Path
) -> None:
    assignment = noted(desk)
    outcome = sealing.perform(assignment, desk.context())
    before = desk.context().read(of(assignment).renditions[RenditionKind.NOTED].sha256)
    content = sealed_bytes(desk, outcome)
    assert content.startswith(before)
    path = tmp_path / "sealed.pdf"
    path.write_bytes(content)
    seal = examine(path)
    assert seal is not None
    assert seal.covered == len(content)
    assert seal.stamp is None


def test_metadata_and_version_stay_as_they_were(desk: Desk) -> None:
    assignment = noted(desk)
    outcome = sealing.perform(assignment, desk.context())
    before = desk.context().read(of(assignment).renditions[RenditionKind.NOTED].sha256)
    with (
        pikepdf.open(io.BytesIO(before)) as old,
        pikepdf.open(io.BytesIO(sealed_bytes(desk, outcome))) as new,
    ):
        assert new.Root.Metadata.read_raw_bytes() == old.Root.Metadata.read_raw_bytes()
        assert {k: str(v) for k, v in new.docinfo.items()} == {
            k: str(v) for k, v in old.docinfo.items()
        }
        assert "/Version" not in new.Root
        assert "/ISO_" not in new.Root.Extensions
        assert new.pdf_version == old.pdf_version


def test_the_signature_says_that_it_is_no_seal(desk: Desk) -> None:
    outcome = sealing.perform(noted(desk), desk.context())
    with pikepdf.open(io.BytesIO(sealed_bytes(desk, outcome))) as pdf:
        (field,) = pdf.Root.AcroForm.Fields.as_list()
        assert str(field.V.Reason) == "Installationssignatur (Demo) – kein Siegel"
        assert field.V.SubFilter == pikepdf.Name("/ETSI.CAdES.detached")
    assert outcome.facts["level"] == "B-B"
    assert outcome.facts["kind"] == "installation"
    assert "Installationssignatur" in outcome.facts["subject"]
    assert socket.gethostname() not in outcome.facts["subject"]


def test_without_a_noted_file_nothing_is_pretended(desk: Desk) -> None:
    assignment = dataclasses.replace(desk.letter(rung="original"), step=Step.SEALING)
    outcome = sealing.perform(assignment, desk.context())
    assert outcome.renditions == ()
    assert outcome.facts["level"] is None
    assert outcome.facts["reason"]


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(ensure_installation_key, [folder] * 16))
    assert set(paths) == {folder / KEY_FILE}
    assert sorted(path.name for path in folder.iterdir()) == [CERTIFICATE_FILE, KEY_FILE]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / KEY_FILE).stat().st_mode & 0o777 == 0o600
    first = load_key(folder / KEY_FILE).certificate_sha256
    ensure_installation_key(folder)
    assert load_key(folder / KEY_FILE).certificate_sha256 == first


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = ensure_installation_key(tmp_path / "keys")
    path.chmod(0o640)
    with pytest.raises(UnsafeFolders, match="not private"):
        ensure_installation_key(tmp_path / "keys")


def test_a_linked_key_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "keys").symlink_to(tmp_path / "real")
    with pytest.raises(UnsafeFolders):
        ensure_installation_key(tmp_path / "keys")


def test_a_damaged_key_stops_sealing_with_a_remedy(desk: Desk) -> None:
    assignment = noted(desk)
    path = ensure_installation_key(desk.settings.keys)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(Misconfigured) as caught:
        sealing.perform(assignment, desk.context())
    assert "Sicherung" in caught.value.operator_text


def test_our_own_file_that_cannot_be_signed_is_an_error_and_a_foreign_one_a_finding(
    desk: Desk,
) -> None:
    assignment = noted(desk)
    document = of(assignment)
    broken = desk.rendition(RenditionKind.NOTED, b"%PDF-1.7\nnonsense", "application/pdf")
    document = dataclasses.replace(document, renditions={RenditionKind.NOTED: broken})
    with pytest.raises(ToolFailed):
        sealing.perform(dataclasses.replace(assignment, document=document), desk.context())
    foreign = dataclasses.replace(document, facts={"composition": {"rung": "repaired"}})
    outcome = sealing.perform(dataclasses.replace(assignment, document=foreign), desk.context())
    assert outcome.facts["level"] is None
    assert "fremde PDF" in outcome.facts["reason"]


@pytest.mark.parametrize("lacking", ["pdf", "signable"])
def test_from_high_integrity_on_a_scan_goes_on_sealed_or_not_at_all(
    desk: Desk, lacking: str
) -> None:
    assignment = noted(desk)
    protection = {"protection": {"integrity": "high"}}
    assignment = dataclasses.replace(assignment, profile=assignment.profile | protection)
    broken = desk.rendition(RenditionKind.NOTED, b"%PDF-1.7\nnonsense", "application/pdf")
    renditions = {} if lacking == "pdf" else {RenditionKind.NOTED: broken}
    facts = {"composition": {"rung": "repaired"}}
    document = dataclasses.replace(of(assignment), renditions=renditions, facts=facts)
    with pytest.raises(CheckFailed) as caught:
        sealing.perform(dataclasses.replace(assignment, document=document), desk.context())
    assert "geht ohne Sicherung nichts weiter" in caught.value.operator_text


def test_a_timestamp_is_embedded_and_chains_to_the_configured_root(
    tmp_path: Path, sound: Authority
) -> None:
    desk = with_authority(tmp_path, sound, tsa_roots=root_file(sound, tmp_path))
    outcome = sealing.perform(noted(desk), desk.context())
    assert outcome.facts["level"] == "B-T"
    path = tmp_path / "sealed.pdf"
    path.write_bytes(sealed_bytes(desk, outcome))
    seal = examine(path)
    assert seal is not None
    assert seal.stamp is not None
    assert seal.level == "B-T"


def test_without_roots_a_sound_token_is_taken(tmp_path: Path, sound: Authority) -> None:
    desk = with_authority(tmp_path, sound)
    assert sealing.perform(noted(desk), desk.context()).facts["level"] == "B-T"


@pytest.mark.parametrize("rooted", [True, False])
@pytest.mark.parametrize("fault", FAULTS)
def test_no_faulty_answer_of_the_authority_is_believed(
    tmp_path: Path, authority: Authority, fault: str, rooted: bool
) -> None:
    roots = {"tsa_roots": root_file(authority, tmp_path)} if rooted else {}
    desk = with_authority(tmp_path, authority, **roots, **patience(fault))
    authority.fault = fault
    asked = authority.requests
    with pytest.raises(AuthorityUnavailable) as caught:
        sealing.perform(noted(desk), desk.context())
    wait_until(lambda: authority.requests > asked, "the request, which may outlast patience")
    assert authority.requests == asked + 1
    assert caught.value.consumes_try is False
    assert "Zeitstempeldienst" in caught.value.operator_text


@pytest.mark.parametrize("fault", FAULTS)
def test_a_second_authority_is_asked_when_the_first_answers_badly(
    tmp_path: Path,
    authority: Authority,
    second: Authority,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority.root + second.root)
    urls = [authority.url, second.url]
    desk = Desk(tmp_path, sealing={"tsa_urls": urls, "tsa_roots": roots})
    slow = {authority.url} if fault in SLOW else set()
    impatient_with(slow, monkeypatch)  # the second may take the time that a busy machine needs
    authority.fault = fault
    assignment, asked = noted(desk), second.requests
    outcome = sealing.perform(assignment, desk.context())
    assert outcome.facts["level"] == "B-T"
    assert outcome.facts["tsa"] == second.url
    (passed_over,) = outcome.facts["tsa_passed_over"]
    assert "timestamp authority 127.0.0.1" in passed_over
    assert second.requests == asked + 1
    second.fault = fault
    slow |= {second.url} if fault in SLOW else set()
    with pytest.raises(AuthorityUnavailable) as caught:
        sealing.perform(assignment, desk.context())
    assert caught.value.operator_text.count("Zeitstempeldienst") == 2


def test_the_second_authority_is_left_alone_while_the_first_answers(
    tmp_path: Path, sound: Authority, second: Authority
) -> None:
    desk = Desk(tmp_path, sealing={"tsa_urls": [sound.url, second.url]})
    asked = second.requests
    outcome = sealing.perform(noted(desk), desk.context())
    assert outcome.facts["tsa"] == sound.url
    assert "tsa_passed_over" not in outcome.facts
    assert second.requests == asked


def test_the_second_authority_rescues_when_nobody_listens_at_the_first(
    tmp_path: Path, second: Authority
) -> None:
    desk = Desk(tmp_path, sealing={"tsa_urls": [closed_url(), second.url]})
    assert sealing.perform(noted(desk), desk.context()).facts["tsa"] == second.url


def test_a_token_of_a_foreign_root_is_refused(tmp_path: Path, sound: Authority) -> None:
    foreign = tmp_path / "root.pem"
    foreign.write_bytes(Authority().root)
    desk = with_authority(tmp_path, sound, tsa_roots=foreign)
    with pytest.raises(AuthorityUnavailable):
        sealing.perform(noted(desk), desk.context())


def test_an_authority_that_is_down_defers(tmp_path: Path) -> None:
    desk = Desk(tmp_path, sealing={"tsa_url": closed_url()})
    with pytest.raises(AuthorityUnavailable):
        sealing.perform(noted(desk), desk.context())


def test_a_profile_that_wants_a_timestamp_needs_an_authority(desk: Desk) -> None:
    assignment = noted(desk)
    wanted = {**assignment.profile, "sealing": {"key": "installation", "timestamp": True}}
    with pytest.raises(Misconfigured, match="no tsa_url"):
        sealing.perform(dataclasses.replace(assignment, profile=wanted), desk.context())


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://tsa.example/", "tsa"])
def test_only_web_addresses_are_asked_for_time(url: str) -> None:
    with pytest.raises(Misconfigured, match="not http"):
        VerifyingTimeStamper(url, roots=[], timeout_seconds=1)


def test_roots_that_are_no_certificates_are_refused(tmp_path: Path, sound: Authority) -> None:
    path = tmp_path / "root.pem"
    path.write_text("kein Zertifikat", encoding="utf-8")
    desk = with_authority(tmp_path, sound, tsa_roots=path)
    with pytest.raises(Misconfigured, match="tsa_roots"):
        sealing.perform(noted(desk), desk.context())


def test_the_second_path_notices_what_the_first_could_hide(desk: Desk, tmp_path: Path) -> None:
    assignment = noted(desk)
    outcome = sealing.perform(assignment, desk.context())
    context = desk.context()
    before = context.path(of(assignment).renditions[RenditionKind.NOTED].sha256)
    key = load_key(ensure_installation_key(desk.settings.keys))
    content = sealed_bytes(desk, outcome)
    path = tmp_path / "tampered.pdf"
    path.write_bytes(content)
    prove(path, before, key, "B-B")
    for tampered, reason in (
        (content + b"\n", "after the seal"),
        (
            content.replace(b"Seite", b"Leite", 1)[:200]
            + bytes([content[200] ^ 1])
            + content[201:],
            "digest|SealBroken|",
        ),
        (before.read_bytes(), "no seal"),
    ):
        path.write_bytes(tampered)
        with pytest.raises(SealBroken, match=reason):
            prove(path, before, key, "B-B")
    path.write_bytes(content)
    stranger = load_key(ensure_installation_key(tmp_path / "other"))
    with pytest.raises(SealBroken, match="level B-B instead of B-T"):
        prove(path, before, key, "B-T")
    with pytest.raises(SealBroken, match="another key"):
        prove(path, before, stranger, "B-B")


def test_the_key_never_leaves_its_file(desk: Desk) -> None:
    outcome = sealing.perform(noted(desk), desk.context())
    private = load_key(desk.settings.keys / KEY_FILE).private_key.private_numbers().private_value
    assert private.to_bytes(32, "big") not in sealed_bytes(desk, outcome)
