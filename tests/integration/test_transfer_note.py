"""The Transfervermerk: everything the TR asks, nothing that did not happen, or no note at all."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from lxml import etree  # type: ignore[import-untyped] # it ships no annotations

from ingest.document import PUT_BACK, Assignment, Facts, Outcome, RenditionKind
from ingest.errors import CountMismatch, NotConfirmed, NoteIncomplete
from ingest.settings import HouseSettings
from tests.plugins.letters import Desk, with_facts
from tests.plugins.transfers import ENVELOPE, SCANNED, VERDICT, by_clerk, replacing, sampled
from workers.note import perform
from workers.noteproof import Note, attached

NS = {"t": "urn:scanstrasse:transfervermerk:1"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


def made(desk: Desk, assignment: Assignment) -> tuple[Any, Outcome]:
    outcome = perform(assignment, desk.context())
    renditions = {one.kind: one for one in outcome.renditions}
    content = desk.context().read(renditions[RenditionKind.NOTE].sha256)
    Note(content).require_whole()
    return etree.fromstring(content), outcome


def said(tree: Any, path: str) -> list[str]:
    found = tree.xpath(path, namespaces=NS)
    return [one if isinstance(one, str) else one.text for one in found]


def refused(desk: Desk, assignment: Assignment) -> str:
    with pytest.raises(NoteIncomplete) as caught:
        perform(assignment, desk.context())
    return caught.value.operator_text


def test_every_field_the_tr_demands_is_in_the_note(desk: Desk) -> None:
    assignment = replacing(desk)
    tree, outcome = made(desk, assignment)
    document = assignment.document
    assert document is not None
    assert said(tree, "//t:Scanprodukt/t:Kennung") == [document.id]
    assert said(tree, "//t:Richtlinie") == ["BSI TR-03138 V1.5"]
    assert said(tree, "//t:Ersteller/*") == ["ps-07", "scannende Person"]
    assert said(tree, "//t:Auftragnehmer/*") == ["Stadt Musterhausen", "Musterhausen", "Scanstelle"]
    assert said(tree, "//t:Verfahren/t:Sha256") == ["ab" * 32]
    assert said(tree, "//t:Verfahren/t:AnlageSha256") == ["cd" * 32]
    assert said(tree, "//t:Geraet | //t:Firmware") == ["Scanner 12", "nicht erfasst"]
    assert said(tree, "//t:AbbildVon | //t:AbbildBis | //t:AbbilderGesamt") == ["1", "1", "1"]
    assert said(tree, "//t:Eingangsdatum") == ["2026-02-27+01:00"]
    assert said(tree, "//t:Zeiten/t:Scan") == ["2026-02-27T10:30:05+01:00"]
    assert said(tree, "//t:Zeiten/t:Qualitaetssicherung") == ["2026-02-27T12:00:00+01:00"]
    assert len(said(tree, "//t:Nachbearbeitung/t:Keine")) == 1
    assert said(tree, "//t:Schutzbedarf/t:Integritaet") == ["normal"]
    assert said(tree, "//t:Rechtsgrundlage") == ["§ 7 EGovG Musterland"]
    assert said(tree, "//t:Erfassungswurzel") == ["ef" * 32]
    assert said(tree, "//t:Mittel | //t:Stufe") == ["fortgeschrittenes Siegel", "PAdES B-T"]
    composed = document.renditions[RenditionKind.COMPOSED]
    assert said(tree, "//t:PdfVorVermerk") == [composed.sha256]
    assert outcome.facts["treatment"] == "ersetzend"
    assert outcome.facts["attached"] is True


def test_the_note_is_inside_a_valid_pdfa_under_its_own_name(desk: Desk) -> None:
    _, outcome = made(desk, replacing(desk))
    note, noted = (desk.context().read(one.sha256) for one in outcome.renditions)
    with pikepdf.open(io.BytesIO(noted)) as pdf:
        assert list(pdf.attachments) == ["transfervermerk.xml"]
        (associated,) = pdf.Root.AF.as_list()
        assert associated.AFRelationship == pikepdf.Name.Supplement
    assert attached(desk.context().path(outcome.renditions[1].sha256)) == note


def test_a_document_outside_the_sample_is_not_said_to_have_been_looked_at(desk: Desk) -> None:
    tree, outcome = made(desk, replacing(desk))
    assert said(tree, "//t:Angesehen") == ["nein"]
    assert said(tree, "//t:DiesesDokument/t:Kuerzel") == []
    (text,) = said(tree, "//t:Uebereinstimmung/t:Erklaerung")
    assert "Stichprobe des Stapels (3 von 40 Dokumenten)" in text
    assert "dieses Dokument wurde nicht einzeln geprüft" in text
    assert said(tree, "//t:Stichprobe/@umfang | //t:Stichprobe/@grundgesamtheit") == ["3", "40"]
    assert said(tree, "//t:Pruefer/@kuerzel") == ["qs-03"]
    assert said(tree, "//t:Aufdeckung/@wahrscheinlichkeit") == ["0.0300", "0.1426"]
    expected = {"visual": True, "content": True, "ground": "Stichprobe des Stapels"}
    assert outcome.facts["statement"] == expected


def test_a_document_that_was_looked_at_names_who_looked(desk: Desk) -> None:
    tree, _ = made(desk, replacing(desk, sampled(selected=True, verdict=VERDICT)))
    assert said(tree, "//t:Grundlage") == ["dieses Dokument geprüft"]
    assert said(tree, "//t:DiesesDokument/t:Kuerzel") == ["qs-03"]
    assert said(tree, "//t:DiesesDokument/t:Rolle") == ["Qualitätssicherung"]
    assert "durch qs-03 geprüft" in said(tree, "//t:Uebereinstimmung/t:Erklaerung")[0]


def test_before_the_clerks_result_nothing_is_confirmed_and_it_counts_as_copying(
    desk: Desk,
) -> None:
    tree, outcome = made(desk, replacing(desk, by_clerk()))
    assert said(tree, "//t:Behandlung") == ["kopierend"]
    assert said(tree, "//t:Uebereinstimmung/t:Bildlich") == ["false"]
    assert said(tree, "//t:Uebereinstimmung/t:Inhaltlich") == ["false"]
    (text,) = said(tree, "//t:Uebereinstimmung/t:Erklaerung")
    assert text.startswith("Übereinstimmung noch nicht bestätigt")
    assert outcome.facts["treatment"] == "kopierend"


def test_where_the_law_asks_for_content_alone_no_more_is_stated(desk: Desk) -> None:
    quality = {**desk.letter(profile="ersetzend-normal").profile["quality"], "match": "content"}
    tree, _ = made(desk, replacing(desk, profile={"quality": quality}))
    assert said(tree, "//t:Uebereinstimmung/t:Bildlich") == ["false"]
    assert said(tree, "//t:Uebereinstimmung/t:Inhaltlich") == ["true"]
    assert said(tree, "//t:Behandlung") == ["ersetzend"]


def test_missing_received_date(desk: Desk) -> None:
    envelope = dataclasses.replace(ENVELOPE, received_at=None, received_at_source=None)
    assignment = replacing(desk, envelope=envelope)
    text = refused(desk, assignment)
    assert "Eingangsdatum (mit „release --set received_at=…“" in text
    supplied = dataclasses.replace(assignment, released={"received_at": "2026-02-27"})
    tree, outcome = made(desk, supplied)
    assert said(tree, "//t:Eingangsdatum") == ["2026-02-27+01:00"]
    assert said(tree, "//t:EingangsdatumQuelle") == ["operator"]
    assert "Erst bei der Freigabe nachgetragen: Eingangsdatum" in outcome.facts["anomalies"]


@pytest.mark.parametrize("code", ["Musterhausen", "STADT-MUSTERHAUS"])
def test_organisation_as_creator(desk: Desk, tmp_path: Path, code: str) -> None:
    house = {"organisation": code.casefold(), "place": "Musterhausen", "unit": "Scanstelle"}
    settings = desk.settings.model_copy(update={"house": HouseSettings(**house)})
    envelope = dataclasses.replace(ENVELOPE, operator=code)
    assignment = replacing(desk, envelope=envelope, registered=frozenset({code}))
    with pytest.raises(NoteIncomplete) as caught:
        perform(assignment, dataclasses.replace(desk.context(), settings=settings))
    assert f"„{code}“ ist die Organisation" in caught.value.operator_text


def test_a_creator_whom_nobody_can_resolve_is_refused(desk: Desk) -> None:
    assert "steht für keine bekannte Person" in refused(
        desk, replacing(desk, registered=frozenset({"qs-03"}))
    )


def test_everybody_who_fed_sheets_of_the_stack_has_to_be_resolvable(desk: Desk) -> None:
    assignment = replacing(desk, registered=frozenset({ENVELOPE.operator, "qs-03", "ps-08"}))
    known, unknown = (
        dataclasses.replace(
            assignment.batch, facts={"scanned": {"operators": [ENVELOPE.operator, code]}}
        )
        for code in ("ps-08", "ps-99")
    )
    text = refused(desk, dataclasses.replace(assignment, batch=unknown))
    assert "auflösbare scannende Person (Kürzel „ps-99“" in text
    made(desk, dataclasses.replace(assignment, batch=known))


def test_a_checker_whom_nobody_can_resolve_is_refused(desk: Desk) -> None:
    looked = sampled(selected=True, verdict=VERDICT)
    text = refused(desk, replacing(desk, looked, registered=frozenset({"ps-07"})))
    assert "auflösbare prüfende Person" in text


def test_a_sample_rests_on_nobody_who_cannot_be_resolved(desk: Desk) -> None:
    text = refused(desk, replacing(desk, sampled(checked_by=["qs-03", "qs-99"])))
    assert "auflösbare prüfende Person (Kürzel „qs-99“" in text


def test_whoever_scanned_again_has_to_be_resolvable(desk: Desk) -> None:
    again = {"page": 1, "by": "Poststelle", "reason": "schief", "sha256": "ab" * 32}
    text = refused(desk, replacing(desk, sampled(rescanned=[again])))
    assert "auflösbare scannende Person (Kürzel „Poststelle“" in text


def test_nothing_is_scanned_before_it_came(desk: Desk) -> None:
    came = dataclasses.replace(ENVELOPE, received_at=SCANNED + dt.timedelta(days=1))
    text = refused(desk, replacing(desk, envelope=came))
    assert "Eingangsdatum (das angegebene liegt nach dem Tag des Scans)" in text
    later = dataclasses.replace(ENVELOPE, received_at=SCANNED + dt.timedelta(minutes=5))
    made(desk, replacing(desk, envelope=later))


def test_black_and_white_is_said_where_the_class_asks_for_a_visual_match(desk: Desk) -> None:
    assignment = replacing(desk)
    (page,) = assignment.pages
    found = {**page.facts.get("examination", {}), "mode": "1"}
    page = dataclasses.replace(page, facts={**page.facts, "examination": found})
    assignment = dataclasses.replace(assignment, pages=(page,))
    told = "Abbild 1: schwarz-weiß, Farben sind nicht belegt"
    assert told in made(desk, assignment)[1].facts["anomalies"]
    quality = {**assignment.profile["quality"], "match": "content"}
    profile = {**assignment.profile, "quality": quality}
    _, outcome = made(desk, dataclasses.replace(assignment, profile=profile))
    assert told not in outcome.facts["anomalies"]


@pytest.mark.parametrize("title", [None, "Scanvermerk"])
def test_a_transfer_note_is_called_so_whatever_the_class_left_out(
    desk: Desk, title: str | None
) -> None:
    rules = {**desk.letter(profile="ersetzend-normal").profile["note"], "title": title}
    tree, _ = made(desk, replacing(desk, profile={"note": rules}))
    assert said(tree, "//t:Vermerk/t:Titel") == ["Transfervermerk"]


def test_sides_are_what_the_scanner_was_asked_for_where_nobody_else_says(desk: Desk) -> None:
    assignment = replacing(desk)
    scanned = {"operators": [ENVELOPE.operator], "settings": {"feed": "duplex"}}
    batch = dataclasses.replace(assignment.batch, facts={"scanned": scanned})
    tree, _ = made(desk, dataclasses.replace(assignment, batch=batch))
    assert said(tree, "//t:Seitennutzung") == ["zweiseitig"]


def test_everything_missing_is_said_at_once_with_its_remedy(desk: Desk) -> None:
    envelope = dataclasses.replace(ENVELOPE, operator=None, device=None, scanned_at=None)
    text = refused(desk, replacing(desk, {}, envelope=envelope, procedure={}))
    for name in ("Ersteller", "Gerät", "Zeitpunkt des Scans", "technische Anlage", "Ergebnis der"):
        assert name in text
    assert "--set device=…" in text
    assert "Es wird" in text or "wird nichts gesichert" in text


def test_what_a_person_supplies_on_release_is_used_and_said(desk: Desk) -> None:
    envelope = dataclasses.replace(ENVELOPE, device=None, scanned_at=None)
    released = {"device": "Scanner 3", "scanned_at": "2026-02-27T08:15"}
    tree, _ = made(desk, replacing(desk, envelope=envelope, released=released))
    assert said(tree, "//t:Geraet") == ["Scanner 3"]
    assert said(tree, "//t:Zeiten/t:Scan") == ["2026-02-27T08:15:00+01:00"]
    wrong = replacing(desk, envelope=envelope, released={**released, "scanned_at": "gestern"})
    assert "scanned_at „gestern“ ist kein Zeitpunkt" in refused(desk, wrong)


def test_a_scan_in_the_future_is_not_believed(desk: Desk) -> None:
    envelope = dataclasses.replace(ENVELOPE, scanned_at=dt.datetime(2999, 1, 1, tzinfo=dt.UTC))
    assert "liegt in der Zukunft" in refused(desk, replacing(desk, envelope=envelope))


def test_count_mismatch(desk: Desk) -> None:
    envelope = dataclasses.replace(ENVELOPE, expected_sheets=5)
    assignment = replacing(desk, envelope=envelope)
    with pytest.raises(CountMismatch, match="counts differ"):
        perform(assignment, desk.context())
    accepted = dataclasses.replace(assignment, released={"count": "accepted"})
    tree, _ = made(desk, accepted)
    assert said(tree, "//t:Abgleich") == ["Abweichung hingenommen"]
    fewer = with_facts(replacing(desk), composition={"rung": "image", "pdfa": "3b", "pages": 2})
    with pytest.raises(CountMismatch):
        perform(fewer, desk.context())


def test_a_cover_sheet_counts_its_own_document(desk: Desk) -> None:
    envelope = dataclasses.replace(ENVELOPE, expected_sheets=None)
    assignment = with_facts(replacing(desk, envelope=envelope), separation={"expected_sheets": 1})
    tree, _ = made(desk, assignment)
    assert said(tree, "//t:ErwarteteBlaetter/@bezug") == ["Dokument"]
    assert said(tree, "//t:ErwarteteBlaetter | //t:Abgleich") == ["1", "stimmt"]
    wrong = with_facts(replacing(desk, envelope=envelope), separation={"expected_sheets": 4})
    with pytest.raises(CountMismatch):
        perform(wrong, desk.context())
    later = replacing(desk, envelope=envelope, released={"expected_sheets": "1"})
    tree, outcome = made(desk, later)
    assert said(tree, "//t:ErwarteteBlaetter") == ["1"]
    assert "Erst bei der Freigabe nachgetragen: Blattzahl" in outcome.facts["anomalies"]


def test_a_page_scanned_twice_is_one_page_of_paper(desk: Desk) -> None:
    assignment = replacing(desk)
    again = dataclasses.replace(assignment.batch.sources[0], ordinal=2)
    facts = {"rescanned": {"replaced": [1]}}
    sources = (*assignment.batch.sources, again)
    batch = dataclasses.replace(assignment.batch, sources=sources, facts=facts)
    tree, _ = made(desk, dataclasses.replace(assignment, batch=batch))
    assert said(tree, "//t:GescannteAbbilder | //t:Abgleich") == ["1", "stimmt"]
    assert said(tree, "//t:AbbilderGesamt") == ["2"]


def test_a_high_need_wants_every_document_counted(desk: Desk) -> None:
    protection = {"integrity": "high", "confidentiality": "normal", "availability": "normal"}
    envelope = dataclasses.replace(ENVELOPE, expected_sheets=None)
    profile = {"protection": {**protection, "reason": "Anträge mit Rechtsfolgen"}}
    assert "erwartete Blattzahl" in refused(
        desk, replacing(desk, envelope=envelope, profile=profile)
    )


def test_the_note_waits_while_the_sample_is_open(desk: Desk) -> None:
    outcome = perform(replacing(desk, sampled(state="open")), desk.context())
    assert outcome.wait is not None
    assert "Stichprobe" in outcome.wait.reason
    assert outcome.renditions == ()


@pytest.mark.parametrize(
    ("quality", "code"),
    [
        (sampled(state="stopped"), "quality_stopped"),
        (sampled(state="refused"), "quality_refused"),
        (sampled(checked_by=[]), "quality_refused"),
        (sampled(selected=True, verdict={**VERDICT, "content": False}), "quality_refused"),
        (sampled(selected=True, verdict={**VERDICT, "visual": False}), "quality_refused"),
    ],
)
def test_a_check_that_ended_badly_holds_the_document(desk: Desk, quality: Facts, code: str) -> None:
    with pytest.raises(NotConfirmed) as caught:
        perform(replacing(desk, quality), desk.context())
    assert caught.value.code == code


def test_a_look_that_was_owed_and_is_not_recorded_is_missing(desk: Desk) -> None:
    for quality in (sampled(selected=True), sampled(mode="complete"), sampled(need="very_high")):
        assert "Prüfung dieses Dokuments durch eine Person" in refused(
            desk, replacing(desk, quality)
        )


def test_what_was_never_paper_gets_no_transfer_note(desk: Desk) -> None:
    assignment = replacing(desk)
    source = dataclasses.replace(assignment.batch.sources[0], facts={"electronic": True})
    batch = dataclasses.replace(assignment.batch, sources=(source,))
    outcome = perform(dataclasses.replace(assignment, batch=batch), desk.context())
    note = Note(desk.context().read(outcome.renditions[0].sha256))
    assert not note.is_transfer
    assert note.text("Vermerk/Titel") == "Scanvermerk"
    assert note.text("Scanprodukt/Herkunft") == "elektronisch"
    assert outcome.facts["treatment"] == "kopierend"


def test_left_out_put_back_and_rescanned_pages_are_told(desk: Desk) -> None:
    done = {"page": 1, "by": "ps-07", "at": "2026-02-27T09:50:00+00:00", "reason": "Eselsohr"}
    gone = {**done, "page": None, "replaced_sha256": "34" * 32}
    added = {**done, "replaced_sha256": None}
    rescanned = [{**done, "replaced_sha256": "12" * 32}, gone, added]
    omitted = [{"page": 2, "kind": "blank"}]
    assignment = replacing(desk, sampled(rescanned=rescanned))
    batch = dataclasses.replace(assignment.batch, facts={"separation": {"omitted": omitted}})
    back = {PUT_BACK: [{**done, "kind": "blank"}]}
    assignment = with_facts(dataclasses.replace(assignment, batch=batch), separation=back)
    tree, _ = made(desk, assignment)
    assert said(tree, "//t:LeereSeitenEntfernt | //t:Nachgescannt") == ["1", "3"]
    assert said(tree, "//t:Nachscan/@ersetztSha256") == ["12" * 32, "34" * 32, "entfällt"]
    assert said(tree, "//t:Nachscan/@abbild") == ["1", "entfällt", "1"]
    assert "Ein Abbild entfiel beim Nachscan (Eselsohr)" in said(tree, "//t:Auffaelligkeit")
    assert said(tree, "//t:Wiederaufgenommen/@art") == ["leere Seite"]
    assert "Abbild 1: nachgescannt (Eselsohr)" in said(tree, "//t:Auffaelligkeit")


def test_changes_after_the_scan_are_listed(desk: Desk) -> None:
    assignment = replacing(desk)
    (page,) = assignment.pages
    turned = {**page.facts, "recognition": {**page.facts["recognition"], "orientation": 90}}
    packed = {"rung": "image", "pdfa": "3b", "repacked": [{"page": 1, "with": "JPEG 92"}]}
    assignment = with_facts(assignment, composition=packed)
    tree, _ = made(
        desk, dataclasses.replace(assignment, pages=(dataclasses.replace(page, facts=turned),))
    )
    assert said(tree, "//t:Massnahme/@art") == [
        "Anzeige um 90 Grad im Uhrzeigersinn gedreht, Bild unverändert",
        "neu gepackt: JPEG 92",
    ]
