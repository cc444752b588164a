"""What `verify` says of the notes of finished files, alone and beside the ledger."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from pikepdf import pdfa

from ingest.document import Assignment, Facts, RenditionKind
from ingest.errors import NoteIncomplete
from tests.plugins.letters import Desk, image_pdf, of
from tests.plugins.transfers import noted, replacing, rewritten, with_own_key
from workers import sealing
from workers.delivery import perform as deliver
from workers.noteverifying import contradictions
from workers.sealing.keys import CERTIFICATE_FILE, ensure_installation_key
from workers.sealing.signing import sign
from workers.verification import Verification, verify_pdf


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def ready(desk: Desk) -> Assignment:
    return noted(desk, with_own_key(replacing(desk)))


def sealed(desk: Desk, assignment: Assignment, path: Path) -> Verification:
    """Seal whatever the document's noted file is, as no gate would, and verify it."""
    key = sealing.key_of(assignment, desk.context())
    source = desk.context().path(of(assignment).renditions[RenditionKind.NOTED].sha256)
    sign(source, path, key, "Installationssignatur-x", None)
    ensure_installation_key(desk.settings.keys)
    return verify_pdf(path, desk.settings.keys / CERTIFICATE_FILE)


def failed(verification: Verification) -> dict[str, str]:
    checks = verification.checks
    return {one.name: one.text for one in checks if one.required and not one.passed}


def changed(
    desk: Desk, assignment: Assignment, change: Callable[[pikepdf.Pdf], None]
) -> Assignment:
    document = of(assignment)
    whole = desk.context().read(document.renditions[RenditionKind.NOTED].sha256)
    with pikepdf.open(io.BytesIO(whole)) as pdf:
        change(pdf)
        stream = io.BytesIO()
        pdfa.save(pdf, stream, "3b")
    made = desk.rendition(RenditionKind.NOTED, stream.getvalue(), "application/pdf")
    renditions = {**document.renditions, RenditionKind.NOTED: made}
    return dataclasses.replace(
        assignment, document=dataclasses.replace(document, renditions=renditions)
    )


def test_a_replacing_file_passes_and_says_what_it_states(
    desk: Desk, ready: Assignment, tmp_path: Path
) -> None:
    verification = sealed(desk, ready, tmp_path / "brief.pdf")
    assert verification.passed, verification.facts()
    assert verification.note["treatment"] == "ersetzend"
    assert verification.note["statement"]["ground"] == "Stichprobe des Stapels"


def test_note_removed(desk: Desk, ready: Assignment, tmp_path: Path) -> None:
    def remove(pdf: pikepdf.Pdf) -> None:
        del pdf.attachments["transfervermerk.xml"]

    verification = sealed(desk, changed(desk, ready, remove), tmp_path / "brief.pdf")
    assert failed(verification) == {"note": "Kein Vermerk in der Datei."}


def test_note_altered(desk: Desk, ready: Assignment, tmp_path: Path) -> None:
    altered = rewritten(
        desk, ready, lambda note: note.replace(">nein</Angesehen", ">ja</Angesehen")
    )
    verification = sealed(desk, altered, tmp_path / "brief.pdf")
    assert "die nicht stattfand" in failed(verification)["note"]


def test_note_of_another_document(desk: Desk, ready: Assignment, tmp_path: Path) -> None:
    own = of(ready).id
    other = f"{own[:-4]}{'0000' if own[-4:] != '0000' else 'ffff'}"
    altered = rewritten(desk, ready, lambda note: note.replace(own, other))
    verification = sealed(desk, altered, tmp_path / "brief.pdf")
    assert "zu einem anderen Dokument" in failed(verification)["note"]


def record(assignment: Assignment, **note: object) -> Facts:
    document = of(assignment)
    return {
        "id": document.id,
        "renditions": [
            {"kind": str(kind), "sha256": made.sha256} for kind, made in document.renditions.items()
        ],
        "pages_found": [{"number": p.number, "sha256": p.sha256} for p in assignment.pages],
        "facts": {**document.facts, "note": {**document.facts["note"], **note}},
    }


