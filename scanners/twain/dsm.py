"""The data source manager and one open source, through the states 1 to 7 (specification 2.4, 2).

Every call is one triplet (group, what, message) through the manager's entry. What the manager
allocates is locked and freed through it, as it demands.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from ctypes import POINTER, byref, c_void_p, cast, sizeof
from pathlib import Path
from typing import Any, Final

from scanners.twain import abi

_NAMES: Final = (
    ("TWAINDSM.dll",)
    if os.name == "nt"
    else ("libtwaindsm.so.2", "libtwaindsm.so", "/usr/local/lib/libtwaindsm.so")
)


class TwainFault(Exception):
    """A triplet failed.

    Attributes:
        code: The return code.
        condition: The condition code that the manager or source gave.
    """

    def __init__(self, what: str, code: int, condition: int) -> None:
        """Take the triplet's name, its return code and the condition."""
        self.code, self.condition = code, condition
        super().__init__(f"{what}: return code {code}, condition {condition}")


def load(path: Path | None = None) -> Any:
    """Return the entry of the manager of this computer.

    Raises:
        OSError: There is none of this process's width.
    """
    error: OSError | None = None
    for name in (str(path),) if path is not None else _NAMES:
        try:
            library = (
                ctypes.WinDLL(name)  # type: ignore[attr-defined,unused-ignore]  # Windows only
                if os.name == "nt"
                else ctypes.CDLL(name)
            )
        except OSError as missing:
            error = missing
            continue
        entry = library.DSM_Entry
        entry.restype = ctypes.c_uint16
        group, what = ctypes.c_uint32, ctypes.c_uint16
        entry.argtypes = (c_void_p, c_void_p, group, what, what, c_void_p)
        return entry
    message = f"no TWAIN data source manager: {error}"
    raise OSError(message)


class Manager:
    """The opened manager (state 3)."""

    def __init__(self, entry: Any, window: int | None = None) -> None:
        """Open it, on Windows for a window that takes its messages.

        Raises:
            TwainFault: It does not open, or is older than 2.0.
        """
        self._entry = entry
        self._identity = _application()
        self.window = c_void_p(window)
        self.call(abi.DG_CONTROL, abi.DAT_PARENT, abi.MSG_OPENDSM, byref(self.window))
        if not self._identity.supported_groups & abi.DF_DSM2:
            self.close()
            what = "manager is older than TWAIN 2.0"
            raise TwainFault(what, abi.RC_FAILURE, abi.CC_OPERATIONERROR)
        self._point = abi.EntryPoint()
        self._point.size = sizeof(abi.EntryPoint)
        try:
            self.call(abi.DG_CONTROL, abi.DAT_ENTRYPOINT, abi.MSG_GET, byref(self._point))
        except TwainFault:
            self.close()
            raise

    def call(
        self,
        group: int,
        what: int,
        message: int,
        argument: Any,
        source: abi.Identity | None = None,
        *,
        good: tuple[int, ...] = (abi.RC_SUCCESS,),
    ) -> int:
        """Do one triplet and return its code, which is one of `good`.

        Raises:
            TwainFault: It is none of them.
        """
        destination = None if source is None else byref(source)
        code = int(self._entry(byref(self._identity), destination, group, what, message, argument))
        if code not in good:
            raise TwainFault(f"{group}/{what:#x}/{message:#x}", code, self._condition(source))
        return code

    def sources(self) -> Iterator[abi.Identity]:
        """Yield the installed sources."""
        found = abi.Identity()
        message = abi.MSG_GETFIRST
        good = (abi.RC_SUCCESS, abi.RC_ENDOFLIST)
        while (
            self.call(abi.DG_CONTROL, abi.DAT_IDENTITY, message, byref(found), good=good)
            == abi.RC_SUCCESS
        ):
            yield abi.Identity.from_buffer_copy(found)
            message = abi.MSG_GETNEXT

    def allocate(self, size: int) -> int:
        """Return a handle of memory of the manager."""
        handle = abi.MEM_ALLOCATE(self._point.allocate)(size)
        if not handle:
            what = "no memory"
            raise TwainFault(what, abi.RC_FAILURE, abi.CC_LOWMEMORY)
        return int(handle)

    @contextlib.contextmanager
    def locked(self, handle: int) -> Iterator[int]:
        """Lend the address of a handle's memory."""
        address = abi.MEM_LOCK(self._point.lock)(handle)
        try:
            yield int(address)
        finally:
            abi.MEM_UNLOCK(self._point.unlock)(handle)

    def free(self, handle: int | None) -> None:
        """Give a handle back; None is nothing."""
        if handle:
            abi.MEM_FREE(self._point.free)(handle)

    def close(self) -> None:
        """Close the manager (back to state 2)."""
        with contextlib.suppress(TwainFault):
            self.call(abi.DG_CONTROL, abi.DAT_PARENT, abi.MSG_CLOSEDSM, byref(self.window))

    def _condition(self, source: abi.Identity | None) -> int:
        status = abi.Status()
        destination = None if source is None else byref(source)
        self._entry(
            byref(self._identity),
            destination,
            abi.DG_CONTROL,
            abi.DAT_STATUS,
            abi.MSG_GET,
            byref(status),
        )
        return int(status.condition_code)


