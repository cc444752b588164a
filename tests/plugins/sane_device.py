"""A SANE library with one device, made of Python callbacks behind the C interface.

For what Debian's `test` backend has not: duplex, options of real feeders, keys that somebody
presses, and troubles of single pages. `python -m tests.plugins.sane_device` is the child of SANE
over it, with a key that is pressed and let go for ever.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_void_p, cast
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from typing_extensions import override

from scanners.device.telling import converse
from scanners.sane.abi import GET, CDescriptor, CParameters, CRange, Kind, Status, Unit
from scanners.sane.child import watching
from scanners.sane.library import SIGNATURES

SELECT, DETECT, HARD, INACTIVE = 1, 4, 2, 32
_FIXED = 65536


@dataclass
class Told:
    """An option of the device.

    Attributes:
        value: As Python has it.
        choices: Strings or numbers that it takes.
        limits: Lowest, highest, step.
        cap: Capabilities of SANE.
        wakes: Names of options that become active when it is set.
        rounds: What it makes of any value, saying that it is inexact.
    """

    name: str
    kind: Kind
    value: Any
    choices: tuple[Any, ...] = ()
    limits: tuple[float, float, float] | None = None
    cap: int = SELECT | DETECT
    unit: Unit = Unit.NONE
    wakes: tuple[str, ...] = ()
    rounds: Any = None
    size: int = 4


def feeder(**more: Told) -> list[Told]:
    """Return the options of a duplex feeder as `fujitsu` and `canon_dr` have them."""
    millimetres = {"kind": Kind.FIXED, "unit": Unit.MM, "limits": (0.0, 216.0, 0.0)}
    options = [
        Told("source", Kind.STRING, "ADF Front", ("ADF Front", "ADF Back", "ADF Duplex")),
        Told("mode", Kind.STRING, "Lineart", ("Lineart", "Gray", "Color")),
        Told("resolution", Kind.INT, 600, limits=(50, 600, 1), unit=Unit.DPI),
        Told("page-width", value=215.9, **millimetres),  # type: ignore[arg-type]  # as spelt above
        Told("page-height", Kind.FIXED, 279.4, limits=(0.0, 900.0, 0.0), unit=Unit.MM),
        Told("tl-x", value=0.0, **millimetres),  # type: ignore[arg-type]  # as spelt above
        Told("br-x", value=215.9, **millimetres),  # type: ignore[arg-type]  # as spelt above
        Told("br-y", Kind.FIXED, 279.4, limits=(0.0, 900.0, 0.0), unit=Unit.MM),
        Told("swskip", Kind.FIXED, 10.0, limits=(0.0, 100.0, 0.1)),
        Told("swdeskew", Kind.BOOL, True),
        Told("swcrop", Kind.BOOL, True),
        Told("swdespeck", Kind.INT, 3, limits=(0, 9, 1)),
        Told("ald", Kind.BOOL, True),
        Told("compression", Kind.STRING, "JPEG", ("None", "JPEG")),
        Told(
            "df-action",
            Kind.STRING,
            "Default",
            ("Default", "Continue", "Stop"),
            wakes=("df-thickness",),
        ),
        Told("df-thickness", Kind.BOOL, False, cap=SELECT | DETECT | INACTIVE),
        Told("scan", Kind.BOOL, False, cap=HARD | DETECT),
        Told("page-loaded", Kind.BOOL, True, cap=HARD | DETECT),
        Told("double-feed", Kind.BOOL, False, cap=HARD | DETECT),
        Told("serial-number", Kind.STRING, "FJ-0815", cap=DETECT, size=32),
    ]
    return [more.get(each.name.replace("-", "_"), each) for each in options]


@dataclass
class SaneDevice:
    """The library and its one device; tests set it and read it.

    Attributes:
        pages: Value of every sample, by side.
        padding: bytes behind each row.
        trouble: By side, from 1: the status with which it ends after its first row.
        unreadable_frame: It does not tell what a page will be like before it begins.
        calls: Names of all calls.
    """

    options: list[Told] = field(default_factory=feeder)
    pages: list[int] = field(default_factory=lambda: [10, 20, 30, 40])
    padding: int = 0
    trouble: dict[int, Status] = field(default_factory=dict)
    format: int | None = None
    unreadable_frame: bool = False
    side: int = 0
    rows: int = 0
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the functions, and the list of options as C sees it."""
        self._alive: list[Any] = []
        functions = {name: self._function(name) for name in SIGNATURES}
        self.lib = SimpleNamespace(**functions, device=self)  # the callbacks live as long as it

    def __getitem__(self, name: str) -> Told:
        """Return an option."""
        return next(each for each in self.options if each.name == name)

    def _function(self, name: str) -> Any:
        result, *arguments = SIGNATURES[name]
        returns = c_void_p if name == "sane_get_option_descriptor" else result
        method = getattr(self, f"_{name}")

        def called(*given: Any) -> Any:
            self.calls.append(name)
            return method(*given)

        callback = CFUNCTYPE(returns, *arguments)(called)
        self._alive.append(callback)
        return CFUNCTYPE(result, *arguments)(cast(callback, c_void_p).value or 0)

    def _sane_init(self, version: Any, authorise: Any) -> int:
        version[0] = 1 << 24 | 2
        return Status.GOOD

    def _sane_exit(self) -> None:
        """Nothing is left to do."""

    def _sane_get_devices(self, found: Any, local: int) -> int:
        return Status.NO_MEMORY

    def _sane_open(self, name: bytes, handle: Any) -> int:
        if name != b"fujitsu:Werkbank":
            return Status.INVALID
        handle[0] = 0x5A
        return Status.GOOD

    def _sane_close(self, handle: int) -> None:
        """Nothing is left to do."""

    def _sane_cancel(self, handle: int) -> None:
        self.rows = 0

    def _sane_get_option_descriptor(self, handle: int, number: int) -> int | None:
        if number >= len(self.options):
            return None
        told = self.options[number]
        found = CDescriptor(
            name=told.name.encode(),
            type=told.kind,
            unit=told.unit,
            cap=told.cap,
            size=self._size(told),
        )
        if told.limits is not None:
            found.constraint_type = 1
            span = CRange(*(self._word(told, each) for each in told.limits))
            found.constraint.range = ctypes.pointer(span)
            self._alive.append(span)
        elif told.choices and told.kind is Kind.STRING:
            found.constraint_type = 3
            strings = (c_char_p * (len(told.choices) + 1))(
                *(each.encode() for each in told.choices)
            )
            found.constraint.strings = cast(strings, POINTER(c_char_p))
            self._alive.append(strings)
        self._alive.append(found)
        return ctypes.addressof(found)

    def _sane_control_option(
        self, handle: int, number: int, action: int, at: int, said: Any
    ) -> int:
        told = self.options[number]
        if told.cap & INACTIVE or not told.cap & (DETECT if action == GET else SELECT):
            return Status.INVALID
        if action == GET:
            self._write(told, at)
            return Status.GOOD
        given = self._read(told, at)
        if told.choices and given not in told.choices:
            return Status.INVALID
        told.value = given if told.rounds is None else told.rounds
        self._write(told, at)
        for name in told.wakes:
            self[name].cap &= ~INACTIVE
        said[0] = (1 if told.rounds is not None else 0) | (2 if told.wakes else 0)
        return Status.GOOD

    def _sane_get_parameters(self, handle: int, found: Any) -> int:
        if self.unreadable_frame and not self.side:
            return Status.INVALID
        colour, lineart = self["mode"].value == "Color", self["mode"].value == "Lineart"
        width, self.height = self._shape()
        depth = 1 if lineart else 8
        self.row = (width * (3 if colour else 1) * depth + 7) // 8
        shape = CParameters(
            format=int(colour) if self.format is None else self.format,
            last_frame=1,
            bytes_per_line=self.row + self.padding,
            pixels_per_line=width,
            lines=self.height,
            depth=depth,
        )
        ctypes.pointer(found[0])[0] = shape
        return Status.GOOD

    def _sane_start(self, handle: int) -> int:
        if not self.pages:
            return Status.NO_DOCS
        self.side += 1
        self.value, self.rows = self.pages.pop(0), 0
        return Status.GOOD

    def _sane_read(self, handle: int, at: int, most: int, length: Any) -> int:
        length[0] = 0
        trouble = self.trouble.get(self.side)
        if trouble is not None and self.rows:
            return trouble
        if self.rows == self.height:
            return Status.EOF
        row = bytes([self.value]) * self.row + b"\xee" * self.padding
        rows = 1 if trouble is not None else min(most // len(row), self.height - self.rows)
        ctypes.memmove(at, row * rows, len(row) * rows)
        self.rows += rows
        length[0] = len(row) * rows
        return Status.GOOD

    def _shape(self) -> tuple[int, int]:
        dpi = self["resolution"].value
        return round(self["br-x"].value * dpi / 25.4), round(self["br-y"].value * dpi / 25.4)

    def _size(self, told: Told) -> int:
        if told.kind is not Kind.STRING:
            return told.size
        return max(told.size, *(len(each) + 1 for each in (*told.choices, told.value)))

    def _word(self, told: Told, value: Any) -> int:
        return round(value * _FIXED) if told.kind is Kind.FIXED else int(value)

    def _read(self, told: Told, at: int) -> Any:
        if told.kind is Kind.STRING:
            return ctypes.string_at(at).decode()
        word = c_int.from_address(at).value
        if told.kind is Kind.BOOL:
            return bool(word)
        return word / _FIXED if told.kind is Kind.FIXED else word

    def _write(self, told: Told, at: int) -> None:
        if told.kind is Kind.STRING:
            ctypes.memmove(at, told.value.encode() + b"\0", len(told.value) + 1)
        else:
            c_int.from_address(at).value = self._word(told, told.value)


class Pressed(SaneDevice):
    """A device at which somebody presses a key between every other look."""

    @override
    def _write(self, told: Told, at: int) -> None:
        if told.name == "scan":
            told.value = not told.value
        super()._write(told, at)


if __name__ == "__main__":
    device = Pressed()  # its callbacks live as long as it does
    converse(lambda request, telling: watching(request, telling, device.lib))
