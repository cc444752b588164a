"""libsane, the C library of SANE 1.0, by ctypes.

Only what a scan needs, with strict types, integer statuses and no text comparisons. It runs in a
child process of its own: some backends end the process they are in
(docs/decisions/0017-scanners-live-in-child-processes.md).
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from ctypes import POINTER, byref, c_char_p, c_int, c_ubyte, c_void_p
from typing import Any, Final, NamedTuple

from scanners.sane.abi import (
    GET,
    INEXACT,
    RELOAD_OPTIONS,
    SET,
    CDescriptor,
    CDevice,
    CParameters,
    Frame,
    Option,
    SaneFault,
    Status,
    from_buffer,
    option,
    text,
    to_buffer,
)

_SONAMES: Final = ("libsane.so.1", "libsane.so", "libsane.dylib")
_NOTHING_YET_SECONDS: Final = 0.01


class Made(NamedTuple):
    """What a device made of a value.

    Attributes:
        inexact: It says itself that this is not what it was given.
    """

    value: Any
    inexact: bool


class Library:
    """The loaded and initialised library; one a process."""

    def __init__(self, lib: Any = None) -> None:
        """Initialise `lib`, or libsane.

        Raises:
            OSError: There is none on this machine.
            SaneFault: It does not start.
        """
        self._lib = load() if lib is None else lib
        version = c_int()
        _check("sane_init", self._lib.sane_init(byref(version), None))
        major, minor, build = version.value >> 24, version.value >> 16 & 255, version.value & 65535
        self.version = f"{major}.{minor}.{build}"

    def devices(self) -> list[tuple[str, str, str, str]]:
        """Return name, vendor, model and type of each device that answers.

        Raises:
            SaneFault: The list could not be made.
        """
        found = POINTER(POINTER(CDevice))()
        _check("sane_get_devices", self._lib.sane_get_devices(byref(found), 0))
        named, position = [], 0
        while found[position]:
            device = found[position].contents
            named.append(
                (text(device.name), text(device.vendor), text(device.model), text(device.type))
            )
            position += 1
        return named

    def open(self, name: str) -> Handle:
        """Open a device.

        Raises:
            SaneFault: Busy, denied, unknown or gone.
        """
        handle = c_void_p()
        _check("sane_open", self._lib.sane_open(name.encode(), byref(handle)))
        return Handle(self._lib, handle)

    def close(self) -> None:
        """End the library; nothing of it may be used afterwards."""
        self._lib.sane_exit()


class Handle:
    """An open device."""

    def __init__(self, lib: Any, handle: c_void_p) -> None:
        """Take what `sane_open` gave."""
        self._lib, self._handle = lib, handle
        self._options: dict[str, Option] | None = None

    def options(self) -> dict[str, Option]:
        """Return the options by name, as they are after the last change."""
        if self._options is None:
            self._options = {each.name: each for each in self._described()}
        return self._options

    def value(self, name: str) -> Any:
        """Return the value of an option.

        Raises:
            SaneFault: It cannot be read.
            KeyError: There is no such option.
        """
        asked = self.options()[name]
        buffer = ctypes.create_string_buffer(max(asked.size, ctypes.sizeof(c_int)) + 1)
        self._control(asked, GET, buffer)
        return from_buffer(asked, buffer)

    def put(self, name: str, value: Any) -> Made:
        """Set an option and return what the device made of it.

        It is read back, because some backends correct a value only afterwards; what cannot be
        read is what the backend left in the memory it was given.

        Raises:
            SaneFault: The device refuses the value, or it does not fit.
            KeyError: There is no such option.
        """
        asked = self.options()[name]
        buffer = to_buffer(asked, value)
        said = self._control(asked, SET, buffer)
        if said & RELOAD_OPTIONS:
            self._options = None
        now = self.options().get(name)
        readable = now is not None and now.readable
        left = self.value(name) if readable else from_buffer(asked, buffer)
        return Made(left, bool(said & INEXACT))

    def press(self, name: str) -> None:
        """Trigger an option that is a button of the backend.

        Raises:
            SaneFault: The device refuses.
            KeyError: There is no such option.
        """
        asked = self.options()[name]
        if self._control(asked, SET, (c_int * 1)()) & RELOAD_OPTIONS:
            self._options = None

    def start(self) -> None:
        """Begin the next page; moves a sheet.

        Raises:
            SaneFault: `NO_DOCS` at the end of the stack, and whatever went wrong.
        """
        _check("sane_start", self._lib.sane_start(self._handle))

    def frame(self) -> Frame:
        """Return the shape of the page that was begun; before that, what it will likely be.

        Raises:
            SaneFault: The device does not say.
        """
        found = CParameters()
        _check("sane_get_parameters", self._lib.sane_get_parameters(self._handle, byref(found)))
        return Frame(
            format=found.format,
            bytes_per_line=found.bytes_per_line,
            pixels_per_line=found.pixels_per_line,
            lines=found.lines,
            depth=found.depth,
        )

    def chunks(self, size: int = 1 << 18) -> Iterator[bytes]:
        """Yield the bytes of the page to its end; nothing where the device has none yet.

        Raises:
            SaneFault: The page broke off.
        """
        buffer = (c_ubyte * size)()
        length = c_int()
        while True:
            status = self._lib.sane_read(self._handle, buffer, size, byref(length))
            if status == Status.EOF:
                return
            _check("sane_read", status)
            if not length.value:  # a backend that does not block must not keep a core busy
                time.sleep(_NOTHING_YET_SECONDS)
            yield ctypes.string_at(buffer, length.value)

    def cancel(self) -> None:
        """End the page under way, and the stack with it."""
        self._lib.sane_cancel(self._handle)

    def close(self) -> None:
        """Give the device back."""
        self._lib.sane_close(self._handle)

    def _described(self) -> Iterator[Option]:
        number = 0
        while pointer := self._lib.sane_get_option_descriptor(self._handle, number):
            if (found := option(number, pointer.contents)) is not None:
                yield found
            number += 1

    def _control(self, asked: Option, action: int, buffer: Any) -> int:
        flags = c_int()
        _check(
            f"sane_control_option {asked.name}",
            self._lib.sane_control_option(
                self._handle, asked.number, action, ctypes.cast(buffer, c_void_p), byref(flags)
            ),
        )
        return flags.value


def load() -> Any:
    """Load libsane and give its functions their types.

    Raises:
        OSError: There is none on this machine, or none for this Python.
    """
    error: OSError | None = None
    for name in _SONAMES:
        try:
            lib = ctypes.CDLL(name)
        except OSError as missing:
            error = missing
            continue
        for call, (result, *arguments) in SIGNATURES.items():
            getattr(lib, call).restype = result
            getattr(lib, call).argtypes = arguments
        return lib
    message = f"libsane is not installed: {error}"
    raise OSError(message)


#: By function: what it returns, and what it takes (4.3).
SIGNATURES: Final[dict[str, tuple[Any, ...]]] = {
    "sane_init": (c_int, POINTER(c_int), c_void_p),
    "sane_exit": (None,),
    "sane_get_devices": (c_int, POINTER(POINTER(POINTER(CDevice))), c_int),
    "sane_open": (c_int, c_char_p, POINTER(c_void_p)),
    "sane_close": (None, c_void_p),
    "sane_get_option_descriptor": (POINTER(CDescriptor), c_void_p, c_int),
    "sane_control_option": (c_int, c_void_p, c_int, c_int, c_void_p, POINTER(c_int)),
    "sane_get_parameters": (c_int, c_void_p, POINTER(CParameters)),
    "sane_start": (c_int, c_void_p),
    "sane_read": (c_int, c_void_p, c_void_p, c_int, POINTER(c_int)),
    "sane_cancel": (None, c_void_p),
}


def _check(call: str, status: int) -> None:
    if status != Status.GOOD:
        raise SaneFault(call, status)
