"""A claim has one owner, is taken over when that one is gone, and never tears what it moves."""

from __future__ import annotations

import base64
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from scanners.folder import claiming, moving
from scanners.folder.claiming import Claim, ClaimLostToOther, Claims, Owner
from scanners.folder.listing import Entry, list_inbox
from tests.plugins.watching import House, image, pdf, sha256


def _claimed(house: House, owner: Owner) -> Claim:
    claims = Claims(house.inbox, 60.0, lambda: house.now)
    (house.inbox / ".claimed").mkdir(exist_ok=True)
    listing = list_inbox(house.inbox, [])
    claim = claims.claim(list(listing.folders[0].entries.values()))
    claim.write_note(owner)
    return claim


def test_t07_the_claim_of_a_living_watcher_is_left_alone_until_nobody_touches_it(
    house: House,
) -> None:
    house.drop("a.pdf", pdf())
    claim = _claimed(house, Owner.current())
    assert house.pass_after(0).accepted == 0
    assert house.pass_after(59).accepted == 0
    os.utime(claim.path / ".owner")
    assert house.pass_after(59).accepted == 0
    assert house.pass_after(59).accepted == 0
    assert house.pass_after(2).accepted == 1
    assert house.digests() == [sha256(pdf())]


def test_the_claim_of_another_machine_is_taken_over_when_nobody_touches_it(house: House) -> None:
    house.drop("a.pdf", pdf())
    _claimed(house, Owner("another boot/pid:[1]", 1, 1))
    assert house.pass_after(0).accepted == 0
    assert house.pass_after(60).accepted == 1


def test_the_claim_of_a_process_that_ended_is_taken_over_at_once(house: House) -> None:
    house.drop("a.pdf", pdf())
    here = Owner.current()
    # The number is in use again, by a process that started at another time.
    _claimed(house, Owner(here.place, here.pid, here.started - 1))
    assert house.pass_after(0).accepted == 1


def test_a_claim_whose_note_was_lost_returns_after_a_while(house: House) -> None:
    house.drop("a.pdf", pdf())
    claim = _claimed(house, Owner.current())
    (claim.path / ".owner").write_bytes(b"")
    assert house.pass_after(0).accepted == 0
    assert house.pass_after(60).accepted == 1
    assert house.digests() == [sha256(pdf())]


def test_an_owner_that_wakes_up_after_a_takeover_makes_no_second_receipt(house: House) -> None:
    class Slow:
        def __getattr__(self, name: str) -> Any:
            if name == "accept":

                def overtaken(arrival: Any) -> Any:
                    [claim] = house.claims()
                    (claim / ".owner").unlink()
                    house.pass_after(0)
                    house.pass_after(60)
                    assert house.digests() == [sha256(pdf())]
                    return house.ledger.accept(arrival)

                return overtaken
            return getattr(house.ledger, name)

    house.drop("a.pdf", pdf())
    slow = house.another(ledger=Slow())
    house.settle(slow)
    house.pass_after(5, slow)
    assert house.digests() == [sha256(pdf())]
    assert house.lying() == []


def test_a_claimed_file_known_to_the_ledger_with_other_bytes_arrives_anew(house: House) -> None:
    house.drop("a.pdf", pdf("first"))
    with (house.inbox / "a.pdf").open("ab"):
        house.pass_after(0)
        house.pass_after(900)
    [claimed] = house.inbox.rglob(".claimed/*/a.pdf")
    claimed.write_bytes(pdf("second"))
    house.drop("a.pdf", pdf("third"))
    house.pass_after(0)
    assert sorted(path.name for path in house.inbox.glob("*.pdf")) == ["a (2).pdf", "a.pdf"]
    house.settle()
    assert house.digests() == sorted(sha256(pdf(word)) for word in ("first", "second", "third"))
    assert house.lying() == []


def test_a_note_half_written_at_a_crash_is_no_document(house: House) -> None:
    house.drop("a.pdf", pdf())
    here = Owner.current()
    claim = _claimed(house, Owner(here.place, here.pid, here.started - 1))
    (claim.path / ".owner.new").write_bytes(b'{"place": ')
    assert house.pass_after(0).accepted == 1
    assert house.digests() == [sha256(pdf())]
    assert house.claims() == []


