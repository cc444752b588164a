"""SANE devices through a child process each."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.sandbox import Stream
from scanners.device.buttons import RemoteWatch
from scanners.device.remoting import RemoteDriver


@dataclass(frozen=True, kw_only=True)
class SaneDriver(RemoteDriver):
    """All devices that the SANE of this machine knows."""

    name: str = "sane"
    child: str = "scanners.sane.child"

    def watch(self, device_id: str, seconds: float = 0.5) -> RemoteWatch:
        """Watch the keys of a device, looking at them every so many seconds.

        Raises:
            ScanFault: The device cannot be opened.
        """
        child = Stream(self.child, environment=self.environment)
        return RemoteWatch(child, device_id, seconds)
