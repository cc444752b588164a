"""Stacks under every rule of separation, by the real examination of small pages."""

from __future__ import annotations

import numpy as np
import pytest
import zxingcpp
from PIL import Image, ImageDraw

from ingest.document import PageRole, Sides
from ingest.errors import CountMismatch, SeparatorUnreadable, SheetInvalid
from tests.plugins import papers
from tests.plugins.stacks import Stacked, documents, omitted
from workers.separation import sheets

BLANK = Image.new("L", papers.SIZE, 250)
PATTERNS = {"1": "1100", "2": "1001", "3": "1010", "4": "0110", "6": "0011", "T": "0101"}


def bars(name: str, *, widths: tuple[float, ...] | None = None) -> Image.Image:
    """Return a small page with the bars of a patch code."""
    made = Image.new("L", papers.SIZE, 250)
    pen = ImageDraw.Draw(made)
    top = 60.0
    for width in widths or [0.20 if bar == "1" else 0.08 for bar in PATTERNS[name]]:
        pen.rectangle((60, top, 840, top + width * 300), fill=20)
        top += (width + 0.08) * 300
    return made


def coded(text: str, form: str) -> Image.Image:
    """Return a small page with a line of text and a code."""
    code = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, form))
    drawn = Image.fromarray(np.array(code.to_image(scale=5)))
    size = max(900, drawn.width + 60), max(400, drawn.height + 220)
    made = Image.new("L", size, 255)
    made.paste(papers.page("Sehr geehrte Damen", (900, 200)), (0, 0))
    made.paste(drawn, (30, made.height - drawn.height - 10))
    return made


@pytest.mark.parametrize("name", ["T", "3", "2"])
def test_patch_codes_2_and_3_and_t_separate_in_every_profile(stacked: Stacked, name: str) -> None:
    outcome = stacked(papers.tiff("eins", bars(name), "drei")).cut()
    assert documents(outcome) == [[1], [3]]
    assert outcome.roles == {2: PageRole.SEPARATOR}


@pytest.mark.parametrize(("name", "known"), [("1", "1"), ("6", "1"), ("4", "4")])
def test_other_patch_codes_are_content_and_said_to_be_ignored(
    stacked: Stacked, name: str, known: str
) -> None:
    outcome = stacked(papers.tiff("eins", bars(name), "drei")).cut()
    assert documents(outcome) == [[1, 2, 3]]
    [finding] = outcome.facts["findings"]
    assert (finding["code"], finding["page"], finding["patch"]) == ("patch_ignored", 2, known)


def test_a_patch_code_may_switch_the_class_of_the_document_behind_it(stacked: Stacked) -> None:
    rules = {"patches": {"1": "profile:archiv", "T": "ignore"}}
    stack = papers.tiff("eins", bars("6"), "drei", bars("2"), "fünf", bars("T"))
    outcome = stacked(stack, rules=rules).cut()
    assert documents(outcome) == [[1], [3], [5, 6]]
    classes = [None if part.profile is None else part.profile.name for part in outcome.parts]
    assert classes == [None, "archiv", None]


def test_the_class_a_patch_code_switches_to_has_to_exist(stacked: Stacked) -> None:
    stack = stacked(papers.tiff("1", bars("4"), "3"), rules={"patches": {"4": "profile:grundbuch"}})
    with pytest.raises(SheetInvalid) as raised:
        stack.cut()
    assert "Seite 2" in raised.value.operator_text
    assert "grundbuch" in raised.value.operator_text


def test_bars_that_do_not_decide_hold_the_stack_unless_bars_mean_nothing(stacked: Stacked) -> None:
    doubtful = bars("T", widths=(0.14, 0.14, 0.14, 0.14))
    stack = stacked(papers.tiff("1", doubtful, "3"))
    with pytest.raises(SeparatorUnreadable, match="2"):
        stack.cut()
    ignored = {"patches": dict.fromkeys("T214", "ignore")}
    assert documents(stacked(papers.tiff("1", doubtful, "3"), rules=ignored).cut()) == [[1, 2, 3]]


