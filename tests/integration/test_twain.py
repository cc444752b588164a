"""TWAIN: the binary interface, and a source driven through states 1 to 7 and every trouble.

The manager is a simulated one behind the C interface. Vendor drivers were not available.
"""

from __future__ import annotations

import ctypes
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typing_extensions import override

from scanners.device import (
    CoverOpen,
    DeviceGone,
    DeviceStalled,
    DoubleFeed,
    Feed,
    FeederEmpty,
    FeederJam,
    Mode,
    PageTruncated,
    ScanCancelled,
    ScanFault,
    ScannedPage,
    ScanSettings,
    SettingRefused,
)
from scanners.device.telling import Telling
from scanners.twain import TwainDriver, abi
from scanners.twain.child import opening
from scanners.twain.dsm import load
from tests.plugins.twain_source import TwainSource

SETTINGS = ScanSettings(mode=Mode.GREY, dpi=100, timeout=0.2)
POINTER = ctypes.sizeof(ctypes.c_void_p)


class Told(Telling):
    def __init__(self, stop_after: int | None = None) -> None:
        super().__init__(io.StringIO())
        self.stop_after, self.seen = stop_after, 0

    @override
    def cancelled(self) -> bool:
        return self.stop_after is not None and self.seen >= self.stop_after


def request(folder: Path, settings: ScanSettings = SETTINGS, first: int = 1) -> dict[str, Any]:
    asked: dict[str, Any] = {"device": "Werkbank ADF", "settings": settings.to_json()}
    return asked | {"spool": str(folder), "first": first}


def scan(
    source: TwainSource, folder: Path, settings: ScanSettings = SETTINGS
) -> tuple[list[ScannedPage], Any]:
    with opening(request(folder, settings), Told(), source.entry) as opened:
        return list(opened.pages()), opened


def interrupted(
    source: TwainSource, folder: Path, settings: ScanSettings = SETTINGS
) -> tuple[ScanFault, list[ScannedPage]]:
    pages: list[ScannedPage] = []

    def scanned() -> None:
        with opening(request(folder, settings), Told(), source.entry) as opened:
            pages.extend(opened.pages())  # what came before the fault counts

    with pytest.raises(ScanFault) as caught:
        scanned()
    return caught.value, pages


@pytest.fixture
def source() -> Iterator[TwainSource]:
    made = TwainSource()
    yield made
    assert made.state == 2, "the manager was not closed in order"
    assert (made.locks, made.memory) == (0, {}), "memory of the manager was not given back"


@pytest.mark.parametrize(
    ("structure", "size"),
    [
        (abi.Fix32, 4),
        (abi.Version, 42),
        (abi.Identity, 156),
        (abi.Capability, 4 + POINTER),
        (abi.OneValue, 6),
        (abi.Enumeration, 14),
        (abi.Span, 22),
        (abi.Array, 6),
        (abi.UserInterface, 4 + POINTER),
        (abi.PendingXfers, 6),
        (abi.ImageInfo, 42),
        (abi.SetupMemXfer, 12),
        (abi.Memory, 8 + POINTER),
        (abi.ImageMemXfer, 34 + POINTER),
        (abi.Status, 4),
        (abi.Callback, 2 + 2 * POINTER),
        (abi.EntryPoint, 4 + 5 * POINTER),
        (abi.Frame, 16),
        (abi.ImageLayout, 28),
        (abi.Info, 8 + POINTER),
    ],
)
def test_structures_have_the_size_of_the_specification(structure: Any, size: int) -> None:
    assert ctypes.sizeof(structure) == size


def test_fields_lie_where_the_specification_puts_them() -> None:
    identity, image, piece = abi.Identity, abi.ImageInfo, abi.ImageMemXfer
    assert (identity.version.offset, identity.protocol_major.offset) == (4, 46)
    assert (identity.supported_groups.offset, identity.product_name.offset) == (50, 122)
    assert (image.bits_per_pixel.offset, image.compression.offset) == (34, 40)
    assert (piece.bytes_per_row.offset, piece.memory.offset) == (2, 26)
    assert abi.OneValue.item.offset == 2
    assert [abi.number(abi.fixed(value)) for value in (300.0, -2.5)] == [300.0, -2.5]


