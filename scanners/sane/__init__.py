"""Scanners that SANE drives, local ones and those of a `saned` in the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scanners.sane.driver import SaneDriver, sane_driver
    from scanners.sane.scanimage import ScanimageDriver

__all__ = ["SaneDriver", "ScanimageDriver", "sane_driver"]


def __getattr__(name: str) -> Any:
    """Import the drivers where they are used: the child, which starts for each scan, uses none."""
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from scanners.sane import driver

    return getattr(driver, name)