def test_a_sheet_names_class_and_counts_its_document(stacked: Stacked) -> None:
    sheet = papers.separator({"CLASS": "archiv", "SHEETS": "2", "DEP": "bauamt"})
    rules = {"classes": ["archiv"]}
    outcome = stacked(papers.tiff("1", sheet, "3", "4"), rules=rules).cut()
    assert documents(outcome) == [[1], [3, 4]]
    choice, hints = outcome.parts[1].profile, outcome.parts[1].hints
    assert choice is not None
    assert (choice.name, hints["expected_sheets"], hints["department"]) == ("archiv", 2, "bauamt")


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"CLASS": "archiv"}, "Klasse „archiv“ lässt dieses Profil nicht zu"),
        ({"CLASS": "grundbuch"}, "grundbuch"),
        ({"CLASS": "ersetzend-hoch"}, "nicht freigegeben"),
        ({"REC": "2026-02-30"}, "Eingangsdatum „2026-02-30“"),
        ({"REC": "20.11.2026"}, "JJJJ-MM-TT"),
        ({"REC": "2099-01-01"}, "Zukunft"),
        ({"REC": "0001-01-01"}, "Kalenders"),
        ({"SHEETS": "drei"}, "Blattzahl „drei“"),
        ({"SHEETS": "-1"}, "Blattzahl"),
    ],
)
def test_what_cannot_hold_on_a_sheet_is_asked_about_and_only_a_person_lets_it_go(
    stacked: Stacked, said: dict[str, str], named: str
) -> None:
    sheet = papers.separator({"DEP": "bauamt", **said})
    rules = {"classes": [said.get("CLASS", "x")]} if said.get("CLASS") != "archiv" else {}
    stack = stacked(papers.tiff("1", sheet, "3"), rules=rules)
    with pytest.raises(SheetInvalid) as raised:
        stack.cut()
    text = raised.value.operator_text
    assert "Seite 2" in text
    assert named in text
    assert "sheet=ignored" in text
    stack.released = {"sheet": "ignored"}
    outcome = stack.separate()
    assert documents(outcome) == [[1], [3]]
    hints = outcome.parts[1].hints
    assert hints["department"] == "bauamt"
    assert not hints.keys() & {"profile", "received_at", "expected_sheets"}
    assert not hints["sheet"].keys() & said.keys()
    [anomaly] = hints["anomalies"]
    assert (anomaly["code"], anomaly["page"]) == ("sheet_refused", 2)


def test_the_profile_of_the_stack_itself_is_a_class_it_may_name(stacked: Stacked) -> None:
    sheet = papers.separator({"CLASS": "posteingang"})
    (part,) = stacked(papers.tiff(sheet, "2")).cut().parts
    assert part.profile is None
    assert part.hints["sheet"]["CLASS"] == "posteingang"


def test_bars_whose_code_is_lost_separate_only_when_a_person_says_so(stacked: Stacked) -> None:
    damaged = bars("T").resize((900, 400))
    made = Image.new("L", (1300, 1100), 250)
    made.paste(damaged, (0, 0))
    payload = sheets.build({"CLASS": "archiv"})[:-1] + "!"
    code = zxingcpp.create_barcode(payload, zxingcpp.BarcodeFormat.QRCode)
    made.paste(Image.fromarray(np.array(code.to_image(scale=8))), (300, 500))
    stack = stacked(papers.tiff("1", made, "3"))
    with pytest.raises(SheetInvalid, match="cannot hold"):
        stack.cut()
    stack.released = {"sheet": "ignored"}
    outcome = stack.separate()
    assert documents(outcome) == [[1], [3]]
    assert outcome.parts[1].hints["anomalies"][0]["code"] == "sheet_refused"


def test_two_sheets_that_say_different_things_on_one_page_are_not_chosen_between(
    stacked: Stacked,
) -> None:
    both = Image.new("L", (900, 800), 255)
    both.paste(papers.separator({"DEP": "kasse"}), (0, 0))
    both.paste(papers.separator({"DEP": "bauamt"}), (0, 400))
    with pytest.raises(SeparatorUnreadable):
        stacked(papers.tiff("1", both, "3")).cut()


@pytest.mark.parametrize(
    ("announced", "sides", "fits"),
    [
        ("2", None, True),  # two sheets on one side
        ("1", None, True),  # one sheet on both
        ("3", None, False),
        ("0", None, False),
        ("2", Sides.SIMPLEX, True),
        ("1", Sides.SIMPLEX, False),
    ],
)
def test_a_cover_sheets_count_is_compared(
    stacked: Stacked, announced: str, sides: Sides | None, fits: bool
) -> None:
    sheet = papers.separator({"SHEETS": announced})
    stack = stacked(papers.tiff(sheet, "2", "3", papers.separator(), "5"), sides=sides)
    if fits:
        assert documents(stack.cut()) == [[2, 3], [5]]
        return
    with pytest.raises(CountMismatch) as raised:
        stack.cut()
    assert "Seite 1" in raised.value.operator_text
    stack.released = {"count": "accepted"}
    assert documents(stack.separate()) == [[2, 3], [5]]


