"""Letters that leave under the seal: what is refused, what stays as it was, what is seen."""

from __future__ import annotations

import dataclasses
import io
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pikepdf
import pypdfium2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fontTools.ttLib import TTFont
from pikepdf import pdfa

import profiles
from ingest.document import OUTGOING, Assignment, Envelope, Outcome, RenditionKind, Step
from ingest.errors import Misconfigured, Unclear
from profiles.outgoing import OutgoingRules
from tests.plugins.letters import Desk, image_pdf, of
from tests.plugins.tokens import Card, make_card
from tests.plugins.trust import Trust, trusting
from workers import inspection, sealing
from workers.sealing.levels import _revocation
from workers.separation import cutting
from workers.verification import verify_pdf

ORDERED = {"class": "bescheid", "released_by": "AB12", "visible": False}


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    _revocation.cache_clear()
    with trusting(tmp_path_factory.mktemp("trust")) as running:
        yield running


@pytest.fixture(scope="module")
def card(trust: Trust, tmp_path_factory: pytest.TempPathFactory) -> Card:
    folder = tmp_path_factory.mktemp("card") / "seal"
    return make_card(folder, trust.keys["seal"], issued=trust.issued("seal"))


@pytest.fixture
def desk(tmp_path: Path, trust: Trust, card: Card) -> Desk:
    given = {
        "token": card.settings,
        "tsa_urls": [trust.tsa],
        "tsa_roots": trust.pem("tsa-root"),
        "tsa_timeout_seconds": 120,
    }
    return Desk(tmp_path, sealing=given)


def ordered(desk: Desk, content: bytes, *, visible: bool = False, **rules: Any) -> Assignment:
    envelope = Envelope(profile="bescheid", channel=OUTGOING, operator="AB12")
    letter = desk.letter(
        source=content, source_name="bescheid.pdf", envelope=envelope, profile="bescheid", texts=()
    )
    facts = {OUTGOING: {**ORDERED, "visible": visible}}
    batch = dataclasses.replace(letter.batch, facts=facts)
    profile = {**letter.profile, **rules}
    return dataclasses.replace(letter, step=Step.SEALING, batch=batch, profile=profile)


def written(desk: Desk, outcome: Outcome, path: Path) -> Path:
    (made,) = outcome.renditions
    assert made.kind is RenditionKind.PDF
    path.write_bytes(desk.context().read(made.sha256))
    return path


def failed(path: Path, trust: Trust) -> set[str]:
    found = verify_pdf(path, None, trust.pem("tsa-root"), seal_roots=trust.pem("root"))
    return {check.name for check in found.checks if check.required and not check.passed}


def changed(content: bytes, change: Callable[[pikepdf.Pdf], None], **how: Any) -> bytes:
    stream = io.BytesIO()
    with pikepdf.open(io.BytesIO(content)) as pdf:
        change(pdf)
        pdf.save(stream, **how)
    return stream.getvalue()


def written_as(part: str) -> bytes:
    stream = io.BytesIO()
    with pikepdf.open(io.BytesIO(image_pdf())) as pdf:
        pdfa.save(pdf, stream, part)
    return stream.getvalue()


def xfa(pdf: pikepdf.Pdf) -> None:
    form = pikepdf.Dictionary(Fields=pikepdf.Array(), XFA=pdf.make_stream(b"<xdp/>"))
    pdf.Root.AcroForm = form
    pdf.Root.NeedsRendering = True


def certified(permission: int) -> Callable[[pikepdf.Pdf], None]:
    def certify(pdf: pikepdf.Pdf) -> None:
        parameters = pikepdf.Dictionary(Type=pikepdf.Name.TransformParams, P=permission)
        reference = pikepdf.Dictionary(
            TransformMethod=pikepdf.Name.DocMDP, TransformParams=parameters
        )
        signature = pikepdf.Dictionary(
            Type=pikepdf.Name.Sig, Reference=pikepdf.Array([reference]), Contents=b"\x30\x00"
        )
        pdf.Root.Perms = pikepdf.Dictionary(DocMDP=pdf.make_indirect(signature))

    return certify


