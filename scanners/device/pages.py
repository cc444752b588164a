"""A page that came from a device."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scanners.device.settings import Feed


@dataclass(frozen=True, kw_only=True)
class DeviceMark:
    """By what a device is known again, as it told when it was opened; see `Device`."""

    driver: str
    id: str
    serial: str | None = None
    firmware: str | None = None

    def is_of(self, other: DeviceMark) -> bool:
        """Tell whether both are of one device, in one state: by serial number where it tells one.

        Another firmware makes other images, so it is another device.
        """
        return self._identity == other._identity

    @property
    def _identity(self) -> tuple[str | None, ...]:
        return self.driver, self.serial or self.id, self.firmware


@dataclass(frozen=True, kw_only=True)
class PageFacts:
    """What is known of a page beside its bytes.

    Attributes:
        number: From 1, in the order of the device, over all attempts at a stack.
        sheet: From 1.
        side: `front` or `back`.
        width, height: pixels; None where the bytes were not decoded.
        dpi: Both axes, as set on the device.
        began_at, finished_at: Clock of the computer at the scanner, aware.
        hints: Imprint, patch code, double feed and others, by name, as the device said.
        device: That scanned it; None before the page is in a stack, and in records of before pages
            named it.
    """

    number: int
    sheet: int
    side: str
    width: int | None
    height: int | None
    dpi: int
    mode: str
    depth: int
    began_at: dt.datetime
    finished_at: dt.datetime
    hints: dict[str, Any] = field(default_factory=dict)
    device: DeviceMark | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the facts as a JSON object; times in ISO 8601 with offset."""
        said = asdict(self)
        return said | {
            "began_at": self.began_at.isoformat(),
            "finished_at": self.finished_at.isoformat(),
        }

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> PageFacts:
        """Read what `to_json` wrote."""
        times = {
            name: dt.datetime.fromisoformat(said[name]) for name in ("began_at", "finished_at")
        }
        device = said.get("device")
        mark = None if device is None else DeviceMark(**device)
        return cls(**{**said, **times, "device": mark})


@dataclass(frozen=True, kw_only=True)
class ScannedPage:
    """A page in the spool, synced to disk.

    Attributes:
        path: The file; its bytes are the device's own, or for raw samples a TIFF around them.
        media_type: image/tiff, image/jpeg, application/pdf …
        sha256: Of the file.
        size: bytes.
    """

    path: Path
    media_type: str
    sha256: str
    size: int
    facts: PageFacts

    def to_json(self) -> dict[str, Any]:
        """Return the page as one JSON object, its file by name."""
        return {
            "name": self.path.name,
            "media_type": self.media_type,
            "sha256": self.sha256,
            "size": self.size,
            "facts": self.facts.to_json(),
        }

    @classmethod
    def from_json(cls, said: dict[str, Any], folder: Path) -> ScannedPage:
        """Read what `to_json` wrote, of a spool at `folder`."""
        return cls(
            path=folder / Path(said["name"]).name,
            media_type=said["media_type"],
            sha256=said["sha256"],
            size=said["size"],
            facts=PageFacts.from_json(said["facts"]),
        )


def place_of(number: int, feed: Feed) -> tuple[int, str]:
    """Return sheet and side of the page that a device delivers as `number`, from 1."""
    if feed is Feed.DUPLEX:
        return (number + 1) // 2, "front" if number % 2 else "back"
    return number, "front"
