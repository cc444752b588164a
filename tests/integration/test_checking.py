"""Checking: what is looked at, and whom it stops."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from ingest.content.raster import open_frame
from ingest.document import Facts, Outcome, Page, Rendition, RenditionKind, SourceKind
from ingest.errors import CheckFailed
from tests.plugins import papers
from tests.plugins.scanning import Bench, letter, saved


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def _with(page: Page, step: str, **facts: object) -> Page:
    return dataclasses.replace(page, facts=page.facts | {step: page.facts.get(step, {}) | facts})


def _outcome(bench: Bench, content: bytes, **facts: object) -> Outcome:
    rendition: Rendition = bench.context().rendition(
        RenditionKind.COMPOSED, content, media_type="application/pdf", parent="0" * 64, tool="test"
    )
    stated: Facts = {"pdfa": "3b", "rung": "image", "findings": []} | facts
    return Outcome(renditions=(rendition,), facts=stated)


def _blank_pdf(pages: int) -> bytes:
    pdf = pikepdf.new()
    for _ in range(pages):
        pdf.add_blank_page()
    target = io.BytesIO()
    pdf.save(target)
    return target.getvalue()


def test_a_good_scan_passes_every_check_and_each_is_recorded(bench: Bench) -> None:
    result = bench.run(bench.source(saved(letter().resize((2480, 1800)), "JPEG")), read=False)
    checks = {check["name"]: check for check in result.checks["checks"]}
    assert {"pdfa", "page_count", "pages_shown", "resolution"} <= set(checks)
    assert checks["page_count"]["value"] == checks["page_count"]["threshold"] == 1
    assert checks["pages_shown"]["passed"]
    assert all(check["detector"] for check in checks.values())


def test_low_resolution_marks_a_copying_scan_and_stops_a_replacing_one(bench: Bench) -> None:
    source = bench.source(saved(letter(), "JPEG"))
    result = bench.run(source, read=False)
    assert not result.check("resolution")["passed"]
    anomaly = next(a for a in result.checks["anomalies"] if a["code"] == "resolution_low")
    assert anomaly["pages"] == (1,)
    bench.profile = bench.profile | {"treatment": "replacing", "released": False}
    with pytest.raises(CheckFailed) as caught:
        bench.run(source, read=False)
    assert "150" in caught.value.operator_text


def test_a_lost_page_stops_ones_own_scan_and_not_a_foreign_file(bench: Bench) -> None:
    for electronic in (False, True):
        source = bench.source(saved(letter(), "JPEG"), electronic=electronic)
        pages = bench.pages(source) * 2
        outcome = _outcome(bench, _blank_pdf(1))
        if electronic:
            checked = bench.check(bench.batch(source), pages, outcome)
            count = next(c for c in checked.facts["checks"] if c["name"] == "page_count")
            assert (count["value"], count["threshold"], count["passed"]) == (1, 2, False)
        else:
            with pytest.raises(CheckFailed) as caught:
                bench.check(bench.batch(source), pages, outcome)
            assert "1 statt 2 Seiten" in caught.value.operator_text


def test_a_page_that_came_out_empty_although_words_were_read_is_found(bench: Bench) -> None:
    source = bench.source(saved(letter(), "JPEG"))
    pages = tuple(_with(page, "recognition", words=12) for page in bench.pages(source))
    with pytest.raises(CheckFailed) as caught:
        bench.check(bench.batch(source), pages, _outcome(bench, _blank_pdf(1)))
    assert "0 von 1 Seiten" in caught.value.operator_text


def test_a_result_that_is_no_pdfa_stops_only_ones_own_scan(bench: Bench) -> None:
    source = bench.source(saved(letter(), "JPEG"))
    pages = bench.pages(source)
    outcome = _outcome(bench, _blank_pdf(1), pdfa=None)
    with pytest.raises(CheckFailed) as caught:
        bench.check(bench.batch(source), pages, outcome)
    assert "PDF/A-3b" in caught.value.operator_text
    foreign = dataclasses.replace(source, facts={"electronic": True})
    checked = bench.check(bench.batch(foreign), pages, outcome)
    assert not next(c for c in checked.facts["checks"] if c["name"] == "pdfa")["passed"]


def test_blank_suspects_uncertain_text_and_failed_recognition_are_marked(bench: Bench) -> None:
    source = bench.source(saved(Image.new("L", (1654, 2339), 255), "JPEG"))
    blank = _with(bench.pages(source)[0], "examination", blank=True)
    uncertain = dataclasses.replace(_with(blank, "recognition", words=3, confidence=31.0), number=2)
    uncertain = _with(uncertain, "examination", blank=False)
    crashed = dataclasses.replace(
        _with(blank, "recognition", words=0, anomaly="timed_out"), number=3
    )
    pages = (blank, uncertain, crashed)
    facts: Facts = {"electronic": True}
    batch = bench.batch(dataclasses.replace(source, facts=facts))
    checked = bench.check(batch, pages, _outcome(bench, _blank_pdf(3)))
    marked = {anomaly["code"]: anomaly["pages"] for anomaly in checked.facts["anomalies"]}
    assert marked["blank_suspect"] == (1, 3)
    assert marked["text_unreliable"] == (2,)
    assert marked["timed_out"] == (3,)


def test_a_document_without_pages_has_nothing_to_check(bench: Bench) -> None:
    source = bench.source(b"<html></html>")
    outcome = Outcome(facts={"pdfa": None, "rung": "original", "findings": []})
    checked = bench.check(bench.batch(source), (), outcome)
    assert checked.facts == {"checks": [], "anomalies": [], "review": []}


def test_a_damaged_image_is_an_anomaly_and_its_copy_shows_what_was_decoded(bench: Bench) -> None:
    source = bench.source(papers.damaged_fax("Ein Brief"))
    frame = open_frame(bench.folder / "arrival1", source.kind, 0, max_pixels=10_000_000)
    (page,) = bench.pages(source)
    page = _with(page, "examination", damaged=frame.damage)
    composed = bench.compose(bench.batch(source), (page,))
    checked = bench.check(bench.batch(source), (page,), composed)
    anomaly = next(a for a in checked.facts["anomalies"] if a["code"] == "image_damaged")
    assert anomaly["pages"] == (1,)
    assert "nur teilweise lesbar" in anomaly["text"]
    copy = next(r for r in composed.renditions if r.kind is RenditionKind.COMPOSED)
    shown = open_frame(
        bench.context().path(copy.sha256), SourceKind.PDF, 0, max_pixels=10_000_000, dpi=300
    )
    assert abs(shown.pixels.mean() - frame.pixels.mean()) < 1
