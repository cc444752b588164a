"""The options of a device as `scanimage --all-options` prints them, and as it takes them.

`scanimage` rounds what is out of range and goes on; so the options are read first, held against
the demands, given, and read again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from scanners.sane.abi import Frame, Kind, Option, SaneFault, Status, Unit
from scanners.sane.library import Made

#: Prints the options of the device with these arguments: the lines, and what it complained of.
Printing = Callable[[list[str]], tuple[list[str], str]]

#: `scanimage` replaces the corners of the area by its origin and size.
_EDGES: Final = {"-l": "tl-x", "-t": "tl-y", "-x": "br-x", "-y": "br-y"}
_FLAGS: Final = {name: edge for edge, name in _EDGES.items()}
_LINE: Final = re.compile(r" {4}(-{1,2}[A-Za-z0-9-]+)(\[=\([^)]*\)\])?(?: (.*))?$")
_BRACKET: Final = re.compile(r"^(.*?) ?\[([^\[\]]*)\]$")
_STATES: Final = frozenset({"inactive", "read-only", "advanced", "hardware"})
_RANGE: Final = re.compile(
    r"(-?[\d.]+)\.\.(-?[\d.]+?)(pel|bit|mm|dpi|%|us)?(?:,\.\.\.)?(?: \(in steps of ([\d.]+)\))?$"
)
_UNITS: Final = {"pel": Unit.PIXEL, "mm": Unit.MM, "dpi": Unit.DPI}
_TYPES: Final = {"<string>": Kind.STRING, "<int>": Kind.INT, "<float>": Kind.FIXED}
_STRING_SIZE: Final = 4096


class _Printed(NamedTuple):
    option: Option
    value: Any


class PrintedOptions:
    """A device that `scanimage` opens anew for every question.

    Attributes:
        arguments: With which it is to be called, for all that was set.
    """

    def __init__(self, printing: Printing) -> None:
        """Read the options as they are.

        Raises:
            SaneFault: The device cannot be opened.
        """
        self._printing = printing
        self.arguments: list[str] = []
        self._known = parsed(printing([])[0])

    def options(self) -> dict[str, Option]:
        """Return the options by name, as they are after the last change."""
        return {name: printed.option for name, printed in self._known.items()}

    def value(self, name: str) -> Any:
        """Return the value of an option."""
        return self._known[name].value

    def put(self, name: str, value: Any) -> Made:
        """Set an option and return what the device made of it.

        Raises:
            SaneFault: The device refuses the value.
        """
        said = ("no", "yes")[value] if isinstance(value, bool) else _plain(value)
        option = f"{_FLAGS[name]}{said}" if name in _FLAGS else f"--{name}={said}"
        if self._known[name].value == value:  # it is so already; the device need not be opened
            self.arguments.append(option)
            return Made(value, inexact=False)
        lines, complaint = self._printing([*self.arguments, option])
        self.arguments.append(option)
        self._known = parsed(lines)
        if name not in self._known:
            raise SaneFault(f"scanimage {option}", Status.INVALID)
        return Made(self._known[name].value, f"rounded value of {name} " in complaint)

    def frame(self) -> Frame | None:
        """Return None: `scanimage` tells nothing of a page before it has it."""
        return None


def parsed(lines: list[str]) -> dict[str, _Printed]:
    """Return by name the options that these lines name, and their values."""
    found: dict[str, _Printed] = {}
    for line in lines:
        matched = _LINE.match(line)
        if matched is not None:
            printed = _option(matched[1], matched[2], matched[3] or "")
            found[printed.option.name] = printed
    return found


def _option(flag: str, switch: str | None, rest: str) -> _Printed:
    states: set[str] = set()
    value: str | None = None
    while (bracket := _BRACKET.match(rest)) is not None and value is None:
        rest = bracket[1]
        if bracket[2] in _STATES:
            states.add(bracket[2])
        else:
            value = bracket[2]
    kind, unit, choices, limits = _constraint(switch, rest)
    active = "inactive" not in states
    return _Printed(
        Option(
            number=0,
            name=_EDGES.get(flag, flag.lstrip("-")),
            kind=kind,
            unit=unit,
            size=_STRING_SIZE,
            choices=choices,
            limits=limits,
            settable=active and not states & {"read-only", "hardware"},
            readable=active and value is not None,
            by_hand="hardware" in states,
        ),
        _typed(kind, value),
    )


def _constraint(
    switch: str | None, rest: str
) -> tuple[Kind, Unit, tuple[Any, ...] | None, tuple[float, float, float] | None]:
    if switch is not None:
        return Kind.BOOL, Unit.NONE, None, None
    if not rest:
        return Kind.BUTTON, Unit.NONE, None, None
    if rest.removesuffix(",...") in _TYPES:
        return _TYPES[rest.removesuffix(",...")], Unit.NONE, None, None
    if (span := _RANGE.match(rest)) is not None:
        limits = (float(span[1]), float(span[2]), float(span[4] or 0))
        return Kind.FIXED, _UNITS.get(span[3], Unit.NONE), None, limits
    listed = [each for each in rest.split("|") if each not in ("auto", "")]
    numbers = [_number(re.sub(r"(pel|bit|mm|dpi|%|us)$", "", each)) for each in listed]
    if all(number is not None for number in numbers):
        return Kind.FIXED, Unit.NONE, tuple(numbers), None
    return Kind.STRING, Unit.NONE, tuple(listed), None


def _typed(kind: Kind, value: str | None) -> Any:
    if value is None or kind is Kind.STRING:
        return value
    if kind is Kind.BOOL:
        return value == "yes"
    return _number(value)


def _number(text: str) -> float | None:
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return None


def _plain(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
