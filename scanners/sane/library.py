"""libsane, the C library of SANE 1.0, by ctypes.

Only what a scan needs, with strict types, integer statuses and no text comparisons. It runs in a
child process of its own: some backends end the process they are in (docs/decisions).

Structures and numbers follow the SANE standard, version 1.06, sections 4.2 to 4.4.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import enum
from collections.abc import Iterator
from ctypes import POINTER, Structure, Union, byref, c_char_p, c_int, c_ubyte, c_void_p
from dataclasses import dataclass
from typing import Any, Final

_FIXED: Final = 65536.0
_SONAMES: Final = ("libsane.so.1", "libsane.so", "libsane.dylib")


class Status(enum.IntEnum):
    """What a call of SANE ended with (4.2.7)."""

    GOOD = 0
    UNSUPPORTED = 1
    CANCELLED = 2
    BUSY = 3
    INVALID = 4
    EOF = 5
    JAMMED = 6
    NO_DOCS = 7
    COVER_OPEN = 8
    IO_ERROR = 9
    NO_MEMORY = 10
    ACCESS_DENIED = 11


class Kind(enum.IntEnum):
    """Type of an option's value (4.2.9)."""

    BOOL = 0
    INT = 1
    FIXED = 2
    STRING = 3
    BUTTON = 4
    GROUP = 5


class Unit(enum.IntEnum):
    """Physical unit of an option (4.2.9)."""

    NONE = 0
    PIXEL = 1
    BIT = 2
    MM = 3
    DPI = 4
    PERCENT = 5
    MICROSECOND = 6


class _Device(Structure):
    _fields_ = [(name, c_char_p) for name in ("name", "vendor", "model", "type")]


class _Range(Structure):
    _fields_ = [(name, c_int) for name in ("min", "max", "quant")]


class _Constraint(Union):
    _fields_ = [
        ("strings", POINTER(c_char_p)),
        ("words", POINTER(c_int)),
        ("range", POINTER(_Range)),
    ]


class _Descriptor(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("title", c_char_p),
        ("desc", c_char_p),
        ("type", c_int),
        ("unit", c_int),
        ("size", c_int),
        ("cap", c_int),
        ("constraint_type", c_int),
        ("constraint", _Constraint),
    ]


class _Parameters(Structure):
    _fields_ = [
        (name, c_int)
        for name in (
            "format",
            "last_frame",
            "bytes_per_line",
            "pixels_per_line",
            "lines",
            "depth",
        )
    ]


_GET, _SET = 0, 1
_SOFT_SELECT, _SOFT_DETECT, _INACTIVE = 1, 4, 32
_RELOAD_OPTIONS: Final = 2
_NO_CONSTRAINT, _RANGE, _WORDS, _STRINGS = range(4)


class SaneFault(Exception):
    """A call of SANE did not end well.

    Attributes:
        status: What it said.
    """

    def __init__(self, call: str, status: int) -> None:
        """Take the name of the call and its status."""
        self.status = Status(status) if status in list(Status) else Status.IO_ERROR
        super().__init__(f"{call}: {self.status.name}")


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of an open device as it is now.

    Attributes:
        choices: The values it takes, None where any or a range.
        limits: Lowest, highest and step (0: any) of a range, None without.
        settable: By software, and active now.
        readable: By software, and active now.
    """

    number: int
    name: str
    kind: Kind
    unit: Unit
    size: int
    choices: tuple[Any, ...] | None
    limits: tuple[float, float, float] | None
    settable: bool
    readable: bool


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What the device is about to send (4.3.8).

    Attributes:
        format: 0 grey, 1 RGB, 2 to 4 one channel of three passes.
        lines: -1 where the device does not know (hand scanners).
    """

    format: int
    bytes_per_line: int
    pixels_per_line: int
    lines: int
    depth: int


