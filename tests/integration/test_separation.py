from __future__ import annotations

import dataclasses
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pikepdf
import pytest
import zxingcpp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ingest.content import tiff
from ingest.document import Batch, Facts, Page, PageRole, Source, Step
from ingest.errors import (
    CountMismatch,
    DecompressionBomb,
    SeparatorUnreadable,
    Unclear,
    Unreadable,
)
from profiles.model import SeparationRules
from tests.plugins import papers
from tests.plugins.stacks import Stack, documents, omitted, with_facts
from workers.separation import cutting, laying, sheets, statements

BLANK = Image.new("L", papers.SIZE, 250)
Stacked = Callable[..., Stack]


@pytest.fixture
def stacked(tmp_path: Path) -> Stacked:
    """Return a maker of stacks: files given as bytes, in order."""

    def make(*contents: bytes, **options: object) -> Stack:
        paths = []
        for number, content in enumerate(contents, 1):
            path = tmp_path / f"stapel-{number}"
            path.write_bytes(content)
            paths.append(path)
        return Stack(folder=tmp_path, paths=paths, **options)  # type: ignore[arg-type] # one test sets what it needs

    return make


def test_a_stack_is_cut_at_its_sheets(stacked: Stacked) -> None:
    sheet = papers.separator({"DEP": "bauamt", "CASE": "BA-2026-000123"})
    outcome = stacked(papers.tiff("eins", sheet, "zwei", "drei", sheet, "vier")).cut()
    assert documents(outcome) == [[1], [3, 4], [6]]
    assert omitted(outcome, "separator") == [2, 5]
    assert outcome.parts[0].hints == {}
    assert outcome.parts[1].hints["department"] == "bauamt"
    assert outcome.parts[2].hints["case_reference"] == "BA-2026-000123"
    assert outcome.roles == {2: PageRole.SEPARATOR, 5: PageRole.SEPARATOR}


def test_a_name_on_a_sheet_is_not_taken_and_the_rest_of_the_sheet_is(stacked: Stacked) -> None:
    named = papers.separator({"DEP": "bauamt", "OP": "Erika Muster"})
    coded = papers.separator({"OP": "op17"})
    outcome = stacked(papers.tiff(named, "zwei", coded, "vier")).cut()
    [first, second] = [part.hints for part in outcome.parts]
    assert first["department"] == "bauamt"
    assert "operator" not in first
    assert "Muster" not in json.dumps(first)
    assert [(told["code"], told["page"]) for told in first["anomalies"]] == [
        ("operator_refused", 1)
    ]
    assert second["operator"] == "op17"
    assert "anomalies" not in second


def test_sheets_at_the_ends_and_side_by_side_make_no_empty_document(stacked: Stacked) -> None:
    sheet = papers.separator()
    outcome = stacked(papers.tiff(sheet, "eins", sheet, sheet, "zwei", sheet)).cut()
    assert documents(outcome) == [[2], [5]]


def test_the_back_of_a_sheet_goes_with_it_and_other_blanks_stay(stacked: Stacked) -> None:
    stack = papers.tiff("eins", BLANK, papers.separator(), BLANK, "zwei", BLANK)
    outcome = stacked(stack).cut()
    assert documents(outcome) == [[1, 2], [5, 6]]
    assert omitted(outcome, "blank") == [4]
    assert outcome.roles[6] is PageRole.BLANK_SUSPECT


def test_blank_pages_are_left_out_where_the_profile_says_so(stacked: Stacked) -> None:
    stack = papers.tiff("eins", BLANK, papers.separator(), BLANK, "zwei", BLANK)
    outcome = stacked(stack, profile="stapel-duplex").cut()
    assert documents(outcome) == [[1], [5]]
    assert omitted(outcome, "blank") == [2, 4, 6]


def test_several_scanned_files_of_one_batch_are_one_stack(stacked: Stacked) -> None:
    sheet = papers.separator()
    outcome = stacked(papers.tiff("1", sheet), papers.png("3"), papers.tiff("4", sheet, "6")).cut()
    assert documents(outcome) == [[1], [3, 4], [6]]
    assert [part.source for part in outcome.parts] == [1, 2, 3]


def test_an_electronic_original_stands_alone_between_scans(stacked: Stacked) -> None:
    mail = b"From: a@b.de\r\nTo: c@d.de\r\nDate: x\r\nSubject: Antrag\r\n\r\nText"
    letter = sheets.render_pdf({})
    outcome = stacked(papers.png("1"), mail, papers.png("2"), papers.png("3"), letter).cut()
    assert [(part.source, part.pages) for part in outcome.parts] == [
        (1, (1,)),
        (2, ()),
        (3, (2, 3)),
    ]
    assert omitted(outcome, "separator") == [4]


def test_archive_numbers_start_documents_only_where_the_profile_says_so(
    tmp_path: Path, stacked: Stacked
) -> None:
    pages = [_examined(n, asn=asn) for n, asn in enumerate([7, None, None, 8, 8], 1)]
    rules = SeparationRules(by=("asn",))
    found = _cut(_batch(stacked), pages, rules)
    assert [part.pages for part in found.parts] == [(1, 2, 3), (4, 5)]
    assert [part.hints["asn"] for part in found.parts] == [7, 8]
    whole = _cut(_batch(stacked), pages, SeparationRules())
    assert [part.pages for part in whole.parts] == [(1, 2, 3, 4, 5)]


