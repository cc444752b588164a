"""SANE devices through a child process each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from ingest.sandbox import Ended, Stalled, Stream
from scanners.device import Device, DeviceGone, DeviceStalled, ScanSettings, Spool, fault
from scanners.device.remote import RemoteSession

_CHILD: Final = "scanners.sane.child"


@dataclass(frozen=True, kw_only=True)
class SaneDriver:
    """All devices that the SANE of this machine knows.

    Attributes:
        environment: Additions to the child's, such as `SANE_CONFIG_DIR`.
    """

    name: ClassVar[str] = "sane"
    environment: Mapping[str, str] = field(default_factory=dict)

    def devices(self, seconds: float) -> list[Device]:
        """Return the devices that answer within so many seconds.

        Raises:
            DeviceGone: SANE is not installed here, or its child died.
            DeviceStalled: A backend hangs while probing.
        """
        with Stream(_CHILD, environment=self.environment) as child:
            child.tell({"do": "devices"})
            said = _answer(child, seconds)
            return [Device(**each) for each in said["devices"]]

    def open(
        self, device_id: str, settings: ScanSettings, spool: Spool, *, first: int = 1
    ) -> RemoteSession:
        """Open a device in a child of its own and make its settings.

        Raises:
            SettingRefused: A demanded value cannot be set.
            ScanFault: Busy, gone or refused; no sheet has moved.
        """
        device = Device(id=device_id, driver=self.name, vendor="", model="")
        child = Stream(_CHILD, environment=self.environment)
        return RemoteSession(child, device, settings, spool, first=first)


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
