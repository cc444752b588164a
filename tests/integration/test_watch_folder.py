"""The watch folder takes every finished file exactly once and says why it does not take others."""

from __future__ import annotations

import base64
import errno
import fcntl
import os
import shutil
import socket
import threading
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.content import completeness, kind_of
from ingest.document import DEFAULT_TENANT, Queue, SourceKind
from scanners.folder.settling import is_open_for_writing
from scanners.folder.waking import Waking
from tests.plugins.watching import House, build, image, looped_tiff, pdf, sha256, tiff


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A watch folder with two seconds of quiet time and a clock of its own."""
    built = build(tmp_path / "data")
    yield built
    built.ledger.close()


def test_a_finished_file_is_received_after_its_quiet_time_and_removed_last(house: House) -> None:
    content = image()
    house.drop("Brief.jpg", content)
    assert house.pass_after(0).accepted == 0
    assert house.pass_after(1.9).accepted == 0
    assert house.pass_after(0.2).accepted == 1
    [arrival] = house.arrivals()
    assert (arrival["source_name"], arrival["sha256"]) == ("Brief.jpg", sha256(content))
    assert house.store.holds(DEFAULT_TENANT, sha256(content))
    assert house.lying() == []
    assert house.claims() == []
    assert house.hints == [Queue.INSPECTION]
    assert house.unaccepted() == {}


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


def test_the_type_is_told_by_content_not_by_name(house: House) -> None:
    house.drop("eigentlich-ein-bild.pdf", image("PNG"))
    house.drop("ohne-endung", pdf())
    assert house.settle() == 2


def test_t13_what_is_not_taken_is_listed_with_reason_and_remedy(house: House) -> None:
    house.drop("a.pdf.part", pdf())
    house.drop("b.tmp", pdf())
    house.drop("c.PDF.crdownload", pdf())
    house.drop(".versteckt.pdf", pdf())
    house.drop("~$Brief.docx", b"lock")
    house.drop("programm.exe", b"MZ\x00\x01" + bytes(100))
    house.drop("privat/brief.pdf", pdf())
    house.drop("desktop.ini", b"[.ShellClassInfo]")
    outside = house.settings.data / "outside.pdf"
    outside.write_bytes(pdf())
    (house.inbox / "link.pdf").symlink_to(outside)
    os.mkfifo(house.inbox / "pipe.pdf")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(house.inbox)
        listening.bind("socket.pdf")
        os.chdir(here)
        assert house.settle() == 0
    listed = {name: entry.reason_code for name, entry in house.unaccepted().items()}
    assert listed == {
        "a.pdf.part": "unfinished_copy",
        "b.tmp": "unfinished_copy",
        "c.PDF.crdownload": "unfinished_copy",
        ".versteckt.pdf": "hidden_file",
        "~$Brief.docx": "lock_file",
        "programm.exe": "unknown_type",
        "privat": "unknown_folder",
        "privat/brief.pdf": "unknown_folder",
        "link.pdf": "symlink",
        "pipe.pdf": "special_file",
        "socket.pdf": "special_file",
    }
    assert all("Bitte" in entry.operator_text for entry in house.unaccepted().values())
    assert outside.exists()


def test_a_listed_file_leaves_the_list_when_it_is_renamed_and_received(house: House) -> None:
    path = house.drop("a.pdf.part", pdf())
    house.settle()
    first = house.unaccepted()["a.pdf.part"].first_seen_at
    house.pass_after(5)
    assert house.unaccepted()["a.pdf.part"].first_seen_at == first
    path.rename(house.inbox / "a.pdf")
    assert house.settle() == 1
    assert house.unaccepted() == {}


def test_one_bad_file_never_stops_the_others(house: House) -> None:
    house.drop("0-kaputt.jpg", image()[:100])
    house.drop("1-schleife.tif", looped_tiff())
    house.drop("2-gut.pdf", pdf())
    (house.inbox / "3-link").symlink_to("/nonexistent")
    assert house.settle() == 2
    assert (house.inbox / "0-kaputt.jpg").exists()


def test_t08_the_same_bytes_under_two_names_are_two_receipts_and_one_blob(house: House) -> None:
    content = pdf()
    house.drop("erste.pdf", content)
    house.drop("zweite.pdf", content)
    assert house.settle() == 2
    assert sorted(row["source_name"] for row in house.arrivals()) == ["erste.pdf", "zweite.pdf"]
    assert list(house.store.digests(DEFAULT_TENANT)) == [sha256(content)]


def test_t16_the_same_name_from_two_folders_is_received_twice(house: House) -> None:
    house.drop("scan0001.pdf", pdf("root"))
    house.drop("archiv/scan0001.pdf", pdf("archive"))
    assert house.settle() == 2
    assert house.digests() == sorted([sha256(pdf("root")), sha256(pdf("archive"))])
    assert sorted(row.profile for row in house.envelopes()) == ["archiv", "posteingang"]


def test_t23_a_name_used_again_while_the_first_is_still_claimed_overwrites_nothing(
    house: House,
) -> None:
    first, second = pdf("first"), pdf("second")
    house.drop("Scan0001.pdf", first)
    with (house.inbox / "Scan0001.pdf").open("ab"):
        house.pass_after(0)
        assert house.pass_after(900).accepted == 1
        house.drop("Scan0001.pdf", second)
        assert house.settle() == 1
    house.pass_after(5)
    assert house.digests() == sorted([sha256(first), sha256(second)])
    assert house.lying() == []


def test_t18_a_touch_during_intake_makes_no_second_receipt(house: House) -> None:
    content = pdf()
    house.drop("brief.pdf", content)

    def touch(queue: Queue) -> None:
        for path in house.inbox.rglob("brief.pdf"):
            os.utime(path)

    channel = house.another(hint=touch)
    assert house.settle(channel) == 1
    assert house.settle(channel) == 0
    assert house.digests() == [sha256(content)]
    assert house.lying() == []


def test_t07_t19_two_watchers_of_one_inbox_receive_every_file_once(house: House) -> None:
    contents = [pdf(str(number)) for number in range(40)]
    for number, content in enumerate(contents):
        house.drop(f"{number}.pdf", content)
    channels = [house.channel, house.another()]
    for channel in channels:
        channel.pass_once()
    house.now += 2
    threads = [threading.Thread(target=channel.pass_once) for channel in channels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    house.pass_after(5)
    assert house.digests() == sorted(map(sha256, contents))
    assert house.lying() == []


def test_a_thousand_files_go_in_one_pass(house: House) -> None:
    for number in range(1000):
        house.drop(f"{number}.pdf", pdf(str(number)))
    house.pass_after(0)
    assert house.pass_after(2).accepted == 1000
    assert len(set(house.digests())) == 1000


def test_a_name_that_is_no_utf8_is_received_and_its_bytes_are_kept(house: House) -> None:
    raw = "Prüfung.pdf".encode("cp1252")
    (house.inbox / os.fsdecode(raw)).write_bytes(pdf())
    assert house.settle() == 1
    [arrival] = house.arrivals()
    assert arrival["source_name"] == "Pr\ufffdfung.pdf"
    with house.ledger.reading() as connection:
        receipt = connection.exec_driver_sql("SELECT name_base64 FROM batch_source").scalar()
    assert base64.b64decode(str(receipt)) == raw
    assert house.lying() == []


def test_an_undecodable_name_that_is_refused_is_listed(house: House) -> None:
    (house.inbox / os.fsdecode(b"Pr\xfcfung.part")).write_bytes(b"x")
    house.settle()
    assert "Pr\ufffdfung.part" in house.unaccepted()


def test_nfc_and_nfd_twins_are_two_files(house: House) -> None:
    for form in ("NFC", "NFD"):
        house.drop(unicodedata.normalize(form, "Prüfung.pdf"), pdf(form))
    assert house.settle() == 2
    assert [row["source_name"] for row in house.arrivals()] == ["Prüfung.pdf"] * 2
    assert house.digests() == sorted([sha256(pdf("NFC")), sha256(pdf("NFD"))])


def test_the_shift_signed_on_at_an_inbox_names_operator_and_device(house: House) -> None:
    house.drop("vorher.pdf", pdf("before"))
    house.settle()
    house.ledger.begin_shift(DEFAULT_TENANT, "", "MUE", "Scanner 7")
    house.drop("nachher.pdf", pdf("after"))
    house.drop("archiv/anderswo.pdf", pdf("elsewhere"))
    house.settle()
    operators = sorted(
        (row.profile, row.operator or "-", row.device or "-") for row in house.envelopes()
    )
    assert operators == [
        ("archiv", "-", "-"),
        ("posteingang", "-", "-"),
        ("posteingang", "MUE", "Scanner 7"),
    ]


def test_the_loop_wakes_on_an_event_and_stops_when_told(tmp_path: Path) -> None:
    house = build(tmp_path / "data", settle_seconds=0.0, rescan_seconds=300.0)
    stop = threading.Event()
    channel = house.another()
    thread = threading.Thread(target=channel.run, args=(stop,))
    thread.start()
    try:
        time.sleep(0.5)
        house.drop("a.pdf", pdf())
        deadline = time.monotonic() + 20
        while not house.arrivals() and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()
    assert house.digests() == [sha256(pdf())]


def test_the_loop_survives_a_missing_inbox_and_goes_on_with_a_new_one(tmp_path: Path) -> None:
    house = build(tmp_path / "data", settle_seconds=0.0, rescan_seconds=0.2)
    stop = threading.Event()
    thread = threading.Thread(target=house.another().run, args=(stop,))
    thread.start()
    try:
        time.sleep(0.3)
        shutil.rmtree(house.inbox)
        time.sleep(0.6)
        house.inbox.mkdir()
        house.drop("a.pdf", pdf())
        deadline = time.monotonic() + 20
        while not house.arrivals() and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join(20)
    assert house.digests() == [sha256(pdf())]


@pytest.mark.parametrize("polling", [False, True])
def test_the_observer_is_started_again_for_a_folder_made_anew(
    tmp_path: Path, *, polling: bool
) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    wake = threading.Event()
    waking = Waking(folder, wake, polling=polling, seconds=0.1)
    try:
        assert waking.ensure()
        assert not waking.ensure()
        folder.rmdir()
        assert not waking.ensure()
        folder.mkdir()
        assert waking.ensure()
        wake.clear()
        (folder / "a.pdf").write_bytes(pdf())
        assert wake.wait(20)
    finally:
        waking.stop()


def test_real_files_of_every_kind_are_taken_or_named(house: House) -> None:
    corpus = Path(os.environ.get("SCANSTRASSE_CORPUS", "../shared/corpus"))
    if not corpus.is_dir():
        pytest.skip("the corpus of real files is not here")
    dropped = {}
    for path in sorted(corpus.glob("pdf_broken/*")) + sorted(corpus.glob("image_tricky/*")):
        if path.stat().st_size < 3_000_000:
            dropped[path.name] = path.read_bytes()
            house.drop(path.name, dropped[path.name])
    house.settle()
    house.pass_after(900)
    assert house.digests() == sorted(map(sha256, dropped.values()))
    held = {row["source_name"] for row in house.arrivals() if row["standing"] == "held"}
    assert "pillow__truncated_jpeg.jpg" in held
    assert "dss__EmptyPage-corrupted.pdf" in held
    assert "pdfjs__helloworld-bad.pdf" not in held


def test_samples_of_these_tests_are_what_they_claim(tmp_path: Path) -> None:
    for content, kind in (
        (image(), "jpeg"),
        (tiff(2), "tiff"),
        (pdf(), "pdf"),
        (looped_tiff(), "tiff"),
    ):
        path = tmp_path / "sample"
        path.write_bytes(content)
        assert kind_of(path) is SourceKind(kind)
        assert completeness(path, kind_of(path)).complete
