"""The journal of a stack gives back exactly what was durable, wherever it was cut off."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanners.device import Feed, Spool, SpoolFull
from scanners.stack import Interruption
from scanners.stack.journal import Journal, damaged, journals
from scanners.stack.locking import Held, held
from scanners.stack.shelf import JournalDamaged
from tests.plugins.disks import no_file_above
from tests.plugins.stack_pages import DEVICE, MORNING, closing, opening, page

JAM = Interruption(after_sheet=2, code="feeder_jam", at=MORNING)


def begun(home: Path, **other: Any) -> Journal:
    return Journal.begin(home, opening(**other))


def seen(journal: Journal) -> tuple[Any, ...]:
    """All that a journal says."""
    return (
        journal.opening,
        journal.pages,
        journal.untaken,
        journal.interruptions,
        journal.closing,
        journal.set_aside,
        journal.is_ended,
        journal.sheets,
    )


def again(home: Path, journal: Journal) -> Journal:
    return Journal.open(home, journal.key)


def test_a_new_process_finds_all_that_was_noted(tmp_path: Path) -> None:
    journal = begun(tmp_path, received_at=MORNING, expected_sheets=3)
    spool = journal.new_spool()
    for number in (1, 2, 3):
        journal.note_page(page(spool, number))
    journal.note_interruption(JAM)
    journal.note_page(page(journal.new_spool(), 2, attempt=2))
    journal.note_device_held(by_house=False)
    journal.note_closing(closing(journal.pages, journal.interruptions))
    journal.note_taken(1, 1)
    found = again(tmp_path, journal)
    assert seen(found) == seen(journal)
    assert [(each.page.facts.number, each.attempt) for each in found.untaken] == [(2, 2), (3, 1)]
    assert [each.by_house for each in found.device_held] == [False]
    assert found.pages[2].page.path.read_bytes() == b"page 2 attempt 2"


def test_a_page_counts_only_when_its_line_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = begun(tmp_path)
    scanned = page(journal.new_spool(), 1)
    lines, synced = journal.folder / "pages.jsonl", []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), lines.stat()):
            synced.append(lines.read_bytes().count(b"\n"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    journal.note_page(scanned)
    assert synced == [1]


def test_a_second_attempt_overwrites_nothing(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    first = page(journal.new_spool(), 5)
    journal.note_page(first)
    second = page(journal.new_spool(), 5, attempt=2)
    assert first.page.path.read_bytes() == b"page 5 attempt 1"
    assert journal.pages[5] == first
    journal.note_page(second)
    assert journal.pages[5] == second
    assert journal.next_attempt(5) == 3
    assert journal.next_attempt(6) == 1


def test_the_same_page_twice_is_one_and_another_in_its_place_is_refused(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    spool = journal.new_spool()
    first = page(spool, 1)
    journal.note_page(first)
    journal.note_page(first)
    other = page(journal.new_spool(), 1, body=b"something else")
    with pytest.raises(ValueError, match="not any more"):
        journal.note_page(other)
    with pytest.raises(ValueError, match="in no spool"):
        journal.note_page(page(Spool(tmp_path / "elsewhere"), 2))
    assert again(tmp_path, journal).pages == {1: first}


def test_a_page_after_the_closing_withdraws_it(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.note_page(page(journal.new_spool(), 1))
    journal.note_closing(closing(journal.pages, []))
    assert journal.closing is not None
    journal.note_page(page(journal.new_spool(), 1, attempt=2))
    assert again(tmp_path, journal).closing is None


def test_pages_noted_before_they_named_their_device_still_count(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    made = page(journal.new_spool(), 1)
    marked = replace(made.page, facts=replace(made.page.facts, device=DEVICE.mark))
    journal.note_page(replace(made, page=marked))
    assert again(tmp_path, journal).pages[1].page.facts.device == DEVICE.mark
    lines = journal.folder / "pages.jsonl"
    said = json.loads(lines.read_text("utf-8"))
    del said["page"]["facts"]["device"]
    lines.write_text(json.dumps(said) + "\n", "utf-8")
    assert again(tmp_path, journal).pages == {1: made}


def test_only_sheets_with_all_their_sides_are_whole(tmp_path: Path) -> None:
    journal = begun(tmp_path, feed=Feed.DUPLEX)
    spool = journal.new_spool()
    for number in (1, 2, 3):
        journal.note_page(page(spool, number, feed=Feed.DUPLEX))
    assert journal.sheets == 1
    journal.note_page(page(spool, 4, feed=Feed.DUPLEX))
    assert journal.sheets == 2


def test_a_file_without_a_line_is_cleared_before_the_next_run(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    spool = journal.new_spool()
    counted, unnoted = page(spool, 1), page(spool, 2)
    journal.note_page(counted)
    found = again(tmp_path, journal)
    assert found.pages == {1: counted}
    assert unnoted.page.path.exists()
    found.new_spool()
    assert not unnoted.page.path.exists()
    assert counted.page.path.exists()


ACTS = ("page", "held", "again", "interruption", "closing", "page")


def history(home: Path, acts: Sequence[str]) -> tuple[Journal, dict[int, tuple[Any, ...]]]:
    """A journal, and what it said when its file had so many bytes."""
    journal = begun(home)
    states = {0: seen(journal)}
    for act in acts:
        done(journal, act)
        states[(journal.folder / "pages.jsonl").stat().st_size] = seen(journal)
    return journal, states


def test_a_journal_cut_at_any_byte_is_what_was_whole_before(tmp_path: Path) -> None:
    journal, states = history(tmp_path, ACTS)
    lines = journal.folder / "pages.jsonl"
    for cut in range(max(states), -1, -1):
        os.truncate(lines, cut)
        whole = max(length for length in states if length <= cut)
        assert seen(again(tmp_path, journal)) == states[whole], cut


@settings(max_examples=25, deadline=None)
@given(
    acts=st.lists(st.sampled_from(ACTS), min_size=1, max_size=6),
    place=st.floats(0, 1),
    tail=st.sampled_from([b"", b"\x00\x00", b"!\n"]),
)
def test_after_a_cut_the_next_line_takes_the_place_of_the_cut_one(
    acts: list[str], place: float, tail: bytes
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal, states = history(Path(folder), acts)
        lines = journal.folder / "pages.jsonl"
        cut = int(place * max(states))
        lines.write_bytes(lines.read_bytes()[:cut] + tail)
        whole = states[max(length for length in states if length <= cut)]
        found = again(Path(folder), journal)
        assert seen(found) == whole
        found.note_interruption(JAM)
        assert again(Path(folder), journal).interruptions == [*whole[3], JAM]


def done(journal: Journal, act: str) -> None:
    """Do one thing that scanning does."""
    number = len(journal.pages)
    if act == "page":
        journal.note_page(page(journal.new_spool(), number + 1))
    elif act == "again" and number:
        attempt = journal.next_attempt(number)
        journal.note_page(page(journal.new_spool(), number, attempt=attempt))
    elif act == "interruption":
        journal.note_interruption(JAM)
    elif act == "closing":
        journal.note_closing(closing(journal.pages, journal.interruptions))
    elif act == "held":
        journal.note_device_held(by_house=True)


def test_a_line_changed_in_the_midst_is_damage_and_the_other_stacks_go_on(tmp_path: Path) -> None:
    sound, broken, foreign = begun(tmp_path), begun(tmp_path), begun(tmp_path)
    spool = broken.new_spool()
    for number in (1, 2):
        broken.note_page(page(spool, number))
    lines = broken.folder / "pages.jsonl"
    lines.write_bytes(lines.read_bytes().replace(b'"event"', b'"event', 1))
    (foreign.folder / "stack.json").write_text('{"version": 2}')
    with pytest.raises(JournalDamaged):
        again(tmp_path, broken)
    assert [each.key for each in journals(tmp_path)] == [sound.key]
    texts = sorted(error.operator_text for error in damaged(tmp_path))
    assert len(texts) == 2
    assert all("beschädigt" in text for text in texts)


def test_stacks_are_listed_oldest_first_whatever_the_clock_says(tmp_path: Path) -> None:
    keys = [begun(tmp_path, opened_at=MORNING.replace(hour=12 - n)).key for n in range(4)]
    assert [journal.key for journal in journals(tmp_path)] == keys


def test_a_key_that_leads_elsewhere_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="UUID"):
        Journal.open(tmp_path, "../elsewhere")
    journal = begun(tmp_path)
    with pytest.raises(FileExistsError):
        Journal.begin(tmp_path, journal.opening)


def test_only_a_confirmed_stack_can_be_removed(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.note_page(page(journal.new_spool(), 1))
    with pytest.raises(ValueError, match="not confirmed"):
        journal.remove()
    journal.note_ended()
    with again(tmp_path, journal).scanning(), pytest.raises(Held):
        journal.remove()
    assert journal.folder.exists()
    journal.remove()
    assert not journal.folder.exists()
    assert list((tmp_path / "locks").iterdir()) == []
    with pytest.raises(FileNotFoundError):
        Journal.open(tmp_path, journal.key)


def test_a_removal_that_was_cut_off_is_finished_by_the_next_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = begun(tmp_path)
    journal.note_page(page(journal.new_spool(), 1))
    journal.note_ended()

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", killed)
        journal.remove()
    assert journal.folder.exists()
    assert journals(tmp_path) == []
    begun(tmp_path)
    assert not journal.folder.exists()


def test_two_processes_neither_scan_nor_carry_one_stack_at_once(tmp_path: Path) -> None:
    mine = begun(tmp_path)
    other = again(tmp_path, mine)
    spool = mine.new_spool()
    with mine.scanning():
        with pytest.raises(Held):
            other.note_interruption(JAM)
        other.note_taken(1, 1)
        mine.note_page(page(spool, 1))
    assert other.pages == mine.pages
    with mine.carrying(), pytest.raises(Held):
        other.note_ended()


def test_a_lock_is_free_after_its_holder(tmp_path: Path) -> None:
    for _ in range(3):
        with held(tmp_path / "lock"), pytest.raises(Held), held(tmp_path / "lock"):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_loses_no_page_that_counted(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    spool = journal.new_spool()
    pages = [page(spool, number) for number in (1, 2, 3)]
    journal.note_page(pages[0])
    size = (journal.folder / "pages.jsonl").stat().st_size
    with no_file_above(size + 20), pytest.raises(SpoolFull):
        journal.note_page(pages[1])
    assert again(tmp_path, journal).pages == {1: pages[0]}
    journal.note_page(pages[1])
    journal.note_page(pages[2])
    assert list(again(tmp_path, journal).pages.values()) == pages
