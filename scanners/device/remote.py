"""A session whose device is held by a child process: the parent's side.

The child may hang, crash or be killed; the stack is then interrupted after the last page that
was durable, and the service lives on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Final

from ingest.sandbox import Ended, Lent, Stalled, Stream
from scanners.device.faults import DeviceStalled, DriverCrashed, ScanCancelled, ScanFault, fault
from scanners.device.pages import ScannedPage
from scanners.device.port import Device, Progress
from scanners.device.settings import Effective, ScanSettings
from scanners.device.spool import Spool

_OPENING_SECONDS: Final = 60.0
#: Drivers look at every device they know before they say what one of them is.
_LOOKING_SECONDS: Final = 30.0
#: For a device that stops its motor and parks its lamp.
_GIVING_BACK_SECONDS: Final = 5.0


class NotNamed(Exception):
    """The driver hung or died while it looked up what a device is; its child is gone."""


class RemoteSession(Lent):
    """A device that a child process has opened."""

    def __init__(  # noqa: PLR0913 - what the child is told, each named at the call
        self,
        stream: Stream,
        device: Device,
        settings: ScanSettings,
        spool: Spool,
        *,
        first: int = 1,
        options: Mapping[str, Any] = MappingProxyType({}),
        look_up: bool = False,
    ) -> None:
        """Let the child open the device and make its settings.

        With `look_up` it says maker and model before.

        Raises:
            NotNamed: It could not do that; the next child should not try.
            ScanFault: It could not open it; the child is gone, no sheet has moved.
        """
        self._stream = stream
        self._settings = settings
        self._spool = spool
        self._done = first - 1
        self._cancelled = threading.Event()
        self._scanning = False
        self.progress: Progress = lambda _page, _bytes: None
        try:
            stream.tell(
                {
                    "do": "scan",
                    "device": device.id,
                    "settings": settings.to_json(),
                    "spool": str(spool.folder),
                    "first": first,
                    "options": dict(options),
                    "look_up": look_up,
                }
            )
            named = self._named() if look_up else {}
            opened = self._next(_OPENING_SECONDS, "opened")
        except BaseException:
            stream.close()
            raise
        said = {**asdict(device), **named, **opened["device"]}
        self._device = Device(**said)
        self._effective = {name: Effective(**made) for name, made in opened["effective"].items()}

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._stream.pid

    @property
    def device(self) -> Device:
        """The device, with all it told after opening."""
        return self._device

    @property
    def effective(self) -> Mapping[str, Effective]:
        """What was asked for and what the device made of it, by our name of the setting."""
        return self._effective

    def pages(self) -> Iterator[ScannedPage]:
        """Yield each page when it is durable; end at the true end of the stack.

        Raises:
            ScanFault: As the port says.
        """
        self._scanning = True
        self._stream.tell({"do": "start"})
        while True:
            said = self._next(self._settings.timeout, "page", "end")
            if said["event"] == "end":
                self._scanning = False
                return
            page = ScannedPage.from_json(said["page"], self._spool.folder)
            self._done = page.facts.number
            yield page

    def cancel(self) -> None:
        """Stop the child in steps; from any thread."""
        if not self._cancelled.is_set():
            self._cancelled.set()
            self._stream.stop()

    def close(self) -> None:
        """Give the device back; a child that is scanning is stopped, one that hangs is killed."""
        if self._scanning:
            self._stream.stop()
        self._stream.close(_GIVING_BACK_SECONDS)

    def _named(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._next(_LOOKING_SECONDS, "named")["device"]
        except (DeviceStalled, DriverCrashed) as error:
            raise NotNamed(str(error)) from error
        return found

    def _next(self, seconds: float, *wanted: str) -> dict[str, Any]:
        """Return the next line that is one of `wanted`, passing progress on.

        The clock of a page begins anew only when bytes came: a child that repeats itself is as
        stalled as one that is silent.
        """
        limit = time.monotonic() + seconds
        last: tuple[int, int] | None = None
        while True:
            said = self._heard(limit - time.monotonic())
            if said["event"] == "progress":
                now = int(said["page"]), int(said["bytes"])
                if now != last:
                    last, limit = now, time.monotonic() + seconds
                self.progress(*now)
            elif said["event"] == "fault":
                raise self._fault(said)
            elif said["event"] in wanted:
                return said

    def _heard(self, seconds: float) -> dict[str, Any]:
        try:
            return self._stream.next(max(seconds, 0.0))
        except Stalled as error:
            raise self._or_cancelled(DeviceStalled(str(error), pages_done=self._done)) from error
        except Ended as error:
            raise self._or_cancelled(DriverCrashed(str(error), pages_done=self._done)) from error

    def _fault(self, said: dict[str, Any]) -> ScanFault:
        self._scanning = False
        done = max(int(said.get("pages_done", 0)), self._done)
        text = str(said.get("operator_text", ""))
        return self._or_cancelled(
            fault(str(said["code"]), str(said["message"]), pages_done=done, operator_text=text)
        )

    def _or_cancelled(self, error: ScanFault) -> ScanFault:
        """Return `error`, or that somebody stopped the scan, which ends a child in any way."""
        if self._cancelled.is_set():
            return ScanCancelled("cancelled by the operator", pages_done=self._done)
        return error
