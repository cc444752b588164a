"""From the settings of a scan to the options of one backend, and what it made of them.

Backends name the same thing differently, so each setting has a list of candidates. What is
demanded is set or refused before a sheet moves, never rounded: SANE would answer 5000 dpi with
"good" and scan at 1200. What a backend would do to the image by itself is switched off and
recorded, because a replacing scan is the paper and nothing else (TR-03138 A.NB.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from scanners.device import Effective, Feed, Mode, ScanSettings, SettingRefused
from scanners.sane.abi import GREY, RGB, Frame, Kind, Option, SaneFault, Unit
from scanners.sane.library import Made
from scanners.sane.names import DOUBLE_FEED, DUPLEX_SWITCHES, MODES, SOURCES, UNTOUCHED

_EDGES: Final = (("tl-x", 0), ("tl-y", 0), ("br-x", 1), ("br-y", 2))
_MM: Final = 25.4
#: A device may lack so much of a paper size, which is less than any margin.
_TOLERANCE_MM: Final = 1.0
#: Where a device has no say in the area, its page may differ so much from the paper demanded.
_PAPER_MM: Final = 5.0
_DEPTHS: Final = MappingProxyType({Mode.BITONAL: (1,), Mode.GREY: (8, 16), Mode.COLOUR: (8, 16)})


class Adjustable(Protocol):
    """A device whose options can be read and set."""

    def options(self) -> dict[str, Option]:
        """Return the options by name, as they are after the last change."""
        ...

    def value(self, name: str) -> Any:
        """Return the value of an option.

        Raises:
            SaneFault: It cannot be read.
        """
        ...

    def put(self, name: str, value: Any) -> Made:
        """Set an option and return what the device made of it.

        Raises:
            SaneFault: The device refuses the value.
        """
        ...

    def frame(self) -> Frame | None:
        """Return what the next page will be like, None where nobody can tell before it."""
        ...


class Chosen:
    """The settings being made on one open device."""

    def __init__(
        self,
        handle: Adjustable,
        settings: ScanSettings,
        own: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Take the demands, and by name the device's `own` options; nothing is set yet."""
        self._handle = handle
        self._settings = settings
        self._own = own
        self.effective: dict[str, Effective] = {}

    def make(self) -> Mapping[str, Effective]:
        """Make all settings and return them as they are.

        Raises:
            SettingRefused: One that is demanded cannot be made.
        """
        for name, value in self._own.items():
            self._require(name, (name,), value)
        self._source()
        self._mode()
        self._resolution()
        self._area()
        self._threshold()
        self._wishes(UNTOUCHED)
        self._wishes(DOUBLE_FEED)
        self._announced()
        return self.effective

    def _source(self) -> None:
        feed = self._settings.feed
        option = self._option(("source",))
        if option is None:
            if feed is not Feed.FLATBED and not self._switch_duplex():
                raise self._refused("source", feed, None)
            return
        named = _same(option.choices, SOURCES[feed])
        if named is None and feed is Feed.DUPLEX:
            named = _same(option.choices, SOURCES[Feed.FEEDER])
            if named is None or not self._switch_duplex():
                raise self._refused("source", feed, option.choices)
        if named is None:
            raise self._refused("source", feed, option.choices)
        self._put("source", option.name, named, asked=str(feed))

    def _switch_duplex(self) -> bool:
        for name in DUPLEX_SWITCHES:
            option = self._option((name,))
            if option is not None:
                wanted: Any = (
                    True if option.kind is Kind.BOOL else _same(option.choices, ("Duplex",))
                )
                if wanted is not None:
                    self._put("duplex", name, wanted, asked=True)
                    return True
        return False

    def _mode(self) -> None:
        option = self._option(("mode",))
        if option is None:  # a device with one mode only: `_announced` looks whether it is ours
            self._depth(self._settings.depth if self._settings.mode is not Mode.BITONAL else None)
            return
        for named, depth in MODES[self._settings.mode]:
            found = _same(option.choices, (named,))
            if found is not None and self._has_depth(depth):
                self._put("mode", option.name, found, asked=str(self._settings.mode))
                self._depth(self._settings.depth if depth == 8 else depth)  # noqa: PLR2004 - bits
                return
        raise self._refused("mode", self._settings.mode, option.choices)

    def _has_depth(self, depth: int | None) -> bool:
        if depth != 1:
            return True
        option = self._option(("depth",))
        return option is not None and option.choices is not None and 1 in option.choices

    def _depth(self, depth: int | None) -> None:
        if depth is not None and self._option(("depth",)) is not None:
            self._require("depth", ("depth",), depth)
        elif depth not in (None, 8):
            raise self._refused("depth", depth, None)

    def _resolution(self) -> None:
        across = self._option(("resolution", "x-resolution"))
        self._require("resolution", ("resolution", "x-resolution"), self._settings.dpi)
        if across is not None and across.name == "x-resolution":
            self._require("resolution down", ("y-resolution",), self._settings.dpi)

    def _area(self) -> None:
        width, height = self._settings.size_mm
        for name, value in (("page-width", width), ("page-height", height)):
            option = self._option((name,))
            if option is not None:
                self._edge(option, value)
        for name, which in _EDGES:
            option = self._option((name,))
            if option is not None:
                self._edge(option, (0.0, width, height)[which])

    def _threshold(self) -> None:
        wanted = self._settings.threshold
        if wanted is None or self._settings.mode is not Mode.BITONAL:
            return
        try:
            self._require("threshold", ("threshold",), wanted)
        except SettingRefused:
            if "threshold" not in self._settings.wished:
                raise
            option = self._handle.options().get("threshold")
            stays = None if option is None else self._now(option)
            self.effective["threshold"] = Effective(
                option="threshold", requested=wanted, effective=stays
            )

    def _edge(self, option: Option, millimetres: float) -> None:
        scale = self._settings.dpi / _MM if option.unit is Unit.PIXEL else 1.0
        wanted = millimetres * scale
        if option.limits is not None:
            low, high, _ = option.limits
            if wanted > high + _TOLERANCE_MM * scale and self._wants_paper:
                offered = f"höchstens {high / scale:.0f} mm"
                raise self._refused(f"paper ({option.name})", f"{millimetres:g} mm", offered)
            wanted = min(max(wanted, low), high)
        made = self._put(option.name, option.name, wanted, asked=round(millimetres, 2))
        if abs(made - wanted) > _TOLERANCE_MM * scale and self._wants_paper:
            offered = f"{made / scale:.0f} mm"
            raise self._refused(f"paper ({option.name})", f"{millimetres:g} mm", offered)

    def _announced(self) -> None:
        """Hold the page that the device announces against the demands.

        What it cannot be told by an option has to be so by itself, and what it was told has to
        have worked.
        """
        try:
            frame = self._handle.frame()
        except SaneFault:  # before the first sheet it need not know; the page is looked at again
            frame = None
        if frame is None:
            self._settable()
            return
        wrong = unlike(frame, self._settings)
        if wrong is not None:
            raise self._refused("mode", self._settings.mode, wrong)
        for name, found, wanted in zip(
            ("br-x", "br-y"),
            (frame.pixels_per_line, frame.lines),
            self._settings.size_mm,
            strict=True,
        ):
            millimetres = found * _MM / self._settings.dpi
            endless = found < 0
            fits = endless or abs(millimetres - wanted) <= _PAPER_MM or not self._wants_paper
            if self._option((name,)) is None and not fits:
                raise self._refused(f"paper ({name})", f"{wanted:g} mm", f"{millimetres:.0f} mm")

    def _settable(self) -> None:
        for name in ("mode", "br-x", "br-y") if self._wants_paper else ("mode",):
            if self._option((name,)) is None:
                raise self._refused(name, "", None)

    @property
    def _wants_paper(self) -> bool:
        return "paper" not in self._settings.wished

    def _require(self, ours: str, candidates: Iterable[str], wanted: Any) -> None:
        option = self._option(candidates)
        if option is None:
            raise self._refused(ours, wanted, None)
        if not _allowed(option, wanted):
            raise self._refused(ours, wanted, option.choices or _span(option))
        made = self._put(ours, option.name, wanted, asked=wanted)
        if made != wanted:
            raise self._refused(ours, wanted, (made,))

    def _wishes(self, wishes: Mapping[str, Any]) -> None:
        """Set what the backend has of these; what it refuses is recorded as it stays."""
        for name, value in wishes.items():
            option = self._option((name,))
            if option is None:
                continue
            if option.kind is Kind.STRING and _same(option.choices, (str(value),)) is None:
                self._keep(option, None, self._now(option))
                continue
            try:
                self._put(name, name, value, asked=value)
            except SettingRefused:
                self._keep(option, value, self._now(option))

    def _put(self, ours: str, name: str, value: Any, *, asked: Any) -> Any:
        try:
            made, inexact = self._handle.put(name, value)
        except SaneFault as error:
            raise self._refused(ours, asked, None) from error
        self.effective[ours] = Effective(
            option=name, requested=asked, effective=made, inexact=inexact
        )
        return made

    def _keep(self, option: Option, asked: Any, stays: Any) -> None:
        self.effective[option.name] = Effective(
            option=option.name, requested=asked, effective=stays
        )

    def _now(self, option: Option) -> Any:
        try:
            return self._handle.value(option.name) if option.readable else None
        except SaneFault:
            return None

    def _option(self, candidates: Iterable[str]) -> Option | None:
        known = self._handle.options()
        for name in candidates:
            if name in known and known[name].settable:
                return known[name]
        return None

    def _refused(self, ours: str, wanted: object, offered: object) -> SettingRefused:
        if isinstance(offered, tuple) and offered:
            has = "; das Gerät bietet: " + ", ".join(_shown(each) for each in offered)
        elif isinstance(offered, str):
            has = f"; das Gerät bietet: {offered}"
        else:
            has = "; das Gerät hat diese Einstellung nicht"
        text = (
            f"Das Gerät kann die Einstellung {ours} = {_shown(wanted)} nicht{has}. Es wurde kein "
            "Blatt eingezogen. Bitte ein anderes Profil oder Gerät wählen."
        )
        return SettingRefused(f"{ours}={wanted} refused, offered {offered}", operator_text=text)


