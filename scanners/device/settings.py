"""What a scan shall be like, and what the device made of it."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final


class Mode(enum.StrEnum):
    """Colour of the image."""

    BITONAL = "bitonal"
    GREY = "grey"
    COLOUR = "colour"


class Feed(enum.StrEnum):
    """Where the sheets come from and which sides are taken."""

    FLATBED = "flatbed"
    FEEDER = "feeder"  #: fronts only
    DUPLEX = "duplex"  #: front and back of each sheet, in this order


#: Paper sizes in millimetres, width and height as fed.
PAPER: Final = MappingProxyType(
    {"A3": (297.0, 420.0), "A4": (210.0, 297.0), "A5": (148.0, 210.0), "letter": (215.9, 279.4)}
)


@dataclass(frozen=True, kw_only=True)
class ScanSettings:
    """What is demanded of the device.

    Attributes:
        dpi: Both axes.
        depth: Bits a sample; 1 for bitonal.
        paper: A name of `PAPER`.
        threshold: For bitonal, 0 … 255; None leaves it to the device.
        timeout: Seconds without a byte after which the device counts as stalled.
        wished: Of `paper` and `threshold` those that are no demand: what the device cannot do of
            them it does its own way, and that is recorded.
    """

    dpi: int = 300
    mode: Mode = Mode.COLOUR
    depth: int = 8
    feed: Feed = Feed.DUPLEX
    paper: str = "A4"
    threshold: int | None = None
    timeout: float = 60.0
    wished: tuple[str, ...] = ()

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height of the scanned area, millimetres."""
        return PAPER[self.paper]

    def to_json(self) -> dict[str, Any]:
        """Return the settings as a JSON object; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> ScanSettings:
        """Read what `to_json` wrote.

        Raises:
            ValueError: A value is none that there is.
            TypeError: A key is unknown.
        """
        read = {
            **given,
            "mode": Mode(given["mode"]),
            "feed": Feed(given["feed"]),
            "wished": tuple(given.get("wished", ())),
        }
        return cls(**read)


@dataclass(frozen=True, kw_only=True)
class Effective:
    """One setting as asked for and as it is: a device may round, we record it.

    Attributes:
        option: The device's own name of the setting.
        requested: None where nothing was asked for and it was switched off or left.
        effective: As read back from the device.
        inexact: The device said by itself that it took another value than the one asked for.
    """

    option: str
    requested: Any
    effective: Any
    inexact: bool = False
