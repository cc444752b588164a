"""A TWAIN manager with one source, made of Python callbacks behind the C interface.

It keeps the states of the specification and refuses what does not belong to one, so a client that
skips a step fails here as it would at a device.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import POINTER, c_void_p, cast
from dataclasses import dataclass, field
from typing import Any

from scanners.twain import abi

_KINDS = {
    abi.ICAP_XFERMECH: (abi.TY_UINT16, 0),
    abi.ICAP_UNITS: (abi.TY_UINT16, 0),
    abi.CAP_FEEDERENABLED: (abi.TY_BOOL, 0),
    abi.CAP_FEEDERLOADED: (abi.TY_BOOL, 1),
    abi.CAP_AUTOFEED: (abi.TY_BOOL, 0),
    abi.CAP_DUPLEXENABLED: (abi.TY_BOOL, 0),
    abi.ICAP_PIXELTYPE: (abi.TY_UINT16, 0),
    abi.ICAP_BITDEPTH: (abi.TY_UINT16, 1),
    abi.ICAP_XRESOLUTION: (abi.TY_FIX32, 200.0),
    abi.ICAP_YRESOLUTION: (abi.TY_FIX32, 200.0),
    abi.ICAP_SUPPORTEDSIZES: (abi.TY_UINT16, 0),
    abi.ICAP_AUTODISCARDBLANKPAGES: (abi.TY_INT32, 0),
    abi.ICAP_AUTOMATICDESKEW: (abi.TY_BOOL, 1),
    abi.CAP_XFERCOUNT: (abi.TY_INT16, -1),
    abi.CAP_INDICATORS: (abi.TY_BOOL, 1),
    abi.ICAP_COMPRESSION: (abi.TY_UINT16, 0),
    abi.CAP_UICONTROLLABLE: (abi.TY_BOOL, 1),
    abi.ICAP_PIXELFLAVOR: (abi.TY_UINT16, 1),
    abi.ICAP_EXTIMAGEINFO: (abi.TY_BOOL, 0),
    abi.ICAP_PATCHCODEDETECTIONENABLED: (abi.TY_BOOL, 0),
    abi.CAP_DOUBLEFEEDDETECTION: (abi.TY_UINT16, 7),
    abi.CAP_SERIALNUMBER: (abi.TY_STR255, "TW-4711"),
}
_PAPER = {abi.SS_A4: (8.27, 11.69), abi.SS_A5: (5.83, 8.27)}
_PADDING = 3  # rows of real sources end where they like


@dataclass
class TwainSource:
    """The manager and its source; tests set it and read it.

    Attributes:
        sheets: Sides that are in the feeder.
        trouble: By side, from 1: a condition code that ends it in its second strip, `short`,
            `hang` (no image ever becomes ready), `stopped` (at the device, in its second strip),
            `window` (it opens one), `closing` (it asks to be closed).
        after: By side, from 1: a condition code with which the end of its transfer fails.
        callback2: Whether the manager knows the newer form of callbacks.
        shape: Fields of the image's description that are told in place of the true ones.
    """

    sheets: int = 4
    trouble: dict[int, int | str] = field(default_factory=dict)
    resolutions: tuple[float, ...] = (100.0, 200.0, 300.0)
    dsm2: bool = True
    callback2: bool = True
    after: dict[int, int] = field(default_factory=dict)
    shape: dict[str, int] = field(default_factory=dict)
    state: int = 2
    taken: int = 0
    calls: list[tuple[int, int]] = field(default_factory=list)
    values: dict[int, Any] = field(default_factory=dict)
    memory: dict[int, Any] = field(default_factory=dict)
    condition: int = abi.CC_SUCCESS
    locks: int = 0
    row: int = 0
    listed: bool = False
    _told: Any = None
    _next: int = 0x1000

    def __post_init__(self) -> None:
        """Make the entry and the functions for memory."""
        self.values = {cap: value for cap, (_, value) in _KINDS.items()}
        self.entry = abi.DSM_ENTRY(self._entered)
        self._functions = (
            abi.MEM_ALLOCATE(self._allocate),
            abi.MEM_FREE(self._free),
            abi.MEM_LOCK(self._lock),
            abi.MEM_UNLOCK(self._unlock),
        )

    # memory ----------------------------------------------------------------------------

    def _allocate(self, size: int) -> int:
        self._next += 8
        self.memory[self._next] = ctypes.create_string_buffer(size)
        return self._next

    def _free(self, handle: int) -> None:
        del self.memory[handle]

    def _lock(self, handle: int) -> int:
        self.locks += 1
        return ctypes.addressof(self.memory[handle])

    def _unlock(self, handle: int) -> None:
        self.locks -= 1
        assert handle in self.memory

    # triplets --------------------------------------------------------------------------

    def _entered(
        self, origin: int, target: int, group: int, what: int, message: int, argument: int
    ) -> int:
        self.calls.append((what, message))
        if what == abi.DAT_STATUS:
            self._at(abi.Status, argument).condition_code = self.condition
            return abi.RC_SUCCESS
        act = self._acts().get((what, message))
        if act is None:
            return self._refuse(abi.CC_SEQERROR)
        states, function = act
        if self.state not in states:
            return self._refuse(abi.CC_SEQERROR)
        return function(origin, argument)

    def _acts(self) -> dict[tuple[int, int], tuple[tuple[int, ...], Callable[[int, int], int]]]:
        control, cap = abi.DAT_IDENTITY, abi.DAT_CAPABILITY
        return {
            (abi.DAT_PARENT, abi.MSG_OPENDSM): ((2,), self._open_manager),
            (abi.DAT_PARENT, abi.MSG_CLOSEDSM): ((3,), lambda _o, _a: self._go(2)),
            (abi.DAT_ENTRYPOINT, abi.MSG_GET): ((3,), self._entry_point),
            (control, abi.MSG_GETFIRST): ((3,), self._first),
            (control, abi.MSG_GETNEXT): ((3,), lambda _o, _a: abi.RC_ENDOFLIST),
            (control, abi.MSG_OPENDS): ((3,), lambda _o, _a: self._go(4)),
            (control, abi.MSG_CLOSEDS): ((4,), lambda _o, _a: self._go(3)),
            (cap, abi.MSG_GET): ((4, 5, 6), lambda _o, a: self._get(a, whole=True)),
            (cap, abi.MSG_GETCURRENT): ((4, 5, 6), lambda _o, a: self._get(a, whole=False)),
            (cap, abi.MSG_SET): ((4,), lambda _o, a: self._set(a)),
            (abi.DAT_CALLBACK2, abi.MSG_REGISTER_CALLBACK): (
                (4,) if self.callback2 else (),
                self._register,
            ),
            (abi.DAT_CALLBACK, abi.MSG_REGISTER_CALLBACK): ((4,), self._register_early),
            (abi.DAT_USERINTERFACE, abi.MSG_ENABLEDS): ((4,), self._enable),
            (abi.DAT_USERINTERFACE, abi.MSG_DISABLEDS): ((5,), lambda _o, _a: self._go(4)),
            (abi.DAT_IMAGEINFO, abi.MSG_GET): ((6, 7), self._image),
            (abi.DAT_SETUPMEMXFER, abi.MSG_GET): ((4, 5, 6), self._setup),
            (abi.DAT_IMAGEMEMXFER, abi.MSG_GET): ((6, 7), self._strip),
            (abi.DAT_EXTIMAGEINFO, abi.MSG_GET): ((7,), self._extended),
            (abi.DAT_PENDINGXFERS, abi.MSG_ENDXFER): ((6, 7), self._end),
            (abi.DAT_PENDINGXFERS, abi.MSG_RESET): ((6,), lambda _o, _a: self._go(5)),
        }

    def _open_manager(self, origin: int, argument: int) -> int:
        us = self._at(abi.Identity, origin)
        if self.dsm2:
            us.supported_groups |= abi.DF_DSM2
        us.id = 7
        return self._go(3)

    def _entry_point(self, origin: int, argument: int) -> int:
        point = self._at(abi.EntryPoint, argument)
        assert point.size == ctypes.sizeof(abi.EntryPoint)
        point.allocate, point.free, point.lock, point.unlock = (
            cast(each, c_void_p).value for each in self._functions
        )
        return abi.RC_SUCCESS

    def _first(self, origin: int, argument: int) -> int:
        found = self._at(abi.Identity, argument)
        found.manufacturer, found.product_name = b"Werkbank", b"Werkbank ADF"
        found.product_family, found.version.major, found.version.minor = b"ADF", 3, 1
        return abi.RC_SUCCESS

    def _get(self, argument: int, *, whole: bool) -> int:
        asked = self._at(abi.Capability, argument)
        if asked.cap not in self.values:
            return self._refuse(abi.CC_CAPUNSUPPORTED)
        kind = _KINDS[asked.cap][0]
        if whole and asked.cap in (abi.ICAP_XRESOLUTION, abi.ICAP_YRESOLUTION):
            items = [abi.bits(abi.fixed(each)) for each in self.resolutions]
            handle = self._allocate(ctypes.sizeof(abi.Enumeration) + 4 * len(items))
            address = ctypes.addressof(self.memory[handle])
            head = self._at(abi.Enumeration, address)
            head.item_type, head.num_items = kind, len(items)
            for place, item in enumerate(items):
                begin = address + ctypes.sizeof(abi.Enumeration) + 4 * place
                ctypes.c_uint32.from_address(begin).value = item
            asked.con_type, asked.container = abi.ON_ENUMERATION, handle
            return abi.RC_SUCCESS
        value = self.values[asked.cap]
        handle = self._allocate(2 + max(4, abi.ITEM_SIZES[kind]))
        address = ctypes.addressof(self.memory[handle])
        self._at(abi.OneValue, address).item_type = kind
        if isinstance(value, str):
            ctypes.memmove(address + 2, value.encode() + b"\0", len(value) + 1)
        else:
            item = abi.bits(abi.fixed(value)) if kind == abi.TY_FIX32 else int(value) & 0xFFFFFFFF
            self._at(abi.OneValue, address).item = item
        asked.con_type, asked.container = abi.ON_ONEVALUE, handle
        return abi.RC_SUCCESS

    def _set(self, argument: int) -> int:
        asked = self._at(abi.Capability, argument)
        if asked.cap not in self.values:
            return self._refuse(abi.CC_CAPUNSUPPORTED)
        kind = _KINDS[asked.cap][0]
        address = ctypes.addressof(self.memory[asked.container])
        if asked.cap == abi.CAP_DOUBLEFEEDDETECTION:
            assert (asked.con_type, self._at(abi.Array, address).num_items) == (abi.ON_ARRAY, 1)
            begin = address + ctypes.sizeof(abi.Array)
            self.values[asked.cap] = ctypes.c_uint16.from_address(begin).value
            return abi.RC_SUCCESS
        assert len(self.memory[asked.container]) >= abi.OneValue.ROOM
        item = self._at(abi.OneValue, address).item
        value: Any = item
        if kind == abi.TY_FIX32:
            value = abi.number(abi.Fix32.from_buffer_copy(ctypes.c_uint32(item)))
            if value not in self.resolutions:
                return self._refuse(abi.CC_BADVALUE)
        if asked.cap == abi.ICAP_SUPPORTEDSIZES and item not in _PAPER:
            return self._refuse(abi.CC_BADVALUE)
        if kind in (abi.TY_INT16, abi.TY_INT32):
            value = ctypes.c_int32(item).value
        self.values[asked.cap] = value
        return abi.RC_SUCCESS

    def _register(self, origin: int, argument: int) -> int:
        self._told = abi.DSM_ENTRY(self._at(abi.Callback, argument).callback)
        return abi.RC_SUCCESS

    def _register_early(self, origin: int, argument: int) -> int:
        self._told = abi.DSM_ENTRY(self._at(abi.EarlyCallback, argument).callback)
        return abi.RC_SUCCESS

    def _enable(self, origin: int, argument: int) -> int:
        if not self.sheets:
            return self._refuse(abi.CC_NOMEDIA)
        assert self._at(abi.UserInterface, argument).show_ui == 0
        if self.trouble.get(1) == abi.CC_INTERLOCK:
            return self._refuse(abi.CC_INTERLOCK)
        self.state = 5
        trouble = self.trouble.get(self.taken + 1)
        if trouble == "window":
            return abi.RC_CHECKSTATUS
        if trouble == "closing":
            self._told(None, None, abi.DG_CONTROL, 0, abi.MSG_CLOSEDSREQ, None)
        elif trouble != "hang":
            self.state = 6
            self._told(None, None, abi.DG_CONTROL, 0, abi.MSG_XFERREADY, None)
        return abi.RC_SUCCESS

    def _shape(self) -> tuple[int, int, int, int]:
        kind = self.values[abi.ICAP_PIXELTYPE]
        samples, depth = (3 if kind == abi.PT_RGB else 1), (1 if kind == abi.PT_BW else 8)
        dpi = self.values[abi.ICAP_XRESOLUTION]
        width, height = (round(side * dpi) for side in _PAPER[self.values[abi.ICAP_SUPPORTEDSIZES]])
        return width, height, samples, depth

    def _image(self, origin: int, argument: int) -> int:
        shape = self._at(abi.ImageInfo, argument)
        width, height, samples, depth = self._shape()
        shape.image_width, shape.image_length = width, height
        shape.samples_per_pixel, shape.bits_per_pixel = samples, depth * samples
        for place in range(samples):
            shape.bits_per_sample[place] = depth
        for name, value in self.shape.items():
            setattr(shape, name, value)
        shape.x_resolution = shape.y_resolution = abi.fixed(self.values[abi.ICAP_XRESOLUTION])
        return abi.RC_SUCCESS

    def _setup(self, origin: int, argument: int) -> int:
        setup = self._at(abi.SetupMemXfer, argument)
        width, _, samples, depth = self._shape()
        setup.min_buf_size, setup.max_buf_size, setup.preferred = 4096, 1 << 20, 65536
        assert (width * samples * depth + 7) // 8 + _PADDING < setup.preferred
        return abi.RC_SUCCESS

    def _strip(self, origin: int, argument: int) -> int:
        piece = self._at(abi.ImageMemXfer, argument)
        width, height, samples, depth = self._shape()
        assert piece.memory.flags == 0x9, "the application owns it, and gives its address"
        side = self.taken + 1
        trouble = self.trouble.get(side)
        if isinstance(trouble, int) and self.row:
            return self._refuse(trouble)
        if trouble == "stopped" and self.row:
            return abi.RC_CANCEL
        stride = (width * samples * depth + 7) // 8 + _PADDING
        rows = min(piece.memory.length // stride, height - self.row)
        if trouble == "short" and self.row:
            rows = 1
        filled = bytes([40 * side % 256]) * (stride - _PADDING) + b"\xee" * _PADDING
        ctypes.memmove(piece.memory.the_mem, filled * rows, stride * rows)
        piece.bytes_per_row, piece.columns, piece.rows = stride, width, rows
        piece.y_offset, piece.bytes_written = self.row, stride * rows
        self.row += rows
        self.state = 7
        ended = self.row == height or (trouble == "short" and rows == 1)
        return abi.RC_XFERDONE if ended else abi.RC_SUCCESS

    def _extended(self, origin: int, argument: int) -> int:
        asked = self._at(abi.ExtImageInfo, argument)
        for info in asked.info:
            info.return_code = abi.RC_SUCCESS
            info.num_items = 1
            if info.info_id == abi.EI_PATCHCODE:
                info.item_type, info.item = abi.TY_UINT32, 5
            else:
                info.item_type, info.item = abi.TY_STR255, self._allocate(256)
                self.memory[info.item].value = f"Eingang {self.taken + 1:04d}".encode()
        return abi.RC_SUCCESS

    def _end(self, origin: int, argument: int) -> int:
        if self.row and self.taken + 1 in self.after:
            self.row = 0
            return self._refuse(self.after[self.taken + 1])
        self.row = 0
        self.taken += 1
        left = max(0, self.sheets - self.taken)
        self._at(abi.PendingXfers, argument).count = left
        return self._go(6 if left else 5)

    def _go(self, state: int) -> int:
        self.state = state
        return abi.RC_SUCCESS

    def _refuse(self, condition: int) -> int:
        self.condition = condition
        return abi.RC_FAILURE

    @staticmethod
    def _at(kind: Any, address: int) -> Any:
        return cast(address, POINTER(kind)).contents
