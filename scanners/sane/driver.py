"""SANE devices through a child process each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from ingest.sandbox import Stream
from scanners.device.buttons import RemoteWatch
from scanners.device.remoting import RemoteDriver


@dataclass(frozen=True, kw_only=True)
class SaneDriver(RemoteDriver):
    """All devices that the SANE of this machine knows.

    Attributes:
        options: By device, options that only its backend has, by their names there. They are
            made before the settings of the scan, and like them refused where they cannot be.
    """

    name: str = "sane"
    child: str = "scanners.sane.child"
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def watch(self, device_id: str, seconds: float = 0.5) -> RemoteWatch:
        """Watch the keys of a device, looking at them every so many seconds.

        Raises:
            ScanFault: The device cannot be opened.
        """
        child = Stream(self.child, environment=self.environment)
        return RemoteWatch(child, device_id, seconds)

    @override
    def own_options(self, device_id: str) -> Mapping[str, Any]:
        return self.options.get(device_id, {})
