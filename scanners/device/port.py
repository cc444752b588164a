"""The port that all ways of driving a scanner implement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from scanners.device.pages import DeviceMark, ScannedPage
from scanners.device.settings import Effective, ScanSettings
from scanners.device.spool import Spool


@dataclass(frozen=True, kw_only=True)
class Device:
    """A scanner that can be opened.

    Attributes:
        id: By which its driver opens it.
        driver: sane, escl, twain.
        serial: None where the device does not tell.
        firmware: The same; also the driver's version where there is no other.
    """

    id: str
    driver: str
    vendor: str
    model: str
    kind: str = ""
    serial: str | None = None
    firmware: str | None = None

    @property
    def mark(self) -> DeviceMark:
        """By what it is known again, on each of its pages too."""
        return DeviceMark(
            driver=self.driver, id=self.id, serial=self.serial, firmware=self.firmware
        )


#: Told of progress: page number and bytes of it so far.
Progress = Callable[[int, int], None]


class Session(Protocol):
    """A device that is open, its settings made; no sheet has moved yet.

    Attributes:
        progress: Called while a page comes; set it before `pages`.
    """

    progress: Progress

    @property
    def device(self) -> Device:
        """The device, with all it told after opening."""
        ...

    @property
    def effective(self) -> Mapping[str, Effective]:
        """By our name of the setting: what was asked for and what the device made of it."""
        ...

    def pages(self) -> Iterator[ScannedPage]:
        """Yield each page when it is durable; end only at the true end of the stack.

        Raises:
            ScanFault: The scan ended otherwise; pages already yielded stay valid.
        """
        ...

    def cancel(self) -> None:
        """Stop, from any thread, as often as one likes; `pages` then raises `ScanCancelled`."""
        ...

    def close(self) -> None:
        """Give the device back."""
        ...

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(self, *error: object) -> None:
        """Close."""
        ...


class Driver(Protocol):
    """One way of driving scanners."""

    @property
    def name(self) -> str:
        """`sane`, `escl` or `twain`."""
        ...

    def devices(self, seconds: float) -> list[Device]:
        """Return the devices that answer within so many seconds."""
        ...

    def open(
        self, device_id: str, settings: ScanSettings, spool: Spool, *, first: int = 1
    ) -> Session:
        """Open a device and make its settings.

        Args:
            device_id: As in `devices`, or known otherwise.
            settings: What is demanded.
            spool: Where pages go.
            first: Number of the first page: an interrupted stack goes on.

        Raises:
            SettingRefused: A demanded value cannot be set; the text names it and what there is.
            ScanFault: Busy, gone, or refused; no sheet has moved.
        """
        ...
