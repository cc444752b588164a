from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from PIL import Image

from ingest.content import tiff
from ingest.document import FoundPage, SourceKind
from ingest.errors import (
    DecompressionBomb,
    Incomplete,
    PasswordNeeded,
    ReceivedDateMissing,
    ScanstrasseError,
    Unreadable,
)
from tests.plugins import papers
from tests.plugins.arriving import Arrive, codes, facts, pdf_with
from tests.plugins.stacks import CORPUS, Stack, needs_corpus
from workers.separation import sheets


def test_a_single_picture_is_one_page_with_the_digest_of_its_file(arrive: Arrive) -> None:
    outcome = arrive(papers.jpeg("Brief"), "falsch.pdf")
    (source,), (page,) = outcome.sources, outcome.pages
    assert (source.kind, source.pages, page.sha256) == (SourceKind.JPEG, 1, source.sha256)
    assert page.facts["media_type"] == "image/jpeg"
    assert not source.facts["electronic"]


def test_every_frame_of_a_tiff_has_its_own_digest(arrive: Arrive) -> None:
    first = arrive(papers.tiff("eins", "zwei", "drei"))
    again = arrive(papers.tiff("null", "eins", "zwei"))
    assert first.sources[0].pages == 3
    assert [page.index for page in first.pages] == [0, 1, 2]
    assert first.pages[0].sha256 == again.pages[1].sha256
    assert len({page.sha256 for page in first.pages}) == 3


def test_a_smaller_copy_inside_a_tiff_is_no_page(arrive: Arrive, tmp_path: Path) -> None:
    path = tmp_path / "mit-vorschau.tif"
    page, thumb = papers.page("Seite"), papers.page("Seite").resize((90, 40))
    thumb.encoderinfo = {"tiffinfo": {254: 1}}
    page.save(path, format="TIFF", save_all=True, append_images=[thumb, papers.page("zwei")])
    assert len(tiff.frames(path)) == 3
    outcome = arrive(path)
    assert [found.index for found in outcome.pages] == [0, 1]
    assert outcome.pages[1].facts["width"] == 900


def test_an_animation_counts_as_its_first_picture(arrive: Arrive) -> None:
    target = io.BytesIO()
    papers.page("1").save(target, "GIF", save_all=True, append_images=[papers.page("2")])
    outcome = arrive(target.getvalue())
    assert len(outcome.pages) == 1
    assert codes(outcome) == {"first_picture_only"}


def test_a_pdf_of_pictures_is_a_scan_and_one_with_text_is_electronic(arrive: Arrive) -> None:
    target = io.BytesIO()
    papers.page("Bild").save(target, "PDF", resolution=300)
    scan = arrive(target.getvalue())
    assert (facts(scan)["class"], facts(scan)["electronic"]) == ("scan", False)
    assert scan.pages[0].facts["dpi"] == [300.0, 300.0]
    letter = arrive(sheets.render_pdf({}))
    assert (facts(letter)["class"], facts(letter)["electronic"]) == ("born_digital", True)
    assert letter.pages[0].facts["text"]


def test_scripts_enclosures_and_forms_are_named(arrive: Arrive) -> None:
    def enrich(document: pikepdf.Pdf) -> None:
        document.attachments["rechnung.xml"] = b"<x/>"
        action = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")
        document.Root.OpenAction = document.make_indirect(action)
        document.Root.AcroForm = pikepdf.Dictionary(
            Fields=pikepdf.Array([document.make_indirect(pikepdf.Dictionary(FT=pikepdf.Name.Tx))]),
            XFA=document.make_stream(b"<xdp/>"),
        )

    outcome = arrive(pdf_with(enrich))
    found = facts(outcome)
    assert found["attachments"] == ["rechnung.xml"]
    assert all(found[name] for name in ("javascript", "xfa", "acroform", "electronic"))
    assert codes(outcome) >= {"attachments", "javascript", "xfa", "acroform"}
    assert "rechnung.xml" in str(found["findings"])


def test_a_signature_is_seen_even_where_the_catalogue_hides_it(arrive: Arrive) -> None:
    def sign(document: pikepdf.Pdf) -> None:
        document.Root.Elsewhere = document.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Sig, ByteRange=pikepdf.Array([0, 1, 2, 3]), Contents=b"\0" * 20
            )
        )

    outcome = arrive(pdf_with(sign))
    assert (facts(outcome)["signed"], facts(outcome)["signatures"]) == (True, 1)
    assert "signed" in codes(outcome)