LOCKED = {"encryption": pikepdf.Encryption(owner="a", user="b")}
RESTRICTED = {"encryption": pikepdf.Encryption(owner="a", user="")}
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "picture": (lambda: b"II*\0 the scan", "kein PDF"),
    "text": (lambda: b"Sehr geehrte Damen und Herren", "kein PDF"),
    "password": (lambda: changed(image_pdf(), lambda _: None, **LOCKED), "verschlüsselt"),
    "restricted": (lambda: changed(image_pdf(), lambda _: None, **RESTRICTED), "eingeschränkt"),
    "form": (lambda: changed(image_pdf(), xfa), "XFA"),
    "certified": (lambda: changed(image_pdf(), certified(1)), "zertifiziert"),
    "oldest PDF/A": (lambda: written_as("1b"), "PDF/A-1b"),
    "damaged": (lambda: re.sub(rb"startxref\n\d+", b"startxref\n7", image_pdf()), "beschädigt"),
    "cut": (lambda: image_pdf()[:-400], "nicht lesbar"),
    "empty": (lambda: b"%PDF-1.7\n", "nicht lesbar"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_takes_no_seal_is_refused_in_words(desk: Desk, name: str) -> None:
    made, said = REFUSED[name]
    with pytest.raises(Unclear) as caught:
        inspection.perform(ordered(desk, made()), desk.context())
    assert said in caught.value.operator_text
    assert "Bitte das Schreiben neu" in caught.value.operator_text


def test_what_is_allowed_passes_inspection_and_becomes_one_document(desk: Desk) -> None:
    letter = ordered(desk, changed(image_pdf(2), certified(2)))
    outcome = inspection.perform(letter, desk.context())
    (source,) = outcome.sources
    assert (source.pages, outcome.pages) == (2, ())
    (part,) = cutting.perform(letter, desk.context()).parts
    assert (part.pages, part.begins) == ((), Step.SEALING)


@pytest.mark.parametrize("part", ["2b", "3b"])
@pytest.mark.parametrize("visible", [False, True])
def test_a_letter_leaves_with_a_seal_and_is_otherwise_untouched(
    desk: Desk, trust: Trust, tmp_path: Path, part: str, visible: bool
) -> None:
    content = written_as(part)
    letter = ordered(desk, content, visible=visible)
    outcome = sealing.perform(letter, desk.context())
    path = written(desk, outcome, tmp_path / "bescheid.pdf")
    assert path.read_bytes().startswith(content)
    assert failed(path, trust) == set()
    leaves = outcome.leaves
    assert leaves is not None
    assert (leaves["released_by"], leaves["class"], leaves["level"]) == ("AB12", "bescheid", "B-LT")
    assert leaves["sha256_before"] == letter.batch.source(1).sha256
    assert leaves["sha256_after"] == outcome.renditions[0].sha256
    assert leaves["certificate_sha256"]
    assert leaves["timestamp_at"]
    with pikepdf.open(io.BytesIO(content)) as old, pikepdf.open(path) as new:
        assert new.Root.Metadata.read_raw_bytes() == old.Root.Metadata.read_raw_bytes()
        assert (new.pdf_version, "/Version" in new.Root) == (old.pdf_version, False)
        (field,) = new.Root.AcroForm.Fields.as_list()
        assert int(field.F) == 132  # printed and locked: PDF/A wants the first
        assert "/NeedAppearances" not in new.Root.AcroForm
        assert ("/AP" in field) == visible
        if visible:
            require_embedded(field)


def require_embedded(field: pikepdf.Object) -> None:
    """PDF/A-2, 6.2.11 and 6.3.3: appearances have /N alone, fonts are embedded with their map."""
    assert set(field.AP.keys()) == {"/N"}
    fonts = [font for form in forms_of(field.AP.N) for font in fonts_of(form)]
    assert fonts
    for font in fonts:
        (descendant,) = font.DescendantFonts.as_list()
        assert {"/FontFile2", "/FontFile3"} & set(descendant.FontDescriptor.keys())
        assert "/CIDSet" not in descendant.FontDescriptor
        assert "/ToUnicode" in font
        require_widths(descendant)


def require_widths(font: pikepdf.Object) -> None:
    """PDF/A-2, 6.2.11.5: the widths that the file states are those of the font, in thousandths."""
    whole = TTFont(io.BytesIO(font.FontDescriptor.FontFile2.read_bytes()))
    stated = font.W.as_list()
    for first, widths in zip(stated[::2], stated[1::2], strict=True):
        for glyph, width in enumerate(widths.as_list(), int(first)):
            own = whole["hmtx"][whole.getGlyphName(glyph)][0] * 1000 / whole["head"].unitsPerEm
            assert abs(own - float(width)) <= 1


def forms_of(form: pikepdf.Object) -> Iterator[pikepdf.Object]:
    yield form
    for inner in form.Resources.get("/XObject", pikepdf.Dictionary()).values():
        yield from forms_of(inner)


def fonts_of(form: pikepdf.Object) -> Iterator[pikepdf.Object]:
    yield from form.Resources.get("/Font", pikepdf.Dictionary()).values()


def test_a_visible_seal_is_seen_where_the_profile_says(desk: Desk, tmp_path: Path) -> None:
    rules = OutgoingRules(page="last", left=20, bottom=12, width=90, height=18)
    letter = ordered(desk, image_pdf(2), visible=True, outgoing=rules.model_dump(mode="json"))
    path = written(desk, sealing.perform(letter, desk.context()), tmp_path / "bescheid.pdf")
    document = pypdfium2.PdfDocument(path)
    try:
        document.init_forms()
        first, last = (
            document[number].render(scale=2, may_draw_forms=True).to_pil().convert("L")
            for number in range(2)
        )
    finally:
        document.close()
    area = tuple(round(2 * 72 / 25.4 * mm) for mm in (20, 297 - 30, 110, 297 - 12))
    assert max(first.crop(area).getextrema()) == min(first.crop(area).getextrema()) == 255
    assert min(last.crop(area).getextrema()) < 60


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda pdf: setattr(pdf.pages[0].obj, "Rotate", 90), "gedreht"),
        (lambda pdf: setattr(pdf.pages[0].obj, "MediaBox", [0, 0, 200, 200]), "kein Platz"),
    ],
)
def test_a_page_without_room_for_a_visible_seal_is_a_matter_for_a_person(
    desk: Desk, change: Callable[[pikepdf.Pdf], None], said: str
) -> None:
    letter = ordered(desk, changed(image_pdf(), change), visible=True)
    with pytest.raises(Unclear) as caught:
        sealing.perform(letter, desk.context())
    assert said in caught.value.operator_text


