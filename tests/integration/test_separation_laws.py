"""Laws of cutting: for any stack under any rules no page is lost and order is kept."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ingest.document import Batch, Facts, Page, Source, Step
from profiles.model import SeparationRules
from tests.plugins import papers
from tests.plugins.stacks import Stacked, with_facts
from workers.separation import cutting, laying, statements

BLANK = Image.new("L", papers.SIZE, 250)


KINDS = st.sampled_from(["content", "separator", "blank", "undecodable", "asn", "suspect"])


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Any sequence of pages in up to four sources, under any rules."""

    kinds: list[str]
    places: list[int]
    electronic: list[bool]
    signed: bool
    rules: SeparationRules
    as_is: bool


@st.composite
def mixtures(draw: st.DrawFn) -> Mixture:
    kinds = draw(st.lists(KINDS, max_size=30))
    size = len(kinds)
    return Mixture(
        kinds=kinds,
        places=sorted(draw(st.lists(st.integers(1, 4), min_size=size, max_size=size))),
        electronic=draw(st.lists(st.booleans(), min_size=4, max_size=4)),
        signed=draw(st.booleans()),
        rules=SeparationRules(
            by=draw(st.sampled_from([("sheet",), ("asn",), ("asn", "sheet"), ()])),
            blank=draw(st.sampled_from(["keep", "omit"])),
            enabled=draw(st.booleans()),
        ),
        as_is=draw(st.booleans()),
    )


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(mixture=mixtures())
def test_every_page_is_in_one_document_or_omitted_and_order_is_kept(
    stacked: Stacked, mixture: Mixture
) -> None:
    pages = [
        dataclasses.replace(_made(number, kind), source=place)
        for number, (kind, place) in enumerate(zip(mixture.kinds, mixture.places, strict=True), 1)
    ]
    batch = _batch(stacked)
    sources = tuple(
        dataclasses.replace(
            batch.sources[0],
            ordinal=number,
            facts={"electronic": flag, "signed": flag and mixture.signed},
        )
        for number, flag in enumerate(mixture.electronic, 1)
    )
    batch = dataclasses.replace(batch, sources=sources)
    found = _cut(batch, pages, mixture.rules, as_is=mixture.as_is)
    delivered = [number for part in found.parts for number in part.pages]
    left_out = [entry["page"] for entry in found.omitted]
    assert delivered == sorted(delivered)
    assert sorted(delivered + left_out) == [page.number for page in pages]
    for part in found.parts:
        sources_of = {pages[number - 1].source for number in part.pages}
        if any(mixture.electronic[source - 1] for source in sources_of):
            assert len(sources_of) == 1


def _cut(
    batch: Batch, pages: list[Page], rules: SeparationRules, *, as_is: bool = False
) -> cutting.Cuts:
    found = laying.runs(batch, pages, rules, as_is=as_is)
    return cutting.cut(found, statements.read(found, lambda _: None))


def _examined(number: int, **facts: object) -> Page:
    page = Page(id=f"p{number}", number=number, source=1, index=number - 1, sha256="0" * 64)
    return with_facts(page, examination={"blank": False, "undecodable": None, **facts})


def _made(number: int, kind: str) -> Page:
    facts: dict[str, Facts] = {
        "separator": {"separator": {"kind": "patch", "text": "T", "payload": {}}},
        "blank": {"blank": True},
        "undecodable": {"undecodable": "Das Bild ist beschädigt."},
        "asn": {"asn": number % 3},
        "suspect": {"separator_suspect": True},
    }
    return _examined(number, **facts.get(kind, {}))


def test_archive_numbers_start_documents_only_where_the_profile_says_so(
    tmp_path: Path, stacked: Stacked
) -> None:
    pages = [_examined(n, asn=asn) for n, asn in enumerate([7, None, None, 8, 8], 1)]
    rules = SeparationRules(by=("asn",))
    found = _cut(_batch(stacked), pages, rules)
    assert [part.pages for part in found.parts] == [(1, 2, 3), (4, 5)]
    assert [part.hints["asn"] for part in found.parts] == [7, 8]
    whole = _cut(_batch(stacked), pages, SeparationRules())
    assert [part.pages for part in whole.parts] == [(1, 2, 3, 4, 5)]


def _batch(stacked: Stacked) -> Batch:
    stack = stacked(papers.png("x"))
    source = Source(ordinal=1, name="stapel", name_base64="", sha256="0" * 64, size=1)
    stack.sources = (source,)
    return stack.assignment(Step.SEPARATION).batch
