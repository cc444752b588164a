"""One open source: its settings, and its pages in strips through memory (states 4 to 7)."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Iterator, Mapping
from ctypes import byref, c_void_p, cast
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from scanners.device import Effective, Feed, Mode, ScanSettings, SettingRefused
from scanners.twain import abi
from scanners.twain.dsm import Capabilities, Manager, TwainFault

_PIXELS: Final = MappingProxyType(
    {Mode.BITONAL: abi.PT_BW, Mode.GREY: abi.PT_GRAY, Mode.COLOUR: abi.PT_RGB}
)
_SAMPLES: Final = MappingProxyType({Mode.BITONAL: 1, Mode.GREY: 1, Mode.COLOUR: 3})
_SIZES: Final = MappingProxyType(
    {"A3": abi.SS_A3, "A4": abi.SS_A4, "A5": abi.SS_A5, "letter": abi.SS_USLETTER}
)
#: What would change, drop or cut images: off, and recorded.
_UNTOUCHED: Final = (
    ("blank pages", abi.ICAP_AUTODISCARDBLANKPAGES, abi.TY_INT32, -2),
    ("deskew", abi.ICAP_AUTOMATICDESKEW, abi.TY_BOOL, 0),
    ("crop", abi.ICAP_AUTOMATICBORDERDETECTION, abi.TY_BOOL, 0),
    ("rotation", abi.ICAP_AUTOMATICROTATE, abi.TY_BOOL, 0),
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
        self._wish("compression", abi.ICAP_COMPRESSION, abi.TY_UINT16, abi.CP_NONE)
        self._wish("pages", abi.CAP_XFERCOUNT, abi.TY_INT16, -1)
        self._wish("window", abi.CAP_INDICATORS, abi.TY_BOOL, 0)
        if settings.threshold is not None and settings.mode is Mode.BITONAL:
            cut = (abi.ICAP_THRESHOLD, abi.TY_FIX32, float(settings.threshold))
            (self._wish if "threshold" in settings.wished else self._require)("threshold", *cut)
        for name, cap, kind, value in _UNTOUCHED:
            self._wish(name, cap, kind, value)
        return self.effective

    def enable(self, seconds: float) -> bool:
        """Start feeding; return whether the first image is ready within so many seconds.

        Raises:
            TwainFault: The source refuses: no paper, cover open.
        """
        told = abi.Callback(cast(self._callback, c_void_p), None, 0)
        self._manager.call(
            abi.DG_CONTROL,
            abi.DAT_CALLBACK2,
            abi.MSG_REGISTER_CALLBACK,
            byref(told),
            self._identity,
        )
        shown = abi.UserInterface(0, 0, None)
        self._manager.call(
            abi.DG_CONTROL, abi.DAT_USERINTERFACE, abi.MSG_ENABLEDS, byref(shown), self._identity
        )
        self._enabled = True
        return self._ready.wait(seconds) and not self._ending

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
                found["patch"] = int(patch.item or 0)
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
                    byref(abi.UserInterface(0, 0, None)),
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
