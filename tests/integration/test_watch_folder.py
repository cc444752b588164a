"""The watch folder takes every finished file exactly once and says why it does not take others."""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
import unicodedata
from pathlib import Path

import pytest

from ingest.content import completeness, kind_of
from ingest.document import DEFAULT_TENANT, Queue, SourceKind
from scanners.folder.waking import Waking
from tests.plugins.installation import PATIENCE, wait_until
from tests.plugins.watching import House, build, image, looped_tiff, pdf, sha256, tiff


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
        wait_until((house.inbox / ".claimed").is_dir, "the first pass")
        time.sleep(0.5)
        house.drop("a.pdf", pdf())
        wait_until(lambda: bool(house.arrivals()), "the arrival")
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert not thread.is_alive()
    assert house.digests() == [sha256(pdf())]


def test_the_loop_survives_a_missing_inbox_and_goes_on_with_a_new_one(tmp_path: Path) -> None:
    house = build(tmp_path / "data", settle_seconds=0.0, rescan_seconds=0.2)
    stop = threading.Event()
    thread = threading.Thread(target=house.another().run, args=(stop,))
    thread.start()
    try:
        wait_until((house.inbox / ".claimed").is_dir, "the first pass")
        house.inbox.rename(tmp_path / "gone")  # at once: the loop may be writing into it
        time.sleep(0.6)
        house.inbox.mkdir()
        house.drop("a.pdf", pdf())
        wait_until(lambda: bool(house.arrivals()), "the arrival")
    finally:
        stop.set()
        thread.join(PATIENCE)
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
        assert wake.wait(PATIENCE)
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