def test_a_letter_sealed_elsewhere_takes_ours_as_well(
    desk: Desk, trust: Trust, tmp_path: Path
) -> None:
    path = tmp_path / "bescheid.pdf"
    first = written(desk, sealing.perform(ordered(desk, image_pdf()), desk.context()), path)
    content = first.read_bytes()
    again = ordered(desk, content)
    outcome = sealing.perform(again, desk.context())
    assert written(desk, outcome, path).read_bytes().startswith(content)
    assert failed(path, trust) == set()
    with pikepdf.open(path) as pdf:
        names = {str(field.T) for field in pdf.Root.AcroForm.Fields.as_list()}
    assert f"Siegel-{of(again).id}" in names
    assert len(names) == 2


def test_a_signature_that_forbids_changes_is_not_broken(desk: Desk, tmp_path: Path) -> None:
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import signers
    from pyhanko.sign.fields import MDPPerm

    key = ec.generate_private_key(ec.SECP256R1())
    card = make_card(tmp_path / "other", key)
    from workers.sealing.signing import _Signer

    class Foreign:
        certificate, issuers = card.certificate, (card.root,)

        def sign(self, content: bytes) -> bytes:
            from cryptography.hazmat.primitives import hashes

            return key.sign(content, ec.ECDSA(hashes.SHA256()))

    signed = io.BytesIO()
    metadata = signers.PdfSignatureMetadata(
        field_name="Fremd",
        md_algorithm="sha256",
        certify=False,
        docmdp_permissions=MDPPerm.NO_CHANGES,
    )
    signer = signers.PdfSigner(metadata, signer=_Signer(Foreign()))  # type: ignore[arg-type] # no kind
    writer = IncrementalPdfFileWriter(io.BytesIO(image_pdf()))
    from pyhanko.sign.fields import (
        FieldMDPAction,
        FieldMDPSpec,
        SigFieldSpec,
        append_signature_field,
    )

    lock = FieldMDPSpec(FieldMDPAction.ALL)
    append_signature_field(
        writer,
        SigFieldSpec("Fremd", field_mdp_spec=lock, doc_mdp_update_value=MDPPerm.NO_CHANGES),
    )
    signer.sign_pdf(writer, output=signed)
    with pytest.raises(Unclear) as caught:
        sealing.perform(ordered(desk, signed.getvalue()), desk.context())
    assert "Fremd" in caught.value.operator_text