def test_a_cover_sheet_in_duplex_counts_sheets_with_their_blank_backs(stacked: Stacked) -> None:
    sheet = papers.separator({"SHEETS": "2"})
    stack = stacked(papers.tiff(sheet, BLANK, "3", BLANK, "5", BLANK), profile="stapel-duplex")
    outcome = stack.cut()
    assert documents(outcome) == [[3, 5]]
    assert outcome.places == {
        1: (1, "front"), 2: (1, "back"), 3: (2, "front"), 4: (2, "back"), 5: (3, "front"),
        6: (3, "back"),
    }  # fmt: skip


def test_a_cover_sheet_whose_document_is_missing_is_noticed(stacked: Stacked) -> None:
    lost = papers.separator({"SHEETS": "1", "DEP": "kasse"})
    with pytest.raises(CountMismatch):
        stacked(papers.tiff(lost, papers.separator({"DEP": "bauamt"}), "3")).cut()
    silent = papers.separator({"DEP": "kasse"})
    outcome = stacked(papers.tiff(silent, papers.separator(), "3")).cut()
    assert documents(outcome) == [[3]]
    assert "department" not in outcome.parts[0].hints
    [finding] = outcome.facts["findings"]
    assert (finding["code"], finding["page"]) == ("sheet_without_document", 1)


@pytest.mark.parametrize(("count", "fits"), [(2, True), (3, False), (1, False), (0, False)])
def test_the_operators_count_of_consignments_is_compared(
    stacked: Stacked, count: int, fits: bool
) -> None:
    stack = stacked(papers.tiff("1", papers.separator(), "3"), expected_consignments=count)
    if fits:
        assert len(stack.cut().parts) == 2
        return
    with pytest.raises(CountMismatch) as raised:
        stack.cut()
    assert f"{count} Sendungen" in raised.value.operator_text
    stack.released = {"count": "accepted"}
    assert len(stack.separate().parts) == 2


def test_blank_pages_separate_where_the_profile_says_so(stacked: Stacked) -> None:
    stack = papers.tiff("1", BLANK, "3", "4", BLANK, BLANK, "7", BLANK)
    outcome = stacked(stack, rules={"by": ["blank"]}).cut()
    assert documents(outcome) == [[1], [3, 4], [7]]
    assert omitted(outcome, "blank") == [2, 5, 6, 8]
    assert {entry["reason"] for entry in outcome.facts["omitted"]} == {"leeres Blatt trennt"}


def test_in_duplex_only_a_sheet_blank_on_both_sides_separates(stacked: Stacked) -> None:
    stack = papers.tiff("1", BLANK, BLANK, BLANK, BLANK, "6", papers.separator(), BLANK, "9", "10")
    outcome = stacked(stack, rules={"by": ["blank", "sheet"], "sides": "duplex"}).cut()
    assert documents(outcome) == [[1, 2], [5, 6], [9, 10]]
    assert omitted(outcome, "blank") == [3, 4, 8]
    assert omitted(outcome, "separator") == [7]


def test_a_sheet_that_lay_face_down_takes_its_blank_front_with_it(stacked: Stacked) -> None:
    stack = papers.tiff("1", "2", BLANK, papers.separator(), "5", BLANK)
    outcome = stacked(stack, sides=Sides.DUPLEX).cut()
    assert documents(outcome) == [[1, 2], [5, 6]]
    assert omitted(outcome, "blank") == [3]


def test_the_plain_back_of_a_sheet_that_speaks_does_not_silence_it(stacked: Stacked) -> None:
    speaks = papers.separator({"DEP": "bauamt"})
    stack = papers.tiff(speaks, bars("T"), "3", "4")
    outcome = stacked(stack, sides=Sides.DUPLEX).cut()
    assert outcome.parts[0].hints["department"] == "bauamt"
    assert outcome.facts["findings"] == []


def test_a_stack_scanned_on_one_side_has_no_backs(stacked: Stacked) -> None:
    stack = papers.tiff(papers.separator(), BLANK, "3")
    outcome = stacked(stack, sides=Sides.SIMPLEX).cut()
    assert documents(outcome) == [[2, 3]]


def test_a_fixed_count_of_sheets_makes_documents_and_a_remainder_holds(stacked: Stacked) -> None:
    rules = {"by": ["count"], "every": 2}
    assert documents(stacked(papers.tiff("1", "2", "3", "4"), rules=rules).cut()) == [
        [1, 2],
        [3, 4],
    ]
    both = {**rules, "sides": "duplex"}
    assert documents(stacked(papers.tiff("1", BLANK, "3", "4"), rules=both).cut()) == [[1, 2, 3, 4]]
    stack = stacked(papers.tiff("1", "2", "3"), rules=rules)
    with pytest.raises(CountMismatch) as raised:
        stack.cut()
    assert "1 bleiben übrig" in raised.value.operator_text
    stack.released = {"count": "accepted"}
    assert documents(stack.separate()) == [[1, 2], [3]]


