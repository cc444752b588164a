"""SANE devices through a child process each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

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

    @override
    def own_options(self, device_id: str) -> Mapping[str, Any]:
        return self.options.get(device_id, {})
