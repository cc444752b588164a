"""Files inside a PDF become documents of their own, and none of them stops its cover."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from pikepdf import Name

from ingest.document import Facts, Outcome, Source, SourceKind
from tests.plugins import papers
from tests.plugins.stacks import CORPUS, Stack, documents, needs_corpus
from workers.inspection import enclosures

Arrive = Callable[..., Stack]


@pytest.fixture
def arrive(tmp_path: Path) -> Arrive:
    def inspected(content: bytes | Path, **settings: object) -> Stack:
        path = content if isinstance(content, Path) else tmp_path / "anschreiben.pdf"
        if isinstance(content, bytes):
            path.write_bytes(content)
        stack = Stack(folder=tmp_path, paths=[path], **settings)  # type: ignore[arg-type] # one test sets what it needs
        stack.inspect()
        return stack

    return inspected


def cover(*files: tuple[str, bytes], relation: str = "/Unspecified") -> bytes:
    """Return a letter with `files` inside."""
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(papers.pdf("Anschreiben"))) as document:
        for name, content in files:
            document.attachments[name] = content
            document.attachments[name].obj.AFRelationship = Name(relation)
        document.save(target)
    return target.getvalue()


def told(source: Source) -> dict[str, str]:
    found: list[Facts] = source.facts["findings"]
    return {entry["code"]: entry["text"] for entry in found}


def test_files_inside_follow_what_arrived_with_their_own_bytes(arrive: Arrive) -> None:
    files = (("bild.png", papers.png("x")), ("zwei.pdf", papers.pdf("a", "b")), ("t.txt", b"Text"))
    stack = arrive(cover(*files))
    first, *inside = stack.sources
    assert [source.name for source in inside] == ["bild.png", "zwei.pdf", "t.txt"]
    assert [source.sha256 for source in inside] == [hashlib.sha256(c).hexdigest() for _, c in files]
    assert [source.kind for source in inside] == [SourceKind.PNG, SourceKind.PDF, SourceKind.TEXT]
    assert {source.enclosure_of for source in inside} == {1}
    assert all(source.facts["electronic"] for source in inside)
    assert [(page.number, page.source) for page in stack.pages] == [(1, 1), (2, 2), (3, 3), (4, 3)]
    assert "herausgelöst" in told(first)["enclosures"]
    assert "„anschreiben.pdf“" in told(inside[0])["enclosure"]
    for source in inside:
        assert stack.context.read(source.sha256) == files[source.ordinal - 2][1]


def test_each_enclosure_is_a_document_of_its_own(arrive: Arrive) -> None:
    stack = arrive(cover(("zwei.pdf", papers.pdf("a", "b")), ("t.txt", b"Text")))
    stack.examine()
    outcome: Outcome = stack.separate()
    assert documents(outcome) == [[1], [2, 3], []]
    assert [part.source for part in outcome.parts] == [1, 2, 3]


def test_a_separator_sheet_inside_cuts_nothing_and_is_nobodys_count(arrive: Arrive) -> None:
    sheet = io.BytesIO()
    papers.separator().save(sheet, "TIFF", save_all=True, append_images=[papers.page("x")])
    stack = arrive(
        cover(("stapel.tif", sheet.getvalue())), expected_sheets=1, expected_consignments=1
    )
    stack.examine()
    assert documents(stack.separate()) == [[1], [2, 3]]


def test_an_attachment_annotation_and_a_nested_file_are_found(arrive: Arrive) -> None:
    inner = cover(("tief.txt", b"tief"))
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(papers.pdf("Anschreiben"))) as document:
        document.attachments["mitte.pdf"] = inner
        spec = document.attachments["mitte.pdf"].obj
        del document.Root.Names
        note = pikepdf.Dictionary(Type=Name.Annot, Subtype=Name.FileAttachment, FS=spec)
        note.Rect = pikepdf.Array([0, 0, 9, 9])
        document.pages[0].obj.Annots = pikepdf.Array([document.make_indirect(note)])
        document.save(target)
    _, middle, deep = arrive(target.getvalue()).sources
    assert (middle.name, middle.enclosure_of) == ("mitte.pdf", 1)
    assert (deep.name, deep.enclosure_of) == ("tief.txt", 2)


def test_the_same_stream_named_twice_is_one_enclosure(arrive: Arrive) -> None:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(cover(("a.txt", b"a")))) as document:
        spec = document.attachments["a.txt"].obj
        document.Root.AF = pikepdf.Array([spec, spec])
        document.save(target)
    assert len(arrive(target.getvalue()).sources) == 2


@pytest.mark.parametrize("name", ["factur-x.xml", "ZUGFeRD-invoice.xml", "xrechnung.xml"])
def test_the_machine_readable_part_of_an_invoice_stays_inside(arrive: Arrive, name: str) -> None:
    (source,) = arrive(cover((name, b"<rechnung/>"))).sources
    assert name in told(source)["enclosures_inside"]
    assert name in source.facts["attachments"]


@pytest.mark.parametrize("relation", ["/Alternative", "/Source", "/Data"])
def test_what_says_the_same_as_the_pages_stays_inside(arrive: Arrive, relation: str) -> None:
    (source,) = arrive(cover(("tabelle.csv", b"1;2"), relation=relation)).sources
    assert "tabelle.csv" in told(source)["enclosures_inside"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (papers.locked_pdf("geheim", "x"), "password_needed"),
        (b"%PDF-1.7\nnothing follows\n%%EOF\n", "unreadable"),
        (papers.png("x")[:-40], "incomplete"),
        (papers.bomb(), "decompression_bomb"),
        (b"", "incomplete"),
        (bytes(range(256)), "unreadable"),
    ],
    ids=["locked", "hollow", "cut", "bomb", "empty", "unknown"],
)
def test_a_hostile_enclosure_goes_untouched_and_its_cover_goes_on(
    arrive: Arrive, content: bytes, code: str
) -> None:
    stack = arrive(cover(("anlage.bin", content)))
    first, inside = stack.sources
    assert [page.source for page in stack.pages] == [1]
    assert "enclosures" in told(first)
    assert code in told(inside)
    assert (inside.pages, inside.facts["class"]) == (None, "opaque")
    stack.examine()
    assert documents(stack.separate()) == [[1], []]


def test_an_enclosed_picture_that_does_not_decode_stops_nothing(arrive: Arrive) -> None:
    cut = bytearray(papers.png("x"))
    start = cut.index(b"IDAT") + 4
    cut[start : start + 60] = bytes(60)
    stack = arrive(cover(("bild.png", bytes(cut))))
    stack.examine()
    assert stack.pages[1].facts["examination"]["undecodable"]
    outcome = stack.separate()
    assert documents(outcome) == [[1], []]
    assert outcome.parts[1].hints["anomalies"]


def test_more_files_than_allowed_stay_inside_and_are_named(
    arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enclosures, "MOST_FILES", 2)
    stack = arrive(cover(*((f"{n}.txt", b"%d" % n) for n in range(4))))
    assert len(stack.sources) == 3
    assert "„2.txt“, „3.txt“" in told(stack.sources[0])["enclosures_left"]


def test_a_deflate_bomb_costs_what_the_limit_allows(
    arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enclosures, "MOST_BYTES", 100_000)
    twice = zlib.compress(zlib.compress(bytes(50_000_000), 9), 9)
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(cover(("klein.txt", b"klein"), ("bombe.txt", b"x")))) as document:
        stream = document.attachments["bombe.txt"].obj.EF.F
        stream.write(twice, filter=pikepdf.Array([Name.FlateDecode, Name.FlateDecode]))
        document.save(target, compress_streams=False)
    stack = arrive(target.getvalue())
    assert [source.name for source in stack.sources[1:]] == ["klein.txt"]
    assert "„bombe.txt“" in told(stack.sources[0])["enclosures_left"]


def test_files_nested_too_deep_stay_where_they_are(arrive: Arrive) -> None:
    content = cover(("5.txt", b"5"))
    for depth in (4, 3, 2, 1):
        content = cover((f"{depth}.pdf", content))
    stack = arrive(content)
    assert [source.name for source in stack.sources[1:]] == ["1.pdf", "2.pdf", "3.pdf"]
    assert [source.enclosure_of for source in stack.sources] == [None, 1, 2, 3]
    assert "„4.pdf“" in told(stack.sources[-1])["enclosures_left"]


def test_the_last_attempt_leaves_the_files_inside(arrive: Arrive) -> None:
    stack = arrive(cover(("absturz.pdf", papers.pdf("x"))), attempt=9)
    assert len(stack.sources) == 1
    assert "abgebrochen" in told(stack.sources[0])["enclosures_left"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Brief\\Anlage.pdf", "Anlage.pdf"),
        ("a\nb\u202ec.txt", "abc.txt"),
        ("", "Anlage 1"),
    ],
)
def test_the_name_of_an_enclosure_is_a_name(arrive: Arrive, given: str, shown: str) -> None:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(cover(("a.txt", b"a")))) as document:
        spec = document.attachments["a.txt"].obj
        spec.UF = spec.F = pikepdf.String(given)
        document.save(target)
    assert arrive(target.getvalue()).sources[1].name == shown


@needs_corpus
def test_the_files_of_a_real_portfolio_come_out(arrive: Arrive) -> None:
    stack = arrive(CORPUS / "pdf_structure/tika__testPDFPackage.pdf")
    assert [source.name for source in stack.sources[1:]] == ["PDF1.pdf", "PDF2.pdf"]
    assert all(source.pages for source in stack.sources[1:])