def test_a_stack_in_duplex_with_serial_number_patch_code_and_imprint(
    source: TwainSource, tmp_path: Path
) -> None:
    pages, opened = scan(source, tmp_path)
    assert [(page.facts.sheet, page.facts.side) for page in pages] == [
        (1, "front"),
        (1, "back"),
        (2, "front"),
        (2, "back"),
    ]
    assert opened.told["serial"] == "TW-4711"
    assert pages[2].facts.hints["imprint"] == "Eingang 0003"
    assert pages[2].facts.hints["patch"] == 2
    with Image.open(pages[1].path) as image:
        assert (image.size, image.mode, image.getpixel((5, 5))) == ((827, 1169), "L", 80)
        assert image.getextrema() == (80, 80), "padding of rows is in the image"
    assert source.values[abi.ICAP_AUTOMATICDESKEW] == 0
    assert opened.effective["blank pages"].effective == -2
    assert opened.effective["crop"].effective is None, "what the device lacks is said"


@pytest.mark.parametrize(
    ("mode", "depth", "shown"), [(Mode.BITONAL, 1, "1"), (Mode.COLOUR, 8, "RGB")]
)
def test_bitonal_and_colour(
    source: TwainSource, tmp_path: Path, mode: Mode, depth: int, shown: str
) -> None:
    source.sheets = 1
    settings = ScanSettings(mode=mode, depth=depth, dpi=100, feed=Feed.FEEDER)
    pages, _ = scan(source, tmp_path, settings)
    with Image.open(pages[0].path) as image:
        image.load()
        assert image.mode == shown
        if mode is Mode.BITONAL:  # 40 is 00101000: ones are white
            row = [image.getpixel((x, 0)) for x in range(8)]
            assert row == [0, 0, 255, 0, 255, 0, 0, 0]


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (abi.CC_PAPERJAM, FeederJam),
        (abi.CC_PAPERDOUBLEFEED, DoubleFeed),
        (abi.CC_CHECKDEVICEONLINE, DeviceGone),
        ("short", PageTruncated),
    ],
)
def test_a_trouble_at_side_three_keeps_two(
    source: TwainSource, tmp_path: Path, trouble: int | str, kind: type[ScanFault]
) -> None:
    source.trouble[3] = trouble
    error, pages = interrupted(source, tmp_path)
    assert type(error) is kind
    assert error.pages_done == len(pages) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_cover_open_feeder_empty_and_a_source_that_hangs(
    source: TwainSource, tmp_path: Path
) -> None:
    source.trouble[1] = abi.CC_INTERLOCK
    assert isinstance(interrupted(source, tmp_path)[0], CoverOpen)
    source.trouble[1] = "hang"
    assert isinstance(interrupted(source, tmp_path)[0], DeviceStalled)
    source.values[abi.CAP_FEEDERLOADED] = 0
    assert isinstance(interrupted(source, tmp_path)[0], FeederEmpty)


@pytest.mark.parametrize(
    "settings",
    [ScanSettings(dpi=5000, mode=Mode.GREY), ScanSettings(dpi=100, mode=Mode.GREY, paper="A3")],
)
def test_what_the_device_cannot_do_is_refused_before_a_sheet_moves(
    source: TwainSource, tmp_path: Path, settings: ScanSettings
) -> None:
    error, _ = interrupted(source, tmp_path, settings)
    assert isinstance(error, SettingRefused)
    assert "kein Blatt eingezogen" in error.operator_text
    assert source.taken == 0
    assert (abi.DAT_USERINTERFACE, abi.MSG_ENABLEDS) not in source.calls


def test_cancelling_in_mid_page_discards_it_and_closes_in_order(
    source: TwainSource, tmp_path: Path
) -> None:
    told = Told(stop_after=1)
    pages = []
    with opening(request(tmp_path), told, source.entry) as opened:
        stream = opened.pages()
        pages.append(next(stream))
        told.seen += 1
        with pytest.raises(ScanCancelled) as caught:
            next(stream)
    assert caught.value.pages_done == len(pages) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_manager_older_than_two_is_refused(tmp_path: Path) -> None:
    error, _ = interrupted(TwainSource(dsm2=False), tmp_path)
    assert isinstance(error, DeviceGone)


def test_an_unknown_source_is_named(source: TwainSource, tmp_path: Path) -> None:
    asked = request(tmp_path) | {"device": "Gibtsnicht"}
    with pytest.raises(DeviceGone) as caught, opening(asked, Told(), source.entry):
        pass
    assert "Gibtsnicht" in caught.value.operator_text


def test_the_manager_of_this_computer_is_used_where_there_is_one() -> None:
    try:
        load()
    except OSError:
        with pytest.raises(DeviceGone) as caught:
            TwainDriver().devices(30.0)
        assert "TWAINDSM" in caught.value.operator_text
        return
    assert isinstance(TwainDriver().devices(30.0), list)
