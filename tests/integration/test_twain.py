"""TWAIN: the binary interface, and a source driven through states 1 to 7 and every trouble.

The manager is a simulated one behind the C interface. Vendor drivers were not available.
"""

from __future__ import annotations

import ctypes
import io
import os
from collections.abc import Iterator
from dataclasses import replace
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
from scanners.twain.windows import Message, pump, window
from tests.plugins.installation import PATIENCE
from tests.plugins.twain_source import TwainSource

SETTINGS = ScanSettings(mode=Mode.GREY, dpi=100, timeout=PATIENCE)
POINTER = ctypes.sizeof(ctypes.c_void_p)


class Told(Telling):
    def __init__(self, stop_after: int | None = None) -> None:
        super().__init__(io.StringIO(), io.BytesIO())
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


#: By structure, bytes beside pointers and handles, and how many of these there are
#: (specification 2.4, chapter 8; packed to two bytes on Windows and on Linux).
SIZES = {
    abi.Fix32: (4, 0),
    abi.Version: (42, 0),
    abi.Identity: (156, 0),
    abi.Capability: (4, 1),
    abi.OneValue: (6, 0),
    abi.Enumeration: (14, 0),
    abi.Span: (22, 0),
    abi.Array: (6, 0),
    abi.UserInterface: (4, 1),
    abi.PendingXfers: (6, 0),
    abi.ImageInfo: (42, 0),
    abi.SetupMemXfer: (12, 0),
    abi.Memory: (8, 1),
    abi.ImageMemXfer: (34, 1),
    abi.Status: (4, 0),
    abi.Event: (2, 1),
    abi.EarlyCallback: (6, 1),
    abi.Callback: (2, 2),
    abi.EntryPoint: (4, 5),
    abi.Frame: (16, 0),
    abi.ImageLayout: (28, 0),
    abi.Info: (8, 1),
}


def of_width(structure: Any, pointer: Any) -> Any:
    """Return the structure as a process sees it whose pointers have this width."""
    if structure is ctypes.c_void_p:
        return pointer
    if not (isinstance(structure, type) and issubclass(structure, ctypes.Structure)):
        return structure
    fields = [(name, of_width(kind, pointer)) for name, kind in structure._fields_]  # type: ignore[misc]  # no bit fields
    packed = {"_pack_": 2, "_layout_": "ms", "_fields_": fields}
    return type(structure.__name__, (ctypes.Structure,), packed)


@pytest.mark.parametrize("structure", SIZES, ids=lambda each: str(each.__name__))
@pytest.mark.parametrize("pointer", [ctypes.c_uint32, ctypes.c_uint64], ids=["32 bit", "64 bit"])
def test_structures_have_the_size_of_the_specification(structure: Any, pointer: Any) -> None:
    plain, pointers = SIZES[structure]
    size = plain + pointers * ctypes.sizeof(pointer)
    assert ctypes.sizeof(of_width(structure, pointer)) == size
    if ctypes.sizeof(pointer) == POINTER:
        assert ctypes.sizeof(structure) == size


@pytest.mark.parametrize("pointer", [ctypes.c_uint32, ctypes.c_uint64], ids=["32 bit", "64 bit"])
def test_fields_lie_where_the_specification_puts_them(pointer: Any) -> None:
    width = ctypes.sizeof(pointer)
    identity, image, piece, one, info, point = (
        of_width(each, pointer)
        for each in (
            abi.Identity,
            abi.ImageInfo,
            abi.ImageMemXfer,
            abi.OneValue,
            abi.Info,
            abi.EntryPoint,
        )
    )
    assert (identity.version.offset, identity.protocol_major.offset) == (4, 46)
    assert (identity.supported_groups.offset, identity.product_name.offset) == (50, 122)
    assert (image.image_width.offset, image.bits_per_sample.offset) == (8, 18)
    assert (image.bits_per_pixel.offset, image.compression.offset) == (34, 40)
    assert (piece.bytes_per_row.offset, piece.bytes_written.offset) == (2, 22)
    assert piece.memory.offset == 26
    assert of_width(abi.Memory, pointer).the_mem.offset == 8
    assert (one.item.offset, info.item.offset) == (2, 8)
    assert (point.dsm_entry.offset, point.unlock.offset) == (4, 4 + 4 * width)
    assert of_width(abi.Callback, pointer).message.offset == 2 * width
    assert of_width(abi.EarlyCallback, pointer).message.offset == width + 4


