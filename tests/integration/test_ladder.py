"""Foreign PDFs: each ends in valid PDF/A-3b or goes on untouched with a finding."""

from __future__ import annotations

import io
from pathlib import Path

import pikepdf
import pytest
from ocrmypdf.exceptions import MissingDependencyError
from pikepdf import Array, Dictionary, Name, pdfa

from ingest.errors import ScanstrasseError
from tests.plugins.scanning import LINES, Bench, Result, corpus, letter, pdfium_text, saved
from workers.recognition import ladder


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def _scan(*pages: bytes, rotate: int = 0) -> pikepdf.Pdf:
    """Return a PDF as a multifunction printer sends it: one JPEG a page, no text."""
    pdf = pikepdf.new()
    for jpeg in pages or (saved(letter(), "JPEG"),):
        image = pdf.make_stream(
            jpeg,
            Type=Name.XObject,
            Subtype=Name.Image,
            Width=1240,
            Height=900,
            ColorSpace=Name.DeviceGray,
            BitsPerComponent=8,
            Filter=Name.DCTDecode,
        )
        page = pdf.add_blank_page(page_size=(595.2, 432))
        page.obj.Resources = Dictionary(XObject=Dictionary(Im=image))
        page.obj.Contents = pdf.make_stream(b"595.2 0 0 432 0 0 cm /Im Do")
        if rotate:
            page.obj.Rotate = rotate
    return pdf


def _bytes(pdf: pikepdf.Pdf, **options: object) -> bytes:
    target = io.BytesIO()
    pdf.save(target, **options)  # type: ignore[arg-type]  # options of the test
    return target.getvalue()


def _written(pdf: pikepdf.Pdf, text: str) -> None:
    """Add text in a font that is not embedded and that nothing here has the measures of."""
    page = pdf.add_blank_page(page_size=(595, 842))
    font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name("/Garamond"))
    page.obj.Resources = Dictionary(Font=Dictionary(F1=pdf.make_indirect(font)))
    page.obj.Contents = pdf.make_stream(f"BT /F1 18 Tf 60 700 Td ({text}) Tj ET".encode())


def _valid(result: Result) -> bool:
    return result.pdf is not None and pdfa.validate_written(result.pdf, "3b").passed


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_scanned_pdf_keeps_its_image_and_gets_its_text(bench: Bench, rotate: int) -> None:
    lying = letter().rotate(rotate, expand=True)
    pdf = pikepdf.new()
    image = pdf.make_stream(
        saved(lying, "JPEG"),
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=lying.width,
        Height=lying.height,
        ColorSpace=Name.DeviceGray,
        BitsPerComponent=8,
        Filter=Name.DCTDecode,
    )
    width, height = lying.width * 0.48, lying.height * 0.48
    page = pdf.add_blank_page(page_size=(width, height))
    page.obj.MediaBox = Array([20, 30, 20 + width, 30 + height])
    page.obj.Resources = Dictionary(XObject=Dictionary(Im=image))
    # The state is left changed on purpose: scanners do not tidy up.
    page.obj.Contents = pdf.make_stream(f"{width} 0 0 {height} 20 30 cm /Im Do".encode())
    page.obj.Rotate = rotate
    result = bench.run(bench.source(_bytes(pdf)))
    assert result.composition["rung"] == "repaired"
    assert _valid(result)
    assert result.pdf is not None
    assert pdfium_text(result.pdf)[0].split() == " ".join(LINES).split()


def test_a_pdf_page_lying_upside_down_is_shown_upright(bench: Bench) -> None:
    result = bench.run(bench.source(_bytes(_scan(saved(letter().rotate(180), "JPEG")))))
    assert result.pages[0].facts["recognition"]["orientation"] == 180
    assert result.pdf is not None
    assert pdfium_text(result.pdf)[0].split() == " ".join(LINES).split()


def test_scripts_and_actions_go_and_the_finding_says_so(bench: Bench) -> None:
    pdf = _scan()
    script = Dictionary(S=Name.JavaScript, JS="app.alert('x')")
    pdf.Root.OpenAction = script
    pdf.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array(["a", script])))
    pdf.pages[0].obj.AA = Dictionary(O=script)
    result = bench.run(bench.source(_bytes(pdf)), read=False)
    assert result.composition["rung"] == "repaired"
    assert _valid(result)
    assert "actions_removed" in result.codes()
    assert result.pdf is not None
    assert b"JavaScript" not in result.pdf.read_bytes()


