"""Scanners with a TWAIN 2.x driver, through the data source manager by ctypes.

Memory transfer, no window of the driver, events by callback: nothing of it needs a message loop.
Runs on the computer at the scanner, in a process of the driver's own width (32 or 64 bit).
"""

from __future__ import annotations

from scanners.twain.driver import TwainDriver

__all__ = ["TwainDriver"]
