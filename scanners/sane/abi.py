"""The binary interface of SANE 1.0: numbers, structures, and values of options in memory.

Structures and numbers follow the SANE standard, version 1.06, sections 4.2 to 4.4.
"""

from __future__ import annotations

import ctypes
import enum
from ctypes import POINTER, Structure, Union, c_char_p, c_int
from dataclasses import dataclass
from typing import Any, Final

_FIXED: Final = 65536.0
_WORD: Final = ctypes.sizeof(c_int)


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


class CDevice(Structure):
    """What `sane_get_devices` lists (4.2.8)."""

    _fields_ = [(name, c_char_p) for name in ("name", "vendor", "model", "type")]


class CRange(Structure):
    """Limits of an option (4.2.9)."""

    _fields_ = [(name, c_int) for name in ("min", "max", "quant")]


class CConstraint(Union):
    """One of three, by the type of the constraint (4.2.9)."""

    _fields_ = [
        ("strings", POINTER(c_char_p)),
        ("words", POINTER(c_int)),
        ("range", POINTER(CRange)),
    ]


class CDescriptor(Structure):
    """An option as the backend describes it (4.2.9)."""

    _fields_ = [
        ("name", c_char_p),
        ("title", c_char_p),
        ("desc", c_char_p),
        ("type", c_int),
        ("unit", c_int),
        ("size", c_int),
        ("cap", c_int),
        ("constraint_type", c_int),
        ("constraint", CConstraint),
    ]


class CParameters(Structure):
    """The shape of a frame (4.3.8)."""

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


#: Actions of `sane_control_option`, and what it says of the rest.
GET, SET = 0, 1
INEXACT, RELOAD_OPTIONS = 1, 2
_SOFT_SELECT, _HARD_SELECT, _SOFT_DETECT, _INACTIVE = 1, 2, 4, 32
_RANGE, _WORDS, _STRINGS = 1, 2, 3
#: Formats of a frame (4.3.8).
GREY, RGB = 0, 1


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
        size: bytes of its value; a string's with the zero at its end.
        choices: The values it takes, None where any or a range.
        limits: Lowest, highest and step (0: any) of a range, None without.
        settable: By software, and active now.
        readable: By software, and active now.
        by_hand: Set at the device only: what its keys and sensors say.
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
    by_hand: bool = False


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What the device is about to send (4.3.8).

    Attributes:
        format: `GREY`, `RGB`, or one channel of three passes.
        bytes_per_line: May be more than the pixels need.
        lines: -1 where the device does not know (hand scanners, endless paper).
    """

    format: int
    bytes_per_line: int
    pixels_per_line: int
    lines: int
    depth: int


def option(number: int, found: CDescriptor) -> Option | None:
    """Return what a descriptor says; None for groups and what has no name or no known type."""
    if not found.name or found.type not in list(Kind) or found.type == Kind.GROUP:
        return None
    kind, active = Kind(found.type), not found.cap & _INACTIVE
    choices: tuple[Any, ...] | None = None
    limits = None
    if found.constraint_type == _STRINGS:
        choices, position = (), 0
        while string := found.constraint.strings[position]:
            choices, position = (*choices, text(string)), position + 1
    elif found.constraint_type == _WORDS:
        words = found.constraint.words
        choices = tuple(_number(kind, words[place]) for place in range(1, words[0] + 1))
    elif found.constraint_type == _RANGE:
        span = found.constraint.range.contents
        limits = tuple(float(_number(kind, each)) for each in (span.min, span.max, span.quant))
    return Option(
        number=number,
        name=text(found.name),
        kind=kind,
        unit=Unit(found.unit) if found.unit in list(Unit) else Unit.NONE,
        size=found.size,
        choices=choices,
        limits=limits,  # type: ignore[arg-type]  # three numbers, which mypy does not count
        settable=active and bool(found.cap & _SOFT_SELECT),
        readable=active and bool(found.cap & _SOFT_DETECT),
        by_hand=bool(found.cap & _HARD_SELECT),
    )


def _number(kind: Kind, word: int) -> float | int:
    return word / _FIXED if kind is Kind.FIXED else word


def to_buffer(option: Option, value: Any) -> Any:
    """Return memory with the value, as large as the backend takes it to be.

    Raises:
        SaneFault: The value does not fit; a backend would read or write past its end.
    """
    if option.kind is Kind.STRING:
        encoded = str(value).encode()
        if len(encoded) >= option.size:
            raise SaneFault(f"value of {option.name}", Status.INVALID)
        return ctypes.create_string_buffer(encoded, option.size)
    if option.size > _WORD:  # an array, such as a table of grey values
        raise SaneFault(f"value of {option.name}", Status.INVALID)
    if option.kind is Kind.FIXED:
        return ctypes.create_string_buffer(bytes(c_int(round(float(value) * _FIXED))), _WORD)
    return ctypes.create_string_buffer(bytes(c_int(int(value))), _WORD)


def from_buffer(option: Option, buffer: Any) -> Any:
    """Return the value in the memory; of an array the first."""
    if option.kind is Kind.STRING:
        return buffer.value.decode("utf-8", "replace")
    word = c_int.from_buffer_copy(buffer.raw[:_WORD]).value
    return bool(word) if option.kind is Kind.BOOL else _number(option.kind, word)


def text(value: bytes | None) -> str:
    """Return a string of SANE, which promises no encoding."""
    return (value or b"").decode("utf-8", "replace")