@pytest.mark.parametrize("files", [1, 2, 6])
def test_two_passes_are_put_together_whatever_files_they_came_in(
    stacked: Stacked, files: int
) -> None:
    # Sheet 1: text and blank, sheet 2: separator and its back, sheet 3: text on both sides.
    fronts: list[Image.Image | str]
    backs: list[Image.Image | str]
    fronts, backs = ["1v", papers.separator(), "3v"], ["3r", BLANK, BLANK]
    contents = {
        1: [papers.tiff(*fronts, *backs)],
        2: [papers.tiff(*fronts), papers.tiff(*backs)],
        6: [papers.tiff(side) for side in (*fronts, *backs)],
    }[files]
    stack = stacked(*contents, sides=Sides.FRONTS_THEN_BACKS, expected_sheets=3)
    outcome = stack.cut()
    assert documents(outcome) == [[1, 6], [3, 4]]
    assert omitted(outcome, "separator") == [2]
    assert omitted(outcome, "blank") == [5]
    assert outcome.places[6] == (1, "back")
    assert outcome.places[4] == (3, "back")


def test_passes_of_unequal_length_are_kept_and_asked_about(stacked: Stacked) -> None:
    stack = stacked(papers.tiff("1v", "2v", "3v"), papers.tiff("2r"), sides=Sides.FRONTS_THEN_BACKS)
    with pytest.raises(CountMismatch) as raised:
        stack.cut()
    assert raised.value.code == "sides_unequal"
    assert "3 und 1 Seiten" in raised.value.operator_text
    stack.released = {"sides": "simplex"}
    outcome = stack.separate()
    assert documents(outcome) == [[1, 2, 3, 4]]
    assert outcome.facts["sides"] == "simplex"


def test_the_manifest_says_how_the_sheets_lie_before_the_profile_does(stacked: Stacked) -> None:
    stack = papers.tiff("1", "2", "3")
    outcome = stacked(stack, profile="stapel-duplex", sides=Sides.SIMPLEX).cut()
    assert outcome.places == {n: (n, "front") for n in (1, 2, 3)}
    [finding] = stacked(stack, profile="stapel-duplex").cut().facts["findings"]
    assert (finding["code"], finding["page"]) == ("odd_sides", 3)


def test_every_page_left_out_is_recorded_with_reason_digest_and_detector(stacked: Stacked) -> None:
    stack = stacked(
        papers.tiff("1", papers.separator(), BLANK, "4", BLANK), profile="stapel-duplex"
    )
    outcome = stack.cut()
    said = outcome.facts["omitted"]
    assert [(entry["page"], entry["kind"], entry["document"]) for entry in said] == [
        (2, "separator", 2),
        (3, "blank", 2),
        (5, "blank", 2),
    ]
    for entry in said:
        page = stack.pages[entry["page"] - 1]
        assert entry["sha256"] == page.sha256
        assert entry["detector"] == page.facts["examination"]["detector"]
        assert entry["reason"]


EPC = (
    "BCD\n002\n1\nSCT\nBFSWDE33BER\nStadtkasse\nDE71110220330123456789\nEUR12.3\n\nRF18539007547034"
)
SWISS = "SPC\n0200\n1\nCH4431999123000889012\nS\nStadt\nWeg\n1\n8000\nBern\nCH\n\n\n\n1.00\nCHF"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("DEA5" + "0123456789ABCDEF" * 2, "DataMatrix"),  # franking
        (EPC, "QRCode"),
        (SWISS, "QRCode"),
        ("https://example.org/SCAN1;SEP=DOC", "QRCode"),
        ("4006381333931", "EAN13"),
        ("RR123456785DE", "Code128"),
        ("00340434161094015902", "Code128"),
        ("SCAN12;SEP=DOC;C=0", "QRCode"),
        ("ASN00123", "Code128"),
        ("PATCH2", "Code39"),
    ],
)
@pytest.mark.parametrize("profile", ["posteingang", "stapel-duplex"])
def test_codes_of_others_separate_nothing(
    stacked: Stacked, text: str, form: str, profile: str
) -> None:
    stack = stacked(papers.tiff("1", coded(text, form), "3"), profile=profile)
    assert documents(stack.cut()) == [[1, 2, 3]]
    if form != "EAN13":
        read = [code["text"] for code in stack.pages[1].facts["examination"]["codes"]]
        assert read == [text]