def test_a_statement_that_contradicts_the_ledger_is_named(
    desk: Desk, ready: Assignment, tmp_path: Path
) -> None:
    said = sealed(desk, ready, tmp_path / "brief.pdf").note
    assert list(contradictions(said, record(ready))) == []
    pending = {"visual": False, "content": False, "ground": "noch nicht bestätigt"}
    (wrong,) = contradictions(said, record(ready, statement=pending))
    assert "Erklärung der Übereinstimmung" in wrong
    (wrong,) = contradictions(said, record(ready, treatment="kopierend"))
    assert "Laut Vermerk ersetzend, laut Ledger kopierend" in wrong
    other = dataclasses.replace(ready, pages=())
    assert "andere Abbilder" in " ".join(contradictions(said, record(other)))
    altered = rewritten(desk, ready, lambda note: note.replace("Regal 3", "Regal 4"))
    verification = sealed(desk, altered, tmp_path / "other.pdf")
    assert "note" not in failed(verification)
    (wrong,) = contradictions(verification.note, record(ready))
    assert "nicht der, den diese Anlage schrieb" in wrong


def beside(desk: Desk, **letter: object) -> Assignment:
    """Return a document whose note lies beside a PDF/A-2b: replacing, or of a copying class."""
    assignment = desk.letter(composed=image_pdf()) if letter else with_own_key(replacing(desk))
    rules = {**assignment.profile["note"], "container": "pdfa2"}
    profile = {**assignment.profile, "note": rules}
    return noted(desk, dataclasses.replace(assignment, profile=profile))


@pytest.mark.parametrize("letter", [{}, {"copying": True}])
def test_a_note_beside_a_pdfa2_belongs_to_it_alone(
    desk: Desk, tmp_path: Path, letter: dict[str, object]
) -> None:
    assignment = beside(desk, **letter)
    outcome = sealing.perform(assignment, desk.context())
    (made,) = outcome.renditions
    path = tmp_path / "brief.pdf"
    path.write_bytes(desk.context().read(made.sha256))
    with pikepdf.open(path) as pdf:
        assert len(pdf.attachments) == 0
        assert "/AF" not in pdf.Root
    note = desk.context().read(of(assignment).renditions[RenditionKind.NOTE].sha256)
    certificate = desk.settings.keys / CERTIFICATE_FILE
    assert "Kein Vermerk" in failed(verify_pdf(path, certificate))["note"]
    neighbour = tmp_path / "brief.note.xml"
    neighbour.write_bytes(note)
    verification = verify_pdf(path, certificate)
    assert verification.passed, verification.facts()
    assert {one.name: one.text for one in verification.checks}["pdfa"].startswith("PDF/A-2b")
    assert verify_pdf(path, certificate, note=note).passed
    other = beside(desk, **letter)
    neighbour.write_bytes(desk.context().read(of(other).renditions[RenditionKind.NOTE].sha256))
    assert "anderen Dokument" in failed(verify_pdf(path, certificate))["note"]
    digest = of(assignment).renditions[RenditionKind.NOTED].sha256
    neighbour.write_bytes(note.replace(digest.encode(), b"0" * 64))
    assert "eine andere PDF" in failed(verify_pdf(path, certificate))["note"]


def test_the_gate_takes_the_note_beside_and_no_other(desk: Desk) -> None:
    assignment = beside(desk)
    digest = of(assignment).renditions[RenditionKind.NOTED].sha256
    altered = rewritten(desk, assignment, lambda note: note.replace(digest, "0" * 64), inside=False)
    with pytest.raises(NoteIncomplete):
        sealing.perform(altered, desk.context())


def test_both_files_are_delivered(desk: Desk) -> None:
    assignment = beside(desk)
    document = of(assignment)
    made = sealing.perform(assignment, desk.context())
    routed = {"department": "poststelle", "rule": "default", "reason": "Vorgabe"}
    document = dataclasses.replace(
        document,
        facts={**document.facts, "sealing": made.facts, "routing": routed},
        renditions={**document.renditions, RenditionKind.PDF: made.renditions[0]},
    )
    outcome = deliver(dataclasses.replace(assignment, document=document), desk.context())
    names = sorted(name.partition(document.id)[2] for name in outcome.facts["files"])
    assert names == [".json", ".note.xml", ".pdf"]
    folder = Path(outcome.facts["path"])
    (sidecar,) = folder.glob("*.json")
    assert '"treatment": "ersetzend"' in sidecar.read_text("utf-8")
