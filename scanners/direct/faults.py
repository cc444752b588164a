"""What ledger, store and profiles say, as somebody at a scanner is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingest.errors import (
    LedgerUnavailable,
    Outage,
    ProfileInvalid,
    ScanstrasseError,
    StoreUnavailable,
    UsageError,
)
from ingest.ledger import leases
from scanners.stack import (
    DeviceLeased,
    HouseFull,
    LeaseLost,
    ManifestDisagrees,
    Refused,
    Unavailable,
)


@contextmanager
def faults() -> Iterator[None]:
    """Turn what ledger, store and profiles say into what somebody at a scanner is told."""
    try:
        yield
    except StoreUnavailable as error:
        kind = HouseFull if error.code == "store_full" else Unavailable
        raise kind(str(error), operator_text=error.operator_text) from error
    except (LedgerUnavailable, Outage) as error:
        raise Unavailable(str(error), operator_text=error.operator_text) from error
    except ProfileInvalid as error:
        released = error.code == "profile_not_released"
        code = "profile_not_released" if released else "profile_unknown"
        raise Refused(str(error), operator_text=error.operator_text, code=code) from error
    except leases.DeviceTaken as error:
        raise DeviceLeased(str(error), operator_text=error.operator_text) from error
    except leases.LeaseEnded as error:
        raise LeaseLost(str(error), operator_text=error.operator_text) from error
    except ScanstrasseError as error:
        refused = ManifestDisagrees if error.code == ManifestDisagrees.code else Refused
        code = "operator_unknown" if error.code == UsageError.code else error.code
        raise refused(str(error), operator_text=error.operator_text, code=code) from error