def test_numbers_are_those_of_the_specification() -> None:
    assert [abi.number(abi.fixed(value)) for value in (300.0, -2.5)] == [300.0, -2.5]
    assert (abi.MEMORY_APPOWNS, abi.MEMORY_POINTER) == (0x0001, 0x0008)
    assert (abi.DF_DSM2, abi.DF_APP2) == (0x10000000, 0x20000000)
    assert (abi.DAT_CALLBACK, abi.DAT_CALLBACK2, abi.DAT_ENTRYPOINT) == (0x10, 0x12, 0x403)
    assert (abi.MSG_XFERREADY, abi.MSG_ENABLEDS, abi.MSG_ENDXFER) == (0x101, 0x502, 0x701)
    assert (abi.RC_CANCEL, abi.RC_XFERDONE, abi.RC_ENDOFLIST) == (3, 6, 7)
    assert (abi.CC_PAPERJAM, abi.CC_PAPERDOUBLEFEED, abi.CC_NOMEDIA) == (20, 21, 29)
    assert (abi.EI_PATCHCODE, abi.EI_PRINTERTEXT, abi.CAP_SERIALNUMBER) == (0x1212, 0x124A, 0x1024)


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
    assert pages[2].facts.hints["patch"] == "T"
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
        ("stopped", ScanCancelled),
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
    soon = replace(SETTINGS, timeout=0.2)
    assert isinstance(interrupted(source, tmp_path, soon)[0], DeviceStalled)
    source.values[abi.CAP_FEEDERLOADED] = 0
    assert isinstance(interrupted(source, tmp_path)[0], FeederEmpty)


def test_a_jam_behind_a_page_is_of_the_next_sheet(source: TwainSource, tmp_path: Path) -> None:
    source.after[2] = abi.CC_PAPERJAM
    error, pages = interrupted(source, tmp_path)
    assert isinstance(error, FeederJam)
    assert error.pages_done == len(pages) == 2, "the page that is whole counts"


def test_a_source_that_works_only_with_its_own_window_is_refused(
    source: TwainSource, tmp_path: Path
) -> None:
    source.trouble[1] = "window"
    assert isinstance(interrupted(source, tmp_path)[0], SettingRefused)
    source.values[abi.CAP_UICONTROLLABLE] = 0
    error, _ = interrupted(source, tmp_path)
    assert isinstance(error, SettingRefused)
    assert "eigenen Fenster" in error.operator_text


def test_a_scan_that_is_stopped_at_the_device_before_it_began(
    source: TwainSource, tmp_path: Path
) -> None:
    source.trouble[1] = "closing"
    error, _ = interrupted(source, tmp_path)
    assert isinstance(error, ScanCancelled)
    assert "am Gerät abgebrochen" in error.operator_text


def test_a_manager_of_the_first_2_x_is_told_by_the_older_callback(
    source: TwainSource, tmp_path: Path
) -> None:
    source.callback2 = False
    assert len(scan(source, tmp_path)[0]) == 4


@pytest.mark.parametrize("wrong", [{"compression": 6}, {"planar": 1}, {"image_length": -1}])
def test_an_image_of_another_shape_is_no_page(
    source: TwainSource, tmp_path: Path, wrong: dict[str, int]
) -> None:
    source.shape = wrong
    settings = ScanSettings(mode=Mode.COLOUR, dpi=100, timeout=PATIENCE)
    error, pages = interrupted(source, tmp_path, settings)
    assert (type(error), pages, list(tmp_path.iterdir())) == (PageTruncated, [], [])


def test_what_the_source_notices_is_asked_for_and_what_it_would_do_to_images_is_not(
    source: TwainSource, tmp_path: Path
) -> None:
    source.sheets = 1
    made = scan(source, tmp_path)[1].effective
    assert made["patch codes"].effective is True
    assert made["double feed"].effective == abi.DF_ULTRASONIC
    assert made["flavour"].effective == abi.PF_CHOCOLATE
    assert made["deskew"].effective is False


def test_on_windows_messages_go_to_the_source_first_and_then_to_their_windows() -> None:
    user32 = Windows([0x10, 0x20, 0x30])
    assert window(user32) == 0x4711
    assert pump(lambda address: Message.from_address(address).message == 0x20, user32) == 3
    assert user32.dispatched == [0x10, 0x30]
    assert (window() is None, pump(lambda _: True)) == (os.name != "nt", 0)


class Windows:
    """The functions of the Windows interface that are used."""

    def __init__(self, waiting: list[int]) -> None:
        self.waiting, self.dispatched = waiting, list[int]()
        self.CreateWindowExW = Creating()

    def PeekMessageW(self, message: Any, *_: Any) -> bool:  # noqa: N802 - a name of Windows
        if self.waiting:
            message._obj.message = self.waiting.pop(0)
            return True
        return False

    def TranslateMessage(self, message: Any) -> None:  # noqa: N802 - a name of Windows
        del message

    def DispatchMessageW(self, message: Any) -> None:  # noqa: N802 - a name of Windows
        self.dispatched.append(message._obj.message)


class Creating:
    def __call__(self, *arguments: Any) -> int:
        assert len(arguments) == 12
        return 0x4711


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
