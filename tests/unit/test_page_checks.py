"""What the pages' facts mean under a profile's thresholds."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from ingest.document import Batch, BatchStage, Envelope, Facts, Page, Source, SourceKind
from profiles.model import CheckingRules
from workers.checking import pages as checks
from workers.separation.neighbours import overlong

RULES = CheckingRules()
GOOD: Facts = {
    "width": 2480,
    "height": 3508,
    "dpi": [300.0, 300.0],
    "dpi_source": "file",
    "skew": 0.2,
    "touching": {"top": 0, "right": 1, "bottom": 0, "left": 0},
    "exposure": {"brightness": 240, "contrast": 130, "ink": 0.05},
}


def page(number: int, **facts: object) -> Page:
    return Page(
        id=str(number),
        number=number,
        source=1,
        index=number - 1,
        sha256="0" * 64,
        facts={"examination": GOOD | facts},
    )


def batch(electronic: bool = False, **separation: object) -> Batch:
    source = Source(
        ordinal=1, name="x", name_base64="", sha256="0" * 64, size=1, kind=SourceKind.TIFF
    )
    return Batch(
        id="b",
        tenant="default",
        stage=BatchStage.CLOSED,
        envelope=Envelope(profile="posteingang"),
        registered_at=dt.datetime(2026, 11, 25, tzinfo=dt.UTC),
        sources=(dataclasses.replace(source, facts={"electronic": electronic}),),
        facts={"separation": {"duplicates": [], "overlong": []} | separation},
    )


def test_good_pages_pass_and_say_what_was_measured() -> None:
    for check in (checks.skew, checks.cut_off, checks.exposure):
        found, anomalies = check((page(1), page(2)), RULES)
        assert found
        assert all(each.passed and each.pages == () for each in found)
        assert anomalies == []


def test_the_skew_counts_either_way_and_names_the_pages() -> None:
    (check,), (anomaly,) = checks.skew((page(1), page(4, skew=-3.1), page(5, skew=2.4)), RULES)
    assert (check.value, check.threshold, check.passed) == (-3.1, 2.5, False)
    assert check.pages == ({"page": 4, "value": -3.1},)
    assert (anomaly.code, anomaly.pages) == ("skewed", (4,))


@pytest.mark.parametrize(
    ("exposure", "check", "code"),
    [
        ({"brightness": 80, "contrast": 90, "ink": 0.1}, "brightness", "dark"),
        ({"brightness": 200, "contrast": 190, "ink": 0.6}, "ink", "dark"),
        ({"brightness": 250, "contrast": 40, "ink": 0.0}, "contrast", "light"),
        ({"brightness": 150, "contrast": 40, "ink": 0.0}, "contrast", "contrast_low"),
    ],
)
def test_each_fault_of_exposure_has_its_own_word(exposure: Facts, check: str, code: str) -> None:
    found, anomalies = checks.exposure((page(1), page(2, exposure=exposure)), RULES)
    assert [each.name for each in found if not each.passed] == [check]
    assert [(each.code, each.pages) for each in anomalies] == [(code, (2,))]


def test_cut_content_is_a_matter_of_one_edge() -> None:
    several = {"top": 3, "right": 3, "bottom": 3, "left": 3}
    assert checks.cut_off((page(1, touching=several),), RULES)[0][0].passed
    cut = page(2, touching=several | {"left": 9})
    (check,), (anomaly,) = checks.cut_off((page(1), cut), RULES)
    assert (check.name, check.value, check.passed) == ("crop", 9, False)
    assert (anomaly.code, anomaly.pages) == ("content_cut", (2,))


def test_pages_examined_before_there_were_these_measures_are_passed_over() -> None:
    old = dataclasses.replace(page(1), facts={"examination": {"dpi": [300.0, 300.0]}})
    for check in (checks.skew, checks.cut_off, checks.exposure):
        assert check((old,), RULES) == ([], [])


def test_a_duplicate_is_told_on_the_later_page_and_says_where_the_other_is() -> None:
    found = batch(duplicates=[{"page": 3, "of": 2}, {"page": 4, "of": 1}, {"page": 9, "of": 8}])
    own = (page(2), page(3), page(4))
    (check,), anomalies = checks.duplicates(own, found, RULES)
    assert (check.value, check.passed) == (2, False)
    assert [(each.pages, "anderes Dokument" in each.text) for each in anomalies] == [
        ((3,), False),
        ((4,), True),
    ]
    narrow = RULES.model_copy(update={"duplicates": "document"})
    assert [each.pages for each in checks.duplicates(own, found, narrow)[1]] == [(3,)]
    off = RULES.model_copy(update={"duplicates": "off"})
    assert checks.duplicates(own, found, off) == ([], [])


def test_a_page_longer_than_the_paper_or_its_neighbours_may_be_two_sheets() -> None:
    double = page(3, height=6600)
    pages = (page(1), page(2), double)
    found = overlong(batch(), pages)
    assert found == [{"page": 3, "length": 559, "usual": 297}]
    told = checks.double_feeds(pages, batch(overlong=found), RULES)
    assert told[0][0].pages == ({"page": 3, "value": 559},)
    assert told[1][0].code == "double_feed"
    alone = RULES.model_copy(update={"paper": "A4"})
    assert checks.double_feeds((double,), batch(), alone)[1][0].pages == (3,)
    assert checks.double_feeds((double,), batch(), RULES)[0][0].passed
    assert checks.double_feeds((double,), batch(electronic=True), alone) == ([], [])


def test_paper_of_another_width_is_not_two_sheets() -> None:
    plan = page(3, width=3508, height=4961)
    assert overlong(batch(), (page(1), page(2), page(4), plan)) == []
    assert overlong(batch(electronic=True), (page(1), page(2), page(3, height=6600))) == []
