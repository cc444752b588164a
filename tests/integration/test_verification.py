"""A finished file shows by itself that it is whole, and every altered byte is noticed."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from ingest.document import RenditionKind, Step
from ingest.errors import Misconfigured
from tests.plugins.authority import root_file, serving
from tests.plugins.letters import Desk, after, image_pdf, of, undetected_flips
from workers import note, sealing
from workers.sealing.keys import CERTIFICATE_FILE, ensure_installation_key
from workers.verification import Verification, verify_pdf


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


def sealed(desk: Desk) -> bytes:
    assignment = desk.letter(composed=image_pdf())
    noted = after(assignment, Step.NOTE, note.perform(assignment, desk.context()), Step.SEALING)
    (made,) = sealing.perform(noted, desk.context()).renditions
    return desk.context().read(made.sha256)


@pytest.fixture(scope="module")
def whole(desk: Desk) -> bytes:
    return sealed(desk)


def trust(desk: Desk) -> Path:
    ensure_installation_key(desk.settings.keys)
    return desk.settings.keys / CERTIFICATE_FILE


def verified(desk: Desk, folder: Path, content: bytes) -> Verification:
    path = folder / "brief.pdf"
    path.write_bytes(content)
    return verify_pdf(path, trust(desk))


def failed(verification: Verification) -> set[str]:
    return {check.name for check in verification.checks if check.required and not check.passed}


def test_a_finished_file_passes_and_lists_its_digests(
    desk: Desk, tmp_path: Path, whole: bytes
) -> None:
    verification = verified(desk, tmp_path, whole)
    assert verification.passed, verification.facts()
    assert len(verification.note["pages"]) == 1
    assert verification.note["treatment"] == "kopierend"
    assert {check.name for check in verification.checks} == {
        "seal",
        "signer",
        "changes",
        "timestamp",
        "level",
        "pdfa",
        "note",
    }
    assert json.loads(json.dumps(verification.facts()))["passed"] is True


def test_without_trust_the_signer_is_unknown(desk: Desk, tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "brief.pdf"
    path.write_bytes(whole)
    assert failed(verify_pdf(path, None)) == {"signer"}


def test_another_installations_certificate_is_not_trusted(
    desk: Desk, tmp_path: Path, whole: bytes
) -> None:
    path = tmp_path / "brief.pdf"
    path.write_bytes(whole)
    ensure_installation_key(tmp_path / "other")
    assert failed(verify_pdf(path, tmp_path / "other" / CERTIFICATE_FILE)) == {"signer"}


def test_every_region_of_the_file_notices_an_altered_byte(
    desk: Desk, tmp_path: Path, whole: bytes
) -> None:
    start = whole.index(b"/ByteRange")
    step = max(1, len(whole) // 60)
    places = {*range(0, len(whole), step), *range(start, start + 400, 20), len(whole) - 3}
    for place in sorted(places):
        for flip in (0x01, 0x20):
            content = bytearray(whole)
            content[place] ^= flip
            assert not verified(desk, tmp_path, bytes(content)).passed, (place, flip)


def test_every_byte_of_the_signature_container_is_looked_at(
    desk: Desk, tmp_path: Path, whole: bytes
) -> None:

    start = whole.index(b"/Contents <3082") + len("/Contents ")
    end = whole.index(b">", start)
    path = tmp_path / "brief.pdf"
    places = [*range(start, start + 3000, 7), *range(start + 3000, end + 1, 211), end]
    assert undetected_flips(whole, places, path) == []


def test_a_change_appended_after_the_seal_is_reported(
    desk: Desk, tmp_path: Path, whole: bytes
) -> None:
    from pyhanko.pdf_utils import generic
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    stream = io.BytesIO(whole)
    writer: Any = IncrementalPdfFileWriter(stream)
    number: Any = generic.NumberObject
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Rotate"] = number(90)
    writer.update_container(page)
    writer.write_in_place()
    verification = verified(desk, tmp_path, stream.getvalue())
    assert "changes" in failed(verification)
    assert verified(desk, tmp_path, whole + b"%appended\n").passed is False


def test_a_file_saved_again_has_lost_its_seal(desk: Desk, tmp_path: Path, whole: bytes) -> None:
    stream = io.BytesIO()
    with pikepdf.open(io.BytesIO(whole)) as pdf:
        pdf.save(stream)
    assert "seal" in failed(verified(desk, tmp_path, stream.getvalue()))


def test_an_unsealed_file_says_so(desk: Desk, tmp_path: Path) -> None:
    assert failed(verified(desk, tmp_path, image_pdf())) == {"seal", "note"}


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"kein PDF", b"\x00" * 5000])
def test_what_is_no_pdf_fails_without_a_crash(desk: Desk, tmp_path: Path, content: bytes) -> None:
    assert verified(desk, tmp_path, content).passed is False


def test_truncated_files_fail_without_a_crash(desk: Desk, tmp_path: Path, whole: bytes) -> None:
    for part in range(1, 10):
        assert verified(desk, tmp_path, whole[: len(whole) * part // 10]).passed is False


def test_the_sidecar_beside_the_file_is_compared(desk: Desk, tmp_path: Path, whole: bytes) -> None:
    beside = tmp_path / "brief.json"
    beside.write_text(json.dumps({"outputs": {"pdf": {"sha256": "0" * 64}}}), encoding="utf-8")
    assert failed(verified(desk, tmp_path, whole)) == {"sidecar"}


def test_the_timestamp_is_judged_by_the_roots_given(tmp_path: Path) -> None:
    with serving() as authority:
        desk = Desk(tmp_path, sealing={"tsa_url": authority.url})
        path = tmp_path / "brief.pdf"
        path.write_bytes(sealed(desk))
        own = root_file(authority, tmp_path)
    assert verify_pdf(path, trust(desk), own).passed
    unrooted = verify_pdf(path, trust(desk))
    assert unrooted.passed
    assert any("nicht geprüft" in check.text for check in unrooted.checks)
    foreign = trust(desk)
    assert failed(verify_pdf(path, trust(desk), foreign)) == {"timestamp"}


def test_a_trust_file_without_certificate_is_refused(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "brief.pdf"
    path.write_bytes(whole)
    with pytest.raises(Misconfigured):
        verify_pdf(path, path)


def test_the_unsealed_revision_is_the_noted_file(desk: Desk, tmp_path: Path) -> None:
    from workers.sealing.proof import examine
    from workers.sealing.validation import validate

    assignment = desk.letter(composed=image_pdf())
    noted = after(assignment, Step.NOTE, note.perform(assignment, desk.context()), Step.SEALING)
    (made,) = sealing.perform(noted, desk.context()).renditions
    path = desk.context().path(made.sha256)
    seal = examine(path)
    assert seal is not None
    opinion = validate(path, seal.field, [], [])
    assert opinion.unsealed == of(noted).renditions[RenditionKind.NOTED].size
