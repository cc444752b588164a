"""Stacks: from a device to the house without a lost sheet."""

from __future__ import annotations

from scanners.stack.faults import (
    AcceptanceFault,
    DeviceLeased,
    HouseFull,
    LeaseLost,
    ManifestDisagrees,
    Refused,
    Unavailable,
)
from scanners.stack.port import Acceptance
from scanners.stack.terms import (
    Closing,
    Interruption,
    KnownPage,
    Lease,
    OfferedProfile,
    Opening,
    StackPage,
    StackState,
)

__all__ = [
    "Acceptance",
    "AcceptanceFault",
    "Closing",
    "DeviceLeased",
    "HouseFull",
    "Interruption",
    "KnownPage",
    "Lease",
    "LeaseLost",
    "ManifestDisagrees",
    "OfferedProfile",
    "Opening",
    "Refused",
    "StackPage",
    "StackState",
    "Unavailable",
]
