"""The Scanvermerk: complete, honest, free of names, and inside a valid PDF/A-3b."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from lxml import etree  # type: ignore[import-untyped] # it ships no annotations
from pikepdf import pdfa

from ingest.document import Assignment, Envelope, Facts, Outcome, RenditionKind, Step
from ingest.errors import CheckFailed
from tests.plugins.letters import Desk, image_pdf, of, with_facts
from workers.note import perform
from workers.separation import DETECTOR

NS = {"s": "urn:scanstrasse:scanvermerk:1"}
KNOWN = Envelope(
    profile="posteingang",
    operator="ps-07",
    received_at=dt.datetime(2026, 2, 26, 23, 0, tzinfo=dt.UTC),
    received_at_source="batch.json",
    scanned_at=dt.datetime(2026, 2, 27, 9, 30, 5, tzinfo=dt.UTC),
    device="Scanner 12",
    storage_place="Regal 3",
    expected_sheets=2,
)


@pytest.fixture(scope="module")
def schema() -> Any:
    text = resources.files("workers").joinpath("schemas", "scanvermerk-1.xsd").read_bytes()
    return etree.XMLSchema(etree.fromstring(text))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def note_of(desk: Desk, assignment: Assignment, schema: Any) -> tuple[Any, Outcome]:
    outcome = perform(assignment, desk.context())
    made = {rendition.kind: rendition for rendition in outcome.renditions}
    content = desk.context().read(made[RenditionKind.NOTE].sha256)
    tree = etree.fromstring(content)
    schema.assertValid(tree)
    if RenditionKind.NOTED in made:
        with pikepdf.open(desk.context().path(made[RenditionKind.NOTED].sha256)) as pdf:
            assert pdf.attachments["scanvermerk.xml"].get_file().read_bytes() == content
    return tree, outcome


def said(tree: Any, path: str) -> list[str]:
    found = tree.xpath(path, namespaces=NS)
    return [one if isinstance(one, str) else one.text for one in found]


def noted_pdf(desk: Desk, outcome: Outcome) -> bytes:
    noted = next(r for r in outcome.renditions if r.kind is RenditionKind.NOTED)
    return desk.context().read(noted.sha256)


def test_what_nobody_recorded_is_written_as_not_recorded(desk: Desk, schema: Any) -> None:
    tree, _ = note_of(desk, desk.letter(composed=image_pdf()), schema)
    for element in ("Bearbeiterkuerzel", "Geraet", "GescanntAm", "Eingangsdatum"):
        assert said(tree, f"//s:{element}") == ["nicht erfasst"]
    assert said(tree, "//s:ErwarteteBlaetter") == ["nicht erfasst"]
    assert len(said(tree, "//s:Auffaelligkeiten/s:Keine")) == 1


def test_what_is_known_is_written_with_the_offset_of_the_house(desk: Desk, schema: Any) -> None:
    assignment = desk.letter(composed=image_pdf(2), texts=("eins", "zwei"), envelope=KNOWN)
    tree, outcome = note_of(desk, assignment, schema)
    assert said(tree, "//s:Bearbeiterkuerzel") == ["ps-07"]
    assert said(tree, "//s:Eingangsdatum") == ["2026-02-27+01:00"]
    assert said(tree, "//s:EingangsdatumQuelle") == ["batch.json"]
    assert said(tree, "//s:GescanntAm") == ["2026-02-27T10:30:05+01:00"]
    assert said(tree, "//s:Organisation") == ["Stadt Musterhausen"]
    assert said(tree, "//s:AbbildVon | //s:AbbildBis | //s:AbbilderGesamt") == ["1", "2", "2"]
    assert said(tree, "//s:Verfahren/s:Sha256") == [assignment.profile_sha256]
    assert said(tree, "//s:Pruefsummen/s:Abbild") == [page.sha256 for page in assignment.pages]
    renditions = of(assignment).renditions
    assert said(tree, "//s:PdfVorVermerk") == [renditions[RenditionKind.COMPOSED].sha256]
    assert said(tree, "//s:Quelle") == [assignment.batch.sources[0].sha256]
    assert "tesseract 5.5 best (deu)" in said(tree, "//s:Schritt/@werkzeug")
    assert outcome.facts["attached"] is True


def test_the_note_never_claims_that_paper_may_go(desk: Desk, schema: Any) -> None:
    tree, _ = note_of(desk, desk.letter(composed=image_pdf()), schema)
    (statement,) = said(tree, "//s:Erklaerung")
    assert "nicht bestätigt" in statement
    assert "nicht auf Grund dieses Vermerks vernichtet" in statement
    assert said(tree, "//s:Behandlung") == ["kopierend"]


def test_the_noted_file_is_valid_pdfa_with_the_note_associated(desk: Desk, schema: Any) -> None:
    assignment = desk.letter(composed=image_pdf(author="Erika Muster"), envelope=KNOWN)
    _, outcome = note_of(desk, assignment, schema)
    content = noted_pdf(desk, outcome)
    assert pdfa.validate_written(io.BytesIO(content), "3b").passed
    with pikepdf.open(io.BytesIO(content)) as pdf:
        (associated,) = pdf.Root.AF.as_list()
        assert associated.AFRelationship == pikepdf.Name.Supplement
        assert associated.EF.F.Subtype == pikepdf.Name("/text/xml")
        metadata = pdf.open_metadata()
        assert metadata["dc:identifier"] == f"urn:uuid:{of(assignment).id}"
        assert metadata["dc:title"] == "brief"
        assert metadata["xmp:CreateDate"] == "2026-02-27T09:30:05+00:00"
        assert "dc:creator" not in metadata
        assert "/Author" not in pdf.docinfo
    assert b"Erika" not in content


def test_the_creation_date_is_not_invented(desk: Desk, schema: Any) -> None:
    _, outcome = note_of(desk, desk.letter(composed=image_pdf()), schema)
    with pikepdf.open(io.BytesIO(noted_pdf(desk, outcome))) as pdf:
        assert "xmp:CreateDate" not in pdf.open_metadata()
        assert "/CreationDate" not in pdf.docinfo


def test_anomalies_and_left_out_pages_are_named(desk: Desk, schema: Any) -> None:
    assignment = desk.letter(composed=image_pdf(2), texts=("eins", "zwei"))
    first, second = assignment.pages
    turned = {"recognition": {"orientation": 180, "anomaly": "tool_timed_out"}}
    pages = (
        dataclasses.replace(first, number=3, facts=turned),
        dataclasses.replace(second, number=5, facts={"examination": {"blank": True}}),
    )
    omitted = [(1, "separator"), (2, "blank"), (4, "blank"), (6, "blank"), (7, "separator")]
    entries = [{"page": page, "kind": kind} for page, kind in omitted]
    batch = dataclasses.replace(assignment.batch, facts={"separation": {"omitted": entries}})
    assignment = dataclasses.replace(assignment, pages=pages, batch=batch)
    tree, outcome = note_of(desk, assignment, schema)
    assert said(tree, "//s:Weggelassen/@abbild") == ["1", "2", "4", "6"]
    assert said(tree, "//s:Weggelassen[1]/@grund") == ["Trennblatt"]
    anomalies = said(tree, "//s:Auffaelligkeit")
    assert anomalies == outcome.facts["anomalies"]
    assert any("Abbild 3" in text and "180 Grad" in text for text in anomalies)
    assert any("Zeitüberschreitung" in text for text in anomalies)
    assert "Abbild 5: vermutlich leer" in anomalies
    checked = with_facts(assignment, checking={"anomalies": [{"code": "x", "text": "Prüfe!"}]})
    tree, _ = note_of(desk, checked, schema)
    turned_only = "Abbild 3: um 180 Grad im Uhrzeigersinn gedreht"
    assert said(tree, "//s:Auffaelligkeit") == [turned_only, "Prüfe!"]


def test_the_separator_sheets_date_of_receipt_counts_before_the_batchs(
    desk: Desk, schema: Any
) -> None:
    assignment = desk.letter(composed=image_pdf(), envelope=KNOWN)
    assignment = with_facts(assignment, separation={"received_at": "2026-02-20"})
    tree, outcome = note_of(desk, assignment, schema)
    assert said(tree, "//s:Eingangsdatum") == ["2026-02-20+01:00"]
    assert said(tree, "//s:EingangsdatumQuelle") == ["separator"]
    assert outcome.facts["received_at"] == "2026-02-20T00:00:00+01:00"


def test_pages_left_out_because_they_do_not_decode_are_anomalies(desk: Desk, schema: Any) -> None:
    unreadable = [{"code": "unreadable_page", "page": 2, "text": "Daten fehlen."}]
    assignment = desk.letter(composed=image_pdf())
    omitted = {"separation": {"omitted": [{"page": 2, "kind": "unreadable"}]}}
    batch = dataclasses.replace(assignment.batch, facts=omitted)
    assignment = dataclasses.replace(assignment, batch=batch)
    tree, _ = note_of(desk, with_facts(assignment, separation={"anomalies": unreadable}), schema)
    assert said(tree, "//s:Weggelassen/@grund") == ["nicht lesbar"]
    assert said(tree, "//s:Auffaelligkeit") == ["Abbild 2: ausgelassen, Daten fehlen."]


def test_what_checking_noticed_names_its_pages(desk: Desk, schema: Any) -> None:
    hurt = {"code": "image_damaged", "text": "Bild beschädigt", "pages": [1, 2, 3, 7, 9]}
    assignment = with_facts(desk.letter(composed=image_pdf()), checking={"anomalies": [hurt]})
    tree, _ = note_of(desk, assignment, schema)
    assert said(tree, "//s:Auffaelligkeit") == ["Abbild 1 bis 3, 7, 9: Bild beschädigt"]


def test_an_electronic_original_stays_the_authoritative_one(desk: Desk, schema: Any) -> None:
    finding = {"code": "jbig2", "text": "Die Datei enthält JBIG2."}
    facts = {"electronic": True, "findings": [finding]}
    tree, outcome = note_of(desk, desk.letter(composed=image_pdf(), source_facts=facts), schema)
    assert said(tree, "//s:Herkunft") == ["elektronisch"]
    assert said(tree, "//s:GescanntAm") == ["entfällt"]
    assert outcome.facts["findings"] == ["Die Datei enthält JBIG2."]
    assert "Die Datei enthält JBIG2." in said(tree, "//s:Auffaelligkeit")


def test_an_original_without_pdf_gets_its_note_beside_it(desk: Desk, schema: Any) -> None:
    assignment = dataclasses.replace(desk.letter(rung="original"), pages=())
    tree, outcome = note_of(desk, assignment, schema)
    assert [made.kind for made in outcome.renditions] == [RenditionKind.NOTE]
    assert outcome.facts["attached"] is False
    assert said(tree, "//s:AbbildVon") == ["entfällt"]


def broken_pdfa() -> bytes:
    with pikepdf.open(io.BytesIO(image_pdf())) as pdf:
        pdf.pages[0].Resources.XObject.I.Alternates = pikepdf.Array([])
        stream = io.BytesIO()
        pdf.save(stream)
    return stream.getvalue()


def test_our_own_scan_that_is_not_valid_is_held(desk: Desk) -> None:
    with pytest.raises(CheckFailed) as caught:
        perform(desk.letter(composed=broken_pdfa()), desk.context())
    assert "neu scannen" in caught.value.operator_text


def test_a_foreign_file_that_cannot_carry_the_note_keeps_it_beside(desk: Desk, schema: Any) -> None:
    assignment = desk.letter(composed=broken_pdfa(), rung="ocrmypdf")
    _, outcome = note_of(desk, assignment, schema)
    assert [made.kind for made in outcome.renditions] == [RenditionKind.NOTE]
    assert "neben der Datei" in outcome.facts["findings"][-1]


def test_hostile_names_do_not_break_the_note(desk: Desk, schema: Any) -> None:
    name = "/home/erika/scans/\x01<brief>&\x0b\ufffe.tif"
    tree, outcome = note_of(desk, desk.letter(composed=image_pdf(), source_name=name), schema)
    (shown,) = said(tree, "//s:Quelle/@name")
    assert "<brief>&" in shown
    assert b"erika" not in noted_pdf(desk, outcome)


def test_existing_files_have_no_date_of_receipt(desk: Desk, schema: Any) -> None:
    tree, _ = note_of(desk, desk.letter(composed=image_pdf(), profile="archiv"), schema)
    assert said(tree, "//s:Eingangsdatum") == ["entfällt"]


def test_each_image_is_described_as_it_was_captured(desk: Desk, schema: Any) -> None:
    assignment = desk.letter(composed=image_pdf(4), texts=("eins", "zwei", "drei", "vier"))
    scanned = {"width": 2480, "height": 3508, "dpi": [300.0, 299.99], "dpi_source": "file"}
    described: tuple[Facts, ...] = (
        {"examination": {**scanned, "mode": "1"}},
        {"examination": {**scanned, "dpi_source": "default", "mode": "RGB"}},
        {
            "examination": {**scanned, "mode": "L"},
            "inspection": {"media_type": "application/pdf", "dpi": None},
        },
        {},
    )
    pages = tuple(
        dataclasses.replace(page, facts=facts)
        for page, facts in zip(assignment.pages, described, strict=True)
    )
    tree, _ = note_of(desk, dataclasses.replace(assignment, pages=pages), schema)
    assert said(tree, "//s:Abbilder/s:Abbild[1]/@*") == [
        *("1", "2480", "3508", "300x299.99", "Datei", "bitonal")
    ]
    assert said(tree, "//s:Abbilder/s:Abbild[2]/@*")[-2:] == ["angenommen", "Farbe"]
    assert said(tree, "//s:Abbilder/s:Abbild[3]/@*") == ["3", *["entfällt"] * 5]
    assert said(tree, "//s:Abbilder/s:Abbild[4]/@*") == ["4", *["nicht erfasst"] * 5]


def test_steps_of_pages_say_when_the_last_page_was_done_and_by_which_version(
    desk: Desk, schema: Any
) -> None:
    assignment = desk.letter(composed=image_pdf(2), texts=("eins", "zwei"))
    examined = {"examination": {"detector": DETECTOR}}
    pages = tuple(
        dataclasses.replace(
            page,
            facts={
                **page.facts,
                **examined,
                "recorded_at": {
                    "examination": f"2026-02-27T0{page.number}:00:00+00:00",
                    "recognition": f"2026-02-27T1{page.number}:00:00+00:00",
                },
            },
        )
        for page in assignment.pages
    )
    tree, _ = note_of(desk, dataclasses.replace(assignment, pages=pages), schema)
    times = {
        name: said(tree, f"//s:Schritt[@name='{name}']/@zeitpunkt")
        for name in ("Seitenprüfung", "Texterkennung")
    }
    assert times == {
        "Seitenprüfung": ["2026-02-27T03:00:00+01:00"],
        "Texterkennung": ["2026-02-27T13:00:00+01:00"],
    }
    version = metadata.version("scanstrasse")
    assert said(tree, "//s:Schritt[@name='Seitenprüfung']/@werkzeug") == [
        f"scanstrasse {version} separation/3"
    ]
    assert f"scanstrasse {version} note/2" in said(tree, "//s:Schritt[last()]/@werkzeug")[0]


def test_every_step_names_its_tool(desk: Desk, schema: Any) -> None:
    tree, _ = note_of(desk, desk.letter(composed=image_pdf()), schema)
    names = said(tree, "//s:Schritt/@name")
    assert names[0] == "Registrierung"
    assert names[-1] == "Scanvermerk"
    assert "Texterkennung" in names
    assert Step.NOTE.value in said(tree, "//s:Schritt[last()]/@werkzeug")[0]