def test_restrictions_without_a_password_are_only_noted(arrive: Arrive) -> None:
    outcome = arrive(papers.restricted_pdf("Lesen erlaubt"))
    assert facts(outcome)["owner_password"]
    assert len(outcome.pages) == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (papers.locked_pdf("geheim", "x"), PasswordNeeded),
        (b"", Incomplete),
        (papers.png("ab")[:-40], Incomplete),
        (papers.jpeg("ab")[:-800], Incomplete),
        (papers.pdf("ab")[:3000], Incomplete),
        (papers.bomb(), DecompressionBomb),
        (papers.looped_tiff("kreis"), Unreadable),
        (b"%PDF-1.7\nnothing follows\n%%EOF\n", Unreadable),
        (bytes(range(256)) * 4, Unreadable),
    ],
    ids=["locked", "empty", "cut png", "cut jpeg", "cut pdf", "bomb", "loop", "hollow", "unknown"],
)
def test_what_nobody_can_read_is_set_aside_with_name_and_remedy(
    arrive: Arrive, content: bytes, expected: type[ScanstrasseError]
) -> None:
    with pytest.raises(expected) as raised:
        arrive(content, "Fall 7.bin")
    assert "„Fall 7.bin“" in raised.value.operator_text
    assert "as_is=yes" in raised.value.operator_text
    taken = arrive(content, "Fall 7.bin", released={"as_is": "yes"})
    assert taken.pages == ()
    assert (facts(taken)["as_is"], facts(taken)["class"]) == (True, "opaque")
    assert codes(taken) == {expected.code}


def test_a_pdf_without_pages_is_unreadable(arrive: Arrive) -> None:
    target = io.BytesIO()
    with pikepdf.new() as document:
        document.save(target)
    with pytest.raises(Unreadable):
        arrive(target.getvalue())


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"From: a@b.de\r\nTo: c@d.de\r\nDate: x\r\nSubject: Antrag\r\n\r\nText", SourceKind.MAIL),
        (b"<?xml version='1.0'?><akte/>", SourceKind.XML),
        (b"<!DOCTYPE html><html><body>x</body></html>", SourceKind.HTML),
        (b"Sehr geehrte Damen und Herren", SourceKind.TEXT),
    ],
)
def test_what_has_no_pages_is_delivered_untouched(
    arrive: Arrive, content: bytes, kind: SourceKind
) -> None:
    outcome = arrive(content)
    assert (outcome.sources[0].kind, outcome.pages) == (kind, ())
    assert facts(outcome)["electronic"]
    assert "Original unverändert zugestellt" in facts(outcome)["findings"][0]["text"]


def test_a_missing_date_of_receipt_holds_where_the_profile_needs_it(arrive: Arrive) -> None:
    needed = {"profile": "ersetzend-normal"}
    with pytest.raises(ReceivedDateMissing, match="required"):
        arrive(papers.png("x"), **needed)
    with pytest.raises(ReceivedDateMissing) as raised:
        arrive(papers.png("x"), released={"received_at": "gestern"}, **needed)
    assert "JJJJ-MM-TT" in raised.value.operator_text
    released = arrive(papers.png("x"), released={"received_at": "2026-11-20"}, **needed)
    assert released.facts["received_at"] == "2026-11-20T00:00:00+01:00"
    stamped = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    assert "received_at" not in arrive(papers.png("x"), received_at=stamped, **needed).facts


def test_a_large_plan_is_a_page_and_no_bomb(arrive: Arrive) -> None:
    outcome = arrive(papers.plan_a0())
    assert outcome.pages[0].facts["width"] == 9933


def test_damage_anywhere_in_a_pdf_ends_in_pages_or_in_a_reason(arrive: Arrive) -> None:
    content = papers.pdf("Erste Seite", "Zweite Seite")
    rng = np.random.default_rng(11)
    for _ in range(40):
        broken = bytearray(content)
        at = int(rng.integers(8, len(broken) - 8))
        broken[at : at + 6] = rng.bytes(6)
        assert _pages_or_reason(arrive, bytes(broken))


def _pages_or_reason(arrive: Arrive, content: bytes) -> str | tuple[FoundPage, ...]:
    try:
        return arrive(content).pages
    except ScanstrasseError as error:
        return error.operator_text


