"""One open source: its settings, and its pages in strips through memory (states 4 to 7)."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable, Iterator, Mapping
from ctypes import byref, c_void_p, cast
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from scanners.device import Effective, Feed, Mode, ScanSettings, SettingRefused
from scanners.twain import abi
from scanners.twain.dsm import Capabilities, Manager, TwainFault

#: Waits for an event, giving messages of the window system away meanwhile; whether it came.
Wait = Callable[[threading.Event, Callable[[int], bool]], bool]

_PIXELS: Final = MappingProxyType(
    {Mode.BITONAL: abi.PT_BW, Mode.GREY: abi.PT_GRAY, Mode.COLOUR: abi.PT_RGB}
)
_SAMPLES: Final = MappingProxyType({Mode.BITONAL: 1, Mode.GREY: 1, Mode.COLOUR: 3})
_SIZES: Final = MappingProxyType(
    {"A3": abi.SS_A3, "A4": abi.SS_A4, "A5": abi.SS_A5, "letter": abi.SS_USLETTER}
)
#: What would change, drop or cut images: off, and recorded.
_UNTOUCHED: Final = (
    ("blank pages", abi.ICAP_AUTODISCARDBLANKPAGES, abi.TY_INT32, abi.BP_DISABLE),
    ("deskew", abi.ICAP_AUTOMATICDESKEW, abi.TY_BOOL, 0),
    ("crop", abi.ICAP_AUTOMATICBORDERDETECTION, abi.TY_BOOL, 0),
    ("rotation", abi.ICAP_AUTOMATICROTATE, abi.TY_BOOL, 0),
)
#: How samples lie: as a TIFF has them. A source that has no choice has to be so by itself.
_LAYOUT: Final = (
    ("flavour", abi.ICAP_PIXELFLAVOR, abi.PF_CHOCOLATE),
    ("bit order", abi.ICAP_BITORDER, abi.BO_MSBFIRST),
    ("planes", abi.ICAP_PLANARCHUNKY, abi.PC_CHUNKY),
    ("compression", abi.ICAP_COMPRESSION, abi.CP_NONE),
)
#: What the source shall notice and tell.
_NOTICED: Final = (
    ("image facts", abi.ICAP_EXTIMAGEINFO, abi.TY_BOOL, 1),
    ("patch codes", abi.ICAP_PATCHCODEDETECTIONENABLED, abi.TY_BOOL, 1),
)


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Rows of an image as the source gave them.

    Attributes:
        stride: Bytes of a row, padding included.
    """

    rows: int
    stride: int
    pixels: bytes


