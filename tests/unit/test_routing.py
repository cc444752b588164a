"""Routing: every document gets a desk, and the reason names the rule."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import profiles
from ingest.document import Assignment, Cover, Facts, Step
from tests.plugins.letters import Desk, with_facts
from workers.routing import perform

RULES = [
    {
        "department": "bauamt",
        "barcode": r"BA-\d+",
        "case_reference": r"\bAz\.?:?\s*(BA/\d+/\d+)",
        "keywords": ["Bauantrag", "Antrag auf Vorbescheid"],
    },
    {"department": "kasse", "keywords": ["Rechnung"], "case_reference": r"KZ\d{6}"},
]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def letter(desk: Desk, *texts: str, **more: Any) -> Assignment:
    assignment = desk.letter(composed=b"%PDF", texts=texts or ("Guten Tag",), **more)
    routing = {"default": "poststelle", "rules": RULES}
    profile = profiles.Profile.model_validate({**assignment.profile, "routing": routing})
    plain = profile.model_dump(mode="json")
    return dataclasses.replace(assignment, step=Step.ROUTING, profile=plain)


def with_code(assignment: Assignment, text: str) -> Assignment:
    (first, *rest) = assignment.pages
    facts = {"examination": {"codes": [{"format": "Code128", "text": text}]}}
    marked = dataclasses.replace(first, facts=facts)
    return dataclasses.replace(assignment, pages=(marked, *rest))


def routed(desk: Desk, assignment: Assignment) -> Facts:
    outcome = perform(assignment, desk.context())
    assert profiles.is_department(outcome.facts["department"])
    return outcome.facts


def test_what_no_rule_knows_goes_to_the_default_basket(desk: Desk) -> None:
    facts = routed(desk, letter(desk))
    assert (facts["department"], facts["rule"]) == ("poststelle", "default")
    assert facts["case_reference"] is None


def test_an_aktenzeichen_decides_and_is_kept(desk: Desk) -> None:
    facts = routed(desk, letter(desk, "Ihr Schreiben\nAz.: BA/17/2026 vom März"))
    assert facts["department"] == "bauamt"
    assert facts["rule"] == "rules.0.case_reference"
    assert facts["case_reference"] == "BA/17/2026"
    assert "ersten Seite" in facts["reason"]


def test_the_first_page_comes_before_later_pages(desk: Desk) -> None:
    assert routed(desk, letter(desk, "Zu KZ123456", "Az: BA/1/2"))["department"] == "kasse"
    facts = routed(desk, letter(desk, "Anbei", "Az: BA/1/2"))
    assert facts["department"] == "bauamt"
    assert "im Text" in facts["reason"]


def test_an_aktenzeichen_comes_before_a_keyword_of_an_upper_rule(desk: Desk) -> None:
    assert routed(desk, letter(desk, "Bauantrag, Kassenzeichen KZ123456"))["department"] == "kasse"


@pytest.mark.parametrize(
    ("text", "department"),
    [
        ("unser BAUANTRAG liegt bei", "bauamt"),
        ("Antrag auf\nVorbescheid", "bauamt"),
        ("Rechnungswesen", "poststelle"),
        ("Die Rechnung, bitte", "kasse"),
    ],
)
def test_keywords_are_whole_words_in_any_case(desk: Desk, text: str, department: str) -> None:
    assert routed(desk, letter(desk, text))["department"] == department


def test_a_code_counts_only_if_a_rule_knows_its_whole_value(desk: Desk) -> None:
    facts = routed(desk, with_code(letter(desk, "Rechnung"), "BA-77"))
    assert (facts["department"], facts["rule"]) == ("bauamt", "rules.0.barcode")
    foreign = routed(desk, with_code(letter(desk, "Rechnung"), "https://example.org/BA-77"))
    assert foreign["department"] == "kasse"


def test_a_barcode_keeps_the_case_reference_of_its_own_rule(desk: Desk) -> None:
    facts = routed(desk, with_code(letter(desk, "Az BA/3/4 und KZ123456"), "BA-77"))
    assert facts["case_reference"] == "BA/3/4"


def test_the_separator_sheet_comes_before_the_text(desk: Desk) -> None:
    hints = {"department": "Bürgeramt", "case_reference": "BüA 4/26"}
    facts = routed(desk, with_facts(letter(desk, "Rechnung KZ123456"), separation=hints))
    assert (facts["department"], facts["rule"]) == ("bürgeramt", "sheet")
    assert facts["case_reference"] == "BüA 4/26"


@pytest.mark.parametrize("name", ["../../etc", "a/b", "..", ".", "x" * 80, 'a"b\x00'])
def test_a_department_that_is_no_folder_name_is_not_followed_and_said(
    desk: Desk, name: str
) -> None:
    facts = routed(desk, with_facts(letter(desk), separation={"department": name}))
    assert facts["department"] == "poststelle"
    assert "Trennblatt" in facts["reason"]


def test_a_person_who_released_the_document_decides(desk: Desk) -> None:
    assignment = with_code(letter(desk, "Rechnung"), "BA-77")
    assignment = dataclasses.replace(assignment, released={"department": "ordnungsamt"})
    facts = routed(desk, assignment)
    assert (facts["department"], facts["rule"]) == ("ordnungsamt", "released")


def test_an_original_without_pages_is_routed_too(desk: Desk) -> None:
    assignment = dataclasses.replace(letter(desk, rung="original"), pages=())
    assert routed(desk, assignment)["department"] == "poststelle"


def test_the_shipped_rules_send_their_examples_to_their_desks(desk: Desk) -> None:
    shipped = profiles.load("posteingang").facts()
    for text, department, reference in (
        ("Unser Zeichen BA-2026-000123", "bauamt", "BA-2026-000123"),
        ("Kassenzeichen: 1234.5678.90", "kasse", "1234.5678.90"),
        ("wegen einer Ordnungswidrigkeit", "ordnungsamt", None),
        ("Einladung zum Sommerfest", "poststelle", None),
    ):
        facts = routed(desk, dataclasses.replace(letter(desk, text), profile=shipped))
        assert (facts["department"], facts["case_reference"]) == (department, reference)


def inside(desk: Desk, department: str | None, *, on_its_way: bool, **more: Any) -> Assignment:
    cover = Cover(
        document="d1", department=department, case_reference="BA/9/9", on_its_way=on_its_way
    )
    return dataclasses.replace(letter(desk, "Rechnung"), cover=cover, **more)


def test_an_enclosure_goes_where_its_cover_goes(desk: Desk) -> None:
    facts = routed(desk, inside(desk, "bauamt", on_its_way=False))
    assert (facts["department"], facts["rule"]) == ("bauamt", "cover")
    assert facts["case_reference"] == "BA/9/9"
    assert "d1" in facts["reason"]


def test_an_enclosure_waits_for_a_cover_on_its_way(desk: Desk) -> None:
    outcome = perform(inside(desk, None, on_its_way=True), desk.context())
    assert outcome.wait is not None
    assert outcome.wait.until is not None
    assert "Anschreiben" in outcome.wait.reason
    assert outcome.facts == {}


def test_an_enclosure_whose_cover_stands_still_goes_by_its_own_text(desk: Desk) -> None:
    assert routed(desk, inside(desk, None, on_its_way=False))["department"] == "kasse"


def test_a_person_decides_about_an_enclosure_as_well(desk: Desk) -> None:
    released = {"department": "ordnungsamt"}
    facts = routed(desk, inside(desk, "bauamt", on_its_way=False, released=released))
    assert (facts["department"], facts["rule"]) == ("ordnungsamt", "released")
