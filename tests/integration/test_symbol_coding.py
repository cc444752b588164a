"""Letters that share a symbol may have been swapped: own scans are held, post is delivered."""

from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest

from ingest.errors import Unclear
from tests.plugins import papers
from tests.plugins.arriving import Arrive, codes, facts, pdf_with
from tests.plugins.stacks import CORPUS, needs_corpus


@needs_corpus
def test_an_own_scan_whose_letters_may_be_swapped_is_held_for_rescan(arrive: Arrive) -> None:
    with pytest.raises(Unclear) as raised:
        arrive(CORPUS / "pdf_structure/ocrmypdf__jbig2.pdf", "scan.pdf")
    assert raised.value.code == "symbol_coding"
    for said in ("scan", "A.SC.12", "abschalten", "symbol_coding=accepted"):
        assert said in raised.value.operator_text


@needs_corpus
@pytest.mark.parametrize("protected", [False, True])
def test_what_the_device_adds_does_not_hide_swapped_letters(
    arrive: Arrive, tmp_path: Path, *, protected: bool
) -> None:
    path = tmp_path / "scan.pdf"
    lock = pikepdf.Encryption(owner="geraet", user="") if protected else False
    with pikepdf.open(CORPUS / "pdf_structure/ocrmypdf__jbig2.pdf") as document:
        document.attachments["geraet.xml"] = b"<Einstellungen/>"
        document.save(path, encryption=lock)
    with pytest.raises(Unclear) as raised:
        arrive(path)
    assert raised.value.code == "symbol_coding"


@needs_corpus
@pytest.mark.parametrize(
    "settings",
    [
        {"released": {"symbol_coding": "accepted"}},
        {"profile": "elektronisch"},
        {"channel": "mail"},
    ],
    ids=["released", "electronic profile", "mail"],
)
def test_in_post_or_when_released_swapped_letters_are_only_named(
    arrive: Arrive, settings: dict[str, object]
) -> None:
    outcome = arrive(CORPUS / "pdf_structure/ocrmypdf__jbig2.pdf", **settings)
    assert codes(outcome) == {"jbig2_symbol"}
    assert len(outcome.pages) == 1


def test_a_tiff_packed_with_jbig2_is_held_like_a_pdf(arrive: Arrive) -> None:
    content = bytearray(papers.tiff("Seite"))
    entry = content.index(b"\x03\x01\x03\x00\x01\x00\x00\x00\x04\x00")
    content[entry + 8 : entry + 10] = (34715).to_bytes(2, "little")
    with pytest.raises(Unclear) as raised:
        arrive(bytes(content))
    assert raised.value.code == "symbol_coding"


def test_born_digital_post_with_shared_symbols_is_only_named(arrive: Arrive) -> None:
    def pack(document: pikepdf.Pdf) -> None:
        image = document.make_stream(bytes(11), Filter=pikepdf.Name.JBIG2Decode)
        document.Root.Extra = document.make_indirect(image)
        page = document.pages[0]
        font = pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
        )
        page.obj.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font))
        text = b"BT /F 12 Tf 20 20 Td (Born digital text, long enough to be no stamp) Tj ET"
        page.obj.Contents = document.make_stream(text)

    outcome = arrive(pdf_with(pack))
    assert "jbig2_symbol" in codes(outcome)
    assert facts(outcome)["class"] == "born_digital"


@pytest.mark.parametrize(
    ("segments", "code"),
    [
        (bytes([0, 0, 0, 0, 38, 0, 1, 0, 0, 0, 0]), "jbig2"),
        (bytes([0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]), "jbig2_symbol"),
        (bytes([0, 0, 0, 0, 6, 0, 1, 0, 0, 0, 0]), "jbig2_symbol"),
        (bytes([0, 0, 0, 0, 38, 0xE0, 1, 0, 0, 0, 0]), "jbig2_symbol"),
    ],
)
def test_jbig2_is_named_and_what_cannot_be_told_counts_as_symbols(
    arrive: Arrive, segments: bytes, code: str
) -> None:
    def pack(document: pikepdf.Pdf) -> None:
        image = document.make_stream(segments, Filter=pikepdf.Name.JBIG2Decode)
        document.Root.Extra = document.make_indirect(image)

    outcome = arrive(pdf_with(pack), profile="elektronisch")
    assert code in codes(outcome)
    assert facts(outcome)["jbig2"]
    assert any("JBIG2" in finding["text"] for finding in facts(outcome)["findings"])