class Source:
    """A source that is open (state 4)."""

    def __init__(self, manager: Manager, identity: abi.Identity) -> None:
        """Open it.

        Raises:
            TwainFault: It does not open: gone, busy.
        """
        self._manager, self._identity = manager, identity
        manager.call(abi.DG_CONTROL, abi.DAT_IDENTITY, abi.MSG_OPENDS, byref(identity))
        self.capabilities = Capabilities(manager, identity)
        self.effective: dict[str, Effective] = {}
        self._ready = threading.Event()
        self._ending = False
        self._callback = abi.DSM_ENTRY(self._told)
        self._enabled = False

    @property
    def serial(self) -> str | None:
        """The device's serial number, None where it does not tell."""
        with contextlib.suppress(TwainFault):
            return str(self.capabilities.get(abi.CAP_SERIALNUMBER)) or None
        return None

    def make(self, settings: ScanSettings) -> Mapping[str, Effective]:
        """Make all settings; they are read back, and what is demanded is refused or as demanded.

        Raises:
            SettingRefused: One that is demanded cannot be made.
        """
        flatbed = settings.feed is Feed.FLATBED
        self._require_no_window()
        self._require("transfer", abi.ICAP_XFERMECH, abi.TY_UINT16, abi.XFERMECH_MEMORY)
        self._require("units", abi.ICAP_UNITS, abi.TY_UINT16, abi.UN_INCHES)
        self._wish("source", abi.CAP_FEEDERENABLED, abi.TY_BOOL, int(not flatbed))
        if not flatbed and self.effective["source"].effective is not True:
            raise self._refused("source", settings.feed, None)
        self._wish("automatic feed", abi.CAP_AUTOFEED, abi.TY_BOOL, int(not flatbed))
        duplex = settings.feed is Feed.DUPLEX
        self._wish("duplex", abi.CAP_DUPLEXENABLED, abi.TY_BOOL, int(duplex))
        if duplex and self.effective["duplex"].effective is not True:
            raise self._refused("source", settings.feed, None)
        self._require("mode", abi.ICAP_PIXELTYPE, abi.TY_UINT16, _PIXELS[settings.mode])
        depth = settings.depth * _SAMPLES[settings.mode]
        self._require("depth", abi.ICAP_BITDEPTH, abi.TY_UINT16, depth)
        for name, cap in (("resolution", abi.ICAP_XRESOLUTION), ("down", abi.ICAP_YRESOLUTION)):
            self._require(name, cap, abi.TY_FIX32, float(settings.dpi))
        paper = (abi.ICAP_SUPPORTEDSIZES, abi.TY_UINT16, _SIZES[settings.paper])
        (self._wish if "paper" in settings.wished else self._require)("paper", *paper)
        for name, cap, wanted in _LAYOUT:
            self._wish(name, cap, abi.TY_UINT16, wanted)
            if self.effective[name].effective not in (None, wanted):
                raise self._refused(name, wanted, None)
        self._wish("pages", abi.CAP_XFERCOUNT, abi.TY_INT16, -1)
        self._wish("window", abi.CAP_INDICATORS, abi.TY_BOOL, 0)
        if settings.threshold is not None and settings.mode is Mode.BITONAL:
            cut = (abi.ICAP_THRESHOLD, abi.TY_FIX32, float(settings.threshold))
            (self._wish if "threshold" in settings.wished else self._require)("threshold", *cut)
        for name, cap, kind, value in (*_UNTOUCHED, *_NOTICED):
            self._wish(name, cap, kind, value)
        self._notice_double_feeds()
        return self.effective

    def enable(self, wait: Wait) -> bool:
        """Start feeding; return whether the first image is ready when `wait` ends.

        Args:
            wait: Waits for what the callback tells, and returns whether that came in time.

        Raises:
            TwainFault: The source refuses: no paper, cover open, or somebody stopped it.
            SettingRefused: It opened a window of its own, for which nobody sits here.
        """
        self._register()
        shown = abi.UserInterface(0, 0, self._manager.window)
        code = self._manager.call(
            abi.DG_CONTROL,
            abi.DAT_USERINTERFACE,
            abi.MSG_ENABLEDS,
            byref(shown),
            self._identity,
            good=(abi.RC_SUCCESS, abi.RC_CHECKSTATUS),
        )
        self._enabled = True
        if code == abi.RC_CHECKSTATUS:
            raise self._window_refused()
        came = wait(self._ready, self._passed_on)
        if self._ending:
            what = "the source asks to be closed"
            raise TwainFault(what, abi.RC_CANCEL, abi.CC_SUCCESS)
        return came

    def image(self) -> abi.ImageInfo:
        """Return the shape of the image that is ready (state 6)."""
        shape = abi.ImageInfo()
        self._image_call(abi.DAT_IMAGEINFO, shape)
        return shape

    def strips(self) -> Iterator[Strip]:
        """Yield the image in strips to its end (state 7).

        Raises:
            TwainFault: It broke off: jam, double feed, device gone.
        """
        setup = abi.SetupMemXfer()
        self._manager.call(
            abi.DG_CONTROL, abi.DAT_SETUPMEMXFER, abi.MSG_GET, byref(setup), self._identity
        )
        size = int(setup.preferred or setup.max_buf_size or setup.min_buf_size)
        buffer = ctypes.create_string_buffer(size)
        code = abi.RC_SUCCESS
        while code == abi.RC_SUCCESS:
            piece = abi.ImageMemXfer()
            piece.memory.flags = abi.MEMORY_APPOWNS | abi.MEMORY_POINTER
            piece.memory.length = size
            piece.memory.the_mem = cast(buffer, c_void_p)
            good = (abi.RC_SUCCESS, abi.RC_XFERDONE)
            code = self._image_call(abi.DAT_IMAGEMEMXFER, piece, good=good)
            yield Strip(
                rows=int(piece.rows),
                stride=int(piece.bytes_per_row),
                pixels=buffer.raw[: int(piece.bytes_written)],
            )

    def sensed(self) -> dict[str, Any]:
        """Return what the device says of the image: patch code, imprint; only what it knows."""
        asked = abi.ExtImageInfo()
        asked.num_infos = 2
        asked.info[0].info_id, asked.info[1].info_id = abi.EI_PATCHCODE, abi.EI_PRINTERTEXT
        found: dict[str, Any] = {}
        with contextlib.suppress(TwainFault):
            self._image_call(abi.DAT_EXTIMAGEINFO, asked)
            patch, imprint = asked.info
            if patch.return_code == abi.RC_SUCCESS and patch.num_items:
                place = int(patch.item or 0)
                known = place < len(abi.PATCHES)
                found["patch"] = abi.PATCHES[place] if known else f"TWAIN {place}"
            if imprint.return_code == abi.RC_SUCCESS and imprint.num_items and imprint.item:
                with self._manager.locked(imprint.item) as address:
                    text = ctypes.string_at(address, abi.ITEM_SIZES[abi.TY_STR255])
                found["imprint"] = text.split(b"\0", 1)[0].decode("utf-8", "replace")
                self._manager.free(imprint.item)
        return found

    def finish_image(self) -> bool:
        """End the transfer of an image; return whether there are more."""
        pending = abi.PendingXfers()
        self._pending(abi.MSG_ENDXFER, pending)
        return bool(pending.count)

    def stop(self) -> None:
        """Take nothing more of what is pending (back to state 5)."""
        with contextlib.suppress(TwainFault):
            self._pending(abi.MSG_ENDXFER, abi.PendingXfers())
        with contextlib.suppress(TwainFault):
            self._pending(abi.MSG_RESET, abi.PendingXfers())

    def close(self) -> None:
        """Disable and close the source (back to state 3)."""
        if self._enabled:
            self._enabled = False
            with contextlib.suppress(TwainFault):
                self._manager.call(
                    abi.DG_CONTROL,
                    abi.DAT_USERINTERFACE,
                    abi.MSG_DISABLEDS,
                    byref(abi.UserInterface(0, 0, self._manager.window)),
                    self._identity,
                )
        with contextlib.suppress(TwainFault):
            self._manager.call(
                abi.DG_CONTROL, abi.DAT_IDENTITY, abi.MSG_CLOSEDS, byref(self._identity)
            )

    def _told(
        self, origin: int, target: int, group: int, what: int, message: int, argument: int
    ) -> int:
        """Take what the source tells; called from a thread of its own by some drivers."""
        del origin, target, group, what, argument
        if message == abi.MSG_CLOSEDSREQ:
            self._ending = True
        if message in (abi.MSG_XFERREADY, abi.MSG_CLOSEDSREQ):
            self._ready.set()
        return abi.RC_SUCCESS

    def _register(self) -> None:
        """Ask to be told by callback; before 2.2 managers knew another form of it."""
        address = cast(self._callback, c_void_p)
        forms = (
            (abi.DAT_CALLBACK2, abi.Callback(address, None, 0)),
            (abi.DAT_CALLBACK, abi.EarlyCallback(address, 0, 0)),
        )
        for what, told in forms:
            with contextlib.suppress(TwainFault):
                self._manager.call(
                    abi.DG_CONTROL, what, abi.MSG_REGISTER_CALLBACK, byref(told), self._identity
                )
                return
        message = "neither form of callback is known"
        raise TwainFault(message, abi.RC_FAILURE, abi.CC_OPERATIONERROR)

    def _passed_on(self, message: int) -> bool:
        """Give the source a message of the window system; return whether it was the source's."""
        event = abi.Event(message, 0)
        good = (abi.RC_DSEVENT, abi.RC_NOTDSEVENT)
        code = self._manager.call(
            abi.DG_CONTROL,
            abi.DAT_EVENT,
            abi.MSG_PROCESSEVENT,
            byref(event),
            self._identity,
            good=good,
        )
        if event.message:
            self._told(0, 0, abi.DG_CONTROL, 0, event.message, 0)
        return code == abi.RC_DSEVENT

    def _require_no_window(self) -> None:
        with contextlib.suppress(TwainFault):
            if self.capabilities.get(abi.CAP_UICONTROLLABLE) is False:
                raise self._window_refused()

    def _window_refused(self) -> SettingRefused:
        text = (
            "Der TWAIN-Treiber dieses Geräts scannt nur mit seinem eigenen Fenster. Bitte einen "
            "Treiber nach TWAIN 2 des Herstellers installieren oder das Gerät über eSCL nutzen."
        )
        return SettingRefused("the source cannot work without its window", operator_text=text)

    def _notice_double_feeds(self) -> None:
        made: Any = None
        with contextlib.suppress(TwainFault):
            values = (abi.DF_ULTRASONIC,)
            made = self.capabilities.set_each(abi.CAP_DOUBLEFEEDDETECTION, abi.TY_UINT16, values)
        option = f"{abi.CAP_DOUBLEFEEDDETECTION:#06x}"
        self.effective["double feed"] = Effective(
            option=option, requested=abi.DF_ULTRASONIC, effective=made
        )
        if made is not None:
            stop = (abi.CAP_DOUBLEFEEDDETECTIONRESPONSE, abi.TY_UINT16, abi.DP_STOP)
            self._wish("at double feed", *stop)

    def _pending(self, message: int, pending: abi.PendingXfers) -> None:
        self._manager.call(
            abi.DG_CONTROL, abi.DAT_PENDINGXFERS, message, byref(pending), self._identity
        )

    def _image_call(
        self, what: int, argument: Any, good: tuple[int, ...] = (abi.RC_SUCCESS,)
    ) -> int:
        return self._manager.call(
            abi.DG_IMAGE, what, abi.MSG_GET, byref(argument), self._identity, good=good
        )

    def _wish(self, ours: str, cap: int, kind: int, value: float) -> None:
        made: Any = None
        try:
            made = self.capabilities.set(cap, kind, value)
        except TwainFault:
            with contextlib.suppress(TwainFault):
                made = self.capabilities.get(cap)
        self.effective[ours] = Effective(option=f"{cap:#06x}", requested=value, effective=made)

    def _require(self, ours: str, cap: int, kind: int, value: float) -> None:
        try:
            made = self.capabilities.set(cap, kind, value)
        except TwainFault as error:
            raise self._refused(ours, value, self.capabilities.choices(cap)) from error
        if made != value:
            raise self._refused(ours, value, self.capabilities.choices(cap))
        self.effective[ours] = Effective(option=f"{cap:#06x}", requested=value, effective=made)

    def _refused(self, ours: str, wanted: object, offered: list[Any] | None) -> SettingRefused:
        has = "" if not offered else "; es bietet: " + ", ".join(f"{each}" for each in offered)
        text = (
            f"Das Gerät kann die Einstellung {ours} = {wanted} nicht{has}. Es wurde kein Blatt "
            "eingezogen. Bitte ein anderes Profil oder Gerät wählen."
        )
        return SettingRefused(f"{ours}={wanted} refused, offered {offered}", operator_text=text)