class Library:
    """The loaded and initialised library; one a process."""

    def __init__(self) -> None:
        """Load libsane.

        Raises:
            OSError: There is none on this machine.
        """
        self._lib = _load()
        version = c_int()
        _check("sane_init", self._lib.sane_init(byref(version), None))
        major, minor, build = version.value >> 24, version.value >> 16 & 255, version.value & 65535
        self.version = f"{major}.{minor}.{build}"

    def devices(self) -> list[tuple[str, str, str, str]]:
        """Return name, vendor, model and type of each device that answers."""
        found = POINTER(POINTER(_Device))()
        _check("sane_get_devices", self._lib.sane_get_devices(byref(found), 0))
        named, position = [], 0
        while found[position]:
            device = found[position].contents
            named.append(
                (_text(device.name), _text(device.vendor), _text(device.model), _text(device.type))
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
            self._options = {option.name: option for option in self._described()}
        return self._options

    def value(self, name: str) -> Any:
        """Return the value of an option.

        Raises:
            SaneFault: It cannot be read.
            KeyError: There is no such option.
        """
        option = self.options()[name]
        buffer = ctypes.create_string_buffer(max(option.size, 4) + 1)
        self._control(option, _GET, buffer)
        return _from_buffer(option, buffer)

    def put(self, name: str, value: Any) -> Any:
        """Set an option and return what the device made of it.

        Raises:
            SaneFault: The device refuses the value.
            KeyError: There is no such option.
        """
        option = self.options()[name]
        buffer = _to_buffer(option, value)
        if self._control(option, _SET, buffer) & _RELOAD_OPTIONS:
            self._options = None
        return self.value(name)

    def start(self) -> None:
        """Begin the next page; moves a sheet.

        Raises:
            SaneFault: `NO_DOCS` at the end of the stack, and whatever went wrong.
        """
        _check("sane_start", self._lib.sane_start(self._handle))

    def frame(self) -> Frame:
        """Return the shape of the page that was begun."""
        found = _Parameters()
        _check("sane_get_parameters", self._lib.sane_get_parameters(self._handle, byref(found)))
        return Frame(
            format=found.format,
            bytes_per_line=found.bytes_per_line,
            pixels_per_line=found.pixels_per_line,
            lines=found.lines,
            depth=found.depth,
        )

    def chunks(self, size: int = 1 << 18) -> Iterator[bytes]:
        """Yield the bytes of the page to its end.

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
            if length.value:
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
            found = pointer.contents
            if found.name and found.type not in (Kind.BUTTON, Kind.GROUP):
                yield _option(number, found)
            number += 1

    def _control(self, option: Option, action: int, buffer: Any) -> int:
        flags = c_int()
        _check(
            f"sane_control_option {option.name}",
            self._lib.sane_control_option(
                self._handle, option.number, action, ctypes.cast(buffer, c_void_p), byref(flags)
            ),
        )
        return flags.value


def _option(number: int, found: _Descriptor) -> Option:
    kind, active = Kind(found.type), not found.cap & _INACTIVE
    choices: tuple[Any, ...] | None = None
    limits = None
    if found.constraint_type == _STRINGS:
        choices, position = (), 0
        while text := found.constraint.strings[position]:
            choices, position = (*choices, _text(text)), position + 1
    elif found.constraint_type == _WORDS:
        words = found.constraint.words
        choices = tuple(_number(kind, words[place]) for place in range(1, words[0] + 1))
    elif found.constraint_type == _RANGE:
        span = found.constraint.range.contents
        limits = tuple(float(_number(kind, each)) for each in (span.min, span.max, span.quant))
    return Option(
        number=number,
        name=_text(found.name),
        kind=kind,
        unit=Unit(found.unit),
        size=found.size,
        choices=choices,
        limits=limits,  # type: ignore[arg-type]  # three numbers, which mypy does not count
        settable=active and bool(found.cap & _SOFT_SELECT),
        readable=active and bool(found.cap & _SOFT_DETECT),
    )


def _number(kind: Kind, word: int) -> float | int:
    return word / _FIXED if kind is Kind.FIXED else word


def _to_buffer(option: Option, value: Any) -> Any:
    if option.kind is Kind.STRING:
        encoded = str(value).encode()
        return ctypes.create_string_buffer(encoded, max(option.size, len(encoded) + 1))
    if option.kind is Kind.FIXED:
        return ctypes.create_string_buffer(bytes(c_int(round(float(value) * _FIXED))), 4)
    return ctypes.create_string_buffer(bytes(c_int(int(value))), 4)


def _from_buffer(option: Option, buffer: Any) -> Any:
    if option.kind is Kind.STRING:
        return buffer.value.decode("utf-8", "replace")
    word = c_int.from_buffer_copy(buffer.raw[:4]).value
    return bool(word) if option.kind is Kind.BOOL else _number(option.kind, word)


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def _check(call: str, status: int) -> None:
    if status != Status.GOOD:
        raise SaneFault(call, status)


def _load() -> Any:
    error: OSError | None = None
    for name in _SONAMES:
        try:
            lib = ctypes.CDLL(name)
        except OSError as missing:
            error = missing
            continue
        lib.sane_get_option_descriptor.restype = POINTER(_Descriptor)
        lib.sane_get_option_descriptor.argtypes = (c_void_p, c_int)
        lib.sane_control_option.argtypes = (c_void_p, c_int, c_int, c_void_p, POINTER(c_int))
        lib.sane_open.argtypes = (c_char_p, POINTER(c_void_p))
        lib.sane_read.argtypes = (c_void_p, c_void_p, c_int, POINTER(c_int))
        for call in ("sane_start", "sane_cancel", "sane_close"):
            getattr(lib, call).argtypes = (c_void_p,)
        lib.sane_get_parameters.argtypes = (c_void_p, POINTER(_Parameters))
        for nothing in ("sane_cancel", "sane_close", "sane_exit"):
            getattr(lib, nothing).restype = None
        return lib
    message = f"libsane is not installed: {error}"
    raise OSError(message)