def test_files_inside_stay_inside(bench: Bench) -> None:
    pdf = _scan()
    pdf.attachments["rechnung.xml"] = b"<rechnung/>"
    result = bench.run(bench.source(_bytes(pdf)), read=False)
    assert _valid(result)
    assert result.pdf is not None
    with pikepdf.open(result.pdf) as made:
        assert made.attachments["rechnung.xml"].get_file().read_bytes() == b"<rechnung/>"
        assert len(made.Root.AF) == 1


def test_restrictions_without_a_password_to_open_are_lifted_in_the_copy(bench: Bench) -> None:
    locked = pikepdf.Encryption(owner="chef", user="", allow=pikepdf.Permissions(extract=False))
    result = bench.run(bench.source(_bytes(_scan(), encryption=locked)), read=False)
    assert _valid(result)
    assert "restrictions_removed" in result.codes()


def test_text_without_its_font_is_rendered_with_the_original_attached(bench: Bench) -> None:
    pdf = pikepdf.new()
    _written(pdf, "Bescheid 8 vom Amt")
    source = bench.source(_bytes(pdf))
    result = bench.run(source)
    assert result.composition["rung"] == "rendered"
    assert _valid(result)
    assert result.pdf is not None
    assert pdfium_text(result.pdf)[0].split() == ["Bescheid", "8", "vom", "Amt"]
    with pikepdf.open(result.pdf) as made:
        spec = made.Root.AF[0]
        assert spec.AFRelationship == Name.Source
        content = spec.EF.F.read_bytes()
    with bench.store.open("default", source.sha256) as stream:
        assert content == stream.read()


def test_what_no_rung_can_show_goes_on_untouched_with_the_finding(bench: Bench) -> None:
    """A page tree that qpdf refuses, whose second page pdfium does not find."""
    result = bench.run(bench.source(corpus("pdf_broken/pdfjs__Pages-tree-refs.pdf")), read=False)
    assert result.composition["rung"] == "original"
    assert [why.partition(":")[0] for why in result.composition["missed"]] == [
        "repaired",
        "ocrmypdf",
        "rendered",
    ]
    assert result.composition["pdfa"] is None
    assert result.pdf is None
    assert "no_copy" in result.codes()
    assert "/tmp" not in str(result.composition["findings"])


def test_ocrmypdf_converts_or_is_refused_for_good(bench: Bench, tmp_path: Path) -> None:
    """Which of both depends on the Ghostscript of the machine; its own words are remembered."""
    plain, target = tmp_path / "plain.pdf", tmp_path / "made.pdf"
    plain.write_bytes(_bytes(_scan()))
    try:
        ladder._converted(plain, target, tmp_path / "candidate.pdf")
    except (MissingDependencyError, ValueError):
        (known,) = ladder._refused()
        assert "OCRmyPDF" in known
        assert not target.exists()
    else:
        assert pdfa.validate_written(target, "3b").passed


def test_one_document_may_have_pages_of_an_image_and_of_a_pdf(bench: Bench) -> None:
    image = bench.source(saved(letter(("Deckblatt",)), "JPEG"))
    pdf = bench.source(_bytes(_scan(saved(letter(("Anlage",)), "JPEG"))), 2)
    result = bench.run(image, pdf)
    assert _valid(result)
    assert result.pdf is not None
    assert [text.split() for text in pdfium_text(result.pdf)] == [["Deckblatt"], ["Anlage"]]


def test_some_pages_of_a_pdf_make_a_document_of_their_own(bench: Bench) -> None:
    names = ("Eins", "Zwei", "Drei")
    source = bench.source(_bytes(_scan(*(saved(letter((name,)), "JPEG") for name in names))))
    result = bench.run(source, keep=slice(1, None))
    assert _valid(result)
    assert result.pdf is not None
    assert [text.strip() for text in pdfium_text(result.pdf)] == ["Zwei", "Drei"]
    assert result.check("page_count")["passed"]


