"""Scanners that SANE drives, local ones and those of a `saned` in the network."""

from __future__ import annotations

from scanners.sane.driver import SaneDriver, sane_driver
from scanners.sane.scanimage import ScanimageDriver

__all__ = ["SaneDriver", "ScanimageDriver", "sane_driver"]