class Capabilities:
    """The capabilities of an open source, read and set by number."""

    def __init__(self, manager: Manager, source: abi.Identity) -> None:
        """Take an open source."""
        self._manager, self._source = manager, source

    def get(self, cap: int) -> Any:
        """Return the present value: a number, a bool or a text.

        Raises:
            TwainFault: The source does not have it.
        """
        asked = abi.Capability(cap, abi.ON_DONTCARE, None)
        self._call(abi.MSG_GETCURRENT, asked)
        try:
            return self._value(asked)
        finally:
            self._manager.free(asked.container)

    def set(self, cap: int, item_type: int, value: float | bool) -> Any:
        """Set a value and return what the source made of it.

        Raises:
            TwainFault: The source does not take it.
        """
        item = abi.bits(abi.fixed(value)) if item_type == abi.TY_FIX32 else int(value)
        held = abi.OneValue(item_type, item & 0xFFFFFFFF)
        self._put(cap, abi.ON_ONEVALUE, bytes(held).ljust(abi.OneValue.ROOM, b"\0"))
        return self.get(cap)

    def set_each(self, cap: int, item_type: int, values: Sequence[int]) -> Any:
        """Set an array of values and return the first that the source took.

        Raises:
            TwainFault: The source does not take it.
        """
        size = abi.ITEM_SIZES[item_type]
        items = b"".join(value.to_bytes(size, sys.byteorder) for value in values)
        self._put(cap, abi.ON_ARRAY, bytes(abi.Array(item_type, len(values))) + items)
        return self.get(cap)

    def _put(self, cap: int, container: int, content: bytes) -> None:
        handle = self._manager.allocate(len(content))
        try:
            with self._manager.locked(handle) as address:
                ctypes.memmove(address, content, len(content))
            self._call(
                abi.MSG_SET,
                abi.Capability(cap, container, handle),
                good=(abi.RC_SUCCESS, abi.RC_CHECKSTATUS),
            )
        finally:
            self._manager.free(handle)

    def choices(self, cap: int) -> list[Any] | None:
        """Return what the source takes, None where it takes a range or does not tell."""
        asked = abi.Capability(cap, abi.ON_DONTCARE, None)
        try:
            self._call(abi.MSG_GET, asked)
        except TwainFault:
            return None
        try:
            with self._manager.locked(asked.container) as address:
                return self._items(asked.con_type, address)
        finally:
            self._manager.free(asked.container)

    def _items(self, container: int, address: int) -> list[Any] | None:
        if container == abi.ON_ONEVALUE:
            return [self._read_one(address)]
        shape: Any = {abi.ON_ENUMERATION: abi.Enumeration, abi.ON_ARRAY: abi.Array}.get(container)
        if shape is None:
            return None
        head = cast(address, POINTER(shape)).contents
        size = _size(head.item_type)
        begin = address + sizeof(shape)
        return [
            _item(head.item_type, ctypes.string_at(begin + size * place, size))
            for place in range(head.num_items)
        ]

    def _value(self, asked: abi.Capability) -> Any:
        with self._manager.locked(asked.container) as address:
            if asked.con_type == abi.ON_ONEVALUE:
                return self._read_one(address)
            if asked.con_type == abi.ON_RANGE:
                span = cast(address, POINTER(abi.Span)).contents
                return _item(span.item_type, int(span.current_value).to_bytes(4, sys.byteorder))
            head = cast(address, POINTER(abi.Enumeration)).contents
            items = self._items(asked.con_type, address) or [None]
            current = head.current_index if asked.con_type == abi.ON_ENUMERATION else 0
            return items[current] if current < len(items) else None

    def _read_one(self, address: int) -> Any:
        item_type = cast(address, POINTER(abi.OneValue)).contents.item_type
        begin = address + abi.OneValue.item.offset
        return _item(item_type, ctypes.string_at(begin, _size(item_type)))

    def _call(
        self, message: int, asked: abi.Capability, good: tuple[int, ...] = (abi.RC_SUCCESS,)
    ) -> None:
        self._manager.call(
            abi.DG_CONTROL, abi.DAT_CAPABILITY, message, byref(asked), self._source, good=good
        )


def _size(item_type: int) -> int:
    if item_type not in abi.ITEM_SIZES:
        message = f"item of type {item_type}"
        raise TwainFault(message, abi.RC_FAILURE, abi.CC_BADVALUE)
    return abi.ITEM_SIZES[item_type]


def _item(item_type: int, raw: bytes) -> Any:
    if item_type in abi.TEXTS:
        return raw.split(b"\0", 1)[0].decode("utf-8", "replace")
    if item_type == abi.TY_FIX32:
        return abi.number(abi.Fix32.from_buffer_copy(raw))
    signed = item_type in (abi.TY_INT8, abi.TY_INT16, abi.TY_INT32)
    value = int.from_bytes(raw, sys.byteorder, signed=signed)
    return bool(value) if item_type == abi.TY_BOOL else value


def _application() -> abi.Identity:
    us = abi.Identity()
    us.protocol_major, us.protocol_minor = 2, 4
    us.supported_groups = abi.DG_CONTROL | abi.DG_IMAGE | abi.DF_APP2
    us.version.major, us.version.minor = 1, 0
    us.manufacturer, us.product_family, us.product_name = b"Scanstrasse", b"Scanstrasse", b"Station"
    return us