def test_without_token_nothing_leaves(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with pytest.raises(Misconfigured) as caught:
        sealing.perform(ordered(desk, image_pdf()), desk.context())
    assert "[sealing.token]" in caught.value.operator_text


def test_profiles_for_letters_take_no_arrival_and_the_others_seal_none(tmp_path: Path) -> None:
    from ingest.errors import ProfileInvalid

    shipped = Path(profiles.__file__).with_name("bescheid.toml").read_text("utf-8")
    (tmp_path / "bescheid.toml").write_text(
        shipped.replace("released = false", "released = true"), "utf-8"
    )
    assert profiles.load_outgoing("bescheid", tmp_path).profile.sealing.level == "B-LT"
    for load, name, house, said in (
        (profiles.load_released, "bescheid", tmp_path, "nimmt keinen Eingang an"),
        (profiles.load_outgoing, "posteingang", tmp_path, "keines für ausgehende"),
        (profiles.load_outgoing, "bescheid", None, "nicht freigegeben"),
    ):
        with pytest.raises(ProfileInvalid) as caught:
            load(name, house)
        assert said in caught.value.operator_text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('level = "B-T"', "B-LT"),
        ('level = "B-LT"\n[routing]\ndefault = "amt"', "ohne Wirkung ist routing"),
    ],
)
def test_rules_that_do_nothing_for_letters_are_refused(
    tmp_path: Path, more: str, said: str
) -> None:
    from ingest.errors import ProfileInvalid

    shipped = Path(profiles.__file__).with_name("bescheid.toml").read_text("utf-8")
    (tmp_path / "bescheid.toml").write_text(shipped.replace('level = "B-LT"', more), "utf-8")
    with pytest.raises(ProfileInvalid) as caught:
        profiles.load("bescheid", tmp_path)
    assert said in caught.value.operator_text


def test_who_waits_for_a_seal_does_not_wait_for_ever_for_a_token_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ingest.cli import waiting

    seen = iter([{"deferred"}, {"claimed"}, {"deferred"}])
    monkeypatch.setattr(waiting, "_work_if_alone", lambda *_: True)
    monkeypatch.setattr(waiting, "_LOOK_SECONDS", 0)
    monkeypatch.setattr(
        waiting, "rows_of_batch", lambda *_: [{"standing": one} for one in next(seen)]
    )
    moments = iter(range(0, 100, 10))
    ticking = SimpleNamespace(monotonic=lambda: next(moments), sleep=time.sleep)
    monkeypatch.setattr(waiting, "time", ticking)  # everybody else keeps the real clock
    waiting.await_end(None, ["batch"], patience=45)  # type: ignore[arg-type] # nothing asks it
    assert list(seen) == []