def test_a_stack_of_sheets_only_needs_a_person(stacked: Stacked) -> None:
    stack = stacked(papers.tiff(papers.separator(), BLANK))
    with pytest.raises(Unclear) as raised:
        stack.cut()
    assert raised.value.code == "nothing_to_deliver"


def test_a_stack_of_blanks_only_is_kept_on_request(stacked: Stacked) -> None:
    options = {"profile": "stapel-duplex"}
    with pytest.raises(Unclear):
        stacked(papers.tiff(BLANK, BLANK), **options).cut()
    released = stacked(papers.tiff(BLANK, BLANK), released={"blank": "keep"}, **options)
    assert documents(released.cut()) == [[1, 2]]


@pytest.mark.parametrize(("sheet_count", "fits"), [(4, True), (3, True), (2, True), (5, False)])
def test_the_operators_count_is_compared(stacked: Stacked, sheet_count: int, fits: bool) -> None:
    stack = stacked(papers.tiff("1", papers.separator(), "3", "4"), expected_sheets=sheet_count)
    if fits:
        assert len(stack.cut().parts) == 2
        return
    with pytest.raises(CountMismatch) as raised:
        stack.cut()
    assert "5 Blatt" in raised.value.operator_text
    stack.released = {"count": "accepted"}
    assert len(stack.separate().parts) == 2


@pytest.mark.parametrize(("sheet_count", "fits"), [(2, True), (1, True), (3, False)])
def test_the_count_of_an_electronic_stack_is_compared_as_well(
    stacked: Stacked, sheet_count: int, fits: bool
) -> None:
    letter = _electronic(2)
    stack = stacked(letter, expected_sheets=sheet_count)
    if fits:
        assert documents(stack.cut()) == [[1, 2]]
        return
    with pytest.raises(CountMismatch) as raised:
        stack.cut()
    assert "3 Blatt" in raised.value.operator_text
    assert "count=accepted" in raised.value.operator_text
    stack.released = {"count": "accepted"}
    assert documents(stack.separate()) == [[1, 2]]


@pytest.mark.parametrize("sheet_count", [1, 3])
def test_beside_scans_electronic_pages_may_be_counted_or_not(
    stacked: Stacked, sheet_count: int
) -> None:
    outcome = stacked(papers.png("1"), _electronic(2), expected_sheets=sheet_count).cut()
    assert documents(outcome) == [[1], [2, 3]]


def test_a_count_that_nothing_can_be_compared_with_is_said_to_be_unchecked(
    stacked: Stacked,
) -> None:
    mail = b"From: a@b.de\r\nTo: c@d.de\r\nDate: x\r\nSubject: Antrag\r\n\r\nText"
    outcome = stacked(mail, expected_sheets=2).cut()
    [finding] = outcome.facts["findings"]
    assert finding["code"] == "count_not_checked"
    assert "2 Blatt" in finding["text"]


def _electronic(pages: int) -> bytes:
    """Return a PDF that was never paper."""
    stream = io.BytesIO()
    with pikepdf.new() as document:
        for _ in range(pages):
            page = document.add_blank_page()
            font = pikepdf.Dictionary(
                Type=pikepdf.Name.Font,
                Subtype=pikepdf.Name.Type1,
                BaseFont=pikepdf.Name.Helvetica,
            )
            page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
            page.Contents = document.make_stream(b"BT /F1 24 Tf 72 600 Td (Antrag) Tj ET")
        document.save(stream)
    return stream.getvalue()


def test_a_damaged_sheet_is_asked_about_and_never_guessed(stacked: Stacked) -> None:
    stack = stacked(papers.tiff("1", _damaged_sheet(), "3"))
    with pytest.raises(SeparatorUnreadable, match="2") as raised:
        stack.cut()
    assert "Seite 2" in raised.value.operator_text
    stack.released = {"not_a_separator": "yes"}
    assert documents(stack.separate()) == [[1, 2, 3]]


def test_a_page_that_does_not_decode_holds_a_scan_and_names_itself(stacked: Stacked) -> None:
    stack = stacked(_one_strip_destroyed())
    with pytest.raises(Unreadable, match=r"\[2\]") as raised:
        stack.cut()
    assert "Seite 2" in raised.value.operator_text
    stack.released = {"skip_unreadable": "yes"}
    outcome = stack.separate()
    assert documents(outcome) == [[1, 3]]
    assert omitted(outcome, "unreadable") == [2]
    assert outcome.parts[0].hints["anomalies"][0]["page"] == 2
    stack.released = {"as_is": "yes"}
    outcome = stack.separate()
    assert documents(outcome) == [[]]
    assert omitted(outcome, "unreadable") == [1, 2, 3]


