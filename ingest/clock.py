"""Where times come from.

Every time in the product is aware and in UTC; people see it in the zone of their house.
Leases do not use this clock but the database's (`ingest.ledger`), because two machines
never agree to the second.

System time is weak evidence (TR-03138 R.2.7.6.3), so `state` says what the kernel knows of
it: in a container that is the host's clock, which is the one that counts.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import sys
from dataclasses import dataclass
from typing import Final

from ingest.document import NOT_RECORDED, Facts

UTC = dt.UTC
_UNSYNCHRONISED: Final = 0x0040  #: STA_UNSYNC of <sys/timex.h>
_ERROR: Final = 5  #: TIME_ERROR: the clock is not synchronised


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


@dataclass(frozen=True, kw_only=True)
class ClockState:
    """What the kernel says of its clock.

    Attributes:
        synchronised: Whether a time service keeps it; None where that is not known.
        error_seconds: The largest error that the kernel estimates; None where that is not
            known or the clock is not synchronised, because the figure then means nothing.
    """

    synchronised: bool | None
    error_seconds: float | None

    def facts(self) -> Facts:
        """Return both as JSON object; what is unknown is `nicht erfasst`."""
        known = self.synchronised is not None
        error = self.error_seconds
        return {
            "synchronised": self.synchronised if known else NOT_RECORDED,
            "error_seconds": NOT_RECORDED if error is None else error,
        }


UNKNOWN: Final = ClockState(synchronised=None, error_seconds=None)


class _Timex(ctypes.Structure):
    """`struct timex` of Linux, 64 bits."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", ctypes.c_long * 2),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("counters", ctypes.c_long * 4),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


def state() -> ClockState:
    """Ask the kernel, changing nothing; `UNKNOWN` where it does not answer."""
    if sys.platform != "linux" or ctypes.sizeof(ctypes.c_long) != 8:  # noqa: PLR2004 - bytes
        return UNKNOWN
    asked = _Timex()  # modes 0: read only
    try:
        result: int = ctypes.CDLL(None).adjtimex(ctypes.byref(asked))
    except (OSError, AttributeError):
        return UNKNOWN
    return judged(result, asked.status, asked.maxerror)


def judged(result: int, status: int, maxerror: int) -> ClockState:
    """Return what an answer of `adjtimex` means.

    Args:
        result: What it returned; negative: it refused.
        status: Bits of `timex.status`.
        maxerror: Microseconds.
    """
    if result < 0:
        return UNKNOWN
    if result == _ERROR or status & _UNSYNCHRONISED:
        return ClockState(synchronised=False, error_seconds=None)
    return ClockState(synchronised=True, error_seconds=maxerror / 1_000_000)
