"""SANE devices through a child process each."""

from __future__ import annotations

from dataclasses import dataclass

from scanners.device.remoting import RemoteDriver


@dataclass(frozen=True, kw_only=True)
class SaneDriver(RemoteDriver):
    """All devices that the SANE of this machine knows."""

    name: str = "sane"
    child: str = "scanners.sane.child"