def test_layers_that_all_show_are_dropped_and_hidden_ones_are_rendered(bench: Bench) -> None:
    for hidden, rung in ((False, "repaired"), (True, "rendered")):
        pdf = _scan()
        layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name="Ebene"))
        setting = Dictionary(ON=Array([] if hidden else [layer]))
        if hidden:
            setting.OFF = Array([layer])
        pdf.Root.OCProperties = Dictionary(OCGs=Array([layer]), D=setting)
        result = bench.run(bench.source(_bytes(pdf)), read=False)
        assert result.composition["rung"] == rung
        assert _valid(result)


def test_a_filled_form_shows_its_values_in_the_copy(bench: Bench) -> None:
    given = corpus("pdf_structure/naps2__filled_form_annotated.pdf")
    result = bench.run(bench.source(given), read=False)
    assert _valid(result)
    assert result.pdf is not None
    text = " ".join(pdfium_text(result.pdf))
    assert [value for value in ("John Smith", "London", "Abc") if value not in text] == []
    with pikepdf.open(result.pdf) as made:
        assert Name.AcroForm not in made.Root


def test_a_value_that_has_no_look_yet_shows_as_well(bench: Bench) -> None:
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(400, 300))
    font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
    field = pdf.make_indirect(
        Dictionary(
            Type=Name.Annot,
            Subtype=Name.Widget,
            FT=Name.Tx,
            T="nachname",
            V="Mustermann",
            DA="/Helv 12 Tf 0 g",
            Rect=Array([50, 200, 300, 220]),
            P=page.obj,
            F=4,
        )
    )
    page.obj.Annots = Array([field])
    pdf.Root.AcroForm = Dictionary(
        Fields=Array([field]),
        NeedAppearances=True,
        DR=Dictionary(Font=Dictionary(Helv=pdf.make_indirect(font))),
        DA="/Helv 12 Tf 0 g",
    )
    result = bench.run(bench.source(_bytes(pdf)), read=False)
    assert result.composition["rung"] == "repaired"
    assert _valid(result)
    assert result.pdf is not None
    assert "Mustermann" in pdfium_text(result.pdf)[0]


def test_content_of_a_layer_that_shows_stays_and_its_mark_goes(bench: Bench) -> None:
    pdf = _scan()
    layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name="Ebene"))
    pdf.Root.OCProperties = Dictionary(OCGs=Array([layer]), D=Dictionary(ON=Array([layer])))
    page = pdf.pages[0].obj
    page.Resources.Properties = Dictionary(MC0=layer)
    page.Contents = pdf.make_stream(b"/OC /MC0 BDC q 595.2 0 0 432 0 0 cm /Im Do Q EMC")
    result = bench.run(bench.source(_bytes(pdf)))
    assert result.composition["rung"] == "repaired"
    assert _valid(result)
    assert result.pdf is not None
    assert LINES[0].split()[0] in pdfium_text(result.pdf)[0]


def test_a_mask_that_is_drawn_as_well_gets_a_copy(bench: Bench) -> None:
    pdf = _scan()
    mask = pdf.make_stream(
        bytes([255] * 8),
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=8,
        Height=8,
        ImageMask=True,
        BitsPerComponent=1,
    )
    objects = pdf.pages[0].obj.Resources.XObject
    objects.Im.Mask = mask
    objects.Also = mask
    pdf.pages[0].obj.Contents = pdf.make_stream(b"595.2 0 0 432 0 0 cm /Im Do /Also Do")
    result = bench.run(bench.source(_bytes(pdf)), read=False)
    assert result.composition["rung"] == "repaired"
    assert _valid(result)


def test_tags_of_a_born_digital_file_stay_and_nothing_is_rasterised(bench: Bench) -> None:
    result = bench.run(bench.source(corpus("pdf_structure/ocrmypdf__tagged.pdf")), read=False)
    assert result.pdf is not None
    with pikepdf.open(result.pdf) as made:
        assert Name.StructTreeRoot in made.Root
        assert bool(made.Root.MarkInfo.Marked)
        images = [o for o in made.objects if isinstance(o, pikepdf.Stream)]
        assert not [o for o in images if o.get(Name.Subtype) == Name.Image]


