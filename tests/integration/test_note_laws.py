"""Whatever is known: the note is valid, whole and honest, and reads the same each time."""

from __future__ import annotations

import dataclasses
import datetime as dt
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from ingest.document import Assignment, Facts
from ingest.errors import UsageError
from tests.plugins.letters import Desk, with_facts
from tests.plugins.transfers import ENVELOPE, VERDICT, by_clerk, replacing, sampled
from workers.note import _transfer
from workers.note.reading import html
from workers.noteproof import Note

TEXT = st.text(max_size=60)
MOMENTS = st.integers(0, 200_000_000).map(
    lambda seconds: dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
)
QUALITIES = st.one_of(
    st.builds(by_clerk),
    st.builds(lambda seed, size: sampled(sample=sample(seed, size)), TEXT, st.integers(1, 40)),
    st.builds(
        lambda at, pages: sampled(
            selected=True,
            mode="complete",
            verdict={**VERDICT, "at": at.isoformat(), "pages": pages},
        ),
        MOMENTS,
        st.lists(st.integers(1, 9), max_size=3),
    ),
)


def sample(seed: str, size: int) -> Facts:
    return {
        "size": size,
        "population": 40,
        "share": size / 4_000_000,
        "seed": seed,
        "detection": {},
    }


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def scan(desk: Desk) -> Assignment:
    return replacing(desk)


def note_of(desk: Desk, assignment: Assignment) -> bytes:
    document = assignment.document
    assert document is not None
    draft = _transfer(assignment, document, desk.context())
    return draft.write(draft.content)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    quality=QUALITIES,
    texts=st.tuples(TEXT, TEXT, TEXT, TEXT),
    scanned=MOMENTS,
    anomalies=st.lists(TEXT.filter(bool), max_size=3),
)
def test_every_note_is_valid_whole_and_honest(
    desk: Desk,
    scan: Assignment,
    quality: Facts,
    texts: tuple[str, str, str, str],
    scanned: dt.datetime,
    anomalies: list[str],
) -> None:
    device, place, name, legal = texts
    envelope = dataclasses.replace(
        ENVELOPE,
        device=f"G{device}",
        storage_place=place,
        scanned_at=scanned,
        received_at=scanned - dt.timedelta(days=2),
    )
    source = dataclasses.replace(scan.batch.sources[0], name=f"x{name}")
    batch = dataclasses.replace(scan.batch, envelope=envelope, sources=(source,))
    told = {"anomalies": [{"code": "x", "text": text} for text in anomalies]}
    assignment = dataclasses.replace(
        with_facts(scan, checking=told),
        batch=batch,
        quality=quality,
        profile={**scan.profile, "legal_basis": f"§ 7 EGovG {legal}"},
    )
    content = note_of(desk, assignment)
    note = Note(content)
    note.require_whole()
    looked_at = quality["verdict"] is not None
    assert (note.text("Qualitaetssicherung/DiesesDokument/Angesehen") == "ja") == looked_at
    assert (note.text("Uebereinstimmung/Inhaltlich") == "true") == (quality["state"] == "passed")
    page = html(content)
    assert html(content) == page
    assert Page(page).missing() == []


class Page(HTMLParser):
    """A page of HTML: is it well formed, and are its tables and headings usable by ear?"""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.seen: dict[str, int] = {}
        self.feed(content.decode())

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1
        given = dict(attrs)
        if tag == "html" and given.get("lang") != "de":
            self.faults.append("no language")
        if tag == "th" and given.get("scope") not in ("row", "col"):
            self.faults.append("header without scope")
        if tag in ("script", "img", "link") or "src" in given or "href" in given:
            self.faults.append(f"not self-contained: {tag}")
        if tag != "meta":
            self.open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"unbalanced {tag}")

    def missing(self) -> list[str]:
        """Return what is wrong with the page."""
        wanted = [tag for tag in ("h1", "h2", "main", "title") if not self.seen.get(tag)]
        return [*self.faults, *wanted, *self.open]


def test_the_page_shows_every_text_of_the_note(desk: Desk, scan: Assignment) -> None:
    page = html(note_of(desk, scan)).decode()
    for text in ("ps-07", "Stadt Musterhausen", "27.02.2026, 10:30:05 Uhr (UTC+01:00)", "c0ffee"):
        assert text in page
    assert "dieses Dokument wurde nicht einzeln geprüft" in page
    assert "Behandlung: ersetzend" in page


def test_values_for_programs_are_shown_in_words(desk: Desk, scan: Assignment) -> None:
    content = note_of(desk, scan)
    page = html(content).decode()
    assert b">folder</Kanal>" in content
    assert "überwachter Ordner" in page
    assert "folder" not in page
    assert b'anteil="0.05"' in content, "the sample's share"
    assert "<td>5 %</td>" in page
    assert 'name="Prüfung"' in content.decode()
    assert "<td>automatische Prüfung</td>" in page


def test_markup_in_a_note_stays_text(desk: Desk, scan: Assignment) -> None:
    hostile = with_facts(
        scan, checking={"anomalies": [{"code": "x", "text": "<script>x</script>"}]}
    )
    page = html(note_of(desk, hostile))
    assert b"<script" not in page
    assert Page(page).missing() == []


@pytest.mark.parametrize(
    "content", [b"", b"<a/>", b"%PDF", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"]
)
def test_what_is_no_note_is_not_shown(content: bytes) -> None:
    with pytest.raises(UsageError):
        html(content)
