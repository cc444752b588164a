"""However a scan over eSCL ends, its job is ended too, and what cannot be trusted is no page."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from PIL import Image
from typing_extensions import override

from scanners.device import (
    DeviceGone,
    DeviceStalled,
    Feed,
    FeederJam,
    Mode,
    PageTruncated,
    ScanCancelled,
    ScanFault,
    ScannedPage,
    ScanSettings,
    SettingRefused,
    Spool,
    SpoolFull,
)
from scanners.escl import EsclDriver
from scanners.escl.looking import Looking
from scanners.escl.session import EsclSession
from tests.plugins.escl_device import EsclDevice, serving
from tests.plugins.escl_looking import Directly
from tests.plugins.escl_pages import picture
from tests.plugins.installation import PATIENCE

SETTINGS = ScanSettings(mode=Mode.GREY, dpi=100, timeout=PATIENCE)
BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<ScannerCapabilities><Version>&c;</Version></ScannerCapabilities>"""
FILE = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<ScannerCapabilities><MakeAndModel>&a;</MakeAndModel></ScannerCapabilities>"""


@pytest.fixture
def device() -> Iterator[EsclDevice]:
    with serving(EsclDevice(pages=[picture(number) for number in range(1, 5)])) as running:
        yield running


def opened(device: EsclDevice, folder: Path, settings: ScanSettings = SETTINGS) -> EsclSession:
    return EsclDriver(looking=Directly).open(device.url, settings, Spool(folder))


def ended(
    device: EsclDevice, folder: Path, settings: ScanSettings = SETTINGS
) -> tuple[ScanFault, list[ScannedPage]]:
    pages: list[ScannedPage] = []
    with opened(device, folder, settings) as session, pytest.raises(ScanFault) as caught:
        pages.extend(session.pages())  # what came before the fault counts
    return caught.value, pages


def test_a_consumer_that_stops_reading_ends_the_job(device: EsclDevice, tmp_path: Path) -> None:
    session = opened(device, tmp_path)
    pages = session.pages()
    next(pages)
    pages.close()  # type: ignore[attr-defined]  # a generator
    assert device.deleted == [device.jobs[0].path]


def test_a_consumer_that_fails_ends_the_job(device: EsclDevice, tmp_path: Path) -> None:
    def consume() -> None:
        with opened(device, tmp_path) as session:
            for _ in session.pages():
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()
    assert device.deleted == [device.jobs[0].path]


def test_a_full_disk_keeps_the_pages_so_far_and_ends_the_job(
    device: EsclDevice, tmp_path: Path
) -> None:
    class Full(Spool):
        @override
        def keep(self, *given: Any, **named: Any) -> ScannedPage:
            if given[2].number == 3:
                raise SpoolFull("no room", pages_done=2)
            return super().keep(*given, **named)

    with EsclDriver(looking=Directly).open(device.url, SETTINGS, Full(tmp_path)) as session:
        pages = session.pages()
        kept = [next(pages), next(pages)]
        with pytest.raises(SpoolFull) as caught:
            next(pages)
    assert (caught.value.pages_done, len(kept)) == (2, 2)
    assert device.deleted == [device.jobs[0].path]


def test_cancelling_wakes_a_transfer_that_hangs_on_a_half_open_socket(
    device: EsclDevice, tmp_path: Path
) -> None:
    device.trouble[2] = "hang"
    settings = ScanSettings(mode=Mode.GREY, dpi=100, timeout=PATIENCE)
    with opened(device, tmp_path, settings) as session:
        begun = threading.Event()
        session.progress = lambda page, size: begun.set() if page == 2 else None
        pages = session.pages()
        next(pages)

        def cancel() -> None:
            begun.wait(PATIENCE)
            session.cancel()

        cancelling = threading.Thread(target=cancel)
        cancelling.start()
        with pytest.raises(ScanCancelled) as caught:
            next(pages)
        cancelling.join()
    assert caught.value.pages_done == 1
    assert device.jobs[0].deleted
    assert [path.name for path in tmp_path.iterdir()] == ["000001.jpg"]


@pytest.mark.parametrize(
    ("said", "waited"),
    [("7", 7.0), ("0", 0.2), ("3600", 30.0), ("Thu, 26 Nov 2026 04:00:00 GMT", 1.0)],
)
def test_a_busy_device_is_left_alone_for_as_long_as_it_says(
    device: EsclDevice, tmp_path: Path, said: str, waited: float
) -> None:
    waits: list[float | None] = []

    class Clock(threading.Event):
        @override
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            if len(waits) == 2:
                device.instead.clear()
            return self.is_set()

    device.instead["/ScanJobs"] = (503, {"Retry-After": said}, b"")
    with opened(device, tmp_path) as session:
        session._cancelled = Clock()
        assert len(list(session.pages())) == 4
    assert waits == [waited, waited]


def test_a_jam_that_was_there_before_is_said_and_not_waited_for(
    device: EsclDevice, tmp_path: Path
) -> None:
    device.feeder = "ScannerAdfJam"
    device.instead["/ScanJobs"] = (503, {"Retry-After": "30"}, b"")
    assert type(ended(device, tmp_path)[0]) is FeederJam


def test_the_glass_gives_one_page_whatever_the_feeder_says(
    device: EsclDevice, tmp_path: Path
) -> None:
    device.feeder = "ScannerAdfEmpty"
    settings = ScanSettings(mode=Mode.GREY, dpi=100, timeout=PATIENCE, feed=Feed.FLATBED)
    device.trouble[1] = "busy"
    with opened(device, tmp_path, settings) as session:
        pages = list(session.pages())
    assert [(page.facts.sheet, page.facts.side) for page in pages] == [(1, "front")]
    assert device.jobs[0].deleted
    assert b"<pwg:InputSource>Platen<" in device.requests[0]


@pytest.mark.parametrize(("state", "kind"), [("Canceled", ScanCancelled), ("Aborted", DeviceGone)])
def test_a_job_that_was_stopped_at_the_device_is_not_the_end_of_the_stack(
    device: EsclDevice, tmp_path: Path, state: str, kind: type[ScanFault]
) -> None:
    device.ended = state
    error, pages = ended(device, tmp_path)
    assert type(error) is kind
    assert "am Gerät abgebrochen" in error.operator_text
    assert error.pages_done == len(pages) == 4


def test_a_request_the_device_does_not_take_moves_no_sheet(
    device: EsclDevice, tmp_path: Path
) -> None:
    device.instead["/ScanJobs"] = (409, {}, b"")
    error, pages = ended(device, tmp_path)
    assert isinstance(error, SettingRefused)
    assert (pages, len(device.pages)) == ([], 4)


@pytest.mark.parametrize(
    ("form", "media_type", "ending"),
    [
        ("PNG", "image/png", ".png"),
        ("TIFF", "image/tiff", ".tif"),
        ("PDF", "application/pdf", ".pdf"),
    ],
)
def test_other_forms_of_a_page_are_kept_as_they_are_and_their_ends_looked_for(
    device: EsclDevice, tmp_path: Path, form: str, media_type: str, ending: str
) -> None:
    device.media_type = media_type
    whole = picture(1, form=form)
    device.pages = [whole, whole[: len(whole) // 2]]
    error, pages = ended(device, tmp_path)
    assert isinstance(error, PageTruncated)
    assert [page.path.name for page in pages] == [f"000001{ending}"]
    assert pages[0].path.read_bytes() == whole
    assert (pages[0].facts.width, pages[0].facts.height) == (827, 1169)
    assert [path.name for path in tmp_path.iterdir()] == [f"000001{ending}"]


def test_a_pdf_of_a_cut_jpeg_of_two_pages_or_of_no_image_is_no_page(
    device: EsclDevice, tmp_path: Path
) -> None:
    device.media_type = "application/pdf"
    for content, said in (
        (pdf(picture(1)[:-900]), "no end marker"),
        (pdf(picture(1), picture(2)), "2 pages"),
        (pdf(b""), "no image"),
    ):
        device.pages, device.feeder = [content], "ScannerAdfLoaded"
        error, pages = ended(device, tmp_path)
        assert (type(error), pages) == (PageTruncated, [])
        assert said in str(error)


def pdf(*jpegs: bytes) -> bytes:
    written, document = io.BytesIO(), pikepdf.new()
    for jpeg in jpegs:
        page = document.add_blank_page(page_size=(595, 842))
        if jpeg:
            named = {"Type": "/XObject", "Subtype": "/Image", "Width": 827, "Height": 1169}
            named |= {"ColorSpace": "/DeviceGray", "BitsPerComponent": 8, "Filter": "/DCTDecode"}
            keys = {
                f"/{key}": pikepdf.Name(value) if isinstance(value, str) else value
                for key, value in named.items()
            }
            image = pikepdf.Stream(document, jpeg, keys)
            name = page.add_resource(image, pikepdf.Name.XObject)
            page.contents_add(f"q 595 0 0 842 0 0 cm {name} Do Q".encode())
    document.save(written)
    return written.getvalue()


def test_a_page_that_brings_its_decoder_down_is_no_page_and_the_scan_lives_on(
    device: EsclDevice, tmp_path: Path
) -> None:
    driver = EsclDriver()
    with driver.open(device.url, SETTINGS, Spool(tmp_path)) as session:
        pages = session.pages()
        kept = [next(pages)]
        looking = session._looking
        assert isinstance(looking, Looking)
        assert looking._child is not None
        os.kill(looking._child.pid, signal.SIGSEGV)
        with pytest.raises(PageTruncated) as caught:
            next(pages)
    assert "brought the decoder down" in str(caught.value)
    assert caught.value.pages_done == len(kept) == 1
    assert device.deleted == [device.jobs[0].path]
    assert (kept[0].facts.width, kept[0].facts.height) == (827, 1169)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(picture(1)[:-900])
    with contextlib.closing(Looking()) as looking:
        with pytest.raises(ValueError, match="no end marker"):
            looking.size_of(broken, "image/jpeg")
        assert looking.size_of(kept[0].path, "image/jpeg") == (827, 1169), "it goes on"


def test_what_is_no_image_is_no_page(device: EsclDevice, tmp_path: Path) -> None:
    device.pages = [b"<html>404</html>"]
    error, pages = ended(device, tmp_path)
    assert (type(error), pages, list(tmp_path.iterdir())) == (PageTruncated, [], [])


def test_a_page_of_600_dpi_a3_in_colour_is_a_page_and_a_larger_one_is_not(
    device: EsclDevice, tmp_path: Path
) -> None:
    device.size = (3508, 4961)
    device.pages = [plain((7016, 9921)), plain((12_300, 12_300))]
    settings = ScanSettings(dpi=600, paper="A3", feed=Feed.FEEDER, timeout=PATIENCE)
    error, pages = ended(device, tmp_path, settings)
    assert [(page.facts.width, page.facts.height) for page in pages] == [(7016, 9921)]
    assert isinstance(error, PageTruncated)
    assert "no scanned page" in str(error)


def plain(size: tuple[int, int]) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, (250, 248, 240)).save(written, "JPEG", quality=30)
    return written.getvalue()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((200, {}, BOMB), DeviceGone),
        ((200, {}, FILE), DeviceGone),
        ((200, {}, b"<a>" * 200_000), DeviceGone),
        ((200, {}, b"<JobInfo>" * 50_000), DeviceGone),
        ((200, {}, b"x" * (3 << 20)), DeviceGone),
        ((200, {}, None), DeviceGone),
        ((200, {"X-Slowly": "yes"}, None), DeviceStalled),
        ((302, {"Location": "http://192.0.2.1/eSCL/ScannerCapabilities"}, b""), DeviceGone),
        ((500, {}, b""), DeviceGone),
    ],
    ids=[
        "entities",
        "file",
        "deep",
        "jobs",
        "huge",
        "endless",
        "byte by byte",
        "redirect",
        "error",
    ],
)
def test_a_hostile_answer_is_no_device(
    device: EsclDevice, tmp_path: Path, answer: Any, kind: type[ScanFault]
) -> None:
    device.instead["ScannerCapabilities"] = answer
    with pytest.raises(kind):
        opened(
            device, tmp_path, replace(SETTINGS, timeout=0.4 if kind is DeviceStalled else PATIENCE)
        )


def test_a_hostile_state_in_mid_stack_keeps_the_pages_so_far(
    device: EsclDevice, tmp_path: Path
) -> None:
    nested = b"<ScannerStatus>" + b"<JobInfo>" * 5_000 + b"</JobInfo>" * 5_000
    device.instead["ScannerStatus"] = (200, {}, nested + b"</ScannerStatus>")
    device.trouble[3] = "conflict"
    error, pages = ended(device, tmp_path)
    assert type(error) is DeviceGone
    assert (error.pages_done, len(pages)) == (2, 2)


def test_what_a_device_says_of_itself_cannot_move_the_cursor(
    device: EsclDevice, tmp_path: Path
) -> None:
    hostile = device.capabilities().replace("Papierlos 3000", "P\x1f" + "9" * 5000)
    hostile = hostile.replace("\x1f", "&#x9b;2J")
    device.instead["ScannerCapabilities"] = (200, {}, hostile.encode())
    with opened(device, tmp_path) as session:
        assert session.device.model == "P2J" + "9" * 297


@pytest.mark.parametrize("location", ["http://[", "nowhere", "", "mailto:x"])
def test_a_job_without_a_place_is_refused(
    device: EsclDevice, tmp_path: Path, location: str
) -> None:
    device.instead["/ScanJobs"] = (201, {"Location": location}, b"")
    assert type(ended(device, tmp_path)[0]) is DeviceGone


def test_the_job_of_another_host_is_asked_of_the_device_itself(
    device: EsclDevice, tmp_path: Path
) -> None:
    device.elsewhere = "http://192.0.2.1:9"
    with opened(device, tmp_path) as session:
        assert len(list(session.pages())) == 4


@pytest.mark.parametrize("dpi", [99, 601, 5000])
def test_an_out_of_range_resolution_is_refused_and_not_rounded(
    device: EsclDevice, tmp_path: Path, dpi: int
) -> None:
    with pytest.raises(SettingRefused) as caught:
        opened(device, tmp_path, ScanSettings(mode=Mode.GREY, dpi=dpi))
    assert "es bietet: 100, 200, 300, 600" in caught.value.operator_text


def test_of_paper_and_threshold_a_wish_is_recorded_and_a_demand_refused(
    device: EsclDevice, tmp_path: Path
) -> None:
    device.modes, device.media_type = ("BlackAndWhite1",), "image/tiff"
    asked = ScanSettings(mode=Mode.BITONAL, depth=1, dpi=100, threshold=210, paper="A3")
    for demand in ("paper", "threshold"):
        wished = tuple({"paper", "threshold"} - {demand})
        with pytest.raises(SettingRefused):
            opened(device, tmp_path, replace(asked, wished=wished))
    with opened(device, tmp_path, replace(asked, wished=("paper", "threshold"))) as session:
        made = session.effective
    assert (made["paper"].requested, made["paper"].effective) == ("A3", "216 × 356 mm")
    assert (made["threshold"].requested, made["threshold"].effective) == (210, None)
    device.threshold = True
    with opened(device, tmp_path, replace(asked, threshold=120, paper="A4")) as session:
        assert session.effective["threshold"].effective == 120
        assert b"<scan:Threshold>120<" in session._request