class _Unlistable:
    """Stands before `os.scandir` and fails as a network file system does now and then."""

    def __init__(self, folder: Path, number: int, times: int) -> None:
        self._real = os.scandir
        self._folder = folder
        self._number = number
        self.left = times

    def __call__(self, path: Any = ".") -> Any:
        if not isinstance(path, int) and Path(path) == self._folder and self.left:
            self.left -= 1
            raise OSError(self._number, os.strerror(self._number), str(path))
        return self._real(path)


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.EMFILE])
@pytest.mark.parametrize("times", [1, 2, 100])
def test_a_claim_that_cannot_be_listed_keeps_its_file_and_stops_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch, number: int, times: int
) -> None:
    house.drop("a.pdf", pdf("claimed"))
    here = Owner.current()
    claim = _claimed(house, Owner(here.place, here.pid, here.started - 1))
    house.drop("b.pdf", pdf("other"))
    failing = _Unlistable(claim.path, number, times)
    monkeypatch.setattr(os, "scandir", failing)
    house.settle()
    if times == 100:
        assert f".claimed/{claim.key}" in house.unaccepted()
        assert house.digests() == [sha256(pdf("other"))]
    failing.left = 0
    house.pass_after(5)
    assert house.digests() == sorted([sha256(pdf("claimed")), sha256(pdf("other"))])
    assert house.lying() == []
    assert house.claims() == []


def test_closing_a_claim_removes_nothing_that_appears_meanwhile(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Claim(house.inbox, "01234567-89ab-7def-8123-456789abcdef")
    (claim.path / "archiv").mkdir(parents=True)
    claim.write_note(Owner("x", 1, 1), ["YQ=="])
    real = os.rmdir

    def rmdir(path: Any, *args: Any, **named: Any) -> None:
        (claim.path / "archiv" / "spaet.pdf").write_bytes(pdf())
        real(path, *args, **named)

    monkeypatch.setattr(os, "rmdir", rmdir)
    assert not claim.close()
    assert house.lying() == [sha256(pdf())]
    assert claim.owner() == Owner("x", 1, 1)


def test_a_plan_out_of_reach_is_not_forgotten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {f"{number}.jpg": image(shade=number) for number in (1, 2)}
    for name, content in pages.items():
        house.drop(name, content)
    sources = [{"name": name} for name in pages]
    claim = Claim(house.inbox, "01234567-89ab-7def-8123-456789abcdef")
    claim.path.mkdir(parents=True)
    plan = [base64.b64encode(name.encode()).decode() for name in ("batch.json", *pages)]
    claim.write_note(Owner("x", 1, 1), plan)
    (claim.path / "batch.json").write_text(json.dumps({"sources": sources}))
    (house.inbox / "1.jpg").rename(claim.path / "1.jpg")
    real, is_down = Path.read_text, True

    def read_text(self: Path, *args: Any, **named: Any) -> str:
        if self.name == ".owner" and is_down:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(self, *args, **named)

    monkeypatch.setattr(Path, "read_text", read_text)
    (house.inbox / "2.jpg").rename(house.settings.data / "2.jpg")
    house.pass_after(0)
    house.pass_after(60)
    is_down = False
    (house.settings.data / "2.jpg").rename(house.inbox / "2.jpg")
    house.pass_after(0)
    house.pass_after(60)
    [arrival] = house.arrivals()
    assert house.digests() == sorted(map(sha256, pages.values()))
    assert arrival["standing"] == "ready"


def _entries(house: House, profile: str = "") -> list[Entry]:
    (house.inbox / ".claimed").mkdir(exist_ok=True)
    folders = list_inbox(house.inbox, [profile]).folders
    return [entry for folder in folders for entry in folder.entries.values()]


def _claims(house: House) -> Claims:
    return Claims(house.inbox, 60.0, lambda: house.now)


def _move_failing(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    real = moving.move_from

    def move_from(root: Path, relative: Path, target: Path) -> None:
        if relative.name == name:
            raise OSError(number, os.strerror(number))
        real(root, relative, target)

    monkeypatch.setattr(claiming, "move_from", move_from)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ENOENT])