def _same(choices: tuple[Any, ...] | None, wanted: Iterable[str]) -> Any:
    """Return the choice that one of `wanted` names, the first that is there."""
    offered = {str(choice).casefold(): choice for choice in choices or ()}
    return next((offered[name.casefold()] for name in wanted if name.casefold() in offered), None)


def _allowed(option: Option, value: Any) -> bool:
    if option.choices is not None:
        return value in option.choices
    if option.limits is None:
        return True
    low, high, step = option.limits
    on_step = not step or abs((value - low) / step - round((value - low) / step)) < 1e-6  # noqa: PLR2004 - rounding of fixed point
    return low <= value <= high and on_step


def unlike(frame: Frame, settings: ScanSettings) -> str | None:
    """Return what about a page is not as demanded, German for the operator; None if all is."""
    if frame.format not in (GREY, RGB):
        return "drei Durchgänge je Seite"
    if (frame.format == RGB) is not (settings.mode is Mode.COLOUR):
        return "Farbe" if frame.format == RGB else "keine Farbe"
    if frame.depth not in _DEPTHS[settings.mode]:
        return f"{frame.depth} Bit je Farbwert"
    return None


def _span(option: Option) -> str | None:
    if option.limits is None:
        return None
    low, high, step = option.limits
    return f"{low:g} bis {high:g}" + (f" in Schritten von {step:g}" if step else "")


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def sensed(handle: Adjustable, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Yield what the device's sensors of these names say now; what cannot be read is left out."""
    known = handle.options()
    for name in names:
        if name in known and known[name].readable:
            try:
                yield name, handle.value(name)
            except SaneFault:
                continue
