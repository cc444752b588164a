"""Real separator sheets and whole real stacks come apart where they should."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ingest.errors import Unclear
from tests.plugins.stacks import CORPUS, Stack, documents, needs_corpus, omitted


@needs_corpus
@pytest.mark.parametrize(
    ("name", "profile", "expected"),
    [
        ("patch-code-t-middle.pdf", "posteingang", [[1], [3]]),
        ("patch-code-t-middle.tiff", "posteingang", [[1], [3]]),
        ("patch-code-t-double.pdf", "posteingang", [[1], [4]]),
        # Page 2 is a smudged bar code without patch bars: nothing of a separator sheet is left
        # that could be asked about, and a cut would be a guess.
        ("patch-code-t-middle-unreadable.pdf", "posteingang", [[1, 2, 3]]),
        ("several-patcht-codes.pdf", "posteingang", [[1, 2], [4, 5], [7]]),
        ("split-by-asn-1.pdf", "stapel-asn", [[1, 2], [3], [4, 5, 6], [7, 8], [9, 10]]),
        ("split-by-asn-1.pdf", "posteingang", [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]),
        ("split-by-tag-basic.pdf", "posteingang", [[1, 2, 3, 4, 5, 6]]),
        ("barcode-39-asn-123.pdf", "stapel-asn", [[1]]),
        ("barcode-128-asn-too-large.pdf", "stapel-asn", [[1]]),
        ("barcode-39-asn-123.pdf", "posteingang", [[1]]),
    ],
)
def test_real_separators_cut_where_they_should(
    tmp_path: Path, name: str, profile: str, expected: list[list[int]]
) -> None:
    path = CORPUS / "barcode" / f"paperless-ngx__{name}"
    outcome = Stack(folder=tmp_path, paths=[path], profile=profile).cut()
    assert documents(outcome) == expected
    numbers = [part.hints["asn"] for part in outcome.parts if "asn" in part.hints]
    if len(expected) == 5:
        assert numbers == [123, 124, 125, 126, 127]
    if "too-large" in name:
        assert outcome.facts["findings"][0]["code"] == "asn_out_of_range"


@needs_corpus
@pytest.mark.parametrize("name", ["paperless-ngx__patch-code-t.pdf", "naps2__patcht.jpg"])
def test_a_single_separator_sheet_is_one_and_leaves_nothing_to_deliver(
    tmp_path: Path, name: str
) -> None:
    stack = Stack(folder=tmp_path, paths=[CORPUS / "barcode" / name])
    with pytest.raises(Unclear) as raised:
        stack.cut()
    assert raised.value.code == "nothing_to_deliver"


@needs_corpus
@pytest.mark.parametrize(("name", "is_blank"), [("blank1", True), ("notblank", False)])
def test_a_real_blank_page_is_blank_and_a_nearly_blank_one_is_not(
    tmp_path: Path, name: str, is_blank: bool
) -> None:
    stack = Stack(folder=tmp_path, paths=[CORPUS / "image_tricky" / f"naps2__{name}.jpg"])
    stack.cut()
    assert stack.pages[0].facts["examination"]["blank"] is is_blank


@needs_corpus
@pytest.mark.parametrize(
    ("stack", "profile"),
    [
        pytest.param("A_patchT_simplex_g4.tif", "posteingang", id="A", marks=pytest.mark.corpus),
        pytest.param("B_duplex_blank_backs.pdf", "stapel-duplex", id="B"),
        pytest.param("C_asn_barcodes.pdf", "stapel-asn", id="C", marks=pytest.mark.corpus),
        pytest.param("D_orientation_jpeg.tif", "posteingang", id="D", marks=pytest.mark.corpus),
    ],
)
def test_whole_stacks_come_apart_as_they_were_put_together(
    tmp_path: Path, stack: str, profile: str
) -> None:
    path = CORPUS / "stacks" / stack
    truth = json.loads(path.with_suffix("").with_suffix(".expected.json").read_text("utf-8"))
    outcome = Stack(folder=tmp_path, paths=[path], profile=profile).cut()
    assert documents(outcome) == [document["pages"] for document in truth["documents"]]
    assert omitted(outcome, "separator") == truth["separators"]
    assert omitted(outcome, "blank") == truth["blank_pages"]
    labels = [
        text for document in truth["documents"] for text in document.get("barcodes", {}).values()
    ]
    numbers = [f"ASN{part.hints['asn']:05}" for part in outcome.parts if "asn" in part.hints]
    assert numbers == labels


@needs_corpus
@pytest.mark.corpus
def test_no_page_of_the_corpus_is_taken_for_a_sheet_or_for_blank(tmp_path: Path) -> None:
    for path in sorted((CORPUS / "pages").rglob("*")):
        if path.suffix not in {".tif", ".jpg", ".png"}:
            continue
        folder = tmp_path / "one"
        stack = Stack(folder=folder, paths=[path])
        stack.inspect()
        stack.examine()
        for page in stack.pages:
            found = page.facts["examination"]
            assert found["separator"] is None, path.name
            assert not found["separator_suspect"], path.name
            assert not found["blank"], path.name
        shutil.rmtree(folder)
