"""A clerk's result becomes a sealed note beside the delivered document, bound to just that one."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ingest.document import Assignment, Facts, Rendition, RenditionKind
from ingest.errors import Deferrable, NoteIncomplete, ToolFailed
from tests.plugins.authority import serving
from tests.plugins.letters import Desk, of
from tests.plugins.supplements import RESULT, confirming, content_of, delivered, judged, sealed
from tests.plugins.tokens import make_card
from tests.plugins.transfers import by_clerk, replacing, with_own_key
from workers.delivery import confirmation as delivering
from workers.evidence.offline.findings import Findings
from workers.evidence.offline.history import Chain
from workers.evidence.offline.manifest import read_anew
from workers.evidence.offline.openssl import OpenSsl
from workers.evidence.offline.supplement import Supplement
from workers.note import supplement
from workers.note.reading import html
from workers.noteproof import Note
from workers.sealing import confirmation
from workers.sealing.keys import CERTIFICATE_FILE, KEY_FILE, ensure_installation_key, load_key
from workers.sealing.timestamps import load_roots
from workers.supplementproof import disagreements, judge_supplement


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def pending(desk: Desk) -> Assignment:
    return delivered(desk, with_own_key(replacing(desk, by_clerk())))


def openssl(folder: Path, content: bytes, seal: bytes, root: Path) -> bool:
    (folder / "note.xml").write_bytes(content)
    (folder / "note.p7s").write_bytes(seal)
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-purpose", "any"]
    command += ["-in", str(folder / "note.p7s"), "-content", str(folder / "note.xml")]
    command += ["-CAfile", str(root), "-out", str(folder / "out")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_the_note_names_the_sealed_file_the_first_note_and_who_judged(
    desk: Desk, pending: Assignment
) -> None:
    done = confirming(desk, judged(pending))
    content = content_of(desk, done, RenditionKind.SUPPLEMENT)
    note, first = Note(content), Note(content_of(desk, done, RenditionKind.NOTE))
    renditions = of(done).renditions
    assert note.text("Bezug/PdfSha256") == renditions[RenditionKind.PDF].sha256
    assert note.text("Bezug/VermerkSha256") == renditions[RenditionKind.NOTE].sha256
    assert note.text("Bezug/Vermerk") == first.text("Vermerk/Kennung")
    assert note.text("Ersteller/Kuerzel") == "sb-11"
    assert note.text("Ersteller/Rolle") == "Sachbearbeitung"
    assert note.text("Pruefung/Zeitpunkt") == "2026-03-05T09:00:00+01:00"
    assert note.text("Vermerk/Behandlung") == "ersetzend"
    assert "bildlich und inhaltlich" in str(note.text("Uebereinstimmung/Erklaerung"))
    assert of(done).facts["confirming"]["treatment"] == "ersetzend"
    assert b"sb-11" in html(content)


def test_a_refused_match_is_said_as_well_and_leaves_a_copy(desk: Desk, pending: Assignment) -> None:
    done = confirming(desk, judged(pending, "refused", content=False))
    note = Note(content_of(desk, done, RenditionKind.SUPPLEMENT))
    assert note.text("Vermerk/Behandlung") == "kopierend"
    assert note.text("Uebereinstimmung/Inhaltlich") == "false"
    assert "wurde nicht bestätigt" in str(note.text("Uebereinstimmung/Erklaerung"))
    assert of(done).facts["confirming"]["treatment"] == "kopierend"


@pytest.mark.parametrize(
    "quality",
    [
        by_clerk(),
        by_clerk(state="confirmed"),
        by_clerk(state="confirmed", verdict={**RESULT, "content": False}),
        by_clerk(state="refused", verdict=RESULT),
    ],
)
def test_no_note_without_a_result_that_bears_it(
    desk: Desk, pending: Assignment, quality: Facts
) -> None:
    with pytest.raises(NoteIncomplete):
        supplement.perform(dataclasses.replace(pending, quality=quality), desk.context())


def test_a_clerk_whom_nobody_can_resolve_confirms_nothing(desk: Desk, pending: Assignment) -> None:
    unknown = dataclasses.replace(judged(pending), registered=frozenset({"ps-07"}))
    with pytest.raises(NoteIncomplete, match="sb-11"):
        supplement.perform(unknown, desk.context())


def test_no_note_to_what_was_never_sealed_or_noted(desk: Desk, pending: Assignment) -> None:
    assignment = judged(pending)
    for gone in (RenditionKind.PDF, RenditionKind.NOTE):
        kept = {kind: one for kind, one in of(assignment).renditions.items() if kind is not gone}
        document = dataclasses.replace(of(assignment), renditions=kept)
        with pytest.raises(NoteIncomplete):
            supplement.perform(dataclasses.replace(assignment, document=document), desk.context())


def test_openssl_verifies_the_seal_and_notices_a_changed_byte(
    desk: Desk, pending: Assignment, tmp_path: Path
) -> None:
    done = sealed(desk, confirming(desk, judged(pending)))
    ensure_installation_key(desk.settings.keys)
    root = desk.settings.keys / CERTIFICATE_FILE
    content = content_of(desk, done, RenditionKind.SUPPLEMENT)
    seal = content_of(desk, done, RenditionKind.SUPPLEMENT_SEAL)
    assert openssl(tmp_path, content, seal, root)
    assert not openssl(tmp_path, content.replace(b"sb-11", b"sb-12"), seal, root)
    assert of(done).facts["confirmation_sealing"]["level"] == "B-B"


def test_the_seal_is_the_organisations_with_a_timestamp_where_the_class_wants_that(
    tmp_path: Path,
) -> None:
    card = make_card(tmp_path / "card", ec.generate_private_key(ec.SECP256R1()))
    with serving() as authority:
        sealing_settings = {"token": card.settings, "tsa_urls": [authority.url]}
        desk = Desk(tmp_path, sealing=sealing_settings)
        done = sealed(desk, confirming(desk, judged(delivered(desk, replacing(desk, by_clerk())))))
    facts = of(done).facts["confirmation_sealing"]
    assert (facts["level"], facts["kind"]) == ("B-T", "organisation")
    root = tmp_path / "root.pem"
    root.write_bytes(card.root.public_bytes(serialization.Encoding.PEM))
    content = content_of(desk, done, RenditionKind.SUPPLEMENT)
    assert openssl(tmp_path, content, content_of(desk, done, RenditionKind.SUPPLEMENT_SEAL), root)


def test_a_down_authority_makes_no_lower_level(tmp_path: Path, desk: Desk) -> None:
    pending = delivered(desk, with_own_key(replacing(desk, by_clerk())))
    waiting = confirming(desk, judged(pending))
    dead = {"tsa_urls": ["http://127.0.0.1:9/"], "tsa_timeout_seconds": 1}
    settings = desk.settings.model_copy(
        update={"sealing": desk.settings.sealing.model_validate(dead)}
    )
    rules = {**waiting.profile["sealing"], "timestamp": True, "level": "B-T", "stamp": "ts"}
    stamped = dataclasses.replace(waiting, profile={**waiting.profile, "sealing": rules})
    with pytest.raises(Deferrable):
        confirmation.perform(stamped, dataclasses.replace(desk.context(), settings=settings))


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.replace(b"sb-11", b"sb-12"),
        lambda note: note.replace(b">ersetzend<", b">kopierend<", 1),
        lambda note: note.replace(b"<Fassung>1", b"<Fassung>2"),
        lambda note: b"<x/>",
    ],
)
def test_only_the_note_of_this_result_is_sealed(
    desk: Desk, pending: Assignment, change: Callable[[bytes], bytes]
) -> None:
    done = confirming(desk, judged(pending))
    content = change(content_of(desk, done, RenditionKind.SUPPLEMENT))
    altered: Rendition = desk.rendition(RenditionKind.SUPPLEMENT, content, "text/xml")
    renditions = {**of(done).renditions, RenditionKind.SUPPLEMENT: altered}
    document = dataclasses.replace(of(done), renditions=renditions)
    with pytest.raises(NoteIncomplete):
        confirmation.perform(dataclasses.replace(done, document=document), desk.context())


def test_a_seal_that_does_not_hold_is_not_recorded(
    desk: Desk, pending: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.sealing import detached

    done = confirming(desk, judged(pending))
    right = detached.seal_beside
    monkeypatch.setattr(
        detached, "seal_beside", lambda content, means: right(content + b" ", means)
    )
    with pytest.raises(ToolFailed):
        confirmation.perform(done, desk.context())


def test_it_is_delivered_once_beside_the_document(desk: Desk, pending: Assignment) -> None:
    done = sealed(desk, confirming(desk, judged(pending)))
    outcome = delivering.perform(done, desk.context())
    folder = Path(outcome.facts["path"])
    stem = of(done).facts["delivery"]["stem"]
    names = sorted(path.name for path in folder.glob(f"{stem}.ergaenzung.*"))
    assert names == [f"{stem}.ergaenzung.{end}" for end in ("p7s", "ready", "xml")]
    assert str(folder) == of(done).facts["delivery"]["path"]
    for path in folder.glob(f"{stem}.ergaenzung.*"):
        path.unlink()
    assert delivering.perform(done, desk.context()).facts == outcome.facts
    assert list(folder.glob(f"{stem}.ergaenzung.*")) == []


def test_verify_judges_note_and_seal_by_their_bytes_and_by_the_ledger(
    desk: Desk, pending: Assignment
) -> None:
    done = sealed(desk, confirming(desk, judged(pending)))
    ensure_installation_key(desk.settings.keys)
    roots = {"installation": load_roots(desk.settings.keys / CERTIFICATE_FILE), "organisation": []}
    content = content_of(desk, done, RenditionKind.SUPPLEMENT)
    seal = content_of(desk, done, RenditionKind.SUPPLEMENT_SEAL)
    whole = judge_supplement(content, seal, roots, [])
    assert whole.passed, whole.text
    said, _, whose = whole.text.partition(" Zertifikat: ")
    assert said == "Ergänzungsvermerk: bestätigt durch sb-11, Siegel unversehrt."
    own = load_key(desk.settings.keys / KEY_FILE).certificate_sha256
    assert own in whose
    for sealers, passed in (({own}, True), ({"0" * 64}, False), ((), False)):
        assert judge_supplement(content, seal, roots, [], sealers).passed is passed
    assert not judge_supplement(content.replace(b"sb-11", b"sb-12"), seal, roots, []).passed
    assert not judge_supplement(content, seal, {"installation": [], "organisation": []}, []).passed
    assert not judge_supplement(content, b"1" + seal[1:], roots, []).passed
    assert not judge_supplement(content_of(desk, done, RenditionKind.NOTE), seal, roots, []).passed
    flipped = [
        place
        for place in range(0, len(seal), 37)
        if judge_supplement(
            content, seal[:place] + bytes([seal[place] ^ 1]) + seal[place + 1 :], roots, []
        ).passed
    ]
    assert flipped == []
    document = of(done)
    made = document.renditions
    outputs = {kind: {"sha256": made[RenditionKind(kind)].sha256} for kind in ("pdf", "note")}
    record = {"id": document.id, "outputs": outputs, "facts": document.facts}
    assert list(disagreements(whole.facts, record)) == []
    refused = {"treatment": "kopierend", "statement": {"by": "sb-11"}}
    other = {**document.facts, "confirming": refused}
    assert list(disagreements(whole.facts, {**record, "facts": other}))
    moved = {**outputs, "pdf": {"sha256": "0" * 64}}
    assert list(disagreements(whole.facts, {**record, "outputs": moved}))


def test_who_has_a_bundle_sees_whose_note_it_is_and_what_was_done_to_it(
    tmp_path: Path, desk: Desk, pending: Assignment
) -> None:
    done = sealed(desk, confirming(desk, judged(pending)))
    document = of(done)
    names = {
        "scanprodukt.pdf": RenditionKind.PDF,
        "transfervermerk.xml": RenditionKind.NOTE,
        "ergaenzungsvermerk.xml": RenditionKind.SUPPLEMENT,
        "ergaenzungsvermerk.p7s": RenditionKind.SUPPLEMENT_SEAL,
    }
    for name, kind in names.items():
        (tmp_path / name).write_bytes(content_of(desk, done, kind))
    subject = {"document": document.id, "pdf": "scanprodukt.pdf", "note": "transfervermerk.xml"}
    chain = Chain(document.id, "document", 2, "")
    made = document.renditions
    chain.events = [
        {"kind": kind, "salt": "", "payload": {"renditions": {name: made[name].sha256}}}
        for kind, name in (
            ("confirmation_noted", RenditionKind.SUPPLEMENT),
            ("confirmation_sealed", RenditionKind.SUPPLEMENT_SEAL),
        )
    ]

    def said() -> tuple[int, list[str]]:
        lines: list[str] = []
        findings = Findings(lines.append)
        read_anew()
        openssl = OpenSsl(findings, desk.settings.keys / CERTIFICATE_FILE, None)
        Supplement(tmp_path, findings, openssl, subject, chain).run()
        return findings.broken, lines

    broken, lines = said()
    assert broken == 0, lines
    assert any("gehört zu diesem Dokument, seiner PDF und seinem Vermerk" in one for one in lines)
    assert any("Unterschrift gültig nach den angegebenen" in one for one in lines)
    for name in names:
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:-9] + bytes((content[-9] ^ 1,)) + content[-8:])
        assert said()[0] > 0, name
        (tmp_path / name).unlink()
        if name.startswith("ergaenzungsvermerk"):
            assert said()[0] > 0, name
        (tmp_path / name).write_bytes(content)
    subject["document"] = "0" * 8
    assert said()[0] == 1
