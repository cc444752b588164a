"""What a station says of a stack, and what the house answers."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any, Final

from scanners.device import Device, Effective, ScannedPage, ScanSettings

#: The house takes no higher count of sheets or consignments.
MOST_COUNTED: Final = 1_000_000
#: Characters of a storage place that the house takes.
LONGEST_PLACE: Final = 200


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What is known of a stack when its first sheet is fed.

    Attributes:
        key: UUID that the station made; equal for every attempt at the same stack.
        profile: Name of the profile.
        operator: Code of the person at the scanner; None where nobody has signed on.
        station: Code of the workstation; None for the machine of the ledger itself.
        device: As it told after opening, with serial number and firmware.
        settings: What was asked of it.
        effective: What it made of that, by our name of the setting.
        opened_at: By the station's clock, aware.
        received_at: The authority's first stamp (Eingangsdatum), aware; never the time of scan.
        expected_sheets: The operator's count.
    """

    key: str
    profile: str
    operator: str | None
    station: str | None
    device: Device
    settings: ScanSettings
    effective: dict[str, Effective]
    opened_at: dt.datetime
    received_at: dt.datetime | None = None
    storage_place: str | None = None
    expected_sheets: int | None = None
    expected_consignments: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; times in ISO 8601 with offset. `from_json` reads it."""
        said = asdict(self)
        return said | {
            "opened_at": self.opened_at.isoformat(),
            "received_at": self.received_at and self.received_at.isoformat(),
        }

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Opening:
        """Read what `to_json` wrote.

        Raises:
            ValueError: A value is none that there is.
            TypeError, KeyError: A key is unknown or missing.
        """
        received = said.get("received_at")
        read = {
            **said,
            "device": Device(**said["device"]),
            "settings": ScanSettings.from_json(said["settings"]),
            "effective": {name: Effective(**made) for name, made in said["effective"].items()},
            "opened_at": dt.datetime.fromisoformat(said["opened_at"]),
            "received_at": None if received is None else dt.datetime.fromisoformat(received),
        }
        return cls(**read)


@dataclass(frozen=True, kw_only=True)
class StackPage:
    """A page of a stack: the n-th attempt at its place.

    Attributes:
        page: File, digest and facts; `facts.number` is its place in the stack, from 1.
        attempt: From 1; a sheet that is scanned again replaces the attempt before.
        scanned_by: Code of who scanned it, None where nobody has signed on.
    """

    page: ScannedPage
    attempt: int = 1
    scanned_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class KnownPage:
    """A page that the house has for good.

    Attributes:
        sha256: Empty where the house erased it.
    """

    number: int
    attempt: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Interruption:
    """A stack stopped after a whole sheet and went on, or did not.

    Attributes:
        after_sheet: Number of the last whole sheet, 0 for none.
        code: Of the fault, see `scanners.device.faults`.
        at: By the station's clock, aware.
    """

    after_sheet: int
    code: str
    at: dt.datetime

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {**asdict(self), "at": self.at.isoformat()}

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Interruption:
        """Read what `to_json` wrote."""
        return cls(**{**said, "at": dt.datetime.fromisoformat(said["at"])})


@dataclass(frozen=True, kw_only=True)
class Closing:
    """The manifest with which a stack ends: what has to be there, in its order.

    Attributes:
        pages: Number, attempt and digest of each page that counts, by number.
        sheets: As counted from the pages.
        interruptions: In their order.
        closed_at: By the station's clock, aware.
        closed_by: Code of who ended it, None where nobody has signed on.
        unheld_at: Since when, in a run of the device, the house did not hold it for the station.
    """

    pages: tuple[KnownPage, ...]
    sheets: int
    interruptions: tuple[Interruption, ...]
    closed_at: dt.datetime
    closed_by: str | None = None
    unheld_at: tuple[dt.datetime, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; `from_json` reads it."""
        return {
            "pages": [asdict(page) for page in self.pages],
            "sheets": self.sheets,
            "interruptions": [each.to_json() for each in self.interruptions],
            "closed_at": self.closed_at.isoformat(),
            "closed_by": self.closed_by,
            "unheld_at": [at.isoformat() for at in self.unheld_at],
        }

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Closing:
        """Read what `to_json` wrote.

        Raises:
            ValueError: A time is none.
            TypeError, KeyError: A key is unknown or missing.
        """
        read = {
            **said,
            "pages": tuple(KnownPage(**each) for each in said["pages"]),
            "interruptions": tuple(Interruption.from_json(each) for each in said["interruptions"]),
            "closed_at": dt.datetime.fromisoformat(said["closed_at"]),
            "unheld_at": tuple(map(dt.datetime.fromisoformat, said.get("unheld_at", ()))),
        }
        return cls(**read)


@dataclass(frozen=True, kw_only=True)
class StackState:
    """What the house has of a stack.

    Attributes:
        batch_id: Of the batch in the ledger.
        pages: Those that count, by number.
        is_closed: Nothing is appended any more.
        is_discarded: The house gave it up and erased its pages; nothing of it is taken any more.
    """

    batch_id: str
    pages: tuple[KnownPage, ...] = ()
    is_closed: bool = False
    is_discarded: bool = False


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to use a device, which nobody else has until it ends.

    Attributes:
        token: By which it is renewed and given back.
        seconds: For which it was given; renew at a third of that.
    """

    device: str
    token: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class OfferedProfile:
    """A profile that may be scanned under.

    Attributes:
        name: As in `Opening.profile`.
        title: For people.
        treatment: copying, replacing.
        settings: What is asked of the device.
    """

    name: str
    title: str
    treatment: str
    settings: ScanSettings

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> OfferedProfile:
        """Read what `to_json` wrote."""
        return cls(**{**said, "settings": ScanSettings.from_json(said["settings"])})
