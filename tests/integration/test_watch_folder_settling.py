"""A file is taken when it is finished, and what never gets there is received as held."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from scanners.folder.settling import is_open_for_writing
from tests.plugins.watching import House, build, image, pdf, sha256, tiff


def test_t01_a_stalled_half_jpeg_is_not_received_and_the_rest_of_it_is_not_lost(
    house: House,
) -> None:
    content = image()
    path = house.drop("brief.jpg", content[: len(content) // 2])
    assert house.settle() == 0
    assert house.pass_after(60).accepted == 0
    assert house.unaccepted()["brief.jpg"].reason_code == "incomplete"
    with path.open("ab") as writer:
        writer.write(content[len(content) // 2 :])
    assert house.settle() == 1
    assert house.digests() == [sha256(content)]


def test_t01_what_is_written_into_a_claimed_file_arrives_as_well(house: House) -> None:
    content = image()
    half = len(content) // 2
    with (house.inbox / "brief.jpg").open("wb", buffering=0) as writer:
        writer.write(content[:half])
        house.pass_after(0)
        # Given up: the half is received as held, but its file is not removed under the writer.
        assert house.pass_after(900).accepted == 1
        assert len(house.claims()) == 1
        writer.write(content[half:])
        assert house.pass_after(5).accepted == 0
        assert len(house.claims()) == 1
    house.settle()
    house.settle()
    assert house.digests() == sorted([sha256(content[:half]), sha256(content)])
    assert house.lying() == []
    held = {row["sha256"]: row["standing"] for row in house.arrivals()}
    assert held == {sha256(content[:half]): "held", sha256(content): "ready"}


def test_what_is_received_as_incomplete_says_how_it_can_be_released(house: House) -> None:
    house.drop("brief.jpg", image()[:200])
    house.pass_after(0)
    assert house.pass_after(900).accepted == 1
    [row] = house.envelopes()
    assert (row.standing, row.reason_code) == ("held", "incomplete")
    assert "'as_is=yes'" in row.reason


def test_t01_a_file_that_changes_while_it_is_hashed_is_received_again_whole(house: House) -> None:
    first, second = image(shade=1), image(shade=2)
    house.drop("brief.jpg", first)

    class Meddling(type(house.store)):  # type: ignore[misc]  # the class of a fixture's object
        def put(self, tenant, stream):  # type: ignore[no-untyped-def]  # as the base class
            blob = super().put(tenant, stream)
            [path] = [p for p in house.inbox.rglob("brief.jpg") if ".claimed" in p.parts]
            if blob.sha256 == sha256(first):
                path.write_bytes(second)
            return blob

    channel = house.another(store=Meddling(house.settings.data / "store"))
    assert house.settle(channel) == 1
    assert (house.inbox / "brief.jpg").read_bytes() == second
    assert house.settle(channel) == 1
    assert house.digests() == sorted([sha256(first), sha256(second)])
    assert house.lying() == []


def test_t02_a_file_half_written_at_the_start_is_judged_like_any_other(house: House) -> None:
    content = pdf("x" * 5000)
    path = house.drop("alt.pdf", content[:3000])
    os.utime(path, (1, 1))
    fresh = house.another()
    assert house.settle(fresh) == 0
    path.write_bytes(content)
    assert house.settle(fresh) == 1
    assert house.digests() == [sha256(content)]


def test_a_tiff_that_grows_page_by_page_needs_its_quiet_time(house: House) -> None:
    path = house.drop("stapel.tif", tiff(1))
    house.pass_after(0)
    for pages in (2, 3):
        path.write_bytes(tiff(pages))
        assert house.pass_after(1.5).accepted == 0
    assert house.pass_after(2).accepted == 1
    assert house.digests() == [sha256(tiff(3))]


def test_a_file_open_for_writing_waits_however_whole_it_looks(house: House) -> None:
    with (house.inbox / "a.jpg").open("wb") as writer:
        writer.write(image())
        writer.flush()
        assert house.settle() == 0
        assert house.pass_after(30).accepted == 0
        assert "geschrieben" in house.unaccepted()["a.jpg"].operator_text
    assert house.pass_after(5).accepted == 1


def _refuse_leases(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    real = fcntl.fcntl

    def refuse(descriptor: int, command: int, argument: int = 0) -> int:
        if command == fcntl.F_SETLEASE:
            raise OSError(number, os.strerror(number))
        return real(descriptor, command, argument)

    monkeypatch.setattr(fcntl, "fcntl", refuse)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EINVAL, errno.ENOLCK])
def test_a_tiff_waits_longer_where_nobody_can_tell_whether_it_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    house = build(tmp_path / "data", unknown_writer_seconds=10.0)
    _refuse_leases(monkeypatch, number)
    path = house.drop("stapel.tif", tiff(1))
    house.drop("a.jpg", image())
    house.drop("b.png", image("PNG"))
    house.drop("c.pdf", pdf())
    house.drop("d.tif", tiff(2))
    house.drop("d.tif.ready", b"")
    assert house.pass_after(0).accepted == 1
    assert house.pass_after(2).accepted == 3
    assert "Fertig-Marke" in house.unaccepted()["stapel.tif"].operator_text
    path.write_bytes(tiff(3))
    assert house.pass_after(8).accepted == 0
    result = house.pass_after(9.5)
    assert (result.accepted, result.due_in) == (0, 0.5)
    assert house.pass_after(0.5).accepted == 1
    assert sha256(tiff(3)) in house.digests()
    house.ledger.close()


def test_nobody_can_tell_whether_another_accounts_file_is_open_without_the_right_to() -> None:
    theirs = Path("/etc/passwd")
    if os.geteuid() == theirs.stat().st_uid:
        os.seteuid(65534)
        try:
            assert is_open_for_writing(theirs) is None
        finally:
            os.seteuid(0)
    else:
        assert is_open_for_writing(theirs) is None


def test_a_ready_marker_spares_the_quiet_time_and_goes_with_its_file(house: House) -> None:
    house.drop("a.tif", tiff(2))
    house.drop("a.tif.ready", b"")
    assert house.pass_after(0).accepted == 1
    assert house.lying() == []


def test_a_ready_marker_does_not_close_a_file_that_is_not_whole(house: House) -> None:
    house.drop("a.jpg", image()[:200])
    house.drop("a.jpg.ready", b"")
    assert house.settle() == 0
    assert house.unaccepted()["a.jpg"].reason_code == "incomplete"


def test_a_ready_marker_left_from_an_earlier_file_closes_nothing(house: House) -> None:
    marker = house.drop("Scan0001.tif.ready", b"")
    os.utime(marker, (1, 1))
    house.drop("Scan0001.tif", tiff(1))
    assert house.pass_after(0).accepted == 0


def test_a_ready_marker_without_its_file_is_listed(house: House) -> None:
    house.drop("weg.pdf.ready", b"")
    house.settle()
    entry = house.unaccepted()["weg.pdf.ready"]
    assert entry.reason_code == "companion_without_file"
    assert "weg.pdf" in entry.operator_text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("leer.pdf", b""),
        ("kurz.jpg", image()[:300]),
        ("kurz.png", image("PNG")[:300]),
        ("kurz.tif", tiff(2)[:-20]),
        ("kurz.pdf", pdf()[:60]),
    ],
)
def test_a_file_that_never_becomes_whole_is_received_as_held(
    house: House, name: str, content: bytes
) -> None:
    house.drop(name, content)
    assert house.settle() == 0
    assert house.unaccepted()[name].operator_text
    assert house.pass_after(900).accepted == 1
    [arrival] = house.arrivals()
    assert arrival["standing"] == "held"
    assert name in arrival["reason"]
    assert "Bitte" in arrival["reason"]
    assert house.lying() == []
    assert house.unaccepted() == {}


def test_a_file_that_still_grows_is_never_given_up(house: House) -> None:
    content = image()
    path = house.drop("langsam.jpg", b"")
    for step in range(10):
        path.write_bytes(content[: step * 20])
        assert house.pass_after(800).accepted == 0
    assert house.arrivals() == []
