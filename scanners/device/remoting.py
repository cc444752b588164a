"""A driver whose devices are each held by a child process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest.sandbox import Ended, Stalled, Stream
from scanners.device.faults import DeviceGone, DeviceStalled, fault
from scanners.device.port import Device
from scanners.device.remote import RemoteSession
from scanners.device.settings import ScanSettings
from scanners.device.spool import Spool


@dataclass(frozen=True, kw_only=True)
class RemoteDriver:
    """All devices that a way of driving knows on this computer.

    Attributes:
        name: sane, twain.
        child: The module that holds the device.
        environment: Additions to the child's, such as `SANE_CONFIG_DIR`.
        options: By device, options that only its backend has, by their names there. They are
            made before the settings of the scan, and like them refused where they cannot be.
        seen: By id, the devices that answered once: an open device need not tell its model.
    """

    name: str
    child: str
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seen: dict[str, Device] = field(default_factory=dict, init=False, compare=False, repr=False)

    def devices(self, seconds: float) -> list[Device]:
        """Return the devices that answer within so many seconds.

        Raises:
            DeviceGone: The driver is not installed here, or its child died.
            DeviceStalled: It hangs while probing.
        """
        with Stream(self.child, environment=self.environment) as child:
            child.tell({"do": "devices"})
            found = [Device(**each) for each in _answer(child, seconds)["devices"]]
        self.seen.update({each.id: each for each in found})
        return found

    def open(
        self, device_id: str, settings: ScanSettings, spool: Spool, *, first: int = 1
    ) -> RemoteSession:
        """Open a device in a child of its own and make its settings.

        Raises:
            SettingRefused: A demanded value cannot be set.
            ScanFault: Busy, gone or refused; no sheet has moved.
        """
        unseen = Device(id=device_id, driver=self.name, vendor="", model="")
        device = self.seen.get(device_id, unseen)
        child = Stream(self.child, environment=self.environment)
        own = self.options.get(device_id, {})
        return RemoteSession(child, device, settings, spool, first=first, options=own)


def _answer(child: Stream, seconds: float) -> dict[str, Any]:
    try:
        said = child.next(seconds)
    except Stalled as error:
        raise DeviceStalled(str(error)) from error
    except Ended as error:
        raise DeviceGone(str(error)) from error
    if said["event"] == "fault":
        raise fault(
            str(said["code"]),
            str(said["message"]),
            pages_done=0,
            operator_text=str(said.get("operator_text", "")),
        )
    return said