def test_a_damaged_fax_is_a_page_with_the_complaint_of_its_decoder(stacked: Stacked) -> None:
    stack = stacked(papers.damaged_fax("Ein Brief"))
    assert documents(stack.cut()) == [[1]]
    examined = stack.pages[0].facts["examination"]
    assert "Fax4Decode" in examined["damaged"]
    assert examined["undecodable"] is None


def test_a_pdf_page_made_of_one_huge_picture_is_a_bomb(stacked: Stacked) -> None:
    with pikepdf.open(io.BytesIO(papers.pdf("x"))) as document:
        for item in document.objects:
            if isinstance(item, pikepdf.Stream) and item.get("/Subtype") == "/Image":
                item.Width, item.Height = 60_000, 60_000
        target = io.BytesIO()
        document.save(target)
    with pytest.raises(DecompressionBomb):
        stacked(target.getvalue()).inspect()


KINDS = st.sampled_from(["content", "separator", "blank", "undecodable", "asn", "suspect"])


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Any sequence of pages in up to four sources, under any rules."""

    kinds: list[str]
    places: list[int]
    electronic: list[bool]
    signed: bool
    rules: SeparationRules
    as_is: bool


@st.composite
def mixtures(draw: st.DrawFn) -> Mixture:
    kinds = draw(st.lists(KINDS, max_size=30))
    size = len(kinds)
    return Mixture(
        kinds=kinds,
        places=sorted(draw(st.lists(st.integers(1, 4), min_size=size, max_size=size))),
        electronic=draw(st.lists(st.booleans(), min_size=4, max_size=4)),
        signed=draw(st.booleans()),
        rules=SeparationRules(
            by=draw(st.sampled_from([("sheet",), ("asn",), ("asn", "sheet"), ()])),
            blank=draw(st.sampled_from(["keep", "omit"])),
            enabled=draw(st.booleans()),
        ),
        as_is=draw(st.booleans()),
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mixture=mixtures())
def test_every_page_is_in_one_document_or_omitted_and_order_is_kept(
    stacked: Stacked, mixture: Mixture
) -> None:
    pages = [
        dataclasses.replace(_made(number, kind), source=place)
        for number, (kind, place) in enumerate(zip(mixture.kinds, mixture.places, strict=True), 1)
    ]
    batch = _batch(stacked)
    sources = tuple(
        dataclasses.replace(
            batch.sources[0],
            ordinal=number,
            facts={"electronic": flag, "signed": flag and mixture.signed},
        )
        for number, flag in enumerate(mixture.electronic, 1)
    )
    batch = dataclasses.replace(batch, sources=sources)
    found = _cut(batch, pages, mixture.rules, as_is=mixture.as_is)
    delivered = [number for part in found.parts for number in part.pages]
    left_out = [entry["page"] for entry in found.omitted]
    assert delivered == sorted(delivered)
    assert sorted(delivered + left_out) == [page.number for page in pages]
    for part in found.parts:
        sources_of = {pages[number - 1].source for number in part.pages}
        if any(mixture.electronic[source - 1] for source in sources_of):
            assert len(sources_of) == 1


def _cut(
    batch: Batch, pages: list[Page], rules: SeparationRules, *, as_is: bool = False
) -> cutting.Cuts:
    found = laying.runs(batch, pages, rules, as_is=as_is)
    return cutting.cut(found, statements.read(found, lambda _: None))


def _examined(number: int, **facts: object) -> Page:
    page = Page(id=f"p{number}", number=number, source=1, index=number - 1, sha256="0" * 64)
    return with_facts(page, examination={"blank": False, "undecodable": None, **facts})


def _made(number: int, kind: str) -> Page:
    facts: dict[str, Facts] = {
        "separator": {"separator": {"kind": "patch", "text": "T", "payload": {}}},
        "blank": {"blank": True},
        "undecodable": {"undecodable": "Das Bild ist beschädigt."},
        "asn": {"asn": number % 3},
        "suspect": {"separator_suspect": True},
    }
    return _examined(number, **facts.get(kind, {}))


def _batch(stacked: Stacked) -> Batch:
    stack = stacked(papers.png("x"))
    source = Source(ordinal=1, name="stapel", name_base64="", sha256="0" * 64, size=1)
    stack.sources = (source,)
    return stack.assignment(Step.SEPARATION).batch


def _damaged_sheet() -> Image.Image:
    """Return a page whose code begins like that of our sheet, with a check that fails."""
    payload = sheets.build({"NO": "1"})[:-1] + "!"
    code = zxingcpp.create_barcode(payload, zxingcpp.BarcodeFormat.QRCode)
    page = Image.new("L", papers.SIZE, 255)
    page.paste(Image.fromarray(np.array(code.to_image(scale=8))), (300, 60))
    return page


def _one_strip_destroyed() -> bytes:
    """Return a TIFF of three pages, the second of which is whole by its structure only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stapel.tif"
        pages = [papers.page(text).convert("L") for text in ("eins", "zwei", "drei")]
        pages[0].save(
            path, format="TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw"
        )
        content = bytearray(path.read_bytes())
        offset, length = next(tiff.frames(path)[1].extents())
    content[offset : offset + length] = b"\xff" * length
    return bytes(content)
