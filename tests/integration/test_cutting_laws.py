"""What holds for every stack under any rules: no page lost, none twice, none out of order."""

from __future__ import annotations

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.document import Batch, BatchStage, Envelope, Facts, Page, Source
from profiles.model import SeparationRules
from tests.plugins.stacks import with_facts
from workers.separation import cutting, laying, statements
from workers.separation.evidence import separator_on

_BATCH = Batch(
    id="batch",
    tenant="default",
    stage=BatchStage.INSPECTED,
    envelope=Envelope(profile="posteingang"),
    registered_at=dt.datetime(2026, 11, 22, tzinfo=dt.UTC),
    sources=(Source(ordinal=1, name="stapel", name_base64="", sha256="0" * 64, size=1),),
)
PAGES = st.sampled_from(["content", "T", "2", "4", "blank", "undecodable", "asn", "sheet"])


@st.composite
def rule_sets(draw: st.DrawFn) -> SeparationRules:
    """Draw any rules of a profile that are allowed."""
    sides = draw(st.sampled_from([None, "simplex", "duplex", "fronts_then_backs"]))
    blank = draw(st.sampled_from(["keep", "omit"]))
    if draw(st.booleans()):
        every = draw(st.integers(1, 4))
        counted = {"by": ["count"], "every": every, "sides": sides, "blank": blank}
        return SeparationRules.model_validate(counted)
    by = draw(st.lists(st.sampled_from(["sheet", "asn", "blank"]), unique=True))
    actions = st.sampled_from(["document", "ignore", "profile:archiv"])
    patches = draw(st.dictionaries(st.sampled_from(["T", "2", "4"]), actions))
    given = {"patches": patches} if "sheet" in by else {}
    return SeparationRules.model_validate({"by": by, "sides": sides, "blank": blank, **given})


@settings(deadline=None)
@given(kinds=st.lists(PAGES, max_size=24), rules=rule_sets())
def test_under_any_rules_pages_and_their_order_are_kept(
    kinds: list[str], rules: SeparationRules
) -> None:
    if rules.sides == "fronts_then_backs":
        kinds = kinds[: len(kinds) // 2 * 2]
    pages = [_stacked_page(number, kind) for number, kind in enumerate(kinds, 1)]
    runs = laying.runs(_BATCH, pages, rules, as_is=False)
    found = cutting.cut(runs, statements.read(runs, lambda _: None))
    half = len(pages) // 2
    order = [page.number for page in pages]
    if rules.sides == "fronts_then_backs":
        order = [n for i in range(half) for n in (i + 1, 2 * half - i)]
    delivered = [number for part in found.parts for number in part.pages]
    left_out = [entry["page"] for entry in found.omitted]
    assert delivered == [number for number in order if number in set(delivered)]
    assert sorted(delivered + left_out) == list(range(1, len(pages) + 1))
    assert all(part.pages or not pages for part in found.parts)
    for entry in found.omitted:
        assert entry["sha256"] == pages[entry["page"] - 1].sha256
        assert entry["document"] is None or 1 <= entry["document"] <= len(found.parts)
    # What separates never lies inside a document: two letters are never merged.
    places = {number: at for at, number in enumerate(order)}
    cutting_pages = {e["page"] for e in found.omitted if e["kind"] == "separator"}
    for part in found.parts:
        if part.pages:
            inside = range(places[part.pages[0]], places[part.pages[-1]])
            assert not cutting_pages & {order[at] for at in inside}
    assert cutting_pages == {
        page.number for page in pages if any(separator_on(page, run.rules) for run in runs)
    }


def _stacked_page(number: int, kind: str) -> Page:
    payload = {"SEP": "DOC", "DEP": "kasse"}
    facts: dict[str, Facts] = {
        "blank": {"blank": True},
        "undecodable": {"undecodable": "Das Bild ist beschädigt."},
        "asn": {"asn": number % 3},
        "sheet": {"separator": {"kind": "sheet", "text": "SCAN1;", "payload": payload}},
        "T": {"patch": "T", "separator": {"kind": "patch", "text": "T", "payload": {}}},
        "2": {"patch": "2"},
        "4": {"patch": "4"},
    }
    page = Page(id=f"p{number}", number=number, source=1, index=number - 1, sha256=f"{number:064}")
    examined = {"blank": False, "undecodable": None, **facts.get(kind, {})}
    return with_facts(page, examination=examined)
