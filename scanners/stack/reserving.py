"""One operator at a device: a lock on this computer and, where the house answers, its lease."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from scanners.device import Device, DeviceBusy
from scanners.stack.faults import AcceptanceFault, DeviceLeased, Refused, Unavailable
from scanners.stack.locking import Held, held
from scanners.stack.port import Acceptance
from scanners.stack.terms import Lease

#: Seconds after which a device whose station died is free again.
LEASE_SECONDS: Final = 60.0


@contextlib.contextmanager
def alone(home: Path, device_id: str) -> Iterator[None]:
    """Have a device among the processes of this computer for the block.

    Raises:
        DeviceBusy: Another process scans on it.
    """
    name = hashlib.sha256(device_id.encode()).hexdigest()[:32]
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(home / "locks" / f"device-{name}"))
        except Held as error:
            text = (
                "Das Gerät wird an diesem Arbeitsplatz gerade von einem anderen Vorgang benutzt. "
                "Bitte warten, bis dieser Stapel fertig ist."
            )
            message = f"{device_id} is used by another process"
            raise DeviceBusy(message, operator_text=text) from error
        yield


@contextlib.contextmanager
def leased(
    house: Acceptance | None,
    device: Device,
    operator: str | None,
    lost: Callable[[AcceptanceFault], None],
) -> Iterator[bool]:
    """Have the house's lease of a device for the block, as far as the house answers.

    Yields:
        Whether the house holds the device for us; False where it does not answer, and then only
        the lock on this computer holds it.

    Raises:
        DeviceBusy: Somebody at another workstation scans on it.
        Refused: The house does not know this workstation.
    """
    lease = None if house is None else _taken(house, device, operator)
    if house is None or lease is None:
        yield False
        return
    ended = threading.Event()
    keeper = threading.Thread(
        target=_kept, args=(house, lease, ended, lost), name="lease", daemon=True
    )
    keeper.start()
    try:
        yield True
    finally:
        ended.set()
        keeper.join(timeout=LEASE_SECONDS)
        with contextlib.suppress(AcceptanceFault):  # it ends by itself
            house.give_back(lease)


def _taken(house: Acceptance, device: Device, operator: str | None) -> Lease | None:
    try:
        return house.lease(device, operator, LEASE_SECONDS)
    except DeviceLeased as error:
        raise DeviceBusy(str(error), operator_text=error.operator_text) from error
    except Unavailable:
        return None


def _kept(
    house: Acceptance,
    lease: Lease,
    ended: threading.Event,
    lost: Callable[[AcceptanceFault], None],
) -> None:
    while not ended.wait(lease.seconds / 3):
        try:
            house.renew(lease)
        except Unavailable:
            continue  # the scan goes on; the stack says that the house did not answer
        except Refused as error:
            lost(error)
            return