def test_a_stack_of_which_a_page_cannot_be_moved_is_not_torn(house: House, number: int) -> None:
    pages = {f"{number}.jpg": image(shade=number) for number in (1, 2, 3)}
    for name, content in pages.items():
        house.drop(f"stapel/{name}", content)
    house.drop("stapel/batch.json", b"{}")
    house.drop("anderer.pdf", pdf())
    before = house.lying()
    with pytest.MonkeyPatch.context() as patch:
        _move_failing(patch, "2.jpg", number)
        assert house.settle() == 1
        assert sorted([*house.lying(), sha256(pdf())]) == before
        assert house.claims() == []
        assert (house.inbox / "stapel" / "batch.json").exists()
    assert house.pass_after(5).accepted == 1
    assert house.digests() == sorted([*map(sha256, pages.values()), sha256(pdf())])


def test_a_file_is_not_claimed_without_its_manifest(house: House) -> None:
    house.drop("a.pdf", pdf())
    house.drop("a.pdf.json", b'{"storage_place": "Regal 4"}')
    with pytest.MonkeyPatch.context() as patch:
        _move_failing(patch, "a.pdf.json", errno.EIO)
        assert house.settle() == 0
    assert house.pass_after(5).accepted == 1
    assert [row.storage_place for row in house.envelopes()] == ["Regal 4"]


def test_a_claim_that_could_not_be_given_back_is_completed_later(house: House) -> None:
    house.drop("a.pdf", pdf())
    house.drop("a.pdf.json", b'{"storage_place": "Regal 4"}')

    def stays(path: Path, target: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.MonkeyPatch.context() as patch:
        _move_failing(patch, "a.pdf.json", errno.EIO)
        patch.setattr(claiming, "move", stays)
        assert house.settle() == 0
        assert len(house.claims()) == 1
    assert house.pass_after(5).accepted == 1
    assert [row.storage_place for row in house.envelopes()] == ["Regal 4"]
    assert house.lying() == []


def test_a_folder_swapped_for_a_link_after_the_listing_is_not_reached_through(
    house: House,
) -> None:
    outside = house.settings.data / "fremd"
    outside.mkdir()
    (outside / "a.pdf").write_bytes(pdf("secret"))
    house.drop("archiv/a.pdf", pdf())
    entries = _entries(house, "archiv")
    (house.inbox / "archiv").rename(house.settings.data / "weg")
    (house.inbox / "archiv").symlink_to(outside)
    with pytest.raises(OSError, match=r"directory|symbolic"):
        _claims(house).claim(entries)
    assert (outside / "a.pdf").exists()
    assert house.claims() == []


def test_a_file_swapped_after_the_listing_is_given_back(house: House) -> None:
    house.drop("a.pdf", pdf("judged"))
    entries = _entries(house)
    other = house.drop("b.pdf", pdf("another"))
    other.rename(house.inbox / "a.pdf")
    with pytest.raises(ClaimLostToOther):
        _claims(house).claim(entries)
    assert (house.inbox / "a.pdf").read_bytes() == pdf("another")
    assert house.claims() == []


def test_a_move_is_durable_in_every_folder_it_touches_before_it_is_relied_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.drop("archiv/a.pdf", pdf())
    entries, claims = _entries(house, "archiv"), _claims(house)
    claim = claims.claim(entries)
    synced: set[Path] = set()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.add(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    archive = house.inbox / "archiv"
    claims.sync([archive], [claim])
    assert synced == {archive, house.inbox / ".claimed", claim.path, claim.path / "archiv"}


def test_an_empty_claim_is_cleared_away(house: House) -> None:
    claim = Claim(house.inbox, "01234567-89ab-7def-8123-456789abcdef")
    claim.path.mkdir(parents=True)
    claim.write_note(Owner("x", 1, 1))
    house.pass_after(0)
    house.pass_after(60)
    assert house.claims() == []


def test_a_note_that_points_outside_the_inbox_moves_nothing(house: House) -> None:
    outside = house.settings.data / "fremd.pdf"
    outside.write_bytes(pdf())
    claim = Claim(house.inbox, "01234567-89ab-7def-8123-456789abcdef")
    claim.path.mkdir(parents=True)
    claim.write_note(Owner("x", 1, 1), ["Li4vZnJlbWQucGRm"])  # ../fremd.pdf
    house.pass_after(0)
    house.pass_after(60)
    assert outside.exists()
    assert house.arrivals() == []
