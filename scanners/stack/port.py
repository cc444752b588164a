"""The port through which stacks get into the house: directly, or over the network.

Every call may be repeated after any crash: what was taken before is taken once. When a call
returned, its effect is in the ledger for good; when it raised, nothing of it happened. One suite,
`tests/contracts/test_acceptance.py`, runs over all implementations.
"""

from __future__ import annotations

from typing import Protocol

from scanners.device import Device
from scanners.stack.terms import Closing, Lease, OfferedProfile, Opening, StackPage, StackState


class Acceptance(Protocol):
    """The house, as somebody at a scanner sees it.

    Any method may raise `Unavailable` (try again later) and `Refused` (a person has to act).
    """

    def profiles(self) -> list[OfferedProfile]:
        """Return the profiles that may be scanned under, by name."""
        ...

    def admit(self, device: Device, profile: str) -> None:
        """Ask before the first sheet whether a device may be used for a profile.

        The device becomes known to the house. Devices for replacing profiles have to be released
        with the firmware they tell (BSI TR-03138 V1.5, A.O.2, A.O.3).

        Raises:
            Refused: `device_not_released`, `profile_unknown`, `profile_not_released`.
        """
        ...

    def open(self, opening: Opening) -> StackState:
        """Make the stack known, or return what there is of it: its key was used before.

        A stack that was let in stays in, whatever became of its profile meanwhile.

        Raises:
            Refused: `profile_unknown`, `profile_not_released`, `operator_unknown`.
        """
        ...

    def state(self, key: str) -> StackState:
        """Return what the house has of a stack, or that it gave it up.

        Raises:
            Refused: `stack_unknown`.
        """
        ...

    def append(self, key: str, page: StackPage) -> bool:
        """Take a page; False if it was there already. Pages may come in any order.

        Raises:
            Refused: `stack_unknown`, `stack_closed`; `page_disagrees`: the bytes do not match
                their digest, or another page is in its place.
        """
        ...

    def close(self, key: str, closing: Closing) -> StackState:
        """End the stack: it is received, and processing begins.

        Under a profile that was withdrawn meanwhile it is received too, and held for a person.

        Raises:
            ManifestDisagrees: The house has other pages; the stack stays open.
            Refused: `stack_unknown`; `stack_closed`: the house gave it up, or closed it with
                other pages.
        """
        ...

    def lease(self, device: Device, operator: str | None, seconds: float) -> Lease:
        """Take the right to use a device; at a workstation one process at a time asks for one.

        Raises:
            DeviceLeased: Another workstation has it.
        """
        ...

    def renew(self, lease: Lease) -> None:
        """Keep the right for `lease.seconds` from now.

        Raises:
            LeaseLost: It ended before.
        """
        ...

    def give_back(self, lease: Lease) -> None:
        """End the right; one that ended before is no error."""
        ...
