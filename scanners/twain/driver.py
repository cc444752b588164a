"""TWAIN sources through a child process each."""

from __future__ import annotations

from dataclasses import dataclass

from scanners.device.remoting import RemoteDriver


@dataclass(frozen=True, kw_only=True)
class TwainDriver(RemoteDriver):
    """All sources that the TWAIN manager of this computer knows."""

    name: str = "twain"
    child: str = "scanners.twain.child"
