"""Where times come from.

Every time in the product is aware and in UTC; people see it in the zone of their house.
Leases do not use this clock but the database's (`ingest.ledger`), because two machines
never agree to the second.
"""

from __future__ import annotations

import ctypes
import datetime as dt
from dataclasses import dataclass
from typing import Final

UTC = dt.UTC
_TIME_ERROR: Final = 5
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ClockState:
    """What the kernel says of its clock.

    Attributes:
        synchronised: Whether a time service holds it; None where the kernel does not say.
        error_seconds: By how much it may be wrong at most, None where that is not known.
    """

    synchronised: bool | None
    error_seconds: float | None


class _Timex(ctypes.Structure):
    """The beginning of Linux' `struct timex`, and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


def state() -> ClockState:
    """Ask the kernel whether its clock is synchronised (adjtimex, which changes nothing here)."""
    try:
        asked = _Timex()
        answer = ctypes.CDLL(None).adjtimex(ctypes.byref(asked))
    except (OSError, AttributeError):  # no Linux
        return ClockState(synchronised=None, error_seconds=None)
    if answer < 0:
        return ClockState(synchronised=None, error_seconds=None)
    if answer == _TIME_ERROR:
        return ClockState(synchronised=False, error_seconds=None)
    return ClockState(synchronised=True, error_seconds=asked.maxerror / _MICROSECONDS)


def now() -> dt.datetime:
    """Return the present moment, aware, in UTC."""
    return dt.datetime.now(UTC)


def lies_ahead(moment: dt.datetime) -> bool:
    """Tell whether `moment` is more than a day from now.

    Nothing was received then. The day allows for clocks, and for midnights of other zones.
    """
    return moment - now() > dt.timedelta(days=1)


def require_aware(moment: dt.datetime, name: str) -> dt.datetime:
    """Return `moment` in UTC.

    Raises:
        ValueError: `moment` has no zone; `name` says which field that was.
    """
    if moment.tzinfo is None:
        message = f"{name} needs a time zone"
        raise ValueError(message)
    return moment.astimezone(UTC)
