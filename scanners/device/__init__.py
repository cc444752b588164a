"""What every scanner is to us, whichever way it is driven.

A driver lists devices and opens one with settings; the session streams pages, each already
durable in the spool, with the bytes as the device gave them. Nothing here knows the ledger,
the store or the steps: the scan station runs it on the computer at the scanner.
"""

from __future__ import annotations

from scanners.device.faults import (
    AccessDenied,
    CoverOpen,
    DeviceBusy,
    DeviceGone,
    DeviceStalled,
    DoubleFeed,
    DriverCrashed,
    FeederEmpty,
    FeederJam,
    OtherDevice,
    PageTruncated,
    ScanCancelled,
    ScanFault,
    SettingRefused,
    SheetMixed,
    SpoolFull,
    StackTaken,
    fault,
)
from scanners.device.pages import DeviceMark, PageFacts, ScannedPage, place_of
from scanners.device.port import Device, Driver, Session
from scanners.device.settings import Effective, Feed, Mode, ScanSettings
from scanners.device.spool import Spool

__all__ = [
    "AccessDenied",
    "CoverOpen",
    "Device",
    "DeviceBusy",
    "DeviceGone",
    "DeviceMark",
    "DeviceStalled",
    "DoubleFeed",
    "Driver",
    "DriverCrashed",
    "Effective",
    "Feed",
    "FeederEmpty",
    "FeederJam",
    "Mode",
    "OtherDevice",
    "PageFacts",
    "PageTruncated",
    "ScanCancelled",
    "ScanFault",
    "ScanSettings",
    "ScannedPage",
    "Session",
    "SettingRefused",
    "SheetMixed",
    "Spool",
    "SpoolFull",
    "StackTaken",
    "fault",
    "place_of",
]
