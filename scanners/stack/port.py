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

    def admit(self, device: Device, profile: str, operator: str | None) -> None:
        """Ask before the first sheet whether somebody may use a device for a profile.

        The device becomes known to the house. For replacing profiles it has to be released as it
        tells of itself (BSI TR-03138 V1.5, A.O.2, A.O.3), and `operator` has to be the code of a
        registered person (A.NB.4a); None is nobody who signed on.

        Raises:
            Refused: `device_not_released`, `profile_unknown`, `profile_not_released`;
                `operator_unknown`: also for what is no code, under any profile.
        """
        ...

    def open(self, opening: Opening) -> StackState:
        """Make the stack known, or return what there is of it: its key was used before.

        A stack that was let in stays in, whatever became of its profile meanwhile. Who is
        registered, a station without a connection cannot know: a replacing stack of somebody
        unknown is taken, and held at its end.

        Raises:
            Refused: `profile_unknown`, `profile_not_released`, `stack_of_another`;
                `operator_unknown`: what is given is no operator code.
        """
        ...

    def state(self, key: str) -> StackState:
        """Return what the house has of a stack, or that it gave it up.

        Raises:
            Refused: `stack_unknown`, `stack_of_another`.
        """
        ...

    def append(self, key: str, page: StackPage) -> bool:
        """Take a page; False if it was there already. Pages may come in any order.

        Raises:
            Refused: `stack_unknown`, `stack_closed`, `stack_of_another`; `page_disagrees`: the
                bytes do not match their digest, or another page is in its place;
                `operator_unknown`: who scanned it is no operator code.
        """
        ...

    def close(self, key: str, closing: Closing) -> StackState:
        """End the stack: it is received, and processing begins.

        Under a profile that was withdrawn meanwhile it is received too, and held for a person; so
        is a replacing stack that was set otherwise than its profile asks.

        Raises:
            ManifestDisagrees: The house has other pages, or their numbers, places, sheets,
                settings or devices are not what the manifest and the opening say; the stack
                stays open.
            Refused: `stack_unknown`, `stack_of_another`; `stack_closed`: the house gave it up, or
                closed it with other pages; `operator_unknown`: who ended it is no operator code.
        """
        ...

    def lease(self, device: Device, operator: str | None, seconds: float) -> Lease:
        """Take the right to use a device; at a workstation one process at a time asks for one.

        Raises:
            DeviceLeased: Another workstation has it.
            Refused: `operator_unknown`: what is given is no operator code.
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