@needs_corpus
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pdf_broken/dss__EmptyPage-corrupted.pdf", Incomplete),
        ("pdf_broken/format-corpus__T02-02_002_page-tree-kids-links-recursive.pdf", Unreadable),
        ("pdf_broken/pdfjs__Pages-tree-refs.pdf", Unreadable),
        ("pdf_broken/pdfjs__poppler-395-0-fuzzed.pdf", Unreadable),
        ("pdf_broken/pikepdf__newline-buffer-test.pdf", Unreadable),
        ("pdf_broken/ocrmypdf__invalid.pdf", Unreadable),
        ("pdf_encrypted/docspell__encrypted-test123.pdf", PasswordNeeded),
        ("pdf_encrypted/format-corpus__encryption_openpassword.pdf", PasswordNeeded),
        ("pdf_encrypted/pdfbox__AESkeylength128.pdf", PasswordNeeded),
        ("image_tricky/docspell__20K-gray.png", DecompressionBomb),
        ("image_tricky/docspell__20K-gray.jpeg", DecompressionBomb),
        ("image_tricky/pillow__truncated_jpeg.jpg", Incomplete),
        ("image_tricky/twelvemonkeys__broken-no-sof-ascii-transfer-mode.jpg", ScanstrasseError),
        ("image_tricky/pillow__oom-225817ca0f8c663be7ab4b9e717b02c661e66834.tif", ScanstrasseError),
        ("image_tricky/pillow__multipage_single_frame_loop.tiff", Unreadable),
    ],
)
def test_real_damage_is_declined_with_a_reason(
    arrive: Arrive, name: str, expected: type[ScanstrasseError]
) -> None:
    with pytest.raises(expected) as raised:
        arrive(CORPUS / name)
    assert "Bitte" in raised.value.operator_text


@needs_corpus
@pytest.mark.parametrize(
    ("name", "pages", "said"),
    [
        ("pdf_broken/format-corpus__T04_008_trailer-no-trailer-keyword.pdf", 1, "repaired"),
        ("pdf_broken/tika__testPDF_bad_page_303226.pdf", 19, "repaired"),
        ("pdf_encrypted/format-corpus__encryption_nocopy.pdf", 1, "encrypted"),
        ("pdf_encrypted/pikepdf__form_dd0293.pdf", 4, "xfa"),
        ("pdf_structure/tika__testPDFPackage.pdf", 1, "portfolio"),
        ("pdf_structure/ocrmypdf__livecycle.pdf", 1, "xfa"),
        ("pdf_structure/format-corpus__javascript.pdf", 1, "javascript"),
        ("pdf_german/corpus__EN16931_Gutschrift.pdf", 2, "attachments"),
        ("signed/dss__pades-5-signatures-and-1-document-timestamp.pdf", 1, "signed"),
        ("signed/paperless-ngx__signed.pdf", 1, "signed"),
        ("signed/testarea-pdfbox2__isa_A.pdf", 1, "signed"),
        ("mail/demail_normal_with_pdf.eml", 0, "opaque"),
        ("mail/tika__testMSG_att_msg.msg", 0, "opaque"),
        ("image_tricky/paperless-ngx__simple.zip", 0, "opaque"),
        ("signed/dss__er-asn1-chain-renewal.asice", 0, "opaque"),
    ],
)
def test_real_electronic_originals_are_never_stopped(
    arrive: Arrive, name: str, pages: int, said: str
) -> None:
    outcome = arrive(CORPUS / name)
    assert sum(1 for page in outcome.pages if page.source == 1) == pages
    assert said in codes(outcome)
    assert facts(outcome)["electronic"]


def test_all_locked_files_of_a_stack_are_named_at_once(tmp_path: Path) -> None:
    paths = []
    for name in ("eins.pdf", "zwei.pdf"):
        paths.append(tmp_path / name)
        paths[-1].write_bytes(papers.locked_pdf(name, "x"))
    with pytest.raises(PasswordNeeded) as raised:
        Stack(folder=tmp_path, paths=paths).inspect()
    for said in ("„eins.pdf“", "„zwei.pdf“", "password=-"):
        assert said in raised.value.operator_text


@needs_corpus
def test_a_lock_that_nobody_knows_is_told_from_a_missing_password(arrive: Arrive) -> None:
    with pytest.raises(PasswordNeeded) as raised:
        arrive(CORPUS / "pdf_encrypted/pdfbox__AESkeylength128.pdf")
    assert raised.value.code == "encryption_unknown"
    assert "Verfahren" in raised.value.operator_text
    assert "password=" not in raised.value.operator_text


@needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("group", ["signed", "pdf_structure", "pdfa", "mail", "xml_gov", "names"])
def test_no_file_of_the_corpus_surprises_inspection(arrive: Arrive, group: str) -> None:
    for path in sorted(path for path in (CORPUS / group).rglob("*.*") if path.is_file()):
        outcome = arrive(path, profile="elektronisch")
        assert facts(outcome)["findings"] or outcome.pages, path.name
        if group == "signed" and path.suffix == ".pdf":
            assert facts(outcome)["signed"], path.name


def test_the_picture_library_reads_what_the_test_wrote() -> None:
    """Guards the fixtures: a bomb that no longer opens would prove nothing."""
    with Image.open(io.BytesIO(papers.jpeg("x"))) as image:
        assert image.size == papers.SIZE
