"""SANE devices through a child process each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ingest.sandbox import Stream
from scanners.device.buttons import RemoteWatch
from scanners.device.remoting import RemoteDriver
from scanners.sane.library import load
from scanners.sane.scanimage import ScanimageDriver


@dataclass(frozen=True, kw_only=True)
class SaneDriver(RemoteDriver):
    """All devices that the SANE of this machine knows."""

    name: str = "sane"
    child: str = "scanners.sane.child"
    looks_up: bool = True

    def watch(self, device_id: str, seconds: float = 0.5) -> RemoteWatch:
        """Watch the keys of a device, looking at them every so many seconds.

        Raises:
            ScanFault: The device cannot be opened.
        """
        child = Stream(self.child, environment=self.environment)
        return RemoteWatch(child, device_id, seconds)


def sane_driver(
    *,
    environment: Mapping[str, str] = MappingProxyType({}),
    options: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    by_program: bool = False,
) -> SaneDriver | ScanimageDriver:
    """Return the driver for the SANE of this machine: by its library, or else by `scanimage`.

    Args:
        environment: Additions to that of SANE, such as `SANE_CONFIG_DIR`.
        options: By device, options that only its backend has.
        by_program: Use the program although the library can be loaded.
    """
    if not by_program:
        try:
            load()
        except OSError:
            by_program = True
    kind = ScanimageDriver if by_program else SaneDriver
    return kind(environment=environment, options=options)