REAL = {
    "pdf_german/corpus__EN16931_Gutschrift.pdf": ("repaired", set()),
    "pdf_german/corpus__zugferd_2p0_EN16931_SEPA_Prenotification.pdf": ("repaired", set()),
    "pdf_german/docspell__letter-de.pdf": ("repaired", set()),
    "pdf_structure/tika__testPDFPackage.pdf": ("repaired", {"portfolio"}),
    "pdf_structure/pdfjs__xfa_issue14315.pdf": ("repaired", {"xfa", "actions_removed"}),
    "pdf_structure/naps2__filled_form_annotated.pdf": ("repaired", {"fonts_replaced"}),
    "pdf_structure/ocrmypdf__acroform.pdf": ("repaired", {"fonts_replaced"}),
    "pdf_structure/ocrmypdf__blank.pdf": ("repaired", set()),
    "pdf_structure/ocrmypdf__masks.pdf": ("repaired", set()),
    "pdf_structure/format-corpus__javascript.pdf": ("repaired", {"actions_removed"}),
    "pdf_german/a2j-rechtsantragstelle__Antrag_auf_Bewilligung_von_Beratungshilfe.pdf": (
        "repaired",
        {"fonts_replaced"},
    ),
    "pdfa/verapdf/PDF_A-3b__6-8-t02-pass-g.pdf": ("repaired", set()),
    "signed/dss__PAdES-LT.pdf": ("repaired", {"signature_removed"}),
    "pdf_structure/ocrmypdf__tagged.pdf": ("repaired", set()),
    "pdf_structure/format-corpus__fileAttachment.pdf": ("repaired", set()),
    "signed/dss__certified-no-change-permitted.pdf": (
        "repaired",
        {"signature_removed", "fonts_replaced"},
    ),
    "signed/dss__pades-5-signatures-and-1-document-timestamp.pdf": (
        "repaired",
        {"signature_removed"},
    ),
    "signed/dss__pades-ltv.pdf": ("repaired", {"signature_removed"}),
    "signed/dss__pdf-signed-corrupted.pdf": ("rendered", {"signature_removed"}),
    "pdf_encrypted/format-corpus__encryption_nocopy.pdf": ("repaired", {"restrictions_removed"}),
    "pdf_broken/format-corpus__T04_008_trailer-no-trailer-keyword.pdf": ("rendered", set()),
}


@pytest.mark.parametrize("name", sorted(REAL))
def test_real_pdfs_reach_their_rung(bench: Bench, name: str) -> None:
    rung, codes = REAL[name]
    result = bench.run(bench.source(corpus(name)), read=False)
    assert result.composition["rung"] == rung
    assert codes <= result.codes()
    assert _valid(result)


def test_an_invoice_keeps_its_xml(bench: Bench) -> None:
    given = corpus("pdf_german/corpus__zugferd_2p0_EN16931_SEPA_Prenotification.pdf")
    result = bench.run(bench.source(given), read=False)
    assert result.pdf is not None
    with pikepdf.open(given) as before, pikepdf.open(result.pdf) as after:
        names = set(before.attachments)
        assert names
        assert set(after.attachments) == names
        for name in names:
            kept = after.attachments[name].get_file().read_bytes()
            assert kept == before.attachments[name].get_file().read_bytes()


@pytest.mark.corpus
@pytest.mark.timeout(1800)  # a folder of files, not one
@pytest.mark.parametrize(
    "folder", ["pdf_structure", "pdf_german", "pdfa", "signed", "pdf_encrypted", "pdf_broken"]
)
def test_every_real_pdf_ends_in_valid_pdfa_or_untouched_with_a_finding(
    tmp_path: Path, folder: str
) -> None:
    files = sorted(corpus(folder).rglob("*.pdf"))
    assert files
    for number, file in enumerate(files):
        home = tmp_path / str(number)
        home.mkdir()
        bench = Bench(home)
        try:
            source = bench.source(file)
        except ScanstrasseError:
            continue  # inspection holds it: password, no pages, no PDF at all
        result = bench.run(source)
        if result.composition["rung"] == "original":
            assert result.composition["findings"], file
            assert result.pdf is None
        else:
            assert _valid(result), file
