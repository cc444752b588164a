"""SANE by its library: pages as the device gave them, settings made or refused.

The devices are Debian's backends `test`, a feeder of ten sheets, and `pnm`, which reads an image.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scanners.device import (
    Feed,
    Mode,
    ScannedPage,
    ScanSettings,
    SettingRefused,
    Spool,
)
from scanners.sane import SaneDriver
from tests.plugins.sane_backends import configured, driver, require_sane

A4 = ScanSettings(mode=Mode.GREY, dpi=50, feed=Feed.FEEDER, timeout=30.0)
FLAT = ScanSettings(mode=Mode.GREY, dpi=75, feed=Feed.FLATBED, paper="A5", timeout=30.0)
A5_AT_75 = (437, 620)  #: pixels


@pytest.fixture(scope="module", autouse=True)
def sane() -> None:
    require_sane()


def scan(driver: SaneDriver, folder: Path, settings: ScanSettings) -> list[ScannedPage]:
    with driver.open("test:0", settings, Spool(folder)) as session:
        return list(session.pages())


def test_a_feeder_is_scanned_to_its_end(tmp_path: Path) -> None:
    sane = driver(tmp_path / "sane")
    told: list[tuple[int, int]] = []
    with sane.open("test:0", A4, Spool(tmp_path / "spool")) as session:
        session.progress = lambda page, size: told.append((page, size))
        pages = list(session.pages())
    assert [(page.facts.number, page.facts.sheet, page.facts.side) for page in pages] == [
        (number, number, "front") for number in range(1, 11)
    ]
    assert sorted(path.name for path in (tmp_path / "spool").iterdir()) == [
        f"{number:06d}.tif" for number in range(1, 11)
    ]
    for page in pages:
        content = page.path.read_bytes()
        assert (page.sha256, page.size) == (hashlib.sha256(content).hexdigest(), len(content))
        assert page.facts.began_at <= page.facts.finished_at
    assert {page for page, _ in told} == set(range(1, 11))


def test_the_devices_are_listed_and_what_they_are_is_known_when_one_is_open(
    tmp_path: Path,
) -> None:
    sane = driver(tmp_path / "sane")
    listed = {each.id: each for each in sane.devices(30.0)}
    assert listed["test:0"].model == "frontend-tester"
    with sane.open("test:0", A4, Spool(tmp_path / "spool")) as session:
        assert (session.device.vendor, session.device.model) == ("Noname", "frontend-tester")
        assert re.fullmatch(r"SANE \d+\.\d+\.\d+", str(session.device.firmware))


@pytest.mark.parametrize(
    ("settings", "mode"),
    [
        (ScanSettings(mode=Mode.BITONAL, depth=1, dpi=75, feed=Feed.FLATBED, paper="A5"), "1"),
        (FLAT, "L"),
        (ScanSettings(mode=Mode.GREY, depth=16, dpi=75, feed=Feed.FLATBED, paper="A5"), "I;16"),
        (ScanSettings(mode=Mode.COLOUR, dpi=75, feed=Feed.FLATBED, paper="A5"), "RGB"),
        (ScanSettings(mode=Mode.COLOUR, depth=16, dpi=75, feed=Feed.FLATBED, paper="A5"), "RGB"),
    ],
)
def test_every_mode_is_a_tiff_that_shows_what_lay_on_the_glass(
    tmp_path: Path, settings: ScanSettings, mode: str
) -> None:
    (page,) = scan(driver(tmp_path / "sane"), tmp_path / "spool", settings)
    with Image.open(page.path) as image:
        image.load()
        assert (image.mode, image.size) == (mode, A5_AT_75)
        assert image.info["dpi"] == (75.0, 75.0)
        grey = image if mode in ("1", "L") else image.convert("RGB").convert("L")
        if mode == "I;16":
            grey = image.point(lambda value: value / 257).convert("L")
        middles = [grey.getpixel((round((x + 0.5) * 29.53), 15)) for x in range(14)]
    assert middles == [255, 0] * 7, "squares of ten millimetres, the first one white"
    assert (page.facts.width, page.facts.height) == A5_AT_75
    assert page.facts.depth == settings.depth


def test_sixteen_bits_stand_in_the_order_that_the_file_says(tmp_path: Path) -> None:
    sane = driver(tmp_path / "sane", test_picture='"Color pattern"')
    deep = ScanSettings(mode=Mode.GREY, depth=16, dpi=75, feed=Feed.FLATBED, paper="A5")
    (page,) = scan(sane, tmp_path / "spool", deep)
    with Image.open(page.path) as image:
        pixels = np.asarray(image).astype(int)
    here = pixels[300, 100]
    assert (pixels[300, 101], pixels[301, 100]) == (here + 256, here + 1), "as the pattern grows"


@pytest.mark.parametrize(("kind", "mode"), [("L", Mode.GREY), ("RGB", Mode.COLOUR)])
def test_an_image_arrives_pixel_by_pixel(tmp_path: Path, kind: str, mode: Mode) -> None:
    image = Image.effect_noise(A5_AT_75, 80).convert(kind)
    if kind == "RGB":
        image = Image.merge(
            "RGB", (image.getchannel(0), Image.new("L", A5_AT_75, 40), image.getchannel(2))
        )
    source = tmp_path / "page.pnm"
    image.save(source, "PPM")
    sane = SaneDriver(
        environment=configured(tmp_path / "sane"), options={"pnm:0": {"filename": str(source)}}
    )
    settings = ScanSettings(mode=mode, dpi=75, feed=Feed.FLATBED, paper="A5")
    with sane.open("pnm:0", settings, Spool(tmp_path / "spool")) as session:
        (page,) = session.pages()
        assert session.effective["filename"].effective == str(source)
    with Image.open(page.path) as arrived:
        assert arrived.tobytes() == image.tobytes()


def test_a_device_without_modes_has_to_have_the_one_demanded_by_itself(tmp_path: Path) -> None:
    Image.new("L", A5_AT_75, 90).save(tmp_path / "page.pgm")
    sane = SaneDriver(
        environment=configured(tmp_path / "sane"),
        options={"pnm:0": {"filename": str(tmp_path / "page.pgm")}},
    )
    for wrong in (
        ScanSettings(mode=Mode.COLOUR, dpi=75, feed=Feed.FLATBED, paper="A5"),
        ScanSettings(mode=Mode.GREY, dpi=75, feed=Feed.FLATBED, paper="A4"),
    ):
        with pytest.raises(SettingRefused) as caught:
            sane.open("pnm:0", wrong, Spool(tmp_path / "spool"))
        assert "Es wurde kein Blatt eingezogen" in caught.value.operator_text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (ScanSettings(mode=Mode.GREY, dpi=5000, feed=Feed.FEEDER), "resolution = 5000 nicht"),
        (ScanSettings(mode=Mode.GREY, dpi=75, feed=Feed.DUPLEX), "source = duplex nicht"),
        (ScanSettings(mode=Mode.GREY, dpi=75, depth=12, feed=Feed.FEEDER), "depth = 12 nicht"),
        (ScanSettings(mode=Mode.GREY, dpi=75, feed=Feed.FEEDER, paper="A3"), "höchstens 300 mm"),
        (
            ScanSettings(mode=Mode.BITONAL, dpi=75, feed=Feed.FEEDER, threshold=128),
            "threshold = 128 nicht",
        ),
    ],
)
def test_what_the_device_cannot_do_is_refused_and_never_rounded(
    tmp_path: Path, settings: ScanSettings, said: str
) -> None:
    with pytest.raises(SettingRefused) as caught:
        driver(tmp_path / "sane").open("test:0", settings, Spool(tmp_path / "spool"))
    assert said in caught.value.operator_text
    assert "Es wurde kein Blatt eingezogen" in caught.value.operator_text
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_was_asked_and_what_the_device_made_of_it_are_recorded(tmp_path: Path) -> None:
    letter = ScanSettings(mode=Mode.GREY, dpi=50, feed=Feed.FLATBED, paper="letter")
    sane = driver(tmp_path / "sane")
    with sane.open("test:0", letter, Spool(tmp_path / "spool")) as session:
        made = session.effective
    assert (made["mode"].requested, made["mode"].effective) == ("grey", "Gray")
    assert made["resolution"].effective == 50
    assert (made["br-x"].requested, made["br-x"].effective) == (215.9, 216.0)
    assert made["br-x"].inexact, "the backend said that it rounded"
    assert not made["resolution"].inexact


def test_rows_lose_what_the_backend_pads_them_with(tmp_path: Path) -> None:
    (plain,) = scan(driver(tmp_path / "one"), tmp_path / "plain", FLAT)
    (lossy,) = scan(driver(tmp_path / "two", ppl_loss="7"), tmp_path / "lossy", FLAT)
    width, height = lossy.facts.width, lossy.facts.height
    assert (width, height) == (A5_AT_75[0] - 7, A5_AT_75[1])
    with Image.open(plain.path) as whole, Image.open(lossy.path) as cut:
        assert cut.tobytes() == whole.crop((0, 0, A5_AT_75[0] - 7, A5_AT_75[1])).tobytes()


def test_a_hand_scanner_ends_where_the_hand_stops(tmp_path: Path) -> None:
    (page,) = scan(driver(tmp_path / "sane", hand_scanner="true"), tmp_path / "spool", FLAT)
    with Image.open(page.path) as image:
        image.load()
        assert image.size == (page.facts.width, page.facts.height)
        assert image.height > 100
    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["000001.tif"]


def test_an_interrupted_stack_goes_on_with_the_next_number(tmp_path: Path) -> None:
    sane = driver(tmp_path / "sane")
    with sane.open("test:0", A4, Spool(tmp_path / "spool"), first=4) as session:
        pages = list(session.pages())
    assert [page.facts.number for page in pages] == list(range(4, 14))
    assert pages[0].path.name == "000004.tif"
