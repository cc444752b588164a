"""What holds for every stack under any rules: no page lost, none twice, none out of order."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.document import Batch, BatchStage, Envelope, Facts, Page, Source
from ingest.ledger.targets import placed
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


@settings(deadline=None)
@given(
    kinds=st.lists(PAGES, max_size=24), rules=rule_sets(), random=st.randoms(use_true_random=False)
)
def test_in_whatever_order_pages_are_put_back_they_stand_where_they_lay(
    kinds: list[str], rules: SeparationRules, random: Random
) -> None:
    kinds = kinds[: len(kinds) // 2 * 2]
    pages = [_stacked_page(number, kind) for number, kind in enumerate(kinds, 1)]
    runs = laying.runs(_BATCH, pages, rules, as_is=False)
    order = [page.number for run in runs for page in run.pages]
    found = cutting.cut(runs, statements.read(runs, lambda _: None))
    restored = [list(part.pages) for part in found.parts]
    entries = [entry for entry in found.omitted if entry["document"] is not None]
    random.shuffle(entries)
    for entry in entries:
        at = entry["document"] - 1
        restored[at] = placed(restored[at], entry["page"], entry)
    for numbers in restored:
        assert numbers == [number for number in order if number in set(numbers)]


@settings(deadline=None)
@given(passes=st.integers(1, 6), mails=st.lists(st.integers(1, 3), max_size=2), first=st.booleans())
def test_electronic_files_beside_two_passes_stay_out_of_the_pairs(
    passes: int, mails: list[int], *, first: bool
) -> None:
    counts = [("mail", n) for n in mails[:first]] + [("scan", passes), ("scan", passes)]
    counts += [("mail", n) for n in mails[first:]]
    sources = tuple(
        replace(_BATCH.sources[0], ordinal=at, pages=n, facts={"electronic": kind == "mail"})
        for at, (kind, n) in enumerate(counts, 1)
    )
    places = [at for at, (_, n) in enumerate(counts, 1) for _ in range(n)]
    pages = [
        replace(_stacked_page(number, "content"), source=at) for number, at in enumerate(places, 1)
    ]
    rules = SeparationRules(sides="fronts_then_backs")
    found = laying.runs(replace(_BATCH, sources=sources), pages, rules, as_is=False)
    scanned = [page.number for page in pages if counts[page.source - 1][0] == "scan"]
    fronts, backs = scanned[:passes], scanned[passes:][::-1]
    (stack,) = [run for run in found if not run.is_electronic]
    assert [page.number for page in stack.pages] == [
        n for pair in zip(fronts, backs, strict=True) for n in pair
    ]
    for run in found:
        assert len({counts[page.source - 1][0] for page in run.pages}) == 1


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
